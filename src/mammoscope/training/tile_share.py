"""One process's share of the batches of tiles that several processes train on together."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mammoscope.core.errors import BadValueError
from mammoscope.training.distributed import Team
from mammoscope.training.loop import Counts, StepResult
from mammoscope.training.tile_task import TileBatch, TileTask


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBatch(TileBatch):
    """A share of a batch.

    Attributes
    ----------
    part : which of the batch's tiles these are
    all_places : (whole batch,), int64: positions of all of them among the training tiles
    """

    part: slice
    all_places: Tensor


class SharedTileTask(TileTask):
    """Trains on this process's share of each batch; figures are of the whole batch.

    Every process draws the whole batch, so that it is the same however many there are, and passes
    its own tiles alone through the network. Dropout is drawn from (seed, epoch, step, process), so
    that a run goes on exactly without every process's random state.

    Parameters
    ----------
    team : the processes
    parts : what `TileTask` takes

    Raises
    ------
    BadValueError
        When a process would have no tile of a batch.
    """

    def __init__(self, team: Team, **parts: Any) -> None:
        super().__init__(**parts)
        self._team = team
        if self._settings.batch_size < team.size:
            raise BadValueError(
                f"batch_size is {self._settings.batch_size}, and {team.size} processes share each "
                "batch; use fewer processes or a larger batch_size."
            )

    def batch(self, epoch: int, step: int) -> SharedBatch:
        """Draw a batch and take this process's share of it."""
        whole = super().batch(epoch, step)
        part = self._team.share(len(whole.truth))
        entropy = np.random.SeedSequence((self._settings.seed, epoch, step, self._team.rank))
        torch.manual_seed(int(entropy.generate_state(1)[0]))
        return SharedBatch(
            images=whole.images[part],
            targets=whole.targets[part],
            truth=whole.truth[part],
            places=whole.places[part],
            part=part,
            all_places=whole.places,
        )

    def result(self, network: nn.Module, batch: TileBatch) -> StepResult:
        """Pass the share through.

        Returns
        -------
        Figures of the whole batch. The loss has the whole batch's value; its gradient is this
        share's part, such that the mean over the processes is the gradient of the whole.
        """
        assert isinstance(batch, SharedBatch)
        own = super().result(network, batch)
        total, names, counts = len(batch.all_places), sorted(own.parts), own.counts
        figures = [
            own.loss.detach() * own.size,
            *(own.parts[name] * own.size for name in names),
            counts.true_positive,
            counts.false_positive,
            counts.true_negative,
            counts.false_negative,
        ]
        device = own.loss.device
        values = torch.stack([torch.as_tensor(one, device=device).double() for one in figures])
        # One sum a step: the figures, and each tile's score at its place in the batch.
        scores = torch.zeros(total, dtype=torch.float64, device=device)
        scores[batch.part] = self._latest[batch.places].double()
        everyone = self._team.sum(torch.cat([values, scores]))
        self._latest[batch.all_places] = everyone[len(values) :].float()
        mine = own.loss * (own.size * self._team.size / total)
        whole = (everyone[0] / total).to(mine.dtype)
        return StepResult(
            # Its value is the whole batch's, its gradient is mine.
            loss=mine + (whole - mine).detach(),
            parts={name: everyone[1 + place] / total for place, name in enumerate(names)},
            counts=Counts(*map(_read, everyone[len(names) + 1 : len(values)])),
            size=total,
        )


def _read(count: Tensor) -> int | Tensor:
    """Make it a whole number, where reading does not make an accelerator wait for it."""
    return count if count.is_cuda else int(count)

"""How fast the training loop is beside a bare one, and float32 beside bfloat16.

Usage: OMP_NUM_THREADS=1 python benchmarks/training.py [--network 1.0.0.35] [--batch 8] [--steps 12]
       [--rounds 3] [--device cpu]

Both loops train the same network with the same loss on tiles of 299 x 299 drawn at random. Ours
reads each batch from a tile set on disk, flips it, scales it, counts, looks at the loss and logs;
the bare one holds one batch in memory and does nothing but forward, backward and the step. They
take turns in one run, so that what else the machine does hits both. Prints, as JSON:

* seconds a step of each (median), and bare / ours (wanted: at least 0.95);
* seconds a step of the bare loop in bfloat16, and float32 / bfloat16;
* seconds to write a checkpoint, which comes once in 200 steps and at the end of an epoch.

Found on two cores with one thread (batches of 4, load about 3): 4.50 tiles a second against 4.52 of
the bare loop, 0.996; bfloat16 1.20 times as fast as float32; a checkpoint of 1.0.0.35 1.4 s. At a
load of 12 single runs gave 0.67 to 1.18, which says nothing of the loops: measure on idle cores.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.models import zoo
from mammoscope.models.heads import HEADS
from mammoscope.models.penalty import l2_penalty
from mammoscope.tiles.store import TileSet, load_tiles, write_tiles
from mammoscope.tiles.tile import Tile
from mammoscope.training.checkpoint import Progress, save_checkpoint
from mammoscope.training.loop import Plan, StepResult, fit
from mammoscope.training.losses import tile_loss
from mammoscope.training.optimisers import make_optimiser
from mammoscope.training.settings import TileSettings
from mammoscope.training.tile_input import network_input, tile_spec
from mammoscope.training.tile_task import Penalty, TileBatch, TileTask

SIDE_PX = 299
WARM_UP = 2
"""Steps at the start of each turn that are not counted."""


def make_tiles(folder: Path, count: int) -> TileSet:
    """Write tiles of noise, every second one abnormal."""
    rng = np.random.default_rng(0)

    def tiles() -> Iterator[Tile]:
        for number in range(count):
            scan = Scan(
                scan_id=f"s{number}",
                archive="made",
                path=Path("s.png"),
                patient_id=f"p{number}",
                exam_id=f"e{number}",
            )
            yield Tile(
                pixels=rng.integers(0, 256, (SIDE_PX, SIDE_PX), dtype=np.uint8),
                scan=scan,
                finding_id=None,
                box=Box(0, 0, SIDE_PX, SIDE_PX),
                label="BENIGN_mass" if number % 2 else "NORMAL",
            )

    split_of = {f"p{number}": "train" for number in range(count)}
    write_tiles(folder, tiles(), split_of, {"recipe": "9", "seed": 0})
    return load_tiles(folder)


class Timed:
    """A task that notes when each of its batches was asked for."""

    def __init__(self, task: TileTask) -> None:
        self._task = task
        self.times: list[float] = []

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return self._task.steps_per_epoch

    def batch(self, epoch: int, step: int) -> TileBatch:
        """Make a batch."""
        self.times.append(perf_counter())
        return self._task.batch(epoch, step)

    def result(self, network: nn.Module, batch: TileBatch) -> StepResult:
        """Pass a batch through."""
        return self._task.result(network, batch)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Measure nothing: validation is no part of a step."""
        del network
        self.times.append(perf_counter())
        return {}


class Bench:
    """What both loops share."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.facts = zoo.facts(options.network)
        self.device = torch.device(options.device)
        torch.manual_seed(0)
        network = zoo.build(options.network).to(self.device)
        self.network = zoo.channels_last(network)
        self.tiles = make_tiles(folder / "set", options.batch * options.steps)
        self.settings = TileSettings(
            name="benchmark", tiles=str(folder / "set"), batch_size=options.batch
        )
        self.spec = tile_spec(self.facts.scaling, 0.1)
        self.folder, self.turn = folder, 0

    def task(self) -> TileTask:
        """Make the task that our loop trains."""
        return TileTask(
            tiles=self.tiles,
            training=np.arange(len(self.tiles)),
            validation=np.array([], dtype=np.intp),
            head=HEADS["binary"],
            spec=self.spec,
            settings=self.settings,
            penalty=Penalty(convolutions=self.facts.conv_l2, dense=self.facts.dense_l2),
            device=self.device,
        )

    def ours(self) -> list[float]:
        """Train an epoch with our loop; seconds of each step."""
        task = Timed(self.task())
        optimiser = make_optimiser(self.network, self.settings.optimiser)
        self.turn += 1
        plan = Plan(epochs=1, rate=lambda _step: 1.0, read_every=1 if self.is_cpu else 10)
        place = self.folder / f"turn-{self.turn}"
        fit(self.network, task, optimiser, plan, place, digest="d")
        (place / "checkpoint.safetensors").unlink()
        return np.diff(task.times).tolist()

    @property
    def is_cpu(self) -> bool:
        """Whether the processor computes."""
        return self.device.type == "cpu"

    def bare(self, kind: torch.dtype | None) -> list[float]:
        """Train as long with a bare loop; seconds of each step."""
        pixels = torch.from_numpy(self.tiles.pixels(np.arange(self.settings.batch_size)))
        images = network_input(pixels.to(self.device), self.spec)
        truth = torch.arange(len(images), device=self.device) % 2
        optimiser = make_optimiser(self.network, self.settings.optimiser)
        self.network.train()
        times = [perf_counter()]
        for _ in range(len(self.tiles) // self.settings.batch_size):
            self._bare_step(images, truth, optimiser, kind)
            times.append(perf_counter())
        if not self.is_cpu:
            torch.cuda.synchronize()
            # What was asked for is done only now: the same for each step.
            times = np.linspace(times[0], perf_counter(), len(times)).tolist()
        return np.diff(times).tolist()

    def _bare_step(
        self,
        images: Tensor,
        truth: Tensor,
        optimiser: torch.optim.Optimizer,
        kind: torch.dtype | None,
    ) -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, kind) if kind else nullcontext():
            logits = self.network(images).float()
            loss = tile_loss(logits, truth, self.settings.loss)
            loss = loss + l2_penalty(self.network, self.facts.conv_l2, self.facts.dense_l2)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    def checkpoint_seconds(self) -> float:
        """Seconds to write a checkpoint."""
        optimiser = make_optimiser(self.network, self.settings.optimiser)
        for parameter in self.network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimiser.step()
        began = perf_counter()
        save_checkpoint(self.folder, self.network, optimiser, Progress(), "d")
        return perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="1.0.0.35")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {"ours": [], "bare": [], "bare_bfloat16": []}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder))
        for _ in range(options.rounds):
            seconds["ours"] += bench.ours()[WARM_UP:]
            seconds["bare"] += bench.bare(None)[WARM_UP:]
            seconds["bare_bfloat16"] += bench.bare(torch.bfloat16)[WARM_UP:]
        saved = bench.checkpoint_seconds()
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    told = {
        "network": options.network,
        "batch": options.batch,
        "threads": torch.get_num_threads(),
        "seconds_a_step": {name: round(value, 4) for name, value in middle.items()},
        "tiles_a_second": {n: round(options.batch / value, 2) for n, value in middle.items()},
        "bare_over_ours": round(middle["bare"] / middle["ours"], 3),
        "float32_over_bfloat16": round(middle["bare"] / middle["bare_bfloat16"], 3),
        "checkpoint_seconds": round(saved, 2),
    }
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()

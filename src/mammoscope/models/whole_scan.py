"""A dense network's answer for a whole scan, in one pass, and the peaks of that answer."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

from mammoscope.core.contract import OutputSpec
from mammoscope.core.errors import ContractError
from mammoscope.models.strips import MOST_PX, REACHES, answer_in_strips
from mammoscope.scans.prepare import Prepared

APART_MM = 10.0
"""Two peaks closer than this are one place: about the middle diameter of a mass is 15 mm."""
LEAST_SCORE = 0.01
MOST_PEAKS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a dense network says of each place of a prepared scan.

    Attributes
    ----------
    lesion : ndarray of shape (rows / stride, columns / stride), float32 in [0, 1]; 0 outside the
        breast
    malignancy : ndarray of the same shape, float32 in [0, 1]: where there is a lesion, how
        malignant it looks
    stride_px : prepared pixels for one place
    """

    lesion: NDArray[np.float32]
    malignancy: NDArray[np.float32]
    stride_px: int

    def centre_px(self, row: int, column: int) -> tuple[float, float]:
        """Centre of a place on the prepared image (pixel centres are integers)."""
        half = (self.stride_px - 1) / 2
        return row * self.stride_px + half, column * self.stride_px + half


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacePeak:
    """A peak of the lesion score: a place on the answer's grid and its scores."""

    row: int
    column: int
    score: float
    malignancy: float


def answer(network: nn.Module, output: OutputSpec, prepared: Prepared) -> Answer:
    """Pass a dense network over a prepared scan, a very large one in strips.

    Once, or twice where the contract's answer is also that for the scan upside down.

    Raises
    ------
    ContractError
        When the contract's output is not that of a dense network, or the answer is not finite.
    """
    if output.stride_px is None or output.targets != ("lesion", "malignant"):
        raise ContractError(
            "this model answers for tiles, not for places on a whole scan; take a dense one"
        )
    network.eval()
    batch = torch.from_numpy(np.ascontiguousarray(prepared.image))[None, None]
    with torch.inference_mode():
        scores = torch.sigmoid(_logits(network, batch, output.stride_px).float())
        if output.also_upside_down:
            turned = _logits(network, batch.flip(2), output.stride_px).float()
            scores = (scores + torch.sigmoid(turned).flip(2)) / 2
        lesion, malignancy = (part.numpy() for part in scores[0])
    if not np.isfinite(lesion).all():
        raise ContractError("the model's answer is not a finite number; its weights are damaged")
    return Answer(
        lesion=np.where(_places(prepared.breast, output.stride_px), lesion, 0).astype(np.float32),
        malignancy=malignancy.astype(np.float32),
        stride_px=output.stride_px,
    )


def _logits(network: nn.Module, batch: Tensor, stride_px: int) -> Tensor:
    # Networks of which it is not known how far they look are passed whole.
    reach = REACHES.get(getattr(network, "architecture", None) or "")
    if reach is None or batch.numel() <= MOST_PX:
        found: Tensor = network(batch.contiguous(memory_format=torch.channels_last))
        return found
    return answer_in_strips(network, batch, stride_px, reach)


def _places(breast: NDArray[np.bool_], stride: int) -> NDArray[np.bool_]:
    """Tell which places lie in the breast with at least half of their pixels."""
    rows, columns = breast.shape
    cells = breast.reshape(rows // stride, stride, columns // stride, stride)
    return np.asarray(cells.mean(axis=(1, 3)) >= 0.5)


def find_peaks(found: Answer, spacing_mm: float) -> tuple[PlacePeak, ...]:
    """Find the peaks of the lesion score, best first, none within `APART_MM` of a better one.

    A peak's malignancy is the mean over the places round it, weighted by their lesion scores.
    """
    reach = APART_MM / (spacing_mm * found.stride_px)
    size = 2 * int(reach) + 1
    disk = np.hypot(*np.ogrid[-(size // 2) : size // 2 + 1, -(size // 2) : size // 2 + 1]) <= reach
    highest = ndimage.maximum_filter(found.lesion, footprint=disk, mode="constant")
    rows, columns = np.nonzero((found.lesion == highest) & (found.lesion >= LEAST_SCORE))
    scores = found.lesion[rows, columns]
    order = np.lexsort((columns, rows, -scores))[:MOST_PEAKS]
    return tuple(
        PlacePeak(
            row=int(rows[i]),
            column=int(columns[i]),
            score=float(scores[i]),
            malignancy=_malignancy_round(found, int(rows[i]), int(columns[i])),
        )
        for i in order
    )


def _malignancy_round(found: Answer, row: int, column: int) -> float:
    around = np.s_[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    weights = found.lesion[around].astype(np.float64)
    return float(np.average(found.malignancy[around], weights=np.maximum(weights, 1e-6)))


def scan_score(peaks: tuple[PlacePeak, ...]) -> float:
    """How likely the scan holds a lesion: the score of its highest peak, 0 without one."""
    return peaks[0].score if peaks else 0.0


def scan_malignancy(peaks: tuple[PlacePeak, ...]) -> float:
    """How malignant the scan looks: the largest product of a peak's two scores."""
    return max((peak.score * peak.malignancy for peak in peaks), default=0.0)

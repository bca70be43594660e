"""Which training lesions a marked place looks like to the network.

The index holds numbers only: no picture of a patient is in it. A lesion's vector is the mean of the
network's features over its box, at every level, projected on the axes along which the training
lesions differ most (principal components).
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mammoscope.core.errors import WeightsError
from mammoscope.core.geometry import Box
from mammoscope.core.reading import NearLesion
from mammoscope.formats.files import write_atomic
from mammoscope.models.dense import Dense
from mammoscope.models.weights import Model
from mammoscope.scans.prepare import Prepared

WINDOW_PX = 256
"""Side of the window round a place that the network sees; 77 mm at 0.3 mm."""
AXES = 64
SCHEMA = "mammoscope.lesions/1"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LesionIndex:
    """Vectors of the training lesions.

    Attributes
    ----------
    model_digest : of the weights that made the vectors; others do not compare with them
    lesion_ids, pathologies : of each lesion, the pathology "" where it is not known
    mean : ndarray of shape (features,)
    axes : ndarray of shape (features, axes)
    vectors : ndarray of shape (lesions, axes)
    """

    model_digest: str
    lesion_ids: tuple[str, ...]
    pathologies: tuple[str, ...]
    mean: NDArray[np.float16]
    axes: NDArray[np.float16]
    vectors: NDArray[np.float16]

    def nearest(self, features: NDArray[np.float32], count: int = 5) -> tuple[NearLesion, ...]:
        """Find the lesions whose vectors point most nearly the same way, nearest first.

        Parameters
        ----------
        features : ndarray of shape (features,), from `features_of`
        """
        own = (features - self.mean.astype(np.float32)) @ self.axes.astype(np.float32)
        known = self.vectors.astype(np.float32)
        sizes = np.linalg.norm(known, axis=1) * np.linalg.norm(own)
        distance = 1 - known @ own / np.maximum(sizes, 1e-6)
        return tuple(
            NearLesion(
                lesion_id=self.lesion_ids[i],
                pathology=self.pathologies[i] or None,
                distance=float(distance[i]),
            )
            for i in np.argsort(distance, kind="stable")[:count]
        )


def window_round(prepared: Prepared, box: Box) -> tuple[slice, slice]:
    """Lay a window of at most `WINDOW_PX` a side round a box of the prepared image, inside it."""
    parts = []
    for middle, side in zip(box.centre, prepared.image.shape, strict=True):
        wide = min(WINDOW_PX, side)
        start = int(np.clip(round(middle) - wide // 2, 0, side - wide))
        # Places of the answer lie on a grid that starts at multiples of 32.
        start -= start % 32
        parts.append(slice(start, start + wide))
    return parts[0], parts[1]


def features_of(model: Model, prepared: Prepared, box: Box) -> NDArray[np.float32] | None:
    """Mean features of the network over a box of the prepared image, all levels in a row.

    None where the network has no such levels: it is run by ONNX Runtime or is of another kind.
    """
    if not isinstance(model.network, Dense):
        return None
    rows, columns = window_round(prepared, box)
    window = np.ascontiguousarray(prepared.image[rows, columns])
    with torch.inference_mode():
        levels = model.network.levels(torch.from_numpy(window)[None, None])
    means = []
    for level in levels:
        grid = level[0].float().numpy()
        stride = window.shape[0] / grid.shape[1]
        top, left = (box.top - rows.start) / stride, (box.left - columns.start) / stride
        bottom = top + box.height / stride
        right = left + box.width / stride
        high, wide = grid.shape[1:]
        first = (min(max(int(top), 0), high - 1), min(max(int(left), 0), wide - 1))
        last = (max(first[0] + 1, round(bottom)), max(first[1] + 1, round(right)))
        means.append(grid[:, first[0] : last[0], first[1] : last[1]].mean(axis=(1, 2)))
    return np.concatenate(means).astype(np.float32)


def make_index(
    features: NDArray[np.float32],
    lesion_ids: tuple[str, ...],
    pathologies: tuple[str, ...],
    model_digest: str,
) -> LesionIndex:
    """Make an index of features of shape (lesions, features), each feature scaled to spread 1."""
    mean = features.mean(axis=0)
    spread = np.maximum(features.std(axis=0), 1e-3)
    _, _, axes = np.linalg.svd((features - mean) / spread, full_matrices=False)
    scaled = axes[:AXES].T / spread[:, None]
    return LesionIndex(
        model_digest=model_digest,
        lesion_ids=lesion_ids,
        pathologies=pathologies,
        mean=mean.astype(np.float16),
        axes=scaled.astype(np.float16),
        vectors=((features - mean) @ scaled).astype(np.float16),
    )


def write_index(path: Path, index: LesionIndex) -> None:
    """Write an index as safetensors, whole or not at all."""
    told = {
        "schema": SCHEMA,
        "model_digest": index.model_digest,
        "lesion_ids": json.dumps(index.lesion_ids),
        "pathologies": json.dumps(index.pathologies),
    }
    arrays = {"mean": index.mean, "axes": index.axes, "vectors": index.vectors}
    write_atomic(path, save({k: np.ascontiguousarray(v) for k, v in arrays.items()}, told))


def read_index(path: Path) -> LesionIndex:
    """Read an index.

    Raises
    ------
    WeightsError
        When the file is missing, damaged, or of another schema.
    """
    try:
        with safe_open(path, framework="numpy") as stored:
            told = stored.metadata() or {}
            arrays = {key: stored.get_tensor(key) for key in ("mean", "axes", "vectors")}
        if told.get("schema") != SCHEMA:
            raise WeightsError(f"{path}: not an index of lesions ({SCHEMA}); make it again.")
        return LesionIndex(
            model_digest=told["model_digest"],
            lesion_ids=tuple(json.loads(told["lesion_ids"])),
            pathologies=tuple(json.loads(told["pathologies"])),
            **arrays,
        )
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{path}: no whole index of lesions ({error}); make it again or install the package "
            "again."
        ) from error


@cache
def shipped_index() -> LesionIndex | None:
    """Return the index in the package; None where none was made."""
    place = files("mammoscope.models") / "shipped" / "lesions.safetensors"
    if not place.is_file():
        return None
    with as_file(place) as path:
        return read_index(path)

"""Figures of a classifier of tiles on the test patients, each with its interval by patient."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from mammoscope.core.contract import InputSpec
from mammoscope.core.vocabulary import Split
from mammoscope.evaluation.intervals import Statistic, bootstrap, weighted_mean
from mammoscope.evaluation.picture_points import HALF, curves_of
from mammoscope.evaluation.roc import auc_statistic
from mammoscope.models.heads import Head
from mammoscope.tiles.audit.report import read_verdict, set_digest
from mammoscope.tiles.store import TileSet
from mammoscope.training.settings import TileSettings
from mammoscope.training.tile_task import answers_of

RESAMPLES = 1000


def measure(
    tiles: TileSet, network: nn.Module, spec: InputSpec, head: Head, settings: TileSettings
) -> dict[str, Any]:
    """Measure a network on the test patients' tiles, the majority baseline beside the accuracy.

    Accuracy, baseline, recall, precision and AUC are of abnormal against normal, with the
    settings' threshold. With more than two classes ``class_accuracy`` and ``class_baseline`` are of
    the classes, and ``recall of X`` is the share of the tiles of X that are given that class.
    ``curves`` has ROC and precision-recall for the page of the run.
    """
    rows: NDArray[np.intp] = tiles.rows_of(Split.TEST)
    truth = head.truth(tiles.table["label"].to_numpy()[rows])
    shares = answers_of(network, tiles, rows, spec).shares
    patients = tiles.table["patient_id"].to_numpy()[rows].tolist()
    measured = _Measured(shares, truth, patients, settings.seed)
    figures = measured.abnormal(settings.threshold)
    if len(head.targets) > 2:
        figures |= measured.classes(head)
    return {
        "schema": "mammoscope.evaluation/1",
        "dataset": {
            "name": f"tiles of recipe {tiles.provenance['recipe']}",
            "digest": set_digest(tiles.provenance),
            "audit_verdict": read_verdict(tiles.folder),
        },
        "counts": {
            "tiles": len(rows),
            "abnormal": int((truth > 0).sum()),
            "patients": len(set(patients)),
            **{name: int((truth == index).sum()) for index, name in enumerate(head.targets)},
        },
        "tiles": figures,
        "curves": {
            "tiles: truth 1 against 0": curves_of(
                1 - shares[:, 0], truth > 0, tuple(dict.fromkeys((HALF, settings.threshold)))
            )
        },
    }


class _Measured:
    """Answers to the test tiles, and what they are."""

    def __init__(
        self,
        shares: NDArray[np.float64],
        truth: NDArray[np.int64],
        patients: list[str],
        seed: int,
    ) -> None:
        self._shares, self._truth, self._patients, self._seed = shares, truth, patients, seed

    def abnormal(self, threshold: float) -> dict[str, Any]:
        """Figures of abnormal against normal."""
        scores, is_so = 1 - self._shares[:, 0], self._truth > 0
        said = scores >= threshold
        every = np.ones(len(is_so), dtype=np.bool_)
        return {
            "accuracy": self._share(said == is_so, every),
            "majority_baseline": self._share(is_so == (is_so.mean() > 0.5), every),
            "recall": self._share(said, is_so),
            "precision": self._share(is_so, said),
            "auc": self._figure(auc_statistic(scores, is_so), every, is_share=False),
        }

    def classes(self, head: Head) -> dict[str, Any]:
        """Figures of the classes of a head with more than two."""
        said, every = self._shares.argmax(axis=1), np.ones(len(self._truth), dtype=np.bool_)
        commonest = np.bincount(self._truth).argmax()
        figures = {
            "class_accuracy": self._share(said == self._truth, every),
            "class_baseline": self._share(self._truth == commonest, every),
        }
        for index, name in enumerate(head.targets):
            figures[f"recall of {name}"] = self._share(said == index, self._truth == index)
        return figures

    def _share(self, values: NDArray[np.bool_], among: NDArray[np.bool_]) -> dict[str, Any]:
        """Share of `values` that hold among the tiles at `among`."""
        statistic = weighted_mean(values[among].astype(np.float64))
        return self._figure(statistic, among, is_share=True)

    def _figure(
        self, statistic: Statistic, among: NDArray[np.bool_], *, is_share: bool
    ) -> dict[str, Any]:
        who = [self._patients[place] for place in np.flatnonzero(among)]
        # A generator of its own: a figure does not depend on which others were asked for.
        rng = np.random.default_rng(self._seed)
        return bootstrap(statistic, who, RESAMPLES, rng, is_share=is_share).to_json()

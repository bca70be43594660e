"""The task of a dense network: batches of views of whole scans, measured on scans kept apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from mammoscope.core.contract import OutputSpec
from mammoscope.core.records import Scan
from mammoscope.evaluation.froc import sensitivity_at
from mammoscope.evaluation.outcomes import Peak, ScanOutcome
from mammoscope.evaluation.roc import auc
from mammoscope.models.whole_scan import answer, find_peaks, scan_malignancy, scan_score
from mammoscope.training.dense_data import Augmentation, DenseBatch, DenseSample, make_batch
from mammoscope.training.dense_loss import dense_loss
from mammoscope.training.descriptors import DescribingDense
from mammoscope.training.loop import Counts, StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseTask:
    """Trains on `training`, measures on `validation` (may be empty)."""

    training: Sequence[DenseSample]
    validation: Sequence[DenseSample]
    output: OutputSpec
    augmentation: Augmentation
    batch_size: int
    malignant_weight: float
    words_weight: float
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch; a rest smaller than a batch is left for another epoch."""
        return max(1, len(self.training) // self.batch_size)

    def batch(self, epoch: int, step: int) -> DenseBatch:
        """Draw batch `step` of `epoch`; the same numbers give the same batch."""
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.training))
        rng = np.random.default_rng((self.seed, epoch, step))
        chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
        samples = [self.training[i] for i in chosen]
        assert self.output.stride_px is not None
        return make_batch(samples, self.augmentation, self.output.stride_px, rng)

    def result(self, network: nn.Module, batch: DenseBatch) -> StepResult:
        """Pass a batch through; counts are of places, lesion or not at a score of one half."""
        # Computed in bfloat16 or not, the loss is summed up in float32.
        logits = network(batch.images).float()
        loss = dense_loss(logits, batch, self.malignant_weight, self.words_weight)
        judged = batch.lesion >= 0
        parts = {"lesion": loss.lesion.item(), "malignant": loss.malignant.item()}
        return StepResult(
            loss=loss.total,
            parts=parts | ({"words": loss.words.item()} if self.words_weight else {}),
            counts=Counts.of(logits[:, 0][judged] > 0, batch.lesion[judged] == 1),
            size=len(batch.images),
        )

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Sensitivity at one false positive a scan, and AUC of malignancy by scan.

        On every fourth scan kept apart: enough to see it learn, at a quarter of the time.
        """
        kept = network.network if isinstance(network, DescribingDense) else network
        outcomes = [outcome_of(kept, self.output, s) for s in self.validation[::4]]
        if not outcomes:
            return {}
        proven = [o for o in outcomes if o.is_malignant is not None]
        return {
            "sensitivity_at_1": sensitivity_at(outcomes, 1.0),
            "auc_malignant": auc(
                [o.malignancy for o in proven], [bool(o.is_malignant) for o in proven]
            ),
        }


def outcome_of(network: nn.Module, output: OutputSpec, sample: DenseSample) -> ScanOutcome:
    """Pass the network over one sample, and set its peaks beside what the archive knows."""
    found = answer(network, output, sample.prepared)
    peaks = find_peaks(found, sample.prepared.spacing_mm)
    places = [
        sample.prepared.point_to_scan(*found.centre_px(peak.row, peak.column)) for peak in peaks
    ]
    scan = sample.scan
    return ScanOutcome(
        scan_id=scan.scan_id,
        patient_id=scan.patient_id,
        breast_id=scan.breast_id,
        exam_id=scan.exam_id,
        spacing_mm=sample.prepared.scan_spacing_mm,
        score=scan_score(peaks),
        malignancy=scan_malignancy(peaks),
        peaks=tuple(
            Peak(row=row, column=column, score=peak.score, malignancy=peak.malignancy)
            for (row, column), peak in zip(places, peaks, strict=True)
        ),
        findings=scan.findings,
        strata=strata_of(scan),
    )


def strata_of(scan: Scan) -> dict[str, str]:
    """Facts of a scan by which figures are split."""
    facts = {
        "breast_density": scan.breast_density,
        "view": scan.view,
        "spacing_source": scan.spacing_source,
    }
    return {key: str(value) for key, value in facts.items() if value is not None}

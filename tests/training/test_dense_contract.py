"""The figures that a contract carries, under names that a person can read."""

from mammoscope.core.contract import InputSpec, OutputSpec
from mammoscope.training.dense_contract import Measured, finish_contract
from mammoscope.training.settings import ArchiveSettings, DenseSettings

SETTINGS = DenseSettings(
    name="made",
    archive=ArchiveSettings(name="made-archive", folder="none"),
    foreign=ArchiveSettings(name="far-archive", folder="none"),
)
PARTS = (
    InputSpec(spacing_mm=0.3, grey_rule="as-stored", grey_numbers={"divisor": 255.0}),
    OutputSpec(targets=("lesion", "malignant"), activation="sigmoid", stride_px=8),
)
AGAINST = "far-archive, never trained on: AUC any finding or none, by breast, against the other"


def figures_of(**of_breasts):
    level = dict.fromkeys(("auc_malignant", "auc_finding", "auc_malignant_normal"))
    foreign = {"scans": level, "patients": level, "breasts": level | of_breasts}
    return finish_contract(SETTINGS, PARTS, Measured(), foreign, "digest").figures


def test_the_foreign_archives_breasts_are_carried_against_each_other():
    figure = {"value": 0.79, "low": 0.72, "high": 0.85, "n": 258, "n_patients": 129}
    assert figures_of(auc_finding_against_other=figure) == {f"{AGAINST} breast": figure}


def test_a_summary_without_breasts_against_each_other_carries_nothing_of_them():
    assert figures_of(auc_finding_against_other=None) == {}
    # As summaries were stored before it was measured.
    assert figures_of() == {}

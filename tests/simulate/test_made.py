"""Between made breasts and archives: planned lesions, marks and words."""

import numpy as np
import pytest

from mammoscope.core.errors import BadValueError
from mammoscope.core.vocabulary import Assessment, FindingKind, Pathology, ViewPosition
from mammoscope.simulate import made
from mammoscope.simulate.exam import MadeLesion
from mammoscope.simulate.made import Marked, make_planned, plan_lesions, true_finding, words_of
from mammoscope.simulate.truth import load_mask


def lesion(kind, *words):
    mask = np.zeros((6, 8), bool)
    mask[2:4, 3:7] = True
    return MadeLesion(kind, *words, Pathology.BENIGN, Assessment.SUSPICIOUS, 3, mask)


def test_lesions_of_a_patient_lie_in_one_breast_on_both_views():
    kinds = (FindingKind.MASS, FindingKind.CALCIFICATION)
    pathologies = (Pathology.MALIGNANT, Pathology.BENIGN)
    for seed in range(8):
        plans = plan_lesions(kinds, pathologies, np.random.default_rng(seed))
        assert len({plan.laterality for plan in plans}) == 1
        assert all(set(plan.views) == {ViewPosition.CC, ViewPosition.MLO} for plan in plans)
        assert [(plan.kind, plan.pathology) for plan in plans] == list(
            zip(kinds, pathologies, strict=True)
        )


def test_words_are_shape_and_margins_or_type_and_distribution_and_never_empty():
    mass = lesion(FindingKind.MASS, "OVAL", "", "", "")
    calcified = lesion(FindingKind.CALCIFICATION, "", "", "PUNCTATE", "CLUSTERED")
    assert words_of(mass) == ("OVAL", "N/A")
    assert words_of(calcified) == ("PUNCTATE", "CLUSTERED")


def test_a_finding_is_kept_with_its_box_and_its_mask(tmp_path):
    one = lesion(FindingKind.MASS, "OVAL", "OBSCURED", "", "")
    marked = Marked(lesion=one, region=one.mask, outcome="BENIGN")
    finding = true_finding(marked, tmp_path, "a.1")
    assert finding.box_px == (2, 3, 2, 4)
    assert np.array_equal(load_mask(tmp_path, finding.mask), one.mask)


def test_another_breast_is_drawn_where_the_lesions_find_no_room(monkeypatch):
    drawn = []

    def narrow(rng, *, spacing_mm, lesions):
        drawn.append(rng.random())
        if len(drawn) < 3:
            raise BadValueError("no room")
        return "exam"

    monkeypatch.setattr(made, "make_exam", narrow)
    assert make_planned(np.random.default_rng(1), spacing_mm=0.3, lesions=()) == "exam"
    assert len(set(drawn)) == 3


def test_lesions_that_find_no_room_in_any_breast_are_an_error_in_the_end(monkeypatch):
    def never(rng, *, spacing_mm, lesions):
        raise BadValueError("no room")

    monkeypatch.setattr(made, "make_exam", never)
    with pytest.raises(BadValueError, match="no room"):
        make_planned(np.random.default_rng(1), spacing_mm=0.3, lesions=())

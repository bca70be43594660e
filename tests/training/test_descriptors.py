"""Words that radiologists said of a mass, and the network that is trained to say them."""

import pytest
import torch

from mammoscope.core.records import Finding
from mammoscope.core.vocabulary import Assessment, FindingKind
from mammoscope.models.dense import DenseLite0, DenseTileNet
from mammoscope.training.descriptors import WORDS, DescribingDense, described


def words_of(descriptors, assessment=None):
    finding = Finding(
        finding_id="f",
        scan_id="s",
        kind=FindingKind.MASS,
        descriptors=descriptors,
        assessment=assessment,
    )
    return dict(zip(WORDS, described(finding), strict=True))


def test_joined_words_are_each_said():
    words = words_of(
        ("IRREGULAR-ARCHITECTURAL_DISTORTION", "ILL_DEFINED-SPICULATED"),
        Assessment.HIGHLY_SUGGESTIVE,
    )
    said = {word for word, value in words.items() if value == 1}
    assert said == {
        "IRREGULAR",
        "ARCHITECTURAL_DISTORTION",
        "ILL_DEFINED",
        "SPICULATED",
        "HIGHLY_SUGGESTIVE",
    }
    assert all(value == 0 for word, value in words.items() if word not in said)


def test_nothing_is_known_of_what_was_not_judged():
    words = words_of(("OVAL", "MALIGNANT"), Assessment.INCOMPLETE)
    assert words["OVAL"] == 1
    assert words["ROUND"] == 0
    assert words["SPICULATED"] == words["CIRCUMSCRIBED"] == words["HIGHLY_SUGGESTIVE"] == -1
    # Not a shape that is learnt: no shape was judged then.
    assert set(words_of(("LYMPH_NODE",)).values()) == {-1}


@pytest.mark.parametrize("assessment", [Assessment.BENIGN, Assessment.SUSPICIOUS])
def test_a_lower_assessment_is_known_and_not_grave(assessment):
    assert words_of((), assessment)["HIGHLY_SUGGESTIVE"] == 0


@pytest.mark.parametrize("kind", [DenseLite0, DenseTileNet])
def test_the_words_are_said_beside_the_networks_own_answer(kind):
    torch.manual_seed(0)
    network = kind().eval()
    x = torch.rand(1, 1, 64, 96)
    with torch.inference_mode():
        both = DescribingDense(network).eval()(x)
        torch.testing.assert_close(both[:, :2], network(x))
    assert both.shape == (1, 2 + len(WORDS), 8, 12)

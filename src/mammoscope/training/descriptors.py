"""What radiologists said of a mass, as something to learn beside its pathology.

Shape, margins and assessment were judged from the picture, so they teach a network what to look at;
pathology alone is one word a mass. What it learns of them is not part of the trained model.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mammoscope.core.records import Finding
from mammoscope.core.vocabulary import Assessment
from mammoscope.models.dense import WIDE, Dense

SHAPES = ("ROUND", "OVAL", "LOBULATED", "IRREGULAR", "ARCHITECTURAL_DISTORTION")
MARGINS = ("CIRCUMSCRIBED", "OBSCURED", "MICROLOBULATED", "ILL_DEFINED", "SPICULATED")
GRAVE = "HIGHLY_SUGGESTIVE"
WORDS = (*SHAPES, *MARGINS, GRAVE)
UNKNOWN = -1.0
JUDGED = frozenset(
    {
        Assessment.BENIGN,
        Assessment.PROBABLY_BENIGN,
        Assessment.SUSPICIOUS,
        Assessment.HIGHLY_SUGGESTIVE,
    }
)
"""Assessments that judge a finding; 0 asks for more views and 1 sees none."""


def described(finding: Finding) -> list[float]:
    """Say for each of `WORDS` whether it was said of a finding: 1, 0, or -1 for not judged.

    Where no shape was given, nothing is known of any shape; so with margins.
    """
    # CBIS-DDSM joins words by a hyphen: IRREGULAR-ARCHITECTURAL_DISTORTION.
    said = {word for entry in finding.descriptors for word in entry.split("-")}
    answer = []
    for group in (SHAPES, MARGINS):
        known = not said.isdisjoint(group)
        answer += [float(word in said) if known else UNKNOWN for word in group]
    judged = finding.assessment in JUDGED
    answer.append(float(finding.assessment is Assessment.HIGHLY_SUGGESTIVE) if judged else UNKNOWN)
    return answer


class DescribingDense(nn.Module):
    """A dense network that is trained to say a mass's words too; `network` is what is kept."""

    def __init__(self, network: Dense) -> None:
        super().__init__()
        self.network = network
        self.words = nn.Conv2d(WIDE, len(WORDS), 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, 2 + words, rows / 8, columns / 8): the network's logits, then the words'.

        `x` is as `Dense.forward` takes it.
        """
        levels = self.network.levels(x)
        nature = self.network.nature(levels)
        words = functional.interpolate(self.words(nature), scale_factor=2.0, mode="nearest")
        return torch.cat([self.network.answer(levels, nature), words], dim=1)

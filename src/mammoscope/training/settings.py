"""Settings of a training run, as a TOML file gives them."""

from dataclasses import dataclass, field

from mammoscope.core.contract import InputSpec
from mammoscope.training.dense_data import Augmentation


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSettings:
    """An archive by name, and the folder that holds it."""

    name: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSettings:
    """What the network will take: input spacing and the numbers of the grey rule."""

    spacing_mm: float = 0.3
    low_percentile: float = 2.0
    high_percentile: float = 99.5
    middle: float = 0.5
    largest_bend: float = 2.5

    def spec(self) -> InputSpec:
        """Return the contract's input half."""
        return InputSpec(
            spacing_mm=self.spacing_mm,
            grey_rule="breast-percentiles",
            grey_numbers={
                "low": self.low_percentile,
                "high": self.high_percentile,
                "middle": self.middle,
                "bend": self.largest_bend,
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserSettings:
    """AdamW with a short warm-up and a cosine to zero.

    `features_factor` multiplies the learning rate of the ImageNet features.
    """

    learning_rate: float = 1e-3
    features_factor: float = 0.3
    weight_decay: float = 0.02
    warm_up_steps: int = 100
    clip_norm: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseSettings:
    """A run of a dense network on whole scans.

    `folds` networks are trained besides the final one, each measured on the patients that it did
    not see; 0 leaves the figures out. `false_positives_per_scan` fixes the threshold on those.
    `foreign` is an archive that is never trained on, to measure the final network.
    """

    name: str
    archive: ArchiveSettings
    task: str = "dense"
    version: str = "1"
    seed: int = 0
    folds: int = 5
    epochs: int = 5
    batch_size: int = 4
    malignant_weight: float = 2.0
    false_positives_per_scan: float = 0.5
    foreign: ArchiveSettings | None = None
    input: InputSettings = field(default_factory=InputSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    augmentation: Augmentation = field(default_factory=Augmentation)

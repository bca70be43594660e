"""Settings of a training run, as a TOML file gives them."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path

import torch

from mammoscope.core.contract import InputSpec
from mammoscope.models.dense import ARCHITECTURES, DenseLite0
from mammoscope.models.facts import VALUE_RANGES
from mammoscope.models.heads import head_of
from mammoscope.training import optimisers
from mammoscope.training.augment import AugmentSettings
from mammoscope.training.average import AverageSettings
from mammoscope.training.dense_data import Augmentation
from mammoscope.training.losses import LossSettings
from mammoscope.training.mixup import MixupSettings
from mammoscope.training.rates import RateSettings
from mammoscope.training.sampling import SamplingSettings
from mammoscope.training.start import StartSettings


class Precision(StrEnum):
    """In what a network computes where that is safe; weights and sums stay in float32."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"

    @property
    def autocast(self) -> torch.dtype | None:
        """The type for `mammoscope.training.loop.Plan`; None is float32."""
        return torch.bfloat16 if self is Precision.BFLOAT16 else None


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

    `features_factor` multiplies the learning rate of ImageNet features; a network that starts from
    random weights learns with the full rate everywhere.
    """

    learning_rate: float = 1e-3
    features_factor: float = 0.3
    weight_decay: float = 0.02
    warm_up_steps: int = 100
    clip_norm: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseSettings:
    """A run of a dense network on whole scans.

    `architecture` is ``lite0-dense`` or ``lite0-local``, which start from ImageNet features, or
    ``tilenet-dense``, which starts from random weights. `folds` networks are trained besides the
    final one, each measured on the patients that it did not see; 0 leaves the figures out.
    `false_positives_per_scan` fixes the threshold on those. `precision` is that of training alone;
    figures are measured in float32. `foreign` is an archive that is never trained on, to measure
    the final network. `words_weight` is the weight of what radiologists said of a mass, learnt
    beside its pathology (0: not at all); `hold_early_layers` leaves the stem and the first two
    stages as ImageNet left them (both of no effect on a network from random weights).
    """

    name: str
    archive: ArchiveSettings
    task: str = "dense"
    architecture: str = "lite0-dense"
    version: str = "1"
    seed: int = 0
    folds: int = 5
    epochs: int = 5
    batch_size: int = 4
    malignant_weight: float = 2.0
    words_weight: float = 0.0
    hold_early_layers: bool = True
    precision: Precision = Precision.FLOAT32
    false_positives_per_scan: float = 0.5
    foreign: ArchiveSettings | None = None
    input: InputSettings = field(default_factory=InputSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    augmentation: Augmentation = field(default_factory=Augmentation)
    average: AverageSettings = field(default_factory=AverageSettings)

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ValueError(
                f"architecture must be a network that is trained on whole scans, "
                f"{_either(ARCHITECTURES)}, not {self.architecture!r}"
            )
        # Batch norm has to find a spread: a smaller view is a single place at stride 32.
        views = self.augmentation
        if not self.is_from_imagenet and views.rows * views.columns <= 32 * 32:
            raise ValueError(
                f"{self.architecture} is trained on views of more than 32 x 32 pixels, not of "
                f"{views.rows} x {views.columns}"
            )

    @property
    def is_from_imagenet(self) -> bool:
        """Whether the network starts from ImageNet features, and not from random weights."""
        return issubclass(ARCHITECTURES[self.architecture], DenseLite0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeSettings:
    """A recipe by name, and those of its options that are given; the recipe says which it has."""

    name: str = "9"
    radius_as_side: bool | None = None
    faithful_splits: bool | None = None
    as_printed: bool | None = None
    label_per_finding: bool | None = None
    normals_per_abnormal: float | None = None
    spacing_mm: float | None = None
    tile_mm: float | None = None
    keep_partial: bool | None = None
    assumed_um: float | None = None
    places: Path | None = None

    def options(self) -> dict[str, bool | float | Path]:
        """Return the options that were given, by name."""
        every = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "name"}
        return {name: value for name, value in every.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class TileInputSettings:
    """How stored grey levels reach the network, in training and ever after.

    Attributes
    ----------
    scaling : "raw" (0 to 255), "unit" (0 to 1) or "centred"; None: as the network's script does
    contrast : factor by which grey levels go away from their tile's mean; 1 leaves them
    spacing_mm : side of a tile's pixel; None: what the tiles say
    """

    scaling: str | None = None
    contrast: float = 1.0
    spacing_mm: float | None = None

    def __post_init__(self) -> None:
        if self.scaling is not None and self.scaling not in VALUE_RANGES:
            raise ValueError(f"scaling must be {_either(VALUE_RANGES)}, not {self.scaling!r}")
        if not self.contrast > 0:
            raise ValueError("contrast must be above 0; 1 leaves the grey levels as they are")
        if self.spacing_mm is not None and not 0.01 <= self.spacing_mm <= 2:
            raise ValueError("spacing_mm must be 0.01 to 2")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegularSettings:
    """L2 penalty and dropouts; None: as the network's script has them."""

    conv_l2: float | None = None
    dense_l2: float | None = None
    pool_dropout: float | None = None
    dense_dropout: float | None = None

    def __post_init__(self) -> None:
        if min(self.conv_l2 or 0, self.dense_l2 or 0) < 0:
            raise ValueError("conv_l2 and dense_l2 must be 0 or more")
        if not all(0 <= (value or 0) < 1 for value in (self.pool_dropout, self.dense_dropout)):
            raise ValueError("pool_dropout and dense_dropout must be 0 or more and below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSettings:
    """Early stopping: after `patience` epochs without a better `figure` of the validation.

    The weights of the best epoch are kept then. None trains all epochs and keeps the last weights.
    """

    figure: str = "auc"
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.figure not in STOP_FIGURES:
            raise ValueError(f"figure must be {_either(STOP_FIGURES)}, not {self.figure!r}")
        if self.patience is not None and self.patience < 1:
            raise ValueError("patience must be 1 or more")


STOP_FIGURES = ("accuracy", "auc", "class_accuracy", "cross_entropy", "f1", "precision", "recall")


class OnAlarm(StrEnum):
    """What an alarm does to a run."""

    STOP = "stop"
    TELL = "tell"


class Device(StrEnum):
    """Where a network is trained; auto: on a graphics processor where there is one."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, slots=True, kw_only=True)
class TileSettings:
    """A run of a classifier on tiles, split by patient; docs/training/run.md explains each key.

    The tiles are those in the folder `tiles`, or are cut from `archive` or `archives` by `recipe`.
    What is None is as the script of the network has it, see `mammoscope.models.facts`.
    """

    name: str
    task: str = "tiles"
    version: str = "1"
    tiles: str | None = None
    archive: ArchiveSettings | None = None
    archives: tuple[ArchiveSettings, ...] = ()
    recipe: RecipeSettings = field(default_factory=RecipeSettings)
    architecture: str = "1.0.0.35"
    head: str = "binary"
    soft_labels: bool = False
    seed: int = 0
    epochs: int = 20
    batch_size: int = 32
    threshold: float = 0.5
    clip_norm: float | None = None
    precision: Precision = Precision.FLOAT32
    compile: bool = False
    device: Device = Device.AUTO
    on_alarm: OnAlarm = OnAlarm.STOP
    input: TileInputSettings = field(default_factory=TileInputSettings)
    regular: RegularSettings = field(default_factory=RegularSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    optimiser: optimisers.OptimiserSettings = field(default_factory=optimisers.OptimiserSettings)
    rate: RateSettings = field(default_factory=RateSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    mixup: MixupSettings = field(default_factory=MixupSettings)
    average: AverageSettings = field(default_factory=AverageSettings)
    stop: StopSettings = field(default_factory=StopSettings)
    start: StartSettings = field(default_factory=StartSettings)

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2 or self.seed < 0:
            raise ValueError("epochs must be 1 or more, batch_size 2 or more, seed 0 or more")
        if not 0 < self.threshold < 1:
            raise ValueError("threshold must be above 0 and below 1")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError("clip_norm must be above 0")
        sources = [self.tiles is not None, self.archive is not None, bool(self.archives)]
        if sum(sources) != 1:
            raise ValueError(
                "the tiles come from one of: tiles = FOLDER, [archive], or several [[archives]]"
            )
        head_of(self.head)

    @property
    def sources(self) -> tuple[ArchiveSettings, ...]:
        """The archives that are cut; none where a folder of tiles is given."""
        return self.archives if self.archive is None else (self.archive,)


def _either(names: Iterable[str]) -> str:
    return " or ".join(names)

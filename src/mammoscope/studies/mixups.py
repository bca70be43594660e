"""Where the paper says something else than the author's own log and code, with both numbers.

The facts are those of method facts 5.3 and 5.5: the paper's text was set beside the run log (model
notes.xlsx), its summary (ddsm_results.csv) and the code of the author's two repositories. Those
that are numbers of a logged run are looked up in the log again where it is at hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mammoscope.studies.author_log import AuthorLog, LoggedRun

Column = Literal["test_accuracy", "test_recall", "mias_accuracy", "mias_recall"]
CONFIRMED, CONTRADICTED, NOT_CHECKED = (
    "found in the log",
    "not found in the log",
    "not a figure of the log",
)


@dataclass(frozen=True, slots=True)
class LookUp:
    """A figure of the log: of which model, in which column, and what it is."""

    model: str
    column: Column
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixup:
    """Something that the paper gives otherwise than its sources.

    Attributes
    ----------
    where : table, figure or text of the paper
    printed : what stands there
    really : what log or code say
    why : what it means for a reader
    looks : figures of the log that show it
    """

    where: str
    printed: str
    really: str
    why: str
    looks: tuple[LookUp, ...] = ()


MIXUPS: tuple[Mixup, ...] = (
    Mixup(
        where="all tables",
        printed="1.0.0.35b.98: test .9571 / .9012",
        really="the same weights again: .9555 / .8492; MIAS .8802 / .8173, .8869 / .7967 and, "
        "printed, .8883 / .8081",
        why="His figures are means over batches of a running figure, so that they hang on the "
        "order of the batches.",
        looks=(
            LookUp("1.0.0.35b.98", "test_accuracy", 0.9571),
            LookUp("1.0.0.35b.98", "mias_accuracy", 0.8802),
        ),
    ),
    Mixup(
        where="table 3",
        printed="no baseline for MIAS; best accuracy .8883",
        really="88.39 % of its tiles are normal: always-normal has .8839",
        why="The best network is .0044 above calling everything normal.",
    ),
    Mixup(
        where="table 3, VGG-16",
        printed="recall on MIAS .9884",
        really=".9797; .9884 is the recall on DDSM's test (table 1)",
        why="A figure of another table.",
        looks=(
            LookUp("vgg_16.3.06b.9", "mias_recall", 0.9797),
            LookUp("vgg_16.3.06b.9", "test_recall", 0.9884),
        ),
    ),
    Mixup(
        where="tables 1 and 3, VGG-16",
        printed="30 epochs: .8138 / .9884, MIAS .4357",
        really="35 epochs: .9268 / .9005, MIAS .9075 / .7898",
        why="Five epochs more bring it near the network that was chosen, and on MIAS its accuracy "
        "is higher (.9075 for .8802).",
        looks=(
            LookUp("vgg_16.3.06b.9", "test_accuracy", 0.9268),
            LookUp("vgg_16.3.06b.9", "mias_accuracy", 0.9075),
        ),
    ),
    Mixup(
        where="table 4, weight 2",
        printed="1.0.0.35b.9: .8279 / 0",
        really="1.0.0.35b.9: .9346 / .8998 after 20 epochs, .8337 / 0 after 30; .8279 / 0 is "
        "vgg_16.3.05b.9",
        why="The row that shows the effect of the weight is of another network.",
        looks=(
            LookUp("1.0.0.35b.9", "test_accuracy", 0.9346),
            LookUp("vgg_16.3.05b.9", "test_accuracy", 0.8279),
        ),
    ),
    Mixup(
        where="table 4, all rows",
        printed="weights 2, 4 and 6 compared",
        really="20, 20 and 40 epochs; contrast 1.5, 1.8 and 1.1; flips in one alone",
        why="The rows differ in more than the weight.",
    ),
    Mixup(
        where="table 4, weight 4",
        printed="1.0.0.35b.94: .9364 / .7007",
        really="after 20 epochs; .8468 / .0801 after 33",
        why="The last state of that run had collapsed too.",
        looks=(
            LookUp("1.0.0.35b.94", "test_accuracy", 0.9364),
            LookUp("1.0.0.35b.94", "test_accuracy", 0.8468),
        ),
    ),
    Mixup(
        where="table 1, 1.0.0.46b on recipe 9",
        printed="1.0.0.46b: .8370 / .0392",
        really="is run 1.0.0.45b.9.1, 25 + 5 epochs; for 1.0.0.46b.9 the summary has .8242 / 0",
        why="The name is of another network.",
        looks=(
            LookUp("1.0.0.45b.9.1", "test_accuracy", 0.8370),
            LookUp("1.0.0.46b.9", "test_accuracy", 0.8242),
        ),
    ),
    Mixup(
        where="tables 1 and 2, 1.0.0.29n",
        printed="1.0.0.29n on recipes 8 and 6",
        really="1.0.0.29b.8 (model_s1.0.0.29l.8.2) on 8, 1.0.0.29l.14 on 6",
        why="One name for two runs.",
        looks=(
            LookUp("1.0.0.29b.8", "test_accuracy", 0.993),
            LookUp("1.0.0.29l.14", "test_accuracy", 0.9142),
        ),
    ),
    Mixup(
        where="table 2, 1.0.0.46l.6",
        printed=".8187 / 0",
        really="is run 1.0.0.45l.6; the summary says .18 / 1.0 for 1.0.0.46l.6",
        why="The summary's row is a copy of 1.0.0.46b.6.",
        looks=(
            LookUp("1.0.0.45l.6", "test_accuracy", 0.8187),
            LookUp("1.0.0.46l.6", "test_accuracy", 0.18),
        ),
    ),
    Mixup(
        where="table 3, 1.0.0.46b.8.4",
        printed="trained on recipe 8",
        really="the log's column says 9, its remark and the summary say 8",
        why="Which set it was trained on is not certain.",
        looks=(LookUp("1.0.0.46b.8.4", "mias_accuracy", 0.2746),),
    ),
    Mixup(
        where="summary, 1.0.0.46b.6 and 1.0.0.46l.6",
        printed="both MIAS .169 / 1.0",
        really="the log has it for 1.0.0.46b.6 alone, on other tiles than the 3,075 of recipe 9",
        why="Copied from one row to the other.",
        looks=(
            LookUp("1.0.0.46b.6", "mias_accuracy", 0.169),
            LookUp("1.0.0.46l.6", "mias_accuracy", 0.169),
        ),
    ),
    Mixup(
        where="figures 2 to 4, right panels",
        printed="red validation, blue training",
        really="red is the training, blue the validation",
        why="The legend of the recall is swapped; the figure in the title is the validation's.",
    ),
    Mixup(
        where="figures and tables",
        printed="baseline .83 for all sets",
        really="recipe 5: .856, 6: .8376, 8 and 9: .8333, 10: .87",
        why="One line is drawn for all.",
    ),
    Mixup(
        where="figure 5",
        printed="the curve of the test data",
        really="the curve of the validation data (cv9)",
        why="The epoch was chosen on it.",
    ),
    Mixup(
        where="text, data",
        printed="330 MIAS images",
        really="322 images, 330 rows of annotations",
        why="Images with several findings were counted several times.",
    ),
    Mixup(
        where="text, tiles",
        printed="20 % padding on either side of a finding",
        really="a box of 1.2 tiles: 10 % a side, whatever the size of the finding",
        why="Tiles cannot be cut again from the text alone.",
    ),
    Mixup(
        where="text, tiles",
        printed="normal tiles without overlap",
        really="strides of 350 of 598 pixels (recipe 9) and 200 of 299 (6 and 8)",
        why="Near copies lie in training and test.",
    ),
    Mixup(
        where="text, tiles",
        printed="limits on mean and variance",
        really="also two limits on the number of dark and white pixels, others for each scanner, "
        "and no upper limit of the mean",
        why="Normal tiles were chosen otherwise than abnormal ones.",
    ),
    Mixup(
        where="table 1, 1.0.0.35b.98",
        printed="weight 6, 40 epochs",
        really="20 epochs with weight 6, 20 with weight 5",
        why="The best run cannot be repeated from the text.",
    ),
    Mixup(
        where="text, division",
        printed="80 / 10 / 10",
        really="78.4 / 10.8 / 10.8; the test has masses alone, the validation nearly all "
        "calcifications",
        why="Test and validation ask different questions.",
    ),
    Mixup(
        where="text, Inception",
        printed="filters halved, dense layer for the mean over places",
        really="the mean is kept, there are fewer blocks",
        why="Another network was run.",
    ),
    Mixup(
        where="text, VGG-16",
        printed="four changes: 299 pixels, stride 2, batch norm, dense layers of 1024 and 512",
        really="also fewer filters (96, 128, 256 and 384 after the first block) and 12 "
        "convolutions for 13",
        why="Another network was run.",
    ),
    Mixup(
        where="text, recipe 5",
        printed="training and test not separated",
        really="its last version is separated by CBIS-DDSM's own division",
        why="Which version a run was trained on is not kept.",
    ),
    Mixup(
        where="text, transfer",
        printed="VGG-19 and Inception v3 on our images",
        really="k nearest neighbours on features of VGG-19, ResNet and Inception v4 of 322 whole "
        "MIAS images",
        why="No network was trained on the tiles from them, as far as is kept.",
    ),
    Mixup(
        where="text, augmentation",
        printed="augmentation on the graphics processor improved the results",
        really="no two runs differ in that alone",
        why="There is no evidence for it.",
    ),
)


def check(mixup: Mixup, log: AuthorLog | None) -> str:
    """Tell whether the log has the figures of a mix-up: one of the three words of this module."""
    if log is None or not mixup.looks:
        return NOT_CHECKED
    return CONFIRMED if all(_has(log.find(one.model), one) for one in mixup.looks) else CONTRADICTED


def _has(runs: Sequence[LoggedRun], look: LookUp) -> bool:
    return any(
        value is not None and abs(value - look.value) < 5e-5
        for value in (getattr(run, look.column) for run in runs)
    )

"""Tables 1 to 4 and the points of Figures 2 to 5 of the paper, as printed there.

E. Scuccimarra 2018, "ConvNets for Detection of Abnormalities in Mammograms". The figures' points
were read from their pictures and are good to about .02; "log" says what the author's own run log
(model notes.xlsx) has of the same run.
"""

from dataclasses import dataclass

SOURCE = 'E. Scuccimarra 2018, "ConvNets for Detection of Abnormalities in Mammograms"'
BASELINE = 0.83
"""Share of normal tiles in recipes 8 and 9, which the paper gives as the baseline."""
MIAS_BASELINE = 0.8839
"""Share of normal tiles in the author's 3,075 of MIAS (recipe 9): the paper gives none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """A row of one of the paper's tables.

    Attributes
    ----------
    table : 1 (binary, test), 2 (five classes, test), 3 (MIAS), 4 (weight of the cross entropy)
    model : as printed
    network : name in our zoo of what was really run
    recipe : number of the set it was trained on
    epochs, weight : None where the paper does not say
    accuracy, recall : as printed; in table 2 accuracy is of five classes
    log : what the run log has of it, in a few words
    log_accuracy, log_recall : figures of the run in the log or its csv; None where it has none
    """

    table: int
    model: str
    network: str
    recipe: str
    accuracy: float
    recall: float
    epochs: int | None = None
    weight: float | None = None
    log: str = ""
    log_accuracy: float | None = None
    log_recall: float | None = None

    @property
    def key(self) -> str:
        """Name of the row, such as "table-4-weight-2"."""
        last = f"weight-{self.weight:g}" if self.table == 4 else f"{self.model}-{self.recipe}"
        return f"table-{self.table}-{last}"


def _row(table: int, words: str, figures: tuple[float, float], **more: object) -> PaperRow:
    model, network, recipe = words.split()
    accuracy, recall = figures
    given = {"model": model, "network": network, "recipe": recipe, **more}
    return PaperRow(table=table, accuracy=accuracy, recall=recall, **given)  # type: ignore[arg-type]


def _logged(text: str, accuracy: float, recall: float) -> dict[str, object]:
    return {"log": text, "log_accuracy": accuracy, "log_recall": recall}


ROWS: tuple[PaperRow, ...] = (
    _row(
        1, "1.0.0.35b.98 1.0.0.35 9", (0.9571, 0.9012), epochs=40, weight=6,
        **_logged("20 + 15 + 5 epochs, weight 6, 5, 5", 0.9571, 0.9012),
    ),
    _row(
        1, "1.0.0.46b 1.0.0.45 9", (0.8370, 0.0392), epochs=30, weight=2,
        **_logged("is run 1.0.0.45b.9.1, 25 + 5 epochs", 0.8370, 0.0392),
    ),
    _row(
        1, "1.0.0.29n 1.0.0.29 8", (0.9930, 1.0), epochs=30, weight=2,
        **_logged("is run 1.0.0.29b.8", 0.9930, 1.0),
    ),
    _row(
        1, "1.0.0.46b 1.0.0.46 6", (0.1810, 1.0), epochs=20, weight=2,
        **_logged("is run 1.0.0.46b.6", 0.18, 1.0),
    ),
    _row(
        1, "VGG-16.03.06b.9 vgg_16.3 9", (0.8138, 0.9884), epochs=30, weight=6,
        **_logged("after 35 epochs, far better than after 30", 0.9268, 0.9005),
    ),
    _row(
        1, "inception_v4.05b.9 inception_v4.05 9", (0.1828, 1.0), epochs=20, weight=2,
        **_logged("the same", 0.1828, 1.0),
    ),
    _row(
        2, "1.0.0.29n 1.0.0.29 6", (0.9142, 0.9353), epochs=40, weight=2,
        **_logged("is run 1.0.0.29l.14", 0.9142, 0.9353),
    ),
    _row(
        2, "1.0.0.46l.8 1.0.0.46 8", (0.1139, 1.0), epochs=20, weight=2,
        **_logged("the same", 0.1139, 1.0),
    ),
    _row(
        2, "1.0.0.46l.6 1.0.0.45 6", (0.8187, 0.0), epochs=20, weight=2,
        **_logged("is run 1.0.0.45l.6", 0.8187, 0.0),
    ),
    _row(
        2, "VGG-16.03.04l.6 vgg_16.3 6", (0.8333, 0.0288), epochs=20, weight=2,
        **_logged("the same", 0.8333, 0.0288),
    ),
    _row(
        3, "1.0.0.35b.98 1.0.0.35 9", (0.8883, 0.8081), weight=6,
        **_logged("another evaluation of the same weights", 0.8802, 0.8173),
    ),
    _row(
        3, "vgg_16.3.06b.9 vgg_16.3 9", (0.4357, 0.9884), weight=6,
        **_logged("after 30 epochs; after 35 .9075, .7898", 0.4357, 0.9797),
    ),
    _row(
        3, "1.0.0.28.2b.9 1.0.0.28.2 9", (0.9165, 0.5342), weight=2,
        **_logged("the same", 0.9165, 0.5342),
    ),
    _row(
        3, "1.0.0.46b.8.4 1.0.0.46 8", (0.2746, 0.9811), weight=2,
        **_logged("the same; its recipe is 9 in one place", 0.2746, 0.9811),
    ),
    _row(
        4, "1.0.0.35b.98 1.0.0.35 9", (0.9571, 0.9012), weight=6,
        **_logged("40 epochs, weight 6 then 5, contrast 1.1 then 1.0, flips", 0.9571, 0.9012),
    ),
    _row(
        4, "1.0.0.35b.94 1.0.0.35 9", (0.9364, 0.7007), weight=4,
        **_logged("after 33 epochs; printed are those after 20, contrast 1.8", 0.8468, 0.0801),
    ),
    _row(
        4, "1.0.0.35b.9 1.0.0.35 9", (0.8279, 0.0), weight=2,
        **_logged("after 20 epochs; printed are those of vgg_16.3.05b.9", 0.9346, 0.8998),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperCurves:
    """Points read from one of the paper's training figures.

    Attributes
    ----------
    figure : number in the paper
    run : name in the log
    epochs : of the points
    accuracy, recall, train_accuracy, train_recall : at these epochs, in [0, 1]; validation unless
        it says train; None where the picture does not reach so low
    titled : accuracy and recall over the panels: means of the last four epochs of the validation
    """

    figure: int
    run: str
    recipe: str
    weight: float
    epochs: tuple[int, ...]
    accuracy: tuple[float | None, ...]
    recall: tuple[float | None, ...]
    train_accuracy: tuple[float | None, ...]
    train_recall: tuple[float | None, ...]
    titled: tuple[float, float]


CURVES: tuple[PaperCurves, ...] = (
    PaperCurves(
        figure=2, run="1.0.0.29l.8.2", recipe="8", weight=2, titled=(0.9839, 0.939),
        epochs=(0, 2, 5, 8, 9, 11, 12, 15, 17, 18, 20, 25, 29),
        accuracy=(None, 0.94, 0.91, 0.83, 0.98, 0.83, 0.99, None, 0.99, 0.77, 0.98, 0.90, 0.99),
        recall=(0.99, 0.72, 0.47, 0, 0.94, 0, 0.97, 0.96, 1.0, 0.97, 0.97, 0.44, 1.0),
        train_accuracy=(
            0.83, 0.87, 0.95, 0.975, 0.975, 0.985, 0.99, 0.985, 0.99, 0.99, 0.995, 0.998, 1.0,
        ),
        train_recall=(
            0.49, 0.57, 0.88, 0.94, 0.93, 0.96, 0.97, 0.985, 0.985, 0.985, 0.99, 0.99, 0.995,
        ),
    ),
    PaperCurves(
        figure=3, run="1.0.0.45b.9.1", recipe="9", weight=2, titled=(0.8361, 0.050),
        epochs=(0, 2, 4, 6, 8, 10, 13, 15, 16, 18, 21, 22, 25, 30),
        accuracy=(
            0.865, 0.87, 0.825, 0.90, 0.875, 0.895, 0.93, 0.94, 0.935, 0.92, 0.885, 0.83, 0.845,
            0.85,
        ),
        recall=(
            0.39, 0.29, 0.15, 0.54, 0.31, 0.43, 0.70, 0.75, 0.81, 0.55, 0.35, 0.01, 0.10, 0.10,
        ),
        train_accuracy=(
            0.79, 0.85, 0.865, 0.88, 0.89, 0.91, 0.92, 0.92, 0.925, 0.93, 0.935, 0.945, 0.95, 0.96,
        ),
        train_recall=(
            0.77, 0.86, 0.88, 0.89, 0.90, 0.915, 0.93, 0.935, 0.935, 0.94, 0.95, 0.96, 0.96, 0.965,
        ),
    ),
    PaperCurves(
        figure=4, run="1.0.0.35b.98", recipe="9", weight=6, titled=(0.9642, 0.906),
        epochs=(0, 2, 4, 5, 7, 10, 12, 14, 16, 19, 20, 24, 30, 35, 40),
        accuracy=(
            0.845, 0.84, 0.83, 0.765, 0.93, 0.92, 0.92, 0.41, 0.95, 0.68, 0.88, 0.955, 0.945, 0.96,
            0.967,
        ),
        recall=(
            0.16, 0.92, 0.02, 0.95, 0.85, 0.94, 0.68, 1.0, 0.90, 0.98, 0.98, 0.94, 0.88, 0.87, 0.90,
        ),
        train_accuracy=(
            0.755, 0.80, 0.835, 0.84, 0.855, 0.88, 0.89, 0.90, 0.905, 0.915, 0.925, 0.93, 0.94,
            0.95, 0.957,
        ),
        train_recall=(
            0.775, 0.87, 0.875, 0.89, 0.91, 0.915, 0.925, 0.93, 0.935, 0.945, 0.94, 0.94, 0.955,
            0.96, 0.965,
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPr:
    """Points of one curve of Figure 5: 1.0.0.35b.98 after 40 epochs, from TensorBoard.

    Attributes
    ----------
    name : what it is really of
    points : (recall, precision), recall rising
    at_half : the point of threshold .5
    """

    name: str
    points: tuple[tuple[float, float], ...]
    at_half: tuple[float, float]


PR_CURVES: tuple[PaperPr, ...] = (
    PaperPr(
        name='validation (the paper calls it "test")',
        points=((0.69, 0.995), (0.80, 0.985), (0.86, 0.965), (0.91, 0.92), (1.0, 0.17)),
        at_half=(0.91, 0.92),
    ),
    PaperPr(
        name="training (a running figure)",
        points=((0.79, 0.96), (0.965, 0.80), (1.0, 0.19)),
        at_half=(0.965, 0.80),
    ),
)


def rows_of(table: int) -> tuple[PaperRow, ...]:
    """Return the rows of one table, in the paper's order."""
    return tuple(row for row in ROWS if row.table == table)

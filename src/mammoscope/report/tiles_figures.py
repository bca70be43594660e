"""Drawings for the page of a tile set, as SVG that takes the page's own colour of text."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mammoscope.core.vocabulary import Pathology
from mammoscope.report.drawing import Drawing
from mammoscope.tiles.statistics import (
    BIN_LEVELS,
    LEVELS,
    RADIUS_BIN_PX,
    Greys,
    LesionSize,
    radius_counts,
)

COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#8c8cff", "#b3a100", "#8f8f8f")
"""Told apart by people with any colour vision (Okabe and Ito 2008), lightened for a dark page."""
PATHOLOGIES = {
    Pathology.BENIGN: ("benign", COLOURS[0]),
    Pathology.HIGH_RISK: ("high risk", COLOURS[2]),
    Pathology.MALIGNANT: ("malignant", COLOURS[4]),
}
SIZE_BIN_MM = 5.0


def greys_svg(greys: Sequence[Greys]) -> str:
    """Draw the grey levels of each label, a line for each archive and scanner."""
    labels = list(dict.fromkeys(one.label for one in greys))
    origins = list(dict.fromkeys((one.archive, one.scanner) for one in greys))
    top = max(float(one.shares().max()) for one in greys)
    edges = np.arange(0, LEVELS + 1, BIN_LEVELS)

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(labels), sharey=True, squeeze=False)[0]
        for panel, label in zip(panels, labels, strict=True):
            for one in greys:
                if one.label == label:
                    colour = COLOURS[origins.index((one.archive, one.scanner)) % len(COLOURS)]
                    panel.stairs(one.shares(), edges, color=colour, linewidth=1.6)
            panel.set(title=label, xlim=(0, LEVELS), ylim=(0, top * 1.05), xlabel="grey level")
            panel.set_xticks([0, 128, 255])
            panel.title.set_fontsize(10)
        panels[0].set_ylabel(f"share of pixels in {BIN_LEVELS} levels")
        handles = [
            panels[0].plot(
                [], [], color=COLOURS[i % len(COLOURS)], label=" / ".join(filter(None, o))
            )
            for i, o in enumerate(origins)
        ]
        figure.legend(
            handles=[line for lines in handles for line in lines], loc="outside lower left", ncols=4
        )

    return Drawing("greys", draw, (max(4.0, 2.6 * len(labels)), 3.1)).embedded()


def sizes_svg(sizes: Sequence[LesionSize]) -> str:
    """Draw how long lesions are, in mm, by what was proven of them."""
    known = [one for one in sizes if one.longest_mm is not None]
    longest = max(one.longest_mm or 0.0 for one in known)
    edges = np.arange(0, longest + SIZE_BIN_MM, SIZE_BIN_MM)

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        for pathology, (name, colour) in PATHOLOGIES.items():
            values = np.array([one.longest_mm for one in known if one.pathology is pathology])
            if len(values):
                counts = np.histogram(values, edges)[0]
                label = f"{name} ({len(values)}, median {np.median(values):.0f} mm)"
                panel.stairs(counts, edges, color=colour, linewidth=1.8, label=label)
        panel.set(xlabel="longer side of the box round the lesion, mm", ylabel="lesions")
        _finish(panel)

    return Drawing("sizes", draw, (6.4, 3.2)).embedded()


def radii_svg(sizes: Sequence[LesionSize]) -> str:
    """Draw radius against severity, in bins of 20 pixels, as the paper's notebooks do."""
    both = (Pathology.BENIGN, Pathology.MALIGNANT)

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        for shift, pathology in zip((-1, 0), both, strict=True):
            counts = radius_counts(sizes, pathology)
            name, colour = PATHOLOGIES[pathology]
            middle = (np.arange(len(counts)) + 0.5) * RADIUS_BIN_PX
            width = 0.4 * RADIUS_BIN_PX
            panel.bar(
                middle + shift * width,
                counts,
                width,
                align="edge",
                color=colour,
                label=f"{name} ({int(counts.sum())})",
            )
            panel.set_xticks(np.arange(len(counts) + 1) * RADIUS_BIN_PX)
        panel.set(xlabel="radius of the circle, pixels of the scan", ylabel="lesions")
        _finish(panel)

    return Drawing("radii", draw, (6.4, 3.2)).embedded()


def _finish(panel: Axes) -> None:
    panel.yaxis.set_major_locator(MaxNLocator(integer=True))
    panel.legend()

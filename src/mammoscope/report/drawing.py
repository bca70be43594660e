"""Drawings: SVG that takes a page's own colour of text, or a file for a paper."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from matplotlib import rc_context
from matplotlib.figure import Figure

_INK = "#123456"
"""Stands for the colour of text until the drawing is done."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing that is not drawn yet: its name, and what puts it on a figure of its size."""

    name: str
    draw: Callable[[Figure], None]
    inches: tuple[float, float]

    def embedded(self) -> str:
        """Draw an SVG element that takes the page's own colour of text."""
        text = self._saved("svg", ink=_INK, ground="none").decode("utf-8")
        text = text[text.index("<svg") :].replace(_INK, "currentColor")
        # Drawings on one page must not share the names of their parts.
        return re.sub(r"""( id="|="#|url\(#)""", rf"\1{self.name}-", text)

    def file(self, kind: Literal["svg", "png"]) -> bytes:
        """Draw a file of its own, black on white; a PNG has 150 pixels an inch."""
        return self._saved(kind, ink="#000000", ground="#ffffff")

    def _saved(self, kind: str, ink: str, ground: str) -> bytes:
        with rc_context(_style(ink, ground, self.name)):
            figure = Figure(figsize=self.inches, layout="constrained")
            self.draw(figure)
            stream = io.BytesIO()
            # Neither date nor version, so that the same numbers give the same file.
            plain = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
            figure.savefig(stream, format=kind, dpi=150, metadata=plain)
        return stream.getvalue()


def _style(ink: str, ground: str, name: str) -> dict[Any, Any]:
    inked = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    return {
        # A dollar sign in the name of a scanner is a dollar sign.
        "text.parse_math": False,
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.facecolor": "none",
        "figure.facecolor": ground,
        "savefig.facecolor": ground,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        **dict.fromkeys(inked, ink),
    }

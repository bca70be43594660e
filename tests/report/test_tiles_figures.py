"""Drawings for the page of a tile set."""

from xml.etree import ElementTree

import numpy as np
import pytest

from mammoscope.core.vocabulary import FindingKind, Pathology
from mammoscope.report.tiles_figures import greys_svg, radii_svg, sizes_svg
from mammoscope.tiles.statistics import Greys, LesionSize


def greys(archive, label, level):
    counts = np.zeros(256, np.int64)
    counts[level] = 5
    return Greys(archive=archive, scanner="", label=label, counts=counts, tiles=1)


def size(longest, radius, pathology):
    return LesionSize(
        finding_id="f",
        archive="made",
        kind=FindingKind.MASS,
        pathology=pathology,
        longest_mm=longest,
        radius_px=radius,
    )


SIZES = [size(4.0, 3.0, Pathology.BENIGN), size(30.0, 70.0, Pathology.MALIGNANT)]


def words_of(svg):
    # Made by us a line above, so nothing hostile can be in it.
    return [node.text for node in ElementTree.fromstring(svg).iter() if node.text]


def test_greys_have_a_panel_a_label_and_a_line_an_origin():
    words = words_of(greys_svg([greys("a & b", "mass", 3), greys("c", "normal", 9)]))
    for word in ("mass", "normal", "a & b", "c", "grey level"):
        assert word in words


def test_sizes_tell_how_many_and_their_median():
    words = words_of(sizes_svg(SIZES))
    assert "benign (1, median 4 mm)" in words
    assert "malignant (1, median 30 mm)" in words


def test_radii_tell_how_many_of_each_severity():
    words = words_of(radii_svg(SIZES))
    assert {"benign (1)", "malignant (1)"} <= set(words)


@pytest.mark.parametrize("draw", [sizes_svg, radii_svg])
def test_a_drawing_takes_the_pages_colour_and_is_the_same_each_time(draw):
    svg = draw(SIZES)
    assert svg.startswith("<svg")
    assert "currentColor" in svg
    assert "#123456" not in svg
    assert svg == draw(SIZES)

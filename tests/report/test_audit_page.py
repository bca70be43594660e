"""The page of an audit: self-contained, complete, safe."""

import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from mammoscope.report.audit_page import SIDE_PX, render, thumbnail, write_audit_page
from mammoscope.tiles.audit.pictures import COLUMNS, Pictures
from mammoscope.tiles.audit.report import Audit
from mammoscope.tiles.audit.shortcuts import Shortcuts, Told
from mammoscope.tiles.audit.tables import Leak, LeakKind
from mammoscope.tiles.audit.verdict import Reason, Verdict

VOID = {"meta", "br", "img", "line", "circle", "link"}


class Page(HTMLParser):
    """Collects what a page loads, and checks that its tags close in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sources, self.tags = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append((tag, values))
        self.sources += [values[k] for k in ("src", "href", "srcset", "action") if k in values]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (4, 40, 60), np.uint8)
    rows = [
        {**dict.fromkeys(COLUMNS), "file": f"<b>{i}.png", "label": "NORMAL", "split": "train"}
        for i in range(4)
    ]
    table = pl.DataFrame(rows, schema=COLUMNS)
    return Pictures(source="made", table=table, reader=lambda i: images[i])


def make_audit(**changes):
    told = Told(
        question="abnormal",
        group="border",
        value=0.9,
        low=0.8,
        high=0.95,
        n=100,
        n_patients=50,
        chance=0.6,
        within=None,
        feature="step at the left border",
        telling=(2, 3),
    )
    leak = Leak(
        kind=LeakKind.NEAR,
        first=0,
        second=1,
        first_split="train",
        second_split="test",
        score=0.9,
        relation="mirrored left to right",
    )
    values = {
        "name": "<script>alert(1)</script>",
        "set_digest": None,
        "seed": 0,
        "counts": (("train", "NORMAL", 4),),
        "leaks": (leak,),
        "shortcuts": Shortcuts(told=(told,), n=3, of=4, n_patients=2),
        "verdict": Verdict.LEAKING,
        "reasons": (
            Reason(kind="leak", sentence="Two are alike.", pictures=(0, 1)),
            Reason(kind="shortcut", sentence="Borders tell: area.", pictures=(2, 3)),
        ),
        **changes,
    }
    return Audit(**values)


def test_the_page_loads_nothing_from_elsewhere(pictures):
    page = Page(render(make_audit(), pictures))
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert len(page.sources) == 4
    policy = next(v["content"] for tag, v in page.tags if v.get("http-equiv"))
    assert "default-src 'none'" in policy


def test_names_are_shown_and_not_obeyed(pictures):
    text = render(make_audit(), pictures)
    assert "<script" not in text
    assert "<b>0.png" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_verdict_reasons_figures_and_pairs_are_all_there(pictures):
    text = render(make_audit(), pictures)
    for words in (
        "<strong>Leaking</strong>",
        "Two are alike.",
        "Near duplicate",
        "mirrored left to right",
        "0.800 to 0.950",
        "step at the left border",
        "on a sample of 3",
        "Research software, not a medical device",
    ):
        assert words in text


def test_a_clean_audit_has_neither_reasons_nor_pictures(pictures):
    audit = make_audit(verdict=Verdict.CLEAN, reasons=(), leaks=(), notes=("a word",))
    page = Page(text := render(audit, pictures))
    assert page.sources == []
    assert "was found in two splits" in text
    assert "Note: a word." in text


def test_the_drawing_puts_figures_where_they_belong(pictures):
    (dot,) = re.findall(r'<circle class="dot" cx="([\d.]+)"', render(make_audit(), pictures))
    # From 0.35 at 8 px to 1 at 212 px.
    assert float(dot) == pytest.approx(8 + (0.9 - 0.35) / 0.65 * 204, abs=0.1)


def test_the_page_is_written_whole_into_a_new_folder(pictures, tmp_path):
    path = write_audit_page(make_audit(), pictures, tmp_path / "new" / "folder")
    assert path.read_text(encoding="utf-8").endswith("</html>")
    assert [file.name for file in path.parent.iterdir()] == ["audit.html"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_large_pictures_are_shown_small(dtype):
    from base64 import b64decode
    from io import BytesIO

    from PIL import Image

    data = thumbnail(np.arange(1200 * 600, dtype=np.uint32).reshape(1200, 600).astype(dtype))
    small = Image.open(BytesIO(b64decode(data.partition(",")[2])))
    assert small.size == (SIDE_PX // 2, SIDE_PX)

"""The report of an exam: self-contained, complete, safe, whole or not at all."""

import base64
import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image

from mammoscope.core.contract import OperatingPoint
from mammoscope.core.vocabulary import SpacingSource
from mammoscope.report.page import write_report

VOID = {"meta", "br", "img", "input", "rect", "line", "link"}


class Page(HTMLParser):
    """Collects what a page loads, and checks that its tags close in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sources, self.alts, self.words = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.sources += [values[k] for k in ("src", "href", "srcset", "action") if k in values]
        if tag == "img":
            self.alts.append(values["alt"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def page_of(make_reading, tmp_path):
    def make(scans=None, **changes):
        path = write_report(make_reading(scans, **changes), tmp_path / "report")
        text = path.read_text(encoding="utf-8")
        return text, Page(text)

    return make


def test_the_page_loads_nothing_from_elsewhere(page_of):
    text, page = page_of()
    assert len(page.sources) == 8
    assert all(source.startswith("data:image/") for source in page.sources)
    assert "default-src 'none'" in text
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    assert "@import" not in text


def test_views_hang_in_the_radiologists_order(page_of):
    text, page = page_of()
    assert re.findall(r'<figure class="\w+" id="(\w+)"', text) == ["R_CC", "L_CC", "R_MLO", "L_MLO"]
    assert sum("mammogram" in alt for alt in page.alts) == 4


def test_everything_that_must_be_said_is_said(page_of):
    words = " ".join(" ".join(page_of()[1].words).split())
    for said in (
        "not a medical device",
        "4 places marked on 4 scans",
        "0.42",
        "1 false positive a scan on made scans",
        "how likely, in a made world",
        "made-archive",
        "CC BY 3.0, made attribution",
        "0.812",
        "0.777 to 0.845",
        "90 (80 patients)",
        "Knows masses alone.",
        "abc123",
        "file header",
        "one thing to know",
        "x.dcm: not a DICOM file.",
    ):
        assert said in words
    assert words.count("not a medical device") == 2


def test_what_comes_from_files_cannot_become_code(page_of, make_scan):
    nasty = "<script>alert(1)</script>"
    scan = make_scan(file=f'{nasty}".dcm', warnings=(nasty,))
    text, _ = page_of([scan], patient_id=nasty, exam_id=nasty, failures={nasty: nasty})
    assert "<script>alert" not in text
    assert text.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_missing_view_leaves_a_named_empty_place(page_of, make_scan):
    text, _ = page_of([make_scan("L", "CC"), make_scan("R", "MLO", wall="right")])
    assert "no R CC scan" in text
    assert "no L MLO scan" in text


def test_scans_of_unknown_view_are_shown_alone(page_of, make_scan):
    text, _ = page_of([make_scan(None, None, file="a.png")])
    assert "? ?" in text
    assert "no R CC scan" not in text


def test_no_detection_is_not_called_healthy(page_of, make_scan):
    text, _ = page_of([make_scan(detections=0)])
    assert "No place marked on 1 scan" in text
    assert "does not mean that the breasts are healthy" in text


def test_an_assumed_spacing_stands_out(page_of, make_scan):
    text, _ = page_of([make_scan(spacing_source=SpacingSource.ASSUMED)])
    assert re.search(r'class="warn">assumed<', text)


def test_a_png_a_view_and_findings_lie_beside_the_page(make_reading, make_scan, tmp_path):
    scans = [make_scan("L", "CC"), make_scan("L", "CC"), make_scan("R", "CC", wall="right")]
    page = write_report(make_reading(scans), tmp_path / "out" / "report")
    names = sorted(p.name for p in page.parent.iterdir())
    assert names == ["L_CC-2.png", "L_CC.png", "R_CC.png", "findings.json", "report.html"]
    with Image.open(page.parent / "L_CC.png") as picture:
        picture.load()
        assert picture.mode == "RGB"
    assert json.loads((page.parent / "findings.json").read_text())["exam"]["id"] == "E1"


def test_a_disk_that_fills_up_leaves_no_part_of_a_report(make_reading, tmp_path, monkeypatch):
    synced = os.fsync

    def full_at_the_third(handle, calls=[]):  # noqa: B006 counts its calls
        calls.append(handle)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        synced(handle)

    monkeypatch.setattr("os.fsync", full_at_the_third)
    with pytest.raises(OSError, match="No space left"):
        write_report(make_reading(), tmp_path / "report")
    assert list((tmp_path / "report").iterdir()) == []


def test_the_pages_policy_lets_its_own_script_run_and_no_other(page_of):
    text, _ = page_of()
    script = text.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text


def test_a_failure_without_its_file_in_the_reason_is_told_with_it(page_of):
    words = " ".join(page_of(failures={"a.dcm": "cut short."})[1].words)
    assert "Not read: a.dcm: cut short." in words


def test_breasts_are_told_in_hanging_order(page_of):
    words = " ".join(page_of()[1].words)
    assert words.index("Right breast") < words.index("Left breast")


AGAINST = "lesion score against the other breast"


def test_breasts_are_told_against_each_other_with_a_sentence(page_of):
    words = " ".join(" ".join(page_of()[1].words).split())
    assert "0.80 lesion score; malignancy 0.30, calibrated 0.40" in words
    assert f"{AGAINST.capitalize()} 0.57" in words
    assert f"{AGAINST.capitalize()} 0.82" in words
    assert f"The {AGAINST} falls where" in words


def test_one_breast_is_told_without_another(page_of, make_reading, make_scan):
    left = replace(make_reading().breasts[0], score_against_other=None)
    text, page = page_of([make_scan("L", "CC"), make_scan("L", "MLO")], breasts=(left,))
    assert "Left breast" in page.words
    assert AGAINST not in " ".join(" ".join(page.words).split()).lower()
    assert "None" not in text


def test_a_breast_of_unknown_side_stands_without_another_beside_two_that_have(
    page_of, make_reading
):
    left, right = make_reading().breasts
    unknown = replace(left, laterality=None, score_against_other=None)
    words = " ".join(" ".join(page_of(breasts=(left, right, unknown))[1].words).split())
    assert words.count(AGAINST.capitalize()) == 2
    assert words.count(f"The {AGAINST} falls where") == 1


def test_what_is_no_number_is_a_dash(page_of, make_scan):
    text, page = page_of(score=float("nan"), probability=None)
    assert not re.search(r"\b(nan|inf|None)\b", " ".join(page.words))
    assert "<dd>\N{EN DASH}<small>" in text


def test_the_words_on_the_black_pictures_stay_bright_on_paper(page_of):
    text, _ = page_of()
    style = text.partition("<style>")[2].partition("</style>")[0]
    # Paper makes the page's text black; a figure keeps its own colours, whatever the page's are.
    assert re.search(r"^figure \{ --text: #e", style, re.MULTILINE)


@pytest.fixture
def chromium(tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("Chromium is not installed")
    switches = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    switches += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    switches += ["--disable-quic", "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}"]

    def run(*arguments):
        command = [browser, *switches, *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout

    return run


@pytest.mark.browser
def test_chromium_shows_the_page(make_reading, tmp_path, chromium):
    page = write_report(make_reading(), tmp_path / "report")
    shot = tmp_path / "shot.png"
    chromium("--window-size=1200,900", f"--screenshot={shot}", page.as_uri())
    with Image.open(shot) as picture:
        colours = picture.convert("RGB").getcolors(maxcolors=1 << 24)
    # Not an empty page: the marks' yellow and the breasts' grey are on it.
    shown = {colour for _, colour in colours}
    assert (255, 209, 102) in shown
    assert len(shown) > 50


@pytest.mark.browser
def test_the_pages_script_runs_in_chromium(make_reading, tmp_path, chromium):
    page = write_report(make_reading(), tmp_path / "report")
    after = chromium("--dump-dom", page.as_uri()).decode()
    # The script lays the slider's strength on each heat map; the policy could have forbidden it.
    assert after.count('style="opacity: 0.8;"') == 4


def test_operating_points_stand_in_a_table_that_says_which_is_used(make_reading, tmp_path):
    figure = {"value": 0.901, "low": 0.883, "high": 0.917, "n": 90, "n_patients": 80}
    sensitive = OperatingPoint(
        name="high-sensitivity",
        threshold=0.17,
        chosen_by="a sensitivity of 0.9 on made scans",
        sensitivity=figure,
        fp_per_scan={**figure, "value": 3.824, "low": 3.667, "high": 3.994},
        measured_on="made folds",
    )
    contract = make_reading().contract
    several = replace(contract, operating_points=(sensitive, contract.operating_point))
    path = write_report(make_reading(contract=several.using("high-sensitivity")), tmp_path)
    words = " ".join(" ".join(Page(path.read_text(encoding="utf-8")).words).split())
    assert (
        "high sensitivity (used here) 0.17 0.901 (0.883 to 0.917) 3.824 (3.667 to 3.994) made folds"
    ) in words
    assert f"balanced 0.42 {chr(0x2013)} {chr(0x2013)} not measured" in words
    assert "the threshold that gave a sensitivity of 0.9 on made scans" in words


def test_a_model_without_a_threshold_has_no_table_of_points(make_reading, tmp_path):
    bare = replace(make_reading().contract, operating_point=None)
    path = write_report(make_reading(contract=bare), tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "Operating points of this model" not in text
    assert "no chosen threshold" in text

"""The page of an experiment gives each claim its verdict, and every run its dot."""

import json
import re

import pytest

from mammoscope.core.errors import CorruptFileError
from mammoscope.report.experiment_figures import COLOURS, PAPER
from mammoscope.report.experiment_page import (
    COLUMNS,
    claim_lines,
    lead_of,
    value_rows,
    write_experiment_page,
)

NAMES = ("accuracy", "recall", "specificity", "precision", "auc", "volatility")
DASH = "\N{EN DASH}"


def spread(name, value, **changes):
    told = {
        "name": name,
        "values": [value, value],
        "mean": value,
        "deviation": 0.0125,
        "low": value,
        "high": value,
        "by_seeds": [0.1, 0.2],
        "by_patients": None if name == "volatility" else [0.15, 0.35],
    }
    return {**told, **changes}


def make_claim(verdict, why=None, **changes):
    check = {
        "what": "recall at 6 less that at 2",
        "by_seed": [0.25, None],
        "mean": 0.25,
        "seeds": [-0.1, 0.6],
        "patients": [0.05, 0.45],
        "verdict": verdict,
        "why": why,
    }
    told = {
        "says": "More weight <finds> more.",
        "source": "Table 4",
        "figure": "recall",
        "test": "recall is higher at 6 than at 2",
        "paper": ".9012 at 6, 0 at 2",
        "ours": {"6": 0.5, "2": None},
        "verdict": verdict,
        "why": why,
        "checks": [check],
    }
    return {**told, **changes}


@pytest.fixture
def record():
    curves = {"accuracy": [0.8, 0.9], "recall": [0.1, None], "auc": [0.6, 0.7]}
    runs = [
        {
            "value": word,
            "seed": seed,
            "why": None,
            "seconds": 90.0,
            "figures": dict.fromkeys(NAMES, 0.25 * seed),
            "curves": curves,
        }
        for word in ("2", "6")
        for seed in (1, 2)
    ]
    failed = {"seconds": None, "why": "It fell over.", "figures": dict.fromkeys(NAMES)}
    runs[3] |= failed | {"curves": {name: [] for name in curves}}
    return {
        "schema": "mammoscope.experiment/1",
        "name": "weight",
        "option": "loss.positive_weight",
        "values": ["2", "6"],
        "seeds": [1, 2],
        "metric": "recall",
        "network": "1.0.0.2",
        "epochs": 2,
        "steps": 1150,
        "threshold": 0.5,
        "patients": {
            "kind": "both", "tiles": 569, "abnormal": 60, "patients": 27, "abnormal_patients": 18,
            "majority": 0.8946,
        },
        "tiles": {"recipe": "9", "digest": "ab", "audit_verdict": "clean"},
        "published": {"recall": {"6": 0.9012}},
        "runs": runs,
        "spreads": {word: [spread(name, 0.5) for name in NAMES] for word in ("2", "6")},
        "differences": [{"figure": "recall", **make_claim("held")["checks"][0]}],
        "claims": [make_claim("held"), make_claim("cannot be told", "2 seeds are too few")],
        "notes": ["loss.positive_weight 6, seed 2, failed and is in no figure: It fell over."],
    }  # fmt: skip


def write(tmp_path, record):
    (tmp_path / "experiment.json").write_text(json.dumps(record))
    write_experiment_page(tmp_path / "experiment.json", tmp_path / "experiment.html")
    return (tmp_path / "experiment.html").read_text()


def test_a_row_has_the_paper_s_figure_beside_ours_and_both_intervals(record):
    rows = value_rows(record, ("accuracy",))
    assert all(len(row) == len(COLUMNS) for row in rows)
    assert rows[0] == (
        "2", "recall", DASH, "0.500", "0.013", "0.500 to 0.500", "0.100 to 0.200", "0.150 to 0.350",
    )  # fmt: skip
    assert rows[1][2] == "0.901"
    assert [row[1] for row in rows] == ["recall", "recall", "accuracy", "accuracy"]


def test_a_line_of_the_terminal_says_verdict_claim_and_reason(record):
    held, unknown = claim_lines(record)
    assert held == "\N{CHECK MARK} held: More weight <finds> more."
    assert unknown == "? cannot be told: More weight <finds> more. (2 seeds are too few)"


def test_the_head_says_what_was_trained_and_who_was_measured_on(record):
    lead = lead_of(record)
    assert "1.0.0.2, 2 epochs (1,150 steps), seeds 1 and 2" in lead
    assert "validation and test patients, who chose nothing: 569 tiles of 27, 60 abnormal" in lead
    assert "accuracy 0.8946" in lead


def test_verdicts_stand_above_the_drawings_and_words_are_not_taken_for_tags(tmp_path, record):
    text = write(tmp_path, record)
    assert 0 < text.index("\N{CHECK MARK} held") < text.index("<svg")
    assert "More weight &lt;finds&gt; more." in text
    assert "2 seeds are too few" in text
    assert "It fell over." in text
    assert "0.500 at 6, \N{EN DASH} at 2" in text
    assert not re.search(r'(src|href)="http', text)


def test_every_run_that_did_not_fail_is_a_dot_in_the_colour_of_its_value(tmp_path, record):
    text = write(tmp_path, record)
    dots = text[text.index('aria-label="Each value') : text.index('aria-label="Validation')]
    panels = len(NAMES)
    counts = [
        len(re.findall(f'<use [^>]*style="[^"]*stroke: {c}', dots)) for c in (*COLOURS[:2], PAPER)
    ]
    assert counts == [2 * panels, 1 * panels, 1]


def test_runs_of_which_none_has_a_course_get_no_drawing_of_it(tmp_path, record):
    for run in record["runs"]:
        run["curves"] = {name: [] for name in run["curves"]}
    text = write(tmp_path, record)
    assert "Validation, epoch by epoch" not in text
    assert text.count("<svg") == 1


def test_another_kind_of_record_is_refused(tmp_path, record):
    with pytest.raises(CorruptFileError, match=r"mammoscope\.experiment/1"):
        write(tmp_path, record | {"schema": "mammoscope.seeds/1"})

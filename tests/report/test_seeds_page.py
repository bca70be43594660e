"""The page of several seeds shows the spread, and a fluke as one."""

import json

from mammoscope.report.seeds_page import FLUKE, seeds_rows, write_seeds_page


def figure(name, values, **changes):
    return {
        "name": name,
        "values": values,
        "mean": 0.8,
        "deviation": 0.05,
        "low": 0.7,
        "high": 0.9,
        "best_seed": 2,
        "is_fluke": False,
        **changes,
    }


def make_record(*figures, notes=()):
    return {
        "schema": "mammoscope.seeds/1",
        "name": "made",
        "seeds": [1, 2, 3],
        "figures": list(figures),
        "failed": {},
        "notes": list(notes),
    }


def write(tmp_path, record):
    (tmp_path / "seeds.json").write_text(json.dumps(record))
    write_seeds_page(tmp_path / "seeds.json", tmp_path / "seeds.html")
    return (tmp_path / "seeds.html").read_text()


def test_a_row_says_mean_spread_range_best_seed_and_whether_it_is_a_fluke():
    record = make_record(
        figure("test auc", [0.7, 0.9, None], is_fluke=True),
        figure("test accuracy", [0.8] * 3, deviation=0.0, best_seed=None, is_fluke=None),
        figure("test recall", [0.8, None, None], deviation=None, is_fluke=None),
    )
    auc, accuracy, recall = seeds_rows(record)
    assert auc == ("test auc", "0.8", "0.05", "0.7", "0.9", "2", "yes")
    assert accuracy[-2:] == ("\N{EN DASH}", "all are equal")
    assert recall[-1] == "cannot be told"


def test_a_fluke_is_drawn_in_a_colour_of_its_own_and_noted(tmp_path):
    note = "test auc: seed 2 is far better than the others."
    fluke = write(
        tmp_path, make_record(figure("test auc", [0.7, 0.9, 0.7], is_fluke=True), notes=[note])
    )
    assert FLUKE in fluke[fluke.index("<svg") :]
    assert note in fluke
    plain = write(tmp_path, make_record(figure("test auc", [0.7, 0.9, 0.7])))
    assert FLUKE not in plain[plain.index("<svg") :]
    assert "seeds 1, 2 and 3" in plain


def test_what_is_no_share_stands_in_the_tables_alone(tmp_path):
    loss = figure("validation cross_entropy", [1.5, 0.7, 0.9], high=1.5)
    undefined = figure("test auc", [None] * 3, low=None, high=None, mean=None, deviation=None)
    page = write(tmp_path, make_record(loss, undefined))
    assert "<svg" not in page
    assert "validation cross_entropy" in page

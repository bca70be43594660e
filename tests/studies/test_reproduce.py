"""A reproduction end to end with a trainer and a scorer of the test's own."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mammoscope.archives.archive import Archive
from mammoscope.core.config import parse_toml, settings_from
from mammoscope.core.errors import (
    BadValueError,
    CorruptFileError,
    MissingFileError,
    UnknownNameError,
)
from mammoscope.core.geometry import Box
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, SpacingSource
from mammoscope.report.reproduce_page import make_page, write_reproduce_page
from mammoscope.studies.paper_tables import ROWS
from mammoscope.studies.reproduce import (
    FILE,
    ReproduceSettings,
    _places,
    find_archives,
    run_reproduce,
)
from mammoscope.studies.reproduce_full import run_full
from mammoscope.studies.reproduce_rows import run_name, table_rows
from mammoscope.studies.reproduce_runs import Tools, history_of, measured, to_toml
from mammoscope.studies.reproduce_weights import figures_by_weight

SETTINGS = ReproduceSettings(quick=True, epochs=1, seeds=2, resamples=60)
NO_FIGURE = {"value": None, "low": None, "high": None}


def _scan(folder: Path, archive: str, number: int, has_lesion: bool, level: int) -> Scan:
    name = f"{archive}-{number}"
    rng = np.random.default_rng(number)
    image = np.clip(rng.normal(level, 8, (320, 320)), 0, 255).astype(np.uint8)
    image[:, 280:] = 0
    Image.fromarray(image).save(folder / f"{name}.png")
    lesion = Finding(
        finding_id=f"{name}-1",
        scan_id=name,
        kind=FindingKind.MASS,
        roi=Box(120, 120, 30, 30),
        pathology=Pathology.MALIGNANT if number % 2 else Pathology.BENIGN,
    )
    return Scan(
        scan_id=name,
        archive=archive,
        path=folder / f"{name}.png",
        patient_id=name,
        exam_id=name,
        spacing_mm=(0.4, 0.4),
        spacing_source=SpacingSource.ARCHIVE,
        findings=(lesion,) if has_lesion else (),
        normal_ground=None if has_lesion else "said so",
    )


@pytest.fixture
def archives(tmp_path: Path) -> Mapping[str, Archive]:
    """CBIS-DDSM with lesions at grey 120, DDSM and MIAS half with and half without."""
    plan = {"cbis-ddsm-800": (120, 24), "ddsm-299": (80, 48), "mini-mias": (100, 24)}
    made = {}
    for name, (level, count) in plan.items():
        folder = tmp_path / name
        folder.mkdir()
        scans = [
            _scan(folder, name, i, name == "cbis-ddsm-800" or i % 2 == 0, level)
            for i in range(count)
        ]
        made[name] = Archive(
            name=name, folder=folder, licence="", citation="", records=tuple(scans)
        )
    return made


def _reader_of_greys(trained: list[str]) -> Tools:
    """What tells abnormal from normal as the set does: by how bright a tile is."""

    def train(config: Path, folder: Path) -> Path:
        trained.append(config.stem)
        (folder / "run").mkdir(parents=True, exist_ok=True)
        rows = [{"epoch": 1, "val_accuracy": 0.9, "val_recall": 0.8, "accuracy": 0.7}]
        (folder / "run" / "history.json").write_text(json.dumps(rows))
        return folder / "model.safetensors"

    def score(_weights, tiles, places):
        return np.clip(tiles.pixels(places).mean(axis=(1, 2)) / 200, 0, 1)

    return Tools(train=train, score=score)


@pytest.mark.slow
def test_a_reader_of_greys_is_perfect_at_home_and_always_wrong_with_the_archives_crossed(
    archives, tmp_path
):
    trained: list[str] = []
    out = tmp_path / "out"
    record = run_reproduce(archives, out, SETTINGS, _reader_of_greys(trained))
    assert trained == [f"{name}-seed-{i}" for name in ("paper-way", "strict") for i in (0, 1)]
    figures = record["runs"][0]["figures"]
    assert figures["test"]["auc"]["value"] == 1
    assert figures["crossed"]["auc"]["value"] == 0
    # The same reader at the same places: its two areas are those of the runs.
    strict = record["runs"][2]["figures"]["mias-strict"]["auc"]["value"]
    for one in record["same_places"]:
        assert one["a"] == pytest.approx(strict)
        assert one["b"] == pytest.approx(figures["mias-same-places"]["auc"]["value"])
    assert len(record["same_places"]) == 2
    # What is on disk is what was returned, and the page's maker takes it.
    assert json.loads((out / FILE).read_text()) == json.loads(json.dumps(record))
    write_reproduce_page(out / FILE, out / "page.html")
    text = (out / "page.html").read_text()
    assert "it goes by the archives, even against the lesions" in text
    assert "Strict less the paper" in text
    assert "<script" not in text
    # The same call goes on with the sets that are there.
    before = {path: path.stat().st_mtime_ns for path in (out / "sets").rglob("*.npy")}
    again = run_reproduce(archives, out, SETTINGS, _reader_of_greys([]))
    assert again["runs"] == record["runs"]
    assert {path: path.stat().st_mtime_ns for path in (out / "sets").rglob("*.npy")} == before
    with pytest.raises(BadValueError, match="other scans or with another seed"):
        run_reproduce(archives, out, ReproduceSettings(quick=True, seed=1), _reader_of_greys([]))


def test_no_patient_of_the_crossed_set_was_trained_on(archives, tmp_path):
    from mammoscope.studies.reproduce_sets import CROSSED, PAPER, build_quick_sets

    both = {name: archives[name] for name in ("cbis-ddsm-800", "ddsm-299")}
    sets = build_quick_sets(both, tmp_path / "sets")
    table = sets.trained[PAPER].table
    seen = set(table.filter(table["split"] != "test")["patient_id"].to_list())
    assert not seen & set(sets.probes[CROSSED].table["patient_id"].to_list())


def test_rows_whose_archives_are_missing_say_which_and_how_to_run_them():
    rows = table_rows(["mini-mias"], {}, [], {})
    assert [row["kind"] for row in rows] == ["not run"] * len(ROWS)
    assert all("ddsm and cbis-ddsm at full size, which are" in row["why"].lower() or
               "ddsm, cbis-ddsm" in row["why"] for row in rows)  # fmt: skip
    assert all("--recipe" in row["command"] and row["cost"] for row in rows)


def test_rows_at_full_size_that_are_one_run_are_trained_once(monkeypatch, tmp_path):
    names: list[str] = []

    def run(spec, _out, _tools, _resamples):
        names.append(spec.name)
        return {"figures": {"test": {"from": spec.name}, "mini-mias": {"on": "MIAS"}}}

    class Cut:
        folder = tmp_path

    monkeypatch.setattr("mammoscope.studies.reproduce_full._cut", lambda *_: Cut())
    monkeypatch.setattr("mammoscope.studies.reproduce_full.carry_out_run", run)
    there = dict.fromkeys(("ddsm", "cbis-ddsm", "mini-mias"))
    figures = run_full(there, tmp_path, Tools(train=None, score=None), 60, 0)
    assert set(figures) == {row.key for row in ROWS}
    assert len(names) == len(set(names)) == len({run_name(row) for row in ROWS})
    assert {figures[row.key].get("on") for row in ROWS if row.table == 3} == {"MIAS"}


def test_settings_are_written_as_toml_that_says_the_same():
    settings = {"name": 'a "b"', "epochs": 3, "loss": {"positive_weight": 2.0}, "rate": {"k": True}}
    assert parse_toml(to_toml(settings), (), source="test") == settings


def test_a_setting_of_the_reproduction_below_its_range_is_refused():
    with pytest.raises(BadValueError, match="resamples 40 or more"):
        settings_from({"resamples": 3}, ReproduceSettings, source="--set")


def test_scores_are_measured_at_a_half_beside_the_majority():
    scores, truth = np.array([0.9, 0.6, 0.4, 0.1]), np.array([True, False, False, False])
    figures = measured(scores, truth, list("abcd"), 60)
    assert figures["accuracy"]["value"] == 0.75
    assert figures["majority"]["value"] == 0.75
    assert figures["recall"]["value"] == 1
    assert (figures["tiles"], figures["abnormal"], figures["patients"]) == (4, 1, 4)


def test_a_damaged_history_is_refused_by_name(tmp_path):
    path = tmp_path / "history.json"
    path.write_text("[1, 2")
    with pytest.raises(CorruptFileError, match=r"history\.json: cannot be read"):
        history_of(path)


def test_a_folder_without_archives_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingFileError, match="none of the archives"):
        find_archives(tmp_path)


def test_an_archive_is_found_after_a_folder_of_hundreds(tmp_path, monkeypatch):
    monkeypatch.setattr("mammoscope.studies.reproduce.MOST_FOLDERS", 2)
    for number in range(3):
        (tmp_path / "a" / str(number)).mkdir(parents=True)
    last = tmp_path / "b" / "last"
    last.mkdir(parents=True)
    assert last in set(_places(tmp_path))


def test_without_cbis_ddsm_the_page_says_that_nothing_was_trained_and_what_is_needed(
    archives, tmp_path
):
    alone = {"mini-mias": archives["mini-mias"]}
    record = run_reproduce(alone, tmp_path / "out", SETTINGS, _reader_of_greys([]))
    assert record["runs"] == record["same_places"] == []
    assert any("Nothing was trained: the quick runs need" in n for n in make_page(record).notes)


def test_a_wrong_network_is_refused_before_a_set_is_cut(archives, tmp_path):
    wrong = ReproduceSettings(quick=True, network="nix")
    with pytest.raises(UnknownNameError, match="nix"):
        run_reproduce(archives, tmp_path / "out", wrong, _reader_of_greys([]))
    assert not (tmp_path / "out").exists()


@pytest.mark.real
def test_the_archives_of_the_shared_data_are_found_wherever_they_lie(shared_data):
    assert {"mini-mias", "cbis-ddsm-800", "ddsm-299"} <= set(find_archives(shared_data))


def _experiment(option="loss.positive_weight"):
    spreads = [
        {"name": name, "mean": 0.5, "by_patients": [0.4, 0.6]}
        for name in ("accuracy", "recall", "auc")
    ]
    return {
        "schema": "mammoscope.experiment/1",
        "option": option,
        "values": ["2", "4.0"],
        "seeds": [1, 2, 3],
        "network": "net",
        "epochs": 7,
        "tiles": {"recipe": "9"},
        "patients": {"kind": "test", "tiles": 9, "abnormal": 3, "patients": 5},
        "spreads": {"2": spreads, "4.0": [{**spreads[0], "by_patients": None}, spreads[1]]},
    }  # fmt: skip


def test_the_weight_experiment_fills_its_rows_of_table_four(tmp_path):
    path = tmp_path / "experiment.json"
    path.write_text(json.dumps(_experiment()))
    weights = figures_by_weight(path)
    assert set(weights) == {2.0, 4.0}
    assert weights[4.0]["accuracy"]["low"] is None
    (first,) = [
        row for row in table_rows([], {}, [], weights) if row["weight"] == 2 and row["table"] == 4
    ]
    assert first["why"].endswith("test patients; area under the ROC curve 0.500.")
    kinds = {
        row["weight"]: row["kind"] for row in table_rows([], {}, [], weights) if row["table"] == 4
    }
    assert kinds == {6: "not run", 4: "stand-in", 2: "stand-in"}


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        ("{", CorruptFileError, "cannot be read as an experiment"),
        (json.dumps({**_experiment(), "schema": "x/1"}), CorruptFileError, "is a record 'x/1'"),
        (json.dumps(_experiment("input.scaling")), BadValueError, "Table 4 varies"),
    ],
)
def test_another_file_than_the_weight_experiment_is_refused(tmp_path, content, error, said):
    path = tmp_path / "experiment.json"
    path.write_text(content)
    with pytest.raises(error, match=said):
        figures_by_weight(path)


def test_a_page_of_undefined_figures_shows_dashes_and_no_numbers():
    told = {
        **dict.fromkeys(("accuracy", "majority", "recall", "specificity", "auc"), NO_FIGURE),
        "tiles": 2,
    }
    run = {"name": "r", "set": "strict", "history": [], "pr": None, "figures": {"test": told}}
    record = {
        "source": "s", "settings": asdict(SETTINGS),
        "archives": [], "sets": [], "runs": [run], "tables": table_rows([], {}, [], {}),
        "curves": [], "pr": [], "mixups": [],
    }  # fmt: skip
    page = make_page(record)
    (runs,) = [table for table in page.tables if table.title.startswith("Every run")]
    assert runs.rows[0][3:] == ("\N{EN DASH}",) * 5

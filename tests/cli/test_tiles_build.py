"""`mammoscope tiles build`: what it passes on, says and returns."""

import json
from types import SimpleNamespace

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from mammoscope.archives import open as opening
from mammoscope.archives import splits
from mammoscope.cli.tiles_build import build
from mammoscope.core.errors import BadValueError, UnknownNameError
from mammoscope.tiles import build as building
from mammoscope.tiles import recipes, remote_archive

app = typer.Typer()
app.command()(build)

REPORT = {
    "scans": {"given": 4, "read": 3, "with_tiles": 2},
    "unreadable": [],
    "findings_without_tiles": [],
    "candidates": {"BENIGN_mass": 3, "NORMAL": 90},
    "chosen": {"BENIGN_mass": 3, "NORMAL": 15},
    "tiles": {"train": {"BENIGN_mass": 3, "NORMAL": 12}, "test": {"NORMAL": 3}},
    "missing_classes": [],
}


class Tiles(SimpleNamespace):
    def __len__(self):
        return 18


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Stand-ins for everything below; what the command asked of them."""
    found = SimpleNamespace(report=dict(REPORT), folder=tmp_path)

    def open_archive(name, folder):
        found.opened = [*getattr(found, "opened", []), (name, str(folder))]
        return SimpleNamespace(name=name)

    def make_recipe(name, archives, **options):
        found.recipe = (name, list(archives), options)
        return "the recipe"

    def carry_out(plan, out, crew):
        found.plan, found.out, found.crew = plan, out, crew
        crew.on_done(1, 4)
        table = getattr(found, "table", None)
        return Tiles(folder=tmp_path, provenance={"splits": "by patient"}, table=table)

    monkeypatch.setattr(opening, "open_archive", open_archive)
    monkeypatch.setattr(recipes, "make_recipe", make_recipe)
    monkeypatch.setattr(splits, "read_division", lambda path: f"division of {path}")
    monkeypatch.setattr(building, "carry_out", carry_out)
    monkeypatch.setattr(building, "read_report", lambda _folder: found.report)
    return found


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


COMMAND = ("ddsm", "a", "cbis-ddsm", "b", "--recipe", "9", "--out", "set")


def test_archives_recipe_and_options_are_passed_on(asked):
    result = run(*COMMAND, "--seed", 3, "--workers", 2, "--faithful-splits", "--no-audit")
    assert result.exit_code == 0, result.output
    assert asked.opened == [("ddsm", "a"), ("cbis-ddsm", "b")]
    assert asked.recipe == ("9", ["ddsm", "cbis-ddsm"], {"faithful_splits": True})
    assert (asked.plan.seed, asked.plan.audit, asked.plan.division) == (3, False, None)
    assert (asked.out, asked.crew.workers, asked.crew.cluster) == ("set", 2, None)


def test_a_division_a_cluster_and_the_right_radius_are_passed_on(asked):
    words = ("--split", "d.json", "--cluster", "tcp://a:1", "--radius-as-diameter")
    assert run(*COMMAND, *words).exit_code == 0
    assert asked.plan.division == "division of d.json"
    assert asked.crew.cluster == "tcp://a:1"
    assert asked.recipe[2] == {"radius_as_side": False}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("spacing_mm=0.2", 0.2),
        ("tile_mm=40", 40),
        ("as_printed=true", True),
        ("places=some/file.csv", "some/file.csv"),
        ("places='a=b.csv'", "a=b.csv"),
    ],
)
def test_any_option_of_the_recipe_can_be_given(asked, text, value):
    assert run(*COMMAND, "--option", text).exit_code == 0
    name = text.partition("=")[0]
    assert asked.recipe[2] == {name: value}
    assert type(asked.recipe[2][name]) is type(value)


@pytest.mark.parametrize("word", ["spacing_mm", "=3", ""])
def test_an_option_that_is_no_pair_is_refused(asked, word):
    result = run(*COMMAND, "--option", word)
    assert isinstance(result.exception, BadValueError)
    assert "expected a pair as spacing_mm=0.2" in str(result.exception)


def test_a_fold_of_a_division_is_the_validation(asked, monkeypatch):
    division = SimpleNamespace(at_fold=lambda fold: f"fold {fold}")
    monkeypatch.setattr(splits, "read_division", lambda _path: division)
    assert run(*COMMAND, "--division", "d.json", "--fold", 2).exit_code == 0
    assert asked.plan.division == "fold 2"


def test_a_fold_without_a_division_is_refused(asked):
    result = run(*COMMAND, "--fold", 0)
    assert "--fold needs a division with folds" in str(result.exception)


def test_scored_places_go_to_the_recipe_and_the_hard_negatives_are_counted(asked):
    asked.table = pl.DataFrame({"origin": ["negative", "normal", "negative", "lesion"]})
    result = run(*COMMAND, "--places", "p.csv")
    assert str(asked.recipe[2]["places"]) == "p.csv"
    assert "2 normal tiles are hard negatives." in result.stdout


def test_places_that_gave_no_tile_are_told(asked):
    asked.table = pl.DataFrame({"origin": ["normal"]})
    assert "p.csv: no place of it gave a tile" in run(*COMMAND, "--places", "p.csv").stderr


def test_findings_without_a_tile_are_counted(asked):
    asked.report["findings_without_tiles"] = [{}, {}]
    result = run(*COMMAND)
    assert result.exit_code == 0
    assert "no tile was cut round 2 findings; build.json names them" in result.stderr


def test_tiles_are_counted_by_label_and_split(asked):
    said = run(*COMMAND).stdout
    assert "18 tiles of 2 of 4 scans" in said
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.splitlines()]
    assert ["BENIGN_mass", "3", "0", "0", "3 of 3"] in rows
    assert ["NORMAL", "12", "0", "3", "15 of 90"] in rows
    assert "Divided by patient." in said
    assert "Not audited." in said


def test_the_verdict_and_its_reasons_are_printed(asked):
    found = {"verdict": "leaking", "reasons": [{"sentence": "2 lesions are in two splits."}]}
    (asked.folder / "audit.json").write_text(json.dumps(found))
    assert "Audit: leaking (2 lesions are in two splits)." in run(*COMMAND).stdout


def test_scans_that_could_not_be_read_are_named_and_the_end_is_1(asked):
    asked.report["unreadable"] = [{"why": f"s{n}.dcm: is damaged."} for n in range(23)]
    result = run(*COMMAND)
    assert result.exit_code == 1
    assert "s19.dcm: is damaged." in result.stderr
    assert "s20.dcm" not in result.stderr
    assert "3 more scans could not be read; build.json names them." in result.stderr


def test_a_class_without_a_tile_is_told(asked):
    asked.report["missing_classes"] = ["MALIGNANT_mass"]
    result = run(*COMMAND)
    assert result.exit_code == 0
    assert "the set holds no tile of MALIGNANT_mass." in result.stderr


def test_an_archive_without_a_folder_is_refused(asked):
    result = run("ddsm", "a", "cbis-ddsm", "--recipe", "9", "--out", "set")
    assert isinstance(result.exception, BadValueError)
    assert "needs its name and its folder" in str(result.exception)


def test_an_archive_at_a_url_is_opened_where_it_was_copied_to(asked, monkeypatch):
    monkeypatch.setattr(remote_archive, "copied", lambda url, on_done: f"copy of {url}")
    run("ddsm", "s3://bucket/ddsm", "--recipe", "9", "--out", "set")
    assert asked.opened == [("ddsm", "copy of s3://bucket/ddsm")]


def test_a_folder_may_be_given_as_a_file_url(asked):
    run("ddsm", "file:///a%20b", "--recipe", "9", "--out", "set")
    assert asked.opened == [("ddsm", "/a b")]


def test_nothing_is_copied_of_an_archive_whose_name_is_unknown(asked, monkeypatch):
    monkeypatch.setattr(remote_archive, "copied", lambda url, on_done: pytest.fail("copied"))
    result = run("dsm", "s3://bucket/ddsm", "--recipe", "9", "--out", "set")
    assert isinstance(result.exception, UnknownNameError)


def test_a_set_is_told_by_the_name_that_was_given(asked):
    assert "scans in s3://bucket/set" in run(*COMMAND[:-1], "s3://bucket/set").stdout

"""Building tile sets from archives."""

import json
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from mammoscope.archives.archive import Archive
from mammoscope.archives.open import open_archive
from mammoscope.archives.splits import Division, divide
from mammoscope.core.errors import (
    ArchiveError,
    BadValueError,
    CorruptFileError,
    UnknownNameError,
)
from mammoscope.core.geometry import Circle
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, Split
from mammoscope.tiles import assemble, cutting, engine
from mammoscope.tiles.build import BuildPlan, build_tiles, carry_out, read_report
from mammoscope.tiles.cutting import Crew
from mammoscope.tiles.recipes import make_recipe
from mammoscope.tiles.store import load_tiles
from mammoscope.tiles.tile import NORMAL, Missed

SAMPLES = run_path(str(Path(__file__).with_name("build_samples.py")))
division_of, draw_recipe, draw_tiles = (
    SAMPLES[name] for name in ("division_of", "draw_recipe", "draw_tiles")
)
make_archive, make_scan, run, same_bytes = (
    SAMPLES[name] for name in ("make_archive", "make_scan", "run", "same_bytes")
)


@pytest.fixture
def archive(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    return make_archive(folder)


def test_every_scan_gives_its_tiles_and_they_keep_their_patient(archive, tmp_path):
    tiles = run(archive, tmp_path / "set")
    rows = tiles.table
    assert rows.filter(pl.col("label") != "NORMAL")["scan_id"].to_list() == (
        ["mdb001"] * 3 + ["mdb005"] * 3
    )
    patient = {scan.scan_id: scan.patient_id for scan in archive.scans()}
    assert rows["patient_id"].to_list() == [patient[scan] for scan in rows["scan_id"]]
    assert rows.group_by("patient_id").n_unique()["split"].max() == 1
    assert set(rows["recipe"]) == {"9"}
    assert set(rows["seed"]) == {1}
    tiles.verify()


def test_a_patient_lies_where_the_division_says(archive, tmp_path):
    tiles = run(archive, tmp_path / "set")
    found = dict(tiles.table.select("patient_id", "split").unique().rows())
    assert found == {p: str(s) for p, s in division_of(archive).patients.items()}
    assert tiles.provenance["split"] == division_of(archive).digest
    assert tiles.provenance["splits"] == "by patient"


def test_without_a_division_one_is_drawn_from_the_seed(tmp_path):
    (tmp_path / "scans").mkdir()
    archive = make_archive(tmp_path / "scans", 40)
    tiles = build_tiles(archive, draw_recipe(), tmp_path / "set", seed=4, workers=1, audit=False)
    assert tiles.provenance["split"] == divide(archive.scans(), seed=4).digest


def test_a_scan_gives_the_same_tiles_whatever_other_scans_are_there(archive, tmp_path):
    whole = run(archive, tmp_path / "whole")
    few = make_archive(archive.folder, 5)
    part = run(few, tmp_path / "part", division=division_of(archive))
    wanted = np.flatnonzero((whole.table["scan_id"] <= "mdb005").to_numpy())
    np.testing.assert_array_equal(whole.pixels(wanted), part.pixels(range(len(part))))


@pytest.mark.slow
def test_two_processes_give_the_same_bytes_as_one(archive, tmp_path):
    run(archive, tmp_path / "one")
    run(archive, tmp_path / "two", workers=2)
    assert same_bytes(tmp_path / "one", tmp_path / "two")


def test_the_order_in_which_scans_are_cut_changes_no_byte(archive, tmp_path, monkeypatch):
    build_tiles(archive, draw_recipe(), tmp_path / "a", division=division_of(archive), audit=False)

    def backwards(jobs, folder):
        waiting = list(iter(jobs, None))
        yield from engine.cut_here(lambda: waiting.pop() if waiting else None, folder)

    monkeypatch.setattr(cutting, "cut_here", backwards)
    build_tiles(archive, draw_recipe(), tmp_path / "b", division=division_of(archive), audit=False)
    assert same_bytes(tmp_path / "a", tmp_path / "b")


def test_normals_of_the_smallest_lots_are_kept_and_the_rest_is_not_even_written(
    archive, tmp_path, monkeypatch
):
    # 2 tiles of findings, so 4 of 36 normal candidates.
    kept = []
    read = assemble.read_part
    monkeypatch.setattr(assemble, "read_part", lambda path: kept.append(read(path)) or kept[-1])
    made = build_tiles(
        archive, draw_recipe(), tmp_path / "a", division=division_of(archive), audit=False
    )
    lots = {
        scan.scan_id: np.random.default_rng([0, *scan.scan_id.encode()]).random(6)
        for scan in archive.scans()
        if not scan.findings
    }
    smallest = sorted(np.concatenate(list(lots.values())))[3]
    expected = [scan for scan, drawn in lots.items() for lot in drawn if lot <= smallest]
    assert made.table.filter(pl.col("label") == NORMAL)["scan_id"].to_list() == expected
    assert read_report(made.folder)["candidates"] == {"BENIGN_mass": 2, NORMAL: 36}
    assert read_report(made.folder)["chosen"] == {"BENIGN_mass": 2, NORMAL: 4}
    assert sum(part.shape[0] for part in kept) < 2 + 36 / 2


def test_a_recipe_may_choose_by_itself(archive, tmp_path):
    recipe = draw_recipe(choose=lambda table, seed: (table["lot"] < 0.3) & (seed == 0))
    made = build_tiles(archive, recipe, tmp_path / "a", division=division_of(archive), audit=False)
    lots = np.concatenate(
        [
            np.random.default_rng([0, *scan.scan_id.encode()]).random(6)
            for scan in archive.scans()
            if not scan.findings
        ]
    )
    assert len(made) == 2 + (lots < 0.3).sum()


def test_a_recipe_may_divide_by_itself_and_that_is_marked(archive, tmp_path):
    def halves(table, seed):
        assert {"lot", "official_split", "recipe", "seed", "label"} <= set(table.columns)
        return pl.Series(["train", "test"] * (table.height // 2) + ["train"] * (table.height % 2))

    recipe = draw_recipe(division=halves, settings={"splits": "faithful: for comparison only"})
    made = build_tiles(archive, recipe, tmp_path / "a", audit=False)
    assert made.table["split"].to_list()[:4] == ["train", "test", "train", "test"]
    assert made.provenance["splits"] == "faithful: for comparison only"
    assert made.provenance["split"] is None
    with pytest.raises(BadValueError, match="divides as its author did"):
        build_tiles(archive, recipe, tmp_path / "b", division=division_of(archive))


def test_scans_that_a_division_purges_are_left_out(archive, tmp_path):
    division = Division(
        patients=division_of(archive).patients, purged=frozenset({"mdb002", "mdb005"})
    )
    tiles = run(archive, tmp_path / "set", division=division)
    assert not set(tiles.table["scan_id"]) & {"mdb002", "mdb005"}
    assert tiles.provenance["scans"] == 6


def test_a_set_that_is_there_is_opened_when_it_was_built_alike(archive, tmp_path):
    run(archive, tmp_path / "set")
    written = (tmp_path / "set" / "index.parquet").stat().st_mtime_ns
    run(archive, tmp_path / "set")
    assert (tmp_path / "set" / "index.parquet").stat().st_mtime_ns == written
    with pytest.raises(BadValueError, match="built with seed 1, not 2; remove it"):
        run(archive, tmp_path / "set", seed=2)
    other = make_recipe("9", ["mini-mias"], radius_as_side=False)
    with pytest.raises(BadValueError, match="radius_as_side True, not False"):
        build_tiles(
            archive, other, tmp_path / "set", seed=1, division=division_of(archive), audit=False
        )


def test_a_set_that_is_there_but_damaged_is_told(archive, tmp_path):
    run(archive, tmp_path / "set")
    shard = tmp_path / "set" / "pixels-0000.npy"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    with pytest.raises(CorruptFileError, match=r"pixels-0000\.npy: is not as it was written"):
        run(archive, tmp_path / "set")


def test_a_scan_that_cannot_be_read_is_reported_and_the_build_goes_on(archive, tmp_path):
    archive.scans()[5].path.unlink()
    archive.scans()[1].path.write_bytes(b"\x89PNG\r\n\x1a\n")
    tiles = run(archive, tmp_path / "set")
    report = read_report(tiles.folder)
    assert [gap["scan_id"] for gap in report["unreadable"]] == ["mdb002", "mdb006"]
    assert "mdb006.png: there is no such file" in report["unreadable"][1]["why"]
    assert report["scans"] == {"given": 8, "read": 6, "with_tiles": 6}
    assert not set(tiles.table["scan_id"]) & {"mdb002", "mdb006"}


def test_nothing_left_is_an_error_that_leaves_nothing(archive, tmp_path):
    for scan in archive.scans():
        scan.path.unlink()
    with pytest.raises(ArchiveError, match=r"None of 8 scans could be read.*mdb001\.png"):
        run(archive, tmp_path / "set")
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]


def test_a_recipe_without_tiles_is_an_error_that_says_why(archive, tmp_path):
    recipe = draw_recipe(cut=lambda *_: iter(()))
    with pytest.raises(ArchiveError, match="None of 8 scans gave a tile of recipe made; of the fi"):
        build_tiles(archive, recipe, tmp_path / "set", division=division_of(archive))
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]


def test_normals_alone_keep_none_where_they_stand_beside_findings(archive, tmp_path):
    healthy = make_archive(archive.folder)
    records = tuple(scan for scan in healthy.records if not scan.findings)
    healthy = Archive(
        name="mini-mias", folder=archive.folder, licence="", citation="", records=records
    )
    with pytest.raises(ArchiveError, match=r"keeps none of \d+ candidates"):
        build_tiles(healthy, draw_recipe(), tmp_path / "set", division=division_of(archive))


def test_classes_without_a_tile_and_scans_without_a_tile_are_reported(archive, tmp_path):
    report = read_report(run(archive, tmp_path / "set").folder)
    assert report["missing_classes"] == ["BENIGN_calcification", "MALIGNANT_calcification"]
    made = build_tiles(
        archive, draw_recipe(), tmp_path / "b", division=division_of(archive), audit=False
    )
    whys = {gap["scan_id"]: gap["why"] for gap in read_report(made.folder)["without_tiles"]}
    empty = set(whys)
    assert empty == {scan.scan_id for scan in archive.scans()} - set(made.table["scan_id"])
    assert set(whys.values()) == {"none of its 6 candidates was chosen"}


@pytest.mark.parametrize(
    ("findings", "why"),
    [
        (None, "its archive does not say whether it has findings"),
        ((), "no place on it passed the recipe's tests"),
        ("unplaced", "its archive does not say where its findings lie"),
        ("placed", "the recipe takes none of its findings"),
    ],
)
def test_a_scan_without_a_tile_has_a_reason(findings, why):
    if isinstance(findings, str):
        roi = Circle(9, 9, 3) if findings == "placed" else None
        findings = (Finding(finding_id="f", scan_id="s", kind=FindingKind.MASS, roi=roi),)
    scan = Scan(
        scan_id="s", archive="a", path=Path(), patient_id="p", exam_id="e", findings=findings
    )
    assert assemble._why(scan, SimpleNamespace(candidates={})) == why


def test_a_scan_that_the_recipe_does_not_take_has_a_reason():
    scan = Scan(scan_id="s", archive="a", path=Path(), patient_id="p", exam_id="e", findings=())
    assert assemble._why(scan, None) == "the recipe takes no normal tissue of its archive"


def test_a_scan_that_the_recipe_does_not_take_is_never_opened_but_reported(archive, tmp_path):
    # A file that is not there would be named as unreadable if it were opened.
    archive.scans()[4].path.unlink()
    done = []
    plan = BuildPlan(
        archives=(archive,),
        recipe=draw_recipe(takes=lambda scan: scan.scan_id != "mdb005"),
        division=division_of(archive),
        audit=False,
    )
    crew = Crew(workers=1, on_done=lambda *counts: done.append(counts))
    report = read_report(carry_out(plan, tmp_path / "set", crew).folder)
    assert report["unreadable"] == []
    gaps = {gap["scan_id"]: gap["why"] for gap in report["without_tiles"]}
    assert gaps["mdb005"] == "the recipe takes none of its findings"
    assert report["findings_without_tiles"] == [
        {
            "archive": "mini-mias",
            "scan_id": "mdb005",
            "finding_id": "mdb005-1",
            "why": "nothing was cut of its scan: the recipe takes none of its findings",
        }
    ]
    assert report["scans"]["given"] == 8
    assert report["scans"]["read"] == 7
    assert report["scans"]["with_tiles"] == 8 - len(gaps)
    assert done[-1] == (7, 7)


def test_a_recipe_that_takes_no_scan_is_an_error_that_says_why(archive, tmp_path):
    recipe = draw_recipe(takes=lambda _: False)
    with pytest.raises(ArchiveError, match="takes none of 8 scans; of the first: the recipe takes"):
        build_tiles(archive, recipe, tmp_path / "set", division=division_of(archive))


def test_every_finding_has_a_tile_or_stands_in_the_report_with_its_reason(archive, tmp_path):
    unplaced = Finding(finding_id="u", scan_id="mdb001", kind=FindingKind.MASS)
    unproven = replace(unplaced, finding_id="v", roi=Circle(9, 9, 3))
    benign = replace(unproven, finding_id="w", pathology=Pathology.BENIGN)
    airy = replace(benign, finding_id="x")
    first, *others = archive.records
    findings = (*first.findings, unplaced, unproven, benign, airy)
    archive = replace(archive, records=(replace(first, findings=findings), *others))
    archive.records[4].path.unlink()

    def cut(scan, loaded, rng):
        yield from draw_tiles(scan, loaded, rng)
        if scan.findings:
            yield Missed(finding_id="x", why="it lies on air")

    made = build_tiles(
        archive, draw_recipe(cut=cut), tmp_path / "set", division=division_of(archive), audit=False
    )
    told = read_report(made.folder)["findings_without_tiles"]
    assert {gap["finding_id"]: gap["why"] for gap in told} == {
        "u": "its archive does not say where it lies",
        "v": "nothing is proven of it, so it has no class",
        "w": "the recipe cuts no tile round it",
        "x": "it lies on air",
        "mdb005-1": "its scan could not be read",
    }
    named = {gap["finding_id"] for gap in told}
    shown = set(made.table["finding_id"].drop_nulls())
    assert named.isdisjoint(shown)
    assert named | shown == {finding.finding_id for finding in archive.findings()}


def test_a_recipe_is_for_its_own_archive(archive, tmp_path):
    other = make_archive(archive.folder, 1, name="uci")
    with pytest.raises(BadValueError, match=r"ecipe 9 is for .*, not for uci|with uci"):
        build_tiles(other, make_recipe("9", ["mini-mias"]), tmp_path / "set")


def test_an_unknown_recipe_is_refused(archive, tmp_path):
    with pytest.raises(UnknownNameError, match="no recipe called '99'"):
        build_tiles(archive, "99", tmp_path / "set")


def test_an_archive_given_twice_is_refused(archive, tmp_path):
    with pytest.raises(BadValueError, match="each once, not mini-mias, mini-mias"):
        build_tiles([archive, archive], draw_recipe(), tmp_path / "set")


def test_a_patient_without_a_split_is_named(archive, tmp_path):
    with pytest.raises(BadValueError, match="mias-004"):
        run(
            archive,
            tmp_path / "set",
            division=Division(patients=dict.fromkeys(archive.patients()[:3], Split.TRAIN)),
        )


@pytest.mark.parametrize("crew", [{"workers": 0}, {"workers": 2, "cluster": "tcp://a:1"}])
def test_workers_and_clusters_that_make_no_sense_are_refused(crew):
    with pytest.raises(BadValueError, match="worker"):
        Crew(**crew)


def test_a_set_can_be_built_at_a_url(archive, tmp_path, monkeypatch):
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    system = fsspec.filesystem("memory")
    system.store.clear()
    try:
        there = run(archive, "memory://bucket/set")
        here = run(archive, f"file://{tmp_path}/set")
        assert here.folder == tmp_path / "set"
        assert same_bytes(here.folder, there.folder)
        assert len(run(archive, "memory://bucket/set")) == len(here)
        assert sorted(path.rpartition("/")[2] for path in system.ls("/bucket/set", detail=False))[
            :2
        ] == ["build.json", "index.parquet"]
        assert [path.name for path in (tmp_path / "cache" / "mammoscope").iterdir()] == [
            there.folder.name
        ]
    finally:
        system.store.clear()


def test_a_build_is_audited_and_keeps_what_was_found(archive, tmp_path, monkeypatch):
    audit = pytest.importorskip("mammoscope.tiles.audit.report")
    seen = []

    def look(tiles, *, seed):
        seen.append((tiles.folder, len(tiles), seed))
        return SimpleNamespace(to_json=lambda: '{"verdict": "clean"}')

    monkeypatch.setattr(audit, "audit_tiles", look)
    tiles = run(archive, tmp_path / "set", audit=True)
    assert json.loads((tiles.folder / "audit.json").read_text()) == {"verdict": "clean"}
    assert seen == [(tmp_path / "set", len(tiles), 1)]


def test_the_report_of_a_set_that_has_none_is_told(tmp_path):
    with pytest.raises(CorruptFileError, match=r"build\.json: no report"):
        read_report(tmp_path)


@pytest.mark.real
@pytest.mark.slow
def test_counts_on_the_shared_part_of_mini_mias(shared_data, tmp_path):
    # An eighth of 258 scans: the author's 2,718 tiles shrink with the normal scans.
    whole = open_archive("mini-mias", shared_data / "mini-mias")
    archive = replace(whole, records=whole.records[::8])
    placed = sum(finding.roi is not None for finding in archive.findings())
    normals = sum(scan.findings == () for scan in archive.scans())
    tiles = build_tiles(archive, "9", tmp_path / "set", seed=1, workers=1, audit=False)
    normal = int((tiles.table["label"] == "NORMAL").sum())
    assert (placed, normals) == (11, 22)
    assert len(tiles) - normal == 3 * placed
    assert normal == pytest.approx(2718 * normals / 207, rel=0.15)
    assert load_tiles(tmp_path / "set").table.group_by("patient_id").n_unique()["split"].max() == 1

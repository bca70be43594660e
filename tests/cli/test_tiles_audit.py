"""`mammoscope tiles audit`: exit codes, page, JSON, wrong use."""

import json

import numpy as np
import pytest
import typer
from PIL import Image
from scipy import ndimage
from typer.testing import CliRunner

from mammoscope.cli.tiles_audit import audit
from mammoscope.core.errors import BadValueError, LayoutError, MammoscopeError, MissingFileError
from mammoscope.tiles.audit import report
from mammoscope.tiles.audit.shortcuts import Shortcuts
from mammoscope.tiles.audit.verdict import Verdict
from mammoscope.tiles.remote import cache_folder, publish
from mammoscope.tiles.store import PROVENANCE

SIDE, PATIENTS = 96, 30
CLEAN = report.Audit(
    name="set",
    set_digest="0",
    seed=0,
    counts=(),
    leaks=(),
    shortcuts=Shortcuts(n=0, of=0, n_patients=0, told=(), not_measured=()),
    verdict=Verdict.CLEAN,
    reasons=(),
    notes=(),
    problems=(),
)


@pytest.fixture(scope="module")
def app():
    made = typer.Typer()
    made.command()(audit)
    return made


@pytest.fixture
def run(app):
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def make_tissue(seed):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 4)
    level = rng.uniform(80, 150) + 30 * smooth / smooth.std() + rng.normal(0, 3, (SIDE, SIDE))
    return np.clip(level, 0, 255).astype(np.uint8)


def make_folder(folder, framed=False):
    folder.mkdir()
    lines = ["file,label,split,patient_id"]
    for number in range(PATIENTS):
        sick = number % 2
        image = make_tissue(number)
        if framed and sick:
            image[:4] = 0
        Image.fromarray(image).save(folder / f"{number}.png")
        split = ("train", "test")[number // 2 % 2]
        lines.append(f"{number}.png,{'malignant' if sick else 'normal'},{split},p{number}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("a") / "honest")


@pytest.fixture(scope="module")
def framed(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("b") / "framed", framed=True)


def of(folder):
    return ("--images", folder, "--labels", folder / "labels.csv")


def test_an_honest_folder_ends_with_0(run, honest):
    result = run(*of(honest))
    assert result.exit_code == 0, result.output
    assert "Verdict: clean." in result.output


def test_a_planted_border_ends_with_1_and_is_on_the_page(run, framed, tmp_path):
    result = run(*of(framed), "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "Normal or abnormal is told from the border pixels alone" in result.output
    assert "Suspect" in (tmp_path / "out" / "audit.html").read_text()
    told = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert told["verdict"] == "suspect"


def test_json_is_all_that_stands_on_the_output(run, framed):
    result = run(*of(framed), "--json")
    assert json.loads(result.stdout)["name"] == "framed"


def test_a_picture_that_cannot_be_read_is_named(run, honest):
    table = honest / "more.csv"
    table.write_text((honest / "labels.csv").read_text() + "gone.png,normal,train,p99\n")
    result = run("--images", honest, "--labels", table)
    assert "gone.png" in result.stderr
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), BadValueError),
        (("SET", "--images", "DIR"), BadValueError),
        (("--images", "DIR"), BadValueError),
        (("--labels", "FILE"), BadValueError),
        (("SET", "--seed", "-1"), BadValueError),
        (("nowhere",), MissingFileError),
        (("--images", "nowhere", "--labels", "nowhere.csv"), MissingFileError),
    ],
)
def test_wrong_use_is_one_sentence_and_nothing_is_done(run, words, error):
    result = run(*words)
    # The command line turns these into exit code 2.
    assert isinstance(result.exception, error)
    assert isinstance(result.exception, MammoscopeError)
    assert str(result.exception).endswith(".")


def test_a_table_without_labels_is_refused(run, honest):
    table = honest / "bare.csv"
    table.write_text("file,split\n0.png,train\n")
    assert isinstance(run("--images", honest, "--labels", table).exception, LayoutError)


@pytest.fixture
def set_folder(tile_set, monkeypatch):
    monkeypatch.setattr(report, "audit_tiles", lambda _tiles, **_seed: CLEAN)
    return tile_set().folder


def test_the_audit_of_a_set_is_kept_beside_it(run, set_folder):
    assert run(set_folder).exit_code == 0
    assert json.loads((set_folder / "audit.json").read_text())["verdict"] == "clean"


def test_a_set_may_be_named_by_a_file_url(run, set_folder):
    assert run(f"file://{set_folder}").exit_code == 0
    assert json.loads((set_folder / "audit.json").read_text())["verdict"] == "clean"


def test_the_audit_of_a_set_at_a_url_is_kept_there_and_in_the_copy(
    run, set_folder, tmp_path, monkeypatch
):
    memory = pytest.importorskip("fsspec", reason="extra `cluster`: no URLs").filesystem("memory")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    publish(set_folder, "memory://audited/set", PROVENANCE)
    try:
        assert run("memory://audited/set").exit_code == 0
        assert json.loads(memory.cat_file("/audited/set/audit.json"))["verdict"] == "clean"
        assert (cache_folder("memory://audited/set") / "audit.json").is_file()
    finally:
        memory.store.clear()

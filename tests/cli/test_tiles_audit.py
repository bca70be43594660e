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

SIDE, PATIENTS = 96, 30


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

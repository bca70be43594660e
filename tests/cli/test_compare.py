"""`compare`: sets by folder, JSON or table; what is said and written; bad input in a sentence."""

import json

import numpy as np
import pytest
import typer

from mammoscope.cli.compare import compare
from mammoscope.core.errors import MammoscopeError

HEAD = "scan_id,patient_id,score,truth"


@pytest.fixture
def run(capsys):
    """Run the command alone; returns what it printed on both streams."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(compare)

    def run_command(*arguments: object) -> tuple[str, str]:
        app(args=[str(argument) for argument in arguments], standalone_mode=False)
        said = capsys.readouterr()
        return said.out, said.err

    return run_command


def table(path, seed=1, start=0, effect=0.3):
    rng = np.random.default_rng(seed)
    lines = [HEAD]
    for i in range(start, start + 60):
        truth = (i // 2) % 2
        lines.append(f"s{i},p{i // 2},{0.6 * rng.random() + effect * truth:.4f},{truth}")
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_folders_their_json_and_tables_are_taken(tmp_path, run):
    first, second = table(tmp_path / "v1.0" / "scores.csv"), table(tmp_path / "other.csv", seed=2)
    (first.parent / "evaluation.json").write_text("{}", encoding="utf-8")
    for given in (first, first.parent, first.parent / "evaluation.json"):
        out, err = run(given, second, "--resamples", 60)
        assert "v1.0 against other, paired" in out
        assert "12 comparisons" in out
        assert err == ""


def test_other_scans_are_named_and_not_paired(tmp_path, run):
    out, err = run(
        table(tmp_path / "a.csv"), table(tmp_path / "b.csv", start=10), "--resamples", 60
    )
    assert "a against b, NOT paired" in out
    assert "50 are shared, 10 only in a, 10 only in b" in err


def test_json_holds_sets_and_pairs(tmp_path, run):
    a, b = table(tmp_path / "a.csv"), table(tmp_path / "b.csv", seed=2)
    kept = tmp_path / "compared.json"
    run(a, b, "--json", kept, "--threshold", 0.3, "--threshold", 0.4, "--resamples", 60)
    told = json.loads(kept.read_text(encoding="utf-8"))
    assert [one["threshold"] for one in told["sets"]] == [0.3, 0.4]
    assert told["sets"][0] == {
        "name": "a",
        "units": 60,
        "patients": 30,
        "positive": 30,
        "threshold": 0.3,
    }
    out, _ = run(a, b, "--json", "-", "--threshold", 0.3, "--threshold", 0.4, "--resamples", 60)
    assert json.loads(out) == told


def test_sets_of_one_name_are_told_by_their_paths(tmp_path, run):
    a, b = table(tmp_path / "x" / "t.csv"), table(tmp_path / "y" / "t.csv", seed=2)
    out, _ = run(a, b, "--resamples", 60, "--json", "-")
    assert [one["name"] for one in json.loads(out)["sets"]] == [str(a), str(b)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scan_id,score\ns,0.5\n", "patient_id, truth"),
        ("patient_id,score,truth\np,0.5,1\n", "no column scan_id"),
        (HEAD + "\n", "holds no scan"),
        (HEAD + "\ns,p,1.5,1\n", "line 2: the score '1.5'"),
        (HEAD + "\ns,p,nan,1\n", "line 2: the score 'nan'"),
        (HEAD + "\ns,p,,1\n", "line 2: the score ''"),
        (HEAD + "\ns,p,0.5,2\n", "line 2: the truth '2'"),
        (HEAD + "\ns,p,0.5\n", "line 2: the truth ''"),
        (HEAD + "\ns,,0.5,1\n", "line 2: the scan or its patient"),
        (HEAD + "\ns,p,0.5,1\ns,p,0.6,1\n", "s is given 2 times"),
        ('scan_id,patient_id,score,truth\n"s,p', "no table"),
        ("", "the file is empty"),
    ],
)
def test_a_bad_table_is_one_sentence_that_names_it(tmp_path, run, text, words):
    bad = tmp_path / "bad.csv"
    bad.write_text(text, encoding="utf-8")
    with pytest.raises(MammoscopeError, match=words) as caught:
        run(table(tmp_path / "a.csv"), bad)
    assert str(bad) in str(caught.value)


def test_bytes_that_are_no_text_are_told(tmp_path, run):
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(MammoscopeError, match="no table"):
        run(table(tmp_path / "a.csv"), bad)


def test_what_cannot_be_compared_is_refused(tmp_path, run):
    a, b = table(tmp_path / "a.csv"), table(tmp_path / "b.csv")
    with pytest.raises(MammoscopeError, match="no such file"):
        run(a, tmp_path / "gone.csv")
    with pytest.raises(MammoscopeError, match=r"no scores\.csv"):
        run(a, tmp_path)
    with pytest.raises(MammoscopeError, match="two sets"):
        run(a)
    with pytest.raises(MammoscopeError, match="twice"):
        run(a, a)
    with pytest.raises(MammoscopeError, match="3 times for 2 sets"):
        run(a, b, *["--threshold", 0.5] * 3)
    with pytest.raises(MammoscopeError, match="finite"):
        run(a, b, "--threshold", "nan")

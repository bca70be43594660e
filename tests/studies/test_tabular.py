"""The studies from files to record and page, and the command around them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import typer

from mammoscope.archives import uci
from mammoscope.cli.tabular import tabular
from mammoscope.core.errors import LayoutError, MissingDecoderError
from mammoscope.studies import tabular as study
from mammoscope.studies import tabular_models
from mammoscope.studies.tabular import QUICK, require_sklearn, run_tabular
from mammoscope.studies.tabular_models import CANDIDATES

FEW = ("most frequent", "logistic regression")
TINY = replace(QUICK, resamples=40, jobs=1)


@pytest.fixture
def folder(tmp_path):
    """Masses alone, 100 of them: older ones are malignant more often."""
    rng = np.random.default_rng(0)
    lines = []
    for i in range(100):
        malignant = i % 2
        age = int(rng.normal(50 + 12 * malignant, 10))
        margin = rng.integers(1, 4) + 2 * malignant
        lines.append(f"{3 + malignant + rng.integers(0, 2)},{age},2,{margin},3,{malignant}")
    (tmp_path / "mammographic_masses.data").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Ask few candidates: each is tried by itself in test_tabular_nested."""
    fast = tuple(one for one in CANDIDATES if one.name in FEW)
    monkeypatch.setattr(tabular_models, "CANDIDATES", fast)


@pytest.fixture
def run(monkeypatch, capsys):
    monkeypatch.setattr(study, "QUICK", TINY)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(tabular)

    def run_command(*arguments: object) -> str:
        app(args=[str(argument) for argument in arguments], standalone_mode=False)
        return capsys.readouterr().out

    return run_command


def test_the_command_writes_record_and_page_and_prints_the_figures(folder, run):
    out = run(folder, "--quick", "--jobs", 1, "--out", folder / "new" / "report")
    record = json.loads((folder / "new" / "report" / "tabular.json").read_text(encoding="utf-8"))
    page = (folder / "new" / "report" / "tabular.html").read_text(encoding="utf-8")
    assert "logistic regression" in out
    assert "Mammographic masses, with the reader" in page
    assert record["archive"]["missing"] == ["wisconsin-original", "wdbc", "wpbc"]
    # 100 rows are not the whole table, so the paper's split would be another.
    assert record["paper"] == []
    assert record["not_whole"] == ["mammographic-mass"]
    for question in record["questions"]:
        for one in question["candidates"]:
            assert set(one["auc"]) >= {"value", "low", "high", "n", "n_patients", "method"}
    by_name = {one["name"]: one for one in record["questions"][1]["candidates"]}
    assert by_name["logistic regression"]["auc"]["value"] > 0.7
    # With as many of each class, the larger one in training is the smaller one in the test fold.
    assert by_name["most frequent"]["accuracy"]["value"] <= 0.5


@pytest.mark.slow
def test_the_number_of_processes_changes_nothing(folder):
    archive = uci.read(folder)
    records = [run_tabular(archive, replace(TINY, jobs=jobs)) for jobs in (1, 2)]
    assert json.dumps(records[0]) == json.dumps(records[1])


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(study, "find_spec", lambda name: None)
    with pytest.raises(MissingDecoderError, match=r"mammoscope\[studies\]"):
        require_sklearn()


def test_a_folder_without_the_tables_is_refused_in_a_sentence(tmp_path, run):
    with pytest.raises(LayoutError, match=r"expected one of .*wdbc\.data"):
        run(tmp_path, "--quick")
    assert not (tmp_path / "tabular-report").exists()

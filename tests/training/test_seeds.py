"""Several seeds: each a run of its own, one tile set, and a fluke that shows as one."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.core.errors import BadValueError, CollapseError, NotFiniteError, TrainingError
from mammoscope.training import seeds as seeds_module
from mammoscope.training.seeds import (
    FILE,
    critical_distance,
    figures_in,
    is_outlier,
    kept_row,
    record_of,
    spread_of,
    train_seeds,
)
from mammoscope.training.settings import TileSettings

TEXT = 'name = "made"\ntask = "tiles"\ntiles = "set"\nseed = 9\n'


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def asked(monkeypatch):
    """Write what a run writes, its AUC a tenth of its seed, instead of training it."""
    made = []

    def train_settings(settings, folder, *, team):
        made.append((settings.seed, folder.name, settings.tiles))
        (folder / "run").mkdir(parents=True, exist_ok=True)
        figure = {"value": settings.seed / 10, "low": 0.0, "high": 1.0}
        (folder / "evaluation.json").write_text(json.dumps({"tiles": {"auc": figure}}))
        rows = [{"val_auc": 0.5, "val_loss": 1.0}, {"val_auc": None}]
        (folder / "run" / "history.json").write_text(json.dumps(rows))

    monkeypatch.setattr(seeds_module, "train_settings", train_settings)
    return made


def test_each_seed_is_a_run_in_its_folder_and_their_figures_are_compared(config, asked, tmp_path):
    path = train_seeds(config, [], tmp_path / "out", 3)
    assert asked == [(1, "seed-1", "set"), (2, "seed-2", "set"), (3, "seed-3", "set")]
    assert path == tmp_path / "out" / FILE
    record = json.loads(path.read_text())
    assert record["seeds"] == [1, 2, 3]
    (auc, validation) = record["figures"]
    assert auc["name"] == "test tiles auc"
    assert auc["values"] == [0.1, 0.2, 0.3]
    assert auc["mean"] == pytest.approx(0.2)
    assert auc["deviation"] == pytest.approx(0.1)
    assert (auc["low"], auc["high"], auc["best_seed"]) == (0.1, 0.3, 3)
    assert auc["is_fluke"] is False
    # The last epoch's weights are kept, and its figure is undefined.
    assert (validation["name"], validation["mean"]) == ("validation auc", None)
    assert record["notes"] == []


def test_one_seed_has_no_spread(config):
    with pytest.raises(BadValueError, match="--seeds 1: a spread needs 2 seeds or more"):
        train_seeds(config, [], None, 1)


def test_archives_are_cut_once_for_all_seeds_by_the_seed_of_the_file(asked, tmp_path, monkeypatch):
    from types import SimpleNamespace

    cut = []

    def tiles_of(settings, folder, _show):
        cut.append(settings.seed)
        return SimpleNamespace(folder=folder)

    monkeypatch.setattr("mammoscope.training.tile_run.tiles_of", tiles_of)
    config = tmp_path / "b.toml"
    config.write_text(TEXT.replace('tiles = "set"', 'archive = {name = "mini-mias", folder = "."}'))
    train_seeds(config, [], tmp_path / "out", 2)
    assert cut == [9]
    assert {tiles for _, _, tiles in asked} == {str(tmp_path / "out" / "tiles")}


@pytest.mark.parametrize("error", [CollapseError("one class."), NotFiniteError("no number.")])
def test_a_seed_that_fails_is_named_and_the_others_go_on(
    config, asked, monkeypatch, tmp_path, error
):
    train = seeds_module.train_settings

    def second_fails(settings, folder, *, team):
        if settings.seed == 2:
            raise error
        train(settings, folder, team=team)

    monkeypatch.setattr(seeds_module, "train_settings", second_fails)
    record = json.loads(train_seeds(config, [], tmp_path, 4).read_text())
    assert record["failed"] == {"2": str(error)}
    assert record["figures"][0]["values"] == [0.1, None, 0.3, 0.4]
    assert record["notes"][0] == f"Seed 2 failed and is in no mean: {error}"


def test_what_would_stop_every_seed_stops_at_the_first(config, monkeypatch, tmp_path):
    tried = []

    def full(settings, folder, *, team):
        tried.append(settings.seed)
        raise TrainingError("no room.") from OSError(28, "No space left on device")

    monkeypatch.setattr(seeds_module, "train_settings", full)
    with pytest.raises(TrainingError, match="no room"):
        train_seeds(config, [], tmp_path, 4)
    assert tried == [1]


def test_seeds_that_all_fail_raise_the_last_ones_error(config, monkeypatch, tmp_path):
    def collapse(settings, folder, *, team):
        raise CollapseError(f"seed {settings.seed} collapsed.")

    monkeypatch.setattr(seeds_module, "train_settings", collapse)
    with pytest.raises(CollapseError, match="seed 2 collapsed"):
        train_seeds(config, [], tmp_path, 2)


# What the spread says


def by_seed(values):
    return dict(enumerate(values, 1))


# One-sided critical values at 5 % of Grubbs 1969, Table I.
@pytest.mark.parametrize(
    ("count", "published"), [(3, 1.153), (4, 1.463), (5, 1.672), (7, 1.938), (10, 2.176)]
)
def test_critical_distances_are_those_that_grubbs_published(count, published):
    assert critical_distance(count) == pytest.approx(published, abs=1e-3)


def test_a_seed_far_above_the_others_is_a_fluke_and_told():
    values = [0.80, 0.81, 0.79, 0.80, 0.95]
    record = record_of("made", {s: {"test auc": v} for s, v in enumerate(values, 1)}, {})
    (auc,) = record["figures"]
    assert auc["is_fluke"] is True
    (note,) = record["notes"]
    assert note.startswith("test auc: seed 5 is far better than the others")


def test_a_seed_far_below_the_others_is_bad_luck_and_no_fluke():
    assert spread_of("test auc", by_seed([0.80, 0.81, 0.79, 0.80, 0.5])).is_fluke is False


def test_of_losses_the_smallest_is_the_best():
    spread = spread_of("validation cross_entropy", by_seed([0.6, 0.61, 0.2, 0.6, 0.59]))
    assert (spread.best_seed, spread.is_fluke) == (3, True)


def test_fewer_than_three_seeds_judge_nothing_and_say_so():
    record = record_of("made", {1: {"test auc": 0.5}, 2: {"test auc": 0.9}}, {})
    (auc,) = record["figures"]
    assert (auc["is_fluke"], auc["best_seed"]) == (None, 2)
    assert "fewer than 3 seeds" in record["notes"][0]


def test_equal_figures_and_baselines_have_no_best_seed():
    for name, values in (("test auc", [0.5, 0.5, 0.5]), ("tiles majority_baseline", [1, 2, 3])):
        spread = spread_of(name, by_seed(values))
        assert (spread.best_seed, spread.is_fluke) == (None, None)


def test_what_is_undefined_in_a_run_is_left_out_of_the_mean():
    spread = spread_of("test auc", by_seed([0.5, None, 0.7, float("nan")]))
    assert (spread.mean, spread.low, spread.high) == (pytest.approx(0.6), 0.5, 0.7)
    none = spread_of("test auc", by_seed([None, None, None]))
    assert (none.mean, none.deviation, none.low, none.best_seed) == (None, None, None, None)


def test_about_one_in_twenty_figures_without_a_fluke_is_taken_for_one():
    rng = np.random.default_rng(0)
    share = np.mean([is_outlier(rng.normal(size=5)) for _ in range(2000)])
    # Two standard errors of a share of 0.05 in 2000 are 0.01.
    assert share == pytest.approx(0.05, abs=0.01)


@given(
    st.lists(st.integers(0, 100), min_size=3, max_size=9).filter(lambda v: len(set(v)) > 1),
    st.floats(0.1, 10),
    st.floats(-5, 5),
)
def test_the_scale_of_a_figure_does_not_matter(values, scale, shift):
    moved = [scale * value + shift for value in values]
    gap = abs((max(values) - np.mean(values)) / np.std(values, ddof=1))
    # On the border rounding decides.
    if abs(gap - critical_distance(len(values))) > 1e-6:
        assert is_outlier(values) == is_outlier(moved)


def test_the_figures_of_the_epoch_whose_weights_are_kept_are_taken():
    rows = [{"val_auc": 0.6}, {"val_auc": 0.8}, {"val_auc": None}, {"val_auc": 0.8}, {"val_auc": 1}]
    assert kept_row(rows[:4], "auc") is rows[1]
    assert kept_row(rows, None) is rows[4]
    losses = [{"val_cross_entropy": 0.4}, {"val_cross_entropy": 0.3}]
    assert kept_row(losses, "cross_entropy") is losses[1]


def test_every_figure_with_an_interval_is_found_wherever_it_stands(tmp_path):
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 3}
    content = {"counts": {"tiles": 3}, "tiles": {"auc": figure, "recall of normal": figure}}
    (tmp_path / "evaluation.json").write_text(json.dumps(content))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "history.json").write_text('[{"val_auc": 0.7, "loss": 1}]')
    found = figures_in(tmp_path, TileSettings(name="a", tiles="set"))
    assert found == {
        "test tiles auc": 0.5,
        "test tiles recall of normal": 0.5,
        "validation auc": 0.7,
    }

"""Settings of a run on tiles: every option is reached by name, and wrong ones are explained."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import get_args, get_type_hints

import pytest
import torch

from mammoscope.core.config import read_settings
from mammoscope.core.errors import BadValueError, UnknownKeyError, UnknownNameError
from mammoscope.training.settings import ArchiveSettings, DenseSettings, TileSettings
from mammoscope.training.start import Freeze, Keep

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
PLACE = 'archive = {name = "mini-mias", folder = "."}\nname = "a"\n'


def leaves(kind, where=""):
    """Every key of a settings class that holds a value: its name, its type, its default."""
    types = get_type_hints(kind)
    for field in fields(kind):
        inner = [t for t in get_args(types[field.name]) if t is not NoneType]
        of = inner[0] if inner else types[field.name]
        if is_dataclass(of):
            if field.name not in ("archive", "archives"):
                yield from leaves(of, f"{where}{field.name}.")
        else:
            yield f"{where}{field.name}", of


def value_of(settings, key):
    for name in key.split("."):
        settings = getattr(settings, name)
    return settings


OPTIONS = [key for key, _ in leaves(TileSettings) if key not in ("tiles", "task", "name")]


@pytest.mark.parametrize("key", OPTIONS)
def test_every_option_can_be_set_from_the_command_line(key):
    plain = read_settings(PLACE, TileSettings)
    now = value_of(plain, key)
    kind = dict(leaves(TileSettings))[key]
    text = {bool: "true", int: "1", float: "0.5"}.get(kind, "x")
    if now is not None and not isinstance(now, bool):
        text = str(list(now) if isinstance(now, tuple) else now)
    elif kind is str and key == "input.scaling":
        text = "raw"
    changed = read_settings(PLACE, TileSettings, overrides=[f"{key}={text}"])
    assert value_of(changed, key) is not None


@pytest.mark.parametrize(
    "line",
    [
        "weight = 3",
        "loss.weight = 3",
        "input.scale = 'raw'",
        "start.freezing = true",
        "recipe.radius = 3",
    ],
)
def test_an_unknown_key_is_refused_with_the_known_ones(line):
    with pytest.raises(UnknownKeyError, match=r"there is no key .*; known are: "):
        read_settings(PLACE + line, TileSettings)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("batch_size = 1", "batch_size 2 or more"),
        ("epochs = 0", "epochs must be 1 or more"),
        ("seed = -1", "seed 0 or more"),
        ("threshold = 1.0", "threshold must be above 0 and below 1"),
        ("clip_norm = 0.0", "clip_norm must be above 0"),
        ('input.scaling = "log"', r"in \[input\].*must be raw or unit or centred, not 'log'"),
        ("input.contrast = 0.0", "contrast must be above 0"),
        ("input.spacing_mm = 20.0", r"spacing_mm must be 0\.01 to 2"),
        ("regular.conv_l2 = -1.0", "conv_l2 and dense_l2 must be 0 or more"),
        ("regular.pool_dropout = 1.0", "below 1"),
        ("stop.patience = 0", "patience must be 1 or more"),
        ('stop.figure = "area"', "figure must be accuracy or auc"),
        ('precision = "float16"', "one of float32, bfloat16"),
        ('start.keep = "some"', "one of features, all-but-output, all, run"),
        ('on_alarm = "cry"', "one of stop, tell"),
        ('tiles = "set"', r"come from one of: tiles = FOLDER, \[archive\]"),
    ],
)
def test_values_outside_their_range_are_refused(line, message):
    with pytest.raises(BadValueError, match=message):
        read_settings(PLACE + line, TileSettings)


def test_a_run_without_tiles_is_refused():
    with pytest.raises(BadValueError, match="come from one of"):
        read_settings('name = "a"', TileSettings)


def test_an_unknown_head_is_answered_with_the_known_ones():
    with pytest.raises(UnknownNameError, match="head called 'six'"):
        read_settings(PLACE + 'head = "six"', TileSettings)


def test_several_archives_are_tables_of_a_list():
    text = 'name = "a"\n[[archives]]\nname = "ddsm"\nfolder = "d"\n'
    text += '[[archives]]\nname = "cbis-ddsm"\nfolder = "c"\n'
    assert read_settings(text, TileSettings).sources == (
        ArchiveSettings(name="ddsm", folder="d"),
        ArchiveSettings(name="cbis-ddsm", folder="c"),
    )


def test_only_the_recipes_options_that_were_given_reach_it():
    settings = read_settings(PLACE + "recipe.faithful_splits = true", TileSettings)
    assert settings.recipe.options() == {"faithful_splits": True}


def test_start_and_freeze_are_read_by_their_names():
    text = PLACE + '[start]\nkeep = "features"\nfreeze = "all-but-output"\n'
    start = read_settings(text, TileSettings).start
    assert (start.keep, start.freeze) == (Keep.FEATURES, Freeze.ALL_BUT_OUTPUT)


RUNS = [p for p in sorted(CONFIGS.glob("*.toml")) if "[experiment]" not in p.read_text("utf-8")]


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_the_packaged_settings_can_be_read(path):
    text = path.read_text(encoding="utf-8")
    kind = TileSettings if 'task = "tiles"' in text else DenseSettings
    assert read_settings(text, kind).name


def test_the_precision_of_a_dense_run_is_read_and_means_a_type():
    plain, quick = (
        read_settings(PLACE, DenseSettings, overrides=given)
        for given in ([], ["precision=bfloat16"])
    )
    assert plain.precision.autocast is None
    assert quick.precision.autocast is torch.bfloat16


def test_the_settings_for_mini_mias_are_the_papers():
    text = (CONFIGS / "paper-mias-9.toml").read_text(encoding="utf-8")
    settings = read_settings(text, TileSettings)
    assert (settings.architecture, settings.batch_size) == ("1.0.0.35", 32)
    assert (settings.optimiser.learning_rate, settings.rate.decay) == (0.001, 0.8)
    assert settings.rate.epochs_a_stair == 5
    assert settings.loss.positive_weight == 2

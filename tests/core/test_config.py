"""Settings from TOML: types, tables, overrides, and one sentence for each mistake."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.core.config import parse_toml, read_settings, settings_from
from mammoscope.core.errors import BadValueError, ConfigError, UnknownKeyError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    rate: float = 0.1
    steps: int = 10

    def __post_init__(self):
        if not self.rate > 0:
            raise ValueError(f"rate must be above 0, got {self.rate}")


@dataclass(frozen=True, kw_only=True)
class Run:
    name: str
    epochs: int = 1
    quick: bool = False
    folder: Path = Path("runs")
    colour: Colour = Colour.RED
    note: str | None = None
    limit: int | None = None
    shape: tuple[int, int] = (1, 2)
    factors: tuple[float, ...] = ()
    optimiser: Optimiser = field(default_factory=Optimiser)
    second: Optimiser | None = None


def read(text="", *overrides):
    return read_settings('name = "a"\n' + text, Run, overrides=overrides, source="run.toml")


def test_what_is_not_given_stays_as_it_is():
    assert read() == Run(name="a")


def test_every_type_of_value_is_read():
    text = """
    epochs = 3
    quick = true
    folder = "x/y"
    colour = "blue"
    note = "n"
    limit = 5
    shape = [3, 4]
    factors = [1, 2.5]
    [optimiser]
    rate = 1
    [second]
    steps = 2
    """
    assert read(text) == Run(
        name="a",
        epochs=3,
        quick=True,
        folder=Path("x/y"),
        colour=Colour.BLUE,
        note="n",
        limit=5,
        shape=(3, 4),
        factors=(1.0, 2.5),
        optimiser=Optimiser(rate=1.0),
        second=Optimiser(steps=2),
    )


def test_a_whole_number_becomes_a_float_where_one_is_wanted():
    assert isinstance(read("[optimiser]\nrate = 1").optimiser.rate, float)


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("epochs=4", "epochs", 4),
        (" epochs = 4 ", "epochs", 4),
        ("quick=true", "quick", True),
        ("name=deep", "name", "deep"),
        ('name="deep"', "name", "deep"),
        ("name=2", "name", "2"),
        ("name=a=b", "name", "a=b"),
        ("name=", "name", ""),
        ("note=3", "note", "3"),
        ("limit=3", "limit", 3),
        ("folder=/data/my scans", "folder", Path("/data/my scans")),
        ("colour=blue", "colour", Colour.BLUE),
        ("shape=[5, 6]", "shape", (5, 6)),
        ("optimiser.rate=0.5", "optimiser", Optimiser(rate=0.5)),
        ("second.steps=1", "second", Optimiser(steps=1)),
        ("second={steps = 1}", "second", Optimiser(steps=1)),
    ],
)
def test_an_override_is_laid_over_the_file(override, key, value):
    assert getattr(read("", override), key) == value


def test_the_last_override_wins():
    assert read("epochs = 2", "epochs=3", "epochs=4").epochs == 4


def test_an_override_cannot_smuggle_in_another_key():
    assert read("", "name=x\nepochs = 9") == Run(name="x\nepochs = 9")


@pytest.mark.parametrize(
    ("text", "overrides", "told"),
    [
        ("epoch = 3", [], "'epoch'; known are: epochs"),
        ("[optimiser]\nrat = 3", [], "'optimiser.rat'; known are: optimiser.rate"),
        ("", ["optimiser.zzz=1"], "known are: optimiser.rate, optimiser.steps"),
        ("", ["epoch=3"], "'epoch'; known are: epochs"),
        ("epochs = 1", ["epochs.x=3"], "'epochs' is a value"),
    ],
)
def test_an_unknown_key_is_told_with_those_near_it(text, overrides, told):
    with pytest.raises(UnknownKeyError, match=told):
        read(text, *overrides)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("epochs = 1.5", "'epochs' must be a whole number, but it is 1.5"),
        ("epochs = true", "'epochs' must be a whole number, but it is True"),
        ("quick = 1", "'quick' must be true or false"),
        ("folder = 1", "'folder' must be a path in quotes"),
        ('colour = "green"', "'colour' must be one of red, blue, but it is 'green'"),
        ("colour = 3", "'colour' must be one of red, blue"),
        ("colour = []", "'colour' must be one of red, blue"),
        ("note = 1", "'note' must be a text in quotes"),
        ('shape = "wide"', "'shape' must be a list"),
        ("shape = [1]", "'shape' must be a list of 2 values"),
        ("factors = [1, true]", "'factors' must be a finite number"),
        ("optimiser = 3", "'optimiser' must be a table"),
        ("[optimiser]\nrate = nan", "'optimiser.rate' must be a finite number"),
        ("[optimiser]\nrate = inf", "'optimiser.rate' must be a finite number"),
        ("[optimiser]\nrate = -1", r"in \[optimiser\] cannot be used: rate must be above 0"),
    ],
)
def test_a_bad_value_is_told_with_what_was_expected(text, told):
    with pytest.raises(BadValueError, match=told) as caught:
        read(text)
    assert str(caught.value).startswith("run.toml: ")
    assert "\n" not in str(caught.value)


def test_a_key_that_must_be_given_is_missed():
    with pytest.raises(BadValueError, match=r"run\.toml: 'name' is missing"):
        read_settings("", Run, source="run.toml")


def test_broken_toml_is_told_with_its_line():
    with pytest.raises(ConfigError, match=r"run\.toml: no valid TOML .*line 2"):
        read("epochs = =\nx = 1")


@pytest.mark.parametrize("override", ["epochs", "=3", "a..b=3", ".a=1"])
def test_an_override_that_is_no_setting_is_refused(override):
    with pytest.raises(ConfigError, match="key=value"):
        read("", override)


def test_parsed_values_can_be_looked_at_before_their_kind_is_known():
    values = parse_toml('task = "dense"\n[a]\nb = 1', ["a.b=2"])
    assert values["task"] == "dense"


def test_settings_that_cannot_be_held_are_our_own_mistake():
    @dataclass(frozen=True)
    class Odd:
        table: dict

    with pytest.raises(TypeError, match="cannot hold"):
        settings_from({"table": {}}, Odd)


@given(st.integers(-(2**63), 2**63 - 1), st.floats(min_value=1e-9, max_value=1e9), st.booleans())
def test_a_value_means_the_same_in_the_file_and_as_override(epochs, rate, quick):
    word = str(quick).lower()
    text = f"epochs = {epochs}\nquick = {word}\n[optimiser]\nrate = {rate!r}"
    overrides = [f"epochs={epochs}", f"quick={word}", f"optimiser.rate={rate!r}"]
    assert read(text) == read("", *overrides)

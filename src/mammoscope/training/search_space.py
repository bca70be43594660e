"""What a sweep may change, as its TOML file says: any option of a run, in a range or of choices."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from mammoscope.core.config import settings_from
from mammoscope.core.errors import BadValueError, UnknownKeyError

Value = bool | int | float | str
KEYS = ({"choices"}, {"low", "high"}, {"low", "high", "log"}, {"low", "high", "step"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers from `low` to `high`, both among them; `log`: each factor equally often."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    is_whole: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError("low must be below high")
        if self.log and not self.low > 0:
            raise ValueError("low must be above 0 where log = true")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ValueError("step must be above 0 and fit between low and high")
        whole = (self.low, self.high, 1 if self.step is None else self.step)
        if self.is_whole and not all(float(one).is_integer() for one in whole):
            raise ValueError("the option takes whole numbers")

    @property
    def first(self) -> Value:
        """A value of the range."""
        return int(self.low) if self.is_whole else float(self.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """One of some values."""

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2 or len(set(map(repr, self.values))) < len(self.values):
            raise ValueError("choices must be two or more different values")
        if not all(isinstance(one, bool | int | float | str) for one in self.values):
            raise ValueError("choices must be texts, numbers or true and false")

    @property
    def first(self) -> Value:
        """A value of the choices."""
        return self.values[0]


Space = Mapping[str, Range | Choices]


def read_space(tables: Mapping[str, Any], kind: type, source: str) -> Space:
    """Read the table ``[search]``.

    Parameters
    ----------
    tables : by option, "a.b" or nested, each ``{low, high}`` with ``log`` or ``step``, or
        ``{choices}``
    kind : the dataclass of a run's settings; decides which options take whole numbers
    source : the file's name, for messages

    Raises
    ------
    UnknownKeyError
        When there is no such option.
    BadValueError
        When a range is none.
    """
    space: dict[str, Range | Choices] = {}
    for name, table in _leaves(tables, "", source):
        wanted = _type_of(kind, name, source)
        try:
            space[name] = _entry(table, wanted)
        except (ValueError, TypeError) as error:
            raise BadValueError(f"{source}: {name!r} in [search]: {error}.") from error
    if not space:
        raise BadValueError(
            f"{source}: [search] names no option; give one or more, as in "
            '"optimiser.learning_rate" = {low = 1e-4, high = 1e-2, log = true}.'
        )
    return space


def with_values(values: Mapping[str, Any], chosen: Mapping[str, Value]) -> dict[str, Any]:
    """Lay chosen options over the values of a settings file, which stay as they are."""
    laid: dict[str, Any] = deepcopy(dict(values))
    for name, value in chosen.items():
        *tables, last = name.split(".")
        table = laid
        for one in tables:
            table = table.setdefault(one, {})
        table[last] = value
    return laid


def check_space(space: Space, values: Mapping[str, Any], kind: type, source: str) -> None:
    """Refuse a space of which an option cannot be set, before anything is trained.

    Raises
    ------
    ConfigError
        When an option is unknown or of another type.
    """
    for name, entry in space.items():
        settings_from(with_values(values, {name: entry.first}), kind, source=source)


def _leaves(tables: Mapping[str, Any], where: str, source: str) -> Iterator[tuple[str, Any]]:
    """Walk to the tables that are a range or choices."""
    for key, table in tables.items():
        name = f"{where}.{key}" if where else key
        if not isinstance(table, Mapping):
            raise BadValueError(
                f"{source}: {name!r} in [search] must be {{low, high}} or {{choices}}."
            )
        if set(table) in KEYS:
            yield name, table
        elif all(isinstance(inner, Mapping) for inner in table.values()) and table:
            yield from _leaves(table, name, source)
        else:
            raise BadValueError(
                f"{source}: {name!r} in [search] has the keys {', '.join(table) or 'none'}; it "
                "takes low and high with log or step, or choices."
            )


def _entry(table: Mapping[str, Any], wanted: type) -> Range | Choices:
    if "choices" in table:
        if not isinstance(table["choices"], list):
            raise ValueError("choices must be a list")
        return Choices(values=tuple(table["choices"]))
    numbers = [table[key] for key in ("low", "high", "step") if key in table]
    are_numbers = all(type(one) in (int, float) for one in numbers)
    if not are_numbers or type(table.get("log", False)) is not bool:
        raise ValueError("low, high and step must be numbers, and log true or false")
    if wanted not in (int, float):
        raise ValueError("the option takes no numbers; use choices")
    return Range(**table, is_whole=wanted is int)


def _type_of(kind: Any, name: str, source: str) -> Any:
    """Find the type of an option; what may be missing too is taken as what it is when given."""
    for part in name.split("."):
        known = {one.name for one in fields(kind)} if is_dataclass(kind) else set()
        if part not in known:
            raise UnknownKeyError(
                f"{source}: [search] names {name!r}, and a run has no such option; "
                f"docs/training/run.md lists them."
            )
        kind = get_type_hints(kind)[part]
        if get_origin(kind) in (Union, UnionType):
            (kind,) = (one for one in get_args(kind) if one is not NoneType)
    return kind

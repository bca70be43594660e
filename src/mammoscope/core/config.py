"""Settings: TOML text to a frozen dataclass, with `--set a.b=value` laid over it.

A dataclass is the whole description of its settings: its fields are the keys that exist, their
types the values that are taken, and a field that is a dataclass itself is a table. Limits of values
are checked by the dataclass's own `__post_init__`, which raises ``ValueError``.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from enum import Enum
from math import isfinite
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from mammoscope.core.errors import BadValueError, ConfigError, UnknownKeyError

Settings = TypeVar("Settings")


class _Typed(str):
    """A value as typed after ``--set key=``, whose meaning depends on the key's type."""

    __slots__ = ()


def parse_toml(
    text: str, overrides: Sequence[str] = (), *, source: str = "the settings"
) -> dict[str, Any]:
    """Read TOML text and lay overrides over it, without looking at what the keys mean.

    Parameters
    ----------
    text : TOML
    overrides : each "a.b=value", value as TOML writes it; the quotes of a text may be left out
    source : the file's name, for messages

    Raises
    ------
    ConfigError
        When the text is no TOML or an override is no "key=value".
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: no valid TOML ({error}); mend the file there.") from error
    for override in overrides:
        _lay_over(values, override)
    return values


def settings_from(
    values: Mapping[str, Any], kind: type[Settings], *, source: str = "the settings"
) -> Settings:
    """Make the settings `kind`, a dataclass, from parsed values.

    Raises
    ------
    UnknownKeyError
        When a key does not exist; keys near it are named.
    BadValueError
        When a value is missing, of another type, or outside its range.
    """
    made: Settings = _table(values, kind, source, "")
    return made


def read_settings(
    text: str,
    kind: type[Settings],
    *,
    overrides: Sequence[str] = (),
    source: str = "the settings",
) -> Settings:
    """Read TOML text into the dataclass `kind`, overrides last.

    Raises
    ------
    ConfigError
        As `parse_toml` and `settings_from` do.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Plan:
    ...     epochs: int = 1
    ...     name: str = "plain"
    >>> read_settings("epochs = 3", Plan, overrides=["name=deep"])
    Plan(epochs=3, name='deep')
    """
    return settings_from(parse_toml(text, overrides, source=source), kind, source=source)


def _lay_over(values: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise ConfigError(f"--set {override}: a setting is given as key=value, as in --set seed=1.")
    table = values
    for name in names[:-1]:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise UnknownKeyError(
                f"--set {override}: {name!r} is a value, and no key can stand below it."
            )
        table = inner
    table[names[-1]] = _Typed(value.strip())


def _table(values: Any, kind: Any, source: str, where: str) -> Any:
    """Make the dataclass `kind` from the table `where`."""
    if not isinstance(values, Mapping):
        raise BadValueError(f"{source}: {where!r} must be a table [{where}] of keys.")
    known = {field.name: field for field in fields(kind) if field.init}
    _refuse_unknown(values, known, source, where)
    missing = [
        name
        for name, field in known.items()
        if name not in values and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise BadValueError(f"{source}: {_join(where, missing[0])!r} is missing; give it a value.")
    types = get_type_hints(kind)
    given = {
        name: _value(value, types[name], source, _join(where, name))
        for name, value in values.items()
    }
    try:
        return kind(**given)
    except ValueError as error:
        place = f" in [{where}]" if where else ""
        raise BadValueError(f"{source}: a value{place} cannot be used: {error}.") from error


def _refuse_unknown(
    values: Mapping[str, Any], known: Mapping[str, Any], source: str, where: str
) -> None:
    for name in values:
        if name not in known:
            near = get_close_matches(name, known, n=3) or sorted(known)
            raise UnknownKeyError(
                f"{source}: there is no key {_join(where, name)!r}; "
                f"known are: {', '.join(_join(where, key) for key in near)}."
            )


def _value(value: Any, kind: Any, source: str, where: str) -> Any:
    """Bring one value to the type of its field."""
    if isinstance(value, _Typed):
        value = _plain(value, kind)
    if is_dataclass(kind):
        return _table(value, kind, source, where)
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        # Only "X or nothing" occurs: TOML has no null, so a value that is given is an X.
        (inner,) = (member for member in get_args(kind) if member is not NoneType)
        return _value(value, inner, source, where)
    if origin is tuple:
        return _several(value, get_args(kind), source, where)
    return _single(value, kind, source, where)


def _plain(typed: _Typed, kind: Any) -> Any:
    """Read a typed value as TOML where that can be, else as bare text."""
    try:
        parsed = tomllib.loads(f"value = {typed}")
    except tomllib.TOMLDecodeError:
        return str(typed)
    if set(parsed) != {"value"}:
        return str(typed)
    value = parsed["value"]
    # `--set version=2` means the text "2" where the key holds a text.
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    wants_text = str in members or Path in members
    return str(typed) if wants_text and not isinstance(value, str) else value


def _several(value: Any, kinds: tuple[Any, ...], source: str, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        _refuse(value, "a list", source, where)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(value) != len(kinds):
        _refuse(value, f"a list of {len(kinds)} values", source, where)
    return tuple(_value(v, k, source, where) for v, k in zip(value, kinds, strict=True))


def _single(value: Any, kind: Any, source: str, where: str) -> Any:
    """Check a value that is no list and no table."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        choices = [str(member.value) for member in kind]
        if value not in choices:
            _refuse(value, f"one of {', '.join(choices)}", source, where)
        return kind(value)
    if kind not in _PLAIN:
        raise TypeError(f"settings cannot hold a {kind} ({where})")
    words, taken = _PLAIN[kind]
    # A boolean is an int to Python, but nobody who writes `epochs = true` means 1.
    if not isinstance(value, taken) or isinstance(value, bool) != (kind is bool):
        _refuse(value, words, source, where)
    if isinstance(value, float) and not isfinite(value):
        _refuse(value, words, source, where)
    return kind(value)


_PLAIN: dict[Any, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a finite number", (int, float)),
    str: ("a text in quotes", (str,)),
    Path: ("a path in quotes", (str,)),
}


def _refuse(value: Any, wanted: str, source: str, where: str) -> NoReturn:
    raise BadValueError(f"{source}: {where!r} must be {wanted}, but it is {value!r}.")


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name

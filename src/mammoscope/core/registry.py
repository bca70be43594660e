"""Names of things that are imported only when they are used."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from mammoscope.core.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class Registry:
    """A table of names, each standing for a "module:function" that is imported on use.

    Attributes
    ----------
    kind : what the names name, for messages: "model", "archive"
    places : name to "module:function"
    """

    kind: str
    places: Mapping[str, str]

    def __post_init__(self) -> None:
        for name, place in self.places.items():
            module, colon, function = place.partition(":")
            if not (module and colon and function):
                raise ValueError(f"{self.kind} {name!r} needs a 'module:function', got {place!r}")

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, sorted."""
        return tuple(sorted(self.places))

    def get(self, name: str) -> Any:
        """Import what `name` stands for.

        Raises
        ------
        UnknownNameError
            When there is no such name; names near it are listed.
        """
        if name not in self.places:
            raise UnknownNameError.among(self.kind, name, self.places)
        module, _, function = self.places[name].partition(":")
        return getattr(import_module(module), function)

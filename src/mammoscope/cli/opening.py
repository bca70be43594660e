"""Archives as commands take them: a name with a folder or a URL, or pairs of these."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mammoscope.cli.console import counting
from mammoscope.core.errors import BadValueError, UnknownNameError

if TYPE_CHECKING:
    from mammoscope.archives.archive import Archive

ArchivesArgument = Annotated[
    list[str],
    typer.Argument(metavar="NAME DIR ...", help="Each archive's name and its folder, or URL."),
]


def open_at(name: str, place: str) -> "Archive":
    """Open an archive in a folder, or at a URL of which it is copied into the cache first.

    Raises
    ------
    UnknownNameError, MissingFileError, LayoutError, CorruptFileError
        When it cannot be copied or opened.
    """
    from mammoscope.archives.open import NAMES, open_archive
    from mammoscope.tiles.remote import is_remote, local_path
    from mammoscope.tiles.remote_archive import copied

    if not is_remote(place):
        return open_archive(name, local_path(place))
    if name not in NAMES:
        # Said before gigabytes are copied.
        raise UnknownNameError.among("archive", name, NAMES)
    with counting(f"copying {place}") as on_done:
        return open_archive(name, copied(place, on_done=on_done))


def open_pairs(words: Sequence[str]) -> "list[Archive]":
    """Open archives named in pairs, as ``["mini-mias", "DIR"]``.

    Raises
    ------
    BadValueError
        When a name has no folder.
    UnknownNameError, MissingFileError, LayoutError, CorruptFileError
        When one cannot be copied or opened.
    """
    if len(words) % 2:
        raise BadValueError(
            f"Each archive needs its name and its folder, as in `mini-mias DIR`, not "
            f"{' '.join(words)!r}."
        )
    return [open_at(name, place) for name, place in zip(words[::2], words[1::2], strict=True)]

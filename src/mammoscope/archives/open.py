"""Archives by name or by what their folder holds."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

from mammoscope.archives.archive import Archive
from mammoscope.core.errors import LayoutError, MissingFileError, UnknownNameError

NAMES = {
    "mini-mias": "322 film scans of 161 patients at 200 micrometres, both breasts, MLO (MIAS)",
    "cbis-ddsm-800": "CBIS-DDSM's training masses as 800 x 800 pictures with labels.csv",
}
_MODULES = {
    "mini-mias": "mammoscope.archives.mini_mias",
    "cbis-ddsm-800": "mammoscope.archives.cbis_ddsm_800",
}


def open_archive(name_or_path: str | Path, folder: str | Path | None = None) -> Archive:
    """Open an archive.

    Parameters
    ----------
    name_or_path : a name of `NAMES` with `folder`, or a folder alone, whose files then tell
    folder : where the named archive lies

    Raises
    ------
    UnknownNameError
        When there is no archive of that name.
    MissingFileError
        When the folder, or every scan in it, is not there.
    LayoutError
        When the folder holds something else.
    """
    if folder is not None:
        name = str(name_or_path)
        if name not in _MODULES:
            raise UnknownNameError.among("archive", name, NAMES)
        return _read(name, _existing(Path(folder)))
    place = Path(name_or_path)
    if isinstance(name_or_path, str) and not place.exists():
        _refuse_bare_name(name_or_path)
    _existing(place)
    for name, module in _MODULES.items():
        if import_module(module).is_here(place):
            return _read(name, place)
    raise LayoutError(
        f"{place}: no archive is recognised here (known: {', '.join(sorted(NAMES))}); "
        "give the folder that holds its table, Info.txt or labels.csv."
    )


def _refuse_bare_name(name: str) -> None:
    """Tell what a word that is no folder lacks as the name of an archive."""
    if name in NAMES:
        raise MissingFileError(
            f"{name}: the archive's folder is needed too, as in open_archive({name!r}, FOLDER)."
        )
    if Path(name).name == name:
        raise UnknownNameError.among("folder or archive", name, NAMES)


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: there is no such folder; give the archive's folder.")
    return folder


def _read(name: str, folder: Path) -> Archive:
    archive: Archive = import_module(_MODULES[name]).read(folder)
    return replace(archive, description=NAMES[name])

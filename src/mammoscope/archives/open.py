"""Archives by name or by what their folder holds."""

import os
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from mammoscope.archives.archive import Archive
from mammoscope.core.errors import LayoutError, MissingFileError, UnknownNameError

NAMES = {
    "mini-mias": "322 film scans of 161 patients at 200 micrometres, both breasts, MLO (MIAS)",
    "mias-50um": "the films of mini-MIAS at their first resolution of 50 micrometres",
    "cbis-ddsm": "CBIS-DDSM as downloaded: 3,032 film scans of 1,566 patients, masks, four tables",
    "cbis-ddsm-800": "CBIS-DDSM's training masses as 800 x 800 pictures with labels.csv",
    "ddsm": "DDSM's own files: 2,604 cases of four film scans (LJPEG, .ics, .OVERLAY)",
    "ddsm-299": "900 cases of DDSM as 299 x 299 pictures with index.csv",
    "inbreast": "INbreast: 410 digital scans with outlines",
    "vindr-mammo": "VinDr-Mammo: 5,000 digital exams of four scans with boxes",
    "cmmd": "CMMD: 5,202 digital scans of 1,775 patients, benign or malignant by biopsy",
    "rsna": "RSNA's screening challenge: 54,706 digital scans, cancer by breast",
    "uci": "the four tables about breast cancer in the UCI repository",
    "author-tiles": "the tiles that the paper's author published: TFRecords and .npy",
    "dicom": "any folder of DICOM mammograms, with or without DICOMDIR",
}
# In the order in which a folder is looked at: any of them may hold DICOM files.
_MODULES = {
    "mini-mias": "mammoscope.archives.mini_mias",
    "mias-50um": "mammoscope.archives.mias_50",
    "cbis-ddsm-800": "mammoscope.archives.cbis_ddsm_800",
    "ddsm-299": "mammoscope.archives.ddsm_299",
    "uci": "mammoscope.archives.uci",
    "author-tiles": "mammoscope.archives.author_tiles",
    "inbreast": "mammoscope.archives.inbreast",
    "vindr-mammo": "mammoscope.archives.vindr_mammo",
    "rsna": "mammoscope.archives.rsna",
    "cmmd": "mammoscope.archives.cmmd",
    "cbis-ddsm": "mammoscope.archives.cbis_ddsm",
    "ddsm": "mammoscope.archives.ddsm",
    "dicom": "mammoscope.archives.dicom_folder",
}
SAME_FILMS = (
    {"mini-mias", "mias-50um"},
    {"cbis-ddsm", "cbis-ddsm-800", "ddsm", "ddsm-299"},
)


def share_films(name: str, other: str) -> bool:
    """Tell whether two archives, by name, are one or hold films of the same patients."""
    return name == other or any({name, other} <= names for names in SAME_FILMS)


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
        When the folder, one of its tables or every scan in it is not there or may not be opened.
    LayoutError
        When the folder holds something else.
    """
    try:
        return _opened(name_or_path, folder)
    except OSError as error:
        raise MissingFileError(
            f"{error.filename or folder or name_or_path}: it cannot be opened "
            f"({error.strerror or error}); change its permissions, or get it again."
        ) from error


def _opened(name_or_path: str | Path, folder: str | Path | None) -> Archive:
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
        "give the folder that holds its tables or scans."
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
    if not os.access(folder, os.R_OK | os.X_OK):
        raise MissingFileError(f"{folder}: the folder may not be opened; change its permissions.")
    return folder


def _read(name: str, folder: Path) -> Archive:
    archive: Archive = import_module(_MODULES[name]).read(folder)
    return replace(archive, description=NAMES[name])

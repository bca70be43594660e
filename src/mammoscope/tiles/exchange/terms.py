"""On what terms tiles may be handed on: those of the archives that they were cut from."""

from collections.abc import Iterable

from mammoscope.archives import (
    cbis_ddsm,
    cbis_ddsm_800,
    cmmd,
    ddsm,
    ddsm_299,
    dicom_folder,
    inbreast,
    mias_50,
    mini_mias,
    rsna,
    vindr_mammo,
)

_MODULES = {
    "cbis-ddsm": cbis_ddsm,
    "cbis-ddsm-800": cbis_ddsm_800,
    "cmmd": cmmd,
    "ddsm": ddsm,
    "ddsm-299": ddsm_299,
    "dicom": dicom_folder,
    "inbreast": inbreast,
    "mias-50um": mias_50,
    "mini-mias": mini_mias,
    "rsna": rsna,
    "vindr-mammo": vindr_mammo,
}
UNKNOWN = "unknown; ask whoever made the scans"
KEEP = ("dicom", "inbreast", "mini-mias", "rsna", "vindr-mammo")
"""Archives whose terms do not let others hand their scans on; for "dicom" nobody has said so."""
OPEN = {
    "cbis-ddsm": "cc-by-3.0",
    "cbis-ddsm-800": "cc-by-3.0",
    "cmmd": "cc-by-4.0",
    "mias-50um": "cc-by-2.0",
}
"""Identifiers of licences on cards of Hugging Face; elsewhere the licence is "other"."""


def licence_of(archive: str) -> str:
    """Return the terms of an archive in one line."""
    module = _MODULES.get(archive)
    return UNKNOWN if module is None else str(module.LICENCE)


def citation_of(archive: str) -> str:
    """Return what to cite; "none" where nothing is known."""
    module = _MODULES.get(archive)
    return "none" if module is None else str(module.CITATION)


def warnings_for(archives: Iterable[str]) -> tuple[str, ...]:
    """Warn of each archive whose tiles may not be handed on, in one sentence."""
    return tuple(
        f"This holds tiles of {name}, which may not be passed on ({licence_of(name)}): keep it to "
        "yourself."
        if name in KEEP
        else f"This holds tiles of {name}, whose terms are {UNKNOWN} before you pass it on."
        for name in sorted(set(archives))
        if name in KEEP or name not in _MODULES
    )


def card_licence(archives: Iterable[str]) -> str:
    """Return the licence as a card of Hugging Face names it."""
    licences = {OPEN.get(name, "other") for name in archives}
    return licences.pop() if len(licences) == 1 else "other"

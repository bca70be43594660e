"""How DDSM names its folders and files, and the sorting of any of its trees into cases.

    cases/<kind>/<volume>/case<NNNN>/<file>

Levels above the files may be missing. The archive itself holds files that do not belong: leftovers
of its programs, backups of editors, files in the folder of another case; each is named.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mammoscope.formats.ics import VIEWS

KINDS = ("normal", "benign", "benign_without_callback", "cancer")
"""What volumes hold; a volume is a kind and a number, as "cancer_08"."""
_FILE = re.compile(
    r"(?P<tape>tape[-_])?(?P<site>[a-d])[-_](?P<number>\d{4})[-_]\d\."
    r"(?P<rest>ics|comb\.16_pgm|(?P<view>(?:left|right)_(?:cc|mlo))\.(?P<type>ljpeg|overlay))"
    r"(?:\.gz)?",
    re.IGNORECASE,
)
_NEARLY = re.compile(r"(?:tape[-_])?[a-d][-_]\d{4}[-_]\d\..*", re.IGNORECASE)
_CASE = re.compile(r"case[-_]?(\d{4})", re.IGNORECASE)
_VOLUME = re.compile(r"(normal|cancer|benign_without_callback|benign)[-_](\d{2})", re.IGNORECASE)
_KIND = re.compile(r"(normal|cancer|benign_without_callback|benign)s?", re.IGNORECASE)
_LEAVE = "leave it or remove it; it is not read"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFiles:
    """The files of one case, that is, one exam.

    Attributes
    ----------
    site : letter that begins its names
    number : four digits
    volume : as "cancer_08"; None where no folder says it
    kind : of `KINDS`; None where no folder says it
    ics, tape : paths of the heading and of the small view; None where missing
    images, overlays : path by view ("LEFT_CC", ...)
    """

    site: str
    number: str
    volume: str | None
    kind: str | None
    ics: str | None = None
    tape: str | None = None
    images: dict[str, str] = field(default_factory=dict)
    overlays: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Site and number; 18 of them stand in two volumes."""
        return f"{self.site}_{self.number}"

    @property
    def exam_id(self) -> str:
        """Volume and name, which together are unique."""
        return f"{self.volume}/{self.name}" if self.volume else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A file that does not belong where it lies: which, why, and what to do."""

    path: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SortedPaths:
    """The paths of a tree.

    Attributes
    ----------
    cases : sorted by exam_id
    strays : files that have no business where they lie, sorted by path
    others : paths in no case folder and without a name of DDSM's: README, folders, programs
    """

    cases: tuple[CaseFiles, ...]
    strays: tuple[Stray, ...]
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """What the folders above a file say."""

    case: str | None
    volume: str | None
    kind: str | None
    is_in_case: bool


_Key = tuple[str | None, str, str]
_Slot = tuple[str, str]


def sort_paths(paths: Iterable[str]) -> SortedPaths:
    """Sort the paths of files into cases.

    Parameters
    ----------
    paths : of files, with or without the folders above them
    """
    filled: dict[_Key, dict[_Slot, str]] = defaultdict(dict)
    kinds: dict[_Key, str | None] = {}
    misplaced: list[tuple[str, _Key, _Slot, str]] = []
    strays: list[Stray] = []
    others: list[str] = []
    # A file comes before its packed copy.
    for path in sorted(set(paths)):
        *folders, name = re.split(r"[/\\]+", path)
        place = _place(folders)
        found = _FILE.fullmatch(name)
        slot = _slot(found) if found else None
        if found is None or slot is None:
            if place.is_in_case or _NEARLY.fullmatch(name):
                strays.append(Stray(path=path, what=_why(name), remedy=_remedy(name)))
            else:
                others.append(path)
            continue
        key = place.volume, found["site"].upper(), found["number"]
        if place.case is not None and place.case != found["number"]:
            misplaced.append((path, key, slot, place.case))
        elif slot in filled[key]:
            strays.append(_twice(path, filled[key][slot]))
        else:
            filled[key][slot] = path
            kinds.setdefault(key, place.kind)
    strays += _placed(misplaced, filled)
    cases = (_case(key, kinds[key], slots) for key, slots in filled.items())
    return SortedPaths(
        cases=tuple(sorted(cases, key=lambda case: case.exam_id)),
        strays=tuple(sorted(strays, key=lambda stray: stray.path)),
        others=tuple(others),
    )


def is_name(name: str) -> bool:
    """Tell whether a file is named as DDSM names its headings, images, outlines or small views."""
    found = _FILE.fullmatch(name)
    return found is not None and _slot(found) is not None


def _place(folders: list[str]) -> _Place:
    """Read the folders from the file upwards: case, volume, kind, each of which may be missing."""
    above = [folder for folder in reversed(folders) if folder]
    is_in_case = any(_CASE.fullmatch(folder) for folder in above)
    case = _CASE.fullmatch(above[0]) if above else None
    above = above[1:] if case else above
    volume = _VOLUME.fullmatch(above[0]) if above else None
    above = above[1:] if volume else above
    kind = volume or (_KIND.fullmatch(above[0]) if above else None)
    return _Place(
        case=case[1] if case else None,
        volume=f"{volume[1].lower()}_{volume[2]}" if volume else None,
        kind=kind[1].lower() if kind else None,
        is_in_case=is_in_case,
    )


def _slot(found: re.Match[str]) -> _Slot | None:
    """Tell what a file is: kind of file, and view where it has one."""
    rest = found["rest"].lower()
    if bool(found["tape"]) != (rest == "comb.16_pgm"):
        return None
    if found["view"]:
        return found["type"].lower(), found["view"].upper()
    return ("ics" if rest == "ics" else "tape"), ""


def _placed(
    misplaced: list[tuple[str, _Key, _Slot, str]], filled: dict[_Key, dict[_Slot, str]]
) -> Iterator[Stray]:
    """Give files in another case's folder to the case of their name, where it is sure and free."""
    by_name: dict[tuple[str, str], list[_Key]] = defaultdict(list)
    for key in filled:
        by_name[key[1:]].append(key)
    for path, key, slot, case in misplaced:
        owners = by_name[key[1:]]
        owner = owners[0] if len(owners) == 1 else key if key in owners else None
        what = f"it lies in the folder of case {case} and is named as {key[1]}_{key[2]}"
        if owner is None:
            said, remedy = "that case is not here", "it is left out; find its case"
            if owners:
                said, remedy = "that number is in several volumes", "it is left out"
        elif slot in filled[owner]:
            said, remedy = "that case has one already", "it is left out"
        else:
            filled[owner][slot] = path
            said = f"{owner[0] or 'that case'} lacks it"
            remedy = "it is used there, as its name says; move it"
        yield Stray(path=path, what=f"{what}; {said}", remedy=remedy)


def _case(key: _Key, kind: str | None, slots: dict[_Slot, str]) -> CaseFiles:
    volume, site, number = key
    return CaseFiles(
        site=site,
        number=number,
        volume=volume,
        kind=kind,
        ics=slots.get(("ics", "")),
        tape=slots.get(("tape", "")),
        images={view: slots["ljpeg", view] for view in VIEWS if ("ljpeg", view) in slots},
        overlays={view: slots["overlay", view] for view in VIEWS if ("overlay", view) in slots},
    )


def _twice(path: str, first: str) -> Stray:
    return Stray(path=path, what=f"the same file as {first} by its name", remedy=_LEAVE)


def _why(name: str) -> str:
    lowered = name.lower()
    if re.search(r"\.ljpeg\.\d+$", lowered):
        return "a decoded image that the archive's program left behind"
    if lowered.endswith("~") or lowered.startswith("#"):
        return "a backup that an editor left behind"
    if "overlay" in lowered:
        return "a misspelt name of an OVERLAY file"
    if lowered == "jpeg":
        return "a copy of the program that packs the images"
    return "no file of DDSM"


def _remedy(name: str) -> str:
    if "overlay" in name.lower():
        return "rename it if it holds the outlines of its film; it is not read"
    return _LEAVE

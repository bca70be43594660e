"""CBIS-DDSM's scans and findings as records, made from the tables' rows and the files' headers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType

from mammoscope.archives.cbis_files import Files
from mammoscope.archives.cbis_heads import Head, read_head
from mammoscope.archives.cbis_masks import tell_apart
from mammoscope.archives.cbis_tables import KINDS, PARTS, Series, TableRow, parse_series
from mammoscope.core.geometry import MaskFile
from mammoscope.core.records import Finding, Problem, Scan
from mammoscope.core.vocabulary import Intent, Laterality, SpacingSource, Split, ViewPosition
from mammoscope.formats.cbis_spacing import CbisMatch, match_of

NAME = "cbis-ddsm"
SIDES = {"LEFT": Laterality.LEFT, "RIGHT": Laterality.RIGHT}
SECOND_FILE = "second_file"
"""Fact of a scan that is listed twice: its other file."""
IN_BOTH_PARTS = "patient_in_both_parts"
"""Fact of every scan of a patient who stands in the training and in the test part: "yes"."""

Problems = tuple[Problem, ...]
Marked = tuple[Finding, Path | None]
"""A finding and the file of its crop."""


def cut_out_fact(finding_id: str) -> str:
    """Name of the fact that holds the file of a finding's crop."""
    return f"crop of {finding_id}"


def make_scan(
    rows: Sequence[TableRow], files: Files, *, in_both_parts: bool
) -> tuple[Scan | None, Problems]:
    """Make the record of a scan, with a finding for each of its abnormalities.

    Parameters
    ----------
    rows : all abnormalities of the scan, of whatever table; at least one
    files : the files of each series
    in_both_parts : whether the patient stands in the training and in the test part

    Returns
    -------
    The record, None where no file of the scan is there, and what was seen to be wrong.
    """
    (own, further), problems = _files_of_scan(rows, files)
    if own is None:
        return None, problems
    path, head = own
    marked, doubts = _findings(rows, files, head)
    scan_id = rows[0].series.scan_id
    patient_id, side, view = scan_id[:7], *scan_id[8:].split("_")
    match = match_of(scan_id)
    film = match.film if match and head and _is_film(match, head) else None
    facts = {
        "listed_in": ", ".join(dict.fromkeys(str(row.scan) for row in rows)),
        IN_BOTH_PARTS: "yes" if in_both_parts else "",
        SECOND_FILE: str(further) if further else "",
        **(_film_facts(match) if match else {}),
        **{
            cut_out_fact(finding.finding_id): str(cut_out) for finding, cut_out in marked if cut_out
        },
    }
    scan = Scan(
        scan_id=scan_id,
        archive=NAME,
        path=path,
        patient_id=patient_id,
        # The tables know no dates: all scans of a patient count as one exam.
        exam_id=patient_id,
        laterality=SIDES[side],
        view=ViewPosition(view),
        spacing_mm=film.spacing_mm if film else None,
        spacing_source=SpacingSource.DDSM_JOIN if film else None,
        intent=Intent.FILM,
        breast_density=rows[0].density,
        findings=tuple(finding for finding, _ in marked),
        split=_split(rows),
        facts=MappingProxyType({name: value for name, value in facts.items() if value}),
    )
    return scan, (*problems, *doubts)


def _split(rows: Sequence[TableRow]) -> Split:
    """Tell the official part; a scan in both is a test scan, so that nobody trains on it."""
    parts = {PARTS[row.series.part] for row in rows}
    return Split.TEST if Split.TEST in parts else Split.TRAIN


def _is_film(match: CbisMatch, head: Head) -> bool:
    return match.film is not None and (match.film.rows, match.film.columns) == head.shape_px


def _film_facts(match: CbisMatch) -> dict[str, str]:
    return {
        "ddsm_case": match.ddsm_case,
        "ddsm_film": match.ddsm_film,
        "volume": match.ddsm_case.split("/")[0],
        "scanner": match.scanner,
        "bits": match.bits,
        "age": match.age,
        "study_date": match.study_date,
        "film_rows": str(match.film.rows) if match.film else "",
        "film_columns": str(match.film.columns) if match.film else "",
    }


def _files_of_scan(
    rows: Sequence[TableRow], files: Files
) -> tuple[tuple[tuple[Path, Head | None] | None, Path | None], Problems]:
    """Choose the scan's file and, where it is listed twice, the other one; masses go first."""
    chosen: list[tuple[Path, Head | None]] = []
    problems: list[Problem] = []
    for series in dict.fromkeys(row.scan for row in rows):
        heads, doubts = _heads(series, files)
        problems += doubts
        if heads:
            path = max(heads, key=lambda p: _likeness(heads[p]))
            chosen.append((path, heads[path]))
            problems += [_further(other, series) for other in heads if other != path]
    # A file that can be read goes before one that cannot.
    chosen.sort(key=lambda file: file[1] is None)
    own = chosen[0] if chosen else None
    return (own, chosen[1][0] if len(chosen) > 1 else None), tuple(problems)


def _likeness(head: Head | None) -> tuple[bool, int, int]:
    """Order the files of a series by how much they look like its scan: text, bits, size."""
    if head is None:
        return False, 0, 0
    return "full" in head.description.lower(), head.bits, head.rows * head.columns


def _further(path: Path, series: Series) -> Problem:
    return Problem(
        where=str(path),
        what=f"a further file beside the scan {series}",
        remedy="look at it; it is left out",
    )


def _heads(series: Series, files: Files) -> tuple[dict[Path, Head | None], Problems]:
    """Read the headers of a series' files; those that contradict their folder are left out."""
    heads: dict[Path, Head | None] = {}
    problems: list[Problem] = []
    for path in files.get(series, ()):
        head = read_head(path)
        says = parse_series(head.patient_id) if head else None
        if says is not None and _contradicts(says, series):
            what = f"its header says {says}, its folder {series}"
            remedy = "fetch both series again; it is left out"
            problems.append(Problem(where=str(path), what=what, remedy=remedy))
        else:
            heads[path] = head
    return heads, tuple(problems)


def _contradicts(says: Series, series: Series) -> bool:
    numbers = {says.number, series.number} - {None}
    return says.scan_id != series.scan_id or len(numbers) > 1


def _findings(
    rows: Sequence[TableRow], files: Files, scan: Head | None
) -> tuple[list[Marked], Problems]:
    """Make one finding an abnormality, each with its own mask and labels."""
    marked: list[Marked] = []
    problems: list[Problem] = []
    for row, finding_id in zip(rows, _finding_ids(rows), strict=True):
        heads, doubts = _heads(row.series, files)
        readable = {path: head for path, head in heads.items() if head is not None}
        marks = tell_apart(row, readable, scan.shape_px if scan else None)
        # A scan's own file is read, and its damage told, when the archive is checked.
        damaged = (_damaged(path) for path in heads if path not in readable)
        problems += [*doubts, *damaged, *marks.problems]
        marked.append((_finding(row, finding_id, marks.mask), marks.cut_out))
    return marked, tuple(problems)


def _finding_ids(rows: Sequence[TableRow]) -> Iterator[str]:
    taken: set[str] = set()
    for row in rows:
        finding_id = f"{row.series.scan_id}_{row.series.kind.lower()}_{row.series.number}"
        if finding_id in taken:
            # The training and the test part may number one film's abnormalities anew.
            finding_id = f"{finding_id}_{PARTS[row.series.part]}"
        taken.add(finding_id)
        yield finding_id


def _finding(row: TableRow, finding_id: str, mask: Path | None) -> Finding:
    return Finding(
        finding_id=finding_id,
        scan_id=row.series.scan_id,
        kind=KINDS[row.series.kind],
        roi=MaskFile(mask) if mask is not None else None,
        pathology=row.pathology,
        assessment=row.assessment,
        subtlety=row.subtlety,
        descriptors=row.descriptors,
    )


def _damaged(path: Path) -> Problem:
    return Problem(
        where=str(path), what="the DICOM header is damaged or cut short", remedy="get it again"
    )

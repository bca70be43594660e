"""What CBIS-DDSM's tables and files say against each other, and where its official split leaks."""

from collections.abc import Iterator, Mapping, Sequence

from mammoscope.archives.cbis_files import Files
from mammoscope.archives.cbis_tables import KINDS, PARTS, Series, TableRow
from mammoscope.archives.label_tables import some
from mammoscope.core.records import Problem
from mammoscope.core.vocabulary import FindingKind, Split
from mammoscope.formats.cbis_spacing import match_of

Rows = Mapping[str, Sequence[TableRow]]
"""The abnormalities of each scan, by its id."""
NO_PLACE = "fetch the series with its name and number; the finding is kept without a place"


def check_rows(by_scan: Rows, files: Files) -> Iterator[Problem]:
    """Tell what is missing or contradictory, without opening a file.

    Parameters
    ----------
    by_scan : the abnormalities of each scan
    files : the files of each series
    """
    yield from _missing(by_scan, files)
    yield from _unnamed(by_scan, files)
    yield from _lost_rows(by_scan)
    yield from _densities(by_scan)
    yield from _leaks(by_scan)
    yield from _one_person(by_scan)


def _missing(by_scan: Rows, files: Files) -> Iterator[Problem]:
    """Name each missing scan and mask, but not all of a table of which nothing was fetched."""
    tables: dict[str, list[TableRow]] = {}
    for row in _rows(by_scan):
        tables.setdefault(_table(row), []).append(row)
    for table, rows in sorted(tables.items()):
        scans = {row.scan: row for row in reversed(rows)}
        marked = [row for row in rows if row.scan in files]
        absent = [row for scan, row in scans.items() if scan not in files]
        if not marked:
            what = f"none of the {len(scans)} scans that it names is here"
            yield Problem(where=table, what=what, remedy="fetch them, or go on without")
            continue
        yield from (_no_scan(row) for row in reversed(absent))
        bare = [row for row in marked if row.series not in files]
        if len(bare) == len(marked) > 1:
            what = f"no mask of the {len(bare)} findings that it names is here"
            yield Problem(where=table, what=what, remedy=NO_PLACE)
            continue
        yield from (_no_mask(row) for row in bare)


def _no_scan(row: TableRow) -> Problem:
    return Problem(
        where=row.where,
        what=f"the scan {row.scan} is not here",
        remedy="fetch its series, or go on without",
    )


def _no_mask(row: TableRow) -> Problem:
    return Problem(
        where=row.where, what=f"mask and crop of {row.series} are not here", remedy=NO_PLACE
    )


def _table(row: TableRow) -> str:
    return row.where.rsplit(", line", 1)[0]


def _unnamed(by_scan: Rows, files: Files) -> Iterator[Problem]:
    named = {name for rows in by_scan.values() for row in rows for name in (row.scan, row.series)}
    of_table: dict[tuple[str, str], list[Series]] = {}
    for series in sorted(files.keys() - named, key=str):
        of_table.setdefault((series.kind, series.part), []).append(series)
    for (kind, part), strange in of_table.items():
        # Where a table is missing or torn, it may be a thousand.
        yield Problem(
            where=str(files[strange[0]][0]),
            what=f"no table has a row for {some([str(series) for series in strange])}",
            remedy=f"get the table of {kind}-{part} again; they are left out",
        )


def _lost_rows(by_scan: Rows) -> Iterator[Problem]:
    """Compare the scans that the archive published with how many findings it gave them."""
    # Of a kind whose tables are not both here, a scan may have more.
    tables = {(row.series.kind, row.series.part) for row in _rows(by_scan)}
    whole = {kind for kind in KINDS if all((kind, part) in tables for part in PARTS)}
    for scan_id, rows in sorted(by_scan.items()):
        match = match_of(scan_id)
        if match is None:
            continue
        published = {
            FindingKind.MASS: match.masses,
            FindingKind.CALCIFICATION: match.calcifications,
        }
        for kind, word in KINDS.items():
            own = [row for row in rows if row.series.kind == kind]
            if (own or kind in whole) and len(own) < published[word]:
                yield Problem(
                    where=(own or rows)[0].where,
                    what=f"{len(own)} of the {published[word]} published findings of kind {kind} "
                    f"of {scan_id}",
                    remedy="get the tables again: rows were lost",
                )


def _densities(by_scan: Rows) -> Iterator[Problem]:
    for scan_id, rows in sorted(by_scan.items()):
        said = sorted({row.density for row in rows if row.density})
        if len(said) > 1:
            yield Problem(
                where=rows[0].where,
                what=f"{scan_id} has several breast densities: {', '.join(said)}",
                remedy="get the tables again; the first row's is used",
            )


def patients_in_both_parts(by_scan: Rows) -> list[str]:
    """Ids, sorted, of the patients who stand in the training and in the test part."""
    parts: dict[str, set[Split]] = {}
    for row in _rows(by_scan):
        parts.setdefault(row.series.scan_id[:7], set()).add(_part(row))
    return sorted(patient for patient, its in parts.items() if len(its) > 1)


def _leaks(by_scan: Rows) -> Iterator[Problem]:
    """Tell which patients and scans stand in the training and in the test part."""
    parts = {scan_id: {_part(row) for row in rows} for scan_id, rows in by_scan.items()}
    test = [scan_id for scan_id, its in parts.items() if Split.TEST in its]
    where = next((_table(row) for row in _rows(by_scan) if _part(row) is Split.TEST), "")
    leaked = patients_in_both_parts(by_scan)
    if leaked:
        count = sum(scan_id[:7] in leaked for scan_id in test)
        yield Problem(
            where=where,
            what=f"{_several(leaked, 'patient')} in both the training and the test part, with "
            f"{count} of the {len(test)} test scans: {', '.join(leaked)}",
            remedy="leave their training scans out before testing (fact patient_in_both_parts)",
        )
    both = sorted(scan_id for scan_id, its in parts.items() if len(its) > 1)
    if both:
        yield Problem(
            where=where,
            what=f"{_several(both, 'scan')} in both parts: {', '.join(both)}",
            remedy="nothing: they count as test scans here",
        )


def _several(names: Sequence[str], word: str) -> str:
    return f"{len(names)} {word}" if len(names) == 1 else f"{len(names)} {word}s"


def _rows(by_scan: Rows) -> Iterator[TableRow]:
    return (row for rows in by_scan.values() for row in rows)


def _part(row: TableRow) -> Split:
    return PARTS[row.series.part]


def _one_person(by_scan: Rows) -> Iterator[Problem]:
    """Tell which ids are one person of DDSM, whose case has the same number in every volume."""
    people: dict[str, set[str]] = {}
    for scan_id in by_scan:
        match = match_of(scan_id)
        if match is not None:
            people.setdefault(match.ddsm_case.split("/")[1], set()).add(scan_id[:7])
    for case, ids in sorted(people.items()):
        if len(ids) > 1:
            yield Problem(
                where=case,
                what=f"{', '.join(sorted(ids))} are one person, DDSM's {case}",
                remedy="keep them in one part when the patients are split",
            )

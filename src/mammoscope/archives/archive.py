"""An archive as its keepers published it: patients, exams, scans, findings and problems."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from types import MappingProxyType

import polars as pl

from mammoscope.archives.look import LookAt, look_into
from mammoscope.core.errors import AnnotationError
from mammoscope.core.records import Exam, Finding, Problem, Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What an archive's folder holds; made by `mammoscope.archives.open.open_archive`.

    Attributes
    ----------
    name : as in `mammoscope.archives.open.NAMES`
    description : what it is, in one line
    folder : where it lies
    licence, citation : terms of use, and what to cite
    records : its scans, sorted by scan_id
    problems : what was seen while the annotations were read
    damage : why the annotations cannot be trusted as a whole, one sentence; "" where they can
    look : looks into the files of one scan for more problems; slow, so only `check` calls it
    tables : an archive of tables has no scans but these, by name
    look_over : looks through files that are no scans for more problems; slow, as `look`
    """

    name: str
    folder: Path
    licence: str
    citation: str
    records: tuple[Scan, ...]
    description: str = ""
    problems: tuple[Problem, ...] = ()
    damage: str = ""
    look: LookAt | None = None
    tables: Mapping[str, pl.DataFrame] = field(default_factory=lambda: MappingProxyType({}))
    look_over: Callable[[Path], tuple[Problem, ...]] | None = None

    def patients(self) -> tuple[str, ...]:
        """Ids of the patients, sorted.

        Raises
        ------
        AnnotationError
            When a line of the annotations is damaged.
        """
        return tuple(sorted({scan.patient_id for scan in self.scans()}))

    def exams(self) -> tuple[Exam, ...]:
        """Return the exams, sorted by id.

        Raises
        ------
        AnnotationError
            When a line of the annotations is damaged.
        """
        grouped: dict[str, list[Scan]] = {}
        for scan in self.scans():
            grouped.setdefault(scan.exam_id, []).append(scan)
        return tuple(
            Exam(exam_id=exam_id, patient_id=scans[0].patient_id, scans=tuple(scans))
            for exam_id, scans in sorted(grouped.items())
        )

    def scans(self) -> tuple[Scan, ...]:
        """Return the scans, sorted by id.

        Raises
        ------
        AnnotationError
            When a line of the annotations is damaged: a scan whose finding was lost would pass for
            one without.
        """
        if self.damage:
            raise AnnotationError(self.damage)
        return self.records

    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of their scans.

        Raises
        ------
        AnnotationError
            When a line of the annotations is damaged.
        """
        return tuple(finding for scan in self.scans() for finding in scan.findings or ())

    def check(
        self, *, workers: int | None = None, on_done: Callable[[int, int], None] | None = None
    ) -> tuple[Problem, ...]:
        """Tell what is missing, broken or contradictory, and what to do; reads every scan.

        Parameters
        ----------
        workers : how many processes look into the files; None: one a core
        on_done : called with (scans done, scans in all)
        """
        over = self.look_over(self.folder) if self.look_over else ()
        return (*self.problems, *over, *self._seen(workers, on_done))

    def _seen(
        self, workers: int | None, on_done: Callable[[int, int], None] | None
    ) -> Iterator[Problem]:
        if self.look is None:
            return
        first: dict[str, str] = {}
        for scan, seen in look_into(self.records, self.look, workers=workers, on_done=on_done):
            yield from seen.problems
            if seen.digest is not None:
                twin = first.setdefault(seen.digest, scan.scan_id)
                if twin != scan.scan_id:
                    yield Problem(
                        where=str(scan.path),
                        what=f"the same pixels as {twin}",
                        remedy="get both again: one picture cannot be two scans",
                    )

    def _repr_html_(self) -> str:
        head = f"<b>{escape(self.name)}</b>: {escape(self.description)}"
        if self.damage:
            return f"<p>{head}</p><p>{escape(self.damage)}</p>"
        if self.tables:
            return f"<p>{head}</p>" + "".join(map(_table_line, self.tables.items()))
        kinds = Counter(str(finding.kind) for finding in self.findings())
        said = ", ".join(f"{count} {kind.lower()}" for kind, count in kinds.most_common())
        return (
            f"<p>{head}</p><p>{len(self.patients())} patients, {len(self.records)} scans; "
            f"findings: {escape(said.replace('_', ' ')) or 'none'}. "
            f"Licence: {escape(self.licence)}.</p>"
        )


def _table_line(named: tuple[str, pl.DataFrame]) -> str:
    name, table = named
    return f"<p>{escape(name)}: {table.height} rows, {table.width} columns</p>"

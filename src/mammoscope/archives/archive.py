"""An archive as its keepers published it: patients, exams, scans, findings and problems."""

from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path

from mammoscope.core.records import Exam, Finding, Problem, Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What an archive's folder holds; made by `mammoscope.archives.open.open_archive`.

    Attributes
    ----------
    name : as in `mammoscope.archives.open.NAMES`
    folder : where it lies
    licence, citation : terms of use, and what to cite
    records : its scans, sorted by scan_id
    problems : what `check` tells: what is missing, broken or contradictory, and what to do
    """

    name: str
    folder: Path
    licence: str
    citation: str
    records: tuple[Scan, ...]
    problems: tuple[Problem, ...] = ()

    def patients(self) -> tuple[str, ...]:
        """Ids of the patients, sorted."""
        return tuple(sorted({scan.patient_id for scan in self.records}))

    def exams(self) -> tuple[Exam, ...]:
        """Return the exams, sorted by id."""
        grouped: dict[str, list[Scan]] = {}
        for scan in self.records:
            grouped.setdefault(scan.exam_id, []).append(scan)
        return tuple(
            Exam(exam_id=exam_id, patient_id=scans[0].patient_id, scans=tuple(scans))
            for exam_id, scans in sorted(grouped.items())
        )

    def scans(self) -> tuple[Scan, ...]:
        """Return the scans, sorted by id."""
        return self.records

    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of their scans."""
        return tuple(finding for scan in self.records for finding in scan.findings or ())

    def check(self) -> tuple[Problem, ...]:
        """Tell what is missing, broken or contradictory, and what to do about it."""
        return self.problems

    def _repr_html_(self) -> str:
        kinds = Counter(str(finding.kind) for finding in self.findings())
        said = ", ".join(f"{count} {kind.lower()}" for kind, count in kinds.most_common())
        return (
            f"<b>{escape(self.name)}</b>: {len(self.patients())} patients, "
            f"{len(self.records)} scans, findings: {escape(said) or 'none'}; "
            f"{len(self.problems)} problems"
        )

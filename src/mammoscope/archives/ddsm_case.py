"""One case of DDSM: its heading and outlines as scan records, and what is wrong with them."""

import csv
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

from mammoscope.archives.ddsm_findings import findings_of, leaving
from mammoscope.archives.ddsm_names import CaseFiles
from mammoscope.core.errors import MammoscopeError
from mammoscope.core.records import Finding, Problem, Scan
from mammoscope.core.vocabulary import Intent, SpacingSource
from mammoscope.formats.ics import VIEWS, Ics, IcsView, is_heading_of, read_ics

ARCHIVE = "ddsm"
MIXED_ORDERS = "cancer_15"
"""The one volume in which dates are known to stand in both orders; its sites are `MIXED_SITES`."""
MIXED_SITES = "BC"


def patient_of(volume: str | None, name: str) -> str:
    """Return the patient's id of a case.

    Parameters
    ----------
    volume : as "cancer_08"; None where not known
    name : site and number of the case, as "A_1500"

    Returns
    -------
    CBIS-DDSM's id ("P_00001") where it shows the case again, since the two archives share people.
    It knows numbers alone: a number that stands in two volumes has one id there, and here.
    """
    by_case, by_name = _cbis_patients()
    known = by_case.get((volume or "", name)) or by_name.get(name)
    return known or "-".join(part for part in (ARCHIVE, volume, name) if part)


@cache
def _cbis_patients() -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    table = files("mammoscope.archives") / "data" / "ddsm-cbis-patients.csv"
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    by_case = {(row["volume"], row["case"]): row["cbis_patient"] for row in rows}
    return by_case, {row["case"]: row["cbis_patient"] for row in reversed(rows)}


class CaseReader:
    """Reads one case's heading and outlines, and gathers what is wrong with them."""

    def __init__(self, case: CaseFiles) -> None:
        self._case = case
        self.problems: list[Problem] = []
        self._ics = self._heading()

    def scans(self) -> Iterator[Scan]:
        """Yield a record of each image that is here; `problems` is whole when it is exhausted."""
        for view in VIEWS:
            film = self._ics.of(VIEWS[view])
            self._compare_flag(view, film)
            if view in self._case.images:
                yield self._scan(view, film)
            elif view in self._case.overlays:
                self._say(self._case.overlays[view], "its image is not here", "get the LJPEG file")
        missing = [view for view in VIEWS if view not in self._case.images]
        if missing:
            # Not the case's name: so that cases that lack the same are shown together.
            self._say(
                self._case.ics or self._folder(),
                f"no image of {', '.join(missing)} of this case",
                "get it, or go on without",
            )

    def _heading(self) -> Ics:
        path = self._case.ics
        if path is None:
            self._say(
                self._folder(),
                f"no .ics file of case {self._case.name}",
                "get it: size, scanner and age are not known without",
            )
            return Ics()
        try:
            ics = read_ics(path, orders_mixed=self._may_mix_orders())
        except MammoscopeError as error:
            self._say(
                path, str(error).removeprefix(f"{path}: "), "nothing in it is used until then"
            )
            return Ics()
        if not is_heading_of(ics, self._case.name):
            self._say(
                path,
                f"it calls itself {(ics.filename or '')[:40]!r}, the heading of another case",
                "get it again; nothing in it is used",
            )
            return Ics()
        for note in ics.notes:
            self._say(path, note, _remedy(note))
        return ics

    def _may_mix_orders(self) -> bool:
        case = self._case
        # A case that lies alone may be of that volume.
        return case.volume == MIXED_ORDERS or (case.volume is None and case.site in MIXED_SITES)

    def _scan(self, view: str, film: IcsView | None) -> Scan:
        case = self._case
        path = Path(case.images[view])
        laterality, position = VIEWS[view]
        scan_id = f"{case.exam_id}_{view}"
        findings, ground = self._findings(view, film, scan_id)
        spacing = None if film is None else film.resolution_um / 1000
        return Scan(
            scan_id=scan_id,
            archive=ARCHIVE,
            path=path,
            patient_id=patient_of(case.volume, case.name),
            exam_id=case.exam_id,
            laterality=laterality,
            view=position,
            spacing_mm=None if spacing is None else (spacing, spacing),
            spacing_source=None if spacing is None else SpacingSource.ARCHIVE,
            intent=Intent.FILM,
            breast_density=self._density(),
            findings=findings,
            normal_ground=ground,
            facts=self._facts(film),
        )

    def _findings(
        self, view: str, film: IcsView | None, scan_id: str
    ) -> tuple[tuple[Finding, ...] | None, str | None]:
        """Return the findings, and how the archive knows where there are none."""
        overlay = self._case.overlays.get(view)
        if overlay is None:
            # A view without outlines in a case of another kind may show what was not drawn: the
            # other breast was not called normal, nor was a lesion looked for on each view.
            promised = film is not None and film.overlay is True
            if self._case.kind != "normal" or promised:
                return None, None
            return (), f"DDSM: volume of normal exams ({self._case.volume or 'normals'})"
        findings, problems = findings_of(Path(overlay), scan_id)
        self.problems += problems
        if self._case.kind == "normal":
            self._say(overlay, "an outline in a volume of normal exams", "do not call it normal")
        if findings is not None and film is not None:
            for what in leaving(findings, (film.lines, film.pixels_per_line)):
                self.problems.append(outside(overlay, what))
        return findings, None

    def _density(self) -> str | None:
        density = self._ics.density
        return str(density) if density is not None and 1 <= density <= 4 else None

    def _facts(self, film: IcsView | None) -> dict[str, str]:
        ics = self._ics
        said: dict[str, object] = {
            "volume": self._case.volume,
            "kind": self._case.kind,
            "site": self._case.site,
            "scanner": ics.digitizer,
            "film_type": ics.film_type,
            "age": ics.age,
            "bits": film and film.bits,
            "film_rows": film and film.lines,
            "film_columns": film and film.pixels_per_line,
        }
        for name, date in (("study_date", ics.study_date), ("scan_date", ics.scan_date)):
            if date is not None:
                said |= {name: date.day, f"{name}_text": date.text, f"{name}_order": date.order}
        return {key: str(value) for key, value in said.items() if value is not None}

    def _compare_flag(self, view: str, film: IcsView | None) -> None:
        said = None if film is None else film.overlay
        there = view in self._case.overlays
        if said is None or said == there or self._case.ics is None:
            return
        word, fact = ("OVERLAY", "not here") if said else ("NON_OVERLAY", "here")
        self._say(
            self._case.ics,
            f"it says {word} for {view}, and the file of outlines is {fact}",
            "get the file" if said else "the file is used",
        )

    def _folder(self) -> str:
        case = self._case
        paths = [case.ics, case.tape, *case.images.values(), *case.overlays.values()]
        return str(Path(next(path for path in paths if path is not None)).parent)

    def _say(self, where: str, what: str, remedy: str) -> None:
        self.problems.append(Problem(where=where, what=what, remedy=remedy))


def _remedy(note: str) -> str:
    if "two digits" in note:
        return "it is read as 19xx"
    if "day month or month day" in note:
        return "it is left out; look the case up on the archive's pages"
    if "line that is not known" in note:
        return "the line is left out; get the file again"
    return "it is taken as not known"


def outside(path: str | Path, what: str) -> Problem:
    """Make the problem of an outline that leaves its image."""
    return Problem(
        where=str(path), what=what, remedy="the part outside is cut off when it is drawn"
    )

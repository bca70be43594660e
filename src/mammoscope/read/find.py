"""Files and folders to exams: which files belong together, in the order they are looked at."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mammoscope.core.errors import MammoscopeError, MissingFileError
from mammoscope.core.vocabulary import ForProcessing, Laterality, ViewPosition
from mammoscope.formats.dicom_facts import exam_of
from mammoscope.scans.load import FileFacts, read_file_facts

HANGING = (
    (Laterality.RIGHT, ViewPosition.CC),
    (Laterality.LEFT, ViewPosition.CC),
    (Laterality.RIGHT, ViewPosition.MLO),
    (Laterality.LEFT, ViewPosition.MLO),
)
"""The order in which radiologists hang the four standard views."""
IGNORED = {"DICOMDIR", "THUMBS.DB"}
IGNORED_ENDINGS = {".txt", ".csv", ".json", ".xml", ".html", ".md", ".pdf", ".xlsx", ".zip", ".log"}
DDSM_ENDINGS = {".ics", ".overlay", ".16_pgm"}
"""What lies beside the films of a case of DDSM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamInput:
    """Files of one exam in hanging order, with what the user says of them.

    `spacing_um` goes before what the files say; `laterality` and `view` stand in where they say
    nothing; `for_processing` is what to do with images FOR PROCESSING; `anyway` reads scans
    that are unlike those of training, and `explained` tells why places were marked;
    `operating_point` names the model's threshold to mark places by, None takes its own choice.
    """

    exam_id: str
    patient_id: str | None
    files: tuple[Path, ...]
    spacing_um: float | None = None
    laterality: Laterality | None = None
    view: ViewPosition | None = None
    for_processing: ForProcessing = "refuse"
    anyway: bool = False
    explained: bool = False
    operating_point: str | None = None
    warnings: tuple[str, ...] = ()


def find_exams(
    paths: Iterable[str | Path],
    *,
    spacing_um: float | None = None,
    laterality: Laterality | None = None,
    view: ViewPosition | None = None,
    for_processing: ForProcessing = "refuse",
) -> tuple[list[ExamInput], dict[str, str]]:
    """Find the exams among files and folders, from headers and names alone.

    Which files are one exam tells `mammoscope.formats.dicom_facts.exam_of`.

    Returns
    -------
    The exams, and for each file that cannot be one of a mammogram the reason.

    Raises
    ------
    MissingFileError
        When there is no such file or folder, or no file in any of them.
    """
    groups: dict[str, list[FileFacts]] = {}
    failures: dict[str, str] = {}
    named = [Path(path) for path in paths]
    files = _files(named)
    if not files:
        raise MissingFileError(
            f"{', '.join(map(str, named))}: there is no file of a scan here; "
            "give DICOM, PNG, TIFF or PGM files, or a folder that holds some."
        )
    for file in files:
        try:
            facts = read_file_facts(file)
        except MammoscopeError as error:
            failures[str(file)] = str(error)
            continue
        groups.setdefault(_exam_of(facts, str(file.parent)), []).append(facts)
    groups = _by_patient(groups)
    exams = [
        ExamInput(
            exam_id=exam_id,
            patient_id=members[0].patient_id,
            files=tuple(f.path for f in sorted(members, key=_place)),
            spacing_um=spacing_um,
            laterality=laterality,
            view=view,
            for_processing=for_processing,
            warnings=_notes(members, groups),
        )
        for exam_id, members in zip(_exam_ids(groups), groups.values(), strict=True)
    ]
    return exams, failures


def _files(paths: Iterable[Path]) -> list[Path]:
    """Every file that was named or lies below a named folder, each once."""
    once: dict[Path, Path] = {}
    for file in _every_file(paths):
        # Unlike `Path.resolve`, it bears links that lead round in a circle.
        once.setdefault(Path(os.path.realpath(file)), file)
    return list(once.values())


def _every_file(paths: Iterable[Path]) -> Iterator[Path]:
    """Every file that was named, and every file below a folder that may be a scan, sorted."""
    for path in paths:
        if path.is_file():
            yield path
        elif path.is_dir():
            for folder, folders, names in os.walk(path):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                for name in sorted(names):
                    ending = Path(name).suffix.lower()
                    hidden = name.startswith(".") or name.upper() in IGNORED
                    if not hidden and ending not in IGNORED_ENDINGS | DDSM_ENDINGS:
                        yield Path(folder) / name
        else:
            raise MissingFileError(f"{path}: there is no such file or folder.")


def _exam_of(facts: FileFacts, folder: str) -> str:
    return exam_of(facts.exam_id, facts.patient_id, facts.cbis_scan, folder)


def _exam_ids(groups: Mapping[str, list[FileFacts]]) -> list[str]:
    """Name each exam; two folders of one name are two exams, told apart by a number."""
    names: list[str] = []
    for members in groups.values():
        first = members[0].path
        name = wanted = _exam_of(members[0], first.parent.resolve().name or first.stem)
        number = 1
        while name in names:
            number += 1
            name = f"{wanted}-{number}"
        names.append(name)
    return names


def _by_patient(groups: Mapping[str, list[FileFacts]]) -> dict[str, list[FileFacts]]:
    """Part the exams whose files name more than one patient: one exam for each."""
    parted: dict[str, list[FileFacts]] = {}
    for key, members in groups.items():
        patients = {m.patient_id for m in members} - {None}
        for member in members:
            own = f"{key}\0{member.patient_id}" if len(patients) > 1 else key
            parted.setdefault(own, []).append(member)
    return parted


def _notes(members: list[FileFacts], groups: Mapping[str, list[FileFacts]]) -> tuple[str, ...]:
    """Tell how files came to be one exam, and what lies among them."""
    return (*_joined(members), *_strangers(members, groups))


def _strangers(members: list[FileFacts], groups: Mapping[str, list[FileFacts]]) -> tuple[str, ...]:
    """Tell that scans of another patient lie in the same folder; more than one is an archive."""
    folders = {m.path.parent for m in members}
    own = members[0].patient_id
    others = {
        facts.patient_id
        for group in groups.values()
        for facts in group
        if facts.path.parent in folders and facts.patient_id not in (own, None)
    }
    if own is None or len(others) != 1 or members[0].cbis_scan:
        return ()
    return (
        f"scans of another patient ({others.pop()}) lie in the same folder; they are read as an "
        "exam of their own",
    )


def _joined(members: list[FileFacts]) -> tuple[str, ...]:
    if members[0].cbis_scan and len({m.exam_id for m in members}) > 1:
        return ("CBIS-DDSM files each scan as a study of its own; the patient's scans were joined",)
    return ()


def _place(facts: FileFacts) -> tuple[int, str]:
    pair = (facts.laterality, facts.view)
    return (HANGING.index(pair) if pair in HANGING else len(HANGING), str(facts.path))

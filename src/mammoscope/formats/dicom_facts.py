"""What a DICOM header says of a mammogram: who, which breast, which view, how large a pixel is."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

from mammoscope.core.records import Spacing
from mammoscope.core.vocabulary import Intent, Laterality, ViewPosition
from mammoscope.formats.one_line import one_line

CLASS_INTENTS = {
    # DICOM PS3.4, B.5: digital mammography, digital X-ray, and captures of films.
    "1.2.840.10008.5.1.4.1.1.1.2": Intent.FOR_PRESENTATION,
    "1.2.840.10008.5.1.4.1.1.1.2.1": Intent.FOR_PROCESSING,
    "1.2.840.10008.5.1.4.1.1.1.1": Intent.FOR_PRESENTATION,
    "1.2.840.10008.5.1.4.1.1.1.1.1": Intent.FOR_PROCESSING,
    "1.2.840.10008.5.1.4.1.1.7": Intent.FILM,
    "1.2.840.10008.5.1.4.1.1.7.2": Intent.FILM,
    "1.2.840.10008.5.1.4.1.1.7.3": Intent.FILM,
}
MAMMOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.2"
"""Digital mammography, for presentation; with ``.1`` behind it, for processing."""
TOMOSYNTHESIS = {"1.2.840.10008.5.1.4.1.1.13.1.3", "1.2.840.10008.5.1.4.1.1.13.1.4"}
"""Breast tomosynthesis and breast projection X-ray: several frames by nature, even where one."""
PROJECTION = {"MG", "CR", "DX", "OT", "SC", "RG"}
LARGEST_SPACING_MM = 2.0
SPACINGS_AGREE = 0.12
"""Two spacings of one header may differ by so much: a breast on the detector's cover is magnified
by up to a tenth, and some devices write the one before, some the one after correction."""
MAGNIFIED = 1.45
"""From this factor on a view was taken on a magnification stand; they have 1.5 to 2."""
SPOT_CODES = {
    # DICOM PS3.16, CID 4015: SNOMED CT code, and the older SNOMED RT one.
    "399055006": "spot compression",
    "R-102D7": "spot compression",
    "399163009": "magnification",
    "R-102D6": "magnification",
}
FACT_TAGS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyDate",
    "Modality",
    "PresentationIntentType",
    "Manufacturer",
    "SeriesDescription",
    "PatientID",
    "PatientAge",
    "BodyPartExamined",
    "ProtocolName",
    "EstimatedRadiographicMagnificationFactor",
    "ImagerPixelSpacing",
    "AcquisitionDeviceProcessingDescription",
    "NominalScannedPixelSpacing",
    "ViewPosition",
    "StudyInstanceUID",
    "PatientOrientation",
    "Laterality",
    "ImageLaterality",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsStored",
    "ViewCodeSequence",
    "SharedFunctionalGroupsSequence",
)
"""All that the facts are made of; reading no more of a header saves most of the time."""

VIEW_CODES = {
    # DICOM PS3.16, CID 4014: SNOMED CT code, and the older SNOMED RT one.
    "399162004": ViewPosition.CC,
    "R-10242": ViewPosition.CC,
    "399368009": ViewPosition.MLO,
    "R-10226": ViewPosition.MLO,
    "399260004": ViewPosition.ML,
    "R-10224": ViewPosition.ML,
    "399352003": ViewPosition.LM,
    "R-10228": ViewPosition.LM,
    "399099002": ViewPosition.LMO,
    "R-10230": ViewPosition.LMO,
    "399192008": ViewPosition.XCCL,
    "R-1024A": ViewPosition.XCCL,
    "399101009": ViewPosition.XCCM,
    "R-1024B": ViewPosition.XCCM,
    "399196006": ViewPosition.FB,
    "R-10244": ViewPosition.FB,
    "399188001": ViewPosition.SIO,
    "R-102D0": ViewPosition.SIO,
    "441555000": ViewPosition.ISO,
    "R-40AAA": ViewPosition.ISO,
}
Header = Dataset | Mapping[str, Any]
"""A header, or its values by keyword."""
_KEYWORDS = {BaseTag(tag_for_keyword(keyword) or 0): keyword for keyword in FACT_TAGS}
_CBIS = re.compile(r"^(?:Mass|Calc)-(?:Training|Test)_(P_\d{5})_(LEFT|RIGHT)_(CC|MLO)(?:_\d+)?$")
Word = TypeVar("Word", Laterality, ViewPosition)
_SIDE_WORDS = {"L": "L", "LEFT": "L", "R": "R", "RIGHT": "R"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomFacts:
    """Facts of a DICOM mammogram's header; what it does not say is None.

    `cbis_scan` is the name of the CBIS-DDSM scan where the patient id is one. `spacing_mm` is
    (row, column); `spacing_tag` names the attribute that it came from. `study_date` is YYYYMMDD and
    `age` such as 052Y, both as written. `unfit` says why the file is not one two-dimensional grey
    mammogram; None where it is one.
    """

    rows: int
    columns: int
    bits_stored: int
    photometric: str
    transfer_syntax: str
    modality: str | None
    intent: Intent | None
    manufacturer: str | None
    patient_id: str | None
    study_uid: str | None
    sop_uid: str | None
    laterality: Laterality | None
    view: ViewPosition | None
    spacing_mm: Spacing | None
    spacing_tag: str | None
    cbis_scan: str | None
    warnings: tuple[str, ...]
    study_date: str | None = None
    age: str | None = None
    unfit: str | None = None


def cbis_name(patient_id: str | None) -> tuple[str, Laterality, ViewPosition] | None:
    """Take a CBIS-DDSM patient id apart, e.g. ``Mass-Test_P_00820_LEFT_CC``.

    The archive puts patient, side and view into that one tag. None where it is not one.
    """
    found = _CBIS.match(patient_id or "")
    if found is None:
        return None
    return found[1], Laterality(found[2][0]), ViewPosition(found[3])


def exam_of(
    study_uid: str | None, patient_id: str | None, cbis_scan: str | None, folder: str
) -> str:
    """Name the exam that a scan belongs to: its study, else its patient, else its folder.

    Scans of one study are one exam (DICOM PS3.3, A.1.2). In CBIS-DDSM every scan is a study of its
    own, so there the patient's scans are joined.

    Parameters
    ----------
    study_uid, patient_id, cbis_scan : as in `DicomFacts`
    folder : where the scan lies
    """
    if cbis_scan and patient_id:
        return patient_id
    return study_uid or patient_id or folder


def facts_of(header: Dataset) -> DicomFacts:
    """Gather the facts of a header; contradictions are told in `warnings`, the first tag wins."""
    warnings: list[str] = []
    values = _values(header)
    spacing, tag = _spacing(values, warnings)
    warnings.extend(_spot(values))
    given = _text(values, "PatientID")
    cbis = cbis_name(given)
    syntax = getattr(header, "file_meta", Dataset()).get("TransferSyntaxUID", "")
    return DicomFacts(
        rows=whole_number(values, "Rows"),
        columns=whole_number(values, "Columns"),
        bits_stored=whole_number(values, "BitsStored"),
        photometric=str(values.get("PhotometricInterpretation") or ""),
        transfer_syntax=UID(syntax).name if syntax else "Implicit VR Little Endian",
        modality=_text(values, "Modality"),
        intent=_intent(values),
        manufacturer=_text(values, "Manufacturer"),
        patient_id=cbis[0] if cbis else given,
        study_uid=_text(values, "StudyInstanceUID"),
        sop_uid=_text(values, "SOPInstanceUID"),
        laterality=_agreed("laterality", _lateralities(values), warnings),
        view=_agreed("view", _views(values), warnings),
        spacing_mm=spacing,
        spacing_tag=tag,
        cbis_scan=given if cbis else None,
        warnings=tuple(warnings),
        study_date=_text(values, "StudyDate"),
        age=_text(values, "PatientAge"),
        unfit=other_modality(values) or unnamed_breast(values) or unfit_pixels(values),
    )


def _values(header: Dataset) -> dict[str, Any]:
    """Take the values of the fact tags out; asking pydicom by name for missing ones is slow."""
    return {_KEYWORDS[tag]: header[tag].value for tag in header.keys() & _KEYWORDS.keys()}


def other_modality(header: Header) -> str | None:
    """Say which modality a file has that takes no mammograms; None where it may be one."""
    modality = _text(header, "Modality")
    if modality is None or modality in PROJECTION:
        return None
    return f"its modality is {one_line(modality)}, not a mammogram (MG); leave it out of the exam."


def unnamed_breast(header: Header) -> str | None:
    """Say that nothing in a header tells of a breast; None where something does."""
    modality = _text(header, "Modality")
    breast = "BREAST" in str(header.get("BodyPartExamined", "")).upper()
    kind = str(header.get("SOPClassUID", ""))
    if modality == "MG" or breast or kind.startswith(MAMMOGRAPHY):
        return None
    return (
        f"neither modality ({one_line(modality or 'none')}) nor body part says that this "
        "is a mammogram; expected modality MG or body part BREAST."
    )


def unfit_pixels(header: Header) -> str | None:
    """Say why the pixels are not those of one two-dimensional grey image; None where they are."""
    frames = whole_number(header, "NumberOfFrames", 1)
    kind = header.get("SOPClassUID")
    if frames > 1 or str(kind) in TOMOSYNTHESIS:
        name = one_line(getattr(kind, "name", kind)) if kind else "unknown kind"
        return (
            f"a multi-frame image ({frames} frames, {name}); only single "
            "two-dimensional mammograms are read, so export the two-dimensional view."
        )
    photometric = one_line(header.get("PhotometricInterpretation") or "")
    if whole_number(header, "SamplesPerPixel", 1) != 1:
        return f"a colour image ({photometric}); a mammogram has one grey channel."
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        return f"photometric interpretation {photometric!r}; expected MONOCHROME1 or MONOCHROME2."
    return None


def whole_number(header: Header, keyword: str, default: int = 0) -> int:
    """Take a whole number out of a header; `default` where it is missing or none."""
    value = header.get(keyword)
    try:
        return default if value is None else int(value)
    except (TypeError, ValueError):
        return default


def _text(header: Header, keyword: str) -> str | None:
    return str(header.get(keyword) or "").strip() or None


def _intent(header: Header) -> Intent | None:
    said = (_text(header, "PresentationIntentType") or "").upper()
    if said in set(Intent):
        return Intent(said)
    return CLASS_INTENTS.get(str(header.get("SOPClassUID", "")))


def _agreed(what: str, found: Iterator[tuple[str, Word]], warnings: list[str]) -> Word | None:
    """Take the first of the tags that say something, and tell where another contradicts it."""
    said = list(found)
    for tag, word in said[1:]:
        if word != said[0][1]:
            warnings.append(
                f"the header contradicts itself on the {what}: {said[0][0]} says {said[0][1]}, "
                f"{tag} says {word}; the first is used"
            )
            break
    return said[0][1] if said else None


def _lateralities(header: Header) -> Iterator[tuple[str, Laterality]]:
    for tag in ("ImageLaterality", "Laterality"):
        word = _SIDE_WORDS.get((_text(header, tag) or "").upper())
        if word:
            yield tag, Laterality(word)
    for group in _functional_groups(header, "FrameAnatomySequence"):
        word = _SIDE_WORDS.get((_text(group, "FrameLaterality") or "").upper())
        if word:
            yield "FrameLaterality", Laterality(word)
    cbis = cbis_name(_text(header, "PatientID"))
    if cbis:
        yield "PatientID", cbis[1]


def _views(header: Header) -> Iterator[tuple[str, ViewPosition]]:
    said = (_text(header, "ViewPosition") or "").upper()
    if said in set(ViewPosition):
        yield "ViewPosition", ViewPosition(said)
    for item in header.get("ViewCodeSequence") or ():
        code = VIEW_CODES.get(str(item.get("CodeValue") or ""))
        if code:
            yield "ViewCodeSequence", code
    # CBIS-DDSM keeps the view where the patient's orientation belongs.
    orientation = header.get("PatientOrientation")
    if isinstance(orientation, str) and orientation.upper() in set(ViewPosition):
        yield "PatientOrientation", ViewPosition(orientation.upper())
    cbis = cbis_name(_text(header, "PatientID"))
    if cbis:
        yield "PatientID", cbis[2]
    for tag in ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription"):
        named = _named_views(_text(header, tag) or "")
        # Free text that names several views describes the series, not this scan.
        if len(named) == 1:
            yield tag, named.pop()


def _named_views(text: str) -> set[ViewPosition]:
    """Find views among the words of a description, which writes "RCC" and "L MLO" alike."""
    named: set[ViewPosition] = set()
    for word in re.split(r"[^A-Z]+", text.upper()):
        bare = word[1:] if word[:1] in ("L", "R") and word[1:] in ("CC", "MLO", "ML") else word
        if bare in ("CC", "MLO", "ML", "LM", "XCCL", "XCCM"):
            named.add(ViewPosition(bare))
    return named


def _functional_groups(header: Header, keyword: str) -> Iterator[Dataset]:
    for group in header.get("SharedFunctionalGroupsSequence") or ():
        yield from group.get(keyword) or ()


def _spacing(header: Header, warnings: list[str]) -> tuple[Spacing | None, str | None]:
    """Take the spacing from the first tag that holds a possible one.

    PixelSpacing is calibrated; ImagerPixelSpacing is measured at the detector, so the breast, which
    lies above it, is magnified by the estimated factor where one is given (DICOM PS3.3, C.8.11.7);
    NominalScannedPixelSpacing is that of a film scanner.
    """
    tags: tuple[tuple[str, Callable[[], float]], ...] = (
        ("PixelSpacing", lambda: 1.0),
        ("ImagerPixelSpacing", lambda: _magnification(header)),
        ("NominalScannedPixelSpacing", lambda: 1.0),
    )
    given: list[tuple[str, Spacing]] = []
    for tag, divisor in tags:
        value: Any = header.get(tag)
        if value is None or value == "":
            continue
        try:
            row, column = (float(part) / divisor() for part in value)
        except (TypeError, ValueError):
            row = column = -1.0
        if 0 < row <= LARGEST_SPACING_MM and 0 < column <= LARGEST_SPACING_MM:
            given.append((tag, (row, column)))
        elif not given:
            warnings.append(
                f"{tag} is {one_line(value)}, which no mammogram can have; it is ignored"
            )
    if not given:
        return None, None
    used, spacing = given[0]
    for tag, other in given[1:]:
        if any(abs(a / b - 1) > SPACINGS_AGREE for a, b in zip(other, spacing, strict=True)):
            warnings.append(
                f"the header gives the spacing twice and differently: {used} says "
                f"{_in_mm(spacing)}, {tag} says {_in_mm(other)}; the first is used"
            )
            break
    return spacing, used


def _in_mm(spacing: Spacing) -> str:
    return f"{spacing[0]:.4g} x {spacing[1]:.4g} mm"


def _spot(header: Header) -> Iterator[str]:
    """Tell that only a part of the breast is shown, enlarged or compressed by itself."""
    for view in header.get("ViewCodeSequence") or ():
        for item in view.get("ViewModifierCodeSequence") or ():
            name = SPOT_CODES.get(str(item.get("CodeValue") or ""))
            if name:
                yield f"{name}: only a part of the breast is shown, and the model knows whole views"
    if _magnification(header) >= MAGNIFIED:
        yield (
            f"magnified {_magnification(header):g} times: a spot view, and the model knows whole "
            "views"
        )


def _magnification(header: Header) -> float:
    try:
        factor = float(header.get("EstimatedRadiographicMagnificationFactor") or 1.0)
    except (TypeError, ValueError):
        return 1.0
    # A breast lies before the detector, so it can only be magnified; 2 is a usual spot view.
    return factor if 1 <= factor <= 3 else 1.0

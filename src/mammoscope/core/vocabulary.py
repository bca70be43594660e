"""The field's words as enumerations; values are DICOM's or BI-RADS's own codes where they exist."""

from enum import StrEnum
from typing import Literal


class Laterality(StrEnum):
    """Which breast, from the patient's side (DICOM Image Laterality, 0020,0062)."""

    LEFT = "L"
    RIGHT = "R"


class ViewPosition(StrEnum):
    """How the breast was compressed (DICOM View Position, 0018,5101)."""

    CC = "CC"
    MLO = "MLO"
    ML = "ML"
    LM = "LM"
    LMO = "LMO"
    XCCL = "XCCL"
    XCCM = "XCCM"
    FB = "FB"
    SIO = "SIO"
    ISO = "ISO"


class Intent(StrEnum):
    """What the pixels are meant for (DICOM Presentation Intent Type, 0008,0068, and film)."""

    FOR_PROCESSING = "FOR PROCESSING"
    FOR_PRESENTATION = "FOR PRESENTATION"
    FILM = "FILM"


class FindingKind(StrEnum):
    """What kind of thing a finding is (BI-RADS)."""

    MASS = "MASS"
    CALCIFICATION = "CALCIFICATION"
    ASYMMETRY = "ASYMMETRY"
    ARCHITECTURAL_DISTORTION = "ARCHITECTURAL_DISTORTION"
    OTHER = "OTHER"


class Pathology(StrEnum):
    """What biopsy or follow-up proved; unknown is None, never a member."""

    BENIGN = "BENIGN"
    HIGH_RISK = "HIGH_RISK"
    MALIGNANT = "MALIGNANT"


class Assessment(StrEnum):
    """What the reader thought (BI-RADS assessment categories); an opinion, not a pathology."""

    INCOMPLETE = "0"
    NEGATIVE = "1"
    BENIGN = "2"
    PROBABLY_BENIGN = "3"
    SUSPICIOUS = "4"
    LOW_SUSPICION = "4A"
    MODERATE_SUSPICION = "4B"
    HIGH_SUSPICION = "4C"
    HIGHLY_SUGGESTIVE = "5"
    PROVEN = "6"


class SpacingSource(StrEnum):
    """Where a scan's `spacing_mm` came from; said in every result."""

    HEADER = "header"
    DDSM_JOIN = "ddsm-join"
    ARCHIVE = "archive"
    ASSUMED = "assumed"
    USER = "user"


class Split(StrEnum):
    """Which part of an archive a patient belongs to."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


ForProcessing = Literal["refuse", "raw", "convert"]
"""What to do with an image FOR PROCESSING, whose grey scale is that of the detector."""

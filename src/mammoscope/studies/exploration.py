"""What an archive holds, as the paper's notebooks looked at theirs, from any archive.

MIAS: classes, tissue, radius against severity; DDSM and CBIS-DDSM: sizes of lesions, whose longer
side the notebooks give with mean 450 and standard deviation 396 pixels at full size.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import mammoscope
from mammoscope.archives.archive import Archive
from mammoscope.core.errors import ArchiveError
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import Pathology
from mammoscope.studies.exploration_sizes import Size, in_bins, lesion_sizes, summary

SCHEMA = "mammoscope.exploration/1"
RADIUS_BIN_PX = 20
SIZE_BIN_MM = 5.0
SIZE_BIN_PX = 100
LARGEST_PX = 1900
"""Where the notebook's histogram of sizes ends."""
NOTHING = "not said"
MIAS_CLASSES = ("CALC", "CIRC", "SPIC", "MISC", "ARCH", "ASYM")
MIAS = ("mini-mias", "mias-50um")
MIAS_TISSUE = {"F": "F: fatty", "G": "G: fatty-glandular", "D": "D: dense-glandular"}
SEVERITIES = {Pathology.BENIGN: "benign", Pathology.MALIGNANT: "malignant"}


def explore(archive: Archive) -> dict[str, Any]:
    """Count and measure what an archive holds.

    Returns
    -------
    dict
        `schema`, `version`, `archive`; `counts` (patients, scans, scans with findings, findings);
        `tables`, each a title and value to counts; `radius` (of circles), `sizes_mm` and
        `sizes_px` (longer side of the box round a finding), each with a summary and a histogram by
        severity, None where nothing is known; `notes`.

    Raises
    ------
    AnnotationError
        When a line of the annotations is damaged.
    ArchiveError
        When it holds no scan.
    """
    scans = archive.scans()
    if not scans:
        raise ArchiveError(
            f"{archive.folder}: {archive.name} holds no scans to look at; give an archive of films "
            "(tables of UCI are for `mammoscope tabular`)."
        )
    sizes = lesion_sizes(archive)
    return {
        "schema": SCHEMA,
        "version": mammoscope.__version__,
        "archive": {
            "name": archive.name,
            "description": archive.description,
            "licence": archive.licence,
            "citation": archive.citation,
        },
        "counts": _counts(archive, scans),
        "tables": [table for table in _tables(scans) if table["values"]],
        "radius": _measured(sizes, "radius_px", RADIUS_BIN_PX),
        "sizes_mm": _measured(sizes, "longest_mm", SIZE_BIN_MM),
        "sizes_px": _measured(sizes, "longest_px", SIZE_BIN_PX, LARGEST_PX),
        "notes": list(_notes(scans, sizes)),
    }


def _counts(archive: Archive, scans: Sequence[Scan]) -> dict[str, int]:
    return {
        "patients": len(archive.patients()),
        "exams": len(archive.exams()),
        "scans": len(scans),
        "scans with findings": sum(bool(scan.findings) for scan in scans),
        "scans called free of findings": sum(scan.findings == () for scan in scans),
        "findings": len(archive.findings()),
    }


def _tables(scans: Sequence[Scan]) -> Iterator[dict[str, Any]]:
    findings = [finding for scan in scans for finding in scan.findings or ()]
    first = [scan.findings[0] for scan in scans if scan.findings]
    yield _table("Classes by scan (its first finding)", "scans", [
        ("normal", ["normal"] * sum(scan.findings == () for scan in scans)),
        *((name, [_word(one) for one in first if one.pathology is severity])
          for severity, name in SEVERITIES.items()),
    ])  # fmt: skip
    yield _table("Kinds of findings", "findings", _by_severity(findings, _kind))
    yield _table("Tissue or density by scan", "scans", [
        (name, [_density(scan) for scan in scans if has(scan)])
        for name, has in (("without findings", _is_free), ("with findings", _has_findings))
    ])  # fmt: skip
    yield _table("Assessments", "findings", _by_severity(
        [one for one in findings if one.assessment is not None], lambda one: str(one.assessment)
    ))  # fmt: skip
    yield _table("Scanners", "scans", [
        ("scans", [scan.facts["scanner"] for scan in scans if scan.facts.get("scanner")])
    ])  # fmt: skip


def _table(title: str, unit: str, groups: Sequence[tuple[str, Sequence[str]]]) -> dict[str, Any]:
    values = sorted({word for _name, words in groups for word in words})
    return {
        "title": title,
        "unit": unit,
        "values": values,
        "groups": [
            {"name": name, "counts": [Counter(words)[value] for value in values]}
            for name, words in groups
            if words
        ],
    }


def _by_severity(findings: Sequence[Finding], word: Any) -> list[tuple[str, list[str]]]:
    return [
        (name, [word(one) for one in findings if one.pathology is severity])
        for severity, name in SEVERITIES.items()
    ]


def _word(finding: Finding) -> str:
    """Name MIAS's own class, as CIRC; other archives have far too many, so there it is the kind."""
    word = finding.descriptors[0] if finding.descriptors else ""
    return word if word in MIAS_CLASSES else _kind(finding)


def _kind(finding: Finding) -> str:
    return str(finding.kind).lower().replace("_", " ")


def _density(scan: Scan) -> str:
    word = scan.breast_density or NOTHING
    return MIAS_TISSUE.get(word, word) if scan.archive in MIAS else word


def _is_free(scan: Scan) -> bool:
    return scan.findings == ()


def _has_findings(scan: Scan) -> bool:
    return bool(scan.findings)


def _measured(
    sizes: Sequence[Size], name: str, width: float, largest: float | None = None
) -> dict[str, Any] | None:
    """Summarise one measure of the findings, by severity; None where no finding has it."""
    every = [getattr(one, name) for one in sizes]
    known = [value for value in every if value is not None]
    if not known:
        return None
    top = max(known) if largest is None else min(max(known), largest)
    edges = np.arange(0, math.floor(top / width) + 2) * width
    groups: Mapping[str, list[float]] = {
        label: [
            getattr(one, name)
            for one in sizes
            if one.pathology is severity and getattr(one, name) is not None
        ]
        for severity, label in SEVERITIES.items()
    }
    return {
        "all": summary(known),
        "edges": edges.tolist(),
        "larger": int(np.sum(np.asarray(known) >= edges[-1])),
        "groups": [
            {"name": label, **summary(values), "counts": in_bins(values, edges)}
            for label, values in groups.items()
            if values
        ],
    }


def _notes(scans: Sequence[Scan], sizes: Sequence[Size]) -> Iterator[str]:
    placeless = sum(one.roi is None for scan in scans for one in scan.findings or ())
    if placeless:
        yield f"Findings without a place, and so without a size: {placeless}."
    if unread := [one for one in sizes if one.unread]:
        yield f"Masks that could not be read: {len(unread)}; the first one: {unread[0].unread}"
    unproven = sum(one.pathology not in SEVERITIES for s in scans for one in s.findings or ())
    if unproven:
        yield (
            f"Findings not known to be benign or malignant: {unproven}; only the rows called all "
            "count them."
        )
    if silent := sum(scan.findings is None for scan in scans):
        yield (
            f"Scans of which it is not known whether they have findings: {silent} of {len(scans)}."
        )

"""Frozen splits of public archives: files that name who is in which part, with their digests.

Whoever measures on the same part of the same file can be compared. `scripts/make_public_splits.py`
made the files from the archives' own tables, by rules that draw no number; they do not change.
"""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from mammoscope.core.errors import BadValueError, CorruptFileError, LayoutError, UnknownNameError
from mammoscope.core.records import Scan

DIGESTS = {
    "cbis-ddsm-official": "ead50289d5dd695d24f3fd047f127b9cb275b2a71b0d721d8049518f4b2d9d68",
    "cbis-ddsm-purged": "3c72fecf9dfa9974e1bd2f08db7c1d848639d2b8a8ec7be7368797e1abaa812c",
    "mias-folds": "54f6649f8c92e10d785185d28281a17f938f409fde00fe3c42056c7a2468137c",
    "ddsm-cases": "faa1c44ada6caa5eaca91b9df62ab68840b4523b1fb79d9566ec18782e240df2",
}
"""SHA-256 of each file."""
ARCHIVES = {
    "cbis-ddsm-official": ("cbis-ddsm", "cbis-ddsm-800"),
    "cbis-ddsm-purged": ("cbis-ddsm", "cbis-ddsm-800"),
    "mias-folds": ("mini-mias", "mias-50um"),
    "ddsm-cases": ("ddsm", "ddsm-299"),
}
"""Archives whose patients each names."""
TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicSplit:
    """Who is in which part of an archive.

    Attributes
    ----------
    name : as in `DIGESTS`
    digest : SHA-256 of its file
    parts : part -> patient_ids; `cbis-ddsm-official` alone has patients in two parts, as published
    """

    name: str
    digest: str
    parts: Mapping[str, frozenset[str]]

    @property
    def usual_part(self) -> str | None:
        """The part that is measured on: the test where there is one, None (all) where not."""
        return TEST if TEST in self.parts else None

    def patients(self, part: str | None) -> frozenset[str]:
        """Return the patients of one part, or of all.

        Raises
        ------
        BadValueError
            When there is no such part.
        """
        if part is None:
            return frozenset().union(*self.parts.values())
        if part not in self.parts:
            raise BadValueError(
                f"The split {self.name} has no part {part!r}; it has {', '.join(self.parts)}."
            )
        return self.parts[part]

    def chosen(self, scans: Iterable[Scan], part: str | None) -> tuple[Scan, ...]:
        """Return the scans of one part, or of all.

        Of a patient whom CBIS-DDSM has in both its parts only the films of this part are taken.

        Raises
        ------
        BadValueError
            When there is no such part.
        LayoutError
            When a scan's archive is another than the split's, or none of its scans is in the part.
        """
        given, wanted = tuple(scans), self.patients(part)
        for scan in given:
            if scan.archive not in ARCHIVES[self.name]:
                raise LayoutError(
                    f"The split {self.name} names patients of {' and '.join(ARCHIVES[self.name])}, "
                    f"not of {scan.archive}; choose a split of the same archive."
                )
        inside = tuple(
            scan
            for scan in given
            if scan.patient_id in wanted and (part is None or scan.split in (None, part))
        )
        if not inside:
            raise LayoutError(
                f"None of the {len(given)} scans here is in the part {part or 'all'} of "
                f"{self.name}; get the scans of that part, or name another part."
            )
        return inside


def read_public_split(name: str) -> PublicSplit:
    """Read a packaged split.

    Raises
    ------
    UnknownNameError
        When there is none of that name.
    CorruptFileError
        When its file is not the one that was frozen.
    """
    if name not in DIGESTS:
        raise UnknownNameError.among("public split", name, DIGESTS)
    file = files("mammoscope.archives") / "data" / f"splits-{name}.csv"
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != DIGESTS[name]:
        raise CorruptFileError(
            f"{file}: its SHA-256 begins with {digest[:12]}, not {DIGESTS[name][:12]}, so it is "
            "not the frozen split; install mammoscope again."
        )
    parts: dict[str, set[str]] = defaultdict(set)
    for row in csv.DictReader(content.decode("utf-8").splitlines()):
        parts[row["part"]].add(row["patient_id"])
    return PublicSplit(
        name=name, digest=digest, parts={part: frozenset(parts[part]) for part in sorted(parts)}
    )


def split_and_part(words: str) -> tuple[PublicSplit, str | None]:
    """Read "NAME" or "NAME:PART"; without a part the split's usual one.

    Raises
    ------
    UnknownNameError, BadValueError, CorruptFileError
        When there is no such split or part, or its file is damaged.
    """
    name, colon, part = words.partition(":")
    split = read_public_split(name)
    if not colon:
        return split, split.usual_part
    split.patients(part)
    return split, part

"""What lies beside every export: `mammoscope.json` for the way back, `README.md` for people."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import mammoscope
from mammoscope.core.errors import CorruptFileError
from mammoscope.core.vocabulary import Split
from mammoscope.tiles.exchange.entries import classes_of
from mammoscope.tiles.exchange.terms import card_licence, citation_of, licence_of, warnings_for
from mammoscope.tiles.store import AUDIT, REPORT, TileSet, digest_of

VERSION = "mammoscope.exchange/2"
CARD, README = "mammoscope.json", "README.md"
REPORTS = (REPORT, AUDIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What an export tells of itself.

    Attributes
    ----------
    kind : name of its format
    splits : ``tiles`` and ``sha256`` of each split that has tiles, as `entries.Tally` tells them
    provenance : that of the set, without its files
    reports : SHA-256 of what lies beside the tiles, as it lay beside the set: ``build.json``,
        ``audit.json``
    """

    kind: str
    splits: Mapping[str, Mapping[str, str | int]]
    provenance: Mapping[str, Any]
    reports: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def write_card(folder: Path, tiles: TileSet, card: Card) -> None:
    """Write the card of an export."""
    archives = sorted(set(tiles.table["archive"].drop_nulls().to_list()))
    told = {
        "schema": VERSION,
        "format": card.kind,
        "code": f"mammoscope {mammoscope.__version__}",
        "classes": classes_of(tiles),
        "splits": card.splits,
        "reports": dict(card.reports),
        "licences": {name: licence_of(name) for name in archives},
        "provenance": card.provenance,
    }
    text = json.dumps(told, indent=1, sort_keys=True)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")


def read_card(folder: Path) -> Card | None:
    """Read the card of an export; None where there is none, so that others made the files.

    Raises
    ------
    CorruptFileError
        When it is damaged or of another version.
    """
    path = folder / CARD
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        version = told["schema"]
        splits: dict[str, dict[str, str | int]] = {
            str(split): {"tiles": int(one["tiles"]), "sha256": str(one["sha256"])}
            for split, one in told["splits"].items()
        }
        card = Card(
            kind=str(told["format"]),
            splits=splits,
            provenance=dict(told["provenance"]),
            reports={
                name: str(digest)
                for name, digest in told.get("reports", {}).items()
                if name in REPORTS
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFileError(
            f"{path}: is damaged; export the set again, or take this file away to import the "
            "others as anybody's."
        ) from error
    if version != VERSION or not {"recipe", "seed"} <= set(card.provenance):
        raise CorruptFileError(
            f"{path}: is of version {version!r} where {VERSION!r} was expected, or lacks recipe "
            "and seed; export the set again."
        )
    return card


def copy_reports(source: Path, target: Path) -> dict[str, str]:
    """Copy what a build says of its set and what the audit found, as far as it is there.

    Returns
    -------
    SHA-256 of each file that was copied.
    """
    there = [name for name in REPORTS if (source / name).is_file()]
    for name in there:
        shutil.copyfile(source / name, target / name)
    return {name: digest_of(target / name) for name in there}


def bring_reports(source: Path, target: Path, told: Mapping[str, str]) -> None:
    """Copy the reports of an export back beside the set.

    Raises
    ------
    CorruptFileError
        When one is missing or not as it was exported.
    """
    found = copy_reports(source, target)
    for name, digest in told.items():
        if found.get(name) != digest:
            raise CorruptFileError(
                f"{source / name}: is missing or not as it was exported; get the file again."
            )


def write_readme(folder: Path, tiles: TileSet, *, for_hub: bool) -> None:
    """Write what people should know before they use or pass on an export.

    Parameters
    ----------
    for_hub : with the heading that Hugging Face reads
    """
    archives = sorted(set(tiles.table["archive"].drop_nulls().to_list()))
    heading = _hub_heading(tiles, archives) if for_hub else ""
    text = heading + "\n".join(_paragraphs(tiles, archives)) + "\n"
    (folder / README).write_text(text, encoding="utf-8")


def _hub_heading(tiles: TileSet, archives: Sequence[str]) -> str:
    lines = ["---", f"license: {card_licence(archives)}"]
    lines += ["task_categories:", "- image-classification", "tags:", "- medical", "- mammography"]
    lines += ["configs:", "- config_name: default", "  data_files:"]
    for split in Split:
        if len(tiles.rows_of(split)):
            lines += [f"  - split: {split}", f"    path: data/{split}-*"]
    return "\n".join([*lines, "---", "", ""])


def _paragraphs(tiles: TileSet, archives: Sequence[str]) -> list[str]:
    side = tiles.shards[0].shape[1]
    told = tiles.provenance
    splits = ", ".join(f"{len(tiles.rows_of(split)):,} {split}" for split in Split)
    lines = [
        f"# Tiles of mammograms, recipe {told['recipe']}",
        "",
        f"{len(tiles):,} tiles of {side} x {side} pixels, 8 bits ({splits}), cut by mammoscope "
        f"with seed {told['seed']}; divided {told.get('splits', 'as their source did')}.",
        f"Labels: {', '.join(classes_of(tiles))}.",
        "",
        "Research only, not a medical device: no decision about a patient may rest on these tiles.",
        "",
        "## Terms",
        "",
        "Each archive's own terms hold for the tiles that were cut from it:",
        "",
    ]
    lines += [f"* {name}: {licence_of(name)}. Cite: {citation_of(name)}." for name in archives]
    lines += [f"\n**{warning}**" for warning in warnings_for(archives)]
    return lines

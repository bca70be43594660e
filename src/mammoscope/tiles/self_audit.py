"""The audit that every new tile set carries, whether it was built or imported."""

from dataclasses import replace
from pathlib import Path

from mammoscope.tiles.store import load_tiles


def audit_stage(stage: Path, place: str | Path, seed: int) -> None:
    """Audit a set before it gets its name, and store what was found beside it.

    Parameters
    ----------
    stage : folder where the set lies now
    place : folder or URL under which the audit is to know it
    seed : draws what the audit draws

    Raises
    ------
    OSError
        When it cannot be written.
    """
    # The audit's classifiers are slow to import, and most who open a set need none.
    from mammoscope.tiles.audit.report import audit_tiles, write_audit

    write_audit(stage, audit_tiles(replace(load_tiles(stage), folder=Path(place)), seed=seed))

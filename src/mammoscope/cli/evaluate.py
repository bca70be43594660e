"""`mammoscope evaluate`: a model on an archive or on tiles, or anybody's scores."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mammoscope.cli.console import counting, tell_failures
from mammoscope.core.errors import BadValueError, CorruptFileError

if TYPE_CHECKING:
    from mammoscope.archives.archive import Archive
    from mammoscope.cli.evaluate_out import Places
    from mammoscope.core.contract import ModelContract

    Progress = Callable[[int, int], None]


def evaluate(
    model: Annotated[
        str | None, typer.Argument(help="A shipped model's name, or a weight file.")
    ] = None,
    archive: Annotated[
        tuple[str, Path] | None,
        typer.Option(metavar="NAME DIR", help="Archive, and its folder."),
    ] = None,
    tiles: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Tile set, whose test tiles a model of tiles is measured on."
        ),
    ] = None,
    contrast: Annotated[
        str,
        typer.Option(
            metavar="C,C",
            help="With --tiles: factors by which their contrast is raised, for the sweep.",
        ),
    ] = "1,1.5,2",
    scores: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Measure these scores (CSV: scan_id, patient_id, score, truth), not a model.",
        ),
    ] = None,
    detections: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Places that belong to the scores (CSV: scan_id, row, column, score), for FROC; "
            "needs --archive.",
        ),
    ] = None,
    again: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="Make the page of this evaluation.json, measure nothing."
        ),
    ] = None,
    public_split: Annotated[
        str | None,
        typer.Option(metavar="NAME[:PART]", help="Measure the patients of a frozen public split."),
    ] = None,
    trained_on: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Patients who were trained on (ids, a CSV, or a division by `tiles split`): "
            "refused where one of them is measured.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Measure them all the same; every page says so.")
    ] = False,
    threshold: Annotated[
        str,
        typer.Option(
            metavar="T",
            help="Of scores and tiles: a number, or youden, recall=R, specificity=S, rate=R, "
            "cost=MISS:ALARM:PREVALENCE.",
        ),
    ] = "0.5",
    validation: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Scores of other patients that choose the threshold and fit the calibration.",
        ),
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="platt, temperature or isotonic: fit it on --validation (or on the validation "
            "tiles) and measure the probabilities.",
        ),
    ] = None,
    audit: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="audit.json of what is measured, for the page."),
    ] = None,
    json_to: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="Write evaluation.json there and scores.csv beside it; '-' prints it alone.",
        ),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page (HTML) that holds all of it.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the drawings there as SVG and PNG.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Measure only so many patients, the first by id.")
    ] = None,
    spacing_um: Annotated[
        float | None,
        typer.Option(
            min=10, max=2000, help="Pixel size of scans whose archive does not know it, in um."
        ),
    ] = None,
    resamples: Annotated[
        int, typer.Option(min=40, help="Resamples of the bootstrap over patients.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
) -> None:
    """Measure a model on an archive or on tiles, or anybody's scores.

    Ends with 0 when all scans were read and 1 when some could not be.
    """
    from mammoscope.cli.evaluate_out import Places, pictures_of, put
    from mammoscope.cli.evaluate_scores import Asked, measure_scores

    _check_one({"MODEL": model, "--scores": scores, "--from": again})
    places, draws = Places(json_to, page, figures), (resamples, seed)
    if tiles is not None:
        _check_alone(
            {
                "--scores": scores,
                "--from": again,
                "--archive": archive,
                "--detections": detections,
                "--validation": validation,
                "--public-split": public_split,
                "--limit": limit,
                "--spacing-um": spacing_um,
            }
        )
        _of_tiles(
            (str(model), tiles, contrast),
            (threshold, calibrate, trained_on, force),
            draws,
            (places, audit),
        )
        return
    given = _given(archive, public_split, limit)
    if again is not None:
        _of_file(again, places, given)
        return
    tables: dict[str, str] = {}
    if scores is not None:
        asked = Asked(
            scores=scores,
            detections=detections,
            threshold=threshold,
            validation=validation,
            calibrate=calibrate,
            public_split=public_split,
            trained_on=trained_on,
            force=force,
        )
        measured = measure_scores(asked, given, draws)
        title = str(scores)
    else:
        if given is None or model is None:
            raise BadValueError(
                "A model needs --archive NAME DIR, whose scans it is measured on, or --tiles DIR."
            )
        _check_of_scores({"--validation": validation, "--calibrate": calibrate})
        measured, tables = _of_model(model, given, (trained_on, force), draws, spacing_um)
        title = f"{model} on {given.name}"
    _add(measured, audit, public_split)
    pictures = None if given is None else partial(pictures_of, given)
    put(measured, places, title, pictures, tables, _run_beside(model))
    failures = measured.get("dataset", {}).get("failures") or {}
    tell_failures(failures)
    if failures:
        raise typer.Exit(1)


def _check_alone(others: Mapping[str, Any]) -> None:
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise BadValueError(
            f"{given[0]} does not go with --tiles, which measures a model on its test tiles; leave "
            "one of them out."
        )


def _check_of_scores(options: Mapping[str, Any]) -> None:
    """Refuse what a model's contract decides, lest somebody believes it was heeded."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise BadValueError(
            f"{given[0]} is for --scores; a model on an archive keeps the threshold and the "
            "calibration of its contract: measure the scores.csv that it leaves beside its JSON."
        )


def _run_beside(model: str | None) -> Path | None:
    """Return the folder of the run that a weight file came from, as `train` lays it out."""
    return Path(model).parent / "run" if model is not None and Path(model).is_file() else None


def _of_file(file: Path, places: "Places", archive: "Archive | None") -> None:
    """Make the page and drawings of an evaluation that was measured before."""
    from mammoscope.cli.evaluate_out import pictures_of, put
    from mammoscope.cli.evaluate_scores import read_evaluation

    measured = read_evaluation(file)
    pictures = None if archive is None else partial(pictures_of, archive)
    try:
        put(measured, places, str(file), pictures, run=file.parent / "run")
    except (KeyError, TypeError, AttributeError) as error:
        raise CorruptFileError(
            f"{file}: a part of it is not as evaluate writes it ({error}); measure again."
        ) from error


def _of_tiles(
    what: tuple[str, str, str],
    how: tuple[str, str | None, Path | None, bool],
    draws: tuple[int, int],
    out: "tuple[Places, Path | None]",
) -> None:
    """Measure a model on a tile set, and put it where it was asked for."""
    from mammoscope.cli.evaluate_out import put
    from mammoscope.cli.evaluate_tiles import TilesAsked, contrasts_of, measure_tiles

    (model, folder, contrast), (threshold, calibrate, trained_on, force) = what, how
    found = measure_tiles(
        TilesAsked(
            model=model,
            folder=folder,
            contrasts=contrasts_of(contrast),
            threshold=threshold,
            calibrate=calibrate,
            trained_on=trained_on,
            force=force,
        ),
        draws,
    )
    places, audit = out
    _add(found.measured, audit, None)
    tables = {"scores.csv": found.table}
    title = f"{model} on the test tiles of {folder}"
    put(found.measured, places, title, found.pictures, tables, _run_beside(model))


def _check_one(ways: Mapping[str, Any]) -> None:
    chosen = [name for name, value in ways.items() if value is not None]
    if len(chosen) != 1:
        said = " and ".join(chosen) if chosen else "nothing"
        raise BadValueError(
            f"Name a model, --scores FILE or --from FILE to measure, one of them: {said} was given."
        )


def _given(
    archive: tuple[str, Path] | None, public_split: str | None, limit: int | None
) -> "Archive | None":
    """Open the archive, with the scans alone that are to be measured."""
    if archive is None:
        return None
    from mammoscope.archives.open import open_archive

    name, folder = archive
    opened = open_archive(name, folder)
    if public_split is not None:
        from mammoscope.evaluation.public_splits import split_and_part

        split, part = split_and_part(public_split)
        opened = replace(opened, records=split.chosen(opened.scans(), part))
    if limit is not None:
        patients = sorted({scan.patient_id for scan in opened.scans()})[:limit]
        kept = tuple(scan for scan in opened.scans() if scan.patient_id in patients)
        opened = replace(opened, records=kept)
    return opened


def _of_model(
    model: str,
    archive: "Archive",
    training: tuple[Path | None, bool],
    draws: tuple[int, int],
    spacing_um: float | None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Measure a model; returns evaluation.json's content, and tables to write beside it by name."""
    from mammoscope.cli.evaluate_scores import training_patients
    from mammoscope.evaluation.scores import scores_text
    from mammoscope.evaluation.trained_on import check_apart
    from mammoscope.models.weights import load_model
    from mammoscope.read.evaluate import evaluation_of, pass_over

    loaded = load_model(model)
    trained_on, force = training
    said = []
    if trained_on is not None:
        trained, digest = training_patients(trained_on)
        patients = [scan.patient_id for scan in archive.scans()]
        said.append(check_apart(patients, trained, str(trained_on), force=force))
        if digest is not None:
            said.append(_other_division(loaded.contract, digest, trained_on))
    with counting(f"Measuring on {archive.name}") as progress:
        passed = pass_over(loaded, archive, spacing_um=spacing_um, progress=progress)
    resamples, seed = draws
    measured = evaluation_of(loaded, archive, passed, resamples=resamples, seed=seed)
    warnings = [*filter(None, said), *(measured.get("warnings") or ())]
    tables = {
        "scores.csv": scores_text(passed.outcomes),
        "scores-malignancy.csv": scores_text(passed.outcomes, malignant=True),
    }
    return measured | {"warnings": warnings}, {k: v for k, v in tables.items() if v is not None}


def _other_division(contract: "ModelContract", digest: str, file: Path) -> str | None:
    """Say where a division is not the one that the model's contract names."""
    known = contract.origin.get("split", "")
    if not known or digest in known:
        return None
    return (
        f"{file.name} is not the division that the model's contract names ({known[:60]}): who was "
        "trained on may be others."
    )


def _add(measured: dict[str, Any], audit: Path | None, public_split: str | None) -> None:
    """Set the verdict of the audit, and the frozen split with its digest."""
    from mammoscope.cli.evaluate_scores import read_audit

    dataset = dict(measured.get("dataset") or {})
    if audit is not None:
        dataset["audit_verdict"] = read_audit(audit)
    if public_split is not None:
        from mammoscope.evaluation.public_splits import split_and_part

        split, part = split_and_part(public_split)
        dataset |= {
            "public_split": f"{split.name}:{part or 'all'}",
            "public_split_digest": split.digest,
        }
    if dataset:
        measured["dataset"] = dataset

"""`mammoscope model import`: a checkpoint of the paper's author becomes a weight file."""

from pathlib import Path
from typing import Annotated

import typer

from mammoscope.cli.console import busy
from mammoscope.core.errors import BadValueError, MissingFileError


def import_(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="As in model/NAME.ckpt, or its .index.")
    ],
    network: Annotated[str, typer.Option(help="Network of the zoo, as 1.0.0.35.")],
    out: Annotated[Path, typer.Option(metavar="FILE.safetensors", help="File to write.")],
    head: Annotated[
        str | None,
        typer.Option(
            help="binary, five, mass-calcification or benign-malignant.",
            show_default="by the size of the output layer",
        ),
    ] = None,
    spacing_um: Annotated[
        float | None,
        typer.Option(
            help="Side of a pixel of the tiles it was trained on, in micrometres.",
            show_default="77.5, of the author's tiles of mini-MIAS",
        ),
    ] = None,
) -> None:
    """Turn a TensorFlow 1 checkpoint into weights with their contract; TensorFlow is not needed."""
    from mammoscope.models.import_tf1 import AUTHOR_SPACING_MM, import_checkpoint, write_imported

    if out.suffix != ".safetensors":
        raise BadValueError(f"{out}: weights are written as .safetensors; give such a name.")
    if not out.parent.is_dir():
        raise MissingFileError(f"{out.parent}: there is no such folder; make it first.")
    if spacing_um is not None and not 10 <= spacing_um <= 2000:
        raise BadValueError(f"--spacing-um {spacing_um:g}: give a side from 10 to 2000.")
    spacing_mm = AUTHOR_SPACING_MM if spacing_um is None else spacing_um / 1000
    with busy("importing"):
        made = import_checkpoint(checkpoint, network, head, spacing_mm=spacing_mm)
        write_imported(made, out)
    count = sum(parameter.numel() for parameter in made.network.parameters())
    print(f"{count:,} parameters of {network} in {out}.")
    print(f"Answers: {', '.join(made.contract.output.targets)}.")
    if made.filled.step is not None:
        print(f"Saved at step {made.filled.step:,}.")
    if made.filled.of_adam:
        print(f"Left out: {len(made.filled.of_adam)} variables of its optimiser, Adam.")

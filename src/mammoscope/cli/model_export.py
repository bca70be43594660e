"""`mammoscope model export`: a model as an ONNX file, for programs without torch."""

from pathlib import Path
from typing import Annotated

import typer

from mammoscope.cli.console import busy
from mammoscope.core.errors import BadValueError, MissingFileError

WHOLE_SCAN_EXAMPLE = 4
"""Steps of a whole-scan network's sides in the example that the exporter follows."""


def export(
    model: Annotated[str, typer.Argument(help="Name of a shipped model, or a weight file.")],
    onnx: Annotated[Path, typer.Option("--onnx", help="The ONNX file to write.")],
) -> None:
    """Write a model as an ONNX file, with its contract in the metadata.

    The file is written only when ONNX Runtime answers from it as the model does.
    """
    from mammoscope.models import zoo
    from mammoscope.models.export import export_onnx
    from mammoscope.models.weights import load_model

    if onnx.suffix != ".onnx":
        raise BadValueError(f"{onnx}: ONNX files are written as .onnx; give such a name.")
    if not onnx.parent.is_dir():
        raise MissingFileError(f"{onnx.parent}: there is no such folder; make it first.")
    loaded = load_model(model)
    contract = loaded.contract
    if contract.output.stride_px is not None:
        side_px = WHOLE_SCAN_EXAMPLE * contract.input.multiple_px
    else:
        side_px = zoo.facts(contract.architecture).side_px
    with busy("exporting"):
        export_onnx(loaded, onnx, side_px=side_px)
    size = onnx.stat().st_size / 2**20
    print(f"{onnx}: {contract.name} {contract.version} as ONNX, {size:.1f} MiB.")

"""`mammoscope tiles`: sets of tiles built, audited, looked at and exchanged."""

import typer

from mammoscope.cli.tiles_audit import audit
from mammoscope.cli.tiles_build import build

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Sets of tiles: build and audit them."
)
app.command()(build)
app.command()(audit)

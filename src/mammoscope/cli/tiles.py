"""`mammoscope tiles`: sets of tiles built, audited, looked at and exchanged."""

import typer

from mammoscope.cli.tiles_audit import audit
from mammoscope.cli.tiles_build import build
from mammoscope.cli.tiles_exchange import export, import_
from mammoscope.cli.tiles_show import show

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Sets of tiles: build, audit, show, export and import them.",
)
app.command()(build)
app.command()(audit)
app.command()(show)
app.command()(export)
app.command("import")(import_)

"""`mammoscope tiles`: patients divided, sets of tiles built, audited, shown, exchanged."""

import typer

from mammoscope.cli.tiles_audit import audit
from mammoscope.cli.tiles_build import build
from mammoscope.cli.tiles_exchange import export, import_
from mammoscope.cli.tiles_places import places
from mammoscope.cli.tiles_show import show
from mammoscope.cli.tiles_split import split

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Sets of tiles: divide patients, build, audit, show, export and import.",
)
app.command()(split)
app.command()(places)
app.command()(build)
app.command()(audit)
app.command()(show)
app.command()(export)
app.command("import")(import_)

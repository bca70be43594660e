"""`mammoscope model`: which models ship, what their cards say; the commands beside it joined."""

from typing import Annotated

import typer

from mammoscope.cli.console import print_table
from mammoscope.cli.model_curves import curves
from mammoscope.cli.model_export import export
from mammoscope.cli.model_finish import finish
from mammoscope.cli.model_import import import_

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Models: list them, show a card or a run's curves, export and import.",
)


@app.command("list")
def list_models() -> None:
    """List the models that ship with the package."""
    from mammoscope.models.weights import SHIPPED

    print_table("Models", ("name", "what it is"), [(n, SHIPPED[n]) for n in sorted(SHIPPED)])


@app.command()
def card(name: Annotated[str, typer.Argument(help="Name of the model.")]) -> None:
    """Print a model's card (Markdown): what it was trained on, how well it does, its limits."""
    from mammoscope.models.weights import model_card

    print(model_card(name))


app.command("curves")(curves)
app.command("export")(export)
app.command("finish")(finish)
app.command("import")(import_)

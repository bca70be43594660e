"""`mammoscope model`: the list, and the cards."""

import pytest

from mammoscope.core.errors import UnknownNameError


@pytest.fixture(autouse=True)
def models(stand_in):
    def model_card(name):
        if name != "default":
            raise UnknownNameError.among("model", name, ["default"])
        return "# default\n\n[bold]not markup[/bold]"

    stand_in("mammoscope.models.weights", SHIPPED={"default": "masses"}, model_card=model_card)


def test_the_list_names_models_and_what_they_are(run):
    ended = run("model", "list")
    assert ended.code == 0
    assert "default" in ended.out
    assert "masses" in ended.out


def test_a_card_is_printed_as_it_is(run):
    assert run("model", "card", "default").out == "# default\n\n[bold]not markup[/bold]\n"


def test_an_unknown_model_is_told_with_the_known(run):
    ended = run("model", "card", "defualt")
    assert ended.code == 2
    assert "known are: default" in ended.err

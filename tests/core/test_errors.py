"""The tree of errors is the one that its module draws."""

import inspect
import re

import pytest

from mammoscope.core import errors
from mammoscope.core.errors import MammoscopeError, UnknownNameError

CLASSES = {
    name: found
    for name, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, MammoscopeError)
}


def test_the_drawn_tree_names_every_error():
    drawn = set(re.findall(r"\b\w+Error\b", errors.__doc__.split("Each message")[0]))
    assert drawn == set(CLASSES)


def test_the_drawn_tree_says_whose_child_each_error_is():
    for line in errors.__doc__.splitlines()[3:9]:
        parent, *children = re.findall(r"\w+Error", line)
        assert CLASSES[parent].__mro__[1] is MammoscopeError
        for child in children:
            assert CLASSES[child].__mro__[1] is CLASSES[parent]


def test_no_chain_of_errors_is_deeper_than_two_below_the_root():
    assert all(len(found.__mro__) <= 3 + 3 for found in CLASSES.values())


def test_an_unknown_name_is_told_with_the_names_near_it():
    error = UnknownNameError.among("archive", "mini-mia", ["mini-mias", "cbis-ddsm", "ddsm"])
    assert isinstance(error, MammoscopeError)
    assert str(error) == "There is no archive called 'mini-mia'; known are: mini-mias."


def test_an_unknown_name_with_nothing_near_it_is_told_with_all_names():
    error = UnknownNameError.among("archive", "xyz", ["ddsm", "cbis-ddsm"])
    assert str(error).endswith("known are: cbis-ddsm, ddsm.")


@pytest.mark.parametrize("found", CLASSES.values(), ids=lambda c: c.__name__)
def test_every_error_says_in_one_line_what_it_is_for(found):
    assert found.__doc__
    assert found.__doc__.strip().endswith(".")
    assert "\n" not in found.__doc__.strip()

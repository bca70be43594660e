"""Names are imported on use, and wrong ones are told with the right ones."""

import json
import sys

import pytest

from mammoscope.core.errors import UnknownNameError
from mammoscope.core.registry import Registry


def test_a_name_gives_what_it_stands_for():
    assert Registry("writer", {"json": "json:dumps"}).get("json") is json.dumps


def test_making_a_registry_imports_nothing(monkeypatch):
    monkeypatch.delitem(sys.modules, "this_is_no_module", raising=False)
    registry = Registry("thing", {"broken": "this_is_no_module:thing"})
    assert registry.names == ("broken",)
    with pytest.raises(ModuleNotFoundError):
        registry.get("broken")


def test_names_are_sorted():
    assert Registry("thing", {"b": "json:dumps", "a": "json:loads"}).names == ("a", "b")


def test_an_unknown_name_is_told_with_those_near_it():
    with pytest.raises(UnknownNameError, match=r"no network called 'lite1'.*lite0"):
        Registry("network", {"lite0": "json:dumps", "paper": "json:loads"}).get("lite1")


@pytest.mark.parametrize("place", ["json", "json:", ":dumps", ""])
def test_a_place_that_is_no_module_and_function_is_refused(place):
    with pytest.raises(ValueError, match="'module:function'"):
        Registry("thing", {"a": place})

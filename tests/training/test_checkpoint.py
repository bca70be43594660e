"""What a run needs to go on: written whole, read back exactly, refused when it does not fit."""

import errno

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mammoscope.core.errors import TrainingError, WeightsError
from mammoscope.training import checkpoint
from mammoscope.training.checkpoint import (
    BEST_FILE,
    FILE,
    Best,
    Progress,
    load_best,
    load_checkpoint,
    save_best,
    save_checkpoint,
)

MAKERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
}


def make(maker="adam", seed=0, steps=0):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(18, 2))
    optimiser = MAKERS[maker](network.parameters())
    for _ in range(steps):
        step(network, optimiser)
    return network, optimiser


def step(network, optimiser):
    optimiser.zero_grad()
    network(torch.rand(4, 1, 5, 5)).square().mean().backward()
    optimiser.step()


@pytest.mark.parametrize("maker", MAKERS)
def test_a_restored_run_draws_and_steps_as_if_it_had_not_stopped(tmp_path, maker):
    network, optimiser = make(maker, steps=3)
    save_checkpoint(tmp_path, network, optimiser, Progress(step=3), "d")
    step(network, optimiser)
    other, again = make(maker, seed=9)
    assert load_checkpoint(tmp_path, other, again, "d").step == 3
    step(other, again)
    for name, value in network.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@given(
    step=st.integers(0, 10**6),
    history=st.lists(st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False), max_size=3)),
    running=st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False), max_size=3),
    best=st.none() | st.builds(Best, st.integers(1, 99), st.floats(allow_nan=False)),
    is_over=st.booleans(),
)
def test_progress_comes_back_as_it_was(tmp_path_factory, step, history, running, best, is_over):
    folder = tmp_path_factory.mktemp("run")
    network, optimiser = make()
    progress = Progress(
        step=step,
        steps_per_epoch=7,
        history=history,
        running=running,
        best=best,
        is_over=is_over,
        extra={"average/a": torch.arange(3.0)},
    )
    save_checkpoint(folder, network, optimiser, progress, "d")
    found = load_checkpoint(folder, network, optimiser, "d")
    assert torch.equal(found.extra.pop("average/a"), torch.arange(3.0))
    progress.extra = {}
    assert found == progress


def test_weights_laid_out_for_convolutions_come_back_with_their_values(tmp_path):
    network, optimiser = make(steps=1)
    network.to(memory_format=torch.channels_last)
    save_checkpoint(tmp_path, network, optimiser, Progress(), "d")
    other, again = make(seed=1)
    load_checkpoint(tmp_path, other, again, "d")
    assert torch.equal(other[0].weight, network[0].weight)


def test_there_is_nothing_to_go_on_from_in_an_empty_folder(tmp_path):
    assert load_checkpoint(tmp_path, *make(), "d") == Progress()


def test_other_settings_are_refused(tmp_path):
    save_checkpoint(tmp_path, *make(), Progress(), "d")
    with pytest.raises(WeightsError, match="under other settings; choose another --out"):
        load_checkpoint(tmp_path, *make(), "e")


@pytest.mark.parametrize("part", [0, 100, -1])
def test_a_damaged_file_is_named(tmp_path, part):
    save_checkpoint(tmp_path, *make(), Progress(), "d")
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:part])
    with pytest.raises(WeightsError, match=r"checkpoint\.safetensors: .*cannot be read"):
        load_checkpoint(tmp_path, *make(), "d")


def test_another_network_is_refused(tmp_path):
    save_checkpoint(tmp_path, *make(), Progress(), "d")
    network = nn.Linear(2, 2)
    with pytest.raises(WeightsError, match="of another network or another version"):
        load_checkpoint(tmp_path, network, torch.optim.Adam(network.parameters()), "d")


def test_the_best_weights_come_back_and_those_of_another_epoch_do_not(tmp_path):
    network, _ = make()
    save_best(tmp_path, network.state_dict(), Best(3, 0.5))
    found = load_best(tmp_path, Best(3, 0.5))
    assert all(torch.equal(found[k], v) for k, v in network.state_dict().items())
    with pytest.raises(WeightsError, match="holds epoch 3, and epoch 4 was the best"):
        load_best(tmp_path, Best(4, 0.6))


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "No space left"), (errno.EACCES, "Permission denied")]
)
def test_what_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch, number, words):
    network, optimiser = make()
    save_checkpoint(tmp_path, network, optimiser, Progress(step=1), "d")
    save_best(tmp_path, network.state_dict(), Best(1, 0.5))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def fails(*_):
        raise OSError(number, words)

    monkeypatch.setattr(checkpoint.Path, "replace", fails)
    with pytest.raises(TrainingError, match=rf"checkpoint of step 2 .*{words}.*still there"):
        save_checkpoint(tmp_path, network, optimiser, Progress(step=2), "d")
    with pytest.raises(TrainingError, match=rf"{BEST_FILE}: the best weights .*{words}"):
        save_best(tmp_path, network.state_dict(), Best(2, 0.6))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before

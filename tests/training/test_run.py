"""`train`: a settings file to a run, whatever the task."""

from pathlib import Path

import pytest

from mammoscope.core.errors import BadValueError, MissingFileError, UnknownNameError
from mammoscope.training import run as run_module
from mammoscope.training.run import train

TEXT = 'name = "made"\ntask = "tiles"\ntiles = "set"\n'


@pytest.fixture
def asked(monkeypatch):
    """Take down what a run of tiles is asked for, instead of training it."""
    made = []

    def train_tiles(settings, digest, out, show, **_):
        made.append((settings, digest, out))
        return out / "model.safetensors"

    monkeypatch.setattr("mammoscope.training.tile_run.train_tiles", train_tiles)
    return made


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(TEXT)
    return path


def test_a_file_with_overrides_becomes_settings_and_a_folder(config, asked):
    path = train(config, ["epochs=3", "loss.positive_weight=6", "name=other"])
    ((settings, _, out),) = asked
    assert (settings.epochs, settings.loss.positive_weight, settings.tiles) == (3, 6, "set")
    assert out == Path("runs/other")
    assert path == Path("runs/other/model.safetensors")


def test_a_folder_that_is_given_is_taken(config, asked, tmp_path):
    train(config, (), tmp_path / "out")
    assert asked[0][2] == tmp_path / "out"


def test_settings_that_change_the_weights_change_the_digest_and_alarms_do_not(config, asked):
    changes = [[], ["epochs=3"], ["augment.flip_vertical=0"], ["seed=7"], ["on_alarm=tell"]]
    for change in changes:
        train(config, change)
    digests = [digest for _, digest, _ in asked]
    assert len(set(digests[:4])) == 4
    assert digests[4] == digests[0]


@pytest.mark.parametrize(
    ("network", "wanted"),
    # Method facts 3 and 4: batch, weight of the abnormal, factor and epochs of a stair.
    [
        ("1.0.0.35", (32, 2.0, 0.80, 5)),
        ("1.0.0.24", (64, 1.0, 0.85, 5)),
        ("DDSM_2", (32, 4.0, 0.85, 25)),
    ],
)
def test_what_is_not_given_is_as_the_networks_script_has_it(config, asked, network, wanted):
    train(config, [f"architecture={network}"])
    ((settings, _, _),) = asked
    rate = settings.rate
    got = (settings.batch_size, settings.loss.positive_weight, rate.decay, rate.epochs_a_stair)
    assert got == wanted


def test_what_is_given_wins_over_the_networks_script(config, asked):
    given = ["batch_size=8", "loss.positive_weight=3", "rate.decay=0.5", "rate.epochs_a_stair=2"]
    train(config, ["architecture=DDSM_2", *given])
    ((settings, _, _),) = asked
    assert (settings.batch_size, settings.loss.positive_weight) == (8, 3)
    assert (settings.rate.decay, settings.rate.epochs_a_stair) == (0.5, 2)


def test_a_network_that_is_none_is_named_before_anything_is_read(config):
    with pytest.raises(UnknownNameError, match=r"1\.0\.0\.99"):
        train(config, ["architecture=1.0.0.99"])


def test_a_section_that_is_no_table_is_still_told(config):
    with pytest.raises(BadValueError, match="loss"):
        train(config, ["loss=3"])


def test_a_missing_settings_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"b\.toml: there is no such settings file"):
        train(tmp_path / "b.toml")


def test_an_unknown_task_is_answered_with_the_known_ones(config):
    with pytest.raises(UnknownNameError, match="task called 'tile'; known are: tiles"):
        train(config, ["task=tile"])


def test_a_wrong_value_names_the_file(config):
    with pytest.raises(BadValueError, match=r"a\.toml: .*batch_size 2 or more"):
        train(config, ["batch_size=1"])


def test_a_bar_moves_and_shows_its_text(capsys):
    with run_module.show_progress(2, "epochs") as step:
        step("loss 1.000")
    assert "epochs" in capsys.readouterr().err

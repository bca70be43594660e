"""`mammoscope model finish`: what it is given, and the index that follows the weights."""

import hashlib

import numpy as np
import pytest

from mammoscope.read.explain_nearest import make_index, read_index, write_index

CONFIG = 'task = "dense"\nname = "x"\n[archive]\nname = "a"\nfolder = "b"\n'


@pytest.fixture
def calls(stand_in, tmp_path):
    """Finishing that writes other bytes, and what it was called with."""
    made = []

    def finish(run, settings, ablation):
        made.append((run, settings.name, ablation))
        (run / "model.safetensors").write_bytes(b"after")
        return run / "model.safetensors"

    (tmp_path / "model.safetensors").write_bytes(b"before")
    (tmp_path / "c.toml").write_text(CONFIG)
    stand_in("mammoscope.training.finish", finish=finish)
    return made


def index_at(path, content):
    features = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    names, natures = tuple("abcdefgh"), ("BENIGN",) * 8
    write_index(path, make_index(features, names, natures, hashlib.sha256(content).hexdigest()))
    return path


def test_a_run_is_finished_and_its_files_named(run, calls, tmp_path):
    ended = run("model", "finish", tmp_path, "--config", tmp_path / "c.toml")
    assert (ended.code, ended.err) == (0, "")
    assert calls == [(tmp_path, "x", ())]
    assert str(tmp_path / "model.safetensors") in ended.out
    assert str(tmp_path / "model.md") in ended.out


def test_several_tables_go_onto_one_card(run, calls, tmp_path):
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    tables = ("--ablation", one, "--ablation", other)
    assert run("model", "finish", tmp_path, "--config", tmp_path / "c.toml", *tables).code == 0
    assert calls == [(tmp_path, "x", [one, other])]


def test_an_index_of_the_same_weights_takes_their_new_digest(run, calls, tmp_path):
    path = index_at(tmp_path / "lesions.safetensors", b"before")
    before = read_index(path)
    ended = run("model", "finish", tmp_path, "--config", tmp_path / "c.toml", "--index", path)
    assert ended.code == 0
    after = read_index(path)
    assert after.model_digest == hashlib.sha256(b"after").hexdigest()
    assert (after.vectors == before.vectors).all()


def test_an_index_of_other_weights_is_refused(run, calls, tmp_path):
    path = index_at(tmp_path / "lesions.safetensors", b"others")
    before = path.read_bytes()
    ended = run("model", "finish", tmp_path, "--config", tmp_path / "c.toml", "--index", path)
    assert ended.code == 2
    assert "belongs to other weights" in ended.err
    assert path.read_bytes() == before


def test_settings_of_another_task_are_refused(run, calls, tmp_path):
    (tmp_path / "t.toml").write_text(
        'task = "tiles"\nname = "x"\ntiles = "t"\nnetwork = "vgg_16"\n'
    )
    ended = run("model", "finish", tmp_path, "--config", tmp_path / "t.toml")
    assert ended.code == 2
    assert calls == []

"""Every classifier of the zoo trains an epoch on real tiles of its real size.

One network of each family goes the whole way from a settings file to weights and figures. Of the
others an epoch's steps are taken without writing anything: their checkpoints have hundreds of
megabytes. Left out are the five of over 40 million parameters (tests/models builds them) and the
dense networks, which take whole scans: tests/training/test_dense_run.py trains lite0-dense and
tilenet-dense, and 3.9.4.01 has no training here, as no task gives it masks.
"""

import json

import numpy as np
import pytest
import torch

from mammoscope.archives.open import open_archive
from mammoscope.core.geometry import Box
from mammoscope.core.vocabulary import Split
from mammoscope.models import zoo
from mammoscope.models.weights import load_model
from mammoscope.scans.load import load
from mammoscope.tiles.store import load_tiles, write_tiles
from mammoscope.tiles.tile import NORMAL, Tile
from mammoscope.training.optimisers import make_optimiser
from mammoscope.training.run import train_settings
from mammoscope.training.settings import Device, OnAlarm, TileSettings
from mammoscope.training.tile_run import prepare
from mammoscope.training.tile_task import Penalty, TileTask

pytestmark = [pytest.mark.real, pytest.mark.slow]
FAMILIES = (
    *("1.0.0.2", "1.0.0.35", "1.0.5.01", "1.0.1.40", "1.1.1.01"),
    *("vgg_16.3", "inception_v4.05", "2.0.0.35", "tilenet-s", "lite0", "inception_v3"),
)
"""One of each: plain, the paper's own, branched, residual, 1.1.x, and the later ones."""
LARGE = {"inception_v4.paper", "vgg19", "vgg_16", "vgg_16.2", "vgg_16.3.01"}
PLACES = {zoo.NETWORKS.places[name]: name for name in reversed(FAMILIES)}
OTHERS = sorted(
    {
        place: name
        for name, place in zoo.NETWORKS.places.items()
        if zoo.facts(name).kind != "dense" and place not in PLACES and name not in LARGE
    }.values()
)
SIDE = 299
SPLITS = (Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, shared_data):
    """Tiles of four films with a mass and of four without: half of them train."""
    scans = open_archive("mini-mias", shared_data / "mini-mias").scans()
    marked = [scan for scan in scans if scan.findings and scan.findings[0].roi is not None]
    normal = [scan for scan in scans if scan.findings == ()]
    chosen = [
        (scan, label, split)
        for kind, label in ((one_a_patient(marked), "BENIGN_mass"), (one_a_patient(normal), NORMAL))
        for scan, split in zip(kind, SPLITS, strict=False)
    ]

    def tiles():
        for scan, label, _split in chosen:
            image = load(scan).image
            centre = (512, 512) if label == NORMAL else scan.findings[0].roi.centre
            top, left = (int(np.clip(one - SIDE // 2, 0, 1024 - SIDE)) for one in centre)
            yield Tile(
                pixels=np.ascontiguousarray(image[top : top + SIDE, left : left + SIDE]),
                scan=scan,
                finding_id=None,
                box=Box(top, left, SIDE, SIDE),
                label=label,
            )

    made = tmp_path_factory.mktemp("real") / "set"
    splits = {scan.patient_id: str(split) for scan, _label, split in chosen}
    write_tiles(made, tiles(), splits, {"recipe": "9", "seed": 0})
    return made


def one_a_patient(scans):
    return list({scan.patient_id: scan for scan in reversed(scans)}.values())[::-1]


def settings_for(name, folder):
    return TileSettings(
        name="made", tiles=str(folder), architecture=name, epochs=1, batch_size=2, seed=3,
        device=Device.CPU, on_alarm=OnAlarm.TELL,
    )  # fmt: skip


def test_no_classifier_is_forgotten():
    tried = {zoo.NETWORKS.places[name] for name in (*FAMILIES, *OTHERS, *LARGE)}
    classifiers = [name for name in zoo.NETWORKS.places if zoo.facts(name).kind != "dense"]
    assert {zoo.NETWORKS.places[name] for name in classifiers} <= tried


@pytest.mark.parametrize("name", FAMILIES)
def test_a_network_of_each_family_goes_from_real_tiles_to_weights_and_figures(
    name, folder, tmp_path
):
    path = train_settings(settings_for(name, folder), tmp_path)
    (row,) = json.loads((tmp_path / "run" / "history.json").read_text())
    assert np.isfinite(row["loss"])
    assert row["val_tiles"] == 2
    figures = json.loads((tmp_path / "evaluation.json").read_text())
    assert figures["counts"]["tiles"] == 2
    model = load_model(path)
    assert model.contract.architecture == name
    for place in ("run/checkpoint.safetensors", "model.safetensors"):
        (tmp_path / place).unlink()


@pytest.mark.parametrize("name", OTHERS)
def test_an_epoch_of_every_other_network_moves_its_weights_to_finite_ones(name, folder):
    settings = settings_for(name, folder)
    tiles = load_tiles(folder)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        run = prepare(settings, tiles)
        task = TileTask(
            tiles=tiles,
            training=tiles.rows_of(Split.TRAIN),
            validation=tiles.rows_of(Split.VALIDATION),
            head=run.head,
            spec=run.spec,
            settings=settings,
            penalty=Penalty(convolutions=run.facts.conv_l2, dense=run.facts.dense_l2),
            device=run.device,
        )
        optimiser = make_optimiser(run.network, settings.optimiser)
        first = next(p for p in run.network.parameters() if p.ndim == 4)
        before = first.detach().clone()
        assert task.steps_per_epoch == 2
        run.network.train()
        for step in range(task.steps_per_epoch):
            optimiser.zero_grad()
            loss = task.result(run.network, task.batch(0, step)).loss
            assert torch.isfinite(loss)
            loss.backward()
            optimiser.step()
        assert not torch.equal(first, before)
        assert all(torch.isfinite(p).all() for p in run.network.parameters())
        assert np.isfinite(task.validate(run.network)["cross_entropy"])

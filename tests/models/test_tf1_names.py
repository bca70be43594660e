"""Variables of the author's graphs, as method facts 3.1 list them, against the networks of the zoo.

The networks are made without memory for their weights: only names and shapes are compared.
"""

from functools import partial

import pytest
import torch

from mammoscope.models import fcn, zoo
from mammoscope.models.tf1_names import is_of_adam, is_step, place_of, targets_of

PLAIN_NETWORKS = ("28", "28.2", "29", "35", "45", "46")
NORM = ("gamma", "beta", "moving_mean", "moving_variance")
PLAIN = (
    ("1", 1, 32),
    ("1.1", 32, 32),
    ("1.2", 32, 32),
    ("2.1", 32, 64),
    ("2.2", 64, 64),
    ("3.1", 64, 128),
    ("3.2", 128, 128),
    ("4", 128, 256),
    ("5", 256, 512),
)
VGG = (
    ("_1.1", 1, 64),
    ("_1.2", 64, 64),
    ("_2.1", 64, 96),
    ("_2.2", 96, 96),
    ("_3.1", 96, 128),
    ("_3.2", 128, 128),
    ("_4.1", 128, 256),
    ("_4.2", 256, 256),
    ("_4.3", 256, 256),
    ("_5.1", 256, 384),
    ("_5.2", 384, 384),
    ("_5.3", 384, 384),
)


def convolutions(layers):
    graph = {}
    for number, incoming, filters in layers:
        graph[f"conv{number}/kernel"] = (3, 3, incoming, filters)
        graph[f"conv{number}/bias"] = (filters,)
        graph |= {f"bn{number}/{name}": (filters,) for name in NORM}
    return graph


def dense(scope, norm, *shape):
    graph = {f"{scope}/kernel": shape, f"{scope}/bias": shape[-1:]}
    return graph | ({f"{norm}/{name}": shape[-1:] for name in NORM} if norm else {})


def classifier(classes):
    return (
        convolutions(PLAIN)
        | dense("fc1", "bn_fc1", 12800, 2048)
        | dense("fc2", "bn_fc2", 2048, 2048)
        | dense("logits", None, 2048, classes)
    )


def vgg(classes):
    return (
        convolutions(VGG)
        | dense("fc1", "fc1_bn", 9600, 1024)
        | dense("fc2", "fc2_bn", 1024, 512)
        | dense("fc_logits", None, 512, classes)
    )


def fully_convolutional(classes):
    return (
        convolutions(PLAIN)
        | dense("conv_fc_1", "bn_fc_1", 5, 5, 512, 2048)
        | dense("conv_fc_2", "bn_fc_2", 1, 1, 2048, 2048)
        | dense("fc_logits", None, 2048, classes)
    )


@pytest.mark.parametrize(
    ("make", "graph", "classes"),
    [
        *((partial(zoo.build, f"1.0.0.{n}"), classifier, 2) for n in PLAIN_NETWORKS),
        (partial(zoo.build, "1.0.0.35"), classifier, 5),
        (partial(zoo.build, "vgg_16.3"), vgg, 5),
        (fcn.build, fully_convolutional, 2),
    ],
)
def test_every_variable_of_the_authors_graph_has_its_tensor(make, graph, classes):
    with torch.device("meta"):
        targets = targets_of(make(classes), torch.zeros(1, 1, 299, 299))
    modules = {module for module, _ in targets}
    places = {variable: place_of(variable, modules) for variable in graph(classes)}
    assert set(places.values()) == set(targets)
    assert len(set(places.values())) == len(places)
    for variable, shape in graph(classes).items():
        assert targets[places[variable]].takes(shape), variable


def classifiers():
    # tilenet is ours: TensorFlow has no checkpoint of it, and its two poolings are refused.
    names = [name for name in zoo.NETWORKS.names if not name.startswith("tilenet")]
    return [name for name in names if zoo.facts(name).kind != "dense"]


@pytest.mark.parametrize("name", [n for n in classifiers() if n != "lite0-dense"])
def test_the_order_of_flattened_maps_is_known_for_every_classifier(name):
    side = zoo.facts(name).side_px
    with torch.device("meta"):
        network = zoo.build(name)
        targets = targets_of(network, torch.zeros(1, 1, side, side))
    assert ("logits", "kernel") in targets


@pytest.mark.parametrize(
    "name",
    ["beta1_power", "train/beta2_power", "conv1.1/kernel/Adam", "bn_fc1/gamma/Adam_1"],
)
def test_what_adam_keeps_is_known_by_its_name(name):
    assert is_of_adam(name)
    assert not is_step(name)


@pytest.mark.parametrize("name", ["Variable", "global_step", "step/Variable"])
def test_the_step_is_known_by_its_name(name):
    assert is_step(name)
    assert not is_of_adam(name)


@pytest.mark.parametrize("name", ["conv1/kernel", "Adam/kernel", "Variable_1"])
def test_other_variables_are_neither(name):
    assert not is_step(name)
    assert not is_of_adam(name)

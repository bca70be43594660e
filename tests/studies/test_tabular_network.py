"""The paper's network in numpy: its gradients, that it learns, what becomes of it unscaled."""

import numpy as np
import pytest

from mammoscope.studies.tabular_network import PENALTY, gradients, train_network


def loss(layers, values, wanted):
    answers = values
    for number, (weights, offsets) in enumerate(layers):
        answers = answers @ weights + offsets
        if number < len(layers) - 1:
            answers = np.maximum(answers, 0)
    entropy = np.log(np.exp(answers).sum(axis=1)) - (answers * wanted).sum(axis=1)
    return entropy.mean() + PENALTY / 2 * sum((weights**2).sum() for weights, _ in layers)


def test_gradients_are_those_of_small_differences():
    rng = np.random.default_rng(1)
    sizes = [(3, 4), (4, 5), (5, 2)]
    layers = [(rng.normal(size=size), rng.normal(size=size[1])) for size in sizes]
    values, wanted = rng.normal(size=(6, 3)), np.eye(2)[[0, 1, 1, 0, 1, 0]]
    found = gradients(layers, values, wanted)
    for layer, pair in enumerate(layers):
        for part, array in enumerate(pair):
            for place in np.ndindex(array.shape):
                before = array[place]
                ends = []
                for step in (1e-6, -1e-6):
                    array[place] = before + step
                    ends.append(loss(layers, values, wanted))
                array[place] = before
                slope = (ends[0] - ends[1]) / 2e-6
                assert found[layer][part][place] == pytest.approx(slope, abs=1e-6)


def test_it_learns_what_no_straight_line_divides():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(400, 2))
    truth = (values**2).sum(axis=1) > 1.4
    network = train_network(values, truth, 20, np.random.default_rng(0))
    assert (network.classes(values) == truth).mean() > 0.9


def test_values_in_the_thousands_make_it_call_every_row_the_same():
    rng = np.random.default_rng(3)
    truth = rng.random(300) < 0.4
    values = rng.normal(600, 300, size=(300, 30)) * np.where(truth, 2, 1)[:, None]
    network = train_network(values, truth, 30, np.random.default_rng(0))
    assert set(network.classes(values)) == {0}
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    even = train_network(scaled, truth, 30, np.random.default_rng(0))
    assert (even.classes(scaled) == truth).mean() > 0.95


def test_a_network_that_diverged_says_so_and_names_the_first_class():
    values = np.full((64, 3), 1e200) * np.linspace(-1, 1, 64)[:, None]
    network = train_network(values, values[:, 0] > 0, 20, np.random.default_rng(0))
    assert network.diverged
    assert set(network.classes(values)) == {0}


def test_the_same_generator_gives_the_same_network():
    values = np.random.default_rng(4).normal(size=(90, 3))
    pair = [train_network(values, values[:, 0] > 0, 20, np.random.default_rng(7)) for _ in "ab"]
    np.testing.assert_array_equal(pair[0].layers[0][0], pair[1].layers[0][0])

"""The paper's network for tables: 64 and 48 rectified units, two outputs, in plain numpy.

The notebook trained it with TensorFlow 1: gradient descent in batches, L2 on the weights of every
layer, a rate that falls by steps. Its seed is not known, so no run of ours is its very run.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Layer = tuple[Array, Array]

UNITS = (64, 48)
PENALTY = 0.01
RATE, DECAY = 0.1, 0.8
BATCH, EPOCHS = 64, 100


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A trained network: weights (inputs, units) and offsets (units,) of each layer.

    `diverged` tells that its weights left the range of numbers; it then calls every row 0, as the
    place of the largest among undefined outputs is the first.
    """

    layers: tuple[Layer, ...]
    diverged: bool

    def classes(self, values: Array) -> NDArray[np.intp]:
        """Return the class, 0 or 1, of each row of `values`, shape (rows, inputs)."""
        if self.diverged:
            return np.zeros(len(values), dtype=np.intp)
        answers = _activations(self.layers, values)[-1]
        return np.asarray(answers.argmax(axis=1), dtype=np.intp)


def train_network(
    values: Array, truth: NDArray[np.bool_], epochs_per_step: int, rng: np.random.Generator
) -> Network:
    """Train on rows as they are: no scaling happens here.

    Parameters
    ----------
    values : ndarray of shape (rows, inputs), finite
    truth : ndarray of shape (rows,)
    epochs_per_step : the rate falls to 0.8 of itself every so many epochs
    rng : draws the first weights (Glorot & Bengio 2010, uniform) and the order of rows
    """
    wanted = np.eye(2)[truth.astype(int)]
    sizes = (values.shape[1], *UNITS, 2)
    layers = [_start(n, m, rng) for n, m in pairwise(sizes)]
    with np.errstate(over="ignore", invalid="ignore"):
        for epoch in range(EPOCHS):
            rate = RATE * DECAY ** (epoch // epochs_per_step)
            order = rng.permutation(len(values))
            for start in range(0, len(values), BATCH):
                rows = order[start : start + BATCH]
                layers = _step(layers, values[rows], wanted[rows], rate)
            if not all(np.isfinite(weights).all() for weights, _ in layers):
                return Network(tuple(layers), diverged=True)
    return Network(tuple(layers), diverged=False)


def _start(inputs: int, units: int, rng: np.random.Generator) -> Layer:
    limit = np.sqrt(6 / (inputs + units))
    return rng.uniform(-limit, limit, (inputs, units)), np.zeros(units)


def _activations(layers: tuple[Layer, ...] | list[Layer], values: Array) -> list[Array]:
    """Return the input and what each layer answers; the last layer is not rectified."""
    answers = [values]
    for number, (weights, offsets) in enumerate(layers, start=1):
        sums = answers[-1] @ weights + offsets
        answers.append(sums if number == len(layers) else np.maximum(sums, 0))
    return answers


def gradients(layers: list[Layer], values: Array, wanted: Array) -> list[Layer]:
    """Return the gradients of mean cross-entropy plus 0.01 / 2 times the squared weights.

    Parameters
    ----------
    values : ndarray of shape (rows, inputs)
    wanted : ndarray of shape (rows, 2), one 1 in each row
    """
    answers = _activations(layers, values)
    powers = np.exp(answers[-1] - answers[-1].max(axis=1, keepdims=True))
    error = (powers / powers.sum(axis=1, keepdims=True) - wanted) / len(values)
    found: list[Layer] = []
    for number in reversed(range(len(layers))):
        weights = layers[number][0]
        found.append((answers[number].T @ error + PENALTY * weights, error.sum(axis=0)))
        error = (error @ weights.T) * (answers[number] > 0)
    return found[::-1]


def _step(layers: list[Layer], values: Array, wanted: Array, rate: float) -> list[Layer]:
    return [
        (weights - rate * by_weights, offsets - rate * by_offsets)
        for (weights, offsets), (by_weights, by_offsets) in zip(
            layers, gradients(layers, values, wanted), strict=True
        )
    ]

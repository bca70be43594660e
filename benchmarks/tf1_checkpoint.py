"""Whether an imported checkpoint answers as TensorFlow itself does, and what the import takes.

Usage: python benchmarks/tf1_checkpoint.py --tensorflow-python PATH [--scans FOLDER]

PATH is a Python that has TensorFlow (made once with `python -m venv` and `pip install
tensorflow-cpu`); mammoscope's own needs none. That Python builds the graph of the paper's 1.0.0.35
by its variables' names, with random weights and statistics and Adam's slots, saves it with
TensorFlow's Saver, and answers to tiles: 8 of noise and, where FOLDER has scans (8-bit `*.png` or
`*.pgm`, as mini-MIAS), 8 cut from their middles. Then the checkpoint is imported here and must
answer the same. Prints, as JSON, the largest differences, the seconds of the import and its memory.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

NAME = "model_s1.0.0.35b.98"
SIDE_PX = 299
TILES = 8
ENOUGH = 1e-4
LAYERS = (
    ("1", 32, 2, 0),
    ("1.1", 32, 1, 0),
    ("1.2", 32, 1, 3),
    ("2.1", 64, 1, 0),
    ("2.2", 64, 1, 2),
    ("3.1", 128, 1, 0),
    ("3.2", 128, 1, 2),
    ("4", 256, 1, 2),
    ("5", 512, 1, 2),
)
"""Number, filters, stride, and side of the pool behind it, of each convolution."""


def main() -> None:
    """Save with TensorFlow, import without it, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tensorflow-python", type=Path)
    parser.add_argument("--scans", type=Path)
    parser.add_argument("--save", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.save:
        save_with_tensorflow(given.save)
        return
    if not given.tensorflow_python:
        parser.error("--tensorflow-python is needed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "tiles.npy", tiles_of(given.scans))
        subprocess.run(
            [given.tensorflow_python, __file__, "--save", folder],
            check=True,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        report = compare(folder)
    print(json.dumps(report, indent=1))
    if report["largest difference of logits"] > ENOUGH:
        sys.exit("The answers differ by more than 1e-4.")


def tiles_of(scans: Path | None) -> np.ndarray:
    """Make tiles of noise, and cut one from the middle of each of some scans.

    Returns
    -------
    ndarray of shape (tiles, 299, 299), uint8
    """
    generator = np.random.default_rng(35)
    tiles = list(generator.integers(0, 256, (TILES, SIDE_PX, SIDE_PX), dtype=np.uint8))
    if scans is not None:
        from mammoscope.formats.raster import read_raster

        files = sorted(f for f in scans.rglob("*") if f.suffix in {".png", ".pgm"})[:TILES]
        for file in files:
            image = read_raster(file)
            top, left = ((side - SIDE_PX) // 2 for side in image.shape)
            tiles.append(image[top : top + SIDE_PX, left : left + SIDE_PX].astype(np.uint8))
    return np.stack(tiles)


def compare(folder: Path) -> dict[str, object]:
    """Import the checkpoint, answer to the tiles, and set the answers side by side."""
    import torch

    from mammoscope.models.import_tf1 import import_checkpoint, write_imported
    from mammoscope.models.weights import load_model

    torch.set_num_threads(1)
    weights = folder / "35.safetensors"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    imported = import_checkpoint(folder / f"{NAME}.ckpt", "1.0.0.35")
    write_imported(imported, weights)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    low, high = imported.contract.input.value_range
    divisor = imported.contract.input.grey_numbers["divisor"]
    tiles = torch.from_numpy(np.load(folder / "tiles.npy")).float()[:, None] / divisor
    theirs = torch.from_numpy(np.load(folder / "logits.npy"))
    with torch.no_grad():
        ours = load_model(weights).network(low + tiles * (high - low))
    size = sum(file.stat().st_size for file in folder.glob(f"{NAME}.ckpt.*"))
    return {
        "tiles": {"noise": TILES, "real": len(tiles) - TILES},
        "smallest and largest logit": [float(theirs.min()), float(theirs.max())],
        "largest difference of logits": float((ours - theirs).abs().max()),
        "largest difference of probabilities": float(
            (ours.softmax(1) - theirs.softmax(1)).abs().max()
        ),
        "checkpoint_mb": round(size / 1e6),
        "import_seconds": round(seconds, 2),
        "import_most_memory_mb": round((after - before) / 1e3),
        "tensorflow was imported here": "tensorflow" in sys.modules,
    }


def save_with_tensorflow(folder: Path) -> None:
    """Build the graph, save it and its answers; runs in the Python that has TensorFlow."""
    import tensorflow as tf

    v1 = tf.compat.v1
    v1.disable_eager_execution()
    v1.disable_resource_variables()
    tiles = np.load(folder / "tiles.npy").astype(np.float32)[..., None] / 255
    with tf.Graph().as_default():
        v1.set_random_seed(35)
        step = v1.Variable(54640, trainable=False)
        x = v1.placeholder(tf.float32, [None, SIDE_PX, SIDE_PX, 1])
        logits = _graph(tf, x)
        loss = v1.losses.sparse_softmax_cross_entropy(tf.ones(tf.shape(x)[0], tf.int32), logits)
        v1.train.AdamOptimizer().minimize(loss, global_step=step)
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            np.save(folder / "logits.npy", session.run(logits, {x: tiles}))
            v1.train.Saver().save(session, str(folder / f"{NAME}.ckpt"))


def _graph(tf, x):  # noqa: ANN001, ANN202 no types without TensorFlow
    v1 = tf.compat.v1
    normal, uniform = v1.random_normal_initializer, v1.random_uniform_initializer

    def variable(name, shape, draw, trainable=True):  # noqa: ANN001, ANN202, FBT002
        return v1.get_variable(name, shape, initializer=draw, trainable=trainable)

    def norm(x, scope, *, fused):  # noqa: ANN001, ANN202
        size = [x.shape[-1]]
        gamma = variable(f"{scope}/gamma", size, uniform(0.5, 1.5))
        beta = variable(f"{scope}/beta", size, normal(0, 0.3))
        mean = variable(f"{scope}/moving_mean", size, normal(0, 0.3), trainable=False)
        variance = variable(f"{scope}/moving_variance", size, uniform(0.2, 2), trainable=False)
        if fused:
            # The script asks for 1e-8, and the fused kernel of TensorFlow 1 raises it to this.
            return v1.nn.fused_batch_norm(
                x, gamma, beta, mean, variance, epsilon=1.001e-5, is_training=False
            )[0]
        return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-8)

    def dense(x, scope, size):  # noqa: ANN001, ANN202
        draw = normal(0, float(2 / x.shape[-1]) ** 0.5)
        kernel = variable(f"{scope}/kernel", [x.shape[-1], size], draw)
        return x @ kernel + variable(f"{scope}/bias", [size], normal(0, 0.1))

    for number, filters, stride, pool in LAYERS:
        shape = [3, 3, x.shape[-1], filters]
        draw = normal(0, float(2 / (9 * x.shape[-1])) ** 0.5)
        x = tf.nn.conv2d(x, variable(f"conv{number}/kernel", shape, draw), stride, "SAME")
        x = x + variable(f"conv{number}/bias", [filters], normal(0, 0.1))
        x = tf.nn.relu(norm(x, f"bn{number}", fused=True))
        if pool:
            x = tf.nn.max_pool2d(x, pool, 2, "SAME")
    x = tf.reshape(x, [-1, 5 * 5 * 512])
    for number in ("1", "2"):
        x = tf.nn.relu(norm(dense(x, f"fc{number}", 2048), f"bn_fc{number}", fused=False))
    return dense(x, "logits", 2)


if __name__ == "__main__":
    main()

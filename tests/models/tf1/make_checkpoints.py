"""Makes the checkpoints of this folder with TensorFlow itself; the tests read them without it.

Usage: PYTHON_THAT_HAS_TENSORFLOW make_checkpoints.py FOLDER (made with TensorFlow 2.21.0)

`tiny` is a graph of the naming of the paper's 1.0.0.35, reduced to tiles of 19 x 19 pixels, with
Adam's slots and a global step, and `tiny.json` holds what TensorFlow answers to one tile. `types`,
`shards`, `slices` and `first-form` are the other ways in which checkpoints are kept. All values
follow `pattern`, so a test knows them without the files.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

v1 = tf.compat.v1
SIDE_PX = 19
STEP = 56006


def pattern(name, shape):
    """Sixteenths between -6 and 6, or eighths from 4 to 16 for what has to be positive."""
    first = sum(name.encode()) % 11
    values = (np.arange(int(np.prod(shape, dtype=int))) * 7 + first) % 13
    positive = name.endswith(("gamma", "moving_variance"))
    values = (values + 4) / 8 if positive else (values - 6) / 16
    return values.reshape(shape).astype(np.float32)


def variable(name, shape, trainable=True):
    return v1.get_variable(name, initializer=pattern(name, shape), trainable=trainable)


def norm(x, scope, epsilon, axes):
    size = x.shape[-1]
    gamma, beta = variable(f"{scope}/gamma", [size]), variable(f"{scope}/beta", [size])
    mean = variable(f"{scope}/moving_mean", [size], trainable=False)
    variance = variable(f"{scope}/moving_variance", [size], trainable=False)
    if axes == 4:
        # The fused kernel, which raises a smaller epsilon than 1.001e-5 by itself.
        return v1.nn.fused_batch_norm(
            x, gamma, beta, mean, variance, epsilon=epsilon, is_training=False
        )[0]
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon)


def convolution(x, number, filters, stride=1):
    kernel = variable(f"conv{number}/kernel", [3, 3, x.shape[-1], filters])
    x = tf.nn.conv2d(x, kernel, strides=stride, padding="SAME")
    x = x + variable(f"conv{number}/bias", [filters])
    return tf.nn.relu(norm(x, f"bn{number}", 1.001e-5, axes=4))


def dense(x, scope, size):
    return x @ variable(f"{scope}/kernel", [x.shape[-1], size]) + variable(f"{scope}/bias", [size])


def tiny_graph(x):
    x = convolution(x, "1", 4, stride=2)
    x = convolution(x, "1.1", 4)
    x = tf.nn.max_pool2d(x, 3, 2, "SAME")
    x = convolution(x, "2.1", 6)
    x = tf.nn.max_pool2d(x, 2, 2, "SAME")
    x = tf.reshape(x, [-1, int(np.prod(x.shape[1:]))])
    for number in ("1", "2"):
        x = tf.nn.relu(norm(dense(x, f"fc{number}", 8), f"bn_fc{number}", 1e-8, axes=2))
    return dense(x, "logits", 2)


def save(folder, name, saver=None):
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        saver = saver or v1.train.Saver()
        saver.save(session, str(folder / name), write_meta_graph=False, write_state=False)


def tiny(folder):
    with tf.Graph().as_default():
        step = v1.Variable(STEP, trainable=False)  # the author's global step has no name either
        tile = pattern("tile", [1, SIDE_PX, SIDE_PX, 1])
        logits = tiny_graph(tf.constant(tile))
        loss = v1.losses.sparse_softmax_cross_entropy([1], logits)
        v1.train.AdamOptimizer().minimize(loss, global_step=step)
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            answer = session.run(logits)
            v1.train.Saver().save(
                session, str(folder / "tiny.ckpt"), write_meta_graph=False, write_state=False
            )
        (folder / "tiny.json").write_text(json.dumps({"logits": answer.tolist()}))


def types(folder):
    with tf.Graph().as_default():
        for name in ("float16", "bfloat16", "float32", "float64", "int32", "int64", "bool"):
            values = np.arange(-3, 3).reshape(2, 3) * (0.5 if "float" in name else 1)
            v1.Variable(tf.cast(values, name), name=name)
        v1.Variable(["a", "text"], name="string")
        v1.Variable(tf.zeros([0, 4]), name="empty")
        v1.Variable(tf.constant(2.5), name="scalar")
        save(folder, "types.ckpt")


def shards(folder):
    with tf.Graph().as_default():
        for place in (0, 1):
            with v1.device(f"/cpu:{place}"):
                v1.get_variable(f"on{place}", initializer=pattern(f"on{place}", [5]))
        save(folder, "shards.ckpt", v1.train.Saver(sharded=True))


def slices(folder):
    with tf.Graph().as_default():
        v1.get_variable("whole", initializer=pattern("whole", [3]))
        halves = v1.fixed_size_partitioner(2)
        v1.get_variable("fc1/kernel", [4, 2], partitioner=halves)
        save(folder, "slices.ckpt")


def first_form(folder):
    with tf.Graph().as_default():
        v1.get_variable("whole", initializer=pattern("whole", [3]))
        save(folder, "first-form.ckpt", v1.train.Saver(write_version=v1.train.SaverDef.V1))


if __name__ == "__main__":
    two = [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
    v1.disable_eager_execution()
    v1.disable_resource_variables()
    for make in (tiny, types, shards, slices, first_form):
        make(Path(sys.argv[1]))

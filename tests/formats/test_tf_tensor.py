"""TensorProto against TensorBoard's own package."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.util.tensor_util import make_tensor_proto

from mammoscope.formats.tf_tensor import read_tensor


def encoded(message):
    return memoryview(message.SerializeToString())


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "int32", "int64", "uint8", "int8", "int16", "bool"]
)
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (6, 5)])
def test_numbers_of_each_type_and_shape_are_read(dtype, shape):
    given_values = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    read = read_tensor(encoded(make_tensor_proto(given_values, dtype=given_values.dtype)))
    assert read.shape == shape
    assert (read == given_values.astype(float)).all()


@pytest.mark.parametrize(
    ("dtype", "field", "values"),
    [
        ("DT_FLOAT", "float_val", [0.5, -2.0, 3.25]),
        ("DT_DOUBLE", "double_val", [0.1, -2.0, 3.25]),
        ("DT_INT32", "int_val", [7, -2, 3]),
        ("DT_INT64", "int64_val", [1 << 40, -2, 3]),
        ("DT_BOOL", "bool_val", [True, False, True]),
    ],
)
def test_values_in_a_list_are_read(dtype, field, values):
    message = TensorProto(dtype=dtype, **{field: values})
    message.tensor_shape.dim.add().size = 3
    assert read_tensor(encoded(message)).tolist() == [float(value) for value in values]


def test_halves_stand_as_bits_in_whole_numbers():
    bits = [int(np.float16(value).view(np.uint16)) for value in (1.5, -0.25)]
    message = TensorProto(dtype="DT_HALF", half_val=bits)
    message.tensor_shape.dim.add().size = 2
    assert read_tensor(encoded(message)).tolist() == [1.5, -0.25]


def test_one_value_stands_for_those_left_out():
    message = TensorProto(dtype="DT_FLOAT", float_val=[1.0, 4.0])
    message.tensor_shape.dim.add().size = 4
    assert read_tensor(encoded(message)).tolist() == [1.0, 4.0, 4.0, 4.0]


def test_strings_are_bytes():
    message = TensorProto(dtype="DT_STRING", string_val=[b"12", b"\xff\x00"])
    assert read_tensor(encoded(message)) == (b"12", b"\xff\x00")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (TensorProto(dtype="DT_COMPLEX64"), "type 8"),
        (TensorProto(dtype="DT_FLOAT", float_val=[1.0, 2.0]), "2 values for a tensor of shape"),
        (TensorProto(dtype="DT_FLOAT"), "0 values"),
        (TensorProto(dtype="DT_FLOAT", tensor_content=b"123"), "buffer size"),
        (TensorProto(dtype="DT_HALF", half_val=[1 << 20]), "more than 16 bits"),
    ],
)
def test_what_is_no_sound_tensor_is_refused(message, words):
    with pytest.raises(ValueError, match=words):
        read_tensor(encoded(message))


def test_a_shape_that_would_fill_the_memory_is_refused():
    message = TensorProto(dtype="DT_FLOAT", float_val=[1.0])
    for _ in range(3):
        message.tensor_shape.dim.add().size = 1 << 20
    with pytest.raises(ValueError, match="a tensor of shape"):
        read_tensor(encoded(message))


@given(st.binary(max_size=60))
def test_any_bytes_give_a_tensor_or_a_value_error(data):
    with suppress(ValueError):
        read_tensor(memoryview(data))

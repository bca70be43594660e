"""The message TensorProto: an array inside another message, such as a figure in an event.

Written by hand after the published description (tensorflow/core/framework/tensor.proto)::

    TensorProto { DataType dtype = 1; TensorShapeProto tensor_shape = 2; bytes tensor_content = 4;
                  float_val = 5; double_val = 6; int_val = 7; string_val = 8; int64_val = 10;
                  bool_val = 11; half_val = 13; }
    TensorShapeProto { repeated Dim dim = 2; }        Dim { int64 size = 1; }
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammoscope.formats.protobuf import fields, message, varint, whole_number

MOST_VALUES = 1 << 20
"""A message may say a large shape with one value; more than this is taken for damage."""
_STRING, _BFLOAT16 = 7, 14


@dataclass(frozen=True, slots=True)
class _Kind:
    """A type of elements: its bytes in `tensor_content`, and the field of its values."""

    dtype: str
    number: int


_KINDS = {
    1: _Kind("<f4", 5),
    2: _Kind("<f8", 6),
    3: _Kind("<i4", 7),
    4: _Kind("u1", 7),
    5: _Kind("<i2", 7),
    6: _Kind("i1", 7),
    9: _Kind("<i8", 10),
    10: _Kind("?", 11),
    19: _Kind("<f2", 13),
}


def read_tensor(data: memoryview) -> NDArray[np.float64] | tuple[bytes, ...]:
    """Read a TensorProto.

    Returns
    -------
    Numbers as an array of the shape that the message says, float64 (whole numbers above 2**53 are
    rounded); strings as a tuple of bytes, whatever their shape.

    Raises
    ------
    ValueError
        When it is no such message, or of a type that is not read here.
    """
    parts: dict[int, list[int | memoryview]] = {}
    for number, value in fields(data):
        parts.setdefault(number, []).append(value)
    code = whole_number(parts.get(1, [0])[-1])
    if code == _STRING:
        return tuple(bytes(message(value)) for value in parts.get(8, []))
    if code not in _KINDS:
        raise ValueError(f"a tensor of type {code}")
    kind = _KINDS[code]
    shape = _shape(message(parts[2][-1])) if 2 in parts else ()
    if 4 in parts:
        values = np.frombuffer(message(parts[4][-1]), dtype=kind.dtype).astype(np.float64)
    else:
        values = _listed(parts.get(kind.number, []), kind)
    return _filled(values, shape)


def _shape(data: memoryview) -> tuple[int, ...]:
    sizes = []
    for number, dim in fields(data):
        if number == 2:
            size = dict(fields(message(dim))).get(1, 0)
            sizes.append(whole_number(size))
    if any(size < 0 for size in sizes) or math.prod(sizes) > MOST_VALUES:
        raise ValueError(f"a tensor of shape {tuple(sizes)}")
    return tuple(sizes)


def _listed(given: list[int | memoryview], kind: _Kind) -> NDArray[np.float64]:
    """Values that stand one by one or packed."""
    if kind.number in (5, 6):
        dtype = "<f4" if kind.number == 5 else "<f8"
        return np.frombuffer(b"".join(message(v) for v in given), dtype).astype(np.float64)
    numbers: list[int] = []
    for value in given:
        if isinstance(value, int):
            numbers.append(whole_number(value))
            continue
        position = 0
        while position < len(value):
            item, position = varint(value, position)
            numbers.append(whole_number(item))
    if kind.dtype == "<f2":
        # The bits of a half stand in a whole number.
        try:
            halves = np.array(numbers, dtype=np.uint16)
        except OverflowError as error:
            raise ValueError("a half of more than 16 bits") from error
        return halves.view(np.float16).astype(np.float64)
    return np.array(numbers, dtype=np.float64)


def _filled(values: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Bring values into their shape; the last one stands for those that were left out."""
    wanted = math.prod(shape)
    if len(values) < wanted and len(values):
        values = np.concatenate([values, np.full(wanted - len(values), values[-1])])
    if len(values) != wanted:
        raise ValueError(f"{len(values)} values for a tensor of shape {shape}")
    return values.reshape(shape)

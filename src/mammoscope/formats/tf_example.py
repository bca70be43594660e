"""The message tf.train.Example: named lists of bytes, whole numbers or floats.

Written by hand after the published description of the message (tensorflow/core/example,
example.proto and feature.proto) and of protocol buffers' wire format::

    Example { Features features = 1; }        Features { map<string, Feature> feature = 1; }
    Feature { BytesList bytes_list = 1 | FloatList float_list = 2 | Int64List int64_list = 3; }

each list being ``repeated value = 1``, numbers packed or one by one.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError

Feature = tuple[bytes, ...] | NDArray[np.int64] | NDArray[np.float32]
"""Values of one feature: byte strings, or ndarray of shape (values,), int64 or float32."""

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3
_EMPTY: dict[int, Feature] = {
    _BYTES_LIST: (),
    _FLOAT_LIST: np.empty(0, np.float32),
    _INT64_LIST: np.empty(0, np.int64),
}


def parse_example(data: bytes, where: str = "an Example") -> dict[str, Feature]:
    """Read an Example.

    Parameters
    ----------
    data : the message
    where : what to call it in an error, such as a file and the number of the record

    Raises
    ------
    CorruptFileError
        When it is not such a message.
    """
    features: dict[str, Feature] = {}
    try:
        # Views, since a picture in a message would else be copied at every level.
        for number, value in _fields(memoryview(data)):
            if number == 1:
                for entry_number, entry in _fields(_as_view(value)):
                    if entry_number == 1:
                        name, feature = _entry(_as_view(entry))
                        features[name] = feature
    except (ValueError, struct.error) as error:
        raise CorruptFileError(
            f"{where} is no tf.train.Example ({error}); get the file again."
        ) from error
    return features


def format_example(
    features: Mapping[str, Sequence[bytes] | NDArray[np.integer] | NDArray[np.floating]],
) -> bytes:
    """Write an Example; its features are in the order of their names, numbers packed.

    Parameters
    ----------
    features : values by name: byte strings, or an array of whole numbers (int64 range) or floats
        (kept as float32), of shape (values,)
    """
    entries = b"".join(
        _message(1, _message(1, name.encode()) + _message(2, _feature_bytes(features[name])))
        for name in sorted(features)
    )
    return _message(1, entries)


def _entry(data: memoryview) -> tuple[str, Feature]:
    name, feature = "", _EMPTY[_BYTES_LIST]
    for number, value in _fields(data):
        if number == 1:
            name = bytes(_as_view(value)).decode("utf-8")
        elif number == 2:
            feature = _feature(_as_view(value))
    return name, feature


def _feature(data: memoryview) -> Feature:
    # Only one of the three lists may be set; where several are, the last counts.
    feature = _EMPTY[_BYTES_LIST]
    for number, value in _fields(data):
        if number == _BYTES_LIST:
            feature = tuple(bytes(_as_view(v)) for n, v in _fields(_as_view(value)) if n == 1)
        elif number == _FLOAT_LIST:
            feature = _floats(_as_view(value))
        elif number == _INT64_LIST:
            feature = _integers(_as_view(value))
    return feature


def _floats(data: memoryview) -> NDArray[np.float32]:
    parts = [_as_view(value) for number, value in _fields(data) if number == 1]
    if any(len(part) % 4 for part in parts):
        raise ValueError("a list of floats is not of whole floats")
    return np.frombuffer(b"".join(parts), dtype="<f4").astype(np.float32)


def _integers(data: memoryview) -> NDArray[np.int64]:
    values: list[int] = []
    for number, value in _fields(data):
        if number != 1:
            continue
        if isinstance(value, int):
            values.append(value)
            continue
        position = 0
        while position < len(value):
            item, position = _varint(value, position)
            values.append(item)
    # Negative numbers are written as their two's complement in 64 bits.
    return np.array(values, dtype=np.uint64).astype(np.int64)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield number and value of each field; those of a fixed size are given as bytes."""
    position, end = 0, len(data)
    while position < end:
        key, position = _varint(data, position)
        kind = key & 7
        if kind == _VARINT:
            item, position = _varint(data, position)
            yield key >> 3, item
            continue
        if kind == _BYTES:
            size, position = _varint(data, position)
        elif kind in (_EIGHT, _FOUR):
            size = 8 if kind == _EIGHT else 4
        else:
            raise ValueError(f"a field of kind {kind}")
        if size > end - position:
            raise ValueError("a field is longer than the message")
        yield key >> 3, data[position : position + size]
        position += size


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, the low ones first; return it and what follows."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("a number is cut short")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
    raise ValueError("a number has more than 64 bits")


def _as_view(value: memoryview | int) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number stands where bytes are expected")  # noqa: TRY004
    return value


def _feature_bytes(
    values: Sequence[bytes] | NDArray[np.integer] | NDArray[np.floating],
) -> bytes:
    if not isinstance(values, np.ndarray):
        return _message(_BYTES_LIST, b"".join(_message(1, bytes(value)) for value in values))
    if values.ndim != 1:
        raise ValueError(f"expected values of shape (values,), got {values.shape}")
    if np.issubdtype(values.dtype, np.floating):
        return _message(_FLOAT_LIST, _message(1, values.astype("<f4").tobytes()))
    packed = b"".join(_varint_bytes(int(v) & 0xFFFFFFFFFFFFFFFF) for v in values)
    return _message(_INT64_LIST, _message(1, packed))


def _message(number: int, data: bytes) -> bytes:
    return _varint_bytes(number << 3 | _BYTES) + _varint_bytes(len(data)) + data


def _varint_bytes(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)

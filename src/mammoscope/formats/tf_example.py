"""The message tf.train.Example: named lists of bytes, whole numbers or floats.

Written by hand after the published description of the message (tensorflow/core/example,
example.proto and feature.proto) and of protocol buffers' wire format::

    Example { Features features = 1; }        Features { map<string, Feature> feature = 1; }
    Feature { BytesList bytes_list = 1 | FloatList float_list = 2 | Int64List int64_list = 3; }

each list being ``repeated value = 1``, numbers packed or one by one.
"""

import struct
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError
from mammoscope.formats.protobuf import DELIMITED, fields, message, varint

Feature = tuple[bytes, ...] | NDArray[np.int64] | NDArray[np.float32]
"""Values of one feature: byte strings, or ndarray of shape (values,), int64 or float32."""

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
        for number, value in fields(memoryview(data)):
            if number == 1:
                for entry_number, entry in fields(message(value)):
                    if entry_number == 1:
                        name, feature = _entry(message(entry))
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
    for number, value in fields(data):
        if number == 1:
            name = bytes(message(value)).decode("utf-8")
        elif number == 2:
            feature = _feature(message(value))
    return name, feature


def _feature(data: memoryview) -> Feature:
    # Only one of the three lists may be set; where several are, the last counts.
    feature = _EMPTY[_BYTES_LIST]
    for number, value in fields(data):
        if number == _BYTES_LIST:
            feature = tuple(bytes(message(v)) for n, v in fields(message(value)) if n == 1)
        elif number == _FLOAT_LIST:
            feature = _floats(message(value))
        elif number == _INT64_LIST:
            feature = _integers(message(value))
    return feature


def _floats(data: memoryview) -> NDArray[np.float32]:
    parts = [message(value) for number, value in fields(data) if number == 1]
    if any(len(part) % 4 for part in parts):
        raise ValueError("a list of floats is not of whole floats")
    return np.frombuffer(b"".join(parts), dtype="<f4").astype(np.float32)


def _integers(data: memoryview) -> NDArray[np.int64]:
    values: list[int] = []
    for number, value in fields(data):
        if number != 1:
            continue
        if isinstance(value, int):
            values.append(value)
            continue
        position = 0
        while position < len(value):
            item, position = varint(value, position)
            values.append(item)
    # Negative numbers are written as their two's complement in 64 bits.
    return np.array(values, dtype=np.uint64).astype(np.int64)


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
    return _varint_bytes(number << 3 | DELIMITED) + _varint_bytes(len(data)) + data


def _varint_bytes(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)

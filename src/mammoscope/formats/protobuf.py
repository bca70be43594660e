"""Protocol buffers' wire format, read without knowing a message's description.

A message is a row of fields, each a key (number of the field times eight plus its kind) and a
value. Source: the page "Encoding" of the Protocol Buffers documentation.
"""

from collections.abc import Iterator

VARINT, EIGHT_BYTES, DELIMITED, FOUR_BYTES = 0, 1, 2, 5
_SIZES = {EIGHT_BYTES: 8, FOUR_BYTES: 4}
_MASK_64 = (1 << 64) - 1


def varint(data: bytes | memoryview, position: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, the low ones first.

    Returns
    -------
    number : int in [0, 2^64)
    next : position of what follows it

    Raises
    ------
    ValueError
        When the data end within it or it has more than 64 bits.
    """
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("a number is cut short")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > _MASK_64:
                break
            return value, position
    raise ValueError("a number has more than 64 bits")


def fields(data: bytes | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field: a whole number as int, all else as its bytes.

    Raises
    ------
    ValueError
        When the data are no message.
    """
    view, position = memoryview(data), 0
    while position < len(view):
        key, position = varint(view, position)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError("a field has the number 0")
        if kind == VARINT:
            value, position = varint(view, position)
            yield number, value
            continue
        if kind == DELIMITED:
            size, position = varint(view, position)
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise ValueError(f"a field has the kind {kind}")
        if size > len(view) - position:
            raise ValueError("a field is longer than its message")
        yield number, view[position : position + size]
        position += size


def whole_number(value: int | memoryview) -> int:
    """Take a field's value as an int64, or as an enumeration or bool.

    Raises
    ------
    ValueError
        When it is bytes.
    """
    if not isinstance(value, int):
        raise ValueError("bytes stand where a number is expected")  # noqa: TRY004
    # Negative numbers are written as their two's complement in 64 bits.
    return value - (1 << 64) if value >> 63 else value


def message(value: int | memoryview) -> memoryview:
    """Take a field's value as bytes, such as those of a message within.

    Raises
    ------
    ValueError
        When it is a number.
    """
    if isinstance(value, int):
        raise ValueError("a number stands where bytes are expected")  # noqa: TRY004
    return value

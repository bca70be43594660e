"""Writes LevelDB's tables for tests, after its documentation and apart from our reader."""

import struct

import google_crc32c
import imagecodecs

MAGIC = bytes.fromhex("57fb808b247547db")


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def checksum(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def contents(pairs, interval=16) -> bytes:
    """Entries with as much of the key before left out as it repeats, and the list of restarts."""
    out, restarts, last = b"", [], b""
    for count, (key, value) in enumerate(pairs):
        shared = 0
        if count % interval == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        last = key
    restarts = restarts or [0]
    return out + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def block(data: bytes, packing: int = 0) -> bytes:
    """Contents, how they are packed, and the checksum of both."""
    stored = (bytes(imagecodecs.snappy_encode(data)) if packing == 1 else data) + bytes([packing])
    return stored + struct.pack("<I", checksum(stored))


def table(pairs, *, packing=0, interval=16, in_block=5) -> bytes:
    """Write a whole table; `pairs` are sorted by key."""
    out, index = b"", []
    for first in range(0, len(pairs), in_block):
        part = pairs[first : first + in_block]
        stored = block(contents(part, interval), packing)
        index.append((part[-1][0], varint(len(out)) + varint(len(stored) - 5)))
        out += stored
    return finished(out, block(contents(index), packing), block(contents([]), packing))


def finished(blocks: bytes, index: bytes, meta: bytes) -> bytes:
    """Put meta index, index and footer behind the data blocks."""
    places = varint(len(blocks)) + varint(len(meta) - 5)
    places += varint(len(blocks) + len(meta)) + varint(len(index) - 5)
    return blocks + meta + index + places.ljust(40, b"\x00") + MAGIC

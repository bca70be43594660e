"""What a compressed image says of its own size, read before any decoder takes memory for it."""

from dataclasses import dataclass

_JPEG_2000 = b"\xff\x4f\xff\x51"
"""Start of codestream and size marker (ISO 15444-1, A.4 and A.5); a JP2 file has boxes before."""
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Start of frame: JPEG (ITU T.81, table B.1) and JPEG-LS (ITU T.87, C.1.1)."""
_ALONE = {0x01, *range(0xD0, 0xD9)}
"""Markers without a segment behind them."""


@dataclass(frozen=True, slots=True)
class FrameSize:
    """Size of an image in pixels, and how many channels it has."""

    rows: int
    columns: int
    channels: int

    def __str__(self) -> str:
        channels = "" if self.channels == 1 else f" in {self.channels} channels"
        return f"({self.rows}, {self.columns}){channels}"


def frame_size(data: bytes) -> FrameSize | None:
    """Read the size out of a JPEG, JPEG-LS or JPEG 2000 stream; None where it says none."""
    start = data.find(_JPEG_2000)
    if start >= 0 and not data.startswith(b"\xff\xd8"):
        return _jpeg_2000_size(data[start + 4 : start + 42])
    return _jpeg_size(data)


def _jpeg_2000_size(segment: bytes) -> FrameSize | None:
    if len(segment) < 38:
        return None
    # Behind the length and the capabilities: the far corner, then the origin of the image.
    right, bottom, left, top = (_number(segment, at, 4) for at in (4, 8, 12, 16))
    return FrameSize(bottom - top, right - left, _number(segment, 36, 2))


def _jpeg_size(data: bytes) -> FrameSize | None:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            segment = data[at + 4 : at + 10]
            if len(segment) < 6:
                return None
            return FrameSize(_number(segment, 1, 2), _number(segment, 3, 2), segment[5])
        else:
            at += 2 + max(2, _number(data, at + 2, 2))
    return None


def _number(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "big")

"""The markers of a lossless JPEG stream (ITU-T T.81, annex B): its header and where its data lie.

Nothing is decoded here. What the stream says of itself is checked, so that the decoders behind can
trust it: sizes, precision, predictor, tables, the order of restart markers.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from mammoscope.core.errors import CorruptFileError, ScanError, UnknownFormatError
from mammoscope.formats.ljpeg_huffman import HuffmanTable
from mammoscope.formats.raster import LARGEST_PX

SOF3, DHT, SOI, EOI, SOS, DNL, DRI = 0xC3, 0xC4, 0xD8, 0xD9, 0xDA, 0xDC, 0xDD
OTHER_FRAMES = {0xC0, 0xC1, 0xC2, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
RESTARTS = range(0xD0, 0xD8)
_MARKER = re.compile(rb"\xff[^\x00]", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanData:
    """One scan of a stream ("scan" in T.81's sense: a run of coded data with its header).

    Attributes
    ----------
    places : the components that it holds, counted from 0, in order
    tables : the Huffman table of each
    predictor : 1 to 7
    point_transform : bits by which samples were shifted down
    restart_interval : samples (of each component) between restart markers, 0 without them
    segments : the coded data between restart markers, zero bytes still stuffed
    """

    places: tuple[int, ...]
    tables: tuple[HuffmanTable, ...]
    predictor: int
    point_transform: int
    restart_interval: int
    segments: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A lossless JPEG stream taken apart.

    Attributes
    ----------
    precision : bits of a sample, 2 to 16
    rows, columns : size that the header states
    components : samples of a pixel
    scans : one for all components, or one for each
    archive_header : whether the program behind DDSM could have written the header: SOF3, DHT and
        SOS (DRI where there are restarts), SOF3 first, and nothing else
    """

    precision: int
    rows: int
    columns: int
    components: int
    scans: tuple[ScanData, ...]
    archive_header: bool


def read_stream(data: bytes) -> Stream:
    """Take a stream apart.

    Raises
    ------
    UnknownFormatError
        When the bytes are no lossless JPEG.
    CorruptFileError
        When the header is damaged, cut short or contradicts itself.
    ScanError
        When the header states more pixels than any mammogram has.
    """
    if data[:2] != b"\xff\xd8":
        what = "There are no bytes" if not data else "The bytes are no JPEG stream"
        raise UnknownFormatError(f"{what}; expected lossless JPEG (LJPEG), check the file.")
    return _Parts(data).read()


def _broken(what: str) -> NoReturn:
    raise CorruptFileError(f"The LJPEG stream is damaged: {what}; get the file again.")


@dataclass(slots=True)
class _Parts:
    """What has been read so far; a stream states things before it uses them."""

    data: bytes
    place: int = 2
    frame: tuple[int, int, int] | None = None
    ids: tuple[int, ...] = ()
    tables: dict[int, HuffmanTable] = field(default_factory=dict)
    interval: int = 0
    lines: int | None = None
    scans: list[ScanData] = field(default_factory=list)
    order: list[int] = field(default_factory=list)

    def read(self) -> Stream:
        handlers: dict[int, Callable[[bytes], None]] = {
            SOF3: self._frame,
            DHT: self._huffman,
            DRI: self._restart,
            DNL: self._lines,
            SOS: self._scan,
        }
        while (marker := self._next_marker()) not in (EOI, None):
            self.order.append(marker)
            if marker in OTHER_FRAMES:
                raise UnknownFormatError(
                    f"The JPEG stream is of another kind (its frame marker is SOF{marker - 0xC0}); "
                    "expected lossless JPEG (SOF3)."
                )
            if marker < 0xC0 or marker == SOI or marker in RESTARTS:
                _broken(f"marker FF{marker:02X} stands where none may be")
            handlers.get(marker, _skip)(self._segment())
        return self._whole()

    def _next_marker(self) -> int | None:
        """Go behind the next marker; None at the end of the bytes, where EOI is missing."""
        data, place = self.data, self.place
        if place >= len(data) and self.scans:
            return None
        begin = place
        while place < len(data) and data[place] == 0xFF:
            place += 1
        if place >= len(data):
            if self.scans:
                return None
            _broken("it ends within the header")
        if place == begin:
            _broken(f"byte {data[place]:02X} at {place} stands where a marker was expected")
        self.place = place + 1
        return data[place]

    def _segment(self) -> bytes:
        head = self.data[self.place : self.place + 2]
        length = int.from_bytes(head, "big")
        end = self.place + length
        if len(head) < 2 or length < 2 or end > len(self.data):
            _broken("it ends within the header")
        body = self.data[self.place + 2 : end]
        self.place = end
        return body

    def _frame(self, body: bytes) -> None:
        if self.frame is not None:
            _broken("it has two frame headers")
        if len(body) < 6 or len(body) != 6 + 3 * body[5] or not body[5]:
            _broken("the frame header has a wrong length")
        precision, rows, columns, count = struct.unpack(">BHHB", body[:6])
        if not 2 <= precision <= 16:
            _broken(f"it states {precision} bits a sample, expected 2 to 16")
        if count > 4 or columns == 0:
            _broken(f"it states {columns} columns and {count} components")
        if count > 1 and len({body[7 + 3 * i] for i in range(count)}) > 1:
            raise UnknownFormatError(
                "The components of the LJPEG stream differ in size; expected one of grey levels."
            )
        self.ids = tuple(body[6 + 3 * i] for i in range(count))
        if len(set(self.ids)) < count:
            _broken("two components have one number")
        self.frame = (precision, rows, columns)

    def _huffman(self, body: bytes) -> None:
        while body:
            counts = tuple(body[1:17])
            count = sum(counts)
            if len(body) < 17 + count:
                _broken("a Huffman table has a wrong length")
            # Class 1 tables are for other kinds of JPEG; the lossless kind has no use for them.
            if body[0] >> 4 == 0:
                self.tables[body[0] & 15] = HuffmanTable(counts, tuple(body[17 : 17 + count]))
            body = body[17 + count :]

    def _restart(self, body: bytes) -> None:
        if len(body) != 2:
            _broken("the restart interval has a wrong length")
        self.interval = int.from_bytes(body, "big")

    def _lines(self, body: bytes) -> None:
        if len(body) != 2 or not any(body):
            _broken("the number of lines after the scan is not one")
        self.lines = int.from_bytes(body, "big")

    def _scan(self, body: bytes) -> None:
        if self.frame is None:
            _broken("the frame header is missing")
        count = body[0] if body else 0
        if not count or len(body) != 4 + 2 * count:
            _broken("the scan header has a wrong length")
        places, tables = [], []
        for i in range(count):
            if body[1 + 2 * i] not in self.ids:
                _broken("a scan names a component that the frame header does not have")
            places.append(self.ids.index(body[1 + 2 * i]))
            table = self.tables.get(body[2 + 2 * i] >> 4)
            if table is None:
                _broken("a Huffman table is missing")
            tables.append(table)
        predictor, shift = body[-3], body[-1] & 15
        if not 1 <= predictor <= 7:
            _broken(f"it states predictor {predictor}, there are 1 to 7")
        if shift >= self.frame[0]:
            _broken(f"it shifts {self.frame[0]} bits down by {shift}")
        self.scans.append(
            ScanData(
                places=tuple(places),
                tables=tuple(tables),
                predictor=predictor,
                point_transform=shift,
                restart_interval=self.interval,
                segments=self._segments(),
            )
        )

    def _segments(self) -> tuple[bytes, ...]:
        """Cut the coded data at restart markers, up to the first marker of another kind."""
        result: list[bytes] = []
        begin = self.place
        while True:
            found = _MARKER.search(self.data, self.place)
            end = found.start() if found else len(self.data)
            code = found.group()[1] if found else EOI
            if code in RESTARTS and self.interval:
                if code != RESTARTS[len(result) % 8]:
                    _broken(
                        f"restart marker {code - 0xD0} stands where number {len(result) % 8} was "
                        "expected"
                    )
                result.append(self.data[begin:end])
                begin = self.place = end + 2
                continue
            result.append(self.data[begin:end])
            self.place = end
            return tuple(result)

    def _whole(self) -> Stream:
        if self.frame is None:
            _broken("the frame header is missing")
        if not self.scans:
            _broken("there is no coded image in it")
        precision, rows, columns = self.frame
        rows = rows or self.lines or 0
        if not rows:
            _broken("the number of lines is stated nowhere")
        if rows * columns > LARGEST_PX:
            raise ScanError(
                f"The LJPEG stream states {rows} x {columns} pixels, more than any mammogram has; "
                "its header is damaged or it is no mammogram."
            )
        held = sorted(place for scan in self.scans for place in scan.places)
        if held != list(range(len(self.ids))):
            _broken("a component is missing or there twice")
        return Stream(
            precision=precision,
            rows=rows,
            columns=columns,
            components=len(self.ids),
            scans=tuple(self.scans),
            archive_header=self.order[0] == SOF3
            and set(self.order) <= {SOF3, DHT, SOS, DRI}
            and (DRI in self.order) == (self.interval > 0),
        )


def _skip(body: bytes) -> None:
    """Pass over what says nothing of the pixels: APPn, COM, other tables."""

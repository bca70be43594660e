"""Tensors out of foreign checkpoint files, read as bytes; no code of theirs is ever run.

PyTorch's older files are a stream of pickles followed by raw storages; the newer ones are a ZIP of
one pickle and a member a storage. A pickle may run anything when loaded, so it is not loaded: its
opcodes are listed by the standard library's disassembler and the few that a table of tensors needs
are followed here; any other is refused.
"""

import pickletools
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, is_zipfile

import torch
from torch import Tensor

from mammoscope.core.errors import (
    CorruptFileError,
    MammoscopeError,
    MissingFileError,
    UnknownFormatError,
)

MAGIC = 0x1950A86A20F9469CFC6C
DTYPES = {"FloatStorage": torch.float32, "LongStorage": torch.int64, "HalfStorage": torch.float16}

LONGEST_CAUSE = 200
"""Letters of a library's error that are told on."""


@dataclass(frozen=True, slots=True)
class _Name:
    module: str
    name: str


@dataclass(frozen=True, slots=True)
class _View:
    key: str
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


_MARK = object()
_DAMAGES = (
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    OverflowError,
    MemoryError,
    EOFError,
    OSError,
    RecursionError,
    struct.error,
    zlib.error,
    BadZipFile,
)
"""What following a damaged file runs into."""


class _Stack:
    """The pickle machine's stack and memo, for the opcodes of a table of tensors alone."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.memo: dict[int, Any] = {}

    def to_mark(self) -> list[Any]:
        position = len(self.items) - 1
        while self.items[position] is not _MARK:
            position -= 1
        found = self.items[position + 1 :]
        del self.items[position:]
        return found

    def call(self) -> None:
        arguments, function = self.items.pop(), self.items.pop()
        match function:
            case _Name("collections", "OrderedDict"):
                self.items.append({})
            case _Name("torch._utils", "_rebuild_tensor_v2"):
                (key, dtype), offset, shape, stride = arguments[:4]
                self.items.append(_View(key, dtype, offset, shape, stride))
            case _:
                raise UnknownFormatError(f"the checkpoint wants to run {function}")

    def storage(self) -> None:
        kind, name, key, _device, _size, *_view = self.items.pop()
        if kind != "storage" or name.name not in DTYPES:
            raise UnknownFormatError(f"the checkpoint holds a storage of the kind {name}")
        self.items.append((key, DTYPES[name.name]))

    def set_items(self) -> None:
        pairs = self.to_mark()
        self.items[-1].update(zip(pairs[::2], pairs[1::2], strict=True))

    def set_item(self) -> None:
        value, key = self.items.pop(), self.items.pop()
        self.items[-1][key] = value

    def set_state(self) -> None:
        # The state of a table of weights is metadata that torch keeps beside it.
        self.items.pop()


_SIMPLE: dict[str, Callable[[_Stack], None]] = {
    "MARK": lambda s: s.items.append(_MARK),
    "NONE": lambda s: s.items.append(None),
    "NEWTRUE": lambda s: s.items.append(True),
    "NEWFALSE": lambda s: s.items.append(False),
    "EMPTY_DICT": lambda s: s.items.append({}),
    "EMPTY_LIST": lambda s: s.items.append([]),
    "EMPTY_TUPLE": lambda s: s.items.append(()),
    "TUPLE": lambda s: s.items.append(tuple(s.to_mark())),
    "TUPLE1": lambda s: s.items.append((s.items.pop(),)),
    "TUPLE2": lambda s: s.items.append(tuple(reversed([s.items.pop() for _ in range(2)]))),
    "TUPLE3": lambda s: s.items.append(tuple(reversed([s.items.pop() for _ in range(3)]))),
    "APPEND": lambda s: _append(s, [s.items.pop()]),
    "APPENDS": lambda s: _append(s, s.to_mark()),
    "REDUCE": _Stack.call,
    "BINPERSID": _Stack.storage,
    "SETITEMS": _Stack.set_items,
    "SETITEM": _Stack.set_item,
    "BUILD": _Stack.set_state,
}
_VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "BINFLOAT"}


def _append(stack: _Stack, more: list[Any]) -> None:
    stack.items[-1].extend(more)


def _follow(stream: BytesIO) -> Any:
    """Follow one pickle of the stream to its end and return what it describes."""
    stack = _Stack()
    for opcode, argument, _ in pickletools.genops(stream):
        match opcode.name:
            case "PROTO":
                continue
            case "STOP":
                return stack.items.pop()
            case "GLOBAL":
                stack.items.append(_Name(*str(argument).split(" ", 1)))
            case "BINPUT" | "LONG_BINPUT":
                stack.memo[int(str(argument))] = stack.items[-1]
            case "BINGET" | "LONG_BINGET":
                stack.items.append(stack.memo[int(str(argument))])
            case name if name in _VALUES:
                stack.items.append(argument)
            case name if name in _SIMPLE:
                _SIMPLE[name](stack)
            case name:
                raise UnknownFormatError(f"the checkpoint uses the pickle opcode {name}")
    raise CorruptFileError("the checkpoint ends in the middle of its table")


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a PyTorch checkpoint of any version.

    Raises
    ------
    MissingFileError, UnknownFormatError, CorruptFileError
        When the file is not there, is of another kind, or is cut short.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such weight file.")
    try:
        if not is_zipfile(path):
            return read_legacy_checkpoint(path)
        with ZipFile(path) as archive:
            _check_stored(archive)
            (table_name,) = [n for n in archive.namelist() if n.endswith("/data.pkl")]
            folder = table_name.removesuffix("data.pkl")
            _check_byte_order(archive, folder)
            table = _follow(BytesIO(archive.read(table_name)))
            dtypes = {view.key: view.dtype for view in table.values()}
            storages = {
                key: torch.frombuffer(bytearray(archive.read(f"{folder}data/{key}")), dtype=dtype)
                for key, dtype in dtypes.items()
            }
        return _tensors(table, storages)
    except (UnknownFormatError, CorruptFileError) as error:
        raise _named(path, error) from error
    except _DAMAGES as error:
        raise _damaged(path, error) from error


def _check_stored(archive: ZipFile) -> None:
    """Refuse what PyTorch never writes, so that a small file cannot become a huge one."""
    if any(member.compress_type != ZIP_STORED for member in archive.infolist()):
        raise UnknownFormatError("its parts are compressed")


def _check_byte_order(archive: ZipFile, folder: str) -> None:
    name = f"{folder}byteorder"
    if name in archive.namelist() and archive.read(name) != b"little":
        raise UnknownFormatError("its numbers begin with the highest byte")


def read_legacy_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a PyTorch checkpoint in the format before version 1.6.

    Raises
    ------
    MissingFileError, UnknownFormatError, CorruptFileError
        When the file is not there, is of another kind, or is cut short.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such weight file.")
    stream = BytesIO(path.read_bytes())
    try:
        _check_magic(_follow(stream))
        _follow(stream), _follow(stream)  # protocol version, sizes of the writer's machine
        table, keys = _follow(stream), _follow(stream)
        dtypes = {view.key: view.dtype for view in table.values()}
        storages = {key: _storage(stream, dtypes[key]) for key in keys}
        return _tensors(table, storages)
    except (UnknownFormatError, CorruptFileError) as error:
        raise _named(path, error) from error
    except _DAMAGES as error:
        raise _damaged(path, error) from error


def _tensors(table: dict[str, _View], storages: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: _tensor(view, storages[view.key]) for name, view in table.items()}


def _tensor(view: _View, storage: Tensor) -> Tensor:
    # Steps of zero could ask for any number of copies of one number.
    if prod(view.shape) > storage.numel():
        raise ValueError(f"a tensor of the shape {view.shape} in {storage.numel()} numbers")
    return storage.as_strided(view.shape, view.stride, view.offset).clone()


def _named(path: Path, error: MammoscopeError) -> MammoscopeError:
    """Say which file an error is about; one that says so already stays as it is."""
    if str(path) in str(error):
        return error
    if isinstance(error, CorruptFileError):
        return _damaged(path, error)
    return UnknownFormatError(
        f"{path}: no PyTorch checkpoint of a kind that can be read ({_cause(error)})."
    )


def _damaged(path: Path, error: Exception) -> CorruptFileError:
    return CorruptFileError(
        f"{path}: the checkpoint is damaged or cut short ({_cause(error)}); get it again."
    )


def _cause(error: Exception) -> str:
    """Put into one short line what an error says; damaged names and traces may have many."""
    return " ".join(str(error).split())[:LONGEST_CAUSE] or type(error).__name__


def _check_magic(number: object) -> None:
    if number != MAGIC:
        raise UnknownFormatError("it does not begin as a PyTorch checkpoint does")


def _storage(stream: BytesIO, dtype: torch.dtype) -> Tensor:
    (count,) = struct.unpack("<q", stream.read(8))
    size = count * dtype.itemsize
    raw = stream.read(size)
    if len(raw) != size:
        raise ValueError(f"{len(raw)} of {size} bytes of a storage are there")
    return torch.frombuffer(bytearray(raw), dtype=dtype)

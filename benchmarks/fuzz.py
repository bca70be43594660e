"""Damaged files must end in a result or in one of our errors, in bounded time and memory.

Run by hand:  python benchmarks/fuzz.py [--files 10000] [--decoder NAME ...] [--seed 0] [--keep DIR]

Sound files of each kind are damaged in one to four places (cut, bits flipped, overwritten, blocks
put in, doubled or taken out, numbers of the header exchanged for extremes) and read in a process of
their own, with a limit of time for each file and of memory. Counted are: results, our own errors by
class, and what must not be: other exceptions, crashes, hangs, more memory than is allowed. Ends
with 1 when there was any of these. The same seed gives the same files.

Found with 10,000 files a decoder (--seed 3, one slow core): no crash, no hang and none over memory
in 24 decoders; the slowest picture took 0.8 s (WebP), the slowest text 0.2 s (OVERLAY). Damage that
nobody can notice is not counted here: of 4,000 damaged streams in DICOM, one in 15 of lossless
JPEG, one in 4 of lossy JPEG, one in 8 of JPEG 2000 and one in 90 of JPEG-LS gave other pixels
without an error, as these formats carry no checksum.
"""

import argparse
import logging
import multiprocessing
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from fuzz_decoders import DECODERS, Decoder

from mammoscope.core.errors import MammoscopeError

LIMIT_S = 10.0
START_S = 120.0
MEMORY = 3 << 30
LONGEST_SENTENCE = 2000
EXTREMES = [
    v.to_bytes(n, order)
    for n in (1, 2, 4, 8)
    for order in ("little", "big")
    for v in (0, 1, 2 ** (8 * n - 1) - 1, 2 ** (8 * n - 1), 2 ** (8 * n) - 1, 60_000 % 2 ** (8 * n))
]
WORDS = [
    b"",
    b"-1",
    b"0",
    b"99999999999999999999",
    b"1e309",
    b"nan",
    b"\xff\xfe",
    b"\0",
    b",",
    b'"',
    b"60000",
]
GOOD, OURS, BUG, CRASH, HANG, OVER = "result", "our error", "bug", "crash", "hang", "over memory"
WRONG = (BUG, CRASH, HANG, OVER)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one file ended: what, the class of the error or signal, where, and the seconds."""

    number: int
    what: str
    kind: str = ""
    text: str = ""
    where: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Tally:
    """What is known of a decoder so far."""

    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    slowest: Outcome = field(default_factory=lambda: Outcome(-1, GOOD))
    worst: dict[str, tuple[Outcome, bytes]] = field(default_factory=dict)

    def add(self, outcome: Outcome, data: bytes) -> None:
        """Count an outcome; of each fault the smallest file is kept."""
        self.counts[outcome.what] += 1
        if outcome.kind:
            self.errors[outcome.kind] += 1
        if outcome.seconds > self.slowest.seconds:
            self.slowest = outcome
        if outcome.what in WRONG:
            key = f"{outcome.what} {outcome.kind} {outcome.where}"
            if key not in self.worst or len(data) < len(self.worst[key][1]):
                self.worst[key] = (outcome, data)


def damaged(seeds: Sequence[bytes], number: int, seed: int, *, is_text: bool) -> bytes:
    """Make the file of a number: one of the seeds, damaged in one to four places."""
    rng = np.random.default_rng((seed, number))
    data = bytearray(seeds[int(rng.integers(len(seeds)))])
    for _ in range(int(rng.choice([1, 1, 1, 2, 3, 4]))):
        ways = _TEXT_WAYS if is_text and rng.random() < 0.6 else _BYTE_WAYS
        way = ways[int(rng.integers(len(ways)))]
        way(data, rng)
        if not data:
            data = bytearray(b"\0")
    return bytes(data)


def _place(data: bytearray, rng: np.random.Generator) -> int:
    """Choose a place, the head of the file more often than the rest."""
    near = min(len(data), 600) if rng.random() < 0.6 else len(data)
    return int(rng.integers(max(1, near)))


def _length(rng: np.random.Generator) -> int:
    return int(2 ** rng.uniform(0, 10))


def _cut(data: bytearray, rng: np.random.Generator) -> None:
    del data[int(rng.integers(1, len(data) + 1)) :]


def _flip(data: bytearray, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 17))):
        data[_place(data, rng)] ^= 1 << int(rng.integers(8))


def _overwrite(data: bytearray, rng: np.random.Generator) -> None:
    place, length = _place(data, rng), _length(rng)
    data[place : place + length] = rng.bytes(length)


def _insert(data: bytearray, rng: np.random.Generator) -> None:
    place = _place(data, rng)
    data[place:place] = rng.bytes(_length(rng))


def _double(data: bytearray, rng: np.random.Generator) -> None:
    place, other = _place(data, rng), _place(data, rng)
    data[other:other] = data[place : place + _length(rng)]


def _take_out(data: bytearray, rng: np.random.Generator) -> None:
    place = _place(data, rng)
    del data[place : place + _length(rng)]


def _extreme(data: bytearray, rng: np.random.Generator) -> None:
    place, value = _place(data, rng), EXTREMES[int(rng.integers(len(EXTREMES)))]
    data[place : place + len(value)] = value


def _word(data: bytearray, rng: np.random.Generator) -> None:
    """Exchange one word of a text."""
    place = _place(data, rng)
    ends = [data.find(c, place) for c in b" \n,\t"]
    end = min((e for e in ends if e >= 0), default=len(data))
    start = max(data.rfind(c, 0, place) for c in b" \n,\t") + 1
    data[start:end] = WORDS[int(rng.integers(len(WORDS)))]


def _lines(data: bytearray, rng: np.random.Generator) -> None:
    """Exchange, double or take out a line of a text."""
    lines = data.split(b"\n")
    one, other = (int(i) for i in rng.integers(len(lines), size=2))
    match int(rng.integers(3)):
        case 0:
            lines[one], lines[other] = lines[other], lines[one]
        case 1:
            lines.insert(one, lines[other])
        case _:
            del lines[one]
    data[:] = b"\n".join(lines)


_BYTE_WAYS = (_cut, _flip, _flip, _overwrite, _insert, _double, _take_out, _extreme, _extreme)
_TEXT_WAYS = (_word, _word, _word, _lines)


def work(line: Connection, decoder: Decoder, numbers: range, seed: int) -> None:
    """Read file after file, in a process of its own; tells each beginning and each end."""
    warnings.simplefilter("ignore")
    logging.disable()
    seeds = decoder.seeds()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / decoder.file
        path.write_bytes(seeds[0])
        # What is loaded at the first use counts neither as time nor as memory of a file.
        decoder.prepare(path)
        _outcome(decoder, path, -1)
        limit = _address_space() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        line.send(None)
        for number in numbers:
            path.write_bytes(damaged(seeds, number, seed, is_text=decoder.is_text))
            line.send(number)
            line.send(_outcome(decoder, path, number))


def _address_space() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * resource.getpagesize()


def _outcome(decoder: Decoder, path: Path, number: int) -> Outcome:
    begun = time.perf_counter()
    what, kind, text, where = GOOD, "", "", ""
    try:
        decoder.read(path)
    except MammoscopeError as error:
        what, kind = OURS, type(error).__name__
        if not str(error).isprintable() or len(str(error)) > LONGEST_SENTENCE:
            what, text, where = BUG, f"no sentence: {str(error)[:300]!r}", _place_of(error)
    except MemoryError as error:
        what, text, where = OVER, traceback.format_exc(limit=-3), _place_of(error)
    except Exception as error:  # noqa: BLE001 to find these is what this is for
        what, kind, where = BUG, type(error).__name__, _place_of(error)
        text = traceback.format_exc(limit=-4)
    return Outcome(number, what, kind, text, where, time.perf_counter() - begun)


def _place_of(error: Exception) -> str:
    """Give the place that raised: faults of the same place are one fault."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}"


def outcomes(decoder: Decoder, files: int, seed: int) -> Iterator[Outcome]:
    """Give the outcome of every file; a process that hangs or dies is replaced."""
    context = multiprocessing.get_context("spawn")
    next_number = 0
    while next_number < files:
        here, there = context.Pipe(duplex=False)
        args = (there, decoder.name, next_number, files, seed)
        process = context.Process(target=_work_by_name, args=args, daemon=True)
        process.start()
        there.close()
        for outcome in _listen(here, process):
            next_number = outcome.number + 1
            yield outcome
        process.join()
        here.close()


def _work_by_name(line: Connection, name: str, first: int, files: int, seed: int) -> None:
    work(line, DECODERS[name], range(first, files), seed)


def _listen(line: Connection, process: multiprocessing.process.BaseProcess) -> Iterator[Outcome]:
    number: int | None = None
    limit = START_S
    while True:
        try:
            if not line.poll(limit):
                process.kill()
                yield Outcome(_running(number, process), HANG, seconds=limit)
                return
            told = line.recv()
        except EOFError:
            process.join()
            if process.exitcode != 0:
                yield Outcome(_running(number, process), CRASH, f"exit code {process.exitcode}")
            return
        limit = LIMIT_S
        if isinstance(told, Outcome):
            number = None
            yield told
        elif told is not None:
            number = told


def _running(number: int | None, process: multiprocessing.process.BaseProcess) -> int:
    if number is None:
        sys.exit(f"the reading process ended between two files, exit code {process.exitcode}")
    return number


def fuzz(decoder: Decoder, files: int, seed: int) -> Tally:
    """Read `files` damaged files with one decoder."""
    seeds = decoder.seeds()
    tally = Tally()
    for outcome in outcomes(decoder, files, seed):
        data = b""
        if outcome.what in WRONG:
            data = damaged(seeds, outcome.number, seed, is_text=decoder.is_text)
        tally.add(outcome, data)
    return tally


def show(decoder: Decoder, tally: Tally, keep: Path | None) -> None:
    """Print a decoder's line, and its faults with the smallest file of each."""
    counts = " ".join(f"{tally.counts[w]:>9}" for w in (GOOD, OURS, *WRONG))
    errors = ", ".join(f"{k} {n}" for k, n in tally.errors.most_common())
    slowest = f"{tally.slowest.seconds:.2f} s (file {tally.slowest.number})"
    print(f"{decoder.name:>9} {counts}  {slowest:<22} {errors}", flush=True)
    for outcome, data in tally.worst.values():
        print(f"    file {outcome.number} ({len(data)} bytes): {outcome.what} {outcome.kind}")
        print("      " + outcome.text.strip().replace("\n", "\n      "))
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{decoder.name}-{outcome.number}-{decoder.file}").write_bytes(data)


def main() -> int:
    """Fuzz what is asked for; returns 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=10_000, help="damaged files a decoder")
    parser.add_argument("--decoder", action="append", choices=[*DECODERS], help="only this one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the smallest file of each fault")
    asked = parser.parse_args()
    heads = " ".join(f"{w:>9.9}" for w in (GOOD, OURS, *WRONG))
    print(f"{'decoder':>9} {heads}  {'slowest':<22} errors")
    found = 0
    for name in asked.decoder or DECODERS:
        decoder = DECODERS[name]
        if not decoder.seeds():
            print(f"{name:>9} skipped: its real files are not here ({decoder.file})")
            continue
        tally = fuzz(decoder, asked.files, asked.seed)
        show(decoder, tally, asked.keep)
        found += sum(tally.counts[w] for w in WRONG)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""Batches of tiles for training, read ahead while the last one is being used."""

import queue
import threading
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammoscope.tiles.store import TileSet

AHEAD = 3
"""Batches that are ready before they are asked for."""

Batch = tuple[NDArray[np.intp], NDArray[np.uint8]]
"""Positions of tiles, and their pixels, shape (n, side, side)."""


def batches(
    tiles: TileSet, positions: ArrayLike, batch_size: int, *, seed: int, epoch: int
) -> Iterator[Batch]:
    """Read tiles in batches, in an order drawn from seed and epoch.

    Parameters
    ----------
    positions : which tiles; each comes once
    batch_size : tiles of a batch; the last may have fewer
    seed, epoch : the same two give the same batches

    Yields
    ------
    positions : ndarray of shape (n,), intp
    pixels : ndarray of shape (n, side, side), uint8

    Raises
    ------
    ValueError
        When `batch_size` is below 1.
    IndexError
        When a position is not that of a tile.
    """
    if batch_size < 1:
        raise ValueError(f"a batch needs a tile or more, not {batch_size}")
    wanted = np.asarray(positions, dtype=np.intp)
    order = np.random.default_rng([seed, epoch]).permutation(wanted)
    return _read_ahead(tiles, [order[i : i + batch_size] for i in range(0, len(order), batch_size)])


def _read_ahead(tiles: TileSet, groups: list[NDArray[np.intp]]) -> Iterator[Batch]:
    """Read groups of tiles in a thread of its own: copying leaves the interpreter free."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(AHEAD)
    given_up = threading.Event()

    def read() -> None:
        try:
            for group in groups:
                ready.put((group, tiles.pixels(group)))
                if given_up.is_set():
                    return
            ready.put(None)
        except BaseException as error:  # noqa: BLE001 raised again where the batches are used
            ready.put(error)

    thread = threading.Thread(target=read, name="tiles", daemon=True)
    thread.start()
    try:
        while (batch := ready.get()) is not None:
            if isinstance(batch, BaseException):
                raise batch
            yield batch
    finally:
        given_up.set()
        # The thread may stand before a full queue.
        while thread.is_alive():
            try:
                ready.get(timeout=0.01)
            except queue.Empty:
                continue
        thread.join()

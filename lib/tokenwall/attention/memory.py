"""A fast memory of a given size, and the count of all bytes that enter or leave it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


class FastMemory:
    """The small memory beside the arithmetic units; everything else lies in the slow one.

    An algorithm may compute only with tiles that it has loaded or made here. Loading and storing
    count bytes; making, computing and freeing do not. It never holds more than its capacity.

    Args:
        capacity: its size [B].

    Raises:
        ValueError: the capacity is not a positive whole number of bytes.

    Example:
        >>> memory, table = FastMemory(1000), np.zeros((10, 10))
        >>> tile = memory.load(table[:5])
        >>> memory.store(tile + 1, table[:5])
        >>> memory.read, memory.written, memory.held
        (400, 400, 400)
    """

    def __init__(self, capacity: int) -> None:
        if capacity != int(capacity) or capacity < 1:
            raise ValueError(f"capacity is {capacity} B; it must be a whole number of at least 1 B")
        self.capacity = int(capacity)
        self.read = self.written = self.held = self.peak = 0
        self._tiles: dict[int, Array] = {}

    @property
    def moved(self) -> int:
        """Bytes that have crossed between the two memories, in both directions."""
        return self.read + self.written

    def load(self, source: Array) -> Array:
        """A copy of a part of slow memory; counts its bytes as read.

        Args:
            source: the part.

        Raises:
            ValueError: it does not fit beside what is held.
        """
        tile = self._hold(np.array(source))
        self.read += tile.nbytes
        return tile

    def make(self, shape: tuple[int, ...], like: Array, value: float = 0) -> Array:
        """Room for a tile that is computed here.

        Args:
            shape: of the tile.
            like: an array of the number format wanted.
            value: of all its numbers at first.

        Raises:
            ValueError: it does not fit beside what is held.
        """
        return self._hold(np.full(shape, value, dtype=like.dtype))

    def store(self, tile: Array, target: Array) -> None:
        """Write a tile to slow memory; counts its bytes as written.

        Args:
            tile: the numbers.
            target: the part of slow memory that they replace.
        """
        target[...] = tile
        self.written += target.nbytes

    def set(self, target: Array, value: float) -> None:
        """Fill a part of slow memory with one value; counts its bytes as written.

        Args:
            target: the part.
            value: the number.
        """
        target[...] = value
        self.written += target.nbytes

    def free(self, *tiles: Array) -> None:
        """Give tiles up.

        Args:
            tiles: as `load` or `make` returned them.

        Raises:
            ValueError: one of them is not held.
        """
        for tile in tiles:
            if self._tiles.pop(id(tile), None) is None:
                raise ValueError(f"tile of shape {tile.shape} is not held in fast memory")
            self.held -= tile.nbytes

    def _hold(self, tile: Array) -> Array:
        if self.held + tile.nbytes > self.capacity:
            raise ValueError(
                f"fast_memory is {self.capacity} B, of which {self.held} B are held; a tile of "
                f"{tile.nbytes} B with shape {tile.shape} must fit in the rest"
            )
        self._tiles[id(tile)] = tile
        self.held += tile.nbytes
        self.peak = max(self.peak, self.held)
        return tile


def blocks(length: int, tile: int) -> Iterator[slice]:
    """Slices that cover a length; the last may be shorter.

    Args:
        length: what to cover.
        tile: length of each slice.

    Raises:
        ValueError: the tile is not at least 1.

    Example:
        >>> [(part.start, part.stop) for part in blocks(10, 4)]
        [(0, 4), (4, 8), (8, 10)]
    """
    if tile < 1:
        raise ValueError(f"tile is {tile}; it must be at least 1")
    return (slice(start, min(start + tile, length)) for start in range(0, length, tile))

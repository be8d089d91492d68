"""Compressed voxels, decompressed while they are read."""

from __future__ import annotations

import io
import zlib
from typing import IO, Any

_EITHER = 32 + zlib.MAX_WBITS  # gzip or zlib, whichever the first bytes are
_GZIP = b"\x1f\x8b"
_BLOCK = 1 << 18


class Inflated(io.RawIOBase):
    """What a file holds from its current place on, compressed with gzip or zlib; it is read forwards, once.

    Args:
        file: stands where the compressed bytes begin.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._inflate = file, zlib.decompressobj(_EITHER)
        self._waiting, self._place = b"", 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seek(self, place: int, whence: int = 0) -> int:
        """Stay where it is: it cannot go elsewhere."""
        if whence or place != self._place:
            raise OSError("compressed voxels are read forwards")
        return place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, or less of it at the end.

        Raises:
            EOFError: the file ends before the compressed bytes do.
            zlib.error: they are damaged.
        """
        with memoryview(buffer).cast("B") as view:
            done = 0
            while done < len(view) and not (self._inflate.eof and not self._next_member()):
                block = self._waiting or self._file.read(_BLOCK)
                part = self._inflate.decompress(block, min(len(view) - done, 1 << 24))
                self._waiting = self._inflate.unconsumed_tail
                if not block and not part and not self._inflate.eof:
                    raise EOFError("compressed voxels end early")
                view[done : done + len(part)] = part
                done += len(part)
        self._place += done
        return done

    def _next_member(self) -> bool:
        """Go on with what follows a whole gzip stream, if that is another."""
        rest = self._inflate.unused_data or self._file.read(_BLOCK)
        if not rest.startswith(_GZIP):
            return False
        self._inflate, self._waiting = zlib.decompressobj(_EITHER), rest
        return True

"""The clock of a run: wall time and an offset that all its processes share. It jumps, both ways."""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path
from typing import Final

_OFFSET: Final = struct.Struct("<q")


class SharedClock:
    """Milliseconds since the epoch. The offset stands in a file that each process maps, so that a jump of one is a
    jump of all; ``skew_ms`` is how far this one is off besides."""

    def __init__(self, path: Path, *, skew_ms: int = 0) -> None:
        if not path.exists():
            path.write_bytes(_OFFSET.pack(0))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _OFFSET.size)
        self._skew_ms = skew_ms

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.offset_ms + self._skew_ms

    @property
    def offset_ms(self) -> int:
        offset: int = _OFFSET.unpack_from(self._shared)[0]
        return offset

    def jump(self, ms: int) -> None:
        """Forward, or back where ``ms`` is below 0."""
        _OFFSET.pack_into(self._shared, 0, self.offset_ms + ms)

    def close(self) -> None:
        self._shared.close()

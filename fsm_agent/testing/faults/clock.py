"""The clock of a run: wall time plus an offset that all its processes share. It can jump forward and back."""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path
from typing import Final

_OFFSET: Final = struct.Struct("<q")


class SharedClock:
    """Milliseconds since the epoch. Each process maps the file with the offset, so all their clocks jump at once;
    ``skew_ms`` is added to this clock only."""

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
        """Jump forward, or back if ``ms`` is below 0."""
        _OFFSET.pack_into(self._shared, 0, self.offset_ms + ms)

    def close(self) -> None:
        self._shared.close()

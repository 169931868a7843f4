"""Writing a file so that it is there whole or not at all, whatever happens to the process or the power."""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` in one step, making its folder; doing it again leaves the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, text.encode(), path.with_name(f".{path.name}.{os.getpid()}"))


def rewrite_whole(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of what a file holds; its permissions stay, and a link still leads to it.

    Whoever dies on the way leaves one file beside it, which the next one who writes the same uses up.
    """
    path = path.resolve()
    beside = path.with_name(f".{path.name}.{sha256(content).hexdigest()[:12]}")
    beside.touch()
    if path.exists():
        beside.chmod(stat.S_IMODE(path.stat().st_mode))
    _replace(path, content, beside)


def _replace(path: Path, content: bytes, beside: Path) -> None:
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable too; Windows cannot open folders, and does without."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

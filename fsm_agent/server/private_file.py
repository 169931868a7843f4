"""A small file that only its owner may read, and that is replaced as a whole.

Rules:

- A reader sees the file as it was before a write or as it is after it, and never a part of one.
- Two writers take turns: who holds the lock reads, changes and writes, and then the next one begins.
- A file that others may read is not read, so that its owner learns of it.
- A process that dies while it writes leaves the old file, and a copy beside it that the next writer removes.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from fsm_agent.errors import SettingsInvalid

#: a value that differs when the file was replaced, written, or given other permissions
Signature: TypeAlias = tuple[int, ...]

#: signature of a file that does not exist
MISSING: Final[Signature] = ()

_OWNER_ONLY: Final = 0o600
_OTHERS: Final = 0o077


def signature(path: Path) -> Signature:
    """What a reader compares to see whether it has to read again; it opens nothing."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        return (error.errno or 0,)
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode


def read(path: Path) -> bytes:
    """The content. Raises ``SettingsInvalid`` if others may read or write the file, and ``OSError``."""
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & _OTHERS and os.name == "posix":  # elsewhere, modes say nothing
            raise SettingsInvalid(
                f"{path} is not only its owner's (its mode is {mode:03o}), and so is not used: "
                f"`chmod 600 {shlex.quote(str(path))}` keeps others out"
            )
        return file.read()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Inside, no other process or thread is inside for the same file. The lock of a dead process is free."""
    # The lock is a file of its own, since the other one is replaced. It stays: who removes it may remove another's.
    with os.fdopen(os.open(_beside(path, "lock"), os.O_RDWR | os.O_CREAT, _OWNER_ONLY), "rb") as file:
        _lock(file.fileno())
        yield


def _lock(descriptor: int) -> None:
    """Wait for the lock; closing the file gives it up."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)


def replace(path: Path, content: bytes) -> None:
    """Write the file as a whole, and return when it is on the disk; only the holder of the lock may call this."""
    new = _beside(path, "new")
    new.unlink(missing_ok=True)  # left by a process that died here
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb") as file:
            file.write(content)
            file.flush()
            _set_later(file.fileno(), path)
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _set_later(descriptor: int, path: Path) -> None:
    """Give the new file a later time than the old one, whatever the clock says: two writes within one tick of it could
    leave equal signatures, since systems use the number of a removed file again."""
    if path.exists():
        earliest = path.stat().st_mtime_ns + 1
        time = max(earliest, os.fstat(descriptor).st_mtime_ns)
        os.utime(descriptor, ns=(time, time))


def _sync_folder(folder: Path) -> None:
    """Keep the new name of a file through a power failure, where the system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}.{suffix}")

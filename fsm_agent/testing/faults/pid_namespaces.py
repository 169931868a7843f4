"""Namespaces of pids, as containers have them: what one of them calls process 5 is somebody else in the next."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

_UNSHARE: Final = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
#: as root, and as a user who is root in a namespace of users
_WAYS: Final = (_UNSHARE, (*_UNSHARE, "--user", "--map-root-user"))


@cache
def entering() -> tuple[str, ...]:
    """What to write before a command that is to run in a namespace of its own; nothing where that is not allowed."""
    if shutil.which("unshare") is None:
        return ()
    return next((way for way in _WAYS if _works(way)), ())


def _works(way: tuple[str, ...]) -> bool:
    return subprocess.run((*way, "true"), capture_output=True, check=False).returncode == 0  # noqa: S603 - ours


def namespace_here() -> str:
    """The name of this process's own; nothing where the system has none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""

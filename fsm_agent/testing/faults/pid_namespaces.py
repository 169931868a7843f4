"""PID namespaces, as containers have them: in each of them process 5 is another process."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

_UNSHARE: Final = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
#: as root, and as a user who is root in a user namespace
_COMMANDS: Final = (_UNSHARE, (*_UNSHARE, "--user", "--map-root-user"))


@cache
def unshare_command() -> tuple[str, ...]:
    """The prefix that runs a command in a PID namespace of its own; empty where the system does not allow it."""
    if shutil.which("unshare") is None:
        return ()
    return next((command for command in _COMMANDS if _works(command)), ())


def _works(command: tuple[str, ...]) -> bool:
    return subprocess.run((*command, "true"), capture_output=True, check=False).returncode == 0  # noqa: S603 - ours


def current_pid_namespace() -> str:
    """The name of this process's namespace; empty where the system has none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""

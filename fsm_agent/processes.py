"""Who this process is, and whether another one still lives."""

from __future__ import annotations

import os
import sys
import time
from functools import cache

from fsm_agent.lease import Holder


@cache
def this_host() -> str:
    if sys.platform == "win32":
        import socket

        return socket.gethostname()
    return os.uname().nodename  # which is that name, and costs no import


def this_process() -> Holder:
    """The holder of every lease that this process takes."""
    pid = os.getpid()
    return Holder(this_host(), pid, _seen_alive_ms(pid))


@cache
def _seen_alive_ms(_pid: int) -> int:
    """A process with this pid that was born later is another one. By pid, because a fork inherits the cache."""
    return int(time.time() * 1000)


def is_alive(holder: Holder) -> bool | None:
    """Whether the process lives; ``None`` for another host, of which nothing can be known from here."""
    if holder.host != this_host():
        return None
    if holder.pid == os.getpid():
        return holder == this_process()
    import psutil

    try:
        other = psutil.Process(holder.pid)
        born_ms = other.create_time() * 1000
        return bool(born_ms <= holder.started_ms and other.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True

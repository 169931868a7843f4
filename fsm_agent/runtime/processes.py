"""Who this process is, and whether another one still lives."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from functools import cache

from fsm_agent.domain.lease import Holder


def this_process() -> Holder:
    """The holder of every lease that this process takes."""
    return _holder(os.getpid())


def this_host() -> str:
    """Where this process runs, as a holder says it."""
    return this_process().host


@cache
def _holder(pid: int) -> Holder:
    """A process with this pid that was born later is another one. By pid, because a fork inherits the cache."""
    return Holder(_place(pid), pid, int(time.time() * 1000))


if hasattr(os, "register_at_fork"):  # the first process of a new PID namespace has the pid 1, as its parent may have
    os.register_at_fork(after_in_child=_holder.cache_clear)


def _place(pid: int) -> str:
    """Host, boot id and PID namespace; the host alone where the system does not tell the rest, or tells it of another
    namespace than ours, whose processes it lists."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot_id = file.read().strip()
        namespace = os.readlink("/proc/self/ns/pid")
        lists_ours = os.readlink("/proc/self") == str(pid)
    except (OSError, ValueError):
        return _host_name()
    number = "".join(filter(str.isdigit, namespace))
    return f"{_host_name()}/{boot_id}/{number}" if lists_ours else _host_name()


def _host_name() -> str:
    if sys.platform == "win32":
        import socket

        return socket.gethostname()
    return os.uname().nodename  # which is that name, and costs no import


def is_alive(holder: Holder) -> bool | None:
    """Whether the process lives; ``None`` where nothing can be known of it from here: its pid says something only
    where the same boot id and PID namespace are known of both."""
    here = this_process()
    if holder == here:
        return True
    if holder.host != here.host or not holder.is_located:
        return None
    return holder.pid != here.pid and _is_running(holder)


def _is_running(holder: Holder) -> bool | None:
    import psutil

    try:
        with suppress(PermissionError):  # it lives, and is another user's
            os.kill(holder.pid, 0)  # which sees those too that are hidden from a process of another user
    except ProcessLookupError:
        return False
    try:
        other = psutil.Process(holder.pid)
        born_ms = other.create_time() * 1000
        return bool(born_ms <= holder.started_ms and other.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return True

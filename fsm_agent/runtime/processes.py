"""The identity of this process, and whether other processes are alive."""

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
    """Where this process runs, in the form that a holder has."""
    return this_process().host


@cache
def _holder(pid: int) -> Holder:
    """The holder for this process. The cache is by pid, since a fork inherits it. The start time tells apart later
    processes with the same pid."""
    return Holder(_place(pid), pid, int(time.time() * 1000))


if hasattr(os, "register_at_fork"):  # parent and child may both have pid 1, in different namespaces
    os.register_at_fork(after_in_child=_holder.cache_clear)


def _place(pid: int) -> str:
    """Host, boot id and PID namespace. It is only the host if the system does not show the rest, or if /proc belongs to
    another PID namespace."""
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
    return os.uname().nodename  # the same name, without an import


def is_alive(holder: Holder) -> bool | None:
    """Whether the process is alive. ``None`` if that cannot be known here: a pid is only meaningful if boot id and PID
    namespace are known, and are ours."""
    here = this_process()
    if holder == here:
        return True
    if holder.host != here.host or not holder.is_located:
        return None
    return holder.pid != here.pid and _is_running(holder)


def _is_running(holder: Holder) -> bool | None:
    import psutil

    try:
        with suppress(PermissionError):  # it is alive, and belongs to another user
            os.kill(holder.pid, 0)  # finds processes that are hidden from other users, too
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

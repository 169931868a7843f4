"""The process from which writers are forked, so that one is there in milliseconds, and whose end is the end of all.

    python -m fsm_agent.testing.faults.fork_server

A line on standard input is ``{"start": ORDERS}`` or ``{"signal": [NAME, NUMBER]}``; on standard output a line says
``{"ended": NAME, "status": STATUS}``. It alone waits for writers, so no signal goes to a process that took over the
number of a writer that is gone. When its input ends, it kills them all.
"""

from __future__ import annotations

import json
import os
import select
import signal
import traceback
from importlib import import_module
from typing import Any, Final, NoReturn

from fsm_agent.testing.faults.orders import Orders
from fsm_agent.testing.faults.writer import live_in_process

_TURN_S: Final = 0.01
#: imported before the first fork, where they are installed
_HEAVY: Final = (
    "fsm_agent.loading.yaml_file",
    "fsm_agent.stores.sqlite.store",
    "fsm_agent.expressions.compiler",
    "fsm_agent.engine.machine",
    "psutil",
)


class Nursery:
    """Writers by name, as long as they live."""

    def __init__(self) -> None:
        self._pids: dict[str, int] = {}

    def serve(self) -> None:
        """Until standard input ends."""
        waiting = b""
        while True:
            if select.select([0], [], [], _TURN_S)[0]:
                read = os.read(0, 65_536)
                if not read:
                    return
                *lines, waiting = (waiting + read).split(b"\n")
                for line in lines:
                    self._obey(json.loads(line))
            self._reap()

    def end_all(self) -> None:
        """Kill and wait for every writer; one that is frozen too."""
        for pid in self._pids.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _obey(self, order: dict[str, Any]) -> None:
        if "start" in order:
            orders = Orders(**order["start"])
            self._pids[orders.name] = os.fork() or _be(orders)
        else:
            name, number = order["signal"]
            if name in self._pids:
                os.kill(self._pids[name], number)

    def _reap(self) -> None:
        for name, pid in list(self._pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._pids[name]
                report = {"ended": name, "status": os.waitstatus_to_exitcode(status)}
                os.write(1, (json.dumps(report) + "\n").encode())


def _be(orders: Orders) -> NoReturn:
    """The life of a writer, in the process that was forked for it. What it says goes to a file beside its journal."""
    said = os.open(orders.journals / f"{orders.name}.txt", os.O_WRONLY | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(source, target)
    status = 1
    try:
        live_in_process(orders)
        status = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def main() -> None:
    for name in _HEAVY:
        import_module(name)
    nursery = Nursery()
    try:
        nursery.serve()
    finally:
        nursery.end_all()


if __name__ == "__main__":
    main()

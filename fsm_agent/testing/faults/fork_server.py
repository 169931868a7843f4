"""The fork server forks writers, because a forked process starts in milliseconds.

    python -m fsm_agent.testing.faults.fork_server

A line on standard input is ``{"start": SETTINGS}`` or ``{"signal": [NAME, NUMBER]}``; a line on standard output is
``{"ended": NAME, "status": STATUS}``. Only this process waits for writers, so no signal goes to another process that
got the pid of an ended writer. When its input ends, it kills all writers.
"""

from __future__ import annotations

import json
import os
import select
import signal
import traceback
from importlib import import_module
from typing import Any, Final, NoReturn

from fsm_agent.engines import open_engine
from fsm_agent.testing.faults.writer import WriterSettings, run_in_process

_POLL_S: Final = 0.01
#: Modules that are imported once, before the first fork.
_HEAVY: Final = (
    "fsm_agent.loading.yaml_file",
    "fsm_agent.stores.sqlite.store",
    "fsm_agent.expressions.compiler",
    "fsm_agent.engine.machine",
    "psutil",
)


class ForkServer:
    """Starts writers, sends signals to them, and waits for them."""

    def __init__(self) -> None:
        self._pids: dict[str, int] = {}

    def serve(self) -> None:
        """Serve requests until standard input ends."""
        waiting = b""
        while True:
            if select.select([0], [], [], _POLL_S)[0]:
                read = os.read(0, 65_536)
                if not read:
                    return
                *lines, waiting = (waiting + read).split(b"\n")
                for line in lines:
                    self._handle(json.loads(line))
            self._reap()

    def end_all(self) -> None:
        """Kill every writer, frozen ones too, and wait for it."""
        for pid in self._pids.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _handle(self, request: dict[str, Any]) -> None:
        if "start" in request:
            settings = WriterSettings(**request["start"])
            if settings.engine:
                open_engine(settings.engine)  # imports its library once for all writers
            self._pids[settings.name] = os.fork() or _run_writer(settings)
        else:
            name, number = request["signal"]
            if name in self._pids:
                os.kill(self._pids[name], number)

    def _reap(self) -> None:
        for name, pid in list(self._pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._pids[name]
                report = {"ended": name, "status": os.waitstatus_to_exitcode(status)}
                os.write(1, (json.dumps(report) + "\n").encode())


def _run_writer(settings: WriterSettings) -> NoReturn:
    """Be a writer, in a forked process. Its output goes to a file beside its journal."""
    output = os.open(settings.journals / f"{settings.name}.txt", os.O_WRONLY | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    status = 1
    try:
        run_in_process(settings)
        status = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def main() -> None:
    for name in _HEAVY:
        import_module(name)
    fork_server = ForkServer()
    try:
        fork_server.serve()
    finally:
        fork_server.end_all()


if __name__ == "__main__":
    main()

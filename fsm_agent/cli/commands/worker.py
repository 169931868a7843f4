"""``worker``, and ``resume`` of all agents: drive due agents, and report each of them."""

from __future__ import annotations

import asyncio
import logging
import signal

from fsm_agent.cli.logs import in_json, in_sentences
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output
from fsm_agent.domain.agent import Head, Status
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.telemetry import configured

logger = logging.getLogger("fsm_agent")


class DriveLog:
    """The agents that were driven; prints a line on stderr for each that stops. With ``is_json`` only the log tells."""

    def __init__(self, *, is_json: bool = False) -> None:
        self.driven: set[str] = set()
        self._is_json = is_json

    def observe(self, head: Head) -> None:
        self.driven.add(head.id)
        if head.status is not Status.RUNNING and not self._is_json:
            output.say(f"{head.id}  {head.status} in {head.state}")

    def tell(self, sentence: str, action: str) -> None:
        """Tell what happens to the worker itself."""
        if self._is_json:
            logger.info("%s", sentence, extra={"action": action})
        else:
            output.say(sentence)

    def tell_end(self) -> None:
        count = len(self.driven)
        self.tell(f"drove {output.counted(count, 'agent')}" if count else "no agent was due", "worker_ended")


def sweep(settings: CommandSettings, *, once: bool, is_json_log: bool = False) -> None:
    """Drive due agents, until none is left (``once``) or until a signal comes."""
    diary = DriveLog(is_json=is_json_log)
    with output.kept_clean(settings), (in_json if is_json_log else in_sentences)(settings):
        asyncio.run(_sweep(settings, diary, once=once))
        if not settings.json:
            diary.tell_end()
    if settings.json:
        output.print_json({"driven": sorted(diary.driven)})


async def _sweep(settings: CommandSettings, diary: DriveLog, *, once: bool) -> None:
    around, actions = settings.surroundings(), settings.actions
    async with Runner(
        settings.open_store(), actions=actions, observe=diary.observe, surroundings=around, telemetry=configured()
    ) as runner:
        worker = Worker(runner, retention=settings.retention)
        if once:
            await worker.run_once()
            return
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        diary.tell(f"watching {runner.store.url}; Ctrl-C stops", "worker_began")
        await worker.run(stopped)

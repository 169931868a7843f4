"""``worker``, and ``resume`` of all agents: drive due agents, and report each of them."""

from __future__ import annotations

import asyncio
import signal

from fsm_agent.cli.logs import in_sentences
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output
from fsm_agent.domain.agent import Head, Status
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker


class DriveLog:
    """The agents that were driven; prints a line on stderr for each that stops."""

    def __init__(self) -> None:
        self.driven: set[str] = set()

    def observe(self, head: Head) -> None:
        self.driven.add(head.id)
        if head.status is not Status.RUNNING:
            output.say(f"{head.id}  {head.status} in {head.state}")


def sweep(settings: CommandSettings, *, once: bool) -> None:
    """Drive due agents, until none is left (``once``) or until a signal comes."""
    diary = DriveLog()
    with output.kept_clean(settings), in_sentences(settings):
        asyncio.run(_sweep(settings, diary, once=once))
    if settings.json:
        output.print_json({"driven": sorted(diary.driven)})
    else:
        count = len(diary.driven)
        output.say(f"drove {output.counted(count, 'agent')}" if count else "no agent was due")


async def _sweep(settings: CommandSettings, diary: DriveLog, *, once: bool) -> None:
    around, actions = settings.surroundings(), settings.actions
    async with Runner(settings.open_store(), actions=actions, observe=diary.observe, surroundings=around) as runner:
        worker = Worker(runner, retention=settings.retention)
        if once:
            await worker.run_once()
            return
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        output.say(f"watching {runner.store.url}; Ctrl-C stops")
        await worker.run(stopped)

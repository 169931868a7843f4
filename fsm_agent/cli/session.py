"""A session: one command that drives agents, with a runner, a live line and a report at the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import click

from fsm_agent.cli.engine import wakeups_of
from fsm_agent.cli.input.agent_ids import whole_id
from fsm_agent.cli.logs import in_sentences
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output
from fsm_agent.cli.views.agents import agent_blocks, agents_blocks
from fsm_agent.cli.views.errors import error_json
from fsm_agent.cli.views.progress import Progress
from fsm_agent.concurrency import event_loop
from fsm_agent.concurrency.sync_driver import run
from fsm_agent.domain.agent import Agent, Head, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import standing
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import AgentDamaged, FsmAgentError, Refused
from fsm_agent.runtime.agent_reads import read_doubts
from fsm_agent.runtime.runner import Runner
from fsm_agent.telemetry import configured

Result = TypeVar("Result")

#: status of an agent -> exit code; other statuses give 0
EXIT_CODES: Final = {Status.FAILED: 3, Status.CANCELLED: 3, Status.PARKED: 4}


@dataclass(frozen=True, slots=True)
class Session:
    """What a command needs to drive an agent."""

    settings: CommandSettings
    runner: Runner
    progress: Progress

    async def follow(self, call: Awaitable[Result]) -> Result:
        """Await a call of the runner, while the live line shows its progress."""
        with self.progress:
            return await call

    async def whole_id(self, part: str) -> str:
        """The whole id for a shortened one; raises ``AgentNotFound`` or ``AgentAmbiguous``."""
        return await whole_id(self.runner.store, part)


class Interrupted(click.ClickException):
    """Ctrl-C while an agent was driven. The message says what is kept, and how to go on."""

    exit_code = 130

    def __init__(self, settings: CommandSettings, seen: Head | None) -> None:
        super().__init__(f"interrupted: {_kept(settings, seen)}")


def _kept(settings: CommandSettings, seen: Head | None) -> str:
    if seen is None:
        return "nothing was changed"
    if not settings.is_lasting:
        return f"agent {seen.id} is gone, since memory:// keeps nothing"
    stands = f"agent {seen.id} is kept in state {seen.state!r} at version {seen.version}"
    if seen.status is Status.RUNNING:
        return f"{stands}, and `{settings.command('resume', seen.id)}` goes on"
    if seen.asked is not None:
        question = ["--question", str(seen.asked.id)] if seen.asked.id else []
        return f"{stands}, and `{settings.command('answer', seen.id, *question)}` answers its question later"
    return f"{stands}, and it {standing(seen.status)}"


def drive(settings: CommandSettings, work: Callable[[Session], Awaitable[Agent]]) -> int:
    """Do ``work``, print the resulting agent, and return the exit code for its status."""

    async def described(session: Session) -> tuple[Agent, Workflow, Sequence[EffectEntry]]:
        agent = await work(session)
        workflow = await session.runner.workflow(agent.definition)
        return agent, workflow, await read_doubts(session.runner.store, agent)

    agent, workflow, doubts = finish(settings, described)
    output.show(settings, agent.to_json(), lambda: agent_blocks(settings, agent, workflow, doubts=doubts))
    return EXIT_CODES.get(agent.status, 0)


def drive_all(
    settings: CommandSettings, work: Callable[[Session, str], Awaitable[Agent]], agent_ids: Iterable[str]
) -> int:
    """Do ``work`` with each agent, and print all results. A refusal does not stop the others."""
    refusals: list[FsmAgentError] = []

    async def each(session: Session) -> list[Agent]:
        done: list[Agent] = []
        for agent_id in agent_ids:
            try:
                done.append(await work(session, agent_id))
            except (Refused, AgentDamaged) as refusal:
                refusals.append(refusal)
        return done

    agents = finish(settings, each)
    document: dict[str, Json] = {"agents": [agent.to_json() for agent in agents]}
    if refusals:
        document["errors"] = [error_json(refusal, str(refusal)) for refusal in refusals]
    output.show(settings, document, lambda: agents_blocks(agents))
    for refusal in refusals:
        output.complain(str(refusal))
    codes = [EXIT_CODES[agent.status] for agent in agents if agent.status in EXIT_CODES]
    return 1 if refusals else min(codes, default=0)


def finish(settings: CommandSettings, work: Callable[[Session], Awaitable[Result]]) -> Result:
    """Do ``work`` with a runner on the store, and close both."""
    progress = Progress()

    async def within() -> Result:
        around = settings.surroundings(progress.hear)
        store, actions = settings.open_store(), settings.actions
        if store.needs_loop:
            await event_loop.reach()
        async with Runner(
            store,
            actions=actions,
            observe=progress.observe,
            surroundings=around,
            telemetry=configured(),
            wakeups=wakeups_of(settings),
        ) as runner:
            return await work(Session(settings, runner, progress))

    try:
        with output.kept_clean(settings), in_sentences(settings):
            return run(within())
    except KeyboardInterrupt:
        raise Interrupted(settings, progress.seen) from None

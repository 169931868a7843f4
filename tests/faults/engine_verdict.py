"""What a run under faults says of an engine: no agent is lost, nothing is done twice, and the faults have hit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.effect import EffectMode
from fsm_agent.domain.lease import Claimed
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from tests.support.payments import times_done

#: Counts that must be above 0.
REQUIRED: Final = (
    "agents",
    "events",
    "wake-ups dropped",
    "wake-ups while the server was away",
    "servers killed",
    "workers killed at work",
    "workers frozen at work",
    "agents taken from a frozen worker",
    "workers restarted at work",
    "effects in flight at a restart",
)


class Verdict(NamedTuple):
    """``broken`` are sentences about what must not be; ``hits`` count what happened."""

    broken: Sequence[str]
    hits: Mapping[str, int]

    @property
    def missing(self) -> list[str]:
        """What has hit nothing: a run without it proves nothing."""
        return [name for name in REQUIRED if not self.hits.get(name)]

    @property
    def is_proven(self) -> bool:
        return not self.broken and not self.missing


async def broken_rules(
    runner: Runner,
    due: Mapping[str, int],
    service: Path,
    restless: Sequence[str],
    held_at_restart: Collection[Claimed] = (),
) -> AsyncIterator[str]:
    """Sentences about what is broken. ``due`` says how often each agent is to have paid; ``restless`` are agents whom
    nobody has driven to the end; ``held_at_restart`` is what workers held when they were told to stop. All workers have
    ended: those that were parked in doubt are settled first."""
    if restless:
        yield f"{len(restless)} agents are not at rest, such as {restless[0]}"
    for agent_id in due:
        if (await runner.get(agent_id)).status is Status.PARKED:
            for entry in await runner.effects(agent_id):
                if entry.is_open and Claimed(agent_id, entry.epoch) in held_at_restart:
                    yield f"agent {agent_id} was parked by the restart of a worker"
            async for sentence in _settle(runner, agent_id, service):
                yield sentence
    await Worker(runner).run_once()
    done = times_done(service)
    for agent_id, times in due.items():
        agent = await runner.get(agent_id)
        if (agent.state, agent.data["paid"]) != ("resting", times):
            yield f"agent {agent_id} is in {agent.state} and has paid {agent.data['paid']} times, not {times}"
        async for sentence in _broken_of(runner, agent, done):
            yield sentence


async def _settle(runner: Runner, agent_id: str, service: Path) -> AsyncIterator[str]:
    """As an operator does who looks at what was done. A frozen worker that goes on may have recorded its effect
    itself, after another one has parked the agent."""
    why = (await runner.get(agent_id)).error
    effects = [entry for entry in await runner.effects(agent_id) if entry.is_open]
    if why is None or why["type"] != "EffectInDoubt" or any(each.mode != EffectMode.AT_MOST_ONCE for each in effects):
        yield f"agent {agent_id} is parked: {why}"
    elif not effects:
        await runner.unpark(agent_id)
    elif effects[0].key in times_done(service):
        await runner.unpark(agent_id, effect=effects[0].key, result=effects[0].name)
    else:
        await runner.unpark(agent_id, effect=effects[0].key, not_done=True)


async def _broken_of(runner: Runner, agent: Agent, done: Mapping[str, int]) -> AsyncIterator[str]:
    effects = await runner.effects(agent.id)
    for entry in effects:
        times = done.get(entry.key, 0)
        if times == 0 or (times > 1 and entry.mode is EffectMode.AT_MOST_ONCE):
            yield f"effect {entry.name} of agent {agent.id} was done {times} times"
    paid = sum(entry.name == "pay" for entry in effects)
    if paid != agent.data["paid"]:
        yield f"agent {agent.id} has {paid} payments on record, and counts {agent.data['paid']}"
    if not (await runner.replay(agent.id)).is_verified:
        yield f"the history of agent {agent.id} does not tell what it is"

"""A client of the order workload: it does at random what people and programs do to agents."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from fsm_agent.domain.agent import ENDED, Agent, Head, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.selection import ANYBODY, QuestionPage
from fsm_agent.domain.step import Step
from fsm_agent.runtime.runner import Runner
from fsm_agent.testing.faults.calls import CallRecorder
from fsm_agent.testing.faults.digests import digest_of_steps, digest_of_values
from fsm_agent.testing.faults.journal import Journal
from fsm_agent.testing.faults.order_workload import VERSIONS, ExternalService, order_workflow

#: After so many steps an order is stopped, and another one takes its slot.
_MOST_STEPS: Final = 250
#: More than there are orders that ask at a time.
_MOST_QUESTIONS: Final = 1_000


class SentEvent(NamedTuple):
    """An event with a key, which may be sent again."""

    agent: str
    event: str
    token: str
    key: str


@dataclass(slots=True)
class AgentSlot:
    """A slot for one order at a time; when that has ended, the next one takes the slot."""

    number: int
    generation: int = 0
    version: int = 0
    #: the id of the last question that was read
    question: int | None = None

    @property
    def agent(self) -> str:
        return f"order-{self.number}-{self.generation}"

    def next(self) -> None:
        self.generation, self.version, self.question = self.generation + 1, 0, None


@dataclass
class OrderClient:
    """The prefix ``name`` makes its tokens unique. ``unknown_outcomes`` are events of an earlier writer, which was
    killed before it knew whether they happened."""

    name: str
    runner: Runner
    service: ExternalService
    journal: Journal
    rng: random.Random
    slots: list[AgentSlot]
    unknown_outcomes: deque[SentEvent] = field(default_factory=deque)
    _sent: deque[SentEvent] = field(default_factory=lambda: deque(maxlen=30))
    _count: int = 0

    def __post_init__(self) -> None:
        self._calls = CallRecorder(self.journal)

    async def run(self, stopped: asyncio.Event) -> None:
        """Run operations until ``stopped`` is set."""
        operations, weights = zip(*self._operations(), strict=True)
        while not stopped.is_set():
            if self.unknown_outcomes:
                await self._send_keyed(self.unknown_outcomes.popleft())
            [operation] = self.rng.choices(operations, weights)
            slot = self.rng.choice(self.slots)
            if slot.version == 0:
                await self._start(slot)
            await (self._send("stop", slot) if slot.version > _MOST_STEPS else operation(slot))
            await asyncio.sleep(self.rng.uniform(0, 0.01))

    def _operations(self) -> Iterable[tuple[Callable[[AgentSlot], Awaitable[None]], int]]:
        for event, weight in {"note": 20, "work": 30, "sum": 8, "ask": 12, "reply": 4, "stop": 1}.items():
            yield partial(self._send, event), weight
        yield self._answer, 8
        yield self._send_shared, 14
        yield self._repeat, 6
        yield self._reuse_key, 2
        yield self._send_outdated, 4
        yield self._get, 10
        yield self._read_history, 5
        yield self._read_heads, 8
        yield self._read_inbox, 8
        yield self._start, 2
        yield self._unpark, 6

    def _token(self) -> str:
        self._count += 1
        return f"{self.name}-{self._count}"

    async def _start(self, slot: AgentSlot) -> None:
        """All clients start an order with the same call; one of them creates it."""
        token = f"start-{slot.agent}"
        workflow = order_workflow(VERSIONS[slot.number % len(VERSIONS)])
        facts = {"agent": slot.agent, "token": token, "key": token, "workflow_version": workflow.version}
        work = partial(self.runner.start, workflow, "note", {"token": token}, id=slot.agent, key=token)
        self._follow(slot, await self._call("start", facts, work))

    async def _send(self, event: str, slot: AgentSlot) -> None:
        token = self._token()
        if self.rng.random() < 0.7:
            sent = SentEvent(slot.agent, event, token, token)
            self._follow(slot, await self._send_keyed(sent))
            self._sent.append(sent)
        else:
            facts = {"agent": slot.agent, "event": event, "token": token, "key": None}
            work = partial(self.runner.send, slot.agent, event, {"token": token}, drive=self._drives(facts))
            self._follow(slot, await self._call("send", facts, work))

    async def _send_keyed(self, sent: SentEvent) -> Agent | None:
        facts: dict[str, Any] = sent._asdict()
        payload = {"token": sent.token}
        work = partial(self.runner.send, sent.agent, sent.event, payload, key=sent.key, drive=self._drives(facts))
        agent: Agent | None = await self._call("send", facts, work)
        return agent

    def _drives(self, facts: dict[str, Any]) -> bool:
        """Whether the call also drives the agent; otherwise a worker does."""
        facts["drive"] = self.rng.random() < 0.7
        return bool(facts["drive"])

    async def _answer(self, slot: AgentSlot) -> None:
        """Answer the question that was read last, which others may have answered meanwhile; or any open question."""
        if self.rng.random() < 0.5:
            await self._get(slot)
        token = self._token()
        question = slot.question if self.rng.random() < 0.8 else None
        facts = {"agent": slot.agent, "event": "reply", "token": token, "key": token, "question": question}
        work = partial(self.runner.answer, slot.agent, {"token": token}, key=token, question=question)
        self._follow(slot, await self._call("answer", facts, work))

    async def _send_shared(self, slot: AgentSlot) -> None:
        """Send an event that several clients send with one key at about the same time."""
        token = f"shared-{slot.agent}-{slot.version // 6}"
        self._follow(slot, await self._send_keyed(SentEvent(slot.agent, "note", token, token)))

    async def _repeat(self, _: AgentSlot) -> None:
        if self._sent:
            await self._send_keyed(self.rng.choice(self._sent))

    async def _reuse_key(self, _: AgentSlot) -> None:
        """Send another event with a used key."""
        if self._sent:
            sent = self.rng.choice(self._sent)
            await self._send_keyed(sent._replace(token=f"{self._token()}-misused"))

    async def _send_outdated(self, slot: AgentSlot) -> None:
        """Send an event that expects a version which may be out of date."""
        token = self._token()
        expected = max(1, slot.version - self.rng.randrange(3))
        facts = {"agent": slot.agent, "event": "note", "token": token, "key": None, "expect_version": expected}
        work = partial(self.runner.send, slot.agent, "note", {"token": token}, expect_version=expected)
        self._follow(slot, await self._call("send", facts, work))

    async def _get(self, slot: AgentSlot) -> None:
        self._follow(slot, await self._get_agent(slot))

    async def _read_history(self, slot: AgentSlot) -> None:
        await self._call("history", {"agent": slot.agent}, partial(self.runner.history, slot.agent), _history_reply)

    async def _read_heads(self, _: AgentSlot) -> None:
        """Read the heads of all orders at once, as whoever watches them does."""
        agent_ids = [slot.agent for slot in self.slots]
        read = partial(self.runner.store.heads, agent_ids)
        await self._call("heads", {"agents": agent_ids}, read, _heads_reply)

    async def _read_inbox(self, _: AgentSlot) -> None:
        """Read every open question, all of which are for whoever comes."""
        to = self.rng.choice([None, ANYBODY])
        read = partial(self.runner.store.questions, to=to, limit=_MOST_QUESTIONS)
        await self._call("inbox", {"to": to}, read, _inbox_reply)

    async def _get_agent(self, slot: AgentSlot) -> Agent | None:
        agent: Agent | None = await self._call(
            "get", {"agent": slot.agent}, partial(self.runner.get, slot.agent), _agent_reply
        )
        return agent

    async def _unpark(self, slot: AgentSlot) -> None:
        """Unpark a parked order, as an operator does; settle its effect if that is in doubt."""
        agent = await self._get_agent(slot)
        if agent is None or agent.status is not Status.PARKED:
            return
        facts = {"agent": slot.agent}
        effects = (
            await self._call("effects", facts, partial(self.runner.store.effects, slot.agent), _effects_reply) or ()
        )
        in_doubt = [effect.key for effect in effects if effect.is_open]
        if in_doubt:
            result = self.service.settlement(in_doubt[0])
            work = partial(self.runner.unpark, slot.agent, effect=in_doubt[0], result=result)
        else:
            work = partial(self.runner.unpark, slot.agent)
        self._follow(slot, await self._call("unpark", facts, work))

    def _follow(self, slot: AgentSlot, agent: Agent | None) -> None:
        """Note what a reply says about the order."""
        if agent is None or agent.id != slot.agent:
            return
        slot.version = agent.version
        if agent.question is not None:
            slot.question = agent.question.id
        if agent.status in ENDED:
            slot.next()

    async def _call(
        self,
        verb: str,
        facts: dict[str, Any],
        work: Callable[[], Awaitable[Any]],
        describe: Callable[[Any], dict[str, Any]] | None = None,
    ) -> Any:
        return await self._calls.call(verb, facts, work, describe or _call_reply)


def _call_reply(agent: Agent) -> dict[str, Any]:
    return {"delivery": agent.delivery, "version": agent.version, "status": str(agent.status), "state": agent.state}


def _agent_reply(agent: Agent) -> dict[str, Any]:
    seen = {"version": agent.version, "state": agent.state, "workflow_version": agent.workflow_version}
    asked = agent.question and [agent.question.id, agent.question.prompt]
    return {**seen, "digest": digest_of_values(agent.data), "asked": asked}


def _heads_reply(heads: Sequence[Head]) -> dict[str, Any]:
    return {"versions": {head.id: head.version for head in heads}}


def _inbox_reply(page: QuestionPage) -> dict[str, Any]:
    asked = {
        head.id: [head.version, head.asked and head.asked.id, head.asked and head.asked.prompt] for head in page.heads
    }
    return {"asked": asked, "is_all": page.next is None}


def _history_reply(steps: list[Step]) -> dict[str, Any]:
    prefixes = digest_of_steps(steps)
    return {"version": len(prefixes), "digest": prefixes[-1] if prefixes else ""}


def _effects_reply(effects: Sequence[EffectEntry]) -> dict[str, Any]:
    return {"open": [effect.key for effect in effects if effect.is_open]}

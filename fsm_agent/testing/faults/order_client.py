"""One client of a writer: does at random what people and programs do to agents, and notes what it is told."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from fsm_agent.domain.agent import ENDED, Agent, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.step import Step
from fsm_agent.runtime.runner import Runner
from fsm_agent.testing.faults.calls import Caller
from fsm_agent.testing.faults.digests import digest_of_steps, digest_of_values
from fsm_agent.testing.faults.journal import Journal
from fsm_agent.testing.faults.order_workload import VERSIONS, World, errand

#: After so many steps an agent is stopped, and another takes its place.
_LONGEST: Final = 250


class Said(NamedTuple):
    """An event with a key, as it may be said again."""

    agent: str
    event: str
    token: str
    key: str


@dataclass(slots=True)
class Place:
    """Where an agent lives, and when it has ended the next one."""

    number: int
    generation: int = 0
    version: int = 0
    #: the id of the last question that was read
    question: int | None = None

    @property
    def agent(self) -> str:
        return f"agent-{self.number}-{self.generation}"

    def next(self) -> None:
        self.generation, self.version, self.question = self.generation + 1, 0, None


@dataclass
class Client:
    """``name`` makes its tokens its own; ``doubtful`` is what somebody before it never learnt the end of."""

    name: str
    runner: Runner
    world: World
    journal: Journal
    chance: random.Random
    places: list[Place]
    doubtful: deque[Said] = field(default_factory=deque)
    _said: deque[Said] = field(default_factory=lambda: deque(maxlen=30))
    _count: int = 0

    def __post_init__(self) -> None:
        self._caller = Caller(self.journal)

    async def run(self, stopped: asyncio.Event) -> None:
        """Until it is stopped, or ended."""
        deeds, weights = zip(*self._deeds(), strict=True)
        while not stopped.is_set():
            if self.doubtful:
                await self._say(self.doubtful.popleft())
            [deed] = self.chance.choices(deeds, weights)
            place = self.chance.choice(self.places)
            if place.version == 0:
                await self._start(place)
            await (self._send("stop", place) if place.version > _LONGEST else deed(place))
            await asyncio.sleep(self.chance.uniform(0, 0.01))

    def _deeds(self) -> Iterable[tuple[Callable[[Place], Awaitable[None]], int]]:
        for event, weight in {"note": 20, "work": 30, "sum": 8, "ask": 12, "reply": 4, "stop": 1}.items():
            yield partial(self._send, event), weight
        yield self._answer, 8
        yield self._share, 14
        yield self._repeat, 6
        yield self._misuse, 2
        yield self._come_late, 4
        yield self._look, 10
        yield self._read, 5
        yield self._start, 2
        yield self._settle, 6

    def _token(self) -> str:
        self._count += 1
        return f"{self.name}-{self._count}"

    async def _start(self, place: Place) -> None:
        """All that start an agent say the same: one of them makes it."""
        token = f"start-{place.agent}"
        workflow = errand(VERSIONS[place.number % len(VERSIONS)])
        facts = {"agent": place.agent, "token": token, "key": token, "workflow_version": workflow.version}
        work = partial(self.runner.start, workflow, "note", {"token": token}, id=place.agent, key=token)
        self._follow(place, await self._called("start", facts, work))

    async def _send(self, event: str, place: Place) -> None:
        token = self._token()
        if self.chance.random() < 0.7:
            said = Said(place.agent, event, token, token)
            self._follow(place, await self._say(said))
            self._said.append(said)
        else:
            facts = {"agent": place.agent, "event": event, "token": token, "key": None}
            work = partial(self.runner.send, place.agent, event, {"token": token}, drive=self._drives(facts))
            self._follow(place, await self._called("send", facts, work))

    async def _say(self, said: Said) -> Agent | None:
        facts: dict[str, Any] = said._asdict()
        payload = {"token": said.token}
        work = partial(self.runner.send, said.agent, said.event, payload, key=said.key, drive=self._drives(facts))
        agent: Agent | None = await self._called("send", facts, work)
        return agent

    def _drives(self, facts: dict[str, Any]) -> bool:
        """Some leave the driving to whoever comes."""
        facts["drive"] = self.chance.random() < 0.7
        return bool(facts["drive"])

    async def _answer(self, place: Place) -> None:
        """The question that was read last, which others may have answered meanwhile; or whatever is asked."""
        if self.chance.random() < 0.5:
            await self._look(place)
        token = self._token()
        question = place.question if self.chance.random() < 0.8 else None
        facts = {"agent": place.agent, "event": "reply", "token": token, "key": token, "question": question}
        work = partial(self.runner.answer, place.agent, {"token": token}, key=token, question=question)
        self._follow(place, await self._called("answer", facts, work))

    async def _share(self, place: Place) -> None:
        """What several say at about the same time under one key."""
        token = f"shared-{place.agent}-{place.version // 6}"
        self._follow(place, await self._say(Said(place.agent, "note", token, token)))

    async def _repeat(self, _: Place) -> None:
        if self._said:
            await self._say(self.chance.choice(self._said))

    async def _misuse(self, _: Place) -> None:
        """A key that was used for something else."""
        if self._said:
            said = self.chance.choice(self._said)
            await self._say(said._replace(token=f"{self._token()}-misused"))

    async def _come_late(self, place: Place) -> None:
        """With a version in mind that may have passed."""
        token = self._token()
        expected = max(1, place.version - self.chance.randrange(3))
        facts = {"agent": place.agent, "event": "note", "token": token, "key": None, "expect_version": expected}
        work = partial(self.runner.send, place.agent, "note", {"token": token}, expect_version=expected)
        self._follow(place, await self._called("send", facts, work))

    async def _look(self, place: Place) -> None:
        self._follow(place, await self._got(place))

    async def _read(self, place: Place) -> None:
        await self._called("history", {"agent": place.agent}, partial(self.runner.history, place.agent), _read)

    async def _got(self, place: Place) -> Agent | None:
        agent: Agent | None = await self._called(
            "get", {"agent": place.agent}, partial(self.runner.get, place.agent), _seen
        )
        return agent

    async def _settle(self, place: Place) -> None:
        """An operator's work: what is parked goes on."""
        agent = await self._got(place)
        if agent is None or agent.status is not Status.PARKED:
            return
        facts = {"agent": place.agent}
        kept = await self._called("effects", facts, partial(self.runner.store.effects, place.agent), _listed) or ()
        in_doubt = [effect.key for effect in kept if effect.is_open]
        if in_doubt:
            result = self.world.verdict(in_doubt[0])
            work = partial(self.runner.unpark, place.agent, effect=in_doubt[0], result=result)
        else:
            work = partial(self.runner.unpark, place.agent)
        self._follow(place, await self._called("unpark", facts, work))

    def _follow(self, place: Place, agent: Agent | None) -> None:
        """What was learnt of an agent; one that has ended makes room."""
        if agent is None or agent.id != place.agent:
            return
        place.version = agent.version
        if agent.question is not None:
            place.question = agent.question.id
        if agent.status in ENDED:
            place.next()

    async def _called(
        self,
        verb: str,
        facts: dict[str, Any],
        work: Callable[[], Awaitable[Any]],
        told: Callable[[Any], dict[str, Any]] | None = None,
    ) -> Any:
        return await self._caller.called(verb, facts, work, told or _told)


def _told(agent: Agent) -> dict[str, Any]:
    return {"delivery": agent.delivery, "version": agent.version, "status": str(agent.status), "state": agent.state}


def _seen(agent: Agent) -> dict[str, Any]:
    seen = {"version": agent.version, "state": agent.state, "workflow_version": agent.workflow_version}
    asked = agent.question and [agent.question.id, agent.question.prompt]
    return {**seen, "digest": digest_of_values(agent.data), "asked": asked}


def _read(steps: list[Step]) -> dict[str, Any]:
    prefixes = digest_of_steps(steps)
    return {"version": len(prefixes), "digest": prefixes[-1] if prefixes else ""}


def _listed(effects: Sequence[EffectEntry]) -> dict[str, Any]:
    return {"open": [effect.key for effect in effects if effect.is_open]}

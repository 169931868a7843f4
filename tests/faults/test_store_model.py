"""Every backend against a plain model of what a store is: any verb, in any order, on two namespaces, answers alike.

``FSM_AGENT_PROOFS=long`` takes 100,000 steps and more across the backends; ``pytest -rP`` shows how many.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from fsm_agent.data.delta import Folded
from fsm_agent.domain.agent import ArmedTimer, Head, Parent, Status
from fsm_agent.domain.effect import EffectEntry, EffectMode, Settlement
from fsm_agent.domain.lease import Claimed, Holder, Lease
from fsm_agent.domain.message import Message, Role, own_thread
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.progress import Progress
from fsm_agent.domain.record import AgentExport, AppendedMessages, Commit, Creation, Origin, Snapshot
from fsm_agent.domain.step import Delta, Event
from fsm_agent.domain.usage import Usage
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import FsmAgentError
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS, FakeClock
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.contract.fixtures import ORDER, REFUND, a_head, a_step, data_of, keep_definitions
from tests.support.hypothesis_settings import IS_LONG, example_settings

from .store_model import Agent, Rejected, Space

IDS = st.sampled_from(["a", "b", "c"])
SPACES = st.sampled_from([0, 0, 0, 1])
#: offsets from what is stored, so that most are right
NEAR = st.sampled_from([0, 0, 0, 0, 0, 1, -1])
KEYS = st.none() | st.sampled_from(["k1", "k2", "k3", "k 4 \0"])
LEASES = st.builds(
    Lease,
    st.builds(Holder, st.sampled_from(["here", "there"]), st.integers(1, 2), st.just(NEW_YEAR_MS)),
    st.integers(NEW_YEAR_MS, NEW_YEAR_MS + 40),
)
DUE = st.integers(NEW_YEAR_MS, NEW_YEAR_MS + 40)
PROBLEM = Problem("OSError", "no route", place="shop.py:1")
TEXTS = st.text("aé\0\u2028", max_size=3)
HEADS = st.fixed_dictionaries(
    {
        "status": st.sampled_from(Status),
        "timers": st.lists(st.builds(ArmedTimer, st.just("open"), st.just("1ms"), DUE), max_size=2).map(tuple),
        "retry_ms": st.none() | DUE,
        "attempts": st.integers(0, 3),
        "activation": st.integers(0, 2),
        "unfolded": st.integers(0, 3),
        "children": st.integers(0, 2),
        "usage": st.builds(Usage, st.integers(0, 2), cost_micros=st.integers(0, 2**40)),
        "progress": st.none() | st.builds(Progress, TEXTS, st.none() | st.integers(0, 9)),
        "user": st.none() | st.just("ana"),
        "parent": st.none() | st.builds(Parent, st.just("above"), st.integers(1, 9), st.integers(1, 9)),
    }
)
VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS
DELTAS = st.builds(
    Delta,
    st.dictionaries(st.sampled_from(["n", "m"]), VALUES, max_size=2),
    st.just(()),
    st.just({}) | st.fixed_dictionaries({"log": st.lists(VALUES, min_size=1, max_size=2)}),
)
EVENTS = st.builds(Event, st.just("ping"), st.fixed_dictionaries({"n": VALUES}), st.none() | st.just("ana"), KEYS)
MODES = st.sampled_from(EffectMode)
CHOICE = st.integers(0, 7)
SPEECHES = st.lists(
    st.builds(
        Message,
        st.sampled_from(Role),
        TEXTS,
        st.lists(st.fixed_dictionaries({"type": st.just("x"), "n": VALUES}), max_size=1).map(tuple),
        tokens=st.integers(0, 9),
        at_ms=DUE,
        by=st.none() | st.sampled_from(["", "ana", "é"]),
        covers=st.integers(0, 3),
    ),
    max_size=3,
).map(tuple)
ROOMS = st.sampled_from(["room", "a", "é", "Z"])
NUMBERS = st.integers(0, 12)
USERS = st.builds(UserRecord, st.sampled_from(["ana", "bob"]), NEAR, st.fixed_dictionaries({"n": VALUES}), DUE)


class StoreMachine(RuleBasedStateMachine):
    """Tells a store and its model the same, and compares what they say and what they keep."""

    url: str
    steps = 0
    _numbers = count()

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.clock = FakeClock()
        names = [f"{name}-{next(self._numbers)}" for name in ("space", "other")]
        self.stores = [open_store(self.url, namespace=name, clock=self.clock) for name in names]
        for store in self.stores:
            self.loop.run(keep_definitions(store))
        self.models = [Space({ORDER.hash, REFUND.hash}) for _ in names]
        self.touched = (0, "a")

    def teardown(self) -> None:
        for store in self.stores:
            self.loop.run(store.close())
        self.loop.close()

    def both(self, space: int, agent: str, said: Callable[[Store], Awaitable[Any]], model: Callable[[], Any]) -> Any:
        """What the store answers, if that is what the model does."""
        self.touched = (space, agent)
        try:
            expected: Any = model()
        except Rejected as rejected:
            with pytest.raises(rejected.kinds):
                self.loop.run(self.awaited(said, space))
            return None
        found = self.loop.run(self.awaited(said, space))
        assert found == expected
        return found

    async def awaited(self, said: Callable[[Store], Awaitable[Any]], space: int) -> Any:
        answer = await said(self.stores[space])
        return list(answer) if isinstance(answer, list | tuple) and type(answer) in (list, tuple) else answer

    def head_of(self, space: int, agent: str) -> Head:
        known = self.models[space].agents.get(agent)
        return known.now if known else a_head(agent, 1, epoch=1)

    @rule(space=SPACES, agent=IDS, key=KEYS, lease=st.none() | LEASES, head=HEADS, delta=DELTAS, odd=CHOICE)
    def create(self, space: int, agent: str, key: str | None, lease: Any, head: Any, delta: Delta, odd: int) -> None:
        workflow = REFUND if odd % 2 else ORDER
        made = a_head(agent, workflow=workflow, **head)
        if odd == 7:
            made = made._replace(definition="unknown")
        delta = Delta({"log": [], **delta.set})
        creation = Creation(made, (a_step(1, delta),), key, "f", lease)
        self.both(space, agent, lambda store: store.create(creation), lambda: self.models[space].create(creation))

    @rule(
        space=SPACES,
        agent=IDS,
        near=st.tuples(NEAR, NEAR),
        outside=st.booleans(),
        lease=st.none() | LEASES,
        head=HEADS,
        delta=DELTAS,
        key=KEYS,
        more=st.fixed_dictionaries({"dequeue": CHOICE, "settles": CHOICE, "snapshot": st.booleans(), "repins": CHOICE}),
        said=st.dictionaries(ROOMS | st.just("own"), SPEECHES, max_size=3),
        user=st.none() | USERS,
    )
    def commit(
        self,
        space: int,
        agent: str,
        near: tuple[int, int],
        outside: bool,
        lease: Any,
        head: Any,
        delta: Delta,
        key: str | None,
        more: dict[str, Any],
        said: dict[str, tuple[Message, ...]],
        user: UserRecord | None,
    ) -> None:
        now = self.head_of(space, agent)
        version = max(2, now.version + 1 + near[0])
        workflow = REFUND if more["repins"] == 1 else ORDER
        own = said.get("own", ())
        talk = now.talk.grown(len(own))
        seen = now.epoch + near[1]
        made = a_head(agent, version, workflow=workflow, created_ms=now.created_ms, talk=talk, epoch=seen, **head)
        if more["repins"] == 2:
            made = made._replace(definition="unknown")
        commit = Commit(
            made,
            a_step(version, delta, said=len(own), usage=made.usage),
            None if outside else seen,
            lease,
            self._snapshot(space, agent) if more["snapshot"] else None,
            self._queued(space, agent, more["dequeue"]),
            key,
            "g",
            self._settlement(space, agent, more["settles"]),
            more["repins"] in (1, 2),
            tuple(
                AppendedMessages(own_thread(agent) if name == "own" else name, messages)
                for name, messages in said.items()
            ),
            user and self._known(space, user),
        )
        self.both(space, agent, lambda store: store.commit(commit), lambda: self.models[space].commit(commit))

    def _known(self, space: int, user: UserRecord) -> UserRecord:
        """As somebody is remembered next; its version is an offset from that."""
        return user._replace(version=max(self.models[space].user(user.name).version + 1 + user.version, 1))

    def _snapshot(self, space: int, agent: str) -> Snapshot | None:
        """Of all that is there, appended lists by their base only."""
        if (known := self.models[space].agents.get(agent)) is None:
            return None
        oldest = min(known.steps, default=known.head.version + 1)
        folded = Folded(deepcopy(known.values.get(oldest - 1, {})))
        for version, step in known.steps.items():
            folded.take(version, Delta(deepcopy(dict(step.delta.set)), (), step.delta.append))
        return folded.snapshot(known.head.version)

    def _queued(self, space: int, agent: str, choice: int) -> int | None:
        known = self.models[space].agents.get(agent)
        numbers = list(known.queue) if known else []
        return None if choice < 4 or not numbers else numbers[choice % len(numbers)] if choice < 7 else 99

    def _settlement(self, space: int, agent: str, choice: int) -> Settlement | None:
        known = self.models[space].agents.get(agent)
        keys = sorted(known.effects) if known else []
        if choice < 5 or not keys:
            return None
        return Settlement(keys[choice % len(keys)], was_done=choice != 6, result=choice)

    @rule(space=SPACES, agent=IDS, near=NEAR, anywhere=st.booleans(), event=EVENTS)
    def enqueue(self, space: int, agent: str, near: int, anywhere: bool, event: Event) -> None:
        version = None if anywhere else self.head_of(space, agent).version + near
        model = self.models[space]
        self.both(
            space,
            agent,
            lambda store: store.enqueue(agent, version, event, "q"),
            lambda: model.enqueue(agent, version, event, "q"),
        )

    @rule(space=SPACES, agent=IDS, near=st.tuples(NEAR, NEAR), lease=LEASES, other=CHOICE)
    def claim(self, space: int, agent: str, near: tuple[int, int], lease: Lease, other: int) -> None:
        seen = self._nearly(space, agent, near, other)
        self.both(
            space, agent, lambda store: store.claim(agent, seen, lease), lambda: self.models[space].claim(seen, lease)
        )

    def _nearly(self, space: int, agent: str, near: tuple[int, int], other: int) -> Head:
        now = self.head_of(space, agent)
        seen = now._replace(version=now.version + near[0], epoch=now.epoch + near[1])
        return seen._replace(lease=Lease(Holder("elsewhere", 1, 1), 1)) if other == 7 else seen

    @rule(space=SPACES, agent=IDS, near=NEAR, lease=LEASES)
    def renew(self, space: int, agent: str, near: int, lease: Lease) -> None:
        epoch, model = self.head_of(space, agent).epoch + near, self.models[space]
        self.both(
            space, agent, lambda store: store.renew(agent, epoch, lease), lambda: model.renew(agent, epoch, lease)
        )

    @rule(space=SPACES, agent=IDS, near=NEAR)
    def release(self, space: int, agent: str, near: int) -> None:
        epoch, model = self.head_of(space, agent).epoch + near, self.models[space]
        self.both(space, agent, lambda store: store.release(agent, epoch), lambda: model.release(agent, epoch))

    @rule(
        space=SPACES,
        agent=IDS,
        near=NEAR,
        noted=st.tuples(
            st.integers(0, 9), st.none() | DUE, st.none() | st.integers(0, 2), st.none() | st.just(PROBLEM)
        ),
    )
    def record_attempt(
        self, space: int, agent: str, near: int, noted: tuple[int, int | None, int | None, Problem | None]
    ) -> None:
        epoch, model = self.head_of(space, agent).epoch + near, self.models[space]
        attempts, retry_ms, children, problem = noted
        self.both(
            space,
            agent,
            lambda store: store.record_attempt(
                agent, epoch, attempts=attempts, retry_ms=retry_ms, children=children, problem=problem
            ),
            lambda: model.record_attempt(agent, epoch, *noted),
        )

    @rule(space=SPACES, agent=IDS, room=ROOMS, said=SPEECHES)
    def append(self, space: int, agent: str, room: str, said: tuple[Message, ...]) -> None:
        thread = self.models[space].open_thread(room)
        self.both(space, agent, lambda store: store.append(room, said), lambda: thread.add(said))

    @rule(space=SPACES, agent=IDS, room=ROOMS | st.just("own"), said=SPEECHES, numbers=st.permutations(range(1, 9)))
    def revise(self, space: int, agent: str, room: str, said: tuple[Message, ...], numbers: list[int]) -> None:
        is_own = room == "own" and not self.url.startswith("tiered:")  # which raises the epoch for that
        name, model = own_thread(agent) if is_own else room, self.models[space]
        revised = [message._replace(number=number) for message, number in zip(said, numbers, strict=False)]
        self.both(space, agent, lambda store: store.revise(name, revised), lambda: model.revise(name, revised))

    @rule(space=SPACES, agent=IDS, room=ROOMS, after=NUMBERS, upto=st.none() | NUMBERS)
    def retract(self, space: int, agent: str, room: str, after: int, upto: int | None) -> None:
        self.both(
            space,
            agent,
            lambda store: store.retract(room, after=after, upto=upto),
            lambda: self.models[space].retract(room, after, upto),
        )

    @rule(space=SPACES, agent=IDS, user=USERS)
    def save_user(self, space: int, agent: str, user: UserRecord) -> None:
        user, model = self._known(space, user), self.models[space]
        self.both(space, agent, lambda store: store.save_user(user), lambda: model.save_user(user))

    @rule(
        space=SPACES,
        agent=IDS,
        room=ROOMS | st.just("own"),
        bounds=st.tuples(NUMBERS, st.none() | NUMBERS, st.none() | st.integers(0, 3)),
        newest=st.booleans(),
    )
    def read(self, space: int, agent: str, room: str, bounds: tuple[int, Any, Any], newest: bool) -> None:
        name, (after, upto, limit) = own_thread(agent) if room == "own" else room, bounds
        found = self.stores[space].messages(name, after=after, upto=upto, limit=limit, newest=newest)
        assert list(self.loop.run(found)) == self.models[space].messages(name, after, upto, limit, newest=newest)

    def _effect(self, space: int, agent: str, near: int, which: tuple[str, int, int], mode: EffectMode) -> EffectEntry:
        name, use, activation = which
        epoch = self.head_of(space, agent).epoch + near
        key = f"{activation}-{name}-{use}"
        return EffectEntry(key, activation, name, use, mode, f"f{mode}", epoch, NEW_YEAR_MS + use)

    @rule(
        space=SPACES,
        agent=IDS,
        near=NEAR,
        which=st.tuples(st.sampled_from("xy"), st.integers(1, 2), st.integers(1, 2)),
        mode=MODES,
        again=st.booleans(),
    )
    def begin_effect(self, space: int, agent: str, near: int, which: Any, mode: EffectMode, again: bool) -> None:
        entry, model = self._effect(space, agent, near, which, mode), self.models[space]
        self.both(
            space,
            agent,
            lambda store: store.begin_effect(agent, entry, again=again),
            lambda: model.begin_effect(agent, entry, again=again),
        )

    @rule(
        space=SPACES,
        agent=IDS,
        near=NEAR,
        which=st.tuples(st.sampled_from("xy"), st.integers(1, 2), st.integers(1, 2)),
        result=VALUES,
    )
    def end_effect(self, space: int, agent: str, near: int, which: Any, result: Any) -> None:
        entry = self._effect(space, agent, near, which, EffectMode.CHECK)._replace(ended_ms=NEW_YEAR_MS, result=result)
        model = self.models[space]
        self.both(space, agent, lambda store: store.end_effect(agent, entry), lambda: model.end_effect(agent, entry))

    @rule(space=SPACES, agent=IDS, near=st.tuples(NEAR, NEAR), other=CHOICE, back=st.integers(0, 4))
    def shorten(self, space: int, agent: str, near: tuple[int, int], other: int, back: int) -> None:
        seen, known = self._nearly(space, agent, near, other), self.models[space].agents.get(agent)
        least = known.origin.head.version if known and known.origin else 1
        version = max(least, self.head_of(space, agent).version - back)
        values = known.values[version] if known else {}
        origin = Origin(a_head(agent, version, workflow=ORDER), values)
        self.both(
            space, agent, lambda store: store.shorten(seen, origin), lambda: self.models[space].shorten(seen, origin)
        )

    @rule(space=SPACES, agent=IDS, near=st.tuples(NEAR, NEAR), other=CHOICE)
    def delete(self, space: int, agent: str, near: tuple[int, int], other: int) -> None:
        seen = self._nearly(space, agent, near, other)
        self.both(space, agent, lambda store: store.delete(seen), lambda: self.models[space].delete(seen))

    @rule(space=SPACES, agent=IDS, near=st.tuples(NEAR, NEAR), other=CHOICE, replaces=st.booleans())
    def hand_over(self, space: int, agent: str, near: tuple[int, int], other: int, replaces: bool) -> None:
        """From one namespace to the other, in place of who is there or beside it."""
        known, there = self.models[space].agents.get(agent), 1 - space
        if known is None:
            return
        export = self.loop.run(self.stores[space].dump(agent))
        whom = self._nearly(there, agent, near, other) if replaces else None
        self.both(
            there,
            agent,
            lambda store: store.adopt(export, replaces=whom),
            lambda: self.models[there].adopt(known, whom),
        )

    @rule(space=SPACES, now_ms=DUE, limit=st.integers(1, 4))
    def due(self, space: int, now_ms: int, limit: int) -> None:
        expected = self.models[space].due(now_ms)
        found = list(self.loop.run(self.stores[space].due(now_ms, limit)))
        assert len(found) == len(set(found)) == min(limit, len(expected))
        assert [expected[agent] for agent in found] == sorted(expected.values())[: len(found)]

    @rule(
        space=SPACES,
        limit=st.integers(1, 3),
        lease=LEASES,
        workflows=st.sampled_from([None, None, ("order",), ("refund", "order"), ()]),
        without=st.sampled_from([(), (), [(ORDER.hash, "open")], [(REFUND.hash, "open"), (ORDER.hash, "closed")]]),
    )
    def take(self, space: int, limit: int, lease: Lease, workflows: Any, without: Any) -> None:
        """Of those who are due since the same time, any."""
        model, store = self.models[space], self.stores[space]
        expected = model.takeable(self.loop.run(store.now()), workflows, without)
        found = list(self.loop.run(store.take(limit, lease, workflows=workflows, without=without)))
        since = sorted(expected[agent] for agent, _ in found)
        assert since == sorted(expected.values())[:limit]
        for agent, epoch in found:
            self.touched = (space, agent)
            assert epoch == model.claim(model.agents[agent].now, lease)
            self.loop.run(self._compare(store, model.agents[agent]))

    @rule(space=SPACES, agents=st.dictionaries(IDS, NEAR, max_size=3), lease=LEASES)
    def renew_all(self, space: int, agents: dict[str, int], lease: Lease) -> None:
        model, store = self.models[space], self.stores[space]
        held = [Claimed(agent, self.head_of(space, agent).epoch + near) for agent, near in agents.items()]
        expected = [agent for agent, epoch in held if agent in model.agents and model.renew(agent, epoch, lease)]
        assert sorted(self.loop.run(store.renew_all(held, lease))) == sorted(expected)
        for agent in agents.keys() & model.agents.keys():
            self.loop.run(self._compare(store, model.agents[agent]))

    @rule(space=SPACES, status=st.none() | st.sampled_from(Status), refunds=st.booleans(), limit=st.integers(1, 4))
    def list_and_hold(self, space: int, status: Status | None, refunds: bool, limit: int) -> None:
        workflow = "refund" if refunds else None
        heads = [known.now for _, known in sorted(self.models[space].agents.items())]
        wanted = [head for head in heads if status in (None, head.status) and workflow in (None, head.workflow)]
        page = self.loop.run(self.stores[space].list(status=status, workflow=workflow, limit=limit))
        assert list(page.heads) == wanted[:limit]
        assert page.next == (wanted[limit - 1].id if len(wanted) > limit else None)
        held = self.loop.run(self.stores[space].held_here("here"))
        assert {head.id for head in held} == {
            head.id for head in heads if head.lease and head.lease.holder.host == "here"
        }

    @rule(space=SPACES, now_ms=DUE, limit=st.integers(1, 4))
    def lapsed(self, space: int, now_ms: int, limit: int) -> None:
        heads = [known.now for known in self.models[space].agents.values()]
        wanted = [head for head in heads if head.lease and head.lease.until_ms <= now_ms]
        found = self.loop.run(self.stores[space].lapsed(now_ms, limit))
        assert len({head.id for head in found}) == len(found) == min(limit, len(wanted))
        assert all(head in wanted for head in found)

    @rule(space=SPACES, key=KEYS.filter(bool))
    def find_key(self, space: int, key: str) -> None:
        assert self.loop.run(self.stores[space].find_key(key)) == self.models[space].find_key(key)

    @invariant()
    def what_was_touched_is_kept_alike(self) -> None:
        type(self).steps += 1
        for space, agent in {self.touched, (1 - self.touched[0], self.touched[1])}:
            known = self.models[space].agents.get(agent)
            self.loop.run(self._compare_talk(self.stores[space], self.models[space], own_thread(agent)))
            if known is None:
                with pytest.raises(FsmAgentError):
                    self.loop.run(self.stores[space].load(agent))
            else:
                self.loop.run(self._compare(self.stores[space], known))

    async def _compare(self, store: Store, known: Agent) -> None:
        agent = known.head.id
        assert bare(await store.dump(agent)) == known.export()
        record = await store.load(agent, key="k1")
        assert (record.head, record.queue) == (known.now, tuple(known.queue.values()))
        assert record.outcome == known.keys.get("k1")
        assert data_of(record) == known.values[known.head.version]
        assert list(await store.effects(agent, activation=2)) == known.listed_effects(2)
        assert await store.origin(agent) == known.origin
        last = known.head.version - 1
        assert list(await store.history(agent, after=last)) == [step for at, step in known.steps.items() if at > last]
        assert (await store.size(agent)).steps == len(known.steps)

    async def _compare_talk(self, store: Store, known: Space, own: str) -> None:
        assert list(await store.threads()) == sorted(known.shared)
        assert list(await store.users()) == sorted(known.users)
        for name in (*known.shared, own):
            assert list(await store.messages(name)) == list(known.thread(name).messages.values())
        for name in (*known.users, "nobody"):
            assert await store.user(name) == known.user(name)


def bare(export: AgentExport) -> AgentExport:
    """Without the snapshot, which is judged by the data that comes of it."""
    return export._replace(snapshot=None)


@pytest.fixture
def memory_url() -> str:
    return "memory://"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/agents.db"


@pytest.fixture
def tiered_url(redis_url: str, postgres_url: str) -> str:
    return f"tiered:{redis_url},{postgres_url}"


@pytest.mark.parametrize("backend", ["memory", "sqlite", "postgres", "redis", "tiered"])
def test_a_store_is_its_model(backend: str, request: pytest.FixtureRequest) -> None:
    machine = type(f"{backend}Machine", (StoreMachine,), {"url": request.getfixturevalue(f"{backend}_url")})
    steps = 100 if IS_LONG else 40
    hard = settings(
        example_settings(10), stateful_step_count=steps, phases=(Phase.generate,)
    )  # to shrink takes minutes
    run_state_machine_as_test(machine, settings=hard)
    print(f"{backend}: {machine.steps} steps")  # noqa: T201 - shown by `pytest -rP`
    assert machine.steps >= (20_000 if IS_LONG else 200)

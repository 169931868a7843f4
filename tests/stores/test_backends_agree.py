"""Memory, SQLite and PostgreSQL answer alike, whatever they are told: each is the others' model."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fsm_agent.domain.agent import ArmedTimer, Head, Status
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.domain.message import own_thread
from fsm_agent.domain.question import Asked
from fsm_agent.domain.record import AppendedMessages, Commit, Snapshot
from fsm_agent.domain.selection import ANYBODY, Selection
from fsm_agent.domain.step import Delta, Event
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import FsmAgentError
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS, FakeClock
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.contract.fixtures import a_commit, a_creation, keep_definitions
from tests.support.hypothesis_settings import example_settings
from tests.support.thread_verbs import HELLO

#: A verb and what it is told; versions and epochs are offsets from what is stored, so that many are right.
Call: TypeAlias = tuple[str, Mapping[str, Any]]

IDS = st.sampled_from(["a", "b"])
NEAR = st.sampled_from([0, 0, 0, 0, 1, -1])
KEYS = st.none() | st.sampled_from(["k1", "k2", "k3"])
STATUSES = st.sampled_from(Status)
LEASES = st.none() | st.builds(
    Lease, st.builds(Holder, st.sampled_from(["here", "there"]), st.just(1), st.just(1)), st.integers(0, 30)
)
TIMERS = st.lists(st.builds(ArmedTimer, st.just("open"), st.just("1ms"), st.integers(0, 30)), max_size=2).map(tuple)
ASKED = st.none() | st.builds(Asked, st.just("?"), st.sampled_from([(), ("ana",), ("ana", "bob")]))
HEADS = st.fixed_dictionaries(
    {
        "status": STATUSES,
        "timers": TIMERS,
        "retry_ms": st.none() | st.integers(0, 30),
        "asked": ASKED,
        "created_ms": st.integers(NEW_YEAR_MS, NEW_YEAR_MS + 2),
    }
)
SERVED = st.fixed_dictionaries({"user": st.sampled_from([None, "ana"]), "labels": st.sampled_from([{}, {"x": "1"}])})
DELTAS = st.builds(
    Delta,
    st.dictionaries(st.sampled_from(["n", "m"]), st.integers(0, 9)),
    st.just(()),
    st.just({}) | st.just({"log": [1]}),
)


def told(verb: str, **what: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    return st.tuples(st.just(verb), st.fixed_dictionaries(what))


CALLS = st.one_of(
    told("create", agent=IDS, key=KEYS, lease=LEASES, head=HEADS, served=SERVED),
    *[
        told(
            "commit",
            agent=IDS,
            near=NEAR,
            epoch=st.none() | NEAR,
            key=KEYS,
            dequeue=st.none() | st.integers(1, 3),
            lease=LEASES,
            head=HEADS,
            delta=DELTAS,
            is_snapshot=st.booleans(),
            rooms=st.lists(st.sampled_from(["own", "room", "hall"]), unique=True),
            user=st.none() | NEAR,
        )
    ]
    * 4,
    told("enqueue", agent=IDS, near=NEAR, key=KEYS),
    told("claim", agent=IDS, near=NEAR, lease=LEASES.filter(bool)),
    told("renew", agent=IDS, near=NEAR, lease=LEASES.filter(bool)),
    told("release", agent=IDS, near=NEAR),
    told("record_attempt", agent=IDS, near=NEAR, retry_ms=st.none() | st.integers(0, 30), children=st.integers(0, 2)),
    told("append", room=st.sampled_from(["room", "hall"])),
    told("revise", room=st.sampled_from(["room", "hall"]), number=st.integers(0, 4)),
    told(
        "retract", room=st.sampled_from(["room", "hall"]), after=st.integers(0, 4), upto=st.none() | st.integers(0, 4)
    ),
    told("save_user", near=NEAR),
)


async def play(store: Store, calls: Sequence[Call]) -> list[Any]:
    """What a store answers to each call, and what it tells of itself afterwards."""
    return [[await answer(store, verb, what), await look(store)] for verb, what in calls]


async def answer(store: Store, verb: str, what: Mapping[str, Any]) -> Any:
    try:
        return await perform(store, verb, what)
    except FsmAgentError as error:
        return f"{type(error).__name__}: {error}"


async def perform(store: Store, verb: str, what: Mapping[str, Any]) -> Any:
    if verb == "create":
        creation = a_creation(what["agent"], delta=Delta({"log": []}), **what["head"], **what["served"])
        return await store.create(creation._replace(key=what["key"], lease=what["lease"]))
    match verb:
        case "append":
            return await store.append(what["room"], [HELLO])
        case "revise":
            return await store.revise(what["room"], [HELLO._replace(content="", number=what["number"])])
        case "retract":
            return await store.retract(what["room"], after=what["after"], upto=what["upto"])
        case "save_user":
            return await store.save_user(await a_user(store, what["near"]))
    return await perform_on(store, verb, what)


async def a_user(store: Store, near: int) -> UserRecord:
    known = await store.user("ana")
    return known._replace(version=known.version + 1 + near, values={"n": near})


async def perform_on(store: Store, verb: str, what: Mapping[str, Any]) -> Any:
    """What is told of an agent that is there."""
    seen = await store.head(what["agent"])
    version, epoch = seen.version + what["near"], seen.epoch + what["near"]
    match verb:
        case "commit":
            is_doubtful = what["key"] is not None or what["dequeue"] is not None  # of two wrongs one is told
            near = 0 if is_doubtful else what["user"]
            user = None if what["user"] is None else await a_user(store, near)
            call: Awaitable[Any] = store.commit(the_step(seen, what)._replace(user=user))
        case "enqueue":
            call = store.enqueue(seen.id, version, Event("ping", {"n": 1}, key=what["key"]), "h")
        case "claim":
            call = store.claim(seen.id, seen._replace(epoch=epoch), what["lease"])
        case "renew":
            call = store.renew(seen.id, epoch, what["lease"])
        case "release":
            call = store.release(seen.id, epoch)
        case _:
            noted = {"retry_ms": what["retry_ms"], "children": what["children"]}
            call = store.record_attempt(seen.id, epoch, attempts=2, **noted)
    return await call


def the_step(seen: Head, what: Mapping[str, Any]) -> Commit:
    version = seen.version + 1 + what["near"]
    served = {"user": seen.user, "labels": seen.labels}
    commit = a_commit(version, delta=what["delta"], head={"id": seen.id, "epoch": seen.epoch, **what["head"], **served})
    return commit._replace(
        epoch=None if what["epoch"] is None else seen.epoch + what["epoch"],
        snapshot=Snapshot(version, {"log": []}, {"log": max(1, version - 3)}) if what["is_snapshot"] else None,
        key=what["key"],
        dequeue=what["dequeue"],
        lease=what["lease"],
        said=tuple(
            AppendedMessages(own_thread(seen.id) if room == "own" else room, (HELLO, HELLO)) for room in what["rooms"]
        ),
    )


async def look(store: Store) -> list[Any]:
    page = await store.list()
    due: list[Any] = [sorted(await store.due(now_ms, 9)) for now_ms in (0, 15, 30)]
    due += [sorted(head.id for head in await store.lapsed(now_ms, 9)) for now_ms in (0, 15, 30)]
    found = [await store.questions(to=to, limit=1) for to in (None, ANYBODY, "ana", "bob")]
    found += [await store.count_questions(to=to) for to in (None, ANYBODY, "ana", "bob")]
    for wanted in (Selection(), Selection((Status.WAITING, Status.DONE)), Selection(user="ana", label=("x", None))):
        found += [await store.select(wanted, newest=newest, limit=1) for newest in (False, True)]
    due += [sorted(await store.heads(["a", "b", "c"])), [*await store.tally()], found]
    told: list[Any] = [page, due, await store.find_key("k1"), sorted(await store.held_here("here"))]
    told += [list(await store.messages(name)) for name in await store.threads()]
    told += [await store.user(name) for name in await store.users()]
    for head in page.heads:
        told.append([await store.load(head.id, key=key) for key in ("k1", "k2", "k3")])
        told.append(list(await store.history(head.id)))
        told.append(list(await store.messages(own_thread(head.id))))
    return told


async def compare(url: str, calls: Sequence[Call], *, namespace: str = "default") -> None:
    clock = FakeClock(NEW_YEAR_MS)
    async with (
        open_store("memory://", namespace=namespace, clock=clock) as memory,
        open_store(url, namespace=namespace, clock=clock) as other,
    ):
        for store in (memory, other):
            await keep_definitions(store)
            await store.create(a_creation("a", delta=Delta({"log": []})))
        assert await play(memory, calls) == await play(other, calls)


@pytest.mark.long
@example_settings(60)
@given(st.lists(CALLS, min_size=5, max_size=25))
def test_memory_and_sqlite_answer_alike(calls: list[Call]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(f"sqlite:///{folder}/agents.db", calls))


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CALLS, min_size=5, max_size=25))
def test_memory_and_postgresql_answer_alike(postgres_url: str, calls: list[Call]) -> None:
    asyncio.run(compare(postgres_url, calls, namespace=uuid4().hex))  # each example on ground of its own

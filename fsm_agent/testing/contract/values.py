"""Whatever JSON can say comes back as it went in: every field, odd text, large and deep values."""

from __future__ import annotations

from typing import Final

from fsm_agent.domain.agent import ArmedTimer, Head, Parent, Status
from fsm_agent.domain.json import INT64_MAX, INT64_MIN, Json
from fsm_agent.domain.message import Span, ThreadSpans
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.progress import Progress
from fsm_agent.domain.question import Asked
from fsm_agent.domain.record import Commit, Creation, Snapshot
from fsm_agent.domain.step import Delta, Event, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.usage import Usage
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import ID, LEASE, ORDER, PING, Bench, a_commit, a_creation, a_step, in_loop

#: No field has its default, so that a field which a store forgets is missed.
FULL_HEAD: Final = Head(
    id=ID,
    workflow=ORDER.name,
    workflow_version=ORDER.version,
    definition=ORDER.hash,
    state="open",
    status=Status.PARKED,
    version=2,
    created_ms=NEW_YEAR_MS,
    updated_ms=NEW_YEAR_MS + 1,
    visits={"open": 3, "open.inner": 1},
    timers=(ArmedTimer("open", "3d", NEW_YEAR_MS + 5), ArmedTimer("open", "1h", NEW_YEAR_MS + 5)),
    asked=Asked("Which?", ("ana", "bob"), ("yes", "no"), 2),
    activation=2,
    attempts=3,
    retry_ms=NEW_YEAR_MS + 9,
    output={"total": 1.5},
    problem=Problem("TypeError", "it broke", PING, "shop.py:12"),
    is_exempt=True,
    unfolded=77,
    fold_at=99,
    rewound=1,
    talk=ThreadSpans(9, 4, (Span("@other", 1, 3),)),
    usage=Usage(1, 2, 3, 4, 5, 6, 7, 8),
    user="ana",
    parent=Parent("above", 3, 1),
    children=2,
    progress=Progress("fly", 1, 2, "book"),
    labels={"case": "A-17", "": ""},
    epoch=2,
    lease=LEASE,
    queued=1,
)
FULL_STEP: Final = Step(
    version=2,
    kind=StepKind.PARKED,
    event="ping",
    payload={"n": 1},
    source="open",
    target="closed",
    at_ms=NEW_YEAR_MS + 1,
    delta=Delta({"a/b": None}, ("c", "d/0"), {"log": [1], "e/log": [{}]}),
    by="ana",
    duration_ms=12,
    reason="because",
    entered=2,
    said=3,
    usage=Usage(1, 2, 3, 4, 5, 6, 7, 8),
    asks_anew=True,
)
ODD_TEXTS: Final = (
    "",
    "'; DROP TABLE head; --",
    'quote " backslash \\ slash / percent %s brace {0}',
    "line\nbreak\ttab\0nul\x7f",
    "Zürich 東京 🛫 e\u0301 \u202e \ufeff",
    "half a pair: \ud83d",
)


class ValuesContract(Bench):
    def test_the_fullest_head_and_step_have_no_default_left(self) -> None:
        for full in (FULL_HEAD, FULL_STEP):
            defaults = full._field_defaults
            assert [name for name, value in full._asdict().items() if value == defaults.get(name, ...)] == []

    @in_loop
    async def test_every_field_of_head_and_step_comes_back(self, store: Store) -> None:
        await store.create(a_creation(lease=LEASE))
        await store.enqueue(ID, 1, PING)
        await store.commit(Commit(FULL_HEAD, FULL_STEP, epoch=None, lease=LEASE))
        record = await store.load(ID)
        assert (record.head, record.tail[-1]) == (FULL_HEAD, FULL_STEP)
        assert (await store.history(ID))[-1] == FULL_STEP

    @in_loop
    async def test_every_status_and_every_kind_of_step_comes_back(self, store: Store) -> None:
        for status in Status:
            assert (await store.create(a_creation(f"is-{status}", status=status))).status is status
        steps = tuple(a_step(version, kind=kind) for version, kind in enumerate(StepKind, 1))
        await store.create(Creation(a_creation("all-kinds", version=len(steps)).head, steps))
        assert tuple(await store.history("all-kinds")) == steps

    @in_loop
    async def test_odd_text_comes_back(self, store: Store) -> None:
        values: Json = {text: [text, {text: text}] for text in ODD_TEXTS}
        await store.create(a_creation(delta=Delta({"text": values}), output=values))
        event = Event("ping", values, by=ODD_TEXTS[4], key=ODD_TEXTS[1])
        await store.enqueue(ID, 1, event, ODD_TEXTS[2])
        record = await store.load(ID, key=ODD_TEXTS[1])
        assert (record.head.output, record.tail[0].delta.set, record.queue[0].event) == (
            values,
            {"text": values},
            event,
        )
        assert record.outcome is not None
        assert record.outcome.fingerprint == ODD_TEXTS[2]

    @in_loop
    async def test_odd_keys_are_different_keys(self, store: Store) -> None:
        keys = ("k", "K", "k ", " k", "k\0", "\uff4b", "k\u0301", "%", "_")
        await store.create(a_creation())
        for version, key in enumerate(keys, 2):
            await store.commit(a_commit(version, key=key))
        for version, key in enumerate(keys, 2):
            outcome = (await store.load(ID, key=key)).outcome
            assert outcome is not None
            assert outcome.version == version

    @in_loop
    async def test_ids_that_differ_in_case_only_are_different_agents(self, store: Store) -> None:
        for name in ("a", "A", "a" * 128):
            await store.create(a_creation(name, output=name))
        assert [(await store.head(name)).output for name in ("a", "A", "a" * 128)] == ["a", "A", "a" * 128]

    @in_loop
    async def test_numbers_come_back_exactly(self, store: Store) -> None:
        numbers: Json = [0, -1, INT64_MAX, INT64_MIN, 0.1, 1e300, -1e-300, 1.0, True, False, None]
        await store.create(a_creation(delta=Delta({"n": numbers})))
        kept = (await store.history(ID))[0].delta.set["n"]
        assert [(type(value), value) for value in kept] == [(type(value), value) for value in numbers]

    @in_loop
    async def test_a_value_of_a_megabyte_comes_back(self, store: Store) -> None:
        large = "0123456789abcdef" * 65_536
        await store.create(a_creation(delta=Delta({"text": large})))
        commit = a_commit(2, delta=Delta(append={"log": [large]}), snapshot=Snapshot(1, {"text": large}))
        await store.commit(commit._replace(step=commit.step._replace(payload={"text": large})))
        record = await store.load(ID)
        assert record.snapshot == Snapshot(1, {"text": large})
        assert (record.tail[-1].payload, record.tail[-1].delta.append) == ({"text": large}, {"log": [large]})

    @in_loop
    async def test_a_hundred_levels_of_nesting_come_back(self, store: Store) -> None:
        deep: Json = "bottom"
        for _ in range(50):
            deep = {"list": [deep]}
        await store.create(a_creation(delta=Delta({"deep": deep})))
        assert (await store.history(ID))[0].delta.set == {"deep": deep}

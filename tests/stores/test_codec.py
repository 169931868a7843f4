"""Rows say what the words say, for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.agent import ArmedTimer, Head, Parent, Status
from fsm_agent.domain.json import INT64_MAX, INT64_MIN
from fsm_agent.domain.message import Message, Role, Span, ThreadSpans
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.progress import Progress
from fsm_agent.domain.question import Asked
from fsm_agent.domain.record import Snapshot
from fsm_agent.domain.step import EARLIEST_MS, LATEST_MS, Delta, Event, Queued, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.usage import NO_USAGE, Usage
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import StoreCorrupt
from fsm_agent.stores import codec
from fsm_agent.stores.clock import SteadyClock
from fsm_agent.stores.redis import rows
from fsm_agent.testing.contract.fixtures import PING, a_head

TEXT = st.text(max_size=8)
SCALARS = (
    st.none() | st.booleans() | st.integers(INT64_MIN, INT64_MAX) | st.floats(allow_nan=False, allow_infinity=False)
)
JSON = st.recursive(
    SCALARS | TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
LISTS = st.dictionaries(TEXT, st.lists(JSON, min_size=1, max_size=2), max_size=3)
DELTAS = st.builds(Delta, OBJECTS, st.lists(TEXT, max_size=2).map(tuple), LISTS)
EVENTS = st.builds(Event, TEXT, OBJECTS, st.none() | TEXT, st.none() | TEXT)
TIMES = st.integers(EARLIEST_MS, LATEST_MS)
MAYBE_MS = st.none() | TIMES
COUNTS = st.integers(0, 9)
USAGES = st.just(NO_USAGE) | st.builds(Usage, *[COUNTS] * len(Usage._fields))
STEPS = st.builds(
    Step,
    version=st.integers(1, INT64_MAX),
    kind=st.sampled_from(StepKind),
    event=TEXT,
    payload=OBJECTS,
    source=st.none() | TEXT,
    target=TEXT,
    at_ms=TIMES,
    delta=DELTAS,
    by=st.none() | TEXT,
    duration_ms=st.none() | st.integers(0, INT64_MAX),
    reason=st.none() | TEXT,
    entered=st.integers(0, 8),
    said=st.integers(0, 9),
    usage=USAGES,
)
HEADS = st.builds(
    Head,
    status=st.sampled_from(Status),
    created_ms=TIMES,
    updated_ms=TIMES,
    visits=st.dictionaries(TEXT, st.integers(0, 99), max_size=3),
    timers=st.lists(st.builds(ArmedTimer, TEXT, TEXT, TIMES), max_size=3).map(tuple),
    asked=st.none() | st.builds(Asked, TEXT, *[st.lists(TEXT, max_size=2).map(tuple)] * 2),
    retry_ms=MAYBE_MS,
    output=JSON,
    problem=st.none() | st.builds(Problem, TEXT, TEXT, st.none() | EVENTS),
    talk=st.builds(ThreadSpans, COUNTS, COUNTS, st.lists(st.builds(Span, TEXT, COUNTS, COUNTS), max_size=2).map(tuple)),
    usage=USAGES,
    user=st.none() | TEXT,
    parent=st.none() | st.builds(Parent, TEXT, COUNTS, COUNTS),
    children=COUNTS,
    progress=st.none() | st.builds(Progress, *[st.none() | TEXT, st.none() | COUNTS] * 2),
    lease=st.none(),
)
MESSAGES = st.builds(
    Message,
    st.sampled_from(Role),
    TEXT,
    st.lists(OBJECTS, max_size=2).map(tuple),
    tokens=COUNTS,
    at_ms=TIMES,
    by=st.none() | TEXT,
    covers=COUNTS,
    number=COUNTS,
)


@given(STEPS)
def test_a_step_comes_back_from_its_row(step: Step) -> None:
    assert codec.step_of(codec.step_row(step)) == step


@given(HEADS)
def test_a_head_comes_back_from_its_rows(head: Head) -> None:
    held = codec.HeldRow(head.epoch, head.queued)
    assert codec.head_of((*codec.pin_row(head), *codec.moving_row(head), *held)) == head


@given(MESSAGES)
def test_a_message_comes_back_from_its_row_and_from_its_text(message: Message) -> None:
    assert codec.message_of(message.number, codec.message_row(message)) == message
    assert rows.message_of(rows.numbered_text(message)) == message


@given(st.builds(UserRecord, TEXT, COUNTS, OBJECTS, COUNTS))
def test_a_user_comes_back_from_its_row_and_from_its_text(user: UserRecord) -> None:
    assert codec.user_of(user.name, codec.user_row(user)) == rows.user_of(user.name, rows.user_text(user)) == user


@given(EVENTS, st.builds(Snapshot, st.integers(1, 9), OBJECTS, st.dictionaries(TEXT, st.integers(1, 9), max_size=3)))
def test_events_and_snapshots_come_back_from_their_texts(event: Event, snapshot: Snapshot) -> None:
    assert codec.queued_of(7, codec.queued_text(codec.event_text(event), 3)) == Queued(7, event, 3)
    assert codec.snapshot_of(codec.snapshot_row(snapshot)) == snapshot


@given(JSON)
def test_text_is_compact_and_has_bytes(value: object) -> None:
    text = codec.encode(value)
    assert codec.decode(text.encode().decode()) == value


def test_what_says_nothing_is_not_written() -> None:
    head = Head("a", "flow", 1, "hash", "open", Status.WAITING, 1, 0, 0)
    assert codec.moving_row(head).cold == "[]"
    step = Step(1, StepKind.CREATED, "created", {}, None, "open", 0)
    assert codec.step_row(step)[-3:] == (None, None, None)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_lacks_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        codec.encode({"n": number})


def test_a_text_that_is_damaged_is_said_to_be_so() -> None:
    with pytest.raises(StoreCorrupt, match=r"what a store keeps is damaged, '\{\"n\": 1' is no JSON: restore a backup"):
        codec.decode('{"n": 1')


def test_numbers_in_files_keep_their_meaning() -> None:
    assert {str(status): codec.status_number(status) for status in Status} == {
        "running": 1,
        "waiting": 2,
        "parked": 3,
        "done": 4,
        "failed": 5,
        "cancelled": 6,
    }
    step = Step(1, StepKind.CREATED, "x", {}, None, "open", 0)
    assert {str(kind): codec.step_row(step._replace(kind=kind)).kind for kind in StepKind} == {
        "created": 1,
        "event": 2,
        "refused": 3,
        "parked": 4,
        "unparked": 5,
        "cancelled": 6,
        "rewound": 7,
        "forked": 8,
        "migrated": 9,
        "asked": 10,
        "erased": 11,
    }
    assert codec.step_row(step._replace(entered=3)).kind == 1 + 3 * 16


@given(st.lists(st.integers(0, 100), min_size=1), st.lists(st.integers(0, 100)))
def test_a_steady_clock_never_goes_back_nor_before_what_it_has_seen(read: list[int], stored: list[int]) -> None:
    times = iter(read)
    clock = SteadyClock(lambda: next(times))
    shown = [clock.now()]
    for stored_ms in stored:
        assert clock.seen(stored_ms) >= stored_ms
    shown += [clock.now() for _ in read[1:]]
    assert shown == sorted(shown)
    assert all(now >= each for now, each in zip(shown, read, strict=True))
    assert len(shown) == 1 or shown[-1] >= max(stored, default=0)


def test_a_problem_that_was_written_before_places_were_noted_is_read_and_older_processes_read_those_of_today() -> None:
    problem = Problem("OSError", "no route", PING, "shop.py:12")
    row = (*codec.pin_row(a_head()), *codec.moving_row(a_head(problem=problem)), *codec.HeldRow(1, 0))
    parts = codec.decode(row[9])
    assert len(parts[9]) == 3, "an older process takes it apart"
    older = codec.encode(parts[:10])
    assert codec.head_of((*row[:9], older, *row[10:])).problem == problem._replace(place="")

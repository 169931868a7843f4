"""Evidence of agents that operators look after, sound or wrong in one way."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

from fsm_agent.domain.agent import Status
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.domain.message import Message, Role
from fsm_agent.domain.record import Origin
from fsm_agent.domain.step import Delta
from fsm_agent.domain.user import UserRecord
from fsm_agent.testing.faults.evidence import Evidence, Kept
from fsm_agent.testing.faults.journal import Entry, Life
from fsm_agent.testing.faults.ticket_workload import CHILD

from .evidence import a_step, an_agent, an_entry, evidence, keys, steps

VISIT = "visit-w-1"
HELD = Lease(Holder("here", 1, 1), 1)


def a_visit(history: Any = None, **rest: Any) -> Kept:
    """At version 4, with tokens t2, t3 and t4."""
    return an_agent(history, **rest)


def of_visits(*entries: Entry, kept: Kept | None = None, **rest: Any) -> Evidence:
    """One visit, and what was done to it and around it."""
    return replace(evidence(*entries), visits={VISIT: kept or a_visit()}, **rest)


def done(verb: str, said: str = "", *, at: int = 1, reply: Any = None, writer: str = "w", **facts: Any) -> Entry:
    """What bears the token ``said``, if it bears one."""
    return an_entry(verb, at=at, facts={"agent": VISIT, "token": said, **facts}, reply=reply or {}, writer=writer)


def speech() -> Entry:
    return done("speak", "s", user="ana", reply={"number": 1})


def forgotten() -> Entry:
    return done("forget", at=50, user="ana", reply={"erased": 1, "left": []})


def message(token: str) -> Message:
    return Message(Role.USER, token)


def heard(version: int = 3) -> Entry:
    facts = {"version": version, "epoch": 1, "event": "heard", "kind": "event", "merged": False}
    return done("commit", "h", at=10, reply={"epoch": 1}, **facts)


def claimed(at: int, held_by: str = "h1", writer: str = "v", left_ms: int = 9) -> Entry:
    return done("claim", at=at, writer=writer, epoch=1, held_by=held_by, left_ms=left_ms, reply={"epoch": at})


def two_holders(*, last_ns: int) -> Evidence:
    """``v`` takes a lease that runs, at 5, from ``w``, whose last line is of that time."""
    first = Life("w", (), (("holder", {"name": "h1"}),), None, last_ns)
    second = Life("v", (claimed(5),), (("holder", {"name": "h2"}),), None, 9)
    return replace(of_visits(), lives=(*of_visits().lives, first, second))


def sound_visits() -> Evidence:
    """Begun, told, heard, joined, remembered; somebody else was forgotten."""
    kept = a_visit(
        [
            each._replace(delta=Delta({"found": [1, 2, 3]}), event="joined") if each.version == 4 else each
            for each in steps()
        ],
        keys=keys(t2=2),
    )
    entries = (
        done("begin", "t1", user="ana"),
        done("say", "t2", key="t2", user="ana", reply={"delivery": "applied", "version": 2}),
        speech(),
        heard(),
        done("remember", "r", user="ana", reply={"version": 1}),
        done("forget", at=1, user="bob", reply={"erased": 1, "left": []}),
    )
    users = {"ana": UserRecord("ana", 1, {"likes": ["r"]})}
    room = (message("s"), message("h"))
    return of_visits(*entries, kept=kept, room=room, users=users)


def shortened() -> Kept:
    """Without its first two steps."""
    kept = a_visit()
    values = deepcopy(next(values for version, values in kept.folded() if version == 2))
    origin = Origin(kept.export.head._replace(version=2), values)
    return replace(kept, export=kept.export._replace(steps=kept.steps[2:], origin=origin))


def in_vain() -> Evidence:
    """The last writer takes an agent into hand four times, and does nothing."""
    return of_visits(*(claimed(at, writer="z-finisher") for at in range(1, 5)))


def a_child(status: Status) -> Kept:
    return a_visit(head={"workflow": CHILD, "status": status})


def joined(found: list[int]) -> Kept:
    return a_visit([*steps(3), a_step(4, "joined", payload={}, delta=Delta({"found": found}))])


#: rule -> evidence that breaks it
BROKEN_VISITS: dict[str, Callable[[], Evidence]] = {
    "what_is_kept_adds_up": lambda: of_visits(kept=replace(shortened(), values={})),
    "each_step_of_them_stands_on_the_last": lambda: of_visits(kept=a_visit([*steps(3), a_step(4, source="gone")])),
    "nothing_happens_twice_to_them": lambda: of_visits(
        kept=a_visit([*steps(3), a_step(4, payload={"token": "t2"}, delta=Delta(append={"log": ["t2"]}))])
    ),
    "what_is_missing_was_deleted": lambda: replace(of_visits(done("begin", "t1", user="ana")), visits={}),
    "acknowledged_keys_lead_there": lambda: of_visits(
        done("say", "t2", key="t2", user="bob", reply={"delivery": "applied", "version": 2})
    ),
    "what_was_forgotten_is_nowhere": lambda: of_visits(
        done("say", "t2", key="k", user="ana"), forgotten(), kept=a_visit(keys=keys(k=2))
    ),
    "what_was_said_is_in_the_room_once": lambda: of_visits(speech(), room=(message("s"), message("s"))),
    "what_was_remembered_is_known": lambda: of_visits(
        done("remember", "r", user="ana", reply={"version": 2}), users={"ana": UserRecord("ana", 1)}
    ),
    "children_are_joined_whole": lambda: of_visits(kept=joined([1, 2])),
    "visits_are_at_rest": lambda: of_visits(kept=a_visit(head={"status": Status.RUNNING})),
    "leases_that_run_are_not_taken": lambda: two_holders(last_ns=7),
    "nobody_is_held_in_the_end": lambda: of_visits(kept=a_visit(head={"lease": HELD})),
    "sweeps_end": in_vain,
}

"""Evidence of the ticket workload, sound or wrong in one way."""

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
from fsm_agent.testing.faults.evidence import Evidence, StoredAgent
from fsm_agent.testing.faults.journal import Entry, WriterLog
from fsm_agent.testing.faults.ticket_workload import CHILD_WORKFLOW

from .evidence import a_step, an_agent, an_entry, evidence, keys, steps

TICKET = "ticket-w-1"
HELD = Lease(Holder("here", 1, 1), 1)


def a_ticket(history: Any = None, **rest: Any) -> StoredAgent:
    """At version 4, with tokens t2, t3 and t4."""
    return an_agent(history, **rest)


def ticket_evidence(*entries: Entry, kept: StoredAgent | None = None, **rest: Any) -> Evidence:
    """One ticket, and the entries about it."""
    return replace(evidence(*entries), tickets={TICKET: kept or a_ticket()}, **rest)


def entry_of(verb: str, token: str = "", *, at: int = 1, reply: Any = None, writer: str = "w", **facts: Any) -> Entry:
    """An entry about the ticket."""
    return an_entry(verb, at=at, facts={"agent": TICKET, "token": token, **facts}, reply=reply or {}, writer=writer)


def appended_message() -> Entry:
    return entry_of("speak", "s", user="ana", reply={"number": 1})


def forget_entry() -> Entry:
    return entry_of("forget", at=50, user="ana", reply={"erased": 1, "left": []})


def message(token: str) -> Message:
    return Message(Role.USER, token)


def recorded_step(version: int = 3) -> Entry:
    facts = {"version": version, "epoch": 1, "event": "recorded", "kind": "event", "merged": False}
    return entry_of("commit", "h", at=10, reply={"epoch": 1}, **facts)


def claim_entry(at: int, held_by: str = "h1", writer: str = "v", left_ms: int = 9) -> Entry:
    return entry_of("claim", at=at, writer=writer, epoch=1, held_by=held_by, left_ms=left_ms, reply={"epoch": at})


def two_holders(*, last_ns: int) -> Evidence:
    """``v`` claims at 5 a lease that runs; its holder ``w`` wrote its last line at ``last_ns``."""
    first = WriterLog("w", (), (("holder", {"name": "h1"}),), None, last_ns)
    second = WriterLog("v", (claim_entry(5),), (("holder", {"name": "h2"}),), None, 9)
    return replace(ticket_evidence(), logs=(*ticket_evidence().logs, first, second))


def sound_tickets() -> Evidence:
    """A ticket with everything; another user was forgotten."""
    kept = a_ticket(
        [
            each._replace(delta=Delta({"found": [1, 2, 3]}), event="joined") if each.version == 4 else each
            for each in steps()
        ],
        keys=keys(t2=2),
    )
    entries = (
        entry_of("begin", "t1", user="ana"),
        entry_of("say", "t2", key="t2", user="ana", reply={"delivery": "applied", "version": 2}),
        appended_message(),
        recorded_step(),
        entry_of("remember", "r", user="ana", reply={"version": 1}),
        entry_of("forget", at=1, user="bob", reply={"erased": 1, "left": []}),
    )
    users = {"ana": UserRecord("ana", 1, {"likes": ["r"]})}
    shared_thread = (message("s"), message("h"))
    return ticket_evidence(*entries, kept=kept, shared_thread=shared_thread, users=users)


def shortened() -> StoredAgent:
    """Without its first two steps."""
    kept = a_ticket()
    values = deepcopy(next(values for version, values in kept.folded() if version == 2))
    origin = Origin(kept.export.head._replace(version=2), values)
    return replace(kept, export=kept.export._replace(steps=kept.steps[2:], origin=origin))


def idle_claims() -> Evidence:
    """The recovery claims a ticket four times, and does nothing."""
    return ticket_evidence(*(claim_entry(at, writer="z-recovery") for at in range(1, 5)))


def a_child(status: Status) -> StoredAgent:
    return a_ticket(head={"workflow": CHILD_WORKFLOW, "status": status})


def joined(found: list[int]) -> StoredAgent:
    return a_ticket([*steps(3), a_step(4, "joined", payload={}, delta=Delta({"found": found}))])


#: rule -> evidence that breaks it
BROKEN_TICKETS: dict[str, Callable[[], Evidence]] = {
    "ticket_histories_fold_and_replay": lambda: ticket_evidence(kept=replace(shortened(), values={})),
    "ticket_steps_are_linear": lambda: ticket_evidence(kept=a_ticket([*steps(3), a_step(4, source="gone")])),
    "no_ticket_event_happens_twice": lambda: ticket_evidence(
        kept=a_ticket([*steps(3), a_step(4, payload={"token": "t2"}, delta=Delta(append={"log": ["t2"]}))])
    ),
    "missing_tickets_were_deleted": lambda: replace(ticket_evidence(entry_of("begin", "t1", user="ana")), tickets={}),
    "acknowledged_ticket_keys_are_known": lambda: ticket_evidence(
        entry_of("say", "t2", key="t2", user="bob", reply={"delivery": "applied", "version": 2})
    ),
    "words_of_forgotten_users_are_gone": lambda: ticket_evidence(
        entry_of("say", "t2", key="k", user="ana"), forget_entry(), kept=a_ticket(keys=keys(k=2))
    ),
    "messages_stand_in_the_shared_thread_once": lambda: ticket_evidence(
        appended_message(), shared_thread=(message("s"), message("s"))
    ),
    "saved_user_values_are_there": lambda: ticket_evidence(
        entry_of("remember", "r", user="ana", reply={"version": 2}), users={"ana": UserRecord("ana", 1)}
    ),
    "all_children_are_joined": lambda: ticket_evidence(kept=joined([1, 2])),
    "tickets_are_at_rest": lambda: ticket_evidence(kept=a_ticket(head={"status": Status.RUNNING})),
    "running_leases_are_not_taken": lambda: two_holders(last_ns=7),
    "no_lease_is_left_over": lambda: ticket_evidence(kept=a_ticket(head={"lease": HELD})),
    "sweeps_do_not_repeat_claims": idle_claims,
}

"""What must be true of tickets, of their users, and of the thread that they share. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise

from fsm_agent.data.erased import Extent, extent_of
from fsm_agent.domain.agent import ENDED, Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.testing.faults.evidence import Evidence
from fsm_agent.testing.faults.journal import Entry
from fsm_agent.testing.faults.rules_history import RuleResults
from fsm_agent.testing.faults.ticket_workload import CHILD_WORKFLOW, CHILDREN, SHARED_THREAD

#: Later than every time of a run.
_NEVER_NS = 1 << 63


def ticket_histories_fold_and_replay(evidence: Evidence) -> RuleResults:
    """After any rewind, migration, purge, erasure or reseal the history has no gap, and gives the head and the data."""
    for agent, stored in evidence.tickets.items():
        head, origin, last = stored.export.head, stored.export.origin, 0
        first = (origin.head.version if origin else 0) + 1
        versions = [step.version for step in stored.steps]
        is_whole = versions == list(range(first, head.version + 1))
        yield None if is_whole else f"{agent} is at version {head.version}, and has the versions {versions}"
        values: Mapping[str, Json] = origin.values if origin else {}
        for last, values in stored.folded():  # noqa: B007 - the last one
            pass
        yield None if values == stored.values or not last else f"{agent} has {stored.values}, and folds to {values}"
        yield from stored.replay_results()


def ticket_steps_are_linear(evidence: Evidence) -> RuleResults:
    for agent, stored in evidence.tickets.items():
        for before, after in pairwise(stored.steps):
            is_linear = before.target == after.source and before.at_ms <= after.at_ms
            yield None if is_linear else f"{agent} was in {before.target}, and version {after.version} is {after}"


def no_ticket_event_happens_twice(evidence: Evidence) -> RuleResults:
    """No event from outside happens twice. What an action emits may be emitted again after a rewind."""
    for agent, stored in evidence.tickets.items():
        found = Counter(
            (step.event, token)
            for step in stored.steps
            if (token := _token(step.payload)) and step.event != "recorded" and step.kind is not StepKind.PARKED
        )
        for (event, token), times in found.items():
            yield None if times == 1 else f"{event} {token} happened {times} times to {agent}"


def missing_tickets_were_deleted(evidence: Evidence) -> RuleResults:
    """A missing ticket was deleted, a deleted one is missing, and only tickets that have ended are deleted."""
    deleted: dict[str, list[Entry]] = defaultdict(list)
    for entry in evidence.entries_of("delete"):
        if entry.outcome != "refused":
            deleted[entry.facts["agent"]].append(entry)
            is_over = Status(entry.facts["status"]) in ENDED
            yield None if is_over else f"{entry.facts['agent']} was deleted while it was {entry.facts['status']}"
    for entry in evidence.entries_of("begin"):
        agent = entry.facts["agent"]
        if entry.is_ok and agent not in evidence.tickets:
            yield None if agent in deleted else f"{agent} was begun by {entry.writer}, and is not there"
    for agent, entries in deleted.items():
        is_gone = agent not in evidence.tickets or not any(entry.is_ok for entry in entries)
        yield None if is_gone else f"{agent} was deleted, and is there"


def acknowledged_ticket_keys_are_known(evidence: Evidence) -> RuleResults:
    """An accepted event is found by its key, also in a ticket that was erased or has a shortened history."""
    for entry in evidence.entries_of("say"):
        stored = evidence.tickets.get(entry.facts["agent"])
        if entry.is_ok and stored is not None:
            is_known = entry.facts["key"] in stored.export.keys
            yield None if is_known else f"{entry.facts['key']} was {entry.reply['delivery']}, and is not known"


def words_of_forgotten_users_are_gone(evidence: Evidence) -> RuleResults:
    """Nothing is left of what a user said, or what was said for them, before they were forgotten."""
    texts = dict(_texts(evidence))
    for forget in evidence.entries_of("forget"):
        if not forget.is_ok or forget.reply["left"]:
            continue
        user = forget.facts["user"]
        for entry in evidence.entries_of("begin", "say", "speak", "remember"):
            is_theirs = entry.facts.get("user") == user
            if is_theirs and entry.is_ok and (entry.returned_ns or _NEVER_NS) < forget.invoked_ns:
                token = entry.facts["token"]
                places = ", ".join(
                    place for place, text in texts.items() if f"'{token}'" in text or f"'{token}/" in text
                )
                yield f"{forget.writer} has forgotten {user}, and {token} is in {places}" if places else None


def messages_stand_in_the_shared_thread_once(evidence: Evidence) -> RuleResults:
    """A program or an agent appends each message once. The messages of a forgotten user may be missing."""
    found = Counter(message.content for message in evidence.shared_thread)
    appended = Counter(entry.facts["token"] for entry in evidence.entries_of("speak"))
    appended.update(entry.facts["token"] for entry in _recordings(evidence) if entry.outcome != "refused")
    for token, times in found.items():
        is_appended = token.startswith("(") or times <= appended[token]
        yield None if is_appended else f"{token} is {times} times in the thread {SHARED_THREAD}"
    for entry in (*evidence.entries_of("speak"), *_recordings(evidence)):
        if entry.is_ok and not _may_be_forgotten(evidence, entry):
            token = entry.facts["token"]
            yield None if found[token] else f"{token} was appended by {entry.writer}, and is not in {SHARED_THREAD}"


def _recordings(evidence: Evidence) -> Iterator[Entry]:
    """The steps in which agents have appended a message; after a rewind an agent appends it again."""
    return (entry for entry in evidence.entries_of("commit") if entry.facts["event"] == "recorded")


def saved_user_values_are_there(evidence: Evidence) -> RuleResults:
    saved: Counter[tuple[str, int]] = Counter()
    for entry in evidence.entries_of("remember"):
        if not entry.is_ok:
            continue
        user, version = entry.facts["user"], entry.reply["version"]
        saved[user, version] += 1
        now = evidence.users.get(user)
        is_later = now is not None and now.version >= version
        yield None if is_later else f"{user} was saved at version {version}, and is now {now}"
        if now is not None and not _may_be_forgotten(evidence, entry):
            is_known = entry.facts["token"] in now.values.get("likes", ())
            yield None if is_known else f"{entry.facts['token']} was saved of {user}, and is not known"
    for (user, version), times in saved.items():
        yield None if times == 1 else f"version {version} of {user} was acknowledged {times} times"


def all_children_are_joined(evidence: Evidence) -> RuleResults:
    """There is one result for each child, and no child is still at work."""
    for agent, stored in evidence.tickets.items():
        if extent_of(stored.steps) is Extent.WHOLE:
            continue
        for step in stored.steps:
            found = step.delta.set.get("found")
            if step.event == "joined" and isinstance(found, list):
                yield None if len(found) == CHILDREN else f"{agent} joined {found} at version {step.version}"
        if stored.export.head.workflow == CHILD_WORKFLOW:
            is_over = stored.export.head.status in ENDED
            yield None if is_over else f"child {agent} is {stored.export.head.status} in the end"


def tickets_are_at_rest(evidence: Evidence) -> RuleResults:
    for agent, stored in evidence.tickets.items():
        head = stored.export.head
        is_done = head.status is not Status.RUNNING and (not stored.export.queue or head.status is Status.PARKED)
        yield None if is_done else f"{agent} is {head.status} in {head.state}, {len(stored.export.queue)} events queued"


def _texts(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """place -> everything that is stored there, as text in which tokens are quoted. Ids and keys are left out."""
    for agent, stored in evidence.tickets.items():
        export = stored.export
        queue = [queued.event._replace(key=None) for queued in export.queue]
        head = export.head._replace(id="")
        yield agent, repr((head, export.steps, export.origin, queue, export.messages, stored.values, export.effects))
    yield f"the thread {SHARED_THREAD}", repr([message.content for message in evidence.shared_thread])
    for user, record in evidence.users.items():
        yield f"the memory of {user}", repr(record.values)


def _may_be_forgotten(evidence: Evidence, entry: Entry) -> bool:
    """Whether some user was forgotten after this had begun."""
    return any(
        forget.outcome != "refused" and (forget.returned_ns or _NEVER_NS) > entry.invoked_ns
        for forget in evidence.entries_of("forget")
    )


def _token(payload: Mapping[str, Json]) -> str | None:
    token = payload.get("token")
    return token if isinstance(token, str) and not token.startswith("(") else None

"""What must be true of agents that operators look after, of whom they serve, and of what they share. Pure."""

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
from fsm_agent.testing.faults.rules_history import Verdicts
from fsm_agent.testing.faults.visit import CHILD, CHILDREN, ROOM

#: later than anything
_NEVER_NS = 1 << 63


def what_is_kept_adds_up(evidence: Evidence) -> Verdicts:
    """Moved, rewound, shortened, erased or sealed afresh: the history has no gap and tells the head and the data."""
    for agent, kept in evidence.visits.items():
        head, origin, last = kept.export.head, kept.export.origin, 0
        first = (origin.head.version if origin else 0) + 1
        versions = [step.version for step in kept.steps]
        is_whole = versions == list(range(first, head.version + 1))
        yield None if is_whole else f"{agent} is at version {head.version}, and has the versions {versions}"
        values: Mapping[str, Json] = origin.values if origin else {}
        for last, values in kept.folded():  # noqa: B007 - the last one
            pass
        yield None if values == kept.values or not last else f"{agent} has {kept.values}, and folds to {values}"
        yield None if not kept.mismatches else f"{agent} is not what its history tells: {'; '.join(kept.mismatches)}"


def each_step_of_them_stands_on_the_last(evidence: Evidence) -> Verdicts:
    for agent, kept in evidence.visits.items():
        for before, after in pairwise(kept.steps):
            is_linear = before.target == after.source and before.at_ms <= after.at_ms
            yield None if is_linear else f"{agent} was in {before.target}, and version {after.version} is {after}"


def nothing_happens_twice_to_them(evidence: Evidence) -> Verdicts:
    """No event from outside; what an action says is said again after a rewind."""
    for agent, kept in evidence.visits.items():
        found = Counter(
            (step.event, token)
            for step in kept.steps
            if (token := _token(step.payload)) and step.event != "heard" and step.kind is not StepKind.PARKED
        )
        for (event, token), times in found.items():
            yield None if times == 1 else f"{event} {token} happened {times} times to {agent}"


def what_is_missing_was_deleted(evidence: Evidence) -> Verdicts:
    """And what was deleted is gone; who is deleted has ended."""
    deleted: dict[str, list[Entry]] = defaultdict(list)
    for entry in evidence.done("delete"):
        if entry.outcome != "refused":
            deleted[entry.facts["agent"]].append(entry)
            is_over = Status(entry.facts["status"]) in ENDED
            yield None if is_over else f"{entry.facts['agent']} was deleted while it was {entry.facts['status']}"
    for entry in evidence.done("begin"):
        agent = entry.facts["agent"]
        if entry.is_ok and agent not in evidence.visits:
            yield None if agent in deleted else f"{agent} was begun by {entry.writer}, and is not there"
    for agent, entries in deleted.items():
        is_gone = agent not in evidence.visits or not any(entry.is_ok for entry in entries)
        yield None if is_gone else f"{agent} was deleted, and is there"


def acknowledged_keys_lead_there(evidence: Evidence) -> Verdicts:
    """An event that was taken is found by its key, also in an agent that is erased or whose history is shortened."""
    for entry in evidence.done("say"):
        kept = evidence.visits.get(entry.facts["agent"])
        if entry.is_ok and kept is not None:
            is_known = entry.facts["key"] in kept.export.keys
            yield None if is_known else f"{entry.facts['key']} was {entry.reply['delivery']}, and is not known"


def what_was_forgotten_is_nowhere(evidence: Evidence) -> Verdicts:
    """Whatever was said by or for somebody before they were forgotten."""
    standing = _Standing(evidence)
    for forgetting in evidence.done("forget"):
        if not forgetting.is_ok or forgetting.reply["left"]:
            continue
        for entry in evidence.done("begin", "say", "speak", "remember"):
            is_theirs = entry.facts.get("user") == forgetting.facts["user"]
            if is_theirs and entry.is_ok and (entry.returned_ns or _NEVER_NS) < forgetting.invoked_ns:
                places = standing.places(entry.facts["token"])
                yield (
                    f"{entry.facts['token']} was said for {forgetting.facts['user']}, who was forgotten by "
                    f"{forgetting.writer}, and stands in {', '.join(places)}"
                    if places
                    else None
                )


def what_was_said_is_in_the_room_once(evidence: Evidence) -> Verdicts:
    """By a program, or by an agent in the step that says so; unless whoever said it was forgotten."""
    found = Counter(message.content for message in evidence.room)
    said = Counter(entry.facts["token"] for entry in evidence.done("speak"))
    heard = Counter(entry.facts["token"] for entry in _hearings(evidence) if entry.outcome != "refused")
    for token, times in found.items():
        is_said = token.startswith("(") or times <= said[token] + heard[token]
        yield None if is_said else f"{token} stands {times} times in {ROOM}"
    for entry in (*evidence.done("speak"), *_hearings(evidence)):
        if entry.is_ok and not _may_be_forgotten(evidence, entry):
            token = entry.facts["token"]
            yield None if found[token] else f"{token} was said by {entry.writer}, and is not in {ROOM}"


def _hearings(evidence: Evidence) -> Iterator[Entry]:
    """The steps with which agents have said something; after a rewind one does so again."""
    return (entry for entry in evidence.done("commit") if entry.facts["event"] == "heard")


def what_was_remembered_is_known(evidence: Evidence) -> Verdicts:
    saved: Counter[tuple[str, int]] = Counter()
    for entry in evidence.done("remember"):
        if not entry.is_ok:
            continue
        user, version = entry.facts["user"], entry.reply["version"]
        saved[user, version] += 1
        now = evidence.users.get(user)
        is_later = now is not None and now.version >= version
        yield None if is_later else f"{user} was remembered at version {version}, and is now {now}"
        if now is not None and not _may_be_forgotten(evidence, entry):
            is_known = entry.facts["token"] in now.values.get("likes", ())
            yield None if is_known else f"{entry.facts['token']} was remembered of {user}, and is not known"
    for (user, version), times in saved.items():
        yield None if times == 1 else f"version {version} of {user} was acknowledged {times} times"


def children_are_joined_whole(evidence: Evidence) -> Verdicts:
    """As many results as there were children, in their order; who is not joined is not left at work."""
    for agent, kept in evidence.visits.items():
        if extent_of(kept.steps) is Extent.WHOLE:
            continue
        for step in kept.steps:
            found = step.delta.set.get("found")
            if step.event == "joined" and isinstance(found, list):
                yield None if len(found) == CHILDREN else f"{agent} joined {found} at version {step.version}"
        if kept.export.head.workflow == CHILD:
            is_over = kept.export.head.status in ENDED
            yield None if is_over else f"child {agent} is {kept.export.head.status} in the end"


def visits_are_at_rest(evidence: Evidence) -> Verdicts:
    for agent, kept in evidence.visits.items():
        head = kept.export.head
        is_done = head.status is not Status.RUNNING and (not kept.export.queue or head.status is Status.PARKED)
        yield None if is_done else f"{agent} is {head.status} in {head.state}, {len(kept.export.queue)} events queued"


class _Standing:
    """Where tokens stand in the end."""

    def __init__(self, evidence: Evidence) -> None:
        self._texts = dict(_texts(evidence))

    def places(self, token: str) -> list[str]:
        return [place for place, text in self._texts.items() if f"'{token}'" in text or f"'{token}/" in text]


def _texts(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Everything that says something, as text in which a token stands in quotes; keys are no words of anybody."""
    for agent, kept in evidence.visits.items():
        export = kept.export
        told = (export.head._replace(id=""), export.steps, export.origin, export.queue, export.messages)
        yield agent, repr((*_keyless(told), kept.values, export.effects))
    yield f"the thread {ROOM}", repr([message.content for message in evidence.room])
    for user, record in evidence.users.items():
        yield f"what is known of {user}", repr(record.values)


def _keyless(told: tuple[object, ...]) -> tuple[object, ...]:
    head, steps, origin, queue, messages = told
    return head, steps, origin, [each.event._replace(key=None) for each in queue], messages  # type: ignore[attr-defined]


def _may_be_forgotten(evidence: Evidence, entry: Entry) -> bool:
    """Whether somebody was being forgotten after this had begun."""
    return any(
        forgetting.outcome != "refused" and (forgetting.returned_ns or _NEVER_NS) > entry.invoked_ns
        for forgetting in evidence.done("forget")
    )


def _token(payload: Mapping[str, Json]) -> str | None:
    token = payload.get("token")
    return token if isinstance(token, str) and not token.startswith("(") else None

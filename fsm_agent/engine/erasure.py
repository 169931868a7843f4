"""Erasure of a person's words in agents that serve others: the words become tombstones, and the agents live on. Pure.

Erased are the strings that the person has sent, and those that their events wrote. Numbers, booleans and the keys of
objects stay. So do words that the workflow itself contains, since guards look for them. Copies that the engine has made
since are erased too: by a rewind or a migration, in a reason, an error, or a question of an action. Then the history is
replayed, and the head becomes what the replay gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fsm_agent.data.delta import Folded, own
from fsm_agent.data.erased import Extent, Tally, erased_messages, marked
from fsm_agent.domain.agent import Head
from fsm_agent.domain.json import Json
from fsm_agent.domain.record import AgentExport, Origin, Record, Snapshot
from fsm_agent.domain.step import Delta, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine.program import Program
from fsm_agent.engine.redaction import Redaction, common_words
from fsm_agent.engine.replay.fold import owned
from fsm_agent.engine.replay.history import Past
from fsm_agent.engine.replay.restore import difference


def redacted(export: AgentExport, programs: Mapping[str, Program], user: str, tally: Tally) -> AgentExport:
    """The agent without the words of ``user``. Raises the errors of a damaged history."""
    messages = erased_messages(export.messages, user, tally)
    tally.update(_found(export, user))
    redaction = _redaction(programs, user)
    first = [_without_words(step, redaction) for step in export.steps]
    queue = tuple(each._replace(event=redaction.event(each.event)) for each in export.queue)
    origin = export.origin and Origin(_nameless(export.origin.head, redaction), export.origin.values)
    steps = tuple(_without_copies(first, origin, redaction))
    own_versions = {step.version for step in export.steps if step.by == user}
    revised = {message.number: message for message in messages}
    whole = export._replace(
        head=export.head._replace(labels=_labels(export, programs, user)),
        steps=steps,
        origin=origin,
        queue=queue,
        keys={
            key: outcome._replace(fingerprint="") if outcome.version in own_versions else outcome
            for key, outcome in export.keys.items()
        },
        start=(export.start[0], "") if export.start and own_versions & {1, 2} else export.start,
        messages=tuple(revised.get(message.number, message) for message in export.messages),
    )
    return _replayed(whole, programs, redaction)


def _redaction(programs: Mapping[str, Program], user: str) -> Redaction:
    return Redaction(user, common_words(program.workflow for program in programs.values()))


def _labels(export: AgentExport, programs: Mapping[str, Program], user: str) -> Mapping[str, str]:
    """The labels, without their texts if the person has created the agent. Nothing else is a copy of them. A fork has
    those of its origin."""
    labels = export.head.labels
    is_theirs = any(step.kind is StepKind.CREATED and step.by == user for step in export.steps[:1])
    erased: Mapping[str, str] = _redaction(programs, user).erased(labels) if is_theirs else labels
    return erased


def has_words_of(user: str, export: AgentExport) -> bool:
    """Whether the agent contains anything of this user."""
    return any(message.by == user for message in export.messages) or any(_found(export, user).values())


def _found(export: AgentExport, user: str) -> Tally:
    """Count what there is of a user in the steps, in undecided events, and in questions."""
    problem = export.head.problem
    held = [problem.held] if problem and problem.held else []
    heads = [export.head, *([export.origin.head] if export.origin else [])]
    to = [*(head.asked.to for head in heads if head.asked), *map(_addressees, export.steps)]
    return Tally(
        steps=sum(step.by == user for step in export.steps),
        events=sum(event.by == user for event in [*held, *(queued.event for queued in export.queue)]),
        questions=sum(user in names for names in to),
    )


def _addressees(step: Step) -> Sequence[str]:
    """The users that a step's question is for: of an action that asks, or of a question that the step restores."""
    if step.kind is StepKind.ASKED:
        return tuple(step.payload["to"])
    return tuple(step.payload["asked"][2]) if step.kind.facts.restores and "asked" in step.payload else ()


def _without_words(step: Step, redaction: Redaction) -> Step:
    """A step without the words of the person, if they made it."""
    if step.by != redaction.user:
        return step
    if step.kind.facts.restores:
        return step._replace(by=None)
    payload, delta = redaction.erased(step.payload), redaction.erased_delta(step.delta)
    return step._replace(payload=payload, delta=delta, by=None)


def _without_copies(steps: Sequence[Step], origin: Origin | None, redaction: Redaction) -> Iterator[Step]:
    """The steps without the engine's copies of erased words; all steps are marked."""
    folded = Folded(own(dict(origin.values)) if origin else {})
    named = {step.payload["version"] for step in steps if step.kind is StepKind.REWOUND}
    then = {origin.head.version: origin.values} if origin else {}
    for step in steps:
        delta = _copied(step, folded, then, redaction) if step.kind.facts.restores else step.delta
        folded.take(step.version, owned(delta))
        if step.version in named:
            then[step.version] = own(dict(folded.values))
        yield step._replace(
            payload=marked(_facts(step, redaction), Extent.PARTS),
            delta=delta,
            reason=step.reason and redaction.unquoted(step.reason),
        )


def _copied(step: Step, folded: Folded, then: Mapping[int, Mapping[str, Json]], redaction: Redaction) -> Delta:
    """The delta of a rewind, computed again from the erased data; or that of a migration, without erased words."""
    if step.kind is StepKind.REWOUND and step.payload["version"] in then:
        return difference(folded.values, then[step.payload["version"]])
    return Delta(redaction.cleared(step.delta.set), step.delta.remove, redaction.cleared(step.delta.append))


def _facts(step: Step, redaction: Redaction) -> dict[str, Json]:
    """A payload without quotations, and without the name in questions."""
    facts = dict(step.payload)
    if step.kind is StepKind.ASKED:
        to = list(redaction.nameless(facts["to"]))
        return {**facts, "prompt": redaction.unquoted(facts["prompt"]), "to": to}
    if step.event in ("error", "timeout") and "message" in facts:
        facts["message"] = redaction.unquoted(facts["message"])
    if step.kind.facts.restores and "error" in facts:
        facts["error"] = {**facts["error"], "message": redaction.unquoted(facts["error"]["message"])}
    if step.kind.facts.restores and "asked" in facts:
        prompt, events, to = facts["asked"]
        facts["asked"] = [redaction.unquoted(prompt), events, list(redaction.nameless(to))]
    return facts


def _nameless(head: Head, redaction: Redaction) -> Head:
    """A head whose question is for nobody of that name, and that is parked with no word of theirs."""
    asked, problem = head.asked, head.problem
    if problem and problem.held:
        problem = problem._replace(held=redaction.event(problem.held))
    return head._replace(asked=asked and asked._replace(to=redaction.nameless(asked.to)), problem=problem)


def _replayed(export: AgentExport, programs: Mapping[str, Program], redaction: Redaction) -> AgentExport:
    """The export with the head and the snapshot that a replay of its history gives."""
    head, snapshot, origin = export.head, export.snapshot, export.origin
    replay = Past(Record(head, None, ()), export.steps, origin, programs).beginning()
    if snapshot and origin and snapshot.version == origin.head.version:
        snapshot = Snapshot(snapshot.version, origin.values)
    for step in export.steps:
        replay.take(step)
        if snapshot and step.version == snapshot.version:
            folded = replay.aggregate.folded.snapshot(step.version)
            snapshot = folded._replace(values=own(dict(folded.values)))
    problem = replay.head.problem
    if problem and head.problem:
        problem = problem._replace(held=head.problem.held)
    after = head._replace(
        output=replay.head.output, asked=replay.head.asked, problem=problem, progress=replay.head.progress
    )
    return export._replace(head=_nameless(after, redaction), snapshot=snapshot)


def faded(
    export: AgentExport, programs: Mapping[str, Program], user: str, source: Record, values: Mapping[str, Json]
) -> AgentExport | None:
    """A fork without the words that are erased in its origin ``source``, which had ``values`` when it was forked;
    ``None`` if it contains none of them."""
    redaction, of_labels = _redaction(programs, user), _redaction(programs, user)
    first, *later = export.steps
    began = {name: redaction.faded(value, values.get(name)) for name, value in first.delta.set.items()}
    labels = of_labels.faded(dict(export.head.labels), dict(source.head.labels))
    if not (redaction.erased_texts or of_labels.erased_texts):
        return None
    steps = [first._replace(delta=first.delta._replace(set=began)), *later]
    head = export.head._replace(labels=labels)
    whole = export._replace(head=head, steps=tuple(_without_copies(steps, None, redaction)))
    return _replayed(whole, programs, redaction)

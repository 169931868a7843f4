"""What an attempt leaves goes into the step that ends it: messages, what is remembered of the user, usage. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from fsm_agent.data.data import changes
from fsm_agent.domain.agent import Head
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import own_thread
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.record import AppendedMessages
from fsm_agent.domain.step import Delta, Step
from fsm_agent.domain.usage import NO_USAGE
from fsm_agent.domain.user import UserRecord
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.aggregate import Aggregate, PendingStep
from fsm_agent.engine.merge import Unmergeable, merged
from fsm_agent.engine.outputs import AttemptOutputs


def counted(head: Head, step: Step) -> Head:
    """The head after a step, with what the step says of messages and usage added up."""
    if not step.said and step.usage == NO_USAGE:
        return head
    return head._replace(talk=head.talk.grown(step.said), usage=head.usage.plus(step.usage))


def spent(proposal: PendingStep, notes: AttemptOutputs) -> PendingStep:
    """The step of an attempt that came to nothing: it has cost what it has cost."""
    if notes.usage == NO_USAGE:
        return proposal
    step = proposal.step._replace(usage=notes.usage)
    return proposal._replace(step=step, head=counted(proposal.head, step))


def noted(aggregate: Aggregate, proposal: PendingStep, notes: AttemptOutputs) -> PendingStep:
    """The step that an attempt's event takes, with all that the attempt has left."""
    if notes.is_blank:
        return proposal
    mine = own_thread(aggregate.head.id)
    said = tuple(
        AppendedMessages(thread, tuple(message._replace(at_ms=aggregate.now_ms) for message in messages))
        for thread, messages in notes.said.items()
        if messages
    )
    step = proposal.step._replace(said=len(notes.said.get(mine, ())), usage=notes.usage)
    return proposal._replace(head=counted(proposal.head, step), step=step, said=said, user=remembered(aggregate, notes))


def remembered(aggregate: Aggregate, notes: AttemptOutputs) -> UserRecord | None:
    """What is remembered of the user from this step on, if the attempt has changed it; raises ``DataInvalid``."""
    if notes.user is None or notes.record is None or not (delta := changes(notes.user)):
        return None
    aggregate.program.user_rules.check(delta, notes.user.plain())
    record = notes.record
    aggregate.program.data_limit.require({f"user.{name}": value for name, value in notes.user.plain().items()})
    return record._replace(version=record.version + 1, values=_changed(notes, delta), updated_ms=aggregate.now_ms)


def _changed(notes: AttemptOutputs, delta: Delta) -> Mapping[str, Json]:
    """The values of the user with what the attempt has changed; what the workflow does not declare stays as it is."""
    assert notes.record is not None and notes.user is not None  # noqa: S101, PT018 - only then is there a delta
    drafted: Mapping[str, Json] = notes.user.plain()
    return {**notes.record.values, **{name: drafted[name] for name in delta.fields}}


def reconcile(workflow: Workflow, notes: AttemptOutputs, now: UserRecord) -> Problem | None:
    """Bring an attempt's changes of a user together with what others have changed since, as the merge policies say;
    afterwards the notes stand on ``now``. Says what stands in the way, if something does."""
    assert notes.record is not None and notes.user is not None  # noqa: S101, PT018 - there was something to commit
    seen, drafted = notes.record.values, notes.user.plain()
    for name in changes(notes.user).fields:
        if name not in seen and name not in now.values:
            continue
        base, theirs = seen.get(name), now.values.get(name)
        if theirs == base:
            continue
        try:
            policy = workflow.merge[f"user.{name}"]
            drafted[name] = merged(policy, base, theirs=theirs, ours=drafted[name])
        except (KeyError, Unmergeable):
            why = f"somebody else has changed {name!r} of user {now.name!r} meanwhile, and `merge` has no policy"
            return Problem("UserConflict", f"{why} that makes one of both: declare one for `user.{name}`")
        notes.user[name] = drafted[name]
    notes.record = now
    return None

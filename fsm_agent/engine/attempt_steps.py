"""The step that ends an attempt, with the attempt's outputs: messages, changes of the user, usage. Pure."""

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


def with_totals(head: Head, step: Step) -> Head:
    """The head after a step, with what the step says of messages and usage added up."""
    if not step.said and step.usage == NO_USAGE:
        return head
    return head._replace(talk=head.talk.grown(step.said), usage=head.usage.plus(step.usage))


def with_usage(pending: PendingStep, outputs: AttemptOutputs) -> PendingStep:
    """The step with the attempt's usage alone: an attempt that failed has its cost all the same."""
    if outputs.usage == NO_USAGE:
        return pending
    step = pending.step._replace(usage=outputs.usage)
    return pending._replace(step=step, head=with_totals(pending.head, step))


def with_outputs(aggregate: Aggregate, pending: PendingStep, outputs: AttemptOutputs) -> PendingStep:
    """The step that an attempt's event makes, with all outputs of the attempt."""
    if outputs.is_blank:
        return pending
    mine = own_thread(aggregate.head.id)
    appended = tuple(
        AppendedMessages(thread, tuple(message._replace(at_ms=aggregate.now_ms) for message in messages))
        for thread, messages in outputs.messages.items()
        if messages
    )
    step = pending.step._replace(said=len(outputs.messages.get(mine, ())), usage=outputs.usage)
    return pending._replace(
        head=with_totals(pending.head, step), step=step, appended=appended, user=changed_user(aggregate, outputs)
    )


def changed_user(aggregate: Aggregate, outputs: AttemptOutputs) -> UserRecord | None:
    """The record of the user after this step, or ``None`` if the attempt has not changed it; raises ``DataInvalid``."""
    if outputs.user is None or outputs.record is None or not (delta := changes(outputs.user)):
        return None
    aggregate.program.user_rules.check(delta, outputs.user.plain())
    record = outputs.record
    aggregate.program.data_limit.require({f"user.{name}": value for name, value in outputs.user.plain().items()})
    return record._replace(version=record.version + 1, values=_changed(outputs, delta), updated_ms=aggregate.now_ms)


def _changed(outputs: AttemptOutputs, delta: Delta) -> Mapping[str, Json]:
    """The values of the user with what the attempt has changed; what the workflow does not declare stays as it is."""
    assert outputs.record is not None and outputs.user is not None  # noqa: S101, PT018 - only then is there a delta
    drafted: Mapping[str, Json] = outputs.user.plain()
    return {**outputs.record.values, **{name: drafted[name] for name in delta.fields}}


def reconcile(workflow: Workflow, outputs: AttemptOutputs, now: UserRecord) -> Problem | None:
    """Merge an attempt's changes of a user into ``now``, the record as others have left it, by the merge policies;
    afterwards the outputs stand on ``now``. Returns the problem if the two cannot be merged."""
    assert outputs.record is not None and outputs.user is not None  # noqa: S101, PT018 - there was something to commit
    seen, drafted = outputs.record.values, outputs.user.plain()
    for name in changes(outputs.user).fields:
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
        outputs.user[name] = drafted[name]
    outputs.record = now
    return None

"""The steady path: attempt after attempt of an agent of which nothing but work is to be expected. Pure.

``drive`` asks before each attempt what comes next, and ``work`` what the attempt needs. For most steps of most
agents all of these questions have an answer that is known beforehand, and asking them takes longer than deciding
the step. So this path leaves them out, for as long as the answers cannot be others:

==============================================  =========================================================
what the general path asks                      why it need not be asked here
==============================================  =========================================================
is an event queued, a timer due?                none is: ``_has_only_work`` looks before each attempt
does a backoff run, or a pause?                 ``retry_ms`` would say so
is something owed to parent or children?        ``children`` would say so
what is the action given under ``with``?        nothing is declared (``Program.steady_actions``)
what is remembered of the user?                 nothing is declared
when is its time over?                          nothing is declared but a timeout for each attempt
which requests to models were counted before?   the agent has made none
==============================================  =========================================================

Whatever else happens to be the case, the general path goes on, from the same agent in hand: nothing is decided here
that is not decided there. It is also the specification: ``tests/faults/test_fast_path.py`` drives random workflows by
both, and they never differ.
"""

from __future__ import annotations

from fsm_agent.domain.agent import RUNNING, Head
from fsm_agent.domain.tuples import from_fields
from fsm_agent.domain.usage import NO_USAGE
from fsm_agent.engine.activation import concluded, proposed, refused
from fsm_agent.engine.aggregate import Aggregate, PendingStep
from fsm_agent.engine.commands import Act, Acted, Emitted
from fsm_agent.engine.outputs import AttemptOutputs
from fsm_agent.engine.scope import ActionScope
from fsm_agent.engine.transaction import Driver, Flow, write


def take_fast_path(driver: Driver, aggregate: Aggregate) -> Flow:
    """Attempts and their steps, until the general path has something to ask."""
    actions, new_draft = aggregate.program.fast_path_actions, aggregate.program.data_type
    while (action := actions.get(aggregate.head.state)) is not None and _has_only_work(aggregate, aggregate.head):
        head, data, outputs = aggregate.head, new_draft(aggregate.folded.values), AttemptOutputs()
        scope = ActionScope(aggregate, data, outputs, stays=driver.stays)
        attempt, (do, timeout_ms) = head.attempts + 1, action
        reply: Acted = yield from_fields(
            Act, (head, do, {}, data, aggregate.now_ms, attempt, timeout_ms, None, outputs, scope)
        )
        if type(reply) is Emitted and outputs.user is None:  # then nobody can have changed the same user
            aggregate.now_ms = max(aggregate.now_ms, reply.now_ms)
            made = proposed(aggregate, reply, data, outputs)
            if isinstance(made, PendingStep):
                yield from write(driver, aggregate, made, is_joined=outputs.is_joined)
            else:
                yield from refused(driver, aggregate, reply, made, outputs)
        else:
            yield from concluded(driver, aggregate, reply, data, outputs)


def _has_only_work(aggregate: Aggregate, head: Head) -> bool:
    """Whether the agent has its work to do, and nothing else."""
    return not (
        head.status is not RUNNING
        or aggregate.queue
        or head.timers
        or head.retry_ms is not None
        or head.children
        or head.usage is not NO_USAGE
    )

"""What of a workflow a machine of XState cannot say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from fsm_agent.dialect.builtin_names import BUILT_IN_NAMES
from fsm_agent.domain.conversation import PLAIN_RECALL
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Candidates, Handlers, State
from fsm_agent.domain.text import listed
from fsm_agent.domain.workflow import Workflow
from fsm_agent.xstate.losses import Loss

_TYPES: Final = "is not carried: XState knows types only in TypeScript"
_GUARD: Final = "is CEL, and only the name of a guard there: write it in JavaScript"
_ACTION: Final = "is CEL, and only the name of an action there: write it in JavaScript"


def losses_of(workflow: Workflow) -> Iterator[Loss]:
    """Everything that is left out, and everything that is only a name there."""
    yield from _of_workflow(workflow)
    yield from _of_handlers("on", workflow.on)
    for path, state in workflow.by_path.items():
        place = f"states.{path}"
        yield from _of_state(place, state)
        yield from _of_handlers(f"{place}.on", state.on)
        for timer in state.after:
            yield from _of_candidates(f"{place}.after.{timer.duration.text}", timer.transitions)
        for length, count in Counter(timer.duration.ms for timer in state.after).items():
            if count > 1:
                yield Loss(f"{place}.after", f"{count} timers of {length} ms are one delay there")


def carried_arguments(state: State) -> dict[str, Json]:
    """The arguments of an action that are plain values; a text is CEL or a template."""
    if state.do in BUILT_IN_NAMES:
        return {}
    return {name: value for name, value in state.with_.items() if not isinstance(value, str)}


def _of_workflow(workflow: Workflow) -> Iterator[Loss]:
    if workflow.data:
        yield Loss("data", f"what type {listed(workflow.data)} have {_TYPES}; their defaults stand in `context`")
    if workflow.model is not None:
        yield Loss("data", f"the model `{workflow.model}` {_TYPES}")
    if payloads := [event for event, fields in workflow.events.items() if fields]:
        yield Loss("events", f"what comes with {listed(payloads)} {_TYPES}")
    for limit in workflow.limits.to_json():
        yield Loss(f"limits.{limit}", "it is not carried: XState counts nothing")
    for place, is_there in _of_the_whole(workflow).items():
        if is_there:
            yield Loss(place, "it is not carried: XState has nothing like it")


def _of_the_whole(workflow: Workflow) -> Mapping[str, object]:
    """Keys of a workflow for which XState has nothing -> what stands there."""
    return {
        "merge": workflow.merge,
        "conversation": workflow.conversation != PLAIN_RECALL,
        "user": workflow.user,
        "progress": workflow.progress.to_json(),
        "workflows": workflow.workflows,
        "migrations": workflow.migrations,
        "must": workflow.must,
    }


def _of_state(place: str, state: State) -> Iterator[Loss]:
    if state.do in BUILT_IN_NAMES:
        yield Loss(f"{place}.do", f"`{state.do}` is a built-in action, and only the name of an actor there")
    carried = carried_arguments(state)
    for name in (name for name in state.with_ if name not in carried):
        yield Loss(f"{place}.with.{name}", "it is not carried: it says what only this project can evaluate")
    if state.timeout:
        yield Loss(f"{place}.timeout", "it is not carried: whoever runs the actor has to send `timeout`")
    if state.retry:
        yield Loss(f"{place}.retry", "it is not carried: an actor of XState is started once")
    if state.ask:
        yield Loss(f"{place}.ask", "the question is not carried, only the events that answer it")
    if state.outcome != "done":
        yield Loss(
            f"{place}.outcome", f"`{state.outcome}` is not carried: a machine of XState is done in any final state"
        )
    if state.output:
        yield Loss(f"{place}.output", "it is not carried: it is CEL")


def _of_handlers(place: str, on: Handlers) -> Iterator[Loss]:
    for event, chosen in on.items():
        yield from _of_candidates(f"{place}.{event}", chosen or ())


def _of_candidates(place: str, chosen: Candidates) -> Iterator[Loss]:
    for each in chosen:
        if each.when is not None:
            yield Loss(place, f"`{each.when}` {_GUARD}")
        for field in (*each.assign, *each.append):
            yield Loss(place, f"what `{field}` becomes {_ACTION}")

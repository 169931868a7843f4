"""Answers: which event an answer means, and whether its question is still open.

An answer that names its question is for that question alone. The check is made each time the agent is read, so an
answer that lost a race is judged by the agent as it is then.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from fsm_agent.domain.agent import Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Event, Happened, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.commands import Command, ReadHistory
from fsm_agent.engine.transaction import Driver, Flow, open_agent
from fsm_agent.errors import AnswerUnclear, IllegalEvent, NotAsked, QuestionClosed, Refused

#: Steps in which the answer is looked for that came before a late one.
_RECENT: Final = 20

#: Steps in which it is looked for what has closed a question.
_MOST_STEPS: Final = 1_000


class Answer(NamedTuple):
    """The payload of an answer, and the event that it means. ``event`` may be ``None`` if the question takes only
    one."""

    payload: Mapping[str, Json]
    event: str | None = None
    by: str | None = None
    key: str | None = None
    #: the id of the question that is answered; ``None`` is whichever is asked
    question: int | None = None


def meant(aggregate: Aggregate, answer: Answer) -> Event:
    """The event that an answer means; raises ``QuestionClosed`` and what else refuses it."""
    head, answers = aggregate.head, aggregate.program.answers(aggregate.head)
    if not answers or head.status is not Status.WAITING:
        raise NotAsked(head.id, head.state, str(head.status))
    name = answer.event or (answers[0] if len(answers) == 1 else None)
    if name is None:
        raise AnswerUnclear(head.id, head.state, answers)
    if name not in answers:
        is_declared = name in aggregate.program.workflow.events
        raise IllegalEvent(name, head.state, answers, why=" as an answer", is_declared=is_declared)
    return Event(name, dict(answer.payload), answer.by, answer.key)


def refuse_closed(aggregate: Aggregate, sent: Event | Answer) -> Generator[Command, Any, None]:
    """Raises ``QuestionClosed``, with what has closed it, for an answer to another question than the present one."""
    if not isinstance(sent, Answer) or sent.question is None:
        return
    head, question = aggregate.head, sent.question
    if head.asked is not None and head.asked.id == question:
        return
    stands = (head.state, str(head.status))
    now = head.asked if head.status is Status.WAITING else None
    if not 0 < question <= head.version:
        raise QuestionClosed(head.id, question, stands, now=now, was_asked=False)
    steps: Sequence[Step] = yield ReadHistory(head.id, question - 1, _MOST_STEPS)
    first = steps[0] if steps and steps[0].version == question else None
    closer = next((step for step in steps if step.version > question and _closes(step)), None)
    raise QuestionClosed(
        head.id,
        question,
        stands,
        closed=closer and Happened.of(closer),
        is_answered=first is not None and closer is not None and closer.event in _answers(aggregate, first),
        now=now,
        was_asked=first is None or _may_ask(aggregate, first),
    )


def require_open(driver: Driver, agent_id: str, question: int) -> Flow:
    """Raises ``QuestionClosed`` if an agent does not ask this question any more. Changes nothing."""
    aggregate, _ = yield from open_agent(driver, agent_id)
    yield from refuse_closed(aggregate, Answer({}, question=question))


def _closes(step: Step) -> bool:
    return step.asks or step.kind is StepKind.CANCELLED


def _may_ask(aggregate: Aggregate, step: Step) -> bool:
    """Whether a step may have put a question; what older definitions ask is not known."""
    state = aggregate.program.workflow.by_path.get(step.target)
    if step.kind in (StepKind.CREATED, StepKind.EVENT) and state is not None:
        return step.asks and state.ask is not None
    return step.asks


def _answers(aggregate: Aggregate, step: Step) -> Sequence[str]:
    """The answers that the question takes which a step has put, as far as the present definition knows its state."""
    if step.kind is StepKind.ASKED:
        asked: Sequence[str] = step.payload["events"]
        return asked
    if "asked" in step.payload and step.kind.facts.restores:
        brought_back: Sequence[str] = step.payload["asked"][1]
        return brought_back
    state = aggregate.program.workflow.by_path.get(step.target)
    return state.ask.events if state and state.ask else ()


def explained(aggregate: Aggregate, refusal: Refused) -> Generator[Command, Any, Refused]:
    """The refusal of an answer; it tells which answer was taken, if that was not long ago."""
    if not isinstance(refusal, NotAsked):
        return refusal
    head = aggregate.head
    steps = yield ReadHistory(head.id, max(head.version - _RECENT, 0), _RECENT)
    taken, asked = None, ()
    for step in steps:
        source = aggregate.program.workflow.by_path.get(step.source)
        if step.kind is StepKind.ASKED:
            asked = step.payload["events"]
        elif step.entered:
            if step.event in (source.ask.events if source and source.ask else asked):
                taken = step
            asked = ()
    return NotAsked(head.id, head.state, str(head.status), answered=Happened.of(taken)) if taken else refusal

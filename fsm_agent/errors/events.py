"""Errors of what is sent: it cannot be taken as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from fsm_agent.domain.text import byte_count, did_you_mean, listed, shortened, standing
from fsm_agent.errors.base import Refused

if TYPE_CHECKING:
    from fsm_agent.domain.question import Asked
    from fsm_agent.domain.step import Happened


class UnknownEvent(Refused):
    def __init__(self, event: str, known: Collection[str]) -> None:
        self.event, self.allowed = event, tuple(known)
        super().__init__(f"unknown event {event!r}{did_you_mean(event, known)}; this workflow has {listed(known)}")


class IllegalEvent(Refused):
    """``allowed`` names what may be sent instead; ``is_declared`` says that the workflow has such an event, so that it
    is not misspelt."""

    def __init__(
        self, event: object, state: str, allowed: Iterable[str], *, why: str = "", is_declared: bool = False
    ) -> None:
        self.event, self.state, self.allowed = str(event), state, tuple(allowed)
        what = f"event {event!r}" if isinstance(event, str) else f"{shortened(event)} names no event, and"
        others = [each for each in self.allowed if each != event]
        near = did_you_mean(event, others) if isinstance(event, str) and not is_declared else ""
        super().__init__(f"{what} is not allowed in state {state!r}{why}{near}; allowed: {listed(self.allowed)}")


class GuardsRefused(Refused):
    def __init__(self, event: str, state: str, guards: Iterable[str]) -> None:
        shown = " and ".join(f"`{guard}`" for guard in guards)
        super().__init__(f"event {event!r} is refused in state {state!r}: {shown} did not hold")


class PayloadInvalid(Refused):
    def __init__(self, event: str, problems: Iterable[str]) -> None:
        self.event, self.problems = event, tuple(problems)
        super().__init__(f"the payload of event {event!r} is wrong: {'; '.join(self.problems)}")


class DataInvalid(Refused):
    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"the data is wrong: {'; '.join(self.problems)}")


class DataTooLarge(DataInvalid):
    """``field`` is the heaviest of what was written. The figures are bytes of JSON; ``limit`` is as it was written."""

    def __init__(self, field: str, weight: int, whole: int, limit: str) -> None:
        self.field, self.weight = field, weight
        sum_ = "" if whole == weight else f" of {byte_count(whole)} in all"
        super().__init__([f"{field} would weigh {byte_count(weight)}{sum_}, and {limit} are allowed (limits.data)"])


class ExpressionFailed(Refused):
    """``values`` holds what the expression was evaluated on."""

    def __init__(self, expression: str, why: str, values: Mapping[str, object]) -> None:
        self.expression, self.values = expression, values
        where = ", ".join(f"{name} is {shortened(value)}" for name, value in values.items())
        super().__init__(f"expression `{expression}` failed: {why}{where and f', where {where}'}")


class NotAddressee(Refused):
    def __init__(self, by: str | None, to: Sequence[str]) -> None:
        who = "an unnamed sender" if by is None else repr(by)
        super().__init__(f"the question is for {listed(to)}, and {who} may not answer it")


class NotAsked(Refused):
    """``answered`` is the step of the answer that was taken, where that was not long ago."""

    def __init__(self, agent_id: str, state: str, status: str, *, answered: Happened | None = None) -> None:
        self.answered = answered
        what = f"agent {agent_id!r} asks nothing now: it {standing(status)} in state {state!r}"
        if answered is not None:
            what += f"; {answered.by or 'somebody'} answered {answered.event!r} at version {answered.version}"
        super().__init__(what)


class QuestionClosed(Refused):
    """An answer to another question than the present one. ``closed`` is the step that closed it, where that is known,
    ``is_answered`` whether that was an answer; ``now`` is what is asked instead, if anything."""

    def __init__(
        self,
        agent_id: str,
        question: object,
        stands: tuple[str, str],
        *,
        closed: Happened | None = None,
        is_answered: bool = False,
        now: Asked | None = None,
        was_asked: bool = True,
    ) -> None:
        self.agent_id, self.question, self.now = agent_id, question, now
        self.closed, self.is_answered = closed, is_answered
        what = f"question {question!r} of agent {agent_id!r} is closed"
        if not was_asked:
            what = f"agent {agent_id!r} has asked no question {question!r}"
        elif closed is not None:
            how = f"{closed.by or 'somebody'} answered {closed.event!r}" if is_answered else str(closed)
            what += f": {how} at version {closed.version}"
        super().__init__(f"{what}; {_asked_now(now, *stands)}")


def _asked_now(now: Asked | None, state: str, status: str) -> str:
    if now is None:
        return f"it asks nothing now: it {standing(status)} in state {state!r}"
    return f"it asks question {now.id} now: {shortened(now.prompt)}"


class AnswerUnclear(Refused):
    def __init__(self, agent_id: str, state: str, events: Iterable[str]) -> None:
        self.allowed = tuple(events)
        super().__init__(f"agent {agent_id!r} asks in state {state!r} for one of {listed(self.allowed)}: say which")


class LimitExceeded(Refused):
    def __init__(self, limit: str, bound: int | str, state: str) -> None:
        super().__init__(f"limit {limit} = {bound} would be exceeded in state {state!r}")


class KeyReuse(Refused):
    """``what`` is all that a repeat must have in common with the first use."""

    def __init__(self, key: str, what: str = "event or payload") -> None:
        super().__init__(f"key {key!r} was used already for another {what}")


class MessagesInvalid(Refused):
    """Each of ``problems`` begins with the place, as in ``[3].content``."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"the messages cannot be read: {'; '.join(self.problems)}")

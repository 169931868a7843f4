"""What an error means to whoever called is told by one table."""

from __future__ import annotations

import pytest

from fsm_agent import errors
from fsm_agent.cli.error_reports import EXIT_CODES
from fsm_agent.errors import FsmAgentError
from fsm_agent.errors.kinds import KINDS, ErrorKind, kind_of

CLASSES: list[type[FsmAgentError]] = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.WorkflowInvalid, ErrorKind.INVALID),
        (errors.PayloadInvalid, ErrorKind.INVALID),
        (errors.DataTooLarge, ErrorKind.INVALID),
        (errors.AgentNotFound, ErrorKind.NOT_FOUND),
        (errors.TokenNotFound, ErrorKind.NOT_FOUND),
        (errors.TokenExists, ErrorKind.CONFLICT),
        (errors.NotAddressee, ErrorKind.FORBIDDEN),
        (errors.Conflict, ErrorKind.OUTDATED),
        (errors.AnswerUnclear, ErrorKind.INVALID),
        (errors.QuestionClosed, ErrorKind.OUTDATED),
        (errors.IllegalEvent, ErrorKind.CONFLICT),
        (errors.LeaseHeld, ErrorKind.CONFLICT),
        (errors.StoreUnavailable, ErrorKind.UNAVAILABLE),
        (errors.EngineUnavailable, ErrorKind.UNAVAILABLE),
        (errors.EngineUrlInvalid, ErrorKind.INVALID),
        (errors.AgentDamaged, ErrorKind.FAILED),
        (errors.ToolMissing, ErrorKind.FAILED),
    ],
)
def test_the_kind_of_an_error_says_what_the_caller_can_do(error: type[FsmAgentError], kind: ErrorKind) -> None:
    assert kind_of(error) is kind


def test_whatever_is_refused_is_something_that_the_caller_can_change() -> None:
    refused = {each for each in CLASSES if issubclass(each, errors.Refused)}
    assert {each for each in refused if kind_of(each) in (ErrorKind.FAILED, ErrorKind.UNAVAILABLE)} == set()


def test_a_row_of_the_table_says_what_no_row_above_it_has_said() -> None:
    said_above = {each: kind_of(each.__mro__[1]) for each in KINDS if each is not FsmAgentError}
    assert [each.__name__ for each, above in said_above.items() if KINDS[each] is above] == []


def test_every_kind_has_an_exit_code() -> None:
    assert set(EXIT_CODES) == set(ErrorKind)
    assert {kind for kind, code in EXIT_CODES.items() if code == 2} == {ErrorKind.MALFORMED}

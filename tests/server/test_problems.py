"""Every error of ours as a problem: its status, a document that fits its schema, and what a program can go on with."""

from __future__ import annotations

import re
from typing import Any, Final

import jsonschema_rs
import pytest

from fsm_agent import errors
from fsm_agent.domain.question import Asked
from fsm_agent.errors import FsmAgentError
from fsm_agent.server.api.schemas import SCHEMAS, whole
from fsm_agent.server.problems import HttpProblem, problem_of
from tests.errors.test_errors import SENTENCES

#: class -> status; a class that is not here has that of the class above it
STATUSES: Final[dict[type[FsmAgentError], int]] = {
    errors.FsmAgentError: 500,
    errors.Refused: 409,
    errors.AgentNotFound: 404,
    errors.VersionMissing: 404,
    errors.TokenNotFound: 404,
    errors.AnswerUnclear: 422,
    errors.ArgumentInvalid: 422,
    errors.DataInvalid: 422,
    errors.ExpressionFailed: 422,
    errors.IdInvalid: 422,
    errors.KeyReuse: 422,
    errors.MessagesInvalid: 422,
    errors.PayloadInvalid: 422,
    errors.UnknownEvent: 422,
    errors.WorkflowUnknown: 422,
    errors.NotAddressee: 403,
    errors.QuestionClosed: 412,
    errors.RunnerClosed: 503,
    errors.StoreUnavailable: 503,
}
#: statuses where the request named a version
CONDITIONAL: Final = {errors.Conflict: 412, errors.UserConflict: 412}

#: errors whose message is given to them
GIVEN: Final = [
    kind("something is wrong")
    for kind in (
        errors.FsmAgentError,
        errors.Refused,
        errors.ArgumentInvalid,
        errors.ActionError,
        errors.ToolError,
        errors.EffectUnclear,
        errors.ModelError,
        errors.EngineError,
        errors.EngineUrlInvalid,
        errors.StoreError,
        errors.StoreUrlInvalid,
        errors.StoreUnavailable,
        errors.StoreCorrupt,
        errors.StoreTooNew,
        errors.MachineInvalid,
        errors.SettingsInvalid,
        errors.RenderFailed,
    )
]
ERRORS: Final = [*(error for error, _ in SENTENCES), *GIVEN]
PROBLEM: Final = jsonschema_rs.validator_for(whole(SCHEMAS["Problem"]))


def tree(root: type[FsmAgentError] = FsmAgentError) -> set[type[FsmAgentError]]:
    """All classes of errors that the package has."""
    below = {each for child in root.__subclasses__() for each in tree(child)}
    return {each for each in {root, *below} if each.__module__.startswith("fsm_agent.errors.")}


def status_of(error: type[FsmAgentError], table: dict[Any, int]) -> int:
    return next(table[each] for each in error.__mro__ if each in table)


def test_there_is_an_example_of_every_class() -> None:
    assert {type(error) for error in ERRORS} == tree()


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: type(each).__name__)
def test_an_error_has_the_status_that_says_what_the_caller_can_do(error: FsmAgentError) -> None:
    assert problem_of(error).status == status_of(type(error), STATUSES)
    assert problem_of(error, is_conditional=True).status == status_of(type(error), {**STATUSES, **CONDITIONAL})


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: type(each).__name__)
def test_its_document_fits_the_schema_and_says_where_it_was(error: FsmAgentError) -> None:
    told = problem_of(error)
    document = told.to_json("/v1/agents/a-1")
    PROBLEM.validate(document)
    assert document["instance"] == "/v1/agents/a-1"
    assert re.fullmatch(r"urn:fsm-agent:problem:[a-z]+(-[a-z]+)*", str(document["type"]))
    response = told.response("/v1/agents/a-1")
    assert response.media_type == "application/problem+json"
    assert ("retry-after" in response.headers) == (told.status == 503)


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: type(each).__name__)
def test_its_sentence_is_for_who_has_no_terminal(error: FsmAgentError) -> None:
    detail = problem_of(error).detail
    assert not re.search(r"fsm-agent|--\w|FSM_AGENT|pyproject|stop that process", detail)
    if problem_of(error).status < 500 and not isinstance(error, errors.LeaseHeld):
        assert str(error).startswith(detail)


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: type(each).__name__)
def test_what_is_allowed_and_all_that_is_wrong_is_carried(error: FsmAgentError) -> None:
    more = problem_of(error).more
    assert more.get("allowed") == (list(error.allowed) if hasattr(error, "allowed") else None)
    assert more.get("problems") == (list(error.problems) if hasattr(error, "problems") else None)


def test_places_and_settings_of_the_server_are_told_to_nobody() -> None:
    for error in (
        errors.StoreUnavailable("sqlite:////srv/secret.db is locked"),
        errors.StoreCorrupt("sqlite:////srv/secret.db is no store"),
        errors.StoreTooNew("sqlite:////srv/secret.db is too new"),
        errors.SettingsInvalid("the tokens in /srv/secret.json cannot be read"),
        errors.DefinitionMissing("sqlite:////srv/secret.db", "5bf0"),
        errors.KeyMissing("secret", ["another secret"]),
        errors.ModuleUnread("secret", ImportError("no /srv/secret.py")),
    ):
        assert "secret" not in str(problem_of(error).to_json("/"))


def test_a_conflict_tells_the_version_that_is_and_a_closed_question_the_one_that_is_open() -> None:
    assert problem_of(errors.Conflict("a-1", 3, 5)).more == {"version": 5}
    assert problem_of(errors.Conflict("a-1", 3)).more == {}
    closed = errors.QuestionClosed("a-1", 4, ("asking", "waiting"), now=Asked("Pay 7?", id=8))
    assert problem_of(closed).more == {"question": 8}
    assert problem_of(errors.QuestionClosed("a-1", 4, ("done", "done"))).more == {}


def test_a_problem_of_the_door_itself_says_how_a_token_is_sent_and_when_to_ask_again() -> None:
    assert HttpProblem(401, "unauthorized", "no").response("/").headers["www-authenticate"] == "Bearer"
    assert HttpProblem(429, "too-many-requests", "no").response("/").headers["retry-after"] == "1"

"""The reader of a whole document: plain values from YAML or Python become the normalised ``Workflow``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from fsm_agent.dialect import arguments, child_workflows, fields, migrations, scalars, states, transitions
from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.context import ReadContext, Reader
from fsm_agent.dialect.keys import DEEPEST, WORKFLOW, Kind
from fsm_agent.dialect.state_names import DocumentStates
from fsm_agent.domain.finding import Finding, Path, Severity
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.text import shortened
from fsm_agent.domain.workflow import BUILT_IN_EVENTS, Workflow


def _must(context: ReadContext, value: Json, path: Path) -> Any:
    from fsm_agent.dialect.properties import must  # imported by documents that have properties alone

    return must(context, value, path)


def _terms(context: ReadContext, value: Json, path: Path) -> Any:
    from fsm_agent.dialect.properties import terms

    return terms(context, value, path)


READERS: Final[Mapping[Kind, Reader]] = {
    Kind.NAME: scalars.name,
    Kind.TEXT: scalars.text,
    Kind.PROMPT: scalars.prompt,
    Kind.COUNT: scalars.count,
    Kind.AMOUNT: scalars.amount,
    Kind.TRUE: scalars.true,
    Kind.EXPRESSION: scalars.expression,
    Kind.ACTION: scalars.action,
    Kind.DURATION: scalars.duration,
    Kind.BYTE_SIZE: scalars.byte_size,
    Kind.DELAY: scalars.delay,
    Kind.OUTCOME: scalars.word(*scalars.OUTCOMES),
    Kind.VALUES: scalars.values,
    Kind.EXPRESSIONS: scalars.expressions,
    Kind.ANSWERS: scalars.answers,
    Kind.ERROR_NAMES: scalars.error_names,
    Kind.TARGET: transitions.target,
    Kind.INITIAL: transitions.initial,
    Kind.HANDLERS: transitions.handlers,
    Kind.TIMERS: transitions.timers,
    Kind.VISITS: transitions.visits,
    Kind.RETRY: states.retry,
    Kind.ASK: states.ask,
    Kind.STATES: states.states,
    Kind.LIMITS: states.limits,
    Kind.MERGE: scalars.merge,
    Kind.DATA: fields.data,
    Kind.EVENTS: fields.events,
    Kind.MIGRATIONS: migrations.migrations,
    Kind.STATE_RENAMES: migrations.state_renames,
    Kind.DATA_CHANGES: migrations.data_changes,
    Kind.FIELD_RENAMES: migrations.field_renames,
    Kind.FIELD_VALUES: migrations.field_values,
    Kind.FIELD_NAMES: migrations.field_names,
    Kind.MUST: _must,
    Kind.TERMS: _terms,
    Kind.FUNCTION: migrations.function,
    Kind.CONVERSATION: states.conversation,
    Kind.STRATEGY: scalars.word(*scalars.STRATEGIES),
    Kind.FIELDS: fields.fields,
    Kind.PROGRESS: states.progress,
    Kind.CHILDREN: child_workflows.children,
    Kind.ARGUMENTS: arguments.arguments,
    Kind.EVENT: arguments.event,
    Kind.FIELD: arguments.field,
    Kind.INTO: arguments.into,
    Kind.NAMES: arguments.different_names,
    Kind.TOOLS: arguments.tools,
    Kind.REQUIRED: scalars.word(*scalars.APPROVALS),
    Kind.EFFECT_MODE: scalars.word(*scalars.EFFECT_MODES),
    Kind.APPROVAL: arguments.approval,
    Kind.URL: arguments.url,
    Kind.METHOD: scalars.word(*scalars.METHODS),
    Kind.HEADERS: arguments.headers,
    Kind.BODY: arguments.body,
    Kind.VARIABLE: arguments.variable,
    Kind.STATUSES: arguments.statuses,
    Kind.LANGUAGE_MODEL: arguments.language_model,
    Kind.ON_FAILURE: scalars.word(*scalars.ON_FAILURE),
}

#: largest integer that a double holds exactly; RFC 8785, which the hash uses, allows no larger ones
_LARGEST: Final = 2**53 - 1

ResolveModel: TypeAlias = Callable[[str], Schema | None]
ResolveWorkflow: TypeAlias = Callable[[str], Workflow | None]


def read_document(
    document: Json, *, resolve_model: ResolveModel | None = None, resolve_workflow: ResolveWorkflow | None = None
) -> tuple[Workflow | None, list[Finding]]:
    """The workflow that a document declares, or ``None``, and all findings. An invalid document gives no workflow.

    ``resolve_model`` returns the JSON Schema of ``data: module:Model``, or ``None`` if it is unknown, or raises
    ``FsmAgentError``. ``resolve_workflow`` returns the workflow of a file under ``workflows``, or ``None`` if the file
    is invalid, or raises ``ValueError``.
    """
    draft, findings = read_draft(document, resolve_model=resolve_model, resolve_workflow=resolve_workflow)
    return None if is_invalid(findings) else draft, findings


def read_draft(
    document: Json, *, resolve_model: ResolveModel | None = None, resolve_workflow: ResolveWorkflow | None = None
) -> tuple[Workflow | None, list[Finding]]:
    """Like ``read_document``, but a document with mistakes gives a draft of what could be read.

    Use a draft only to find more mistakes in its expressions.
    """
    if odd := list(_not_json(document)):
        return None, odd
    inline = partial(read_draft, resolve_model=resolve_model, resolve_workflow=resolve_workflow)
    context = ReadContext(
        DocumentStates.of(document), _events(document), READERS, resolve_model, resolve_workflow, inline
    )
    found = context.entries(WORKFLOW, document, ())
    findings = [each for each in context.findings if not _is_consequence(each, context.misspelt)]
    hides_names = not context.misspelt.isdisjoint({"data", "events", "user", "workflows"})
    if not isinstance(document, dict) or hides_names or ("data" in document and "data" not in found):
        return None, findings
    return _draft(found), findings


def _events(document: Json) -> Mapping[str, None]:
    """The events that a document declares, in their order, if their names are allowed."""
    declared = document.get("events") if isinstance(document, dict) else None
    return {event: None for event in declared if event not in BUILT_IN_EVENTS} if isinstance(declared, dict) else {}


def _draft(found: dict[str, Any]) -> Workflow:
    data: fields.Declared = found.pop("data", fields.Declared({}))
    read: dict[str, Any] = {"version": 0, "initial": "", "states": ()} | found
    return Workflow(name=read.pop("workflow", ""), data=data.fields, model=data.model, **read)


#: what seems to be missing if a key is misspelt -> that key
_CONSEQUENCES: Final[Mapping[str, str]] = {
    Code.UNKNOWN_STATE: "states",
    Code.UNKNOWN_EVENT: "events",
    Code.UNANSWERABLE: "on",
}


def _is_consequence(finding: Finding, misspelt: set[str]) -> bool:
    return _CONSEQUENCES.get(finding.code) in misspelt


def is_invalid(findings: list[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)


def _not_json(value: Json, path: Path = ()) -> Iterator[Finding]:
    """Values of a document that are no JSON, and numbers that not all readers read alike."""
    if len(path) > DEEPEST:
        yield Finding(Code.TOO_DEEP.value, f"a document may nest {DEEPEST} levels deep, and this is deeper", path)
        return
    match value:
        case dict():
            for key, each in value.items():
                if isinstance(key, str) and _is_unicode(key):
                    yield from _not_json(each, (*path, key))
                else:
                    message = f"a key must be text, and is {shortened(key)}"
                    yield Finding(Code.KEY_NOT_TEXT.value, message, path)
        case list():
            for index, each in enumerate(value):
                yield from _not_json(each, (*path, index))
        case _ if (problem := _why_not_json(value)) is not None:
            yield Finding(Code.NOT_JSON.value, problem, path)


def _why_not_json(value: Json) -> str | None:
    match value:
        case None | bool():
            return None
        case str():
            return None if _is_unicode(value) else "a text holds half a surrogate pair, which is no character"
        case int():
            limit = f"the largest integer that a declaration can hold is {_LARGEST}"
            return None if abs(value) <= _LARGEST else f"{limit}; write it as a string, or compute it in an action"
        case float():
            return None if math.isfinite(value) else f"{value} is no number that JSON can hold"
        case _:
            return f"a value of the type {type(value).__name__} is no JSON: write text, a number, a list or a mapping"


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)

"""The exact command lines that may come next for an agent."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from fsm_agent.cli.input.values import meaning
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.data.typed_values import only_type
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json, Schema, object_schema
from fsm_agent.domain.question import Question
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import ActionError, ActionMissing, EffectInDoubt, EffectMismatch, ExpressionFailed

#: reasons to park an agent for an effect, which must be settled by its key
_UNCLEAR: Final = (EffectInDoubt.__name__, EffectMismatch.__name__)


class Next(NamedTuple):
    """What may happen next, the command for it, and the values that it takes."""

    label: str
    command: str
    values: str = ""


def next_commands(
    settings: CommandSettings, agent: Agent, workflow: Workflow, doubts: Sequence[EffectEntry] = ()
) -> Iterator[Next]:
    """All that can be done with an agent, the most likely first. ``doubts`` are the effects for which it is parked."""
    match agent.status:
        case Status.RUNNING:
            yield _go_on(settings, agent, workflow)
        case Status.PARKED:
            yield from settling(settings, agent.id, doubts)
            if agent.error and agent.error["type"] in _UNCLEAR:
                yield Next("see effects", settings.command("effects", agent.id))
            if not doubts:  # another try would park it again
                yield from _mended(settings, agent, workflow)
            yield from _instead(settings, agent, workflow)
        case Status.WAITING:
            yield from _waiting(settings, agent, workflow)
        case Status.DONE | Status.FAILED | Status.CANCELLED:
            yield Next("look back", settings.command("history", agent.id))
    if "cancel" in agent.allowed:
        yield Next("cancel", settings.command("cancel", agent.id))


def _go_on(settings: CommandSettings, agent: Agent, workflow: Workflow) -> Next:
    """What drives an agent that runs. If workers left it to others, the module with its action may be missing here."""
    name = workflow.by_path[agent.state].do
    if name and agent.retry and agent.retry.is_left_to_others:
        try:
            settings.catalogue(imports=False).action(name)
        except ActionError:
            command = settings.command("resume", agent.id, "--module", "MODULE")
            return Next("go on", command, f"MODULE: one that has action {name!r}")
    return Next("go on", settings.command("resume", agent.id))


def settling(settings: CommandSettings, agent_id: str, entries: Iterable[EffectEntry]) -> Iterator[Next]:
    """The commands by which an operator settles effects in doubt."""
    for entry in entries:
        words = ("unpark", agent_id, "--effect", entry.key)
        yield Next(f"{entry.name}: done", settings.command(*words, "--result", json.dumps("RESULT")))
        yield Next(f"{entry.name}: not done", settings.command(*words, "--not-done"))


def _mended(settings: CommandSettings, agent: Agent, workflow: Workflow) -> Iterator[Next]:
    """What to type after somebody has repaired the definition, the code, or the world outside."""
    kind = agent.error["type"] if agent.error else ""
    helps = _Helps(migrate=kind == ExpressionFailed.__name__, retry=True)
    if kind == ActionMissing.__name__:
        helps = _what_helps(settings, workflow.by_path[agent.state].do or "")
    if helps.migrate:
        command = settings.command("migrate", "WORKFLOW", agent.id, "--apply")
        yield Next("migrate", command, "WORKFLOW: its file, mended, with a higher version")
    if helps.retry:
        yield Next("try again", settings.command("unpark", agent.id, "--retry"))


class _Helps(NamedTuple):
    """What may help: another definition, or another attempt."""

    migrate: bool
    retry: bool


def _what_helps(settings: CommandSettings, name: str) -> _Helps:
    """What helps against a missing action. If the allowed modules certainly have no such name, the definition is wrong;
    if their text leaves that open, either may be wrong."""
    catalogue = settings.catalogue(imports=False)
    try:
        is_sure = not catalogue.action(name).doubt or name in catalogue.actions()
    except ActionMissing as missing:
        is_nowhere = catalogue.are_listed and missing.unmarked_in is None
        return _Helps(migrate=is_nowhere, retry=not is_nowhere)
    except ActionError:
        is_sure = True
    return _Helps(migrate=not is_sure, retry=True)


def _instead(settings: CommandSettings, agent: Agent, workflow: Workflow) -> Iterator[Next]:
    """The events that an operator may send to a parked agent."""
    for event in workflow.allowed(agent.state):
        if event in workflow.events:
            yield _event(settings, workflow, event, "unpark", agent.id, "--event", event)


def _waiting(settings: CommandSettings, agent: Agent, workflow: Workflow) -> Iterator[Next]:
    asked = agent.question.events if agent.question else {}
    if agent.question:
        yield from answers(settings, agent.id, agent.question)
    for event in agent.allowed:
        if event not in asked and event != "cancel":
            yield _event(settings, workflow, event, "send", agent.id, event)


def _event(settings: CommandSettings, workflow: Workflow, event: str, *words: str) -> Next:
    """A command line that sends an event, with its payload to be filled in."""
    schema = object_schema(workflow.payload_fields(event))
    payload = ("--payload", example(schema)) if schema["required"] else ()
    return Next(event, settings.command(*words, *payload), _values(schema))


def answers(settings: CommandSettings, agent_id: str, question: Question) -> Iterator[Next]:
    """A command line for each answer of a question, by somebody who may give it."""
    if question.to and settings.by not in question.to:
        from fsm_agent.data.erased import ERASED

        known = [name for name in question.to if name != ERASED]
        settings = settings.changed(given_by=(known or question.to)[0])
    for event, schema in question.events.items():
        words = ["--question", str(question.id), *(["--event", event] if len(question.events) > 1 else [])]
        match schema["required"]:
            case []:
                pass
            case [name]:
                words.append(name.upper())
            case _:
                words.append(example(schema))
        yield Next(event, settings.command("answer", agent_id, *words), _values(schema))


def example(schema: Schema) -> str:
    """A payload with all required fields, to be filled in."""
    return json.dumps({name: _stand_in(name, schema["properties"][name]) for name in schema["required"]})


def _stand_in(name: str, field: Schema) -> Json:
    match only_type(field):
        case "integer" | "number":
            return field.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            return []
        case "object":
            return {}
        case _:
            return name.upper()


def _values(schema: Schema) -> str:
    fields: Mapping[str, Schema] = schema["properties"]
    optional = {name: "" if name in schema["required"] else ", optional" for name in fields}
    return "; ".join(f"{name}: {meaning(field)}{optional[name]}" for name, field in fields.items())

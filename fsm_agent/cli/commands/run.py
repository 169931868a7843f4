"""``run``: the file, the first event with its payload, and the dialogue that may follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from fsm_agent.cli.commands.dialogue import ask_missing, converse
from fsm_agent.cli.input.paths import workflow_file
from fsm_agent.cli.session import Session
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output
from fsm_agent.domain.agent import Agent
from fsm_agent.domain.finding import Severity
from fsm_agent.domain.json import Json, object_schema
from fsm_agent.domain.text import listed
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import WorkflowInvalid


@dataclass(frozen=True, slots=True)
class RunArguments:
    """The arguments of the command line."""

    agent_id: str | None
    key: str | None
    event: str | None
    payload: Mapping[str, Json] | None
    data: Mapping[str, Json] | None
    user: str | None
    #: names with texts
    labels: Sequence[tuple[str, str]]
    no_input: bool
    no_drive: bool


def load_workflow(settings: CommandSettings, path: str, *, imports: bool = True) -> Workflow:
    """The workflow in a file; raises ``WorkflowInvalid``. Without ``imports``, the fields of a data model are
    unknown."""
    from fsm_agent.loading.yaml_file import load

    return load(workflow_file(path), resolve_model=settings.catalogue(imports=imports).model_schema)


def checked_workflow(settings: CommandSettings, path: str) -> Workflow:
    """The workflow in a file. Raises ``WorkflowInvalid`` with all mistakes, including actions, tools and packages that
    are missing or do not fit, since they would park an agent or make it fail. Which states can be reached is a matter
    for `check`."""
    from fsm_agent.check.codes import Code, concerns_actions
    from fsm_agent.cli.commands.check import inspect
    from fsm_agent.cli.logs import unread_modules_once

    catalogue = settings.catalogue(imports=True)
    with unread_modules_once() as texts:
        workflow, findings = inspect(workflow_file(path), catalogue, trusts_names=False, only=concerns_actions)
        texts += [finding.message for finding in findings]
    if workflow is None:
        raise WorkflowInvalid([each for each in findings if each.severity is Severity.ERROR])
    if lacking := [each for each in findings if each.code == Code.MISSING_EXTRA]:
        raise WorkflowInvalid(lacking)
    return workflow


def first_event(workflow: Workflow, event: str | None, *, has_payload: bool) -> str | None:
    """The first event of an agent: the given one, or the only one that the initial state itself handles.

    ``None`` if the initial state begins by itself: it works, or asks, or handles no event.
    """
    if event is not None:
        return event
    leaf = workflow.leaf(workflow.initial)
    begins_by_itself = leaf.do or (leaf.ask and not has_payload)
    own = () if begins_by_itself else workflow.first_events
    if len(own) > 1:
        raise click.ClickException(f"state {leaf.path!r} takes {listed(own)}: say with --event which comes first")
    if has_payload and not own:
        raise click.ClickException(f"state {leaf.path!r} begins without an event: add --event, or leave --payload out")
    return own[0] if own else None


def labels_of(given: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Labels by name. Raises ``click.ClickException`` if a name is given two texts."""
    labels: dict[str, str] = {}
    for name, text in given:
        if labels.setdefault(name, text) != text:
            raise click.ClickException(f"--label gives {name!r} two texts, {labels[name]!r} and {text!r}")
    return labels


async def begin(session: Session, workflow: Workflow, arguments: RunArguments) -> Agent:
    """Start an agent, and hold a dialogue with it if a person is at the terminal."""
    event = first_event(workflow, arguments.event, has_payload=arguments.payload is not None)
    payload, data, labels = arguments.payload or {}, arguments.data or {}, labels_of(arguments.labels)
    talks = output.is_conversation(session.settings) and not arguments.no_input
    drives = not arguments.no_drive
    if talks:
        output.say(": ".join(filter(None, [f"{workflow.name} v{workflow.version}", workflow.description])))
        data = await ask_missing(object_schema(workflow.data), data)
        payload = await ask_missing(object_schema(workflow.events.get(event or "", {})), payload)
    call = session.runner.start(
        workflow,
        event,
        payload,
        data=data,
        id=arguments.agent_id,
        key=arguments.key,
        by=session.settings.by,
        user=arguments.user,
        labels=labels,
        drive=drives,
    )
    agent = await session.follow(call)
    return await converse(session, agent) if talks and drives else agent

"""Workflows declared in Python: the same dialect with types. A declaration becomes the document that YAML would give.

So the same rules apply to both, equal declarations have the same hash, and mistakes are named by their path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from pathlib import Path as FilePath
from typing import Any, Final, Self, TypeAlias

from fsm_agent.check.document_checks import examine
from fsm_agent.data.arguments import check
from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.keys import STATE
from fsm_agent.dialect.pydantic_models import is_model, model_name, model_schema
from fsm_agent.dialect.reader import ResolveModel
from fsm_agent.dialect.writer import to_document
from fsm_agent.domain import workflow as words
from fsm_agent.domain.conversation import ConversationPolicy, ProgressRule
from fsm_agent.domain.finding import Finding, Path
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.state import Ask, ByteSize, Duration, MergePolicy, Retry, Transition, compact
from fsm_agent.domain.text import shortened
from fsm_agent.errors import WorkflowInvalid

__all__ = ["Ask", "Migration", "Retry", "State", "Transition", "Workflow"]

#: the value of an event or a timer: a target, a transition, or several in the order in which they are tried
Choice: TypeAlias = str | Transition | Mapping[str, Json] | Sequence[str | Transition | Mapping[str, Json]]
#: payload or data field -> its type: a short form such as ``string?``, or a JSON Schema
Fields: TypeAlias = Mapping[str, str | list[Any] | Schema]


@dataclass(frozen=True, slots=True)
class State:
    """A named place, with the keys that a state has in YAML; ``do`` takes the action's name or the action itself."""

    name: str
    _: KW_ONLY
    description: str = ""
    do: str | Callable[..., Any] | None = None
    with_: Mapping[str, Json] = field(default_factory=dict)
    timeout: str | None = None
    retry: Retry | Mapping[str, Json] | None = None
    ask: Ask | Mapping[str, Json] | None = None
    after: Mapping[str, Choice] = field(default_factory=dict)
    #: ``None`` forbids what an outer level declares
    on: Mapping[str, Choice | None] = field(default_factory=dict)
    initial: str | None = None
    states: Sequence[State] = ()
    final: bool = False
    outcome: str | None = None
    output: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Migration:
    """How agents of an older version move to this one, with the keys of an entry under ``migrations`` in YAML.
    ``upcast`` is ``module:function`` or the function itself."""

    from_version: int
    _: KW_ONLY
    states: Mapping[str, str] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    default: Mapping[str, Json] = field(default_factory=dict)
    drop: Sequence[str] = ()
    upcast: str | Callable[[dict[str, Any]], Mapping[str, Json]] | None = None

    def to_json(self) -> Json:
        """The entry as YAML would have it."""
        changes = {"drop": self.drop, "rename": self.rename, "default": self.default}
        return compact(
            from_=self.from_version,
            states=_plain(self.states),
            data=compact(**{key: _plain(value) for key, value in changes.items()}),
            upcast=_reference(self.upcast) if callable(self.upcast) else self.upcast,
        )


class Workflow(words.Workflow):
    """A workflow declared in Python; raises ``WorkflowInvalid`` with all mistakes.

    ``data`` maps fields to types, or is a pydantic model. ``events`` maps each event to the fields of its payload.
    ``merge`` says for data fields how the changes of two people become one. ``workflows`` are those of child agents.
    ``must`` maps the name of each property to its rule, as in ``{"booked_once": {"at_most": 1, "of": "book"}}``.
    """

    def __init__(
        self,
        name: str,
        *,
        version: int,
        initial: str,
        states: Sequence[State],
        data: Fields | type[Any] | None = None,
        events: Mapping[str, Fields] | None = None,
        on: Mapping[str, Choice] | None = None,
        limits: words.Limits | Mapping[str, Json] | None = None,
        merge: Mapping[str, MergePolicy] | None = None,
        conversation: ConversationPolicy | Mapping[str, Json] | None = None,
        user: Fields | None = None,
        progress: ProgressRule | Mapping[str, str] | None = None,
        workflows: Mapping[str, words.Workflow | Mapping[str, Json]] | None = None,
        migrations: Sequence[Migration | Mapping[str, Json]] = (),
        must: Mapping[str, Mapping[str, Any]] | None = None,
        description: str = "",
    ) -> None:
        mistakes: list[Finding] = []
        schema = model_schema(data) if is_model(data) else {}
        children = {key: each for key, each in (workflows or {}).items() if isinstance(each, words.Workflow)}
        entries = {
            "events": events,
            "on": on,
            "limits": limits,
            "merge": merge,
            "conversation": conversation,
            "user": user,
            "progress": progress,
            # a workflow as a value is not written into the document: its name stands for it
            "workflows": {key: key if key in children else each for key, each in (workflows or {}).items()},
            "migrations": migrations,
            "must": must,
        }
        document = compact(description=description, **{key: _plain(value) for key, value in entries.items()}) | {
            "workflow": name,
            "version": version,
            "data": model_name(data) if is_model(data) else _plain(data or {}),
            "initial": initial,
            "states": _states(states, ("states",), mistakes),
        }
        read, findings = examine(document, resolve_model=lambda _: schema, resolve_workflow=_among(children))
        if read is None or mistakes:
            raise WorkflowInvalid(mistakes + findings)
        self._become(read)
        if is_model(data):
            object.__setattr__(self, "model_class", data)
        functions = [each.upcast for each in migrations if isinstance(each, Migration) and callable(each.upcast)]
        object.__setattr__(self, "upcasters", {_reference(function): function for function in functions})

    @classmethod
    def load(cls, path: str | FilePath, *, resolve_model: ResolveModel | None = None) -> Self:
        """The workflow in a YAML file; raises ``WorkflowInvalid`` with file, line and column."""
        check(path=path)
        from fsm_agent.loading.yaml_file import load

        return cls._of(load(path, resolve_model=resolve_model))

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> Self:
        return cls._of(words.Workflow.from_json(document))

    def to_yaml(self) -> str:
        """The declaration in YAML; loading it gives an equal workflow."""
        from fsm_agent.loading.yaml_file import dump

        return dump(to_document(self))

    @classmethod
    def _of(cls, read: words.Workflow) -> Self:
        made = cls.__new__(cls)
        made._become(read)
        return made

    def _become(self, read: words.Workflow) -> None:
        for each in fields(words.Workflow):
            object.__setattr__(self, each.name, getattr(read, each.name))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, words.Workflow):
            return False
        return self.to_json() == other.to_json() and _properties(self) == _properties(other)

    def __hash__(self) -> int:
        return hash(self.hash)


def _properties(workflow: words.Workflow) -> Json:
    """What must hold of a workflow and of its children: the JSON that a store keeps leaves it out."""
    own = {each.name: each.to_json() for each in workflow.must}
    return [own, {name: _properties(child) for name, child in workflow.workflows.items()}]


_ATTRIBUTES: Final = {key: "with_" if key == "with" else key for key in STATE}


def _states(states: Sequence[State], path: Path, mistakes: list[Finding]) -> dict[str, Json]:
    """The mapping of states as YAML would have it. Mistakes that a mapping cannot show are noted here."""
    found: dict[str, Json] = {}
    for index, state in enumerate(states):
        if not isinstance(state, State):
            message = f"{shortened(state)} is no State: write State(name, ...)"
            mistakes.append(Finding(Code.WRONG_TYPE.value, message, (*path, index)))
            continue
        if state.name in found:
            message = f"state {state.name!r} is declared twice: rename one of them"
            mistakes.append(Finding(Code.DUPLICATE_KEY.value, message, (*path, state.name)))
        written = {key: _plain(getattr(state, attribute)) for key, attribute in _ATTRIBUTES.items() if key != "states"}
        found[state.name] = compact(**written, states=_states(state.states, (*path, state.name, "states"), mistakes))
    return found


def _plain(value: Any) -> Json:
    """A value of the declaration as YAML would have it."""
    match value:
        case Transition() | Retry() | Ask() | Migration() | words.Limits() | ConversationPolicy() | ProgressRule():
            return value.to_json()
        case Duration() | ByteSize():
            return value.text
        case Mapping():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return _action_name(value) if callable(value) else value


def _among(children: Mapping[str, words.Workflow]) -> Callable[[str], words.Workflow]:
    def find(name: str) -> words.Workflow:
        if name not in children:
            raise ValueError("only a file can name another file: write Workflow.load(...)")
        return children[name]

    return find


def _reference(function: Callable[..., Any]) -> str:
    """The name of a function under ``upcast``: ``module:function``."""
    return f"{function.__module__}:{getattr(function, '__qualname__', function)}"


def _action_name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "action_name", None) or getattr(function, "__name__", function))

"""A machine of XState becomes a document of the dialect."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from fsm_agent.dialect import read_document, to_document
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Transition, compact
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import MachineInvalid, WorkflowInvalid
from fsm_agent.xstate.domains import left_anew
from fsm_agent.xstate.handlers import Carried, Reader
from fsm_agent.xstate.losses import Loss, shown
from fsm_agent.xstate.name_table import NameTable
from fsm_agent.xstate.nodes import Node, Tree
from fsm_agent.xstate.raised import rejoin_timers
from fsm_agent.xstate.redirects import Redirects

#: keys of a machine that are carried, or that say nothing about behaviour
_MACHINE: Final = frozenset({"id", "version", "description", "context", "initial", "states", "on", "type"})
_STATE: Final = frozenset({"id", "key", "order", "description", "initial", "states", "on", "after", "invoke", "type"})
#: keys for which there is nothing here -> what they do there
_NOTHING_LIKE: Final[Mapping[str, str]] = {
    "entry": "actions on entry have no equal: let the transitions that lead here assign what they would",
    "exit": "actions on exit have no equal: let the transitions that lead away assign what they would",
    "always": "transitions without an event have no equal: this state waits for one",
    "onDone": "what follows when the states inside have ended has no equal",
    "output": "what the machine returns is not carried: write it under `output` of a final state",
    "tags": "they are not carried",
    "meta": "it is not carried",
    "history": "it is not carried",
    "target": "it is not carried",
}
_TYPES: Final = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


class Imported(NamedTuple):
    """A document of the dialect, and what the machine had besides."""

    document: dict[str, Json]
    workflow: Workflow
    losses: tuple[Loss, ...]
    #: event -> what it is called here
    events: Mapping[str, str]
    #: name of a guard -> the field of the data that stands for it
    guards: Mapping[str, str]


def machine_of(text: str) -> Json:
    """The value of a JSON text; raises ``MachineInvalid``."""
    try:
        found = json.loads(text, parse_constant=_no_number)
        json.dumps(found, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise MachineInvalid(f"it is not JSON ({error.msg}, {where}): export the machine as JSON first") from None
    except RecursionError:
        raise MachineInvalid("it is nested too deeply for a machine") from None
    except UnicodeEncodeError:
        raise MachineInvalid("a text in it holds half a surrogate pair, which is no character") from None
    except ValueError as error:  # more digits than Python reads
        raise MachineInvalid(f"it is not JSON that can be read: {error}") from None
    return found


def imported(machine: Json) -> Imported:
    """Raises ``MachineInvalid`` for what is no machine, or one of which nothing is left."""
    tree = Tree(machine)
    redirects = Redirects(tree)
    reader = Reader(tree, redirects, NameTable(tree, redirects))
    writer = _Writer(tree, redirects, reader)
    document = writer.document()
    unlike = rejoin_timers(document)
    workflow, findings = read_document(document)
    if workflow is None:
        raise WorkflowInvalid(findings)
    kept = _kept_timers(workflow, reader.carried)
    losses = (*reader.table.losses, *redirects.losses, *writer.losses, *reader.losses, *unlike, *kept)
    return Imported(to_document(workflow), workflow, tuple(dict.fromkeys(losses)), reader.table.events, reader.guards)


class _Writer:
    def __init__(self, tree: Tree, redirects: Redirects, reader: Reader) -> None:
        self.losses: list[Loss] = []
        self._tree, self._redirects, self._reader = tree, redirects, reader

    def document(self) -> dict[str, Json]:
        root = self._tree.root
        self._note(root, _MACHINE)
        data = self._data(root.body.get("context"))
        self._reader.fields = frozenset(data)
        states = dict(self._states(root))
        if not states:
            raise MachineInvalid("nothing is left of the machine: a workflow can have none of its states")
        on = self._reader.handlers(root)
        return compact(
            workflow=self._reader.table.machine,
            version=self._version(root.body.get("version")),
            description=_text(root.body.get("description")),
            data={**data, **self._reader.flags()},
            events={event: {} for event in self._reader.events()},
            initial=self._reader.table.names[self._tree.initial(root)],
            on=on,
            states=states,
        )

    def _states(self, node: Node) -> Iterator[tuple[str, dict[str, Json]]]:
        for child in node.children.values():
            if not self._redirects.is_left_out(child):
                yield self._reader.table.names[child], self._state(child)

    def _state(self, node: Node) -> dict[str, Json]:
        self._note(node, _STATE)
        description = _text(node.body.get("description"))
        if node.type == "final" and node.parent is self._tree.root:
            for key in ("on", "after", "invoke"):
                if node.body.get(key):
                    self._lose(node, key, "an agent that has ended does nothing more: it is left out")
            return compact(description=description, final=True)
        states = dict(self._states(node))
        work = self._reader.work(node, is_leaf=not states)
        return compact(
            description=description,
            do=work.action,
            with_=work.arguments,
            after=self._reader.timers(node),
            on=_joined(work.handlers, self._reader.handlers(node)),
            initial=self._reader.table.names[self._tree.initial(node)] if states else None,
            states=states,
        )

    def _note(self, node: Node, carried: frozenset[str]) -> None:
        """Note the keys that are not carried."""
        is_final = node.type == "final"
        for key in node.body:
            is_followed = key == "onDone" and node in self._redirects.followed
            if key not in carried and not is_followed and not (key == "output" and is_final):
                self._lose(node, key, _NOTHING_LIKE.get(key, "it is not known, and left out"))
        if is_final and "output" in node.body:
            self._lose(node, "output", _NOTHING_LIKE["output"])
        for key in ("initial", "onDone"):
            body = node.body.get(key)
            if any(isinstance(each, dict) and each.get("actions") for each in _listed(body)):
                self._lose(node, key, "its actions are left out")

    def _version(self, written: Json) -> int:
        text = str(written or 1)
        if text.isascii() and text.isdigit() and 0 < int(text[:16]) < 2**53:
            return int(text[:16])
        self._lose(self._tree.root, "version", f"{text!r} is no whole number from 1: this is version 1")
        return 1

    def _data(self, context: Json) -> dict[str, Json]:
        """The fields of ``context``, with the types of their values."""
        found: dict[str, Json] = {}
        if not isinstance(context, dict):
            if context is not None:
                self._lose(self._tree.root, "context", "it is no object: no data are declared")
            return found
        for name, value in context.items():
            field = self._reader.table.field(name, found)
            is_exact = not isinstance(value, int) or abs(value) < 2**53
            if not is_exact:
                self._lose(self._tree.root, f"context.{name}", "so large an integer is not carried")
            found[field] = {**_type(value), "default": value} if is_exact else {"type": "integer"}
        return found

    def _lose(self, node: Node, key: str, sentence: str) -> None:
        self.losses.append(Loss(f"{node.place}.{shown(key)}", sentence))


def _kept_timers(workflow: Workflow, carried: list[Carried]) -> Iterator[Loss]:
    """Transitions that leave a state there and keep it here, if it has timers, which would begin anew."""
    for each in carried:
        kept = left_anew(workflow, each.owner, Transition(each.target), reenter=each.reenter)
        for path in kept:
            if workflow.by_path[path].after:
                yield Loss(
                    each.place, f"it leaves `{path}` and enters it again there, and stays in it here: its timers go on"
                )


def _joined(first: Mapping[str, Json], second: Mapping[str, Json]) -> dict[str, Json]:
    """Handlers of both; the transitions of the first are tried first."""
    found = {**first, **second}
    for event in first.keys() & second.keys():
        found[event] = [each for chosen in (first[event], second[event]) for each in _listed(chosen)]
    return found


def _listed(chosen: Json) -> list[Json]:
    return chosen if isinstance(chosen, list) else [] if chosen is None else [chosen]


def _type(value: Json) -> dict[str, Json]:
    """The schema of values like this one; of null nothing is known."""
    name = next((name for kind, name in _TYPES.items() if type(value) is kind), None)
    return {"type": name} if name else {}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _no_number(word: str) -> Json:
    raise MachineInvalid(f"it is not JSON: {word} is no number there")

"""What the states of a machine do: their transitions, delays and actors, in the words of the dialect."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from fsm_agent.dialect.builtin_names import BUILT_IN_NAMES
from fsm_agent.dialect.keys import ACTION
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import compact
from fsm_agent.domain.text import shortened
from fsm_agent.errors import MachineInvalid
from fsm_agent.xstate.losses import Loss, shown
from fsm_agent.xstate.name_table import NameTable
from fsm_agent.xstate.names import allowed_field
from fsm_agent.xstate.nodes import Node, Tree
from fsm_agent.xstate.raised import RAISES
from fsm_agent.xstate.redirects import Redirects

_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
#: a century, which is the longest timer
_LONGEST_MS: Final = 36_500 * 86_400_000
_TRANSITION: Final = frozenset({"target", "guard", "actions", "reenter", "description"})
_INVOKED: Final = frozenset({"src", "id", "input", "onDone", "onError"})


class Carried(NamedTuple):
    """A transition with a target, as it was written there."""

    place: str
    owner: str
    target: str
    reenter: bool


class Work(NamedTuple):
    """What an actor becomes."""

    action: str | None = None
    arguments: Mapping[str, Json] = {}
    handlers: Mapping[str, Json] = {}


class Reader:
    """Reads the parts of states, and gathers what they speak of."""

    def __init__(self, tree: Tree, redirects: Redirects, table: NameTable) -> None:
        self.losses: list[Loss] = []
        self.table = table
        self.carried: list[Carried] = []
        #: name of a guard -> its field
        self.guards: dict[str, str] = {}
        self._tree, self._redirects = tree, redirects
        self._events: dict[str, None] = {}
        #: fields of the data that have a meaning already
        self.fields: frozenset[str] = frozenset()

    def events(self) -> tuple[str, ...]:
        """The events that have to be declared."""
        return tuple(event for event in self._events if event not in ("error", "timeout", "cancel"))

    def flags(self) -> dict[str, Json]:
        """The fields that stand for guards."""
        return {
            field: {"type": "boolean", "default": False, "description": f"guard {name}"}
            for name, field in self.guards.items()
        }

    # ----------------------------------------------------------------- transitions

    def handlers(self, node: Node) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for written, chosen in _object(node.body.get("on"), f"{node.place}.on").items():
            place = f"{node.place}.on.{shown(written)}"
            if "*" in written:
                self._lose(place, "an event that stands for others has no equal: it is left out")
            elif not written or written.startswith(("xstate.", "done.", "error.")):
                self._lose(place, "an event of XState itself has no equal: it is left out")
            else:
                transitions = self._transitions(node, chosen, place)
                if written == "timeout":
                    self._lose(
                        place, "it happens where an action takes longer than its `timeout`: write how long that is"
                    )
                if transitions is not None or node.parent is not None:
                    found[self._event(written)] = transitions
        return found

    def timers(self, node: Node) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for written, chosen in _object(node.body.get("after"), f"{node.place}.after").items():
            place = f"{node.place}.after.{shown(written)}"
            if re.fullmatch(r"[0-9]{1,13}", written) is None:
                self._lose(place, "a delay with a name has no equal: write how long it is; it is left out")
            elif not 0 < int(written) <= _LONGEST_MS:
                self._lose(place, "a timer takes between 1 ms and 36,500 days: it is left out")
            else:
                found[_duration(int(written))] = self._transitions(node, chosen, place) or {}
        return found

    def _event(self, written: str, wanted: str = "") -> str:
        name = self.table.event(written, wanted or written)
        self._events[name] = None
        return name

    def _transitions(self, node: Node, chosen: Json, place: str) -> Json:
        """``None`` for what forbids."""
        written = chosen if isinstance(chosen, list) else [chosen]
        if written in ([None], [{}], []):
            return None
        found = [self._transition(node, each, place) for each in written]
        return found[0] if len(found) == 1 else found

    def _transition(self, node: Node, written: Json, place: str) -> Json:
        body = {"target": written} if isinstance(written, str) else written
        if not isinstance(body, dict):
            raise MachineInvalid(f"{place}: a transition must be an object or a target, and is {shortened(written)}")
        if "cond" in body:
            raise MachineInvalid(f"{place}: `cond` is how XState 4 calls a guard: bring the machine to version 5 first")
        for key in body.keys() - _TRANSITION:
            self._lose(f"{place}.{shown(key)}", "it is not known, and left out")
        event = self._raised(body, place)
        return compact(
            target=self._target(node, body, place),
            when=self._guard(body.get("guard"), place),
            description=body.get("description") if isinstance(body.get("description"), str) else "",
            **({RAISES: event} if event else {}),
        )

    def _target(self, node: Node, body: Mapping[str, Json], place: str) -> str | None:
        written = body.get("target")
        targets = written if isinstance(written, list) else [] if written in (None, "") else [written]
        if not targets:
            return None
        if len(targets) > 1:
            self._lose(place, f"it goes to {len(targets)} states at once: here it goes to the first")
        wanted = self._tree.target(node, targets[0])
        goal = self._redirects.target(wanted)
        is_internal = wanted is node and not body.get("reenter")
        if goal is self._tree.root:
            goal = self._tree.initial(goal)
        elif goal is node and is_internal:
            if not self._children(node):
                return None  # nothing is left, and nothing entered
            goal = self._tree.initial(node)
        owner, target = self.table.path(node), self.table.path(goal)
        self.carried.append(Carried(place, owner, target, bool(body.get("reenter"))))
        return target

    def _children(self, node: Node) -> list[Node]:
        return [child for child in node.children.values() if not self._redirects.is_left_out(child)]

    def _guard(self, written: Json, place: str) -> str | None:
        if written is None:
            return None
        name = written.get("type") if isinstance(written, dict) else written
        if not isinstance(name, str):
            raise MachineInvalid(
                f"{place}: a guard must be a name or an object with a `type`, and is {shortened(written)}"
            )
        if isinstance(written, dict) and written.get("params"):
            self._lose(place, f"the parameters of guard {shortened(name)} are left out")
        if name not in self.guards:
            self.guards[name] = allowed_field(name, {*self.fields, *self.guards.values()}, otherwise="guard")
        self._lose(place, f"guard {shortened(name)} is a function: here the field `{self.guards[name]}` stands for it")
        return f"data.{self.guards[name]}"

    def _raised(self, body: Mapping[str, Json], place: str) -> str | None:
        """The event that the transition raises; any other action is left out."""
        raised = None
        for each in _list(body.get("actions")):
            match each:
                case {"type": "raise", "params": {"type": str(event)}} if event.startswith("after "):
                    raised = self._event(event)
                case _:
                    name = each.get("type") if isinstance(each, dict) else each
                    self._lose(place, f"action {shortened(name)} is a function: it is left out")
        return raised

    # ----------------------------------------------------------------- work

    def work(self, node: Node, *, is_leaf: bool) -> Work:
        """What a state invokes."""
        actors = _list(node.body.get("invoke"))
        place = f"{node.place}.invoke"
        if not actors:
            return Work()
        if not is_leaf:
            self._lose(place, "only a state without states inside works here: the actor is left out")
            return Work()
        if len(actors) > 1:
            self._lose(place, f"one action works in a state, and here are {len(actors)} actors: the first is carried")
        actor = actors[0]
        if not isinstance(actor, dict) or not isinstance(actor.get("src"), str):
            raise MachineInvalid(f"{place}: `src` must be the name of an actor")
        for key in actor.keys() - _INVOKED:
            self._lose(f"{place}.{shown(key)}", "it has no equal, and is left out")
        action = self._action(actor["src"], place)
        return Work(action, self._arguments(actor.get("input"), place), dict(self._endings(node, actor, action, place)))

    def _action(self, src: str, place: str) -> str:
        if src not in BUILT_IN_NAMES and re.fullmatch(ACTION, src):
            return src
        action = allowed_field(src, (), otherwise="action")
        self._lose(place, f"actor {shortened(src)} is action `{action}` here, which has to be written")
        return action

    def _arguments(self, given: Json, place: str) -> dict[str, Json]:
        """A text is CEL here, so one that is meant literally is quoted."""
        if given is None:
            return {}
        if not isinstance(given, dict):
            self._lose(f"{place}.input", "it is no object: arguments have names here")
            return {}
        found: dict[str, Json] = {}
        for name, value in given.items():
            field = allowed_field(name, found, otherwise="argument")
            if field != name:
                self._lose(f"{place}.input", f"argument {shortened(name)} is called `{field}` here")
            found[field] = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else value
        return found

    def _endings(self, node: Node, actor: Mapping[str, Json], action: str, place: str) -> Iterator[tuple[str, Json]]:
        if "onDone" in actor:
            event = self._event(f"xstate.done.actor.{action}", f"{re.sub(r'[.:]', '_', action)}_done")
            self._lose(f"{place}.onDone", f"an action ends by naming an event: `{action}` has to return `{event}`")
            yield event, self._transitions(node, actor["onDone"], f"{place}.onDone")
        if "onError" in actor:
            yield "error", self._transitions(node, actor["onError"], f"{place}.onError")

    def _lose(self, place: str, sentence: str) -> None:
        self.losses.append(Loss(place, sentence))


def _duration(ms: int) -> str:
    """``259200000`` -> ``3d``."""
    return next(f"{ms // length}{unit}" for unit, length in _UNITS if ms % length == 0)


def _object(value: Json, place: str) -> Mapping[str, Json]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MachineInvalid(f"{place} must be an object, and is {shortened(value)}")
    return value


def _list(value: Json) -> list[Json]:
    return [] if value is None else value if isinstance(value, list) else [value]

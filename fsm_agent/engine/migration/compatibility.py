"""Whether an agent fits a newer definition: its state and its data, and what to write under ``migrations`` where
they do not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fsm_agent.domain.json import Json, Schema, is_required, without_annotations
from fsm_agent.domain.similarity import nearest
from fsm_agent.domain.state import State
from fsm_agent.domain.text import listed, some
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.migration.migration_path import Destination, Route, Stranding
from fsm_agent.engine.program import Program
from fsm_agent.errors import DataInvalid


@dataclass(slots=True)
class Gaps:
    """What a migration would have to say: why, and the words for it."""

    reasons: list[str] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    rename: dict[str, str] = field(default_factory=dict)
    default: dict[str, str] = field(default_factory=dict)
    drop: list[str] = field(default_factory=list)

    def advice(self, route: Route, version: int) -> str:
        """The words to write for agents of ``version``: into the last migration of their way, or as a new one."""
        data = _flow(drop=f"[{listed(self.drop)}]", rename=_flow(**self.rename), default=_flow(**self.default))
        words = {"states": _flow(**self.states), "data": data}
        if route.migrations:
            return f"add `{_flow(**words)[1:-1]}` to the migration from version {route.migrations[-1].from_version}"
        is_older = version < route.program.workflow.version
        first = "" if is_older else f"`version: {version + 1}` at its top and "
        return f"write {first}`{_flow(**{'from': str(version)}, **words)}` under `migrations`"


def _flow(**items: str) -> str:
    """A mapping as YAML writes it on one line, without what is empty."""
    return f"{{{', '.join(f'{key}: {value}' for key, value in items.items() if value not in ('{}', '[nothing]'))}}}"


def fit_state(new: Workflow, old: Workflow, path: str, destination: Destination, gaps: Gaps) -> State | None:
    """The leaf in which an agent of the state ``path`` goes on; ``None`` if a migration must say. Raises ``Stranding``.

    An agent ends, or goes into a state that has got children, only where a migration says so.
    """
    place = destination.path
    if place not in new.by_path:
        _note_lost(new, old, path, destination, gaps)
        return None
    leaf = new.leaf(place)
    if destination.is_declared or (leaf.path == path and not leaf.final):
        return leaf
    why = "is final, and agents end only where a migration says so" if leaf.final else "has got children"
    gaps.reasons.append(f"in version {new.version}, state `{place}` {why}")
    gaps.states[path] = leaf.path
    return None


def _note_lost(new: Workflow, old: Workflow, path: str, destination: Destination, gaps: Gaps) -> None:
    """A state that is gone was renamed, if there is one that was not there before; else nothing can be guessed."""
    place = destination.path
    lost = f"state `{path}` is gone in version {new.version}"
    if place != path:
        lost = f"a migration makes `{place}` of state `{path}`, and version {new.version} has no such state"
    newcomers = [leaf for leaf in new.leaves if leaf.path not in old.by_path and not leaf.final]
    if not newcomers:
        there = some([leaf.path for leaf in new.leaves], 20)
        raise Stranding(f"{lost}, and no state has come in its place: say under `states` of a migration which of "
                        f"{there} it becomes")  # fmt: skip
    best = _likeliest(old.by_path[path], newcomers)
    gaps.reasons.append(lost)
    gaps.states[destination.last_path] = best.path if best else f"<{' or '.join(leaf.path for leaf in newcomers)}>"


def _likeliest(lost: State, newcomers: list[State]) -> State | None:
    """The newcomer that does or asks the same, or is called alike, or is the only one."""
    by_path = {leaf.path: leaf for leaf in newcomers}
    for leaf in newcomers:
        if leaf.name == lost.name or (lost.do and leaf.do == lost.do):
            return leaf
    for leaf in newcomers:
        if lost.ask and leaf.ask and leaf.ask.events == lost.ask.events:
            return leaf
    close = nearest(lost.path, by_path)
    return by_path[close] if close else newcomers[0] if len(newcomers) == 1 else None


def fit_data(program: Program, old: Workflow, carried: dict[str, Json], gaps: Gaps) -> dict[str, Json]:
    """The data that were ``carried`` to the newer definition, complete and valid unless ``gaps`` say what is missing.
    Raises ``Stranding`` for what no rename and no default can mend."""
    rules, fields = program.data_rules, program.workflow.data
    broken: list[str] = []
    for name, schema in fields.items():
        if name not in carried:
            if is_required(schema):
                _note_missing(name, "is new, and has no default", gaps)
        elif problems := rules.problems(name, carried[name]):
            if carried[name] is None:
                _note_missing(name, "may not be null any more", gaps)
            else:
                broken += problems
    if broken:
        raise Stranding(f"the data does not fit, and only an `upcast` can mend that: {'; '.join(broken)}")
    _note_surplus(old.data, carried, fields, gaps)
    if gaps.reasons:
        return carried
    try:
        return rules.initial(carried)
    except DataInvalid as error:
        raise Stranding(f"the data does not fit: {'; '.join(error.problems)}") from None


def fit_fields(route: Route, old: Workflow, gaps: Gaps) -> list[str]:
    """What can be told of the data without having them: ``gaps`` say which fields are missing or are left over.
    Returns sentences about what depends on the data. Raises ``Stranding``."""
    new = route.program.workflow
    if not (old.knows_data and new.knows_data):
        return ["its data must fit the class that declares them, which was not imported"]
    if any(migration.upcast for migration in route.migrations):
        return ["what `upcast` makes of its data must fit"]
    fields = new.data
    carried = route.carried(dict.fromkeys(old.data, _UNKNOWN))
    schemas = {name: schema for name, schema in old.data.items() if name in carried}
    for migration in route.migrations:
        schemas = {migration.rename.get(name, name): schema for name, schema in schemas.items()}
    for name, schema in fields.items():
        if name not in carried and is_required(schema):
            _note_missing(name, "is new, and has no default", gaps)
    _note_surplus(old.data, carried, fields, gaps)
    changed = [
        name for name, schema in fields.items() if name in schemas and _decides(schemas[name]) != _decides(schema)
    ]
    return [f"`data.{name}` must fit its new schema" for name in changed]


#: stands for a value that is not at hand
_UNKNOWN: Final = "?"


def _decides(schema: Schema) -> Json:
    """A schema without what says nothing of a value that is there."""
    bare = dict(without_annotations(schema))
    bare.pop("default", None)
    return bare


def _note_missing(name: str, why: str, gaps: Gaps) -> None:
    gaps.reasons.append(f"`data.{name}` {why}")
    gaps.default[name] = "..."


def _note_surplus(
    old: Mapping[str, Schema], carried: Mapping[str, Json], fields: Mapping[str, Schema], gaps: Gaps
) -> None:
    """Fields that are not declared any more: most likely renamed, if a new one is called alike or is the only new one
    of their kind."""
    for name in carried:
        if name in fields:
            continue
        gaps.reasons.append(f"`data.{name}` is not declared any more")
        new = [each for each in fields if each not in carried and each not in gaps.rename.values()]
        alike = [each for each in new if fields[each] == old.get(name)]
        if close := nearest(name, new) or (alike[0] if len(alike) == 1 else None):
            gaps.rename[name] = close
            gaps.default.pop(close, None)
        else:
            gaps.drop.append(name)

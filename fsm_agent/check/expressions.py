"""Every expression of a workflow, compiled where it stands and held against what it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from fsm_agent.check.codes import Code
from fsm_agent.check.sites import Site, sites, state_path
from fsm_agent.dialect.builtins import BUILT_INS
from fsm_agent.expressions.kinds import Kind, fits, item_schema, json_types
from fsm_agent.finding import Finding, Path
from fsm_agent.guards import Expression, ExpressionInvalid, Guards
from fsm_agent.jsontypes import Json, Schema
from fsm_agent.state import State
from fsm_agent.validation import Shape
from fsm_agent.wording import did_you_mean, listed
from fsm_agent.workflow import BUILT_IN_PAYLOADS, Workflow

#: Kinds whose values JSON has no form for.
_NO_JSON: Final = frozenset({"timestamp", "duration", "bytes", "type"})

#: A list that is declared to be no longer than this may be converted at every event.
SHORT_LIST: Final = 100


def expression_findings(workflow: Workflow, *, guards: Guards | None = None) -> list[Finding]:
    """What is wrong with the expressions and literals of a workflow; works on drafts that have other mistakes."""
    looking = _Looking(workflow, guards or Guards(workflow))
    for site in sites(workflow):
        if site.event.startswith("after ") or site.event in workflow.events or site.event in BUILT_IN_PAYLOADS:
            looking.at_transition(site)
    for state in workflow.by_path.values():
        looking.at_state(state)
    return looking.findings


def long_lists(workflow: Workflow, guards: Guards) -> Iterator[Finding]:
    """Guards that convert a list of unknown length at every event. The expressions must be known to compile."""
    for site in sites(workflow):
        if site.transition.when is None:
            continue
        for name in sorted(guards.compile(site.transition.when, event=_scope(site)).lists):
            root, _, field = name.partition(".")
            fields = workflow.data if root == "data" else workflow.payload_fields(_scope(site))
            if fields.get(field, {}).get("maxItems", SHORT_LIST + 1) > SHORT_LIST:
                why = f"`{name}` is converted whole whenever this guard is asked; "
                way_out = (
                    f"declare `maxItems` (at most {SHORT_LIST}), count it with size(), or keep the answer in a field"
                )
                yield Code.WHOLE_LIST.found(why + way_out, (*site.path, "when"))


def _scope(site: Site) -> str:
    return "after" if site.event.startswith("after ") else site.event


class _Looking:
    """One look at a workflow; gathers what it finds."""

    def __init__(self, workflow: Workflow, guards: Guards) -> None:
        self.findings: list[Finding] = []
        self._data = workflow.data
        self._guards = guards

    def at_transition(self, site: Site) -> None:
        transition, event = site.transition, _scope(site)
        if transition.when is not None:
            path = (*site.path, "when")
            guard = self._compile(transition.when, path, event)
            if guard and guard.type not in {"bool", "dyn"}:
                self._note(Code.NO_BOOL, f"a guard must be true or false, and this is {_a(guard.kind)}", path)
        for field, value in transition.assign.items():
            path = (*site.path, "assign", field)
            if self._is_field(field, path):
                self._at_value(value, self._data[field], field, path, event)
        for field, value in transition.append.items():
            path = (*site.path, "append", field)
            if self._is_field(field, path) and self._is_list(field, path):
                self._at_value(value, item_schema(self._data[field]), f"an item of {field}", path, event)

    def at_state(self, state: State) -> None:
        path = state_path(state.path)
        given = {} if state.do in BUILT_INS else state.with_
        for key, values in (("with", given), ("output", state.output)):
            for name, value in values.items():
                if isinstance(value, str):
                    self._json(value, (*path, key, name), None)
        if state.ask is None:
            return
        self._compile_prompt(state.ask.prompt, (*path, "ask", "prompt"))
        to = self._compile(state.ask.to, (*path, "ask", "to"), None) if state.ask.to is not None else None
        if to and to.type not in {"string", "list", "dyn"}:
            message = f"`to` must be a name or a list of names, and this is {_a(to.kind)}"
            self._note(Code.NO_ADDRESSEE, message, (*path, "ask", "to"))

    def _at_value(self, value: Json, schema: Schema, what: str, path: Path, event: str) -> None:
        if not isinstance(value, str):
            for problem in Shape(schema).problems(value, what):
                self._note(Code.MISFIT, f"the value does not fit: {problem}", path)
            return
        expression = self._json(value, path, event)
        if expression and not fits(expression.kind, schema):
            kinds = " or ".join(sorted(json_types(schema)))
            hint = _CONVERSIONS.get((expression.type, kinds), "")
            self._note(Code.MISFIT, f"{what} takes {kinds}, and this is {_a(expression.kind)}{hint}", path)

    def _json(self, text: str, path: Path, event: str | None) -> Expression | None:
        """The expression, if its values can be kept."""
        expression = self._compile(text, path, event)
        if expression and expression.type in _NO_JSON:
            self._note(Code.NO_JSON, f"JSON cannot hold {_a(expression.kind)}: write string(...)", path)
            return None
        return expression

    def _compile(self, text: str, path: Path, event: str | None) -> Expression | None:
        try:
            return self._guards.compile(text, event=event)
        except ExpressionInvalid as invalid:
            self._note_invalid(invalid, path)
            return None

    def _compile_prompt(self, text: str, path: Path) -> None:
        try:
            self._guards.prompt(text)
        except ExpressionInvalid as invalid:
            self._note_invalid(invalid, path)

    def _is_field(self, field: str, path: Path) -> bool:
        if field in self._data:
            return True
        near = did_you_mean(field, self._data) or f"; there is {listed(self._data)}"
        self._note(Code.UNKNOWN_FIELD, f"there is no data field `{field}`{near}", path, at_key=True)
        return False

    def _is_list(self, field: str, path: Path) -> bool:
        types = json_types(self._data[field])
        if "array" in types:
            return True
        self._note(Code.NO_LIST, f"`{field}` is {' or '.join(sorted(types))}, no list to append to", path, at_key=True)
        return False

    def _note(self, code: Code, message: str, path: Path, *, at_key: bool = False) -> None:
        self.findings.append(code.found(message, path, at_key=at_key))

    def _note_invalid(self, invalid: ExpressionInvalid, path: Path) -> None:
        place = (invalid.line, invalid.column)
        self.findings.append(Code.EXPRESSION.found(invalid.message, path, offset=place))


#: what is given, what is wanted -> the way out
_CONVERSIONS: Final[Mapping[tuple[str, str], str]] = {
    ("double", "integer"): ": write int(...)",
    ("int", "string"): ": write string(...)",
    ("double", "string"): ": write string(...)",
    ("bool", "string"): ": write string(...)",
    ("string", "integer"): ": write int(...), or quote a literal twice",
    ("string", "number"): ": write double(...)",
}


def _a(kind: Kind) -> str:
    match kind.name:
        case "int":
            return "an int"
        case "null":
            return "null"
        case name:
            return f"a {name}"

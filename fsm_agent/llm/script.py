"""Scripts: replies that stand in a file, given in place of a model's. The file is data; nothing in it is evaluated.

A script is a list of rules in YAML or JSON. The first whose ``when`` holds gives the reply::

    - when: {tool_result: search}     # the last thing said is what this tool returned
      reply: {json: {answer: Rome}}   # the values that are asked for; as text where none are
    - when: {last: book}              # the last thing said contains the text
      reply: {call: search, arguments: {city: Rome}}
    - when: {state: planning, contains: Rome}   # all of them hold; `contains` looks at everything that is shown
      reply: {calls: [{call: search, arguments: {city: Rome}}, {call: search, arguments: {city: Oslo}}]}
      times: 1                        # in the life of this process; without it, always
    - reply: I do not know.           # without `when`: always
      usage: {input: 120, output: 6}  # tokens; estimated where they are left away

A rule without ``times`` looks only at what it is shown, so that the same conversation gets the same reply after a
restart. A reply calls a tool by its name; an event that a model may choose is a tool of the event's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from fsm_agent.data.validation import Shape
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.finding import Path as Place
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.step import NOTHING
from fsm_agent.domain.text import did_you_mean, listed, shortened
from fsm_agent.errors import ModelReplyInvalid


class Shown(NamedTuple):
    """What a scripted model looks at."""

    #: all texts, from the instructions to the last message
    everything: str
    last: str
    #: the tools whose results are the last thing said
    returned: frozenset[str]
    state: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    when: Mapping[str, str]
    text: str = ""
    calls: tuple[tuple[str, Mapping[str, Json]], ...] = ()
    values: Json = None
    has_values: bool = False
    usage: tuple[int, int] | None = None
    times: int | None = None

    def holds(self, shown: Shown) -> bool:
        return all(_holds(kind, wanted, shown) for kind, wanted in self.when.items())


class Script:
    """The rules of one file; counts how often those are used that have ``times``."""

    def __init__(self, name: str, rules: tuple[Rule, ...]) -> None:
        self.name, self.rules = name, rules
        self._used = [0] * len(rules)

    def rule_for(self, shown: Shown) -> Rule:
        """The first that holds; raises ``ModelReplyInvalid`` where none does."""
        for index, rule in enumerate(self.rules):
            if rule.holds(shown) and (rule.times is None or self._used[index] < rule.times):
                self._used[index] += 1
                return rule
        raise ModelReplyInvalid(
            self.name, f"no rule of the script fits what was said last, {shortened(shown.last, 200)}"
        )


def script_of(name: str, document: Json) -> Script:
    """The rules of a document that has no ``problems``."""
    return Script(name, tuple([_rule(each) for each in document]))


def _holds(kind: str, wanted: str, shown: Shown) -> bool:
    match kind:
        case "contains":
            return wanted in shown.everything
        case "last":
            return wanted in shown.last
        case "tool_result":
            return wanted in shown.returned
        case _:
            return wanted == shown.state


_CALL: Final[Schema] = {
    "type": "object",
    "properties": {"call": {"type": "string", "minLength": 1}, "arguments": {"type": "object"}},
    "required": ["call"],
}
_REPLIES: Final[Mapping[str, Schema]] = {
    "call": _CALL,
    "calls": {
        "type": "object",
        "properties": {"calls": {"type": "array", "items": _CALL, "minItems": 1}},
    },
    "json": {"type": "object"},
}
_REPLY_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "call": frozenset({"call", "arguments"}),
    "calls": frozenset({"calls"}),
    "json": frozenset({"json"}),
}
_WHEN: Final = ("contains", "last", "state", "tool_result")
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_KEYS: Final[Mapping[str, Schema]] = {
    "when": {"type": "object", "additionalProperties": {"type": "string"}},
    "reply": {"type": ["string", "object"]},
    "usage": {"type": "object", "additionalProperties": _COUNT},
    "times": {"type": "integer", "minimum": 1},
}


def problems(document: Json) -> Iterator[Finding]:
    """All that is wrong with a document as a script, each with its path in it."""
    if not isinstance(document, list) or not document:
        yield _finding((), "a script is a list of rules, each with a `reply`")
        return
    for index, rule in enumerate(document):
        if not isinstance(rule, Mapping):
            yield _finding((index,), f"a rule is {{when, reply, usage, times}}, and this is {shortened(rule)}")
            continue
        yield from _unknown(rule, tuple(_KEYS), (index,))
        if "reply" not in rule:
            yield _finding((index,), "a rule needs a `reply`")
        for key in _KEYS.keys() & rule.keys():
            problems = Shape(_KEYS[key]).problems(rule[key], "")
            yield from (_finding((index, key), f"`{key}` is wrong: {_bare(each)}") for each in problems)
            if not problems:
                yield from _problems_inside(key, rule[key], (index, key))


def _problems_inside(key: str, value: Json, path: Place) -> Iterator[Finding]:
    match key:
        case "when":
            yield from _unknown(value, _WHEN, path)
        case "usage":
            yield from _unknown(value, ("input", "output"), path)
        case "reply" if not isinstance(value, str):
            kind = next((each for each in ("calls", "call", "json") if each in value), None)
            if kind is None:
                yield _finding(path, "a reply is a text, {call, arguments}, {calls} or {json}")
                return
            yield from _unknown(value, tuple(_REPLY_KEYS[kind]), path)
            yield from (_finding(path, _bare(each)) for each in Shape(_REPLIES[kind]).problems(value, "reply"))


def _unknown(value: Mapping[str, Json], known: tuple[str, ...], path: Place) -> Iterator[Finding]:
    for key in value:
        if key not in known:
            allowed = listed(sorted(known))
            yield _finding((*path, key), f"unknown key `{key}`{did_you_mean(str(key), known)}; allowed: {allowed}")


def _bare(problem: str) -> str:
    return problem.removeprefix("the payload: ")


def _finding(path: Place, message: str) -> Finding:
    return Finding("SCRIPT", message, path)


def _rule(written: Mapping[str, Json]) -> Rule:
    reply: Json = written["reply"]
    usage = written.get("usage")
    said: dict[str, Json] = {}
    if isinstance(reply, str):
        said["text"] = reply
    elif "json" in reply:
        said |= {"values": reply["json"], "has_values": True}
    else:
        said["calls"] = tuple((each["call"], each.get("arguments", NOTHING)) for each in reply.get("calls", [reply]))
    spent = None if usage is None else (usage.get("input", 0), usage.get("output", 0))
    return Rule(written.get("when", NOTHING), usage=spent, times=written.get("times"), **said)

"""Messages about wrong expressions, in our words: those of the compiler, and those that the compiler cannot give."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.expressions.invalid import ExpressionInvalid, position
from fsm_agent.expressions.scope import Scope
from fsm_agent.expressions.text import masked, mentions

# Patterns are compiled by the first mistake that needs them, since most processes meet none.
_HAS: Final = r"(?<![\w.])has\(\s*([\w.]+)\s*\)"
_VISITS: Final = r"(?<![\w.])visits\s*\[\s*(\"+)\s*\]"
_COMPLAINT: Final = r"(?s)(?:ERROR: <input>:(-?\d+):(-?\d+): )?(.*?)(?:\n \||\nERROR:|\nWARNING:| \[[A-Z_]+\]\Z|\Z)"


def require_known_names(text: str, scope: Scope) -> None:
    """Find mistakes that the compiler does not see: undeclared properties, unknown states, ``has()`` of a variable."""
    bare = masked(text)
    for mention in mentions(bare):
        parts = mention.name.split(".")
        for depth in range(2, len(parts)):
            owner, name = ".".join(parts[:depth]), parts[depth]
            if name not in scope.closed.get(owner, {name}):
                known = sorted(scope.closed[owner])
                why = f"`{owner}` has no property `{name}`{did_you_mean(name, known)}; it has {listed(known)}"
                raise ExpressionInvalid.at(mention.start, text, why)
    for found in re.finditer(_HAS, bare, re.ASCII):
        if found[1] in scope.variables:
            why = f"`{found[1]}` is always there, so has() says nothing: compare it"
            raise ExpressionInvalid.at(found.start(), text, why)
    for found in re.finditer(_VISITS, bare, re.ASCII):
        path = text[found.start(1) + 1 : found.end(1) - 1]
        if path not in scope.states:
            why = f"there is no state `{path}`{did_you_mean(path, scope.states)}"
            raise ExpressionInvalid.at(found.start(1), text, why)


def explain(complaint: str, text: str, scope: Scope) -> ExpressionInvalid:
    """The first message of the compiler, in our words."""
    found = re.match(_COMPLAINT, complaint.removeprefix("INVALID_ARGUMENT: ").removeprefix("CANCELLED: "))
    line, column, raw = (found[1], found[2], found[3]) if found else ("1", "1", complaint)
    place = (int(line), int(column)) if line and int(line) > 0 else (1, 1)
    if filtered := _filter(text):
        at = position(text, masked(text).index("|"))
        return ExpressionInvalid(filtered, line=at[0], column=at[1])
    for pattern, sentence in _SENTENCES:
        if found := re.search(pattern, raw):
            name = found[1] if found.re.groups else ""
            if "." in name and pattern is _UNDECLARED:
                place = _start_of(name, text, place)
            return ExpressionInvalid(sentence(found, scope), line=place[0], column=place[1])
    return ExpressionInvalid(raw.removeprefix("Syntax error: "), line=place[0], column=place[1])


def explain_failure(complaint: str) -> str:
    """The message of an expression that failed while it ran, in our words."""
    message = complaint.partition(": ")[2] if re.match(_STATUS, complaint) else complaint
    message = re.sub(r" \[[A-Z_]+\]\Z", "", message)
    if found := re.search(_NO_OVERLOAD, message):
        types = found[2].replace("int64", "int").replace("null_type", "null")
        return f"`{_operator(found[1])}` does not take ({types})"
    if found := re.search(r"Unexpected value type for '(.*)': (\w+)\. \(Expected (.*)\)", message):
        return f"{found[1]} is {_PYTHON_TYPES.get(found[2], found[2])}, and {found[3].lower()} is declared"
    if "budget" in message:
        return "it loops too often: an expression may look at 10,000 items"
    return message[:1].lower() + message[1:]


def _start_of(name: str, text: str, place: tuple[int, int]) -> tuple[int, int]:
    """The position where a dotted name begins; the compiler gives that of a dot inside it."""
    for mention in mentions(masked(text)):
        line, column = position(text, mention.start)
        if mention.name.startswith(name) and line == place[0] and column <= place[1] < column + len(mention.name):
            return line, column
    return place


_ROOTS: Final = frozenset({"data", "event", "visits", "user", "conversation", "item", "index", "true", "false"})

#: filter of Jinja -> the same in CEL
_FILTERS: Final = {
    "upper": "{x}.upperAscii()",
    "lower": "{x}.lowerAscii()",
    "trim": "{x}.trim()",
    "length": "size({x})",
    "count": "size({x})",
    "join": "{x}.join(', ')",
    "replace": "{x}.replace('old', 'new')",
    "default": "{x} == null ? 'other' : {x}",
    "d": "{x} == null ? 'other' : {x}",
    "int": "int({x})",
    "float": "double({x})",
    "string": "string({x})",
    "first": "{x}[0]",
    "last": "{x}[size({x}) - 1]",
    "sum": "a field that an action has summed up",
    "tojson": "{x}, which is written as JSON where it is no text",
}

_OTHER_LANGUAGES: Final = {
    "True": "write true",
    "False": "write false",
    "None": "write null",
    "nil": "write null",
    "undefined": "write null",
    "len": "write size(...)",
    "length": "write size(...)",
    "lower": "write x.lowerAscii()",
    "upper": "write x.upperAscii()",
    "now": "expressions have no clock; use `after` for time",
    "float": "write double(...)",
    "str": "write string(...)",
    "data": "name a field, as in data.amount",
    "user": "name a field, as in user.name",
    "conversation": "write conversation.text, conversation.last or conversation.count",
    "event": "name a payload field, as in event.amount",
    "and": "write &&",
    "or": "write ||",
    "not": "write !",
    "=": "a comparison is written ==",
    "|": "write ||",
    "&": "write &&",
    "<>": "write !=",
    "$": "write the name alone",
}


#: what has fields -> how a sentence begins that says a field is missing
_FIELDS: Final = {
    "data": "no data field",
    "event": "the event has no field",
    "user": "no user field",
    "conversation": "the conversation has no",
}


def _undeclared(found: re.Match[str], scope: Scope) -> str:
    name = found[1]
    root, _, rest = name.partition(".")
    if root == "event" and scope.event is None:
        there = "data, visits, user and conversation" if scope.recalls else "data and visits"
        return f"`{name}` is not known here: no event is at hand; only {there} are"
    if root in {"user", "conversation"} and not scope.recalls:
        return f"`{name}` is not known here: only what stands under `with` of a built-in action can mention it"
    if root in _FIELDS and rest:
        known = [each for each in scope.variables if each.startswith(f"{root}.")]
        near = did_you_mean(name, known) or f"; there is {listed(known)}"
        what = f"event {scope.event!r} has no field" if root == "event" else _FIELDS[root]
        return f"{what} `{rest}`{near}"
    if root in {"item", "index"}:
        return f"`{root}` is known under `payload` and `data` of `workflow.run` alone, for the items of `for_each`"
    if name in _OTHER_LANGUAGES:
        return f"`{name}` is no expression: {_OTHER_LANGUAGES[name]}"
    meant = [each for each in scope.variables if each.partition(".")[2] == name]
    near = (
        f" (did you mean `{meant[0]}`?)"
        if meant
        else "; names begin with data., event. or visits, and text stands in quotes of its own"
    )
    return f"unknown name `{name}`{near}"


def _operator(name: str) -> str:
    """``_>_`` -> ``>``, ``_?_:_`` -> ``? :``, ``_[_]`` -> ``[ ]``."""
    return {"_?_:_": "? :", "_[_]": "[ ]"}.get(name) or name.strip("_@") or name


def _overload(found: re.Match[str], _: Scope) -> str:
    operator, types = _operator(found[1]), _readable(found[2])
    kinds = {each.strip().rstrip("?") for each in types.split(",")}
    if operator == "? :":
        return f"`? :` takes a bool and two values of one type, not ({types})"
    mixed = "; int and double do not mix: write 3.0 or double(x)" if {"int", "double"} <= kinds else ""
    joined = "; write string(x)" if operator == "+" and "string" in kinds else ""
    never = "; only what is declared with `?` can be null" if "null" in kinds else ""
    return f"`{operator}` does not take ({types}){mixed or joined or never}"


def _readable(types: str) -> str:
    return re.sub(r"wrapper\((\w+)\)", r"\1?", types).replace("null_type", "null").replace(",dyn", ", dyn")


def _filter(text: str) -> str:
    """What a filter of a template language is in CEL; empty if the text has none."""
    bare = masked(text)
    found = re.search(r"(?<!\|)\|(?!\|)\s*([a-zA-Z_]\w*)", bare)
    if found is None or found[1] in _ROOTS:
        return ""
    before = text[: found.start()].strip() or "x"
    way = _FILTERS.get(found[1], "{x}.{name}() or {name}({x})").format(x=before, name=found[1])
    return f"`| {found[1]}` is a filter of another language: write {way}"


def _token(found: re.Match[str], _: Scope) -> str:
    token = found[1].strip()
    if token[:1] in {'"', "'"}:
        return "a string is not closed"
    hint = "" if token in {"data", "event"} else _OTHER_LANGUAGES.get(token) or _OTHER_LANGUAGES.get(token[:1], "")
    return f"`{token}` is not understood here" + (f": {hint}" if hint else "")


def _operand(found: re.Match[str], _: Scope) -> str:
    return f"a value of type {_readable(found[1])} has no fields"


def _missing(found: re.Match[str], _: Scope) -> str:
    return f"`{found[1]}` is missing"


def _reserved(found: re.Match[str], _: Scope) -> str:
    return f"`{found[1]}` is a reserved word"


def _ends(_: re.Match[str], __: Scope) -> str:
    return "the expression ends too early"


def _deep(_: re.Match[str], __: Scope) -> str:
    return "the expression is nested too deep, or joins more than 30 parts"


_PYTHON_TYPES: Final = {"NoneType": "null", "str": "string", "float": "double", "dict": "map"}
_STATUS: Final = r"[A-Z_]+: "
_NO_OVERLOAD: Final = r"No matching overloads found : (\S+?)\((.*)\)"
_UNDECLARED: Final = r"undeclared reference to '([^']*)'"

#: pattern of a compiler's message -> our sentence
_SENTENCES: Final[tuple[tuple[str, Callable[[re.Match[str], Scope], str]], ...]] = (
    (_UNDECLARED, _undeclared),
    (r"no matching overload for '(.*?)' applied to '\((.*)\)'", _overload),
    (r"'<EOF>' expecting|parsetree", _ends),
    (r"(?s)token recognition error at: '(.*)'", _token),
    (r"(?:mismatched|extraneous|no viable alternative at) input '(.*?)'(?: expecting|$)", _token),
    (r"missing '(.*)' at '", _missing),
    (r"expression of type '(.*)' cannot be the operand of a select", _operand),
    (r"recursion", _deep),
    (r"reserved identifier: (\w+)", _reserved),
)

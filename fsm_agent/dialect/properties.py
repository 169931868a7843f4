"""Readers of what stands under ``must``: properties, each a name and one rule. What the terms of a rule name is looked
for where the workflow is at hand, by ``terms``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.context import ReadContext, described, subject
from fsm_agent.dialect.keys import PROPERTY, PROPERTY_EXCLUDES, PROPERTY_NEEDS, RULES, TERM
from fsm_agent.dialect.scalars import names
from fsm_agent.domain.finding import Path
from fsm_agent.domain.json import Json
from fsm_agent.domain.property import AtMost, Never, Property, Reaches, Rule, Terms, Whenever
from fsm_agent.domain.text import listed, shortened

_HOW: Final = "write a name, `state NAME`, `event NAME`, `do NAME`, `outcome NAME`, or a timer such as `after 3d`"
_WORDS: Final = ("state", "event", "do", "outcome", "after")


def must(context: ReadContext, value: Json, path: Path) -> tuple[Property, ...] | None:
    """Those of the properties that have no mistake."""
    if not context.is_a(dict, value, path, "a mapping of properties"):
        return None
    read = [_property(context, name, body, (*path, name)) for name, body in value.items()]
    return tuple(each for each in read if each is not None)


def _property(context: ReadContext, name: str, body: Json, path: Path) -> Property | None:
    before = len(context.findings)
    context.is_name(name, path)
    found = context.entries(PROPERTY, body, path)
    if isinstance(body, dict) and body.keys() <= PROPERTY.keys():  # a misspelt key would look missing here
        _note_misplaced(context, body, path)
    if len(context.findings) > before:
        return None
    return Property(name, _rule(found), found.get("description", ""))


def _rule(found: Mapping[str, Any]) -> Rule:
    since: Terms = found.get("from", ())
    if "never" in found:
        others = {key: found[key] for key in ("before", "after", "until") if key in found}
        return Never(found["never"], since=since, **others)
    if "at_most" in found:
        return AtMost(found["at_most"], found["of"], since)
    if "reaches" in found:
        return Reaches(found["reaches"], since, found.get("within"))
    return Whenever(found["whenever"], found["holds"])


def _note_misplaced(context: ReadContext, keys: Collection[str], path: Path) -> None:
    """Note what keeps these keys from being one rule."""
    rule, *others = [key for key in RULES if key in keys] or [""]
    if not rule:
        context.note(Code.MISSING_KEY, f"{subject(path)} has no rule: write one of {listed(RULES)}", path)
        return
    for key in others:
        message = (
            f"`{key}` cannot stand beside `{rule}` in {subject(path)}: a property is one rule, so make two of them"
        )
        context.note(Code.MISPLACED, message, (*path, key), at_key=True)
    if others:
        return
    for key, message in _strangers(rule, keys):
        context.note(Code.MISPLACED, message, (*path, key), at_key=True)
    for key, other in PROPERTY_NEEDS.items():
        if key in keys and key in {rule, *RULES[rule]} and other not in keys:
            message = f"`{key}` says nothing without `{other}`, which {subject(path)} does not have"
            context.note(Code.MISSING_KEY, message, (*path, key), at_key=True)


def _strangers(rule: str, keys: Collection[str]) -> Iterator[tuple[str, str]]:
    """Keys that do not go with the rule or with each other, and why."""
    allowed = {rule, *RULES[rule], "description"}
    for key in keys:
        if key not in allowed:
            goes = listed(f"`{each}`" for each, beside in RULES.items() if key in beside)
            yield key, f"`{key}` says nothing beside `{rule}`: it goes with {goes}"
    for key, excluded in PROPERTY_EXCLUDES.items():
        for other in excluded:
            if key in keys and other in keys and {key, other} <= allowed:
                yield other, f"`{other}` cannot stand beside `{key}`: make two properties of them"


def terms(context: ReadContext, value: Json, path: Path) -> Terms | None:
    """One term, or a list of several, as they are written."""
    if isinstance(value, str):
        return (value,) if _is_term(context, value, path) else None
    if not isinstance(value, list):
        message = f"{subject(path)} must be a name, or a list of names, and is {described(value)}"
        context.note(Code.WRONG_TYPE, message, path)
        return None
    found = names(context, value, path, "terms") or {}
    return tuple(term for term, index in found.items() if _is_term(context, term, (*path, index)))


def _is_term(context: ReadContext, term: str, path: Path) -> bool:
    if re.fullmatch(TERM, term):
        return True
    word, space, name = term.partition(" ")
    guess = context.guess(word, _WORDS) if space and word not in _WORDS else ""
    guess = guess.replace("`?)", f" {name}`?)") if re.fullmatch(r"[A-Za-z0-9_.:-]+", name) else ""
    context.note(Code.BAD_NAME, f"{shortened(term)} is no term{guess}: {_HOW}", path)
    return False

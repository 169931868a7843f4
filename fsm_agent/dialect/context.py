"""The context of reading one document: its known names, and all mistakes found so far.

A reader takes a value and its path. It returns what was meant, or it notes the mistake and returns ``None``. So one
mistake hides no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias

from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.keys import NAME, Kind, Table
from fsm_agent.dialect.state_names import DocumentStates
from fsm_agent.dialect.suggestions import example, meant
from fsm_agent.domain.finding import Finding, Path, Severity
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.text import did_you_mean, listed, shortened
from fsm_agent.domain.workflow import Workflow

#: Limit of suggestions, and of the names that are searched for one, since suggestions are slow.
_SUGGESTIONS: Final = 50
_CANDIDATES: Final = 1_000

_NOUNS: Final[Mapping[type, str]] = {
    dict: "a mapping",
    list: "a list",
    str: "text",
    int: "an integer",
    type(None): "empty",
}


@dataclass(slots=True)
class ReadContext:
    places: DocumentStates
    #: declared events, without the built-in ones
    events: Collection[str]
    readers: Mapping[Kind, Reader]
    #: ``module:Model`` -> JSON Schema, or ``None`` if it is unknown; raises ``FsmAgentError`` if it is not allowed
    resolve_model: Callable[[str], Schema | None] | None = None
    #: name of a file -> its workflow, or ``None`` if the file has findings of its own; raises ``ValueError`` with the
    #: reason if the name is not usable
    resolve_workflow: Callable[[str], Workflow | None] | None = None
    #: reads a document inside this document
    inline: Callable[[Json], tuple[Workflow | None, list[Finding]]] = lambda _: (None, [])
    findings: list[Finding] = field(default_factory=list)
    #: known keys that were probably meant by unknown ones, so that their values were not read
    misspelt: set[str] = field(default_factory=set)

    def note(self, code: Code, message: str, path: Path, *, at_key: bool = False) -> None:
        self.findings.append(Finding(code.value, message, path, at_key=at_key))

    def remark(self, code: Code, message: str, path: Path) -> None:
        """Note a remark, which is not a mistake."""
        self.findings.append(Finding(code.value, message, path, Severity.NOTE))

    @property
    def suggests(self) -> bool:
        """Whether another suggestion may be searched."""
        return len(self.findings) < _SUGGESTIONS

    def guess(self, name: str, known: Iterable[str]) -> str:
        """`` (did you mean `x`?)``, or an empty text."""
        return did_you_mean(name, list(islice(known, _CANDIDATES))) if self.suggests and len(name) <= 80 else ""

    def read(self, kind: Kind, value: Json, path: Path) -> Any:
        return self.readers[kind](self, value, path)

    def entries(self, table: Table, value: Json, path: Path) -> dict[str, Any]:
        """The values of a mapping with the keys of ``table``, as far as they can be read."""
        found: dict[str, Any] = {}
        if not self.is_a(dict, value, path):
            return found
        for key, each in value.items():
            if key not in table:
                self._note_unknown_key(key, value, table, path)
            elif (read := self.read(table[key].kind, each, (*path, key))) is not None:
                found[key] = read
        for key, row in table.items():
            if row.required and key not in value and key not in self.misspelt:
                self.note(Code.MISSING_KEY, f"{subject(path)} needs the key `{key}`", path)
        return found

    def _note_unknown_key(self, key: str, beside: Mapping[str, Json], table: Table, path: Path) -> None:
        guess = meant(key, beside, table) or self.guess(key, table)
        self.misspelt |= {known for known in table if f" (did you mean `{known}`" in guess}
        allowed = (
            ": merge keys are not YAML 1.2; repeat what you need" if key == "<<" else f"; allowed: {listed(table)}"
        )
        message = f"{subject(path)} has no key {shortened(key)}{guess}{allowed}"
        self.note(Code.UNKNOWN_KEY, message, (*path, key), at_key=True)

    def is_a(self, kind: type, value: Json, path: Path, noun: str = "") -> bool:
        """Whether ``value`` has exactly this type (so ``true`` is no integer); if not, this is noted."""
        if type(value) is kind:
            return True
        shown = example(str(path[-1]), value) if kind is dict and path else ""
        what = f"{subject(path)} must be {noun or _NOUNS[kind]}, and is {described(value)}{shown}"
        self.note(Code.WRONG_TYPE, what, path)
        return False

    def is_name(self, name: Json, path: Path, pattern: str = NAME, *, at_key: bool = True) -> bool:
        if isinstance(name, str) and re.fullmatch(pattern, name):
            return True
        letters = "letters, digits, '_' and '-'" if pattern == NAME else "letters, digits and '_'"
        message = f"{shortened(name)} is not a name: write {letters}, no digit first, at most 64 in all"
        if name in {"in", "true", "false", "null"}:
            message = f"{name!r} is not a name, because expressions could not mention it: choose another"
        self.note(Code.BAD_NAME, message, path, at_key=at_key)
        return False


Reader: TypeAlias = Callable[[ReadContext, Json, Path], Any]


def subject(path: Path) -> str:
    """The name of a place in a sentence: its last key."""
    match path:
        case ():
            return "the workflow"
        case (*_, "states", str(name)):
            return f"state `{name}`"
        case (*_, str(name)):
            return f"`{name}`" if len(name) <= 80 else shortened(name)
        case (*_, str(parent), int(index)):
            return f"entry {index + 1} of `{parent}`"
        case _:
            return "this"


def some(names: Collection[str], most: int = 20) -> str:
    """The names, or only the first ones if there are many."""
    return listed([*islice(names, most), *(["…"] if len(names) > most else [])]) if names else "none"


def described(value: Json) -> str:
    """A value in a sentence: the value itself if it is short, otherwise its type."""
    return _NOUNS[type(value)] if isinstance(value, (dict, list)) or value is None else shortened(value)

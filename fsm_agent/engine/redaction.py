"""Which words are erased in an agent that lives on, and whose they were. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fsm_agent.data.erased import ERASED
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Delta, Event
from fsm_agent.domain.workflow import Workflow

#: A shorter word is found in every text.
_SHORTEST: Final = 3
_LITERAL: Final = re.compile(r"""'([^']*)'|"([^"]*)\"""")


@dataclass(slots=True)
class Redaction:
    """What is erased in one agent."""

    user: str
    #: what its workflows say themselves: names, defaults, enumerations, literals of expressions
    common: frozenset[str]
    #: what is erased
    erased_texts: set[str] = field(default_factory=set)

    def erased(self, value: Json) -> Json:
        """A value that the person has given, without its strings; they are noted."""
        match value:
            case str() if value == ERASED or value in self.common:
                return value
            case str():
                self.erased_texts.add(value)
                return ERASED
            case Mapping():
                return {key: self.erased(each) for key, each in value.items()}
            case list() | tuple():
                return [self.erased(each) for each in value]
            case _:
                return value

    def erased_delta(self, delta: Delta) -> Delta:
        return Delta(self.erased(delta.set), delta.remove, self.erased(delta.append))

    def cleared(self, value: Json) -> Json:
        """A value that the engine has copied, without the strings that are erased where it was copied from."""
        match value:
            case str():
                return ERASED if value in self.erased_texts else value
            case Mapping():
                return {key: self.cleared(each) for key, each in value.items()}
            case list() | tuple():
                return [self.cleared(each) for each in value]
            case _:
                return value

    def faded(self, value: Json, now: Json) -> Json:
        """A copy of a value, without the strings that are erased in what that is ``now``; they are noted."""
        match value, now:
            case str(), str() if now == ERASED != value:
                self.erased_texts.add(value)
                return ERASED
            case dict(), dict():
                return {key: self.faded(each, now.get(key)) for key, each in value.items()}
            case list(), list() if len(value) == len(now):
                return [self.faded(each, left) for each, left in zip(value, now, strict=True)]
            case _:
                return value

    def unquoted(self, text: str) -> str:
        """A text, or a tombstone if it quotes what is erased."""
        words = [re.escape(word) for word in self.erased_texts if len(word) >= _SHORTEST]
        return ERASED if words and re.search(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", text) else text

    def nameless(self, names: Iterable[str]) -> tuple[str, ...]:
        """The addressees of a question. The name gives way to one that nobody has: what only one person might answer
        does not become everybody's."""
        return tuple(ERASED if name == self.user else name for name in names)

    def event(self, event: Event) -> Event:
        """An event that is not decided yet."""
        if event.by != self.user:
            return event
        return event._replace(payload=self.erased(event.payload), by=None)


def common_words(workflows: Iterable[Workflow]) -> frozenset[str]:
    """The words that workflows themselves contain, so that they belong to nobody."""
    texts = {text for workflow in workflows for text in _strings(workflow.to_json())}
    literals = {single or double for text in texts for single, double in _LITERAL.findall(text)}
    return frozenset(texts | literals)


def _strings(value: Json) -> Iterable[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for key, each in value.items():
                yield key
                yield from _strings(each)
        case list() | tuple():
            for each in value:
                yield from _strings(each)

"""The texts that a reader may not see, found wherever they stand in other texts, however many there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from fsm_agent.domain.json import Json

HIDDEN: Final = "(redacted)"

#: A shorter text is hidden only where no letter or digit joins it: else `a` would be hidden in every word. Longer ones
#: are looked up by so many of their characters.
_SHORTEST_ANYWHERE: Final = 4


class HiddenTexts:
    """What hidden values are called in texts."""

    def __init__(self) -> None:
        self._short: set[str] = set()
        self._short_pattern: re.Pattern[str] | None = None
        self._long: set[str] = set()
        #: the lengths of the long ones by how they begin
        self._lengths: dict[str, set[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._short or self._long)

    def add(self, value: Json) -> None:
        """Take in a value that contains no others."""
        for text in _texts(value):
            if len(text) < _SHORTEST_ANYWHERE:
                self._short.add(text)
                self._short_pattern = None
            else:
                folded = _folded(text)
                self._long.add(folded)
                self._lengths.setdefault(folded[:_SHORTEST_ANYWHERE], set()).add(len(folded))

    def has_number(self, number: float) -> bool:
        return any(text in self._short or text in self._long for text in _texts(number))

    def hidden_in(self, text: str) -> str:
        """A text without those that are hidden: of two that begin at one place, without the longer one."""
        shown, begin, folded = "", 0, _folded(text)
        for at in range(len(text)):
            if at < begin:
                continue
            lengths = self._lengths.get(folded[at : at + _SHORTEST_ANYWHERE], ())
            length = max((each for each in lengths if folded[at : at + each] in self._long), default=0)
            if length:
                shown += self._without_short(text[begin:at]) + HIDDEN
                begin = at + length
        return shown + self._without_short(text[begin:])

    def _without_short(self, text: str) -> str:
        if not self._short or not text:
            return text
        if self._short_pattern is None:
            longest_first = sorted(self._short, key=lambda short: (-len(short), short))
            self._short_pattern = re.compile("|".join(map(_as_word, longest_first)))
        return self._short_pattern.sub(HIDDEN, text)


def _folded(text: str) -> str:
    """A text in small letters, as long as it was."""
    small = text.lower()
    if len(small) == len(text):
        return small
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)


def _as_word(text: str) -> str:
    """A pattern that finds a text, but not inside a longer word or number."""
    return f"(?<!{_like(text[0])}){re.escape(text)}(?!{_like(text[-1])})"


def _like(character: str) -> str:
    """A pattern of the characters that make one word, or one number, with this one; of others it finds nothing."""
    return r"\d" if character.isdigit() else r"[^\W\d_]" if character.isalpha() else r"[^\s\S]"


def _texts(value: Json) -> Iterator[str]:
    """What a value that contains no others is called in texts, also where these are JSON."""
    match value:
        case None | True | False | "":
            return
        case float() if value.is_integer():
            yield from (str(value), str(int(value)))
        case str():
            yield value
            yield from (json.dumps(value, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))
        case _:
            yield str(value)

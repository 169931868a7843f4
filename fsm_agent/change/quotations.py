"""Quotations in sentences: names, guards and values of a workflow, between backticks, on one line."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from typing import Final

from fsm_agent.domain.json import Json

_LONGEST: Final = 160
#: controls, and characters that hide text or change its direction
_STEERING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_BACKTICK: Final = "\N{MODIFIER LETTER GRAVE ACCENT}"


def quoted(text: str) -> str:
    """A text between backticks, cut if it is long. It cannot end the quotation, break the line, or steer a terminal."""
    line = " ".join(text.split())
    line = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
    shown = "".join(_shown(each) for each in line)
    return f"`{shown}`" if shown else "nothing"


def quoted_value(value: Json) -> str:
    """A JSON value between backticks; what is not there is ``none``."""
    return "none" if value is None else quoted(json.dumps(value, ensure_ascii=False, default=str))


def quoted_list(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names)) or "nothing"


def _shown(character: str) -> str:
    if character == "`":
        return _BACKTICK
    return character if unicodedata.category(character) not in _STEERING else "\N{REPLACEMENT CHARACTER}"

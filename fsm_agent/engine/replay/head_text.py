"""What a head says, part by part, in words: for whoever reads where a history and its agent differ. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from fsm_agent.domain.agent import ArmedTimer
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import ThreadSpans
from fsm_agent.domain.progress import Progress
from fsm_agent.domain.question import Asked
from fsm_agent.domain.step import iso
from fsm_agent.domain.usage import Usage
from fsm_agent.errors.storage import short_hash

_LONGEST: Final = 120


def part_in_words(name: str, part: Any) -> str:
    """The part of a head that is called ``name``."""
    if part is None or part in ((), {}):
        return "none"
    return cut(_WORDS.get(name, str)(part))


def value_in_words(value: Json) -> str:
    """A value of the data, as it stands in JSON."""
    return cut(json.dumps(value, ensure_ascii=False))


def state_in_words(state: str | None) -> str:
    return f"state {state!r}" if state else "no state"


def cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _visits(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} of {path!r}" for path, count in counts.items())


def _timers(timers: Iterable[ArmedTimer]) -> str:
    return ", ".join(f"{timer.label} of {timer.state!r}, due at {iso(timer.due_ms)}" for timer in timers)


def _question(asked: Asked) -> str:
    whom = f", for {', '.join(asked.to)}" if asked.to else ""
    answers = f", to be answered by {', '.join(asked.events)}" if asked.events else ""
    return f"question {asked.id}, {cut(json.dumps(asked.prompt, ensure_ascii=False))}{whom}{answers}"


def _problem(problem: tuple[str, str]) -> str:
    return ": ".join(problem)


def _messages(talk: ThreadSpans) -> str:
    seen = f"those from {talk.since + 1} to {talk.last}" if talk.last > talk.since else "none of its own"
    return f"{seen}, and {len(talk.before)} parts of earlier conversations" if talk.before else seen


def _named(part: Usage | Progress) -> str:
    told = (f"{name.replace('_', ' ')} {value}" for name, value in part._asdict().items() if value)
    return ", ".join(told) or "none"


_WORDS: Final[Mapping[str, Callable[[Any], str]]] = {
    "definition": short_hash,
    "state": repr,
    "created_ms": iso,
    "updated_ms": iso,
    "visits": _visits,
    "timers": _timers,
    "asked": _question,
    "output": value_in_words,
    "problem": _problem,
    "talk": _messages,
    "usage": _named,
    "progress": _named,
}

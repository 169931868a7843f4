"""What people write who know another dialect, and what they mean: keys of other libraries, forms that are too short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm_agent.domain.json import Json

#: key of another dialect -> what says the same here, the likeliest first; which of them is meant is a matter of place
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "guard": ("when",),
    "if": ("when",),
    "cond": ("when",),
    "condition": ("when",),
    "unless": ("when",),
    "to": ("target",),
    "goto": ("target",),
    "next": ("target", "on"),
    "dest": ("target",),
    "set": ("assign",),
    "update": ("assign",),
    "action": ("do",),
    "actions": ("do",),
    "run": ("do",),
    "invoke": ("do",),
    "entry": ("do",),
    "args": ("with",),
    "arguments": ("with",),
    "params": ("with",),
    "type": ("final",),
    "end": ("final",),
    "transitions": ("on",),
    "events": ("on",),
    "on_error": ("on",),
    "onError": ("on",),
    "catch": ("on",),
    "on_timeout": ("on",),
    "retries": ("retry",),
    "delay": ("after",),
    "question": ("ask", "prompt"),
    "message": ("prompt",),
    "text": ("prompt",),
    "answers": ("events",),
    "options": ("events",),
    "name": ("workflow",),
    "id": ("workflow",),
    "context": ("data",),
    "start": ("initial",),
    "initial_state": ("initial",),
}

#: what is written with a key that is meant, where its name alone does not say it
WRITTEN: Final[Mapping[tuple[str, str], str]] = {
    ("type", "final"): "final: true",
    ("end", "final"): "final: true",
    ("on_error", "on"): "on: {error: STATE}",
    ("onError", "on"): "on: {error: STATE}",
    ("catch", "on"): "on: {error: STATE}",
    ("on_timeout", "on"): "on: {timeout: STATE}",
    ("unless", "when"): "when: '!(...)'",
}

#: key whose value is a mapping -> one, to be seen
EXAMPLES: Final[Mapping[str, str]] = {
    "ask": "{prompt: 'Are you sure?', events: [yes, no]}",
    "retry": "{attempts: 3, backoff: 1s}",
    "after": "{3d: STATE}",
    "on": "{EVENT: STATE}",
    "with": "{ARGUMENT: data.field}",
    "assign": "{FIELD: event.field}",
    "append": "{FIELD: event.field}",
    "limits": "{steps: 100}",
    "events": "{approve: {}, reject: {reason: string}}",
    "data": "{amount: integer, note: string?}",
    "states": "{idle: {on: {go: done}}, done: {final: true}}",
    "output": "{FIELD: data.field}",
}


def example(key: str, value: Json) -> str:
    """``: write `ask: {...}` ``, with what was written in its place if that can be; empty where there is none."""
    known = EXAMPLES.get(key)
    if known is None:
        return ""
    if key == "ask" and isinstance(value, str) and len(value) <= 60 and not set(value) & set("'\\\n"):
        known = known.replace("Are you sure?", value)
    if key == "retry" and type(value) is int and 0 < value < 100:
        known = known.replace("3", str(value), 1)
    if key == "after" and isinstance(value, str) and value.isalnum() and len(value) <= 10:
        known = known.replace("3d", value)
    return f": write `{key}: {known}`"

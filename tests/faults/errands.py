"""The tools of an agent that is killed, what they do to a world that is a file, and its workflow."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from fsm_agent.dialect import read_document
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.effects import Do
from tests.support.servers.openai_stub import Answer

from .crashing import Fuse

ID = "thinker"
ANSWER = "Rome it is."


class World:
    """Where the tools of this process write down what they did, one line a deed; it outlives whoever did it."""

    folder = Path()
    fuse = Fuse(lambda place: False)

    @classmethod
    def do(cls, what: str, key: str) -> str:
        cls.fuse.burn(Do(key))
        with (cls.folder / "world.txt").open("a") as file:
            file.write(f"{key} {what}\n")
        cls.fuse.burn(Do(key))
        return what


async def look(topic: str, *, idempotency_key: str) -> str:
    """Looks something up."""
    return World.do(f"look {topic}", idempotency_key)


def note(text: str, *, idempotency_key: str) -> str:
    """Writes something down, from a thread."""
    return World.do(f"note {text}", idempotency_key)


async def mail(to: str, *, idempotency_key: str) -> str:
    """Sends a letter: never twice."""
    return World.do(f"mail {to}", idempotency_key)


def _call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


#: what the model says, by how often it has spoken: three rounds, five calls
ANSWERS = [
    Answer(calls=(_call("look", topic="Rome"), _call("note", text="warm"))),
    Answer(calls=(_call("mail", to="ana"), _call("look", topic="Oslo"), _call("note", text="cold"))),
    Answer(ANSWER),
]
DEEDS = ["look Rome", "note warm", "mail ana", "look Oslo", "note cold"]

DOCUMENT: dict[str, Any] = {
    "workflow": "thinker",
    "version": 1,
    "data": {"answer": "string?"},
    "events": {"done": {}},
    "initial": "thinking",
    "states": {
        "thinking": {
            "do": "llm.agent",
            "with": {
                "prompt": "Where to?",
                "tools": [
                    "tests.faults.errands:look",
                    "tests.faults.errands:note",
                    {"tool": "tests.faults.errands:mail", "mode": "at_most_once"},
                ],
                "into": "answer",
            },
            "on": {"done": "end"},
        },
        "end": {"final": True, "output": {"answer": "data.answer"}},
    },
}


@cache
def workflow() -> Workflow:
    read, findings = read_document(DOCUMENT)
    assert read is not None, findings
    return read

"""The workflow and the tools of an agent that is killed; the tools note their calls in a file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from fsm_agent.dialect import read_document
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.effects import Do
from tests.support.servers.openai_stub import Answer

from .crash_points import CrashPoints

ID = "thinker"
ANSWER = "Rome it is."


class ToolLog:
    """The file in which the tools of this process note their calls, one line each; it survives the process."""

    folder = Path()
    crash_points = CrashPoints(lambda point: False)

    @classmethod
    def record(cls, what: str, key: str) -> str:
        cls.crash_points.reach(Do(key))
        with (cls.folder / "calls.txt").open("a") as file:
            file.write(f"{key} {what}\n")
        cls.crash_points.reach(Do(key))
        return what


async def look(topic: str, *, idempotency_key: str) -> str:
    """Looks something up."""
    return ToolLog.record(f"look {topic}", idempotency_key)


def note(text: str, *, idempotency_key: str) -> str:
    """Writes something down, from a thread."""
    return ToolLog.record(f"note {text}", idempotency_key)


async def mail(to: str, *, idempotency_key: str) -> str:
    """Sends a letter: never twice."""
    return ToolLog.record(f"mail {to}", idempotency_key)


def _call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


#: the replies of the model, in their order: three rounds, five calls
ANSWERS = [
    Answer(calls=(_call("look", topic="Rome"), _call("note", text="warm"))),
    Answer(calls=(_call("mail", to="ana"), _call("look", topic="Oslo"), _call("note", text="cold"))),
    Answer(ANSWER),
]
EXPECTED_CALLS = ["look Rome", "note warm", "mail ana", "look Oslo", "note cold"]

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
                    "tests.faults.llm_agent_tools:look",
                    "tests.faults.llm_agent_tools:note",
                    {"tool": "tests.faults.llm_agent_tools:mail", "mode": "at_most_once"},
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

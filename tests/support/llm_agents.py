"""Agents that ask a stub of a language model, for tests of the model actions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fsm_agent import Runner, open_store
from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.domain.agent import Agent
from fsm_agent.domain.message import Message
from fsm_agent.domain.workflow import Workflow
from fsm_agent.llm.models import Models
from tests.support.runtime import flow
from tests.support.servers.openai_stub import Answer, OpenAIStub, Script

MODEL = "openai-chat:gpt-4.1"

Answers = Sequence[Answer | str | Script]


def runner(
    *,
    url: str = "memory://",
    clock: Callable[[], int] | None = None,
    tools: Sequence[Callable[..., Any]] = (),
    modules: Sequence[str] = (),
    model: str | None = MODEL,
    models: Mapping[str, Any] | None = None,
    **around: Any,
) -> AbstractAsyncContextManager[Runner]:
    surroundings = Surroundings(model=model, models=Models(models), **around)
    return Runner(
        open_store(url, **({"clock": clock} if clock else {})),
        actions=tools,
        modules=modules,
        surroundings=surroundings,
    )


async def run_agent(workflow: Workflow, *, data: Mapping[str, Any] | None = None, **how: Any) -> Agent:
    """Start an agent and drive it as far as it goes."""
    async with runner(**how) as running:
        return await running.start(workflow, data=data)


def why(agent: Agent) -> tuple[str, str]:
    """The type and the message of what went wrong."""
    assert agent.error is not None
    return agent.error["type"], agent.error["message"]


def sent_messages(stub: OpenAIStub, number: int = -1) -> list[dict[str, Any]]:
    """The messages of a request."""
    messages: list[dict[str, Any]] = stub.requests[number].body["messages"]
    return messages


def unwrapped(content: str) -> str:
    """What a result says: errors are wrapped by the library."""
    said: str = json.loads(content)["error"] if content.startswith('{"error":') else content
    return said


def offered(stub: OpenAIStub, number: int = -1) -> dict[str, Any]:
    """The tools of a request: name -> JSON Schema of the arguments."""
    tools = stub.requests[number].body.get("tools", [])
    return {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}


async def thread_messages(running: Runner, agent_id: str) -> list[Message]:
    """What is kept of an agent's own thread."""
    return list(await running.store.messages(f"@{agent_id}"))


def generate_workflow(given: str, rest: str = "") -> Workflow:
    """A state that writes, and ends whether it could or not."""
    return flow(f"""
        data:
          note: string?
          city: {{type: string, maxLength: 5, default: ""}}
          count: integer?
          tags: {{type: array, items: {{type: string}}, default: []}}
          mood: {{enum: [good, bad], default: good}}
          tree: {{$ref: "#/$defs/node", $defs: {{node: {{type: object, properties: {{name: {{type: string}}, below: {{type: array, items: {{$ref: "#/$defs/node"}}}}}}, required: [name]}}}}, default: {{name: root}}}}
        events: {{written: {{}}}}
        initial: writing
        states:
          writing:
            do: llm.generate
            with: {given}
            {rest}
            on: {{written: done, error: failed, timeout: failed}}
          done: {{final: true}}
          failed: {{final: true, outcome: failed}}
    """)  # noqa: E501

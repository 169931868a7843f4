"""One request to the API, checked, and what is replied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from fsm_agent.domain.agent import Agent
from fsm_agent.domain.json import Json
from fsm_agent.server.access import Caller
from fsm_agent.server.service import Service


@dataclass(frozen=True, slots=True)
class Call:
    """What an operation is given: everything in it fits the operation's schemas."""

    request: Request
    caller: Caller
    service: Service
    query: Mapping[str, Any]
    body: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def id(self) -> str:
        """The agent that the path names."""
        return str(self.request.path_params["id"])

    @property
    def key(self) -> str | None:
        return self.headers.get("Idempotency-Key")

    @property
    def expect_version(self) -> int | None:
        """The version that the request is meant for, if it says so."""
        match = self.headers.get("If-Match", "*")
        return None if match == "*" else int(match.strip('"'))

    @property
    def wait_s(self) -> int:
        """How long the caller waits for the agent to come to rest, in seconds."""
        _, _, seconds = self.headers.get("Prefer", "").partition("=")
        return int(seconds or 0)


@dataclass(frozen=True, slots=True)
class Reply:
    """A document, or a response that is none."""

    content: Json | Response
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_agent(cls, agent: Agent, status: int = 200, **headers: str) -> Reply:
        """An agent with the ETag of its version."""
        return cls(agent.to_json(), status, {"ETag": f'"{agent.version}"', **headers})

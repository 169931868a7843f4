"""One request to the API, checked, and what is replied."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from fsm_agent.domain.agent import Agent
from fsm_agent.domain.json import Json
from fsm_agent.server.access import Caller
from fsm_agent.server.api.operations import LONGEST_WAIT_S
from fsm_agent.server.service import Service

#: the preference in a header that may have others
_WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*(?=[,;]|$)", re.IGNORECASE)


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
        return None if match == "*" else int(match.removeprefix("W/").strip('"'))

    @property
    def wait_s(self) -> int:
        """How long the caller waits for the agent to come to rest, in seconds."""
        wait = _WAIT.search(self.headers.get("Prefer", ""))
        return min(int(wait[1]), LONGEST_WAIT_S) if wait else 0


@dataclass(frozen=True, slots=True)
class Reply:
    """A document, or a response that is none."""

    content: Json | Response
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_agent(cls, agent: Agent, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        """An agent with the ETag of its version."""
        return cls(agent.to_json(), status, {"ETag": f'"{agent.version}"', **(headers or {})})

    def without(self, names: Collection[str]) -> Reply:
        """The same document without some of its fields."""
        if not isinstance(self.content, dict):
            return self
        return replace(self, content={name: value for name, value in self.content.items() if name not in names})

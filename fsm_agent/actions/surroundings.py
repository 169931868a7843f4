"""What the process offers to an attempt: children, tools, models, and a listener."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

from fsm_agent.actions.children import ChildAgents
from fsm_agent.data.limit import DEFAULT_LIMIT, DataLimit
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Chunk
from fsm_agent.domain.state import ByteSize
from fsm_agent.domain.step import NOTHING
from fsm_agent.llm.models import Models

#: gets the text of a model while it arrives
Listener: TypeAlias = Callable[[Chunk], None]


class Surroundings:
    """What a runner offers to actions; all its attempts share it."""

    __slots__ = ("children", "data_limit", "default_model", "environment", "listen", "mcp", "model", "models", "tool")

    def __init__(
        self,
        *,
        children: ChildAgents | None = None,
        tool: Callable[[str], Callable[..., Any]] | None = None,
        models: Models | None = None,
        model: str | None = None,
        default_model: str | None = None,
        listen: Listener | None = None,
        mcp: Mapping[str, Mapping[str, Json]] = NOTHING,
        environment: Collection[str] = (),
        data_limit: str = DEFAULT_LIMIT.text,
    ) -> None:
        #: how agents have children
        self.children = children
        #: finds a tool by its name, or by ``module:function``; raises ``ActionError``
        self.tool = tool
        #: opened models with their connections; the runner closes them
        self.models = Models() if models is None else models
        #: this model is always asked, whatever workflows say
        self.model = model
        #: this model is asked if nothing else says which
        self.default_model = default_model
        self.listen = listen
        #: name -> how to reach an MCP server: ``{"command": [...]}``, with ``env``, or ``{"url": ...}``. The server
        #: inherits no other variables that may be secret.
        self.mcp = mcp
        #: environment variables that `auth` of ``http.request`` may send
        self.environment = frozenset(environment)
        #: limit of the data where the workflow has none, given as text such as ``1MB``
        self.data_limit = DataLimit.of(ByteSize.parse(data_limit))

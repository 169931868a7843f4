"""What an attempt finds in its process besides its agent: children, tools, models, and who listens."""

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

#: who hears what models say while they say it
Listener: TypeAlias = Callable[[Chunk], None]


class Surroundings:
    """What a runner has at hand for actions; all its attempts share it."""

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
        #: how agents that are driven here have children
        self.children = children
        #: a tool by its name, or ``module:function``; raises ``ActionError``
        self.tool = tool
        #: those that were asked here, with their connections; the runner closes them
        self.models = Models() if models is None else models
        #: the model that is asked whatever workflows say
        self.model = model
        #: the model that is asked where nothing else says which
        self.default_model = default_model
        self.listen = listen
        #: name -> how an MCP server is reached: ``{"command": [...]}``, with ``env`` (of the environment it inherits
        #: nothing else that might be secret), or ``{"url": ...}``
        self.mcp = mcp
        #: the environment variables whose values `auth` of ``http.request`` may send
        self.environment = frozenset(environment)
        #: how much data may weigh where the workflow does not say, given as text such as ``1MB``
        self.data_limit = DataLimit.of(ByteSize.parse(data_limit))

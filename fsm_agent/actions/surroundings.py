"""What an attempt finds in its process besides its agent: children, tools, models, and who listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fsm_agent.actions.kinship import Kinship
from fsm_agent.jsontypes import Json
from fsm_agent.message import Chunk
from fsm_agent.models.opened import Models

#: who hears what models say while they say it
Listener: TypeAlias = Callable[[Chunk], None]


@dataclass(slots=True)
class Surroundings:
    """Of one runner; all its attempts share them."""

    #: how agents that are driven here have children
    kinship: Kinship | None = None
    #: a tool by its name, or ``module:function``; raises ``ActionError``
    tool: Callable[[str], Callable[..., Any]] | None = None
    #: those that were asked here, with their connections; the runner closes them
    models: Models = field(default_factory=Models)
    #: the model that is asked whatever workflows say
    model: str | None = None
    #: the model that is asked where nothing else says which
    default_model: str | None = None
    listen: Listener | None = None
    #: name -> how an MCP server is reached: ``{"command": [...]}``, with ``env`` (of the environment it inherits
    #: nothing else that might be secret), or ``{"url": ...}``
    mcp: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

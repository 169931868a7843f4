"""What an action is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fsm_agent.actions.action import Emission
from fsm_agent.data import Data
from fsm_agent.jsontypes import Json
from fsm_agent.step import moment


@dataclass(slots=True)
class Context:
    """The agent as its action sees it. Changes to ``data`` become visible with the step that the returned event
    takes, or not at all."""

    agent_id: str
    state: str
    data: Data
    #: 1 for the first; retries of one entry into the state count up
    attempt: int
    #: the version that entered the state; the same for every attempt, also after a crash
    activation: int
    #: state path -> committed entries
    visits: Mapping[str, int]
    #: when this attempt began, milliseconds since the epoch by the store's clock
    now_ms: int

    @property
    def now(self) -> datetime:
        """When this attempt began, by the store's clock; aware, UTC."""
        return moment(self.now_ms)

    def emit(self, event: str, /, **payload: Json) -> Emission:
        """An event with a payload, to be returned."""
        return Emission(event, payload)

"""The words of people: what is remembered of one across agents, and how an agent's work is going."""

from collections.abc import Mapping
from typing import NamedTuple

from fsm_agent.domain.json import Json
from fsm_agent.domain.step import NOTHING


class UserRecord(NamedTuple):
    """What is remembered of one user in one namespace, by all workflows together; every change is compare-and-set on
    ``version``, which is 0 for somebody of whom nothing is known."""

    name: str
    version: int = 0
    values: Mapping[str, Json] = NOTHING
    updated_ms: int = 0

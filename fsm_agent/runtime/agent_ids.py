"""Ids of agents: ``[A-Za-z0-9][A-Za-z0-9._-]{0,127}``; a new one is a UUIDv7 (RFC 9562), so ids sort by age."""

from __future__ import annotations

import re
from typing import Final

from fsm_agent.errors import IdInvalid

_ID: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"


def new_id() -> str:
    import uuid_utils

    return str(uuid_utils.uuid7())


def checked_id(text: str) -> str:
    """Returns ``text`` if it is a valid id; raises ``IdInvalid``."""
    if not is_id(text):
        raise IdInvalid(text)
    return text


def is_id(text: str) -> bool:
    """Whether ``text`` is a valid id."""
    return re.fullmatch(_ID, text) is not None

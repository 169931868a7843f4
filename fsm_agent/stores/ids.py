"""Parts of ids."""

from __future__ import annotations

from collections.abc import Iterable


def ids_with(ids: Iterable[str], part: str) -> list[str]:
    """The ids that begin or end with ``part``."""
    return [agent_id for agent_id in ids if agent_id.startswith(part) or agent_id.endswith(part)]

"""Times in rows: no later and no earlier than a date can show."""

from __future__ import annotations

from typing import Any

from fsm_agent.domain.step import EARLIEST_MS, LATEST_MS
from fsm_agent.errors import StoreCorrupt


def check_time(name: str, ms: Any) -> None:
    """Raises ``StoreCorrupt`` unless ``ms`` is a number of milliseconds of which a date can be made."""
    if type(ms) is not int or not EARLIEST_MS <= ms <= LATEST_MS:
        raise StoreCorrupt(f"its {name} is no time between the years 1 and 9999")


def check_optional_time(name: str, ms: Any) -> None:
    """``check_time``, where there may be none."""
    if ms is not None:
        check_time(name, ms)

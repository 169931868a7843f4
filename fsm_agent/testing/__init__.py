"""For tests of workflows and of stores: ``drive``, ``FakeClock``, ``StoreContract``, and a pytest plugin.

Names are imported when they are first used: pytest imports the plugin in every project where fsm-agent is installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fsm_agent.testing.clock import FakeClock
    from fsm_agent.testing.contract import DurableStoreContract, StoreContract
    from fsm_agent.testing.scripted import Drive, ScriptEnded, drive

_HOMES: Final = {
    "Drive": "scripted",
    "DurableStoreContract": "contract",
    "FakeClock": "clock",
    "ScriptEnded": "scripted",
    "StoreContract": "contract",
    "drive": "scripted",
}

__all__ = ["Drive", "DurableStoreContract", "FakeClock", "ScriptEnded", "StoreContract", "drive"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value

"""For tests of workflows and of stores: ``drive``, ``FakeClock``, ``StoreContract``, and a pytest plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsm_agent.testing.clock import FakeClock
from fsm_agent.testing.drive import Drive, ScriptEnded, drive

if TYPE_CHECKING:
    from fsm_agent.testing.contract import DurableStoreContract, StoreContract

__all__ = ["Drive", "DurableStoreContract", "FakeClock", "ScriptEnded", "StoreContract", "drive"]


def __getattr__(name: str) -> Any:
    """The contracts are imported when they are asked for, since they need pytest."""
    if name not in {"DurableStoreContract", "StoreContract"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fsm_agent.testing import contract

    return getattr(contract, name)

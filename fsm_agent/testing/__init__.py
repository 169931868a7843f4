"""For tests of workflows and of stores: ``drive``, ``FakeClock``, ``StoreContract``, and a pytest plugin."""

from __future__ import annotations

from fsm_agent.testing.clock import FakeClock
from fsm_agent.testing.drive import Drive, ScriptEnded, drive

__all__ = ["Drive", "FakeClock", "ScriptEnded", "drive"]

"""For tests of workflows, stores and engines: ``drive``, ``play``, ``tours``, ``machine``, ``FakeClock``,
``StoreContract``, ``EngineContract``, and a pytest plugin.

Names are imported when they are first used: pytest imports the plugin in every project where fsm-agent is installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fsm_agent.runtime.scripted.clock import FakeClock
    from fsm_agent.runtime.scripted.executor import ScriptEnded
    from fsm_agent.runtime.scripted.moves import cancels, fails, passes, says, sent, unparks
    from fsm_agent.runtime.scripted.play import Play, play
    from fsm_agent.runtime.scripted.tours import tours
    from fsm_agent.testing.contract import DurableStoreContract, StoreContract
    from fsm_agent.testing.engines import EngineContract, RemoteEngineContract
    from fsm_agent.testing.scripted import Drive, drive
    from fsm_agent.testing.state_machine import machine

_TESTING: Final = "fsm_agent.testing"
_SCRIPTED: Final = "fsm_agent.runtime.scripted"
#: name -> the module that has it
_HOMES: Final = {
    "Drive": f"{_TESTING}.scripted",
    "DurableStoreContract": f"{_TESTING}.contract",
    "EngineContract": f"{_TESTING}.engines",
    "FakeClock": f"{_SCRIPTED}.clock",
    "Play": f"{_SCRIPTED}.play",
    "RemoteEngineContract": f"{_TESTING}.engines",
    "ScriptEnded": f"{_SCRIPTED}.executor",
    "StoreContract": f"{_TESTING}.contract",
    "cancels": f"{_SCRIPTED}.moves",
    "drive": f"{_TESTING}.scripted",
    "fails": f"{_SCRIPTED}.moves",
    "machine": f"{_TESTING}.state_machine",
    "passes": f"{_SCRIPTED}.moves",
    "play": f"{_SCRIPTED}.play",
    "says": f"{_SCRIPTED}.moves",
    "sent": f"{_SCRIPTED}.moves",
    "tours": f"{_SCRIPTED}.tours",
    "unparks": f"{_SCRIPTED}.moves",
}

__all__ = [
    "Drive",
    "DurableStoreContract",
    "EngineContract",
    "FakeClock",
    "Play",
    "RemoteEngineContract",
    "ScriptEnded",
    "StoreContract",
    "cancels",
    "drive",
    "fails",
    "machine",
    "passes",
    "play",
    "says",
    "sent",
    "tours",
    "unparks",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value

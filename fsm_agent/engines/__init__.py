"""Engines: wake-ups for agents, carried by a system that you already run.

``open_engine`` opens one by its URL, ``serve_engine`` serves it beside a worker. For one of your own, subclass
``Engine`` and ``SentWakeups``, and test it with ``fsm_agent.testing.EngineContract``.
"""

from fsm_agent.engines.agent_tasks import AgentTasks
from fsm_agent.engines.base import HORIZON_MS, Advance, Engine, advance
from fsm_agent.engines.service import serve_engine
from fsm_agent.engines.urls import open_engine
from fsm_agent.engines.wakeups import EngineWakeups
from fsm_agent.runtime.wakeups import SentWakeups, Wakeups

__all__ = [
    "HORIZON_MS",
    "Advance",
    "AgentTasks",
    "Engine",
    "EngineWakeups",
    "SentWakeups",
    "Wakeups",
    "advance",
    "open_engine",
    "serve_engine",
]

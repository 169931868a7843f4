"""fsm-agent: LLM agents as explicit state machines - declared, checked, durable, drawn for review.

Names are imported when they are first used, so that a program pays only for what it needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fsm_agent.actions.action import Action, Emission, action
    from fsm_agent.actions.context import BlockingContext, Context
    from fsm_agent.actions.surroundings import Surroundings
    from fsm_agent.domain.agent import Agent, Status
    from fsm_agent.domain.effect import NOT_DONE, EffectEntry
    from fsm_agent.domain.finding import Finding
    from fsm_agent.domain.message import Chunk
    from fsm_agent.domain.replay import Replayed, Rewound
    from fsm_agent.domain.retention import Retention
    from fsm_agent.domain.step import Step
    from fsm_agent.errors import (
        ActionError,
        Conflict,
        EffectInDoubt,
        EffectMismatch,
        FsmAgentError,
        LeaseHeld,
        Refused,
        StoreError,
        ToolError,
        WorkflowInvalid,
    )
    from fsm_agent.loading.python import Migration, State, Transition, Workflow
    from fsm_agent.memory.threads import Thread
    from fsm_agent.runtime.runner import Runner
    from fsm_agent.runtime.worker import Worker
    from fsm_agent.stores.base import Store
    from fsm_agent.stores.sealed.keys import read_keys
    from fsm_agent.stores.urls import open_store

_HOMES: Final = {
    "Action": "actions.action",
    "ActionError": "errors",
    "Agent": "domain.agent",
    "BlockingContext": "actions.context",
    "Chunk": "domain.message",
    "Conflict": "errors",
    "Context": "actions.context",
    "EffectEntry": "domain.effect",
    "EffectInDoubt": "errors",
    "EffectMismatch": "errors",
    "Emission": "actions.action",
    "Finding": "domain.finding",
    "FsmAgentError": "errors",
    "LeaseHeld": "errors",
    "Migration": "loading.python",
    "NOT_DONE": "domain.effect",
    "Question": "domain.question",
    "Refused": "errors",
    "Replayed": "domain.replay",
    "Retention": "domain.retention",
    "Rewound": "domain.replay",
    "Runner": "runtime.runner",
    "State": "loading.python",
    "Status": "domain.agent",
    "Step": "domain.step",
    "Store": "stores.base",
    "StoreError": "errors",
    "Surroundings": "actions.surroundings",
    "Thread": "memory.threads",
    "ToolError": "errors",
    "Transition": "loading.python",
    "Worker": "runtime.worker",
    "Workflow": "loading.python",
    "WorkflowInvalid": "errors",
    "action": "actions.action",
    "open_store": "stores.urls",
    "read_keys": "stores.sealed.keys",
}

__version__ = "0.1.0"

__all__ = [
    "NOT_DONE",
    "Action",
    "ActionError",
    "Agent",
    "BlockingContext",
    "Chunk",
    "Conflict",
    "Context",
    "EffectEntry",
    "EffectInDoubt",
    "EffectMismatch",
    "Emission",
    "Finding",
    "FsmAgentError",
    "LeaseHeld",
    "Migration",
    "Question",
    "Refused",
    "Replayed",
    "Retention",
    "Rewound",
    "Runner",
    "State",
    "Status",
    "Step",
    "Store",
    "StoreError",
    "Surroundings",
    "Thread",
    "ToolError",
    "Transition",
    "Worker",
    "Workflow",
    "WorkflowInvalid",
    "action",
    "open_store",
    "read_keys",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fsm_agent' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"fsm_agent.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})

"""The built-in actions, which every workflow can name: models, people, HTTP, time, children.

Each is an ordinary action. The only difference: its arguments come unevaluated, since each action knows which of them
are expressions (``dialect.builtins``). A built-in action is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Final

from fsm_agent.actions.action import Action, describe

#: name of an action -> module and function
_PLACES: Final = {
    "http.request": "http_request:request",
    "human.ask": "human_ask:ask",
    "llm.agent": "llm_agent:work",
    "llm.decide": "llm_decide:decide",
    "llm.generate": "llm_generate:generate",
    "wait": "wait:wait",
    "workflow.run": "workflow_run:run",
}


def built_in(do: str) -> Action | None:
    """The built-in action of this name, if there is one."""
    if do not in _PLACES:
        return None
    module, _, function = _PLACES[do].partition(":")
    found: Action = describe(getattr(importlib.import_module(f"{__name__}.{module}"), function))
    return found

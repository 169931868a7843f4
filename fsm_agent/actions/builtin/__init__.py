"""The actions that every workflow can name: models, people, the web, time, children.

Each is an ordinary action with a context like any other; what sets it apart is that its arguments come as they are
written, since each knows what kind of thing it takes (``dialect.builtins``). Imported when first asked for.
"""

from __future__ import annotations

import importlib
from typing import Final

from fsm_agent.actions.action import Action, describe

#: name -> where its function is
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
    """The action of that name, if it is a built-in one."""
    if do not in _PLACES:
        return None
    module, _, function = _PLACES[do].partition(":")
    found: Action = describe(getattr(importlib.import_module(f"{__name__}.{module}"), function))
    return found

"""The yardstick of the engine: `transitions` alone."""

from __future__ import annotations

from typing import Any

import transitions

from benchmarks.measure import timed


class _Cursor:
    state = "a"


def bare_triggers(steps: int) -> float:
    """Seconds for as many triggers of a machine of `transitions` that has no guard and no callback."""
    machine: Any = transitions.Machine(
        model=None, states=["a", "b"], initial="a", auto_transitions=False, send_event=True
    )
    machine.add_transition("go", "a", "b")
    machine.add_transition("go", "b", "a")
    trigger, cursor = machine.events["go"].trigger, _Cursor()
    return timed(lambda: [trigger(cursor) for _ in range(steps)])

"""A whole workflow in a test: scripted actions, a virtual clock, no event loop, milliseconds.

    run = drive("book_flight.yaml", actions={"plan_trip": ["plan_ready"], "execute_step": ["needs_input"]})
    run.send("new_task", goal="x")
    run.advance(days=3)
    assert run.state == "cancelled"

It is the real engine, runner and memory store; only the actions are scripted, and time passes when it is told to.
Built-in actions have scripts like any other, by their names; ``wait`` and ``human.ask`` need none.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from fsm_agent.concurrency.sync_driver import finish
from fsm_agent.domain.agent import Agent
from fsm_agent.domain.json import Json
from fsm_agent.domain.user import UserRecord
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import Refused
from fsm_agent.loading.yaml_file import load
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.scripted.agent import ScriptedAgent
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.runtime.scripted.executor import Script, ScriptedActions, ScriptedExecutor, ScriptEnded
from fsm_agent.stores.urls import open_store

__all__ = ["Drive", "ScriptEnded", "drive"]


def drive(
    workflow: Workflow | str | Path,
    *,
    actions: Mapping[str, Script] | None = None,
    data: Mapping[str, Json] | None = None,
    user: str | None = None,
    remembered: Mapping[str, Json] | None = None,
) -> Drive:
    """Create an agent of ``workflow`` and drive it until it waits. Raises what ``Runner.start`` raises.

    ``user`` is whom it serves, and ``remembered`` what is known of them before.
    """
    declared = workflow if isinstance(workflow, Workflow) else load(workflow)
    return Drive(declared, actions or {}, data or {}, user=user, remembered=remembered)


class Drive(ScriptedAgent):
    """One agent under test. Each call drives it until it waits, ends or parks."""

    def __init__(
        self,
        workflow: Workflow,
        actions: Mapping[str, Script],
        data: Mapping[str, Json],
        *,
        user: str | None = None,
        remembered: Mapping[str, Json] | None = None,
        url: str = "memory://",
    ) -> None:
        clock = FakeClock()
        store = open_store(url, clock=clock)
        runner = Runner(store, actions=ScriptedActions(actions), executor=ScriptedExecutor(actions, clock, store))
        if user is not None and remembered:
            finish(store.save_user(UserRecord(user, 1, remembered, clock.ms)))
        self._last: Agent = finish(runner.start(workflow, data=data, user=user))
        super().__init__(workflow, clock, runner, self._last.id)

    @property
    def agent(self) -> Agent:
        """The agent as the last call left it, with its ``delivery``."""
        return self._last

    def send(self, event: str, *, by: str | None = None, **payload: Json) -> Drive:
        """Deliver an event; raises ``Refused``."""
        return self._follow(self.runner.send(self.agent_id, event, payload, by=by))

    def answer(self, event: str | None = None, *, by: str | None = None, **payload: Json) -> Drive:
        """Answer the question; raises ``Refused``."""
        return self._follow(self.runner.answer(self.agent_id, payload, event=event, by=by))

    def cancel(self, *, by: str | None = None) -> Drive:
        return self._follow(self.runner.cancel(self.agent_id, by=by))

    def unpark(self, event: str | None = None, *, by: str | None = None, **payload: Json) -> Drive:
        return self._follow(self.runner.unpark(self.agent_id, event=event, payload=payload, by=by))

    def _follow(self, work: Coroutine[Any, Any, Agent]) -> Drive:
        """What is refused may still have let due timers fire."""
        try:
            self._last = finish(work)
        except Refused:
            self._last = super().agent
            raise
        return self

    def advance(self, **units: float) -> Drive:
        """Let time pass (``days``, ``hours``, ``minutes``, ``seconds``), with everything that falls due in it."""
        self.let_pass(FakeClock(0).advance(**units))
        self._last = super().agent
        return self

"""A whole workflow in a test: scripted actions, a virtual clock, no event loop, milliseconds.

    run = drive("book_flight.yaml", actions={"plan_trip": ["plan_ready"], "execute_step": ["needs_input"]})
    run.send("new_task", goal="x")
    run.advance(days=3)
    assert run.state == "cancelled"

It is the real engine, runner and memory store; only the actions are scripted, and time passes when it is told to.
Built-in actions have scripts like any other, by their names; ``wait`` and ``human.ask`` need none.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from fsm_agent.concurrency.sync_driver import finish
from fsm_agent.domain.agent import ENDED, Agent, Head, Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Step
from fsm_agent.domain.user import UserRecord
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import Refused
from fsm_agent.loading.yaml_file import load
from fsm_agent.runtime.runner import Runner
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


class Drive:
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
        self.workflow = workflow
        self.clock = FakeClock()
        store = open_store(url, clock=self.clock)
        self._runner = Runner(
            store, actions=ScriptedActions(actions), executor=ScriptedExecutor(actions, self.clock, store)
        )
        if user is not None and remembered:
            finish(store.save_user(UserRecord(user, 1, remembered, self.clock.ms)))
        self.agent: Agent = finish(self._runner.start(workflow, data=data, user=user))

    @property
    def state(self) -> str:
        return self.agent.state

    @property
    def status(self) -> Status:
        return self.agent.status

    @property
    def data(self) -> Mapping[str, Json]:
        return self.agent.data

    @property
    def prompt(self) -> str | None:
        """What the agent asks, if it asks anything."""
        return self.agent.question.prompt if self.agent.question else None

    @property
    def remembered(self) -> Mapping[str, Json]:
        """What is known of whom it serves."""
        user = self.agent.user
        return {} if user is None else finish(self._runner.store.user(user)).values

    @property
    def history(self) -> Sequence[Step]:
        return finish(self._runner.history(self.agent.id))

    @property
    def head(self) -> Head:
        """All that is known of the agent but its data: version, visits, armed timers."""
        return finish(self._runner.store.head(self.agent.id))

    @property
    def path(self) -> list[str]:
        """The states in the order in which they were entered."""
        steps = self.history
        return [step.target for step in steps if step.source != step.target or step.event == "created"]

    def send(self, event: str, *, by: str | None = None, **payload: Json) -> Drive:
        """Deliver an event; raises ``Refused``."""
        return self._follow(self._runner.send(self.agent.id, event, payload, by=by))

    def answer(self, event: str | None = None, *, by: str | None = None, **payload: Json) -> Drive:
        """Answer the question; raises ``Refused``."""
        return self._follow(self._runner.answer(self.agent.id, payload, event=event, by=by))

    def cancel(self, *, by: str | None = None) -> Drive:
        return self._follow(self._runner.cancel(self.agent.id, by=by))

    def unpark(self, event: str | None = None, *, by: str | None = None, **payload: Json) -> Drive:
        return self._follow(self._runner.unpark(self.agent.id, event=event, payload=payload, by=by))

    def _follow(self, work: Coroutine[Any, Any, Agent]) -> Drive:
        """What is refused may still have let due timers fire."""
        try:
            self.agent = finish(work)
        except Refused:
            self.agent = finish(self._runner.get(self.agent.id))
            raise
        return self

    def advance(self, **units: float) -> Drive:
        """Let time pass (``days``, ``hours``, ``minutes``, ``seconds``), with everything that falls due in it."""
        end_ms = self.clock.ms + FakeClock(0).advance(**units)
        while (due_ms := self._next_due_ms()) is not None and due_ms <= end_ms:
            self.clock.ms = max(self.clock.ms, due_ms)
            self.agent = finish(self._runner.resume(self.agent.id))
        self.clock.ms = max(self.clock.ms, end_ms)
        return self

    def _next_due_ms(self) -> int | None:
        return None if self.status in ENDED else self.head.wake_ms

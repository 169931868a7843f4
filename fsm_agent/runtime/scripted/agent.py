"""One agent under test, on the real engine, a store in memory and a clock that is set: what is shown of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fsm_agent.concurrency.sync_driver import finish
from fsm_agent.domain.agent import ENDED, Agent, Head, Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.leaf_transition import LeafTransition
from fsm_agent.domain.property import Property
from fsm_agent.domain.step import Step
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.program import Program
from fsm_agent.engine.replay.history import Past
from fsm_agent.runtime.replay import load_past
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.scripted.clock import FakeClock


class ScriptedAgent:
    """What ``drive`` and ``play`` give."""

    def __init__(
        self,
        workflow: Workflow,
        clock: FakeClock,
        runner: Runner,
        agent_id: str,
        programs: dict[str, Program] | None = None,
    ) -> None:
        """``programs`` has those with which histories were told before, by hash, and may be shared."""
        self.workflow = workflow
        self.clock = clock
        self.runner = runner
        self.agent_id = agent_id
        self._programs = {} if programs is None else programs

    @property
    def agent(self) -> Agent:
        return finish(self.runner.get(self.agent_id))

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
        question = self.agent.question
        return question.prompt if question else None

    @property
    def remembered(self) -> Mapping[str, Json]:
        """What is known of whom it serves."""
        user = self.agent.user
        return {} if user is None else finish(self.runner.store.user(user)).values

    @property
    def history(self) -> Sequence[Step]:
        return finish(self.runner.history(self.agent_id))

    @property
    def head(self) -> Head:
        """All that is known of the agent but its data: version, visits, armed timers."""
        return finish(self.runner.store.head(self.agent_id))

    @property
    def path(self) -> list[str]:
        """The states in the order in which they were entered."""
        return [step.target for step in self.history if step.source != step.target or step.event == "created"]

    @property
    def transitions(self) -> list[LeafTransition]:
        """The transitions that were taken, in order. Where a history does not tell which of several it was, the first
        of them."""
        from fsm_agent.engine.replay.taken import taken_by  # whoever plays need not ask for it

        past = self.past
        life, found = past.beginning(), list[LeafTransition]()
        for step in past.steps:
            found += taken_by(life, step)[:1]
            life.take(step)
        return found

    @property
    def past(self) -> Past:
        """The history with all that is needed to tell it again."""
        return finish(load_past(self.runner.store, self.agent_id, programs=self._programs))

    def keeps(self, name: str | Property) -> bool:
        """Whether the life so far keeps a property of the workflow, by its name under ``must``. Raises
        ``KeyError``."""
        of = {each.name: each for each in self.workflow.must}[name] if isinstance(name, str) else name
        return not self._broken((of,))

    @property
    def broken(self) -> list[str]:
        """The properties of the workflow that the life so far breaks."""
        return self._broken(self.workflow.must)

    def _broken(self, properties: Iterable[Property]) -> list[str]:
        from fsm_agent.proof.histories import keeps  # a workflow need not have properties

        past = self.past
        return [each.name for each in properties if not keeps(self.workflow, each.rule, past)]

    def let_pass(self, ms: int) -> None:
        """Let so many milliseconds pass, with all that falls due in them."""
        end_ms = self.clock.ms + ms
        while (due_ms := self._next_due_ms()) is not None and due_ms <= end_ms:
            self.clock.ms = max(self.clock.ms, due_ms)
            finish(self.runner.resume(self.agent_id))
        self.clock.ms = max(self.clock.ms, end_ms)

    def _next_due_ms(self) -> int | None:
        head = self.head
        return None if head.status in ENDED else head.wake_ms

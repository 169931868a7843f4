"""Records what a store returns of an agent, and of its forks, at every version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from fsm_agent import Runner, open_store
from fsm_agent.dialect import read_document
from fsm_agent.domain.agent import ENDED, Agent, Head, Status
from fsm_agent.domain.record import Commit, Creation
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.commands import Command
from fsm_agent.engine.replay.verify import REPLAYED
from fsm_agent.errors import Refused
from fsm_agent.runtime.command_loop import CommandLoop
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.runtime.scripted.executor import ScriptedActions, ScriptedExecutor

from .outcomes import Outcome
from .random_workflows import EVENTS

ID = "a"


class AgentView(NamedTuple):
    """What was returned of an agent at one version."""

    document: dict[str, Any]
    parts: dict[str, Any]


def parts(head: Head) -> dict[str, Any]:
    """The parts of a head that only a step can change. So a problem is without its held event, and the problem of an
    attempt that will be retried is left out."""
    told = {name: getattr(head, name) for name in REPLAYED}
    problem = head.problem if head.status is not Status.RUNNING else None
    return {**told, "visits": dict(head.visits), "problem": problem and problem._replace(held=None)}


def view_of(agent: Agent, head: Head) -> AgentView:
    """A view without ``retry``, which changes without a step."""
    return AgentView(agent._replace(retry=None).to_json(), parts(head))


class RecordingLoop(CommandLoop):
    """Records what the store returns after each commit."""

    def __init__(self, runner: Runner, executor: ScriptedExecutor) -> None:
        super().__init__(runner.store, runner.actions, executor)
        self._runner = runner
        self.seen: dict[tuple[str, int], AgentView] = {}

    async def perform(self, effect: Command) -> Any:
        reply = await super().perform(effect)
        if isinstance(effect, Commit | Creation):
            head = await self._runner.store.head(effect.head.id)
            self.seen[head.id, head.version] = view_of(await self._runner.get(head.id), head)
        return reply


class AgentRecorder:
    """Runs operations on an agent; its actions end as ``script`` says, over and over."""

    def __init__(self, document: dict[str, Any], script: Sequence[Outcome], url: str) -> None:
        workflow, findings = read_document(document)
        assert workflow is not None, findings
        self.workflow: Workflow = workflow
        self._script, self._calls = script, 0
        self.clock = FakeClock()
        store = open_store(url, clock=self.clock)
        scripts = {"work": self._work}
        executor = ScriptedExecutor(scripts, self.clock, store)
        self.runner = Runner(store, actions=ScriptedActions(scripts), executor=executor)
        self.runner._loop = self._loop = RecordingLoop(self.runner, executor)
        self.ids = [ID]

    @property
    def seen(self) -> dict[tuple[str, int], AgentView]:
        return self._loop.seen

    def _work(self, ctx: Any) -> Any:
        self._calls += 1
        return self._script[(self._calls - 1) % len(self._script)].play(ctx)

    async def run(self, operations: Sequence[tuple[Any, ...]]) -> None:
        await self.runner.start(self.workflow, id=ID)
        for operation in operations:
            try:
                await self._run_operation(operation)
            except Refused:
                continue

    async def _run_operation(self, operation: tuple[Any, ...]) -> None:
        runner, agent_id = self.runner, self.ids[-1]
        head = await runner.store.head(agent_id)
        match operation:
            case ("send", number, x):
                pool = [*self.workflow.allowed(head.state), *EVENTS]
                event = pool[number % len(pool)]
                await runner.send(agent_id, event, {"x": x} if event == "give" and x else {})
            case ("cancel",):
                await runner.cancel(agent_id)
            case ("unpark",):
                await runner.unpark(agent_id)
            case ("rewind", number):
                await runner.rewind(agent_id, number % head.version + 1)
            case ("fork", number):
                self.ids.append((await runner.fork(agent_id, number % head.version + 1, id=f"f{len(self.ids)}")).id)
            case ("sleep", seconds):
                self.clock.advance(seconds=seconds)
            case ("advance", seconds):
                await self._advance(agent_id, self.clock.ms + seconds * 1000)

    async def _advance(self, agent_id: str, end_ms: int) -> None:
        while (head := await self.runner.store.head(agent_id)).status not in ENDED:
            if head.wake_ms is None or head.wake_ms > end_ms:
                break
            self.clock.ms = max(self.clock.ms, head.wake_ms)
            await self.runner.resume(agent_id)
        self.clock.ms = max(self.clock.ms, end_ms)

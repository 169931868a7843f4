"""The runner: each public call is one flow of the engine, which the command loop performs.

A crash or Ctrl-C may end a flow anywhere. What was committed stays, and any process can ``resume`` the agent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Self

from fsm_agent.actions.registry import Actions
from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.data.arguments import check, check_optional, functions, positive_ms, strings
from fsm_agent.domain.agent import Agent, Head
from fsm_agent.domain.json import Json
from fsm_agent.domain.lease import LEASE_MS
from fsm_agent.engine import delivery
from fsm_agent.engine import start as beginning
from fsm_agent.engine.answers import Answer
from fsm_agent.errors import ArgumentInvalid
from fsm_agent.runtime.agent_ids import checked_id, new_id
from fsm_agent.runtime.agent_removal import Removal
from fsm_agent.runtime.command_loop import CommandLoop
from fsm_agent.runtime.executor import Executor, LazyExecutor, traced
from fsm_agent.runtime.queries import Queries
from fsm_agent.runtime.requests import UNSAID, event_of, settlement_of
from fsm_agent.runtime.version_moves import VersionMoves
from fsm_agent.stores.base import Store

if TYPE_CHECKING:
    from fsm_agent.domain.workflow import Workflow
    from fsm_agent.llm.script import Script
    from fsm_agent.runtime.claims import Claims
    from fsm_agent.runtime.telemetry import Telemetry
    from fsm_agent.runtime.wakeups import Wakeups


class Runner(Queries, Removal, VersionMoves):
    """Drives the agents of one store. Use it as ``async with``; it closes the store at the end."""

    #: what performs commands; tests that count what agents do have another one
    loop_type: ClassVar[type[CommandLoop]] = CommandLoop

    def __init__(
        self,
        store: Store,
        *,
        actions: Iterable[Callable[..., Any]] | Actions = (),
        modules: Iterable[str] = (),
        observe: Callable[[Head], None] | None = None,
        executor: Executor | None = None,
        surroundings: Surroundings | None = None,
        telemetry: Telemetry | None = None,
        lease_s: float = LEASE_MS / 1000,
        wakeups: Wakeups | None = None,
    ) -> None:
        """``actions`` are functions that ``do:`` may name. In ``modules`` other names are looked up.

        ``observe`` is called with the head after each commit and before each attempt. ``executor`` runs actions and
        waits; tests give their own. ``surroundings`` hold models and servers for actions, and a listener.
        ``telemetry`` records attempts, steps and refusals: ``fsm_agent.telemetry`` does it with OpenTelemetry.
        ``lease_s`` says for how many seconds an agent is held; whoever works prolongs that three times as often. Where
        actions take minutes a longer lease saves writes, and after a crash on another host it is waited for.
        ``wakeups`` tell workers of an agent that is left to them; by default the store's bell does.
        """
        if not isinstance(store, Store):
            raise ArgumentInvalid.of_type("store", "a Store", store, hint="; `open_store(url)` opens one")
        lease_ms = positive_ms("lease_s", lease_s)
        self.store = store
        if not isinstance(actions, Actions):
            actions = Actions(functions("actions", actions), modules=strings("modules", modules))
        self.actions = actions
        self._surroundings = found = copy(surroundings or Surroundings())  # gets children of this runner
        found.tool = found.tool or self.actions.tool
        found.models.read_script = found.models.read_script or _read_script
        self._telemetry = telemetry
        self._executor = traced(executor, telemetry) if executor else LazyExecutor(self._new_executor)
        self._loop = self.loop_type(
            store,
            self.actions,
            self._executor,
            observe=observe,
            data_limit=found.data_limit,
            telemetry=telemetry,
            lease_ms=lease_ms,
            wakeups=wakeups,
        )
        found.children = self._loop.children

    def _new_executor(self) -> Executor:
        from fsm_agent.runtime.action_executor import ActionExecutor

        executor = ActionExecutor(self.store, self.actions, self._surroundings, lease_ms=self._loop.lease_ms)
        return traced(executor, self._telemetry)

    async def start(
        self,
        workflow: Workflow,
        event: str | None = None,
        payload: Mapping[str, Json] | None = None,
        *,
        data: Mapping[str, Json] | None = None,
        id: str | None = None,  # noqa: A002 - the word of the interface
        key: str | None = None,
        by: str | None = None,
        user: str | None = None,
        labels: Mapping[str, str] | None = None,
        drive: bool = True,
    ) -> Agent:
        """Create an agent, with its first event if one is given, and drive it until it waits or ends.

        A repeat with the same ``key`` returns the agent that the first call made (``delivery`` is ``duplicate``).
        ``user`` is the person whom the agent serves: all agents of a user share what is remembered. ``labels`` are
        names with texts by which ``list`` selects agents; they never change. With ``drive=False`` a worker drives the
        agent. Raises ``Refused``; then no agent is created.
        """
        check(workflow=workflow)
        check_optional(event=event, payload=payload, data=data, id=id, key=key, by=by, user=user, labels=labels)
        agent_id = new_id() if id is None else checked_id(id)
        program = await self._loop.programs.save(workflow)
        first = event_of(event or "created", payload, by, key)
        driver, serves = self._loop.driver(drives=drive), beginning.Serves(user, labels=dict(labels or {}))
        flow = beginning.start(driver, program, agent_id, first, data or {}, serves=serves)
        return await self._loop.call(flow, drives=drive)

    async def send(
        self,
        agent_id: str,
        event: str,
        payload: Mapping[str, Json] | None = None,
        *,
        key: str | None = None,
        by: str | None = None,
        expect_version: int | None = None,
        drive: bool = True,
    ) -> Agent:
        """Deliver an event, and drive on.

        An event that is illegal now raises ``Refused``: nothing is written, and the key is not used. Two kinds of
        events are queued (``delivery`` is ``queued``): one that would stay in a state whose action runs, until that
        action ends, and one for an agent that changes faster than it can be read. With ``expect_version`` the event is
        meant for that version of the agent. If it has changed, merge policies may accept both changes; otherwise
        ``Conflict`` says what happened since.
        """
        check(agent_id=agent_id, event=event)
        check_optional(payload=payload, key=key, by=by, expect_version=expect_version)
        sent = event_of(event, payload, by, key)
        flow = delivery.send(self._loop.driver(drives=drive), agent_id, sent, expect_version=expect_version)
        return await self._loop.call(flow, drives=drive)

    async def answer(
        self,
        agent_id: str,
        payload: Mapping[str, Json] | None = None,
        *,
        event: str | None = None,
        question: int | None = None,
        key: str | None = None,
        by: str | None = None,
        expect_version: int | None = None,
        drive: bool = True,
    ) -> Agent:
        """Answer the agent's question, and drive on; ``event`` says which answer, if there are several.

        ``question`` is the id of the question that is meant. If it is no longer open, raises ``QuestionClosed``, which
        says what became of it. Without ``question`` the answer is for the question that is open.
        """
        check(agent_id=agent_id)
        check_optional(payload=payload, event=event, question=question, key=key, by=by, expect_version=expect_version)
        sent = Answer(payload or {}, event, by, key, question)
        flow = delivery.send(self._loop.driver(drives=drive), agent_id, sent, expect_version=expect_version)
        return await self._loop.call(flow, drives=drive)

    async def cancel(
        self, agent_id: str, *, by: str | None = None, expect_version: int | None = None, drive: bool = True
    ) -> Agent:
        """Cancel the agent as its workflow declares; if nothing is declared, the agent ends as cancelled."""
        return await self.send(agent_id, "cancel", by=by, expect_version=expect_version, drive=drive)

    async def resume(self, agent_id: str, *, stay: bool = True) -> Agent:
        """Drive an agent that was interrupted, is due or is retrying; an agent that waits is left as it is.

        With ``stay=False`` a backoff is not waited for. Raises ``LeaseHeld`` if a living process drives the agent.
        Nobody is woken: whoever resumes an agent looks after it.
        """
        check(agent_id=agent_id)
        return await self._loop.call(delivery.resume(self._loop.driver(stays=stay), agent_id), wakes=False)

    async def unpark(
        self,
        agent_id: str,
        *,
        event: str | None = None,
        payload: Mapping[str, Json] | None = None,
        effect: str | None = None,
        result: Json = UNSAID,
        not_done: bool = False,
        by: str | None = None,
        expect_version: int | None = None,
        drive: bool = True,
    ) -> Agent:
        """Let a parked agent try again, or send it ``event`` instead. Raises ``NotParked``.

        ``effect`` is the key of an effect in doubt. Settle it with its ``result``, which is recorded, or with
        ``not_done``, so that it is begun again. Then the agent tries again. Raises ``EffectNotOpen``.
        """
        check(agent_id=agent_id)
        check_optional(event=event, payload=payload, effect=effect, by=by, expect_version=expect_version)
        from fsm_agent.engine import unpark as operator

        driver = self._loop.driver(drives=drive)
        sent = event_of(event or "retry", payload, by)
        settlement = settlement_of(effect, event, result, not_done=not_done)
        if settlement is not None:
            flow = operator.settle_effect(driver, agent_id, settlement, by=by, expect_version=expect_version)
        else:
            flow = operator.unpark_agent(driver, agent_id, sent, retry=event is None, expect_version=expect_version)
        return await self._loop.call(flow, drives=drive)

    @property
    def claims(self) -> Claims:
        """Taking many due agents at once, and driving what was taken: what a worker does."""
        from fsm_agent.runtime.claims import Claims

        return Claims(self.store, self._loop)

    def drain(self) -> None:
        """Begin no action any more: an agent whose action would be next is released, and another process goes on with
        it. What works goes on to its end."""
        self._executor.drain()

    async def close(self) -> None:
        """Stop all executions, release their leases, and close the models and the store."""
        await self._executor.close()
        try:
            await self._surroundings.models.close()
        finally:
            await self.store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _read_script(file: str) -> Script:
    from fsm_agent.loading.model_script import read_script

    return read_script(file)

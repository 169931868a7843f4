"""Erasure of a person: what is remembered of them, their agents, and their words in other agents.

Agents are erased one after the other, each in one compare-and-set; what is remembered goes last. So an interrupted run
leaves each agent either untouched or done, and the next run finds the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, TypeVar

from fsm_agent.data.erased import Tally, erased_messages, erased_whole, with_erasure
from fsm_agent.domain.agent import CHILDREN, ENDED, Head, child_id
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message
from fsm_agent.domain.record import AgentExport, Damage, Record
from fsm_agent.domain.step import Event
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine import delivery, unpark
from fsm_agent.engine.erasure import faded, has_words_of, redacted
from fsm_agent.engine.program import Program
from fsm_agent.engine.replay.history import definitions
from fsm_agent.errors import (
    AgentNotFound,
    Conflict,
    HistoryBroken,
    Refused,
    StoreCorrupt,
    StoreError,
    UserConflict,
    VersionMissing,
)
from fsm_agent.runtime.agent_reads import read_heads, read_workflow
from fsm_agent.runtime.command_loop import CommandLoop
from fsm_agent.runtime.maintenance.rewrite import rewrite
from fsm_agent.runtime.replay import load_past
from fsm_agent.stores.base import Store

Changed = TypeVar("Changed", AgentExport, "AgentExport | None")

logger = logging.getLogger("fsm_agent")

#: what is counted, in the order of the report
KINDS: Final = ("agents", "cancelled", "others", "steps", "events", "questions", "effects", "messages", "memory")
_TRIES: Final = 20
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """What was erased of a person; with ``is_dry``, what would be erased.

    ``agents`` are those of the person, which are erased completely; those that had not ended were ``cancelled`` first.
    ``others`` are agents with words of the person. In both, steps, undecided events, names in questions, effects and
    messages are counted. ``memory`` counts remembered fields.
    """

    user: str
    erased: Tally = field(default_factory=Tally)
    #: agent, or ``thread NAME`` or ``user NAME`` (which are no valid ids) -> why it could not be erased now
    left: dict[str, str] = field(default_factory=dict)
    is_dry: bool = False

    def leave(self, damage: Damage) -> None:
        """Note an agent whose head cannot be read, so that its user is unknown."""
        self.left[damage.agent_id] = str(damage)

    def to_json(self) -> dict[str, Json]:
        """The JSON that the command line prints (a contract)."""
        return {
            "user": self.user,
            "erased": {kind: self.erased[kind] for kind in KINDS},
            "left": [{"id": agent_id, "why": why} for agent_id, why in self.left.items()],
            "dry_run": self.is_dry,
        }


class Erasure:
    """Erases one person in one store; ``by`` is who has requested it."""

    def __init__(self, loop: CommandLoop, store: Store, user: str, *, by: str | None, is_dry: bool) -> None:
        self._loop, self._store, self._by = loop, store, by
        self._report = ErasureReport(user, is_dry=is_dry)
        self._programs: dict[str, Program] = {}

    async def run(self) -> ErasureReport:
        """Erase everything that can be erased now."""
        forks: dict[str, tuple[str, int]] = {}
        async for head in read_heads(self._store, left_out=self._report.leave):
            await self._try(head.id, self._agent)
            if (origin := await self._origin_of(head.id)) is not None:
                forks[head.id] = origin
        for agent_id in _origins_first(forks):
            await self._try(agent_id, lambda head: self._fade(head, *forks[head.id]))
        await self._threads()
        with self._leaving(f"user {self._report.user}"):
            await self._memory()
        if not self._report.is_dry:
            logger.info("a user was forgotten", extra={"action": "user_forgotten"})
        return self._report

    async def _try(self, agent_id: str, forget: Callable[[Head], Awaitable[str | None]]) -> None:
        """Call ``forget`` for an agent that may move meanwhile; if it fails, the reason is noted."""
        why: str | None = None
        for _ in range(_TRIES):
            try:
                why = await forget(await self._store.head(agent_id))
                break
            except AgentNotFound:
                return
            except Conflict:
                why = "it moves on faster than it can be read; try again"
            except StoreError as error:
                why = str(error)
                break
        if why is not None:
            self._report.left[agent_id] = why

    async def _agent(self, head: Head) -> str | None:
        return await (self._whole(head) if head.user == self._report.user else self._parts(head))

    async def _whole(self, head: Head) -> str | None:
        """Erase an agent of the person completely; an agent that has not ended is cancelled first."""
        tally = Tally(agents=1)
        if head.status not in ENDED:
            self._report.erased["cancelled"] += 1
            if not self._report.is_dry:
                head = await self._ended(head.id)

        children: list[str] = []

        async def change(export: AgentExport) -> AgentExport:
            tally.clear()
            tally["agents"] = 1
            children[:] = _children_of(export)
            return erased_whole(export, self._report.user, tally)

        why = await self._written(head, change, tally)
        if not self._report.is_dry:
            for child in children:  # one that has begun in the meantime is in no list that was read before
                await self._try(child, self._agent)
        return why

    async def _ended(self, agent_id: str) -> Head:
        """Cancel an agent as its workflow declares. If that does not end it, end it without the workflow."""
        event = Event("cancel", by=self._by)
        with suppress(Refused):
            await self._loop.call(delivery.send(self._loop.driver(stays=False), agent_id, event))
        if (await self._store.head(agent_id)).status not in ENDED:
            await self._loop.call(unpark.end_agent(self._loop.driver(), agent_id, event))
        return await self._store.head(agent_id)

    async def _parts(self, head: Head) -> str | None:
        """Erase the words of the person in an agent of somebody else, or of nobody."""
        if not has_words_of(self._report.user, await self._store.dump(head.id)):
            return None
        tally = Tally()

        async def change(export: AgentExport) -> AgentExport:
            tally.clear()
            tally["others"] = 1
            programs = await self._programs_of(export)
            return _with_history_checked(export, lambda: redacted(export, programs, self._report.user, tally))

        return await self._written(head, change, tally)

    async def _origin_of(self, agent_id: str) -> tuple[str, int] | None:
        """The agent, and its version, from which an agent was forked; ``None`` if it is no fork."""
        with suppress(AgentNotFound, StoreError):
            for step in await self._store.history(agent_id, limit=1):
                if step.kind is StepKind.FORKED:
                    return step.payload["agent"], step.payload["version"]
        return None

    async def _fade(self, head: Head, source: str, version: int) -> str | None:
        """Remove words from a fork that were erased in its origin."""
        try:
            past = await load_past(self._store, source)
            values = past.at(version).folded.values
        except (AgentNotFound, VersionMissing, HistoryBroken):
            return None
        export, user = await self._store.dump(head.id), self._report.user
        programs = await self._programs_of(export)
        if _with_history_checked(export, lambda: faded(export, programs, user, past.record, values)) is None:
            return None

        async def change(now: AgentExport) -> AgentExport | None:
            return faded(now, programs, user, past.record, values)

        return await self._written(head, change, Tally(others=1))

    async def _written(
        self, head: Head, change: Callable[[AgentExport], Awaitable[AgentExport | None]], tally: Tally
    ) -> str | None:
        """Store the agent that ``change`` returns, and count it. With ``is_dry``, only count."""
        by = None if self._by == self._report.user else self._by

        async def erase(export: AgentExport) -> AgentExport | None:
            changed = await change(export)
            return changed and with_erasure(changed, await self._store.now(), by)

        why: str | None = None
        if self._report.is_dry:
            await change(await self._store.dump(head.id))
        else:
            why = await rewrite(self._store, head, erase)
        if why is None:
            self._report.erased.update(tally)
        return why

    async def _programs_of(self, export: AgentExport) -> Mapping[str, Program]:
        """The programs of all definitions that an agent was ever pinned to."""
        record = Record(export.head, export.snapshot, export.steps)
        hashes = definitions(record, export.steps, export.origin)
        for each in hashes - self._programs.keys():
            self._programs[each] = Program(await read_workflow(self._store, each))
        return {each: self._programs[each] for each in hashes}

    async def _threads(self) -> None:
        """Erase the words of the person in shared threads."""
        after: str | None = None
        while names := await self._store.threads(limit=_PAGE, after=after):
            for name in names:
                with self._leaving(f"thread {name}"):
                    await self._thread(name)
            after = names[-1]

    @contextmanager
    def _leaving(self, what: str) -> Iterator[None]:
        """What cannot be read is noted as left, and the erasure goes on."""
        try:
            yield
        except StoreCorrupt as error:
            self._report.left[what] = str(error)

    async def _thread(self, name: str) -> None:
        revised = erased_messages(await self._all(name), self._report.user, self._report.erased)
        while revised and not self._report.is_dry:
            await self._store.revise(name, revised[:_PAGE])
            revised = revised[_PAGE:]

    async def _all(self, thread: str) -> list[Message]:
        messages: list[Message] = []
        while page := await self._store.messages(thread, after=messages[-1].number if messages else 0, limit=_PAGE):
            messages += page
        return messages

    async def _memory(self) -> None:
        """Remove the remembered data in a new version, so that no one who has read them can write them back."""
        for tries in range(_TRIES, 0, -1):
            record = await self._store.user(self._report.user)
            nothing = record._replace(version=record.version + 1, values={}, updated_ms=await self._store.now())
            try:
                if record.values and not self._report.is_dry:
                    await self._store.save_user(nothing)
            except UserConflict:
                if tries == 1:
                    raise
            else:
                self._report.erased["memory"] = len(record.values)
                return


def _with_history_checked(export: AgentExport, change: Callable[[], Changed]) -> Changed:
    """The result of ``change`` for an agent; raises ``HistoryBroken`` if its history cannot be replayed."""
    try:
        return change()
    except Exception as error:  # a damaged row may cause any error
        raise HistoryBroken(export.head.id, export.head.version, error) from error


def _children_of(export: AgentExport) -> list[str]:
    """The ids of all children that an agent has started, or may have started."""
    works = [entry for entry in export.effects if entry.name == CHILDREN and isinstance(entry.result, list)]
    return [
        child_id(export.head.id, work.activation, number) for work in works for number in range(1, len(work.result) + 1)
    ]


def _origins_first(forks: Mapping[str, tuple[str, int]]) -> list[str]:
    """Forks in an order in which each one comes after its origin, if that is a fork too."""
    ordered: dict[str, None] = {}
    for agent_id in forks:
        line = [agent_id]
        while (origin := forks.get(line[-1], ("", 0))[0]) in forks and origin not in line:
            line.append(origin)
        ordered.update(dict.fromkeys(reversed(line)))
    return list(ordered)

"""The port behind which agents live. A backend is one subclass; ``fsm_agent.testing.StoreContract`` proves it.

A store keeps, for one namespace: heads (one small row per agent), histories (append-only, keyed by agent and
version), snapshots, queues, keys, definitions, threads and users. It decides nothing: every verb is one atomic unit
whose precondition is a compare-and-set, so a verb either happens whole or raises and leaves nothing behind.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.record import AgentExport, Commit, Committed, Creation, Damage, Origin, Record, Size
from fsm_agent.domain.step import Event, Step
from fsm_agent.domain.user import UserRecord
from fsm_agent.stores import pages
from fsm_agent.stores.leases import Leases


class Store(Leases):
    """Where the agents of one namespace live. The verbs that find some of them stand in ``Listing``, those by which
    processes share the work in ``Leases``.

    Driver errors never escape: they become a ``StoreError``. What is kept of one agent and cannot be read is an
    ``AgentDamaged``, a history with a step missing included. Preconditions that do not hold raise a ``Refused``.
    After either nothing has changed. Every verb may be called from any task of the loop that opened the store.
    """

    #: as it was opened, without a password
    url: str
    namespace: str
    #: Whether an event loop must run wherever a verb is called. A store that says no has verbs that come back without
    #: one, and that call ``eventloop.reach`` before they have to wait.
    needs_loop: bool = True
    #: Whether ``record_attempt`` takes a ``problem``. A store that was written before there was one is not given any:
    #: then nobody can look up why an action is tried again.
    keeps_problems: bool = False
    #: How many connections to a server a process opens for it at most, the one by which it listens included; ``None``
    #: is not known, or there is no server.
    max_connections: int | None = None
    #: Whether what agents say is sealed, so that it belongs into no log either.
    is_sealed: bool = False

    @classmethod
    @abstractmethod
    def from_url(cls, rest: str, *, namespace: str, clock: Callable[[], int] | None) -> Self:
        """Open what ``rest``, the part of the URL after ``://``, names; raises ``StoreUrlInvalid``."""

    @abstractmethod
    async def save_workflow(self, definition_hash: str, definition: Mapping[str, Json]) -> None:
        """Keep a definition under its hash. Does nothing if it is kept already."""

    @abstractmethod
    async def load_workflow(self, definition_hash: str) -> Mapping[str, Json]:
        """The definition under a hash; raises ``StoreCorrupt`` if there is none, since an agent is pinned to it."""

    @abstractmethod
    async def create(self, creation: Creation) -> Head:
        """Bring an agent into being: head, steps, key and lease together. Returns the head with epoch 1.

        Raises ``AgentExists`` if the id or the key is taken, whatever the key was used for; ``StoreCorrupt`` if the
        definition is not kept, since no later process could go on with the agent.
        """

    @abstractmethod
    async def find_key(self, key: str) -> tuple[str, str] | None:
        """The id of the agent that ``create`` made under this key and the fingerprint, or ``None``."""

    @abstractmethod
    async def load(self, agent_id: str, *, key: str | None = None) -> Record:
        """One consistent view of an agent; raises ``AgentNotFound``. With ``key``, its outcome too."""

    @abstractmethod
    async def commit(self, commit: Commit) -> Committed:
        """Append one step: head, history row, snapshot, key and queue change together.

        The step is taken only if the stored version is ``head.version - 1`` and, where ``commit.epoch`` is given,
        the stored epoch is that one; where it is ``None`` the stored epoch goes up by one, and with a snapshot it must
        be ``head.epoch``: a snapshot counts on steps that a shortening may have deleted since. Raises ``Conflict``
        otherwise, if the key is taken, and if ``dequeue`` is not queued. The key of a dequeued event gets this
        version as its outcome. A ``commit.settlement`` records the result of an open effect or forgets it; raises
        ``Conflict`` if that effect is not open. What pins the agent (id, creation, and, unless the commit ``repins``,
        its definition) stays as it is; raises ``StoreCorrupt`` if the new definition is not kept. The user and the
        labels in the head are those with which the agent was created. ``commit.said`` is added to its threads, and
        ``commit.user`` kept; raises ``UserConflict`` if the user's version is not the one before. Durable when it
        returns, as far as the store promises durability.
        """

    @abstractmethod
    async def enqueue(self, agent_id: str, version: int | None, event: Event, fingerprint: str = "") -> int:
        """Keep an event for the driver; returns how many are queued. Uses ``event.key`` if there is one.

        Raises ``Conflict`` if the stored version is not ``version`` (``None`` is any) or the key is taken.
        """

    @abstractmethod
    async def record_attempt(
        self,
        agent_id: str,
        epoch: int,
        *,
        attempts: int,
        retry_ms: int | None,
        children: int | None = None,
        problem: Problem | None = None,
    ) -> None:
        """Note failed attempts and the time of the next under the present activation; the version stays. With
        ``children``, note that as well: the activation that has children who are not joined, 0 for none. With
        ``problem``, note as well why the last attempt failed; without, what is noted of that stays, and is forgiven
        where a running agent has no failed ``attempts``. ``Head.tried`` is the head after it.

        Raises ``Conflict`` if the epoch is no longer this one.
        """

    @abstractmethod
    async def begin_effect(self, agent_id: str, entry: EffectEntry, *, again: bool = False) -> EffectEntry | None:
        """Keep an open ``entry`` under its key; returns ``None``. If one is kept there, returns that and changes
        nothing, unless ``again``: then an open one is replaced.

        Raises ``Conflict`` if the stored epoch is not ``entry.epoch``, whatever is kept.
        """

    @abstractmethod
    async def end_effect(self, agent_id: str, entry: EffectEntry) -> bool:
        """Record ``entry.ended_ms`` and ``entry.result``. False, and nothing changes, unless the effect is open and
        was begun under ``entry.epoch``: what was begun before somebody else took over may still be told after."""

    @abstractmethod
    async def effects(self, agent_id: str, *, activation: int = 0) -> Sequence[EffectEntry]:
        """Effects of this activation and later ones, in order of activation, name, use; raises ``AgentNotFound``."""

    @abstractmethod
    async def history(self, agent_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Step]:
        """Steps with a version above ``after`` that are kept, in order; raises ``AgentNotFound``."""

    @abstractmethod
    async def origin(self, agent_id: str) -> Origin | None:
        """Where the history begins, if it was shortened; raises ``AgentNotFound``."""

    @abstractmethod
    async def shorten(self, seen: Head, origin: Origin) -> int:
        """Forget the steps up to ``origin.head.version``; returns how many those were. The origin is kept in their
        place, and its values become the snapshot. The epoch goes up by one, so that nobody goes on with what it read.

        Raises ``Conflict`` unless version, epoch and lease are still what ``seen`` shows.
        """

    @abstractmethod
    async def delete(self, seen: Head) -> None:
        """Forget an agent and all that is kept of it, keys included.

        Raises ``Conflict`` unless version, epoch, lease and number of queued events are still what ``seen`` shows.
        """

    @abstractmethod
    async def size(self, agent_id: str) -> Size:
        """What is kept of an agent; raises ``AgentNotFound``."""

    @abstractmethod
    async def dump(self, agent_id: str) -> AgentExport:
        """All that is kept of an agent, in one consistent view; raises ``AgentNotFound``."""

    @abstractmethod
    async def adopt(self, export: AgentExport, *, replaces: Head | None = None) -> None:
        """Keep an agent as another store kept it, epoch and lease included; whole, or not at all. With ``replaces``
        it takes the place of the agent of that id, and everything that is kept of that one is forgotten.

        Raises ``AgentExists`` if its id or the key of its creation is taken (by another than whom it replaces);
        ``Conflict`` unless version, epoch, lease and number of queued events are still what ``replaces`` shows;
        ``AgentNotFound`` if there is nobody to replace; ``StoreCorrupt`` if its definition is not kept.
        """

    @abstractmethod
    async def messages(
        self, thread: str, *, after: int = 0, upto: int | None = None, limit: int | None = None, newest: bool = False
    ) -> Sequence[Message]:
        """Messages of a thread above the number ``after``, up to ``upto``, in order: at most ``limit`` of them, the
        first ones or the ``newest``. A thread that nobody has written to has none. What it costs does not depend on
        how long the thread is."""

    @abstractmethod
    async def append(self, thread: str, messages: Sequence[Message]) -> int:
        """Add to a thread that is no agent's own, outside of any step; returns the number of the last message."""

    @abstractmethod
    async def revise(self, thread: str, messages: Sequence[Message]) -> int:
        """Put messages in the place of those with the same numbers; returns how many there were."""

    @abstractmethod
    async def retract(self, thread: str, *, after: int = 0, upto: int | None = None) -> int:
        """Forget messages of a thread that is no agent's own; returns how many there were. Their numbers are not
        used again."""

    @abstractmethod
    async def threads(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        """Names of the threads that are no agent's own, in order, after the name ``after``."""

    @abstractmethod
    async def user(self, name: str) -> UserRecord:
        """What is remembered of a user; version 0 if nothing is."""

    @abstractmethod
    async def users(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        """Names of the users of whom something is remembered, in order, after the name ``after``."""

    @abstractmethod
    async def save_user(self, user: UserRecord) -> None:
        """Remember this of a user. Raises ``UserConflict`` unless the stored version is ``user.version - 1``."""

    async def definitions(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        """Hashes of the definitions that are kept, in order, after the hash ``after``. A store without a verb of its
        own names those that its agents are pinned to, for which it looks through all of them."""
        return await pages.definitions(self, limit=limit, after=after)

    async def inspect(self) -> Sequence[Damage]:
        """What is wrong beneath the agents, where no other verb looks: rows of those that are gone, indexes that leave
        some out. Changes nothing. A ``Damage`` of no agent has an empty id. A store without it finds nothing."""
        return ()

    async def reindex(self) -> int:
        """Make the indexes by which agents are found say what their heads say; returns how many entries were wrong. It
        mends what ``inspect`` names with ``is_index``. A store without indexes of its own has nothing to do."""
        return 0

    async def tend(self) -> int:
        """Do some of the work that can wait, if there is any; returns how many agents it was done for. Workers ask
        for it at every sweep."""
        return 0

    @abstractmethod
    async def close(self) -> None:
        """Let go of files and connections. What was committed stays."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

"""The same runner, and the same threads, for blocking code: see ``portal`` for where a call runs.

What threads need is imported by the first one: most who send an event never look into a conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fsm_agent.actions.registry import Actions
from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.domain.agent import Head
from fsm_agent.domain.lease import LEASE_MS
from fsm_agent.runtime.runner import Runner as AsyncRunner
from fsm_agent.stores.base import Store
from fsm_agent.sync.portal import Portal, Twin, blocking_twin

if TYPE_CHECKING:
    from fsm_agent.runtime.telemetry import Telemetry
    from fsm_agent.runtime.wakeups import Wakeups
    from fsm_agent.sync.thread import Thread

__all__ = ["Portal", "Runner", "Thread"]


class Runner(Twin[AsyncRunner]):
    """``fsm_agent.Runner``, blocking. Use it as ``with``; it closes the store that it was given."""

    def __init__(
        self,
        store: Store,
        *,
        actions: Iterable[Callable[..., Any]] | Actions = (),
        modules: Iterable[str] = (),
        observe: Callable[[Head], None] | None = None,
        surroundings: Surroundings | None = None,
        telemetry: Telemetry | None = None,
        lease_s: float = LEASE_MS / 1000,
        wakeups: Wakeups | None = None,
    ) -> None:
        """The arguments are those of ``fsm_agent.Runner``."""
        runner = AsyncRunner(
            store,
            actions=actions,
            modules=modules,
            observe=observe,
            surroundings=surroundings,
            telemetry=telemetry,
            lease_s=lease_s,
            wakeups=wakeups,
        )
        super().__init__(runner, Portal(needs_loop=store.needs_loop))

    start = blocking_twin(AsyncRunner.start)
    send = blocking_twin(AsyncRunner.send)
    answer = blocking_twin(AsyncRunner.answer)
    cancel = blocking_twin(AsyncRunner.cancel)
    resume = blocking_twin(AsyncRunner.resume)
    unpark = blocking_twin(AsyncRunner.unpark)
    migrate = blocking_twin(AsyncRunner.migrate)
    rewind = blocking_twin(AsyncRunner.rewind)
    fork = blocking_twin(AsyncRunner.fork)
    get = blocking_twin(AsyncRunner.get)
    workflow = blocking_twin(AsyncRunner.workflow)
    list = blocking_twin(AsyncRunner.list)
    count_questions = blocking_twin(AsyncRunner.count_questions)
    tally = blocking_twin(AsyncRunner.tally)
    closed_question = blocking_twin(AsyncRunner.closed_question)
    replay = blocking_twin(AsyncRunner.replay)
    history = blocking_twin(AsyncRunner.history)
    effects = blocking_twin(AsyncRunner.effects)
    purge = blocking_twin(AsyncRunner.purge)
    forget = blocking_twin(AsyncRunner.forget)

    def thread(self, name: str) -> Thread:
        """A thread of its store, by name; that of an agent is ``@`` and its id."""
        self._portal.require_open()
        from fsm_agent.memory.threads import Thread as AsyncThread
        from fsm_agent.sync.thread import Thread

        return Thread(AsyncThread(self._inner.store, name), self._portal)

    def close(self) -> None:
        """Stop what runs here, give its leases up, close the store, end the portal thread. Once is enough."""
        if self._portal.is_closed:
            return
        try:
            self._portal.call(self._inner.close())
        finally:
            self._portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def __getattr__(name: str) -> Any:
    if name != "Thread":
        raise AttributeError(f"module 'fsm_agent.sync' has no attribute {name!r}")
    from fsm_agent.sync.thread import Thread

    return Thread

"""Calls of the API by a client of a writer, noted in the journal before and after."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fsm_agent.errors import FsmAgentError, StoreError
from fsm_agent.testing.faults.journal import Journal
from fsm_agent.testing.faults.store import outcome_of

#: How long a client waits after the store did not answer.
_PAUSE_S: Final = 0.05


class CallRecorder:
    """Makes calls and notes them in ``journal``."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def call(
        self,
        verb: str,
        facts: dict[str, Any],
        work: Callable[[], Awaitable[Any]],
        describe: Callable[[Any], dict[str, Any]],
    ) -> Any:
        """Await a call; ``None`` if it was refused or failed. ``describe`` says what is noted of its reply."""
        number = self._journal.begin(verb, facts)
        try:
            reply = await work()
        except Exception as error:
            why = {"type": type(error).__name__, "why": str(error)}
            self._journal.end(number, verb, outcome_of(error), why)
            if not isinstance(error, FsmAgentError):
                raise
            if isinstance(error, StoreError):
                await asyncio.sleep(_PAUSE_S)
            return None
        self._journal.end(number, verb, "ok", describe(reply))
        return reply

"""Calls of the API as a writer makes them: noted before and after, whatever becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fsm_agent.errors import FsmAgentError, StoreError
from fsm_agent.testing.faults.journal import Journal
from fsm_agent.testing.faults.store import outcome_of

#: How long nobody tries again who was told that the store does not answer.
_BREATH_S: Final = 0.05


class Caller:
    """``journal`` is where its calls are noted."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def called(
        self,
        verb: str,
        facts: dict[str, Any],
        work: Callable[[], Awaitable[Any]],
        told: Callable[[Any], dict[str, Any]],
    ) -> Any:
        """Await a call; ``None`` if it was refused or failed. ``told`` is what is noted of its reply."""
        number = self._journal.invoked(verb, facts)
        try:
            reply = await work()
        except Exception as error:
            why = {"type": type(error).__name__, "why": str(error)}
            self._journal.returned(number, verb, outcome_of(error), why)
            if not isinstance(error, FsmAgentError):
                raise
            if isinstance(error, StoreError):
                await asyncio.sleep(_BREATH_S)
            return None
        self._journal.returned(number, verb, "ok", told(reply))
        return reply

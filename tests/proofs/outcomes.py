"""How the only action of the random workflows may end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from fsm_agent import Context


class Outcome(NamedTuple):
    """It names ``event``; or it raises, and ``event`` (``error`` or ``timeout``) is what comes of that."""

    event: str
    payload: Mapping[str, Any] = {}
    #: what it adds to ``data.n`` before
    adds: int = 0

    @property
    def fails(self) -> bool:
        return self.event in ("error", "timeout")

    def play(self, ctx: Context) -> Any:
        """The same, as an action says it."""
        if self.fails:
            return TimeoutError() if self.event == "timeout" else OSError()
        if self.adds:
            ctx.data.n += self.adds
        return ctx.emit(self.event, **self.payload)

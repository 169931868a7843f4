"""How the only action of the random workflows may end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from fsm_agent import Context


class Outcome(NamedTuple):
    """It names ``event``; or it raises, and ``event`` (``error`` or ``timeout``) is what comes of that."""

    event: str
    payload: Mapping[str, Any] = {}
    #: what it adds to ``data.n`` before, noting what that was and what it is
    adds: int = 0

    def write(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The data as it is when the action names its event."""
        n = data["n"] + self.adds
        return {**data, "n": n, "notes": [*data["notes"], data["n"], n] if self.adds else data["notes"]}

    @property
    def fails(self) -> bool:
        return self.event in ("error", "timeout")

    def play(self, ctx: Context) -> Any:
        """The same, as an action says it."""
        if self.fails:
            return TimeoutError() if self.event == "timeout" else OSError()
        if self.adds:
            ctx.data.notes.append(ctx.data.n)
            ctx.data.n += self.adds
            ctx.data.notes.append(ctx.data.n)
        return ctx.emit(self.event, **self.payload)

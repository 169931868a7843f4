"""A live line during long work: the state, the step, the time so far. It is on stderr, and only on a terminal."""

from __future__ import annotations

import sys
from time import monotonic, time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from fsm_agent.domain.agent import Head
from fsm_agent.domain.message import Chunk

if TYPE_CHECKING:
    from rich.live import Live
    from rich.spinner import Spinner

_FRAMES_PER_SECOND = 10
#: characters of a model's text
_MOST_HEARD = 60


class Progress:
    """Sees all heads that a runner commits. Inside this context the line is shown, if stderr is a terminal."""

    def __init__(self) -> None:
        self.seen: Head | None = None
        self._began = 0.0
        self._live: Live | None = None
        #: what a model is writing now
        self._heard = ""

    def observe(self, head: Head) -> None:
        self.seen, self._heard = head, ""

    def hear(self, chunk: Chunk) -> None:
        """Show the end of the text that a model has written so far."""
        self._heard = f"{self._heard}{chunk.text}"[-_MOST_HEARD:]

    def __enter__(self) -> Self:
        self._began = monotonic()
        if sys.stderr.isatty():
            self._live = self._line()
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def text(self) -> str:
        """The present text of the line."""
        parts = [_said(self.seen), f"{monotonic() - self._began:.1f} s", " ".join(self._heard.split())]
        return " · ".join(part for part in parts if part)

    def _line(self) -> Live:
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner
        from rich.text import Text

        spinner = Spinner("dots", style="blue")

        def frame() -> Spinner:
            spinner.update(text=Text(self.text()))
            return spinner

        console = Console(stderr=True, highlight=False)
        return Live(get_renderable=frame, console=console, refresh_per_second=_FRAMES_PER_SECOND, transient=True)


def _said(head: Head | None) -> str:
    if head is None:
        return ""
    parts = [head.state, f"step {head.version}"]
    if head.attempts:
        pause = (head.retry_ms or 0) / 1_000 - time()
        parts.append(f"attempt {head.attempts + 1}" + (f" in {pause:.1f} s" if pause > 0 else ""))
        parts += [f"after {head.problem.type}"] if head.problem else []
    return " · ".join(parts)

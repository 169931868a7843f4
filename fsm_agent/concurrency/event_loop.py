"""The event loop, for code that may run before there is one.

Importing asyncio takes as long as all the rest of a short process. So what need not wait runs without a loop
(``sync_driver``), and what has to wait asks for one first.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from types import coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


def is_running() -> bool:
    """Whether an event loop runs in this thread. Whoever started one has imported asyncio."""
    if "asyncio" not in sys.modules:
        return False
    import asyncio

    return asyncio._get_running_loop() is not None


def current_task() -> asyncio.Task[Any] | None:
    """The task that asks; ``None`` where no event loop runs in this thread."""
    if "asyncio" not in sys.modules:
        return None
    import asyncio

    loop = asyncio._get_running_loop()
    return None if loop is None else asyncio.current_task(loop)


@coroutine
def reach() -> Generator[None, None, None]:
    """Go on within an event loop: whoever steps this coroutine without one starts it now."""
    if not is_running():
        yield


@coroutine
def give_way() -> Generator[None, None, None]:
    """Let the other tasks of the loop have a turn; without a loop there are none."""
    if is_running():
        yield

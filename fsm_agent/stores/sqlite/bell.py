"""The listeners to the agents of a file in this process, which are called when somebody here rings.

Other processes hear nothing: SQLite has no way to tell them, and they look by themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

#: A file and a namespace in it.
Place: TypeAlias = tuple[str, str]

#: Of the whole process, whichever store was opened by whom; a listener is called in its own loop.
_LISTENERS: Final[defaultdict[Place, list[tuple[AbstractEventLoop, Callable[[], None]]]]] = defaultdict(list)


def ring(place: Place) -> None:
    """Call whoever listens at a place."""
    for loop, heard in list(_LISTENERS[place]):
        with suppress(RuntimeError):  # it is closed: its thread ended without a word
            loop.call_soon_threadsafe(heard)


async def listen(place: Place, heard: Callable[[], None]) -> None:
    """See ``Store.listen``."""
    import asyncio

    listener = (asyncio.get_running_loop(), heard)
    _LISTENERS[place].append(listener)
    try:
        heard()
        await asyncio.Event().wait()
    finally:
        _LISTENERS[place].remove(listener)

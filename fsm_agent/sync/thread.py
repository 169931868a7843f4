"""A thread for blocking code."""

from __future__ import annotations

from typing import Final

from fsm_agent.memory.threads import Thread as AsyncThread
from fsm_agent.sync.portal import Portal, Twin, blocking_twin


class Thread(Twin[AsyncThread]):
    """``fsm_agent.Thread``, blocking: ``Runner.thread`` has it. It lasts as long as the runner."""

    def __init__(self, inner: AsyncThread, portal: Portal) -> None:
        super().__init__(inner, portal)
        self.name: Final = inner.name

    messages = blocking_twin(AsyncThread.messages)
    page = blocking_twin(AsyncThread.page)
    window = blocking_twin(AsyncThread.window)
    append = blocking_twin(AsyncThread.append)
    add = blocking_twin(AsyncThread.add)
    pop = blocking_twin(AsyncThread.pop)
    clear = blocking_twin(AsyncThread.clear)
    exported = blocking_twin(AsyncThread.exported)
    imported = blocking_twin(AsyncThread.imported)

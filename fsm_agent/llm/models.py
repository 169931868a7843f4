"""The models that one event loop talks to, each with its connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import asyncio

    from pydantic_ai.models import Model

    from fsm_agent.llm.script import Script
    from fsm_agent.llm.types import Ask, Reply


class Models:
    """Each model is resolved when it is first asked, and keeps its connections until ``close``.

    ``known`` are models of pydantic-ai by names of one's own, which are not looked up. ``read_script`` reads the files
    of scripted models; a runner brings its own where there is none.
    """

    def __init__(
        self, known: Mapping[str, Model] | None = None, *, read_script: Callable[[str], Script] | None = None
    ) -> None:
        self._known = dict(known or {})
        self.read_script = read_script
        self._opened: dict[str, Model] = {}
        self._stack = AsyncExitStack()
        self._lock: asyncio.Lock | None = None

    async def get(self, name: str) -> Model:
        """Raises ``ModelUnknown`` or ``ModelKeyMissing``."""
        import asyncio

        from fsm_agent.llm.resolve import resolve

        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            if name not in self._opened:
                if (model := self._known.get(name)) is None:
                    # To import the library takes a second.
                    model = await asyncio.to_thread(resolve, name, self.read_script)
                self._opened[name] = await self._stack.enter_async_context(model)
            return self._opened[name]

    async def ask(self, question: Ask, *, on_text: Callable[[str], None] | None = None) -> Reply:
        """Ask the model that the question names, as the function ``ask`` does."""
        from fsm_agent.llm.request import ask

        return await ask(await self.get(question.model), question, on_text=on_text)

    async def close(self) -> None:
        """Lets go of all connections; who asks again opens them anew."""
        self._opened.clear()
        await self._stack.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

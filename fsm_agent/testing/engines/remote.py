"""The promises of an engine that has a server, which may be away."""

from __future__ import annotations

import asyncio
from typing import Protocol

import pytest

from fsm_agent.errors import EngineUnavailable
from fsm_agent.testing.engines.bench import PATIENCE_S
from fsm_agent.testing.engines.contract import EngineContract, on_loop


class EngineServer(Protocol):
    """A server that is stopped and started again at will. Both return when it is done."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class RemoteEngineContract(EngineContract):
    """Needs fixtures ``engine_url`` and ``engine_server``, which runs when a test begins."""

    @on_loop
    async def test_while_the_server_is_away_the_sweep_goes_on(
        self, engine_url: str, engine_server: EngineServer
    ) -> None:
        async with self.bench(engine_url) as bench, bench.working():
            await asyncio.to_thread(engine_server.stop)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await bench.start("a")
                await bench.until_resting("a")
            finally:
                await asyncio.to_thread(engine_server.start)
            await bench.heard()
            await bench.start("b")
            await bench.until_resting("b")
            assert bench.begun == ["a", "b"]

    @on_loop
    async def test_a_server_that_is_away_is_an_error_at_the_start_and_none_for_whoever_wakes(
        self, engine_url: str, engine_server: EngineServer
    ) -> None:
        await asyncio.to_thread(engine_server.stop)
        try:
            engine = self.engine_at(engine_url, "nowhere")
            with pytest.raises(EngineUnavailable):
                async with asyncio.timeout(PATIENCE_S), engine:
                    pass
            await engine.wakeups().wake("a")
        finally:
            await asyncio.to_thread(engine_server.start)

"""What every engine must do, as tests: subclass ``EngineContract`` and say where the engine is.

    class TestLocal(EngineContract):
        @pytest.fixture
        def engine_url(self) -> str:
            return "local://"

An engine with a server subclasses ``RemoteEngineContract``, and gives its server as well. One of your own, which no URL
names, overrides ``engine_at``.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(f"{__name__}.bench", f"{__name__}.contract", f"{__name__}.remote")

from fsm_agent.testing.engines.bench import EngineBench  # noqa: E402 - after the registration
from fsm_agent.testing.engines.contract import EngineContract  # noqa: E402
from fsm_agent.testing.engines.remote import EngineServer, RemoteEngineContract  # noqa: E402

__all__ = ["EngineBench", "EngineContract", "EngineServer", "RemoteEngineContract"]

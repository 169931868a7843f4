"""What every store must do, as tests: subclass ``StoreContract`` and say where the store is.

    class TestSqlite(StoreContract):
        @pytest.fixture
        def url(self, tmp_path: Path) -> str:
            return f"sqlite:///{tmp_path}/agents.db"

A store that outlives its process, and that several processes share, subclasses ``DurableStoreContract``.
"""

from __future__ import annotations

from typing import Final

import pytest

_PARTS: Final = (
    "fixtures",
    "creation",
    "durability",
    "effects",
    "leases",
    "lives",
    "namespaces",
    "questions",
    "queue",
    "reads",
    "selections",
    "takes",
    "commits",
    "threads",
    "values",
    "transfer",
)
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _PARTS))

from fsm_agent.testing.contract.commits import SteppingContract  # noqa: E402
from fsm_agent.testing.contract.creation import CreatingContract  # noqa: E402 - after the registration
from fsm_agent.testing.contract.durability import SharingContract  # noqa: E402
from fsm_agent.testing.contract.effects import EffectsContract  # noqa: E402
from fsm_agent.testing.contract.leases import LeasesContract  # noqa: E402
from fsm_agent.testing.contract.lives import LivesContract  # noqa: E402
from fsm_agent.testing.contract.namespaces import NamespacesContract  # noqa: E402
from fsm_agent.testing.contract.questions import QuestionsContract  # noqa: E402
from fsm_agent.testing.contract.queue import QueueingContract  # noqa: E402
from fsm_agent.testing.contract.reads import ReadingContract  # noqa: E402
from fsm_agent.testing.contract.selections import SelectionsContract  # noqa: E402
from fsm_agent.testing.contract.takes import TakesContract  # noqa: E402
from fsm_agent.testing.contract.threads import ThreadsContract  # noqa: E402
from fsm_agent.testing.contract.transfer import WholeContract  # noqa: E402
from fsm_agent.testing.contract.values import ValuesContract  # noqa: E402

__all__ = ["DurableStoreContract", "StoreContract"]


class StoreContract(
    CreatingContract,
    SteppingContract,
    QueueingContract,
    LeasesContract,
    TakesContract,
    EffectsContract,
    ReadingContract,
    SelectionsContract,
    QuestionsContract,
    LivesContract,
    ValuesContract,
    WholeContract,
    ThreadsContract,
    NamespacesContract,
):
    """The promises of ``fsm_agent.stores.base.Store``, each a test. Needs a fixture ``url``."""


class DurableStoreContract(StoreContract, SharingContract):
    """And those of a store that is still there when it is opened again."""

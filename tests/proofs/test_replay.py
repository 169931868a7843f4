"""Whatever happens to an agent, its history tells again what the store said at every version; and tells when it was
tampered with."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.delta import fold
from fsm_agent.engine.past import Past
from fsm_agent.engine.verifying import verify
from fsm_agent.lookback import look_back
from fsm_agent.portrait import portray
from fsm_agent.step import Delta, Step, StepKind

from .chronicle import ID, Chronicle, Portrait, parts
from .documents import DEEDS, OUTCOMES, documents
from .effort import effort

TRAVELS = st.tuples(st.sampled_from(["rewind", "rewind", "fork"]), st.integers(0, 30))
LIVES = st.lists(st.one_of(DEEDS, DEEDS, DEEDS, TRAVELS), min_size=4, max_size=20)
SCRIPTS = st.lists(OUTCOMES, min_size=1, max_size=6)


async def _lived(document: Any, script: Any, deeds: Any, url: str) -> list[Past]:
    """A life, of which every version is held against what was seen; the pasts of all agents in it."""
    chronicle = Chronicle(document, script, url)
    async with chronicle.runner as runner:
        await chronicle.live(deeds)
        pasts = [await look_back(runner.store, agent_id) for agent_id in chronicle.ids]
    for agent_id, past in zip(chronicle.ids, pasts, strict=True):
        for version in range(past.first, past.last + 1):
            if (agent_id, version) in chronicle.seen:
                then = past.at(version)
                told = portray(then.program.workflow, then.head, then.folded.values).to_json()
                assert Portrait(told, parts(then.head)) == chronicle.seen[agent_id, version]
        assert list(verify(past).mismatches) == []
        for step in past.steps:
            note(f"{step.kind}")
    return pasts


@effort(150)
@given(documents(), SCRIPTS, LIVES)
def test_every_version_is_told_again_in_memory(document: Any, script: Any, deeds: Any) -> None:
    asyncio.run(_lived(document, script, deeds, "memory://"))


@effort(25)
@given(documents(), SCRIPTS, LIVES)
def test_and_in_a_file(document: Any, script: Any, deeds: Any) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(_lived(document, script, deeds, f"sqlite:///{folder}/agents.db"))

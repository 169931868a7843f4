"""The prover against brute force, which tries everything with concrete data and shares only the engine's ``decide``."""

from __future__ import annotations

from collections import Counter

import pytest

from fsm_agent.proof.prover import DEFAULTS, GIVEN, prove
from fsm_agent.proof.verdicts import Outcome
from tests.support.hypothesis_settings import IS_LONG

from .concrete import World, is_broken
from .random_properties import example

CHUNKS = 20
#: of workflows that the long run has once found something with
FOUND = (3272, 3736, 3993, 7008)
SEEDS = [*range(10_000 if IS_LONG else 1_000), *FOUND]


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_nothing_is_proved_that_an_agent_breaks_and_what_is_violated_an_agent_breaks(chunk: int) -> None:
    counted: Counter[str] = Counter()
    for seed in SEEDS[chunk::CHUNKS]:
        tried = example(seed)
        world = World(tried)
        proof = prove(tried.workflow, tried.properties, signatures=tried.signatures)
        for of, verdict in zip(tried.properties, proof.verdicts, strict=True):
            counted[verdict.outcome] += 1
            is_for_all = verdict.outcome is Outcome.PROVED and DEFAULTS not in verdict.assumptions
            has_defaults = not is_for_all and GIVEN not in verdict.assumptions
            broken = is_broken(world, of.rule, has_defaults=has_defaults)
            where = f"seed {seed}, {of.rule}, {verdict}"
            if verdict.outcome is Outcome.PROVED:
                assert not broken, where
            if verdict.outcome is Outcome.VIOLATED:
                assert broken, where
    assert counted["proved"] > counted["open"]

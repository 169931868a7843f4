"""Where agents can never end, against brute force that follows every agent with concrete data."""

from __future__ import annotations

import pytest

from fsm_agent.engine.machine import Machine
from fsm_agent.proof.reached import Reached
from tests.support.hypothesis_settings import IS_LONG

from .concrete import Happening, Situation, World
from .random_properties import example

CHUNKS = 4
SEEDS = range(4_000 if IS_LONG else 200)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_who_is_told_to_be_stuck_never_ends(chunk: int) -> None:
    told = 0
    for seed in SEEDS[chunk::CHUNKS]:
        tried = example(seed)
        stuck = Reached(tried.workflow, Machine(tried.workflow), tried.signatures, 20_000).stuck()
        if stuck:
            told += len(stuck)
            assert stuck.keys() <= endless(World(tried)), seed
    assert told > 0


def endless(world: World) -> set[str]:
    """The leaves in which some agent can be so that whatever happens never ends it."""
    queue = list(world.beginnings(has_defaults=False))
    known, before = set(queue), dict[Situation, list[Situation]]()
    for at in queue:
        for ahead in world.ahead(at):
            if not is_emergency(world, at, ahead):
                before.setdefault(ahead.target, []).append(at)
            if ahead.target not in known:
                known.add(ahead.target)
                queue.append(ahead.target)
    saved = [at for at in queue if at.mode == "end" or at.is_parked]
    for at in saved:
        saved += [each for each in dict.fromkeys(before.pop(at, ())) if each not in saved]
    return {at.leaf for at in known.difference(saved)}


def is_emergency(world: World, at: Situation, ahead: Happening) -> bool:
    """Whether it is cancelled, or led out by what the workflow itself handles for emergencies."""
    name = ahead.event.name
    handled = {event for state in world.workflow.chain(at.leaf) for event in state.on}
    names = {name, "error"} if name == "timeout" else {name}
    return ahead.kind == "cancel" or (name in ("cancel", "error", "timeout") and names.isdisjoint(handled))

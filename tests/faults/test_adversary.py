"""``llm.decide`` under a model that tries everything: only what was legal ever happens, and the rest is counted.

Each example is another random workflow in which a model decides. Every attempt is held against the raw document by a
table walk that shares no code with the package: what was offered, what was taken, with which payload, and where it led.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from fsm_agent import Runner, open_store
from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.dialect import read_document
from fsm_agent.domain.step import Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import Refused
from fsm_agent.llm.models import Models
from fsm_agent.runtime.scripted.clock import FakeClock
from tests.support.hypothesis_settings import IS_LONG

from .adversary import TRICKS, Adversary, DecisionAttempt, chosen_by, offered_by
from .random_workflows import DECISIONS, EVENTS, TEMPTING, documents
from .transition_table import Table

#: they are looked at in parts, beside each other
PARTS = 4
WORKFLOWS = 10_000 if IS_LONG else 400
TRIES = 3

TRICK_LISTS = st.lists(st.tuples(st.sampled_from(TRICKS), st.integers(0, 5)), min_size=4, max_size=24)
EVENT_LISTS = st.lists(st.sampled_from([*EVENTS, *EVENTS, "cancel"]), max_size=3)


async def run_agent(workflow: Workflow, adversary: Adversary, sent: Sequence[str]) -> tuple[Sequence[Step], Any]:
    """What becomes of an agent whose decisions the adversary makes, and of what others send it."""
    around = Surroundings(model="adversary", models=Models({"adversary": adversary.model}))
    store = open_store("memory://", clock=FakeClock())
    async with Runner(store, observe=adversary.observe, surroundings=around) as runner:
        agent = await runner.start(workflow)
        for event in sent:
            try:
                await runner.send(agent.id, event, {"x": 1} if event == "give" else {})
            except Refused:
                continue
        history, head = await runner.history(agent.id), await store.head(agent.id)
        if head.version % 4 == 0:  # compiles the workflow once more
            assert not (await runner.replay(agent.id)).mismatches
        return history, head


def values_before(history: Sequence[Step], version: int) -> dict[str, Any]:
    """The data after a version, added up naively: only whole fields are set, and only lists appended to."""
    values: dict[str, Any] = {}
    for step in history[:version]:
        values |= step.delta.set
        for name, items in step.delta.append.items():
            values[name] = [*values[name], *items]
    return values


def refused(table: Table, attempt: DecisionAttempt, history: Sequence[Step]) -> int:
    """Hold one attempt against the table; returns how many of its replies were no legal choice."""
    leaf, data, visits = attempt.head.state, values_before(history, attempt.head.version), attempt.head.visits
    offered = offered_by(table, leaf, data, visits)
    assert all(reply.offered == offered for reply in attempt.replies)
    choices = [chosen_by(table, leaf, reply, data, visits) for reply in attempt.replies]
    step = history[attempt.head.version]
    assert all(choice is None for choice in choices[:-1])
    if not choices or choices[-1] is None:
        assert len(choices) == (TRIES if offered else 0)
        assert step.event == "error"
        assert step.usage.refused == len(choices)
        return len(choices)
    event, payload, choice = choices[-1]
    assert event in offered
    assert (step.event, step.payload) == (event, payload)
    if step.kind is StepKind.EVENT:
        assert step.target == table.way(leaf, choice).leaf
    else:  # a limit stands in the way, and an operator is asked
        assert (step.kind, step.target) == (StepKind.PARKED, leaf)
    assert step.usage.refused == len(choices) - 1
    return len(choices) - 1


def begin_with_a_decision(document: Any) -> None:
    table = Table(document)
    first = table.states[table.rest(document["initial"])]
    if first.pop("ask", None) or "do" not in first:
        first |= {"do": "llm.decide", "with": {"prompt": TEMPTING}}


def decision_attempts(document: Any, adversary: Adversary) -> Iterator[DecisionAttempt]:
    """The attempts of ``llm.decide``."""
    states = Table(document).states
    seen: set[int] = set()
    for attempt in adversary.attempts:
        if states[attempt.head.state].get("do") == "llm.decide" and attempt.head.version not in seen:
            seen.add(attempt.head.version)
            same = [each for each in adversary.attempts if each.head.version == attempt.head.version]
            yield DecisionAttempt(attempt.head, [reply for each in same for reply in each.replies])


@pytest.mark.parametrize("part", range(PARTS))
@settings(
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a failure is small enough, and shrinking takes minutes
    max_examples=WORKFLOWS // PARTS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(document=documents(DECISIONS), tricks=TRICK_LISTS, sent=EVENT_LISTS)
def test_whatever_a_model_says_only_what_is_legal_happens(
    part: int, document: Any, tricks: list[tuple[str, int]], sent: list[str]
) -> None:
    begin_with_a_decision(document)
    workflow, findings = read_document(document)
    assert workflow is not None, findings
    adversary, table = Adversary(tricks), Table(document)
    history, head = asyncio.run(run_agent(workflow, adversary, sent))
    attempts = list(decision_attempts(document, adversary))
    assume(any(attempt.replies for attempt in attempts))
    assert sum(refused(table, attempt, history) for attempt in attempts) == head.usage.refused
    assert sum(len(attempt.replies) for attempt in attempts) == head.usage.requests
    taken = {step.event for step in history if step.duration_ms is not None and step.kind is StepKind.EVENT}
    assert taken <= {*EVENTS, "error"}

"""What must be true of questions and answers. Pure; the history alone shows which question was open."""

from __future__ import annotations

from collections.abc import Mapping

from fsm_agent.testing.faults.evidence import Evidence, StoredAgent
from fsm_agent.testing.faults.order_workload import prompt
from fsm_agent.testing.faults.rules_history import RuleResults
from fsm_agent.testing.faults.store import token_of


def answers_reach_their_question(evidence: Evidence) -> RuleResults:
    """An answer that names its question answers that question, or none."""
    open_then = {agent: questions_by_version(stored) for agent, stored in evidence.orders.items()}
    for entry in evidence.order_entries("answer"):
        stored, meant = evidence.orders.get(entry.facts["agent"]), entry.facts["question"]
        if stored is None or meant is None:
            continue
        asked = open_then[entry.facts["agent"]]
        for step in stored.steps:
            if token_of(step) == entry.facts["token"]:
                reached = asked.get(step.version - 1, (None, ""))[0]
                told = f"{entry.facts['token']} was for question {meant} of {entry.facts['agent']}"
                yield None if reached == meant else f"{told}, and answered {reached} at version {step.version}"


def questions_follow_the_data(evidence: Evidence) -> RuleResults:
    """A question has the prompt that follows from the data, and the id of the version that first had this prompt."""
    open_then = {agent: questions_by_version(stored) for agent, stored in evidence.orders.items()}
    for entry in evidence.order_entries("get"):
        if entry.is_ok and entry.facts["agent"] in open_then:
            expected, found = open_then[entry.facts["agent"]].get(entry.reply["version"]), entry.reply["asked"]
            is_so = (expected and list(expected)) == found
            yield None if is_so else f"{entry.facts['agent']} was read asking {found}, and should ask {expected}"
    for agent, stored in evidence.orders.items():
        asked = stored.export.head.asked
        told = asked and (asked.id, asked.prompt)
        expected = open_then[agent].get(stored.export.head.version)
        yield None if told == expected else f"{agent} asks {told}, and should ask {expected}"


def questions_by_version(stored: StoredAgent) -> Mapping[int, tuple[int, str]]:
    """version -> the id and the prompt of the question that is open then"""
    asked: dict[int, tuple[int, str]] = {}
    for step, (version, values) in zip(stored.steps, stored.folded(), strict=True):
        if step.target != "asking":
            continue
        told = prompt(values)
        before = None if step.entered else asked.get(version - 1)
        asked[version] = before if before is not None and before[1] == told else (version, told)
    return asked

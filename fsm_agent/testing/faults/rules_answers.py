"""What must be true of questions and of those who answer them. Pure; what is asked is told by the history alone."""

from __future__ import annotations

from collections.abc import Mapping

from fsm_agent.testing.faults.evidence import Evidence, Kept
from fsm_agent.testing.faults.order_workload import prompt
from fsm_agent.testing.faults.rules_history import Verdicts
from fsm_agent.testing.faults.store import token_of


def answers_reach_their_question(evidence: Evidence) -> Verdicts:
    """Whoever names the question that is meant answers that one, or none."""
    open_then = {agent: _asked(kept) for agent, kept in evidence.agents.items()}
    for entry in evidence.said("answer"):
        kept, meant = evidence.agents.get(entry.facts["agent"]), entry.facts["question"]
        if kept is None or meant is None:
            continue
        asked = open_then[entry.facts["agent"]]
        for step in kept.steps:
            if token_of(step) == entry.facts["token"]:
                reached = asked.get(step.version - 1, (None, ""))[0]
                told = f"{entry.facts['token']} was for question {meant} of {entry.facts['agent']}"
                yield None if reached == meant else f"{told}, and answered {reached} at version {step.version}"


def questions_are_asked_as_things_stand(evidence: Evidence) -> Verdicts:
    """Whoever reads a question reads what follows from the data, under the version that made it so."""
    open_then = {agent: _asked(kept) for agent, kept in evidence.agents.items()}
    for entry in evidence.said("get"):
        if entry.is_ok and entry.facts["agent"] in open_then:
            expected, found = open_then[entry.facts["agent"]].get(entry.reply["version"]), entry.reply["asked"]
            is_so = (expected and list(expected)) == found
            yield None if is_so else f"{entry.facts['agent']} was read asking {found}, and should ask {expected}"
    for agent, kept in evidence.agents.items():
        asked = kept.export.head.asked
        told = asked and (asked.id, asked.prompt)
        expected = open_then[agent].get(kept.export.head.version)
        yield None if told == expected else f"{agent} asks {told}, and should ask {expected}"


def _asked(kept: Kept) -> Mapping[int, tuple[int, str]]:
    """Version -> the id and the prompt of the question that is open then."""
    asked: dict[int, tuple[int, str]] = {}
    for step, (version, values) in zip(kept.steps, kept.folded(), strict=True):
        if step.target != "asking":
            continue
        told = prompt(values)
        before = None if step.entered else asked.get(version - 1)
        asked[version] = before if before is not None and before[1] == told else (version, told)
    return asked

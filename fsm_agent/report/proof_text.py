"""The path of a counterexample in sentences."""

from __future__ import annotations

from typing import Final

from fsm_agent.domain.text import listed
from fsm_agent.proof.model import Kind
from fsm_agent.proof.verdicts import PathStep

#: what makes a step, before the name of its event
_CAUSES: Final = {
    Kind.ACTION: "its action names",
    Kind.FAILURE: "its action ends with",
    Kind.TIMER: "the time has come:",
    Kind.OUTSIDE: "somebody sends",
    Kind.CANCEL: "somebody sends",
    Kind.PARK: "it is parked after",
    Kind.UNPARK: "an operator lets it go on after",
}


def step_sentence(step: PathStep) -> str:
    """From where to where, what happens, and for which values; names of events stand between backticks."""
    is_move = step.enters or step.source != step.target
    way = f"{step.source} → {step.target}" if is_move else f"stays in {step.source}"
    return f"{way}: {_CAUSES[step.kind]} `{step.event}`{f', where {listed(step.seen)}' if step.seen else ''}"

"""Outcomes of child agents, as their parent sees them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeAlias

from fsm_agent.data.delta import own
from fsm_agent.domain.agent import ENDED, Head, Status
from fsm_agent.domain.json import Json
from fsm_agent.errors import ChildFailed, Refused

#: the child as it is, or why it could not be started
Known: TypeAlias = Head | Refused


def is_over(known: Known) -> bool:
    return isinstance(known, Refused) or known.status in ENDED


def has_failed(known: Known) -> bool:
    return is_over(known) and not _is(Status.DONE, known)


def output_of(known: Known) -> Json:
    """The output of a child; null if the child has failed."""
    return known.output if isinstance(known, Head) and known.status is Status.DONE else None


def outcome_of(ident: str, item: Json, known: Known) -> dict[str, Json]:
    """The outcome of one child, as the workflow gets it. A child that could not be started has failed, without
    state."""
    error: Json = None
    if isinstance(known, Refused):
        state, status = None, Status.FAILED
        error = {"type": type(known).__name__, "message": str(known)}
    else:
        state, status = known.state, known.status
        if known.problem is not None:
            error = {"type": known.problem.type, "message": known.problem.message}
    outcome = {"state": state, "status": str(status), "output": own(output_of(known)), "error": error}
    return {"id": ident, "item": own(item), **outcome}


def count_of_failures(children: Collection[Known]) -> str:
    """``2 of 5 children failed``, and the number of cancelled children."""
    cancelled = sum(_is(Status.CANCELLED, known) for known in children)
    failed = sum(map(has_failed, children)) - cancelled
    text = f"{failed} of {len(children)} children failed" if failed else ""
    of_all = "" if failed else f" of {len(children)} children"
    return ", ".join(filter(None, [text, f"{cancelled}{of_all} cancelled" if cancelled else ""]))


def failure_of(children: Mapping[str, Known]) -> ChildFailed:
    """The error of the parent: which child failed first, in which way and why, and how many failed. A failed child is
    preferred to a cancelled one."""
    failed = {ident: known for ident, known in children.items() if has_failed(known)}
    by_itself = {ident: known for ident, known in failed.items() if not _is(Status.CANCELLED, known)} or failed
    ident, known = next(iter(by_itself.items()))
    if isinstance(known, Refused):
        return ChildFailed(ident, "failed", f": {type(known).__name__}: {known}", len(by_itself))
    problem = known.problem
    why = f": {problem.type}: {problem.message}" if problem else ""
    return ChildFailed(ident, str(known.status), why, len(by_itself))


def _is(status: Status, known: Known) -> bool:
    return isinstance(known, Head) and known.status is status

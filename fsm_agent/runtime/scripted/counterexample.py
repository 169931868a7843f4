"""A path that a proof has found, made to happen on the real engine; and the test that shows it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final, NamedTuple

from fsm_agent.domain.property import Property
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import FsmAgentError
from fsm_agent.proof.verdicts import Verdict
from fsm_agent.runtime.scripted.moves import Move, function_name, written_by
from fsm_agent.runtime.scripted.path_moves import lives_along
from fsm_agent.runtime.scripted.play import Play, play

#: combinations of values that are tried
_MOST_TRIES: Final = 64


class Counterexample(NamedTuple):
    """A life in which an agent breaks a property, or begins to: then ``round`` goes on for ever."""

    life: Play
    round: tuple[Move, ...] = ()


def reproduced(
    workflow: Workflow, of: Property, verdict: Verdict, signatures: Mapping[str, Signature]
) -> Counterexample | None:
    """A play along the path of a verdict in which the property is broken; ``None`` if none of those that were tried
    breaks it. ``signatures`` says which fields actions write."""
    with _quiet():
        for data, moves, again in islice(lives_along(workflow, of.rule, verdict, signatures), _MOST_TRIES):
            try:
                life = play(workflow, moves, data=data)
                if life.goes_round(again, of) if again else not life.keeps(of):
                    return Counterexample(play(workflow, moves, data=data) if again else life, again)
            except FsmAgentError:  # an agent cannot go that way
                continue
    return None


def test_of(file: str, name: str, found: Counterexample, *, child: Sequence[str]) -> str:
    """A test that fails for as long as the workflow in ``file`` lets an agent break the property ``name`` by these
    moves. ``child`` are the names by which the workflow stands within that of the file."""
    life = found.life
    used = written_by((*life.given, *found.round))
    data = f", data={dict(life.initial_data)!r}" if life.initial_data else ""
    inner = "".join(f".workflows[{each!r}]" for each in child)
    again = f"    again = {_listed(found.round)}\n" if found.round else ""
    judged = f"not life.goes_round(again, {name!r})" if found.round else f"life.keeps({name!r})"
    return f"""{marker(file, name)}

from fsm_agent import Workflow
from fsm_agent.errors import Refused
from fsm_agent.testing import {", ".join(sorted({"play", *used}))}


def {function_name(name)}() -> None:
    workflow = Workflow.load({file!r}){inner}
    moves = {_listed(life.given)}
{again}    try:
        life = play(workflow, moves{data})
        is_kept = {judged}
    except Refused:
        return  # no agent can go this way any more
    assert is_kept
"""


def marker(file: str, name: str) -> str:
    """The first line of a test, by which its writer knows it again."""
    return f"# Written by `fsm-agent prove`: an agent of {file!r} breaks {name!r}."


def _listed(moves: Iterable[Move]) -> str:
    """Moves as the text of a list, each in a line of its own."""
    return "[\n" + "".join(f"        {move!r},\n" for move in moves) + "    ]"


@contextmanager
def _quiet() -> Iterator[None]:
    """What fails in a play has to fail: nothing of it is logged."""
    logger = logging.getLogger("fsm_agent")
    is_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = is_disabled

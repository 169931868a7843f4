"""Tours as tests: what the marker ``tours`` makes of a test that takes ``tour``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fsm_agent.actions.registry import Actions
from fsm_agent.domain.json import Json
from fsm_agent.domain.leaf_transition import LeafTransition
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import load
from fsm_agent.proof.tours import Cover
from fsm_agent.runtime.scripted.moves import Move
from fsm_agent.runtime.scripted.play import Play, play
from fsm_agent.runtime.scripted.tours import PlayedTour, Tours, tours

#: in an id of a test
_MOST_EVENTS: Final = 5


class Tour:
    """One tour of a workflow, to be played."""

    def __init__(self, workflow: Workflow, played: PlayedTour, number: int) -> None:
        self.workflow = workflow
        self.moves: Sequence[Move] = played.moves
        #: what the agent is given at its creation
        self.data: Mapping[str, Json] = played.data
        #: what it must take, in order
        self.transitions: Sequence[LeafTransition] = played.transitions
        self.number = number

    def play(self) -> Play:
        """Play it on the real engine. Raises ``AssertionError`` where the agent goes another way than foretold, or
        breaks a property of its workflow."""
        life = play(self.workflow, self.moves, data=self.data)
        for number, (taken, foretold) in enumerate(zip(life.transitions, self.transitions, strict=False), start=1):
            assert taken == foretold, f"step {number} is {taken}, and not {foretold} as foretold"  # noqa: S101 - a test
        steps = f"{len(life.transitions)} transitions are taken, and not {len(self.transitions)} as foretold"
        assert len(life.transitions) == len(self.transitions), steps  # noqa: S101 - a test
        assert not life.broken, f"this life breaks {', '.join(life.broken)}"  # noqa: S101 - a test
        return life

    @property
    def id(self) -> str:
        """Its number, and what happens; of many events the first and the last."""
        events = [each.event.replace(" ", "_") for each in self.transitions] or ["created"]
        if len(events) > _MOST_EVENTS:
            events = [*events[:2], "..", *events[-2:]]
        return f"{self.number:02}-{','.join(events)}"

    def __repr__(self) -> str:
        return f"Tour({list(self.moves)!r}, data={dict(self.data)!r})"


def tours_of(
    workflow: Workflow | str | Path,
    *,
    root: Path,
    cover: str = Cover.TRANSITIONS,
    actions: Iterable[Callable[..., Any]] = (),
    modules: Iterable[str] = (),
) -> tuple[list[Tour], Tours]:
    """The tours of a workflow, or of the file of one, relative to ``root``. ``actions`` and ``modules`` say, as for a
    ``Runner``, what actions there are: the events that one may name are known then. Raises ``ValueError`` for another
    ``cover``."""
    declared = workflow if isinstance(workflow, Workflow) else load(root / workflow)
    known = Actions(actions, modules=modules)
    names = {leaf.do for leaf in declared.leaves if leaf.do is not None}
    signatures = {name: signature for name in names if (signature := known.signature(name)) is not None}
    found = tours(declared, cover, signatures=signatures)
    return [Tour(declared, each, number) for number, each in enumerate(found.tours, start=1)], found


def summary(workflow: str, found: Tours) -> list[str]:
    """How much tours cover, and what they do not."""
    count = len(found.goals) - len(found.uncovered)
    lines = [f"{workflow}: {len(found.tours)} tours cover {count} of {len(found.goals)} {found.cover}"]
    for goal, why in found.uncovered.items():
        is_pair = isinstance(goal, tuple) and not isinstance(goal, LeafTransition)
        lines.append(f"  not covered: {', then '.join(map(str, goal)) if is_pair else goal}: {why}")
    return lines

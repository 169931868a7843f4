"""What a list of guards makes of all values that it may see: which of them are never taken, overlap, or leave a gap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from fsm_agent.domain.json import Json
from fsm_agent.proof.conditions import Masks, always
from fsm_agent.proof.explore import divided
from fsm_agent.proof.space import Space

#: the guards of the candidates of one event, in the order in which they are asked; ``None`` always holds
Guards: TypeAlias = Sequence[str | None]


class Overlap(NamedTuple):
    """Two guards of which each can hold without the other, and values for which both do."""

    first: int
    second: int
    known: Masks


def never_taken(space: Space, event: str, guards: Guards, start: Masks) -> list[int]:
    """The places of the guards that hold for no value that those before them leave."""
    left, found = [start], []
    for place, guard in enumerate(guards):
        taken, left, _ = divided(always if guard is None else space.split(guard, event), left)
        if not taken:
            found.append(place)
    return found


def left_over(space: Space, event: str, guards: Guards, start: Masks) -> Masks | None:
    """Values that all of the guards refuse; ``None`` if there are none, or none of which that is sure."""
    left = [start]
    for guard in guards:
        if guard is None or not space.is_certain(guard, event):
            return None
        _, left, _ = divided(space.split(guard, event), left)
    return left[0] if left else None


def overlaps(space: Space, event: str, guards: Sequence[str], start: Masks) -> Iterator[Overlap]:
    """The pairs of guards that overlap, where no guard before them holds. A guard that is a special case of another one
    does not: to stand before it is what it is for."""
    left = [start]
    for first, guard in enumerate(guards):
        if not space.is_certain(guard, event):
            return
        for second, other in enumerate(guards[first + 1 :], start=first + 1):
            if space.is_certain(other, event):
                held, refused, _ = divided(space.split(guard, event), left)
                both, only_first, _ = divided(space.split(other, event), held)
                if both and only_first and divided(space.split(other, event), refused)[0]:
                    yield Overlap(first, second, both[0])
        left = divided(space.split(guard, event), left)[1]


def example(space: Space, event: str, guards: Guards, known: Masks) -> dict[str, Json]:
    """A value for each thing at which the guards look, one that lies in ``known``."""
    looked_at = {place for guard in guards if guard is not None for place in space.places(guard, event)}
    return {
        space.slots[place].text: space.slots[place].examples(known[place] & space.fresh[place])[0]
        for place in sorted(looked_at)
        if space.slots[place].examples(known[place] & space.fresh[place])
    }

"""What could not be carried from one language into the other."""

from __future__ import annotations

from typing import NamedTuple

from fsm_agent.domain.json import Json


class Loss(NamedTuple):
    """One thing that was left out or changed: where it stands, and a sentence."""

    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}"

    def to_json(self) -> dict[str, Json]:
        return {"place": self.place, "sentence": self.sentence}


def shown(name: str) -> str:
    """A name in a place, on one line, and without characters that a terminal obeys."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in name)

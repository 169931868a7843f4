"""From paths into a document back to lines and columns of the text in which it was written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from fsm_agent.finding import Finding, Path, Place


class Spot(NamedTuple):
    """Where one node stands in the text, by character indices."""

    start: int
    end: int
    #: where its key begins; ``None`` for what has none
    key: int | None = None
    #: of a scalar, the text that it means
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Positions:
    text: str
    file: str
    spots: Mapping[Path, Spot]

    def at(self, index: int) -> Place:
        return Place(self.file, self.text.count("\n", 0, index) + 1, index - self.text.rfind("\n", 0, index))

    def line(self, spot: Spot) -> int:
        return self.at(spot.start if spot.key is None else spot.key).line

    def place(self, finding: Finding) -> Place:
        """The place of the finding's node, or of the nearest node round it that was written."""
        spot, is_exact = self._nearest(finding.path)
        if spot is None:
            return self.at(0)
        if spot.key is not None and (finding.at_key or not is_exact or spot.value is None):
            return self.at(spot.key)
        return self.at(spot.start if finding.offset is None else self._inside(spot, *finding.offset))

    def _nearest(self, path: Path) -> tuple[Spot | None, bool]:
        """The first of several transitions is also found where it was written alone, without a list."""
        here: Path = ()
        for part in path:
            if (*here, part) in self.spots:
                here = (*here, part)
            elif part != 0:
                return self.spots.get(here), False
        return self.spots.get(here), True

    def _inside(self, spot: Spot, line: int, column: int) -> int:
        """The index of a line and column of what a scalar means.

        Meaning and text are walked side by side, so that quotes, escapes, indentation and folded lines are skipped.
        """
        meaning = spot.value or ""
        wanted = sum(len(each) + 1 for each in meaning.split("\n")[: line - 1]) + column - 1
        index = spot.start
        if self.text[index : index + 1] in {"|", ">"}:
            index = self.text.find("\n", index) + 1
        for position, character in enumerate(meaning[: wanted + 1]):
            if character.isspace():
                while index < spot.end and self.text[index].isspace():
                    index += 1
            elif (found := self.text.find(character, index, spot.end)) >= 0:
                index = found + (position < wanted)
        return index


def locate(findings: Iterable[Finding], positions: Positions) -> list[Finding]:
    """The findings, each with a place, in the order of the file; those that have one keep it."""
    placed = [each if each.place else replace(each, place=positions.place(each)) for each in findings]
    return sorted(placed, key=_by_place)


def _by_place(finding: Finding) -> tuple[int, int]:
    return (finding.place.line, finding.place.column) if finding.place else (0, 0)

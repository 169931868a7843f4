"""From paths into a document back to lines and columns of the text in which it was written."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from fsm_agent.domain.finding import Finding, Path, Place


class NodeSpan(NamedTuple):
    """Where one node stands in the text, by character indices."""

    start: int
    end: int
    #: where its key begins; ``None`` for what has none
    key: int | None = None
    #: of a scalar, the text that it means
    value: str | None = None


#: What two findings have in common that are about one mistake in one text: code, path of the text, offset, at the key.
_Mistake: TypeAlias = tuple[str, Path, tuple[int, int] | None, bool]


@dataclass(frozen=True, slots=True)
class Positions:
    text: str
    file: str
    spans: Mapping[Path, NodeSpan]
    #: path of an alias -> path of what its anchor names
    aliases: Mapping[Path, Path] = field(default_factory=dict)

    def at(self, index: int) -> Place:
        return Place(self.file, self.text.count("\n", 0, index) + 1, index - self.text.rfind("\n", 0, index))

    def line(self, span: NodeSpan) -> int:
        return self.at(span.start if span.key is None else span.key).line

    def place(self, finding: Finding) -> Place:
        """The place of the finding's node, or of the nearest node round it that was written."""
        span, is_exact = self._nearest(finding.path)
        if span is None:
            return self.at(0)
        if span.key is not None and (finding.at_key or not is_exact or span.value is None):
            return self.at(span.key)
        return self.at(span.start if finding.offset is None else self._inside(span, *finding.offset))

    def texts(self, path: Path) -> Iterator[Path]:
        """The path of a node as it is written, and of what it repeats: through one alias after another."""
        rest: Path | None = path
        while rest is not None:
            here, rest = self._up_to_alias(rest)
            yield here

    def _up_to_alias(self, path: Path) -> tuple[Path, Path | None]:
        """The path as it is written, and the one that stands behind its first alias."""
        here: Path = ()
        behind: Path | None = None
        for number, part in enumerate(path, 1):
            below = (*here, part)
            if below in self.spans or part != 0:  # one transition may be written without a list
                here = below
            if behind is None and here in self.aliases:
                behind = (*self.aliases[here], *path[number:])
        return here, behind

    def _nearest(self, path: Path) -> tuple[NodeSpan | None, bool]:
        """The first of several transitions is also found where it was written alone, without a list."""
        here: Path = ()
        for part in path:
            if (*here, part) in self.spans:
                here = (*here, part)
            elif part != 0:
                return self.spans.get(here), False
        return self.spans.get(here), True

    def _inside(self, span: NodeSpan, line: int, column: int) -> int:
        """The index of a line and column of what a scalar means.

        Meaning and text are walked side by side, so that quotes, escapes, indentation and folded lines are skipped.
        """
        meaning = span.value or ""
        wanted = sum(len(each) + 1 for each in meaning.split("\n")[: line - 1]) + column - 1
        index = span.start
        if self.text[index : index + 1] in {"|", ">"}:
            index = self.text.find("\n", index) + 1
        for position, character in enumerate(meaning[: wanted + 1]):
            if character.isspace():
                while index < span.end and self.text[index].isspace():
                    index += 1
            elif (found := self.text.find(character, index, span.end)) >= 0:
                index = found + (position < wanted)
        return index


def told_once(findings: Sequence[Finding], positions: Positions, *, but: Callable[[Finding], bool]) -> list[Finding]:
    """The findings without those that are made at an alias, too, of what is wrong in the text of its anchor. What is
    wrong only where the alias stands is told there, and so is what ``but`` says."""
    if not positions.aliases:
        return list(findings)
    mistakes = [list(_mistakes(each, positions)) for each in findings]
    told = {first for first, *_ in mistakes}
    return [
        each for each, (_, *repeated) in zip(findings, mistakes, strict=True) if but(each) or told.isdisjoint(repeated)
    ]


def _mistakes(finding: Finding, positions: Positions) -> Iterator[_Mistake]:
    """What a finding tells, and what it repeats by that."""
    path, key = (finding.path[:-1], finding.path[-1:]) if finding.at_key else (finding.path, ())
    for text in positions.texts(path):
        yield finding.code, (*text, *key), finding.offset, finding.at_key


def locate(findings: Iterable[Finding], positions: Positions) -> list[Finding]:
    """The findings, each with a place, in the order of the file; those that have one keep it."""
    placed = [each if each.place else replace(each, place=positions.place(each)) for each in findings]
    return sorted(placed, key=_by_place)


def _by_place(finding: Finding) -> tuple[int, int]:
    return (finding.place.line, finding.place.column) if finding.place else (0, 0)

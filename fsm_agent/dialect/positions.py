"""Positions: paths into a document -> lines and columns of its text."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from fsm_agent.domain.finding import Finding, Path, Place


class NodeSpan(NamedTuple):
    """The place of one node in the text, as character indices."""

    start: int
    end: int
    #: start of the node's key; ``None`` without a key
    key: int | None = None
    #: the text that a scalar means; ``None`` for other nodes
    value: str | None = None


#: Identifies a mistake in a text, so that two findings about it are equal: code, path of the text, offset, at the key.
_Mistake: TypeAlias = tuple[str, Path, tuple[int, int] | None, bool]


@dataclass(frozen=True, slots=True)
class Positions:
    text: str
    file: str
    spans: Mapping[Path, NodeSpan]
    #: path of an alias -> path of its anchor
    aliases: Mapping[Path, Path] = field(default_factory=dict)

    def at(self, index: int) -> Place:
        return Place(self.file, self.text.count("\n", 0, index) + 1, index - self.text.rfind("\n", 0, index))

    def line(self, span: NodeSpan) -> int:
        return self.at(span.start if span.key is None else span.key).line

    def place(self, finding: Finding) -> Place:
        """The place of the finding's node, or of the nearest written node around it."""
        span, is_exact = self._nearest(finding.path)
        if span is None:
            return self.at(0)
        if span.key is not None and (finding.at_key or not is_exact or span.value is None):
            return self.at(span.key)
        return self.at(span.start if finding.offset is None else self._inside(span, *finding.offset))

    def texts(self, path: Path) -> Iterator[Path]:
        """The path of a node as it is written, and the paths that it repeats through aliases."""
        rest: Path | None = path
        while rest is not None:
            here, rest = self._up_to_alias(rest)
            yield here

    def _up_to_alias(self, path: Path) -> tuple[Path, Path | None]:
        """The path as it is written up to its first alias, and the path behind that alias."""
        here: Path = ()
        behind: Path | None = None
        for number, part in enumerate(path, 1):
            below = (*here, part)
            if below in self.spans or part != 0:  # a single transition needs no list
                here = below
            if behind is None and here in self.aliases:
                behind = (*self.aliases[here], *path[number:])
        return here, behind

    def _nearest(self, path: Path) -> tuple[NodeSpan | None, bool]:
        """The span of the nearest written node, and whether it is exact. A single transition needs no list."""
        here: Path = ()
        for part in path:
            if (*here, part) in self.spans:
                here = (*here, part)
            elif part != 0:
                return self.spans.get(here), False
        return self.spans.get(here), True

    def _inside(self, span: NodeSpan, line: int, column: int) -> int:
        """The index in the text for a line and column of a scalar's value.

        Value and text are compared side by side, so that quotes, escapes, indentation and folded lines are skipped.
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
    """The findings, without those at an alias that repeat a finding at its anchor. Findings that only the alias has are
    kept, and so are those for which ``but`` is true."""
    if not positions.aliases:
        return list(findings)
    mistakes = [list(_mistakes(each, positions)) for each in findings]
    known = {first for first, *_ in mistakes}
    return [
        each for each, (_, *repeated) in zip(findings, mistakes, strict=True) if but(each) or known.isdisjoint(repeated)
    ]


def _mistakes(finding: Finding, positions: Positions) -> Iterator[_Mistake]:
    """The mistake of a finding, and the mistakes at anchors that it may repeat."""
    path, key = (finding.path[:-1], finding.path[-1:]) if finding.at_key else (finding.path, ())
    for text in positions.texts(path):
        yield finding.code, (*text, *key), finding.offset, finding.at_key


def locate(findings: Iterable[Finding], positions: Positions) -> list[Finding]:
    """The findings in the order of the file, each with a place. A place that is already there is kept."""
    placed = [each if each.place else replace(each, place=positions.place(each)) for each in findings]
    return sorted(placed, key=_by_place)


def _by_place(finding: Finding) -> tuple[int, int]:
    return (finding.place.line, finding.place.column) if finding.place else (0, 0)

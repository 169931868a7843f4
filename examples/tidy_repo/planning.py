"""Which fix comes next: the safe ones first, then those that somebody must decide about. Pure but for ruff's part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final

from examples.tidy_repo.linter import Finding, Ruff

#: So often a rule is followed in one file; if it still finds something, two rules contradict each other there.
_MOST_TURNS: Final = 3


@dataclass(frozen=True, slots=True)
class Fix:
    """One rule, followed in one file. The digests say what the file holds before and after it."""

    file: str
    rule: str
    unsafe: bool
    findings: int
    message: str
    before: str
    after: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def next_fix(
    ruff: Ruff, found: Iterable[Finding], *, done: Iterable[Mapping[str, Any]], skipped: Iterable[Mapping[str, Any]]
) -> Fix | None:
    """The first that changes something: a safe one if there is any, else one that nobody has decided about yet."""
    turns = [(each["file"], each["rule"]) for each in done]
    declined = {(each["file"], each["rule"]) for each in skipped}
    for unsafe in (False, True):
        for place, findings in _by_place(found, unsafe=unsafe):
            if turns.count(place) >= _MOST_TURNS or (unsafe and place in declined):
                continue
            if (fix := _planned(ruff, findings, unsafe=unsafe)) is not None:
                return fix
    return None


def _by_place(found: Iterable[Finding], *, unsafe: bool) -> Iterator[tuple[tuple[str, str], list[Finding]]]:
    places: dict[tuple[str, str], list[Finding]] = {}
    for each in found:
        if each.fix == ("unsafe" if unsafe else "safe"):
            places.setdefault((each.file, each.rule), []).append(each)
    yield from places.items()


def _planned(ruff: Ruff, findings: list[Finding], *, unsafe: bool) -> Fix | None:
    first = findings[0]
    before = (ruff.folder / first.file).read_bytes()
    after = ruff.fixed(first.file, before, first.rule, unsafe=unsafe)
    if before == after:
        return None
    return Fix(first.file, first.rule, unsafe, len(findings), first.message, digest(before), digest(after))

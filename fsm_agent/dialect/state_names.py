"""The states of a document, and which of them a name means.

A bare name is searched among the siblings of the state that uses it, then among the siblings of its ancestors. A name
that is found at two levels is ambiguous. A dotted path is absolute.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from fsm_agent.dialect.keys import DEEPEST_STATE
from fsm_agent.domain.finding import Path
from fsm_agent.domain.json import Json
from fsm_agent.domain.workflow import lineage


@dataclass(frozen=True, slots=True)
class DocumentStates:
    """The states of a document by their dotted paths, as they are written, even if they are wrong."""

    document: Json
    bodies: Mapping[str, Json]

    @classmethod
    def of(cls, document: Json) -> DocumentStates:
        """The states of an unchecked document; wrong parts are skipped."""
        return cls(document, dict(_walk(document, "", DEEPEST_STATE)))

    def children(self, state: str) -> Collection[str]:
        """The names under ``states`` in a state, or in the workflow (``""``)."""
        return _under(self.bodies[state] if state else self.document, "states").keys()

    def meanings(self, name: str, source: str) -> list[str]:
        """The states that ``name`` can mean in the state ``source``, or in the workflow's own ``on`` (``""``)."""
        if "." in name:
            return [name] if name in self.bodies else []
        levels = lineage(source)[-2::-1] if source else ()
        return [path for path in (*(f"{level}.{name}" for level in levels), name) if path in self.bodies]

    def handles(self, source: str, event: str) -> bool:
        """Whether some level of ``source`` has an entry for ``event``, and the innermost one does not forbid it."""
        for level in reversed(lineage(source)):
            handlers = _under(self.bodies.get(level), "on")
            if event in handlers:
                return handlers[event] is not None
        return False


def state_at(path: Path) -> str:
    """The dotted path of the state that a document path lies in: ``("states", "a", "on", "x")`` is in ``a``."""
    names: list[str] = []
    while len(path) >= 2 and path[0] == "states":
        names.append(str(path[1]))
        path = path[2:]
    return ".".join(names)


def _walk(body: Json, prefix: str, depth: int) -> Iterator[tuple[str, Json]]:
    if depth == 0:
        return
    for name, child in _under(body, "states").items():
        yield prefix + name, child
        yield from _walk(child, f"{prefix}{name}.", depth - 1)


def _under(body: Json, key: str) -> Mapping[str, Json]:
    found = body.get(key) if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}

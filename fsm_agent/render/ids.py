"""Ids that style sheets, scripts and overlays can rely on: made of [A-Za-z0-9_-], derived from state paths.

``executing.paying`` is ``state-executing-paying``. Where odd names would end up alike, the later one in declaration
order gets a number.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Final

from fsm_agent.domain.workflow import Workflow

_ODD: Final = re.compile(r"[^A-Za-z0-9_]")


class Identities:
    """Hands out each id once; asking again for the same thing gives the same id."""

    def __init__(self, workflow: Workflow) -> None:
        self._taken: dict[str, Hashable] = {}
        self._states = {path: self._named("state", path) for path in workflow.by_path}

    def state(self, path: str) -> str:
        """Raises ``KeyError`` for a path that the workflow does not have."""
        return self._states[path]

    def start(self, path: str) -> str:
        """The id of the start dot inside a compound state; an empty path is the whole workflow."""
        return self._named("start", path)

    def note(self, path: str) -> str:
        """The id of the note inside a compound state; an empty path is the whole workflow."""
        return self._named("everywhere", path)

    def edge(self, kind: str, source: str, target: str) -> str:
        """The id of what leads from one id to another."""
        return self._unique(f"{kind}-{source}-to-{target}", (kind, source, target))

    def _named(self, kind: str, path: str) -> str:
        names = [_ODD.sub("_", name) for name in path.split(".") if name]
        return self._unique("-".join((kind, *names)), (kind, path))

    def _unique(self, wanted: str, thing: Hashable) -> str:
        found, number = wanted, 1
        while self._taken.setdefault(found, thing) != thing:
            number += 1
            found = f"{wanted}-{number}"
        return found

"""Ids for style sheets, scripts and overlays: they consist of [A-Za-z0-9_-], and are made from the paths of states.

``executing.paying`` is ``state-executing-paying``. If two odd names would get the same id, the later one in declaration
order gets a number.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Final

from fsm_agent.domain.workflow import Workflow

_ODD: Final = re.compile(r"[^A-Za-z0-9_]")


class Identities:
    """Gives each thing an id of its own, and always the same one."""

    def __init__(self, workflow: Workflow) -> None:
        self._taken: dict[str, Hashable] = {}
        self._states = {path: self._named("state", path) for path in workflow.by_path}

    def state(self, path: str) -> str:
        """The id of a state; raises ``KeyError`` for an unknown path."""
        return self._states[path]

    def start(self, path: str) -> str:
        """The id of the start dot inside a compound state; an empty path means the workflow."""
        return self._named("start", path)

    def note(self, path: str) -> str:
        """The id of the note inside a compound state; an empty path means the workflow."""
        return self._named("everywhere", path)

    def edge(self, kind: str, source: str, target: str) -> str:
        """The id of the edge between two ids."""
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

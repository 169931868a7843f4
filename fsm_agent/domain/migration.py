"""What a newer version of a workflow says about agents of an older one: which names became which, what is new.

A migration tells what has changed since version ``from_version``. Every one that an agent has not had yet is applied,
the oldest first, so an agent may go from version 1 to 3 by what changed since 1 and then by what changed since 2.
Migrations change nothing in how agents of this version behave, and so the hash leaves them out.
"""

from collections.abc import Mapping
from typing import NamedTuple

from fsm_agent.domain.json import Json
from fsm_agent.domain.state import compact
from fsm_agent.domain.step import NOTHING


class Migration(NamedTuple):
    """One entry under ``migrations``. Of the data, fields are dropped first, then renamed, then filled up; what the
    ``upcast`` gives back is the data after all."""

    from_version: int
    #: old path -> new path, of a state with all that is in it; both absolute
    states: Mapping[str, str] = NOTHING
    #: old field -> new field
    rename: Mapping[str, str] = NOTHING
    #: field -> its value, as it is, where it is missing or null
    default: Mapping[str, Json] = NOTHING
    drop: tuple[str, ...] = ()
    #: ``module:function`` of a plain function: old data in, new data out
    upcast: str | None = None

    def place(self, path: str) -> str | None:
        """What a state, or the nearest outer one that is mentioned, has become; ``None`` if nothing is said of it."""
        inner = ""
        while path:
            if path in self.states:
                return self.states[path] + inner
            path, dot, name = path.rpartition(".")
            inner = f"{dot}{name}{inner}"
        return None

    def to_json(self) -> dict[str, Json]:
        """The entry as it is written."""
        return compact(
            from_=self.from_version,
            states=dict(self.states),
            data=compact(rename=dict(self.rename), default=dict(self.default), drop=list(self.drop)),
            upcast=self.upcast,
        )

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> "Migration":
        data = document.get("data", {})
        return cls(
            from_version=document["from"],
            states=document.get("states", {}),
            rename=data.get("rename", {}),
            default=data.get("default", {}),
            drop=tuple(data.get("drop", ())),
            upcast=document.get("upcast"),
        )

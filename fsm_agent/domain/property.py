"""What must hold of a workflow, as its document says under ``must``: properties, each a name and a rule.

A rule speaks of terms. A term is what a document can name: a state that is entered, an event that is taken, an action
whose state is entered, ``after 3d``, or an outcome (``parked``, ``done``, ``failed``, ``cancelled``). A list of terms
means any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from fsm_agent.domain.state import Duration

#: as they are written; which thing a term names is found out where the workflow is at hand
Terms: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Never:
    """``terms`` never happen; or not before ``before``; or not after ``after``; or not from ``since`` on, until
    ``until`` if that is given."""

    terms: Terms
    before: Terms = ()
    after: Terms = ()
    since: Terms = ()
    until: Terms = ()


@dataclass(frozen=True, slots=True)
class AtMost:
    """``terms`` happen at most ``count`` times; each time that ``since`` happens, counting begins anew."""

    count: int
    terms: Terms
    since: Terms = ()


@dataclass(frozen=True, slots=True)
class Reaches:
    """Whenever ``since`` happens, ``terms`` happen later, at the latest ``within``; without ``since``, of every agent
    from its creation on."""

    terms: Terms
    since: Terms = ()
    within: Duration | None = None


@dataclass(frozen=True, slots=True)
class Whenever:
    """Whenever one of ``events`` is taken, the condition ``holds`` is true, as guards see it before the assigns."""

    events: Terms
    holds: str


Rule: TypeAlias = Never | AtMost | Reaches | Whenever


@dataclass(frozen=True, slots=True)
class Property:
    """A rule that every run of a workflow must keep."""

    name: str
    rule: Rule
    description: str = ""

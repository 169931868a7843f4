"""What must hold of a workflow, as its document says under ``must``: properties, each a name and a rule.

A rule speaks of terms. A term is what a document can name: a state that is entered, an event that is taken, an action
whose state is entered, ``after 3d``, or an outcome (``parked``, ``done``, ``failed``, ``cancelled``). A list of terms
means any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Duration, compact

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

    @property
    def terms_by_key(self) -> Mapping[str, Terms]:
        """Key of the document -> the terms that stand there; what is not written has none."""
        return {
            "never": self.terms,
            "before": self.before,
            "after": self.after,
            "from": self.since,
            "until": self.until,
        }

    def to_json(self) -> dict[str, Json]:
        """The rule as it is written."""
        return _written(self.terms_by_key)


@dataclass(frozen=True, slots=True)
class AtMost:
    """``terms`` happen at most ``count`` times; each time that ``since`` happens, counting begins anew."""

    count: int
    terms: Terms
    since: Terms = ()

    @property
    def terms_by_key(self) -> Mapping[str, Terms]:
        return {"of": self.terms, "from": self.since}

    def to_json(self) -> dict[str, Json]:
        return {"at_most": self.count, **_written(self.terms_by_key)}


@dataclass(frozen=True, slots=True)
class Reaches:
    """Whenever ``since`` happens, ``terms`` happen later, at the latest ``within``; without ``since``, of every agent
    from its creation on."""

    terms: Terms
    since: Terms = ()
    within: Duration | None = None

    @property
    def terms_by_key(self) -> Mapping[str, Terms]:
        return {"reaches": self.terms, "from": self.since}

    def to_json(self) -> dict[str, Json]:
        return _written(self.terms_by_key) | compact(within=self.within.text if self.within else None)


@dataclass(frozen=True, slots=True)
class Whenever:
    """Whenever one of ``events`` is taken, the condition ``holds`` is true, as guards see it before the assigns."""

    events: Terms
    holds: str

    @property
    def terms_by_key(self) -> Mapping[str, Terms]:
        return {"whenever": self.events}

    def to_json(self) -> dict[str, Json]:
        return _written(self.terms_by_key) | {"holds": self.holds}


Rule: TypeAlias = Never | AtMost | Reaches | Whenever


def rule_text(rule: Rule) -> str:
    """A rule as it stands under ``must``, on one line."""
    return ", ".join(f"{key}: {_inline(value)}" for key, value in rule.to_json().items())


def _inline(value: Json) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


@dataclass(frozen=True, slots=True)
class Property:
    """A rule that every run of a workflow must keep."""

    name: str
    rule: Rule
    description: str = ""

    def to_json(self) -> dict[str, Json]:
        """What stands under its name in a document."""
        return self.rule.to_json() | compact(description=self.description)


def _written(terms_by_key: Mapping[str, Terms]) -> dict[str, Json]:
    """One term stands alone, several stand in a list."""
    return {key: terms[0] if len(terms) == 1 else list(terms) for key, terms in terms_by_key.items() if terms}

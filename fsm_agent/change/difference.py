"""The difference between two versions of a workflow, as one value that every renderer takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fsm_agent.change.agents import Outlook, outlooks
from fsm_agent.change.change import Change, Row, numbered
from fsm_agent.change.declarations import declaration_changes
from fsm_agent.change.descriptions import Descriptions
from fsm_agent.change.examples import Decider
from fsm_agent.change.meaning import Meaning, Meanings
from fsm_agent.change.properties import PropertyChange, Prove, property_changes, rule_rows
from fsm_agent.change.renamed_workflow import renamed
from fsm_agent.change.state_matches import Renames, renames
from fsm_agent.change.states import state_changes
from fsm_agent.change.transitions import Site, Versions, sites, transition_changes
from fsm_agent.domain.json import Json
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.migration.migrate import Outcome
from fsm_agent.proof.prover import prove as prove_properties


@dataclass(frozen=True)
class Difference:
    """What changed from ``old`` to ``new``, what it means, and what becomes of properties and agents."""

    old: Workflow
    new: Workflow
    #: ``old`` under the new names of its states: what rows, sites and pictures speak of
    renamed: Workflow
    #: old path -> new path
    renames: Renames
    #: all changes, with the numbers that pictures show
    rows: tuple[Row, ...]
    #: transitions and timers side by side; the workflow's own first
    sites: tuple[Site, ...]
    meaning: tuple[Meaning, ...]
    properties: tuple[PropertyChange, ...]
    #: what would become of agents, told without a store
    agents: tuple[Outlook, ...]
    #: embedded workflow -> its own difference, where both versions embed it and it has changed
    workflows: Mapping[str, Difference] = field(default_factory=dict)
    #: what would become of the agents of a store; ``None`` if none was asked
    live: tuple[Outcome, ...] | None = None

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(row.change for row in self.rows)

    @property
    def is_empty(self) -> bool:
        """Whether both versions say the same, descriptions included."""
        return not self.rows and not self.workflows

    @property
    def is_broken(self) -> bool:
        """Whether the new version breaks a property that it must keep, or an embedded one does."""
        verdicts = (each.now for each in self.properties if each.now is not None)
        return any(verdict.outcome == "violated" for verdict in verdicts) or any(
            each.is_broken for each in self.workflows.values()
        )

    def with_live(self, live: Sequence[Outcome]) -> Difference:
        """The same with what ``migrate`` says of the agents of a store."""
        return replace(self, live=tuple(live))

    def to_json(self) -> dict[str, Json]:
        """The difference as ``diff`` prints it (a contract)."""
        document: dict[str, Json] = {
            "old": _identity(self.old),
            "new": _identity(self.new),
            "renames": dict(self.renames),
            "changes": [row.to_json() for row in self.rows],
            "meaning": [each.to_json() for each in self.meaning],
            "properties": [each.to_json() for each in self.properties],
            "agents": [each.to_json() for each in self.agents],
            "workflows": {name: each.to_json() for name, each in self.workflows.items()},
        }
        if self.live is not None:
            document["live"] = [each.to_json() for each in self.live]
        return document


def _identity(workflow: Workflow) -> dict[str, Json]:
    return {"name": workflow.name, "version": workflow.version, "hash": workflow.hash}


def compare(old: Workflow, new: Workflow, *, prove: Prove = prove_properties) -> Difference:
    """The difference from ``old`` to ``new``. ``prove`` proves the properties of one version; what it knows of actions
    is its own matter."""
    names = renames(old, new)
    like_new = renamed(old, names)
    decider = Decider(like_new, new)
    meanings = Meanings(like_new, new, decider)
    versions = Versions(like_new, new, meanings, decider)
    all_sites = tuple(sites(like_new, new))
    properties = property_changes(old, like_new, new, prove, is_same=old.hash == new.hash)
    changes = [
        *state_changes(like_new, new, names),
        *(row for site in all_sites for row in transition_changes(versions, site)),
        *declaration_changes(like_new, new),
        *rule_rows(properties),
        *Descriptions(like_new, new).changes(all_sites),
    ]
    return Difference(
        old,
        new,
        like_new,
        {path: place for path, place in names.items() if place in new.by_path},
        numbered(changes),
        all_sites,
        (*meanings.events(), *meanings.timers(all_sites)),
        properties,
        tuple(outlooks(old, new, names)),
        dict(_embedded(old, new, prove)),
    )


def _embedded(old: Workflow, new: Workflow, prove: Prove) -> Iterator[tuple[str, Difference]]:
    for name, child in new.workflows.items():
        before = old.workflows.get(name)
        if before is not None and before != child:
            yield name, compare(before, child, prove=prove)

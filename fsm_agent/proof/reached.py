"""Where agents surely come, with what is known there, and where they can never end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.machine import Machine
from fsm_agent.proof.conditions import Masks
from fsm_agent.proof.explore import Configuration, Edge, Exploration, Mode
from fsm_agent.proof.model import Kind, Model
from fsm_agent.proof.search import Product, path_to, product

#: what the workflow itself handles of these is for emergencies, and no way out
_EMERGENCIES: Final = frozenset({"cancel", "error", "timeout"})


class Reached:
    """What agents of a workflow surely do: of each step here it is known that some agent can make it."""

    def __init__(self, workflow: Workflow, machine: Machine, signatures: Mapping[str, Signature], most: int) -> None:
        self.model = Model(workflow, machine, signatures, ())
        self._exploration = Exploration(self.model, has_defaults=False, most=most)

    @cached_property
    def _sure(self) -> Product:
        return product(self._exploration, lambda _, __: 0, only_certain=True, is_exact=True)

    def seen(self, leaf: str, kind: Kind) -> Iterator[Masks]:
        """What guards may see in a leaf when something of this kind happens there."""
        space, here = self.model.space, self.model.surroundings(leaf)
        for at in self._alive.get(leaf, ()):
            if at.mode is Mode.WORK or kind not in (Kind.ACTION, Kind.FAILURE):
                masks = at.masks if kind is Kind.OUTSIDE else space.from_within(at.masks)
                yield space.valid(space.overwritten(masks, here.writes), unless=()) if kind is Kind.ACTION else masks

    @cached_property
    def _alive(self) -> Mapping[str, list[Configuration]]:
        """Leaf -> how an agent surely can be there, and something happens to it."""
        found: dict[str, list[Configuration]] = {}
        for number, _ in self._sure.tree:
            at = self._exploration.configurations[number]
            if not at.is_parked and at.mode is not Mode.ENDED:
                found.setdefault(at.leaf, []).append(at)
        return found

    def stuck(self) -> dict[str, tuple[Edge, ...]]:
        """Leaves in which an agent can be so that it never ends, whatever happens, each with a way there; of those that
        lead to each other the last. Nothing is known where the search comes to its bound."""
        ahead = {number: self._exploration.out(number) for number in self._all()}
        if not self._exploration.is_complete:
            return {}
        saved, at = self._saved(ahead), self._exploration.configurations
        found: dict[str, tuple[Edge, ...]] = {}
        last: dict[str, tuple[Edge, ...]] = {}
        for node in self._sure.tree:
            number, leaf = node[0], at[node[0]].leaf
            if number in saved:
                continue
            found.setdefault(leaf, path_to(self._sure.tree, node))
            if all(at[edge.target].leaf == leaf for edge in ahead[number] if self._leads_on(edge)):
                last.setdefault(leaf, path_to(self._sure.tree, node))
        return last or dict(list(found.items())[:1])

    def _all(self) -> Iterator[int]:
        """Every configuration; more are found while their edges are asked for."""
        number = 0
        while number < len(self._exploration.configurations):
            yield number
            number += 1

    def _saved(self, ahead: Mapping[int, list[Edge]]) -> set[int]:
        """The configurations from which an agent may end, or is parked for an operator."""
        before: dict[int, list[int]] = {}
        for number, edges in ahead.items():
            for edge in edges:
                if self._leads_on(edge):
                    before.setdefault(edge.target, []).append(number)
        configurations = self._exploration.configurations
        queue = [number for number, at in enumerate(configurations) if at.mode is Mode.ENDED or at.is_parked]
        saved = set(queue)
        for number in queue:
            for source in before.get(number, ()):
                if source not in saved:
                    saved.add(source)
                    queue.append(source)
        return saved

    def _leads_on(self, edge: Edge) -> bool:
        if edge.kind is Kind.CANCEL:
            return False
        leaf = self._exploration.configurations[edge.source].leaf
        events = {edge.event, "error"} if edge.event == "timeout" else {edge.event}
        chain = self.model.workflow.chain(leaf)
        return edge.event not in _EMERGENCIES or any(not events.isdisjoint(state.on) for state in chain)

    def states(self, path: tuple[Edge, ...]) -> tuple[str, ...]:
        """A path as states and events, alternating."""
        at = self._exploration.configurations
        first = at[path[0].source].leaf if path else at[0].leaf
        return (first, *(part for edge in path for part in (self._event(edge), at[edge.target].leaf)))

    @staticmethod
    def _event(edge: Edge) -> str:
        return f"after {edge.event}" if edge.kind is Kind.TIMER else edge.event

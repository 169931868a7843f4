"""Proofs whose doubts are settled on the real engine, where that breaks a property."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from fsm_agent.domain.property import Property
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.proof.prover import MOST, prove
from fsm_agent.proof.verdicts import Outcome, Proof, Verdict
from fsm_agent.runtime.scripted.counterexample import reproduced
from fsm_agent.runtime.scripted.play import Play


class SettledProof(NamedTuple):
    """A proof, and the lives in which properties are broken."""

    proof: Proof
    #: property -> a life in which an agent breaks it, on the real engine
    lives: Mapping[str, Play]


def prove_and_settle(
    workflow: Workflow, properties: Sequence[Property], *, signatures: Mapping[str, Signature], most: int = MOST
) -> SettledProof:
    """Prove, and make happen what was found. A property that is broken on the real engine is violated, without
    doubt."""
    proof = prove(workflow, properties, signatures=signatures, most=most)
    with _without_warnings():
        lives = dict(_lives(workflow, properties, proof))
    verdicts = [_settled(each) if each.name in lives else each for each in proof.verdicts]
    return SettledProof(proof._replace(verdicts=tuple(verdicts)), lives)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Many plays go wrong before one does what it should, and nobody wants to read of them."""
    logger = logging.getLogger("fsm_agent")
    before = logger.level
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _settled(verdict: Verdict) -> Verdict:
    """The verdict of a property that was broken on the real engine."""
    if verdict.outcome is not Outcome.OPEN:
        return verdict
    return verdict._replace(outcome=Outcome.VIOLATED, why="the play below breaks it on the real engine")


def _lives(workflow: Workflow, properties: Sequence[Property], proof: Proof) -> Iterator[tuple[str, Play]]:
    """The properties that an agent of the real engine breaks on the path that was found."""
    for of, verdict in zip(properties, proof.verdicts, strict=True):
        if verdict.path and (life := reproduced(workflow, of, verdict.path)) is not None:
            yield of.name, life

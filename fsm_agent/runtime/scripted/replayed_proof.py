"""One proof for whoever asks for it: what is not proved is tried on the real engine, and only what an agent breaks
there is violated.

``check``, ``prove`` and reviews say the same of a workflow, since all of them ask here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fsm_agent.domain.property import Property
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.proof.prover import MOST, prove
from fsm_agent.proof.verdicts import Outcome, Proof, Verdict

if TYPE_CHECKING:
    from fsm_agent.runtime.scripted.counterexample import Counterexample


class ReplayedProof(NamedTuple):
    """The verdicts about one workflow, in the order of its properties."""

    proof: Proof
    #: property -> how an agent breaks it on the real engine, for each that is violated
    found: Mapping[str, Counterexample]


def prove_and_replay(
    workflow: Workflow, properties: Sequence[Property], *, signatures: Mapping[str, Signature], most: int = MOST
) -> ReplayedProof:
    """Prove properties, and replay each path that a proof has found.

    A verdict is violated if an agent of the real engine breaks the property, and open if none of those that were tried
    does. Raises ``ValueError`` for a term that names nothing in the workflow.
    """
    proof = prove(workflow, properties, signatures=signatures, most=most)
    replayed = list(_replayed(workflow, properties, proof, signatures))
    went = {verdict.name: verdict for verdict, _ in replayed}
    verdicts = tuple(_judged(each, went.get(each.name)) for each in proof.verdicts)
    return ReplayedProof(proof._replace(verdicts=verdicts), {verdict.name: found for verdict, found in replayed})


def _replayed(
    workflow: Workflow, properties: Sequence[Property], proof: Proof, signatures: Mapping[str, Signature]
) -> Iterator[tuple[Verdict, Counterexample]]:
    """The verdicts whose paths an agent goes, a shorter one first."""
    pairs = zip(properties, proof.verdicts, strict=True)
    doubtful = [(of, verdict) for of, verdict in pairs if verdict.outcome is not Outcome.PROVED]
    if not doubtful:
        return
    from fsm_agent.runtime.scripted.counterexample import reproduced  # the engine, which a proof does without

    for of, verdict in doubtful:
        shorter = [] if verdict.shorter is None else [verdict.shorter._replace(assumptions=verdict.assumptions)]
        for tried in [*shorter, verdict]:
            if (found := reproduced(workflow, of, tried, signatures)) is not None:
                yield tried, found
                break


def _judged(verdict: Verdict, went: Verdict | None) -> Verdict:
    if went is not None:
        return went._replace(outcome=Outcome.VIOLATED, doubt="", shorter=None)
    if verdict.outcome is Outcome.VIOLATED:
        doubt = "no agent that was tried on the real engine goes this way"
        return verdict._replace(outcome=Outcome.OPEN, doubt=doubt)
    return verdict

"""What SPIN and the prover are asked about: a workflow with its properties, and who may say what in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fsm_agent.dialect.builtin_names import BUILT_IN_NAMES
from fsm_agent.dialect.builtins import claimed_by, emitted_by
from fsm_agent.dialect.claims import answers_of
from fsm_agent.domain.property import Property
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow


class Subject(NamedTuple):
    """A workflow, what is known of its actions, and its properties."""

    workflow: Workflow
    signatures: Mapping[str, Signature]
    properties: tuple[Property, ...]


def said(subject: Subject, leaf: State) -> frozenset[str]:
    """What the action of a leaf may name."""
    known = subject.signatures.get(leaf.do or "")
    emits = emitted_by(subject.workflow, leaf) if leaf.do in BUILT_IN_NAMES else known and known.emits
    return frozenset(subject.workflow.events) if emits is None else emits


def claimed(subject: Subject, leaf: State) -> frozenset[str]:
    """What only the action of a leaf may name."""
    if leaf.do in BUILT_IN_NAMES:
        return claimed_by(subject.workflow, leaf).difference(answers_of(leaf))
    known = subject.signatures.get(leaf.do or "")
    return frozenset() if known is None or known.emits is None else known.emits


def asks(leaf: State) -> bool:
    """Whether its action may wait for people."""
    return bool(answers_of(leaf))


def has_budget(workflow: Workflow) -> bool:
    """Whether models can be asked only so often."""
    return workflow.limits.tokens is not None or workflow.limits.cost is not None

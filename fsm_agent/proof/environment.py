"""What the world may do to an agent in each leaf: what its action says and writes, and what others may send.

Where nothing is known of an action, it may name every event that is handled, and write every field.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.dialect.builtin_names import BUILT_IN_NAMES
from fsm_agent.dialect.builtins import claimed_by, emitted_by
from fsm_agent.dialect.claims import answers_of
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow
from fsm_agent.expressions.text import template
from fsm_agent.expressions.tree import Constant, Name
from fsm_agent.proof.space import Space

#: arguments of built-in actions that name the fields which they write
_WRITES: Final = ("into", "outcomes")


#: what is known of actions, by name
Knowledge: TypeAlias = Mapping[str, Signature]


class Surroundings(NamedTuple):
    """What the world may do to an agent in one leaf."""

    #: events that may be sent, ``cancel`` too if it is handled
    sent: tuple[str, ...]
    #: those of them that may be sent while its action is at work
    sent_at_work: tuple[str, ...]
    #: events that its action may name
    said: tuple[str, ...]
    #: how its action may fail
    failures: tuple[str, ...]
    #: fields that its action may write
    writes: tuple[str, ...]
    #: whether its action may wait for people
    asks: bool
    #: whether the arguments of its action may have no value
    can_misfit: bool


def surroundings(workflow: Workflow, leaf: State, known: Knowledge, space: Space) -> Surroundings:
    handled = workflow.handled(leaf.path)
    declared = tuple(event for event in handled if event in workflow.events)
    claimed = _claimed(workflow, leaf, known)
    sent = tuple(event for event in handled if event not in ("error", "timeout"))
    unclaimed = tuple(event for event in sent if event not in claimed)
    if leaf.do is None:
        return Surroundings(sent, sent, (), (), (), asks=False, can_misfit=False)
    said = _said(workflow, leaf, known)
    return Surroundings(
        sent,
        unclaimed,
        declared if said is None else tuple(event for event in declared if event in said),
        ("error", "timeout") if leaf.timeout else ("error",),
        tuple(written_by(workflow, leaf, known)),
        asks=_signature(leaf, known).asks or bool(answers_of(leaf)),
        can_misfit=leaf.do not in BUILT_IN_NAMES and not all(is_plain(space, each) for each in leaf.with_.values()),
    )


def _claimed(workflow: Workflow, leaf: State, known: Knowledge) -> frozenset[str]:
    """The events that only the action may name while it is at work; the answers to what it asks come from people."""
    if leaf.do is None:
        return frozenset()
    if leaf.do in BUILT_IN_NAMES:
        return claimed_by(workflow, leaf).difference(answers_of(leaf))
    signature = _signature(leaf, known)
    return frozenset() if signature.emits is None or signature.asks else signature.emits


def _said(workflow: Workflow, leaf: State, known: Knowledge) -> frozenset[str] | None:
    """``None`` where an action may name every event."""
    if leaf.do in BUILT_IN_NAMES:
        return emitted_by(workflow, leaf)
    return _signature(leaf, known).emits


def _signature(leaf: State, known: Knowledge) -> Signature:
    """The signature of an action. One that is not known may name and write what it likes."""
    return known.get(leaf.do or "", Signature())


def written_by(workflow: Workflow, leaf: State, known: Knowledge) -> Collection[str]:
    """The data fields that the action of a leaf may write."""
    if leaf.do in BUILT_IN_NAMES:
        said = [leaf.with_[name] for name in _WRITES if name in leaf.with_]
        return [field for each in said for field in ([each] if isinstance(each, str) else each)]
    writes = _signature(leaf, known).writes
    return workflow.data if writes is None else writes


def is_plain(space: Space, value: object) -> bool:
    """Whether a value that is evaluated on entry is surely there: a literal or a name."""
    return not isinstance(value, str) or isinstance(space.tree(value, None), Constant | Name)


def can_misfit_on_entry(space: Space, leaf: State) -> bool:
    """Whether entering a leaf may fail: its question or its output may have no value."""
    ask = leaf.ask
    texts = [] if ask is None else [piece for piece, at in template(ask.prompt) if at is not None]
    is_addressed = ask is not None and ask.to is not None
    return is_addressed or not all(is_plain(space, each) for each in (*texts, *leaf.output.values()))


def guards_of(workflow: Workflow) -> list[tuple[str, str]]:
    """Every guard of a workflow, each with the events that it may look at; what handles errors may see a timeout."""
    states = workflow.by_path.values()
    handlers = [(event, each) for on in (workflow.on, *(state.on for state in states)) for event, each in on.items()]
    handlers += [("timeout", chosen) for event, chosen in handlers if event == "error"]
    handlers += [("after", timer.transitions) for state in states for timer in state.after]
    found = ((each.when, event) for event, chosen in handlers for each in chosen or ())
    return list(dict.fromkeys((when, event) for when, event in found if when is not None))

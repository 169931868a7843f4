"""Every error that fsm-agent raises on purpose.

FsmAgentError
├── WorkflowInvalid            a declaration has mistakes; carries all of them
├── Refused                    nothing happened, and the sender can do something about it
│   ├── UnknownEvent           no such event in the workflow
│   ├── IllegalEvent           the table has no transition for it here
│   ├── GuardsRefused          it has, and every guard said no
│   ├── PayloadInvalid         the payload breaks the event's schema
│   ├── DataInvalid            the data would break the workflow's schema
│   ├── ExpressionFailed       a CEL expression failed on these values
│   ├── NotAddressee           the question is for somebody else
│   ├── NotAsked               there is no question to answer
│   ├── AnswerUnclear          there are several answers, and none was named
│   ├── LimitExceeded          the transition would exceed a declared limit
│   ├── KeyReuse               the same key with another payload
│   ├── Conflict               somebody else was first
│   ├── LeaseHeld              somebody else drives the agent now
│   ├── AgentExists            the id is taken
│   ├── AgentNotFound          the id is unknown
│   ├── IdInvalid              an id with odd characters
│   ├── NotParked              unpark of an agent that is not parked
│   ├── EffectNotOpen          settling an effect that is not in doubt
│   └── VersionMissing         a version that never was, or that is forgotten
├── ActionError                what a worker's code did wrong; becomes the event ``error``
│   ├── ActionMissing          no such action in the allowed modules
│   └── ModuleNotAllowed       a module outside the allowed list
├── EffectUnclear              what an operator must decide; the agent parks
│   ├── EffectInDoubt          begun, and nobody knows whether it happened
│   └── EffectMismatch         the same effect with other arguments
├── StoreError                 a store could not do what it promises
│   ├── StoreUrlInvalid        unknown scheme, missing folder, missing driver
│   ├── StoreUnavailable       locked, read-only, full, gone
│   ├── StoreCorrupt           not a store of ours, or damaged
│   │   └── HistoryBroken      steps that make no sense
│   └── StoreTooNew            written by a newer version
└── RenderFailed               a picture could not be made

Each message is one sentence that says what happened, where, and what is allowed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from fsm_agent.sentences import did_you_mean as did_you_mean  # noqa: PLC0414 - errors are where these are looked for
from fsm_agent.sentences import enumerated
from fsm_agent.sentences import listed as listed  # noqa: PLC0414 - errors are where these are looked for
from fsm_agent.sentences import shortened as shortened  # noqa: PLC0414 - errors are where these are looked for

if TYPE_CHECKING:
    from fsm_agent.finding import Finding
    from fsm_agent.lease import Lease
    from fsm_agent.step import Happened, Wanted


_TO_ALLOW: Final = "add it to `modules` under [tool.fsm-agent] in pyproject.toml or name it with --module"


class FsmAgentError(Exception):
    """The base of all."""


class WorkflowInvalid(FsmAgentError):
    """A declaration has mistakes; ``findings`` holds all of them, in the order of the file."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class Refused(FsmAgentError):
    """Nothing happened: no row was written, no key was used, the agent is where it was."""


class UnknownEvent(Refused):
    def __init__(self, event: str, known: Collection[str]) -> None:
        super().__init__(f"unknown event {event!r}{did_you_mean(event, known)}; this workflow has {listed(known)}")


class IllegalEvent(Refused):
    """``allowed`` names what may be sent instead."""

    def __init__(self, event: object, state: str, allowed: Iterable[str], *, why: str = "") -> None:
        self.event, self.state, self.allowed = str(event), state, tuple(allowed)
        what = f"event {event!r}" if isinstance(event, str) else f"{shortened(event)} names no event, and"
        super().__init__(f"{what} is not allowed in state {state!r}{why}; allowed: {listed(self.allowed)}")


class GuardsRefused(Refused):
    def __init__(self, event: str, state: str, guards: Iterable[str]) -> None:
        shown = " and ".join(f"`{guard}`" for guard in guards)
        super().__init__(f"event {event!r} is refused in state {state!r}: {shown} did not hold")


class PayloadInvalid(Refused):
    def __init__(self, event: str, problems: Iterable[str]) -> None:
        super().__init__(f"the payload of event {event!r} is wrong: {'; '.join(problems)}")


class DataInvalid(Refused):
    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"the data is wrong: {'; '.join(self.problems)}")


class ExpressionFailed(Refused):
    """``values`` holds what the expression was evaluated on."""

    def __init__(self, expression: str, why: str, values: object) -> None:
        self.expression, self.values = expression, values
        super().__init__(f"expression `{expression}` failed: {why}, on {values}")


class NotAddressee(Refused):
    def __init__(self, by: str | None, to: Sequence[str]) -> None:
        who = "an unnamed sender" if by is None else repr(by)
        super().__init__(f"the question is for {listed(to)}, and {who} may not answer it")


class NotAsked(Refused):
    """``answered`` is the step of the answer that was taken, where that was not long ago."""

    def __init__(self, agent_id: str, state: str, status: str, *, answered: Happened | None = None) -> None:
        self.answered = answered
        what = f"agent {agent_id!r} asks nothing now: it is {status} in state {state!r}"
        if answered is not None:
            what += f"; {answered.by or 'somebody'} answered {answered.event!r} at version {answered.version}"
        super().__init__(what)


class AnswerUnclear(Refused):
    def __init__(self, agent_id: str, state: str, events: Iterable[str]) -> None:
        super().__init__(f"agent {agent_id!r} asks in state {state!r} for one of {listed(events)}: say which")


class LimitExceeded(Refused):
    def __init__(self, limit: str, bound: int, state: str) -> None:
        super().__init__(f"limit {limit} = {bound} would be exceeded in state {state!r}")


class KeyReuse(Refused):
    def __init__(self, key: str) -> None:
        super().__init__(f"key {key!r} was used already for another event or payload")


class Conflict(Refused):
    """Carries both sides: the version that was expected and the one that is.

    Where somebody gave ``expect_version``, ``ours`` is what they wanted and ``theirs`` the steps that were first; of
    very many, the first ones. ``ours`` is ``None`` where two only met at the store, so that the same call may be tried
    again.
    """

    def __init__(
        self,
        agent_id: str,
        expected: int,
        actual: int | None = None,
        *,
        ours: Wanted | None = None,
        theirs: Sequence[Happened] = (),
    ) -> None:
        self.agent_id, self.expected, self.actual = agent_id, expected, actual
        self.ours, self.theirs = ours, tuple(theirs)
        found = "has moved on" if actual is None else f"is at version {actual}"
        why = f"somebody else was first{'' if ours is None else ', and the history of it is not kept'}"
        if self.theirs:
            missed = max(actual or 0, self.theirs[-1].version) - expected
            why = f"since then {enumerated(self.theirs, missed)}"
        elif ours is not None and actual is not None and actual < expected:
            why = "there is no such version yet"
        super().__init__(f"agent {agent_id!r} {found}, and version {expected} was expected: {why}")


class LeaseHeld(Refused):
    def __init__(self, agent_id: str, lease: Lease) -> None:
        self.lease = lease
        super().__init__(f"agent {agent_id!r} is driven by {lease.holder} now; wait for it, or stop that process")


class AgentExists(Refused):
    def __init__(self, agent_id: str) -> None:
        super().__init__(f"agent {agent_id!r} exists already; choose another id, or repeat the key that made it")


class AgentNotFound(Refused):
    def __init__(self, agent_id: str, namespace: str = "default") -> None:
        where = f"in namespace {namespace!r}"
        super().__init__(f"no agent {shortened(agent_id)} {where}; `fsm-agent list` shows those there are")


class IdInvalid(Refused):
    def __init__(self, text: str) -> None:
        super().__init__(
            f"id {shortened(text)} is not allowed: write 1 to 128 letters, digits, '.', '_' or '-', "
            "a letter or digit first"
        )


class NotParked(Refused):
    def __init__(self, agent_id: str, status: str) -> None:
        super().__init__(f"agent {agent_id!r} is {status}, and only a parked one can be unparked")


class EffectNotOpen(Refused):
    """``open_`` names what may be settled, each as ``name (key)``."""

    def __init__(self, agent_id: str, key: str, open_: Iterable[str]) -> None:
        super().__init__(f"agent {agent_id!r} has no open effect {shortened(key)}; open: {listed(open_)}")


class VersionMissing(Refused):
    def __init__(self, agent_id: str, version: int, first: int, last: int, *, is_forgotten: bool = False) -> None:
        there = f"there is version {first}" if first == last else f"there are versions {first} to {last}"
        why = f"version {version} of agent {agent_id!r} is forgotten, since its history was shortened"
        super().__init__(f"{why if is_forgotten else f'agent {agent_id!r} has no version {version}'}; {there}")


class ActionError(FsmAgentError):
    """What a worker's code did wrong."""


class ActionMissing(ActionError):
    def __init__(self, name: str, known: Collection[str]) -> None:
        known = sorted(known)
        have = f"there are {listed(known)}" if known else f"no module is allowed that has one: {_TO_ALLOW}"
        super().__init__(f"no action {name!r}{did_you_mean(name, known)}; {have}")


class ModuleNotAllowed(ActionError):
    def __init__(self, module: str, allowed: Iterable[str]) -> None:
        super().__init__(f"module {module!r} is not allowed: {_TO_ALLOW}; allowed: {listed(allowed)}")


class EffectUnclear(FsmAgentError):
    """An effect of which only an operator can say how it goes on."""


class EffectInDoubt(EffectUnclear):
    """``begun`` is when, as text."""

    def __init__(self, agent_id: str, name: str, key: str, begun: str) -> None:
        self.name, self.key = name, key
        super().__init__(
            f"effect {name!r} was begun at {begun} and no result is recorded: it may have happened or not; find out, "
            f"and say `unpark {agent_id} --effect {key}` with `--result JSON` or with `--not-done`"
        )


class EffectMismatch(EffectUnclear):
    def __init__(self, agent_id: str, name: str, key: str) -> None:
        self.name, self.key = name, key
        super().__init__(
            f"effect {name!r} of agent {agent_id!r} was begun with other arguments under its key {key}: every attempt "
            "must use a name in the same order with the same arguments"
        )


class StoreError(FsmAgentError):
    """A store could not do what it promises; nothing was half-written."""


class StoreUrlInvalid(StoreError):
    """Unknown scheme, missing folder, missing driver."""


class StoreUnavailable(StoreError):
    """Locked, read-only, full, or gone; the same call may work later."""


class StoreCorrupt(StoreError):
    """The file or database is damaged, or is not a store of fsm-agent."""


class HistoryBroken(StoreCorrupt):
    def __init__(self, agent_id: str, version: int, why: Exception) -> None:
        super().__init__(
            f"version {version} of agent {agent_id!r} cannot be rebuilt ({type(why).__name__}: {why}); "
            f"`fsm-agent replay {agent_id}` says what is wrong with its history"
        )


class StoreTooNew(StoreError):
    """A newer fsm-agent wrote it."""


class RenderFailed(FsmAgentError):
    """A picture could not be made; the message says what to install."""

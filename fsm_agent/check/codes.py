"""Every mistake that checking a workflow can find: its stable code, how much it weighs, what it says in one line."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from fsm_agent.domain.finding import Finding, Path, Severity

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


class Code(StrEnum):
    """FSM2xx: an expression is wrong. FSM3xx: states and events do not fit together. FSM4xx: an action does not fit.
    FSM5xx: a migration leads nowhere.

    Each has an entry in docs/checks.md.
    """

    severity: Severity
    summary: str

    def __new__(cls, code: str, severity: Severity, summary: str) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.severity, member.summary = severity, summary
        return member

    EXPRESSION = "FSM201", _ERROR, "an expression cannot be compiled"
    NO_BOOL = "FSM202", _ERROR, "a guard is neither true nor false"
    UNKNOWN_FIELD = "FSM203", _ERROR, "a data field is unknown"
    MISFIT = "FSM204", _ERROR, "an assigned value does not fit its field"
    NO_LIST = "FSM205", _ERROR, "`append` names a field that is no list"
    NO_ADDRESSEE = "FSM206", _ERROR, "`to` is neither a name nor a list of names"
    NO_JSON = "FSM207", _ERROR, "an expression gives what JSON cannot hold"
    WHOLE_LIST = "FSM208", _WARNING, "a guard converts a whole list each time"
    UNFIT_POLICY = "FSM209", _ERROR, "a merge policy does not fit its field"
    UNFIT_VALUE = "FSM210", _ERROR, "an expression gives what its place cannot use"

    UNREACHABLE = "FSM301", _ERROR, "a state is never entered"
    TRAPPED = "FSM302", _ERROR, "no final state can be reached from a state"
    DEAD_END = "FSM303", _ERROR, "nothing leads out of a state"
    SHADOWED = "FSM304", _ERROR, "a transition is never chosen"
    UNHANDLED = "FSM305", _ERROR, "an event is declared and never handled"
    IMPOSSIBLE = "FSM306", _ERROR, "an event is handled where it never happens"
    UNBOUNDED = "FSM307", _ERROR, "nothing bounds a cycle of actions"
    NO_DEADLINE = "FSM308", _WARNING, "a question has no deadline"

    UNKNOWN_ACTION = "FSM401", _ERROR, "an action is missing"
    UNKNOWN_ARGUMENT = "FSM402", _ERROR, "an action does not take an argument"
    MISSING_ARGUMENT = "FSM403", _ERROR, "an action needs an argument"
    UNDECLARED_RESULT = "FSM404", _ERROR, "an action names an event that the workflow does not declare"
    UNHANDLED_RESULT = "FSM405", _ERROR, "an action names an event that nothing handles"
    UNKNOWN_UPCAST = "FSM406", _ERROR, "an `upcast` function is missing"
    NO_EVENT = "FSM407", _ERROR, "a built-in action has no event to end with"
    NO_CHOICE = "FSM408", _ERROR, "a model has nothing to choose from"
    NO_APPROVAL = "FSM409", _ERROR, "nobody can say whether a tool may be called"
    UNKNOWN_TOOL = "FSM410", _ERROR, "a tool is missing"
    UNKNOWN_CHILD = "FSM411", _ERROR, "the workflow of a child is unknown"
    NO_START = "FSM412", _ERROR, "a child cannot be started like this"
    UNTOLD = "FSM413", _NOTE, "what a name leads to cannot be told without importing it"
    MISSING_EXTRA = "FSM414", _WARNING, "a built-in action needs what is not installed"
    UNREAD_MODULE = "FSM415", _ERROR, "an allowed module cannot be imported"

    NOT_OLDER = "FSM501", _ERROR, "a migration does not come from an older version"
    UNKNOWN_PLACE = "FSM502", _ERROR, "a migration leads to an unknown state"
    UNKNOWN_GOAL = "FSM503", _ERROR, "a migration fills an unknown data field"
    CONTRADICTION = "FSM504", _ERROR, "migrations contradict each other"

    def found(
        self,
        message: str,
        path: Path,
        *,
        witness: tuple[str, ...] = (),
        offset: tuple[int, int] | None = None,
        at_key: bool = False,
    ) -> Finding:
        """One finding of this kind at ``path``."""
        return Finding(self.value, message, path, self.severity, witness=witness, offset=offset, at_key=at_key)


def concerns_states(finding: Finding) -> bool:
    """Whether it is about where agents get to: something about each place for itself, though one text declares
    several."""
    return finding.code.startswith("FSM3")


def concerns_actions(finding: Finding) -> bool:
    """Whether it is about an action, a tool or a function, and not about where agents get to."""
    return finding.code.startswith("FSM4")

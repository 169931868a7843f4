"""Every mistake that checking a workflow can find: its stable code, how much it weighs, what it says in one line."""

from __future__ import annotations

from fsm_agent.dialect.codes import FindingCode
from fsm_agent.domain.finding import Finding, Path, Severity


class Code(FindingCode):
    """FSM2xx: an expression is wrong. FSM3xx: states and events do not fit together. FSM4xx: an action does not fit.
    FSM5xx: a migration leads nowhere. FSM6xx: a property says nothing.

    Each has an entry in docs/checks.md.
    """

    EXPRESSION = "FSM201", "an expression cannot be compiled"
    NO_BOOL = "FSM202", "a guard is neither true nor false"
    UNKNOWN_FIELD = "FSM203", "a data field is unknown"
    MISFIT = "FSM204", "an assigned value does not fit its field"
    NO_LIST = "FSM205", "`append` names a field that is no list"
    NO_ADDRESSEE = "FSM206", "`to` is neither a name nor a list of names"
    NO_JSON = "FSM207", "an expression gives what JSON cannot hold"
    WHOLE_LIST = "FSM208", "a guard converts a whole list each time", Severity.WARNING
    UNFIT_POLICY = "FSM209", "a merge policy does not fit its field"
    UNFIT_VALUE = "FSM210", "an expression gives what its place cannot use"

    UNREACHABLE = "FSM301", "a state is never entered"
    TRAPPED = "FSM302", "no final state can be reached from a state"
    DEAD_END = "FSM303", "nothing leads out of a state"
    SHADOWED = "FSM304", "a transition is never chosen"
    UNHANDLED = "FSM305", "an event is declared and never handled"
    IMPOSSIBLE = "FSM306", "an event is handled where it never happens"
    UNBOUNDED = "FSM307", "nothing bounds a cycle of actions"
    NO_DEADLINE = "FSM308", "a question has no deadline", Severity.WARNING
    STUCK = "FSM309", "an agent can come where it never ends"
    OVERLAP = "FSM310", "two guards overlap", Severity.WARNING
    GAP = "FSM311", "guards leave a gap", Severity.WARNING
    UNSET = "FSM312", "a field is read that nothing may have set yet", Severity.WARNING

    UNKNOWN_ACTION = "FSM401", "an action is missing"
    UNKNOWN_ARGUMENT = "FSM402", "an action does not take an argument"
    MISSING_ARGUMENT = "FSM403", "an action needs an argument"
    UNDECLARED_RESULT = "FSM404", "an action names an event that the workflow does not declare"
    UNHANDLED_RESULT = "FSM405", "an action names an event that nothing handles"
    UNKNOWN_UPCAST = "FSM406", "an `upcast` function is missing"
    NO_EVENT = "FSM407", "a built-in action has no event to end with"
    NO_CHOICE = "FSM408", "a model has nothing to choose from"
    NO_APPROVAL = "FSM409", "nobody can say whether a tool may be called"
    UNKNOWN_TOOL = "FSM410", "a tool is missing"
    UNKNOWN_CHILD = "FSM411", "the workflow of a child is unknown"
    NO_START = "FSM412", "a child cannot be started like this"
    UNTOLD = "FSM413", "what a name leads to cannot be told without importing it", Severity.NOTE
    MISSING_EXTRA = "FSM414", "a built-in action needs what is not installed", Severity.WARNING
    UNREAD_MODULE = "FSM415", "an allowed module cannot be imported"
    UNDECLARED_WRITE = "FSM416", "an action writes a field that the workflow does not declare"

    NOT_OLDER = "FSM501", "a migration does not come from an older version"
    UNKNOWN_PLACE = "FSM502", "a migration leads to an unknown state"
    UNKNOWN_GOAL = "FSM503", "a migration fills an unknown data field"
    CONTRADICTION = "FSM504", "migrations contradict each other"

    UNKNOWN_TERM = "FSM601", "a property names what there is not"
    AMBIGUOUS_TERM = "FSM602", "a property's term has several meanings"
    VACUOUS = "FSM603", "nothing can break a property", Severity.WARNING
    BROKEN_PROPERTY = "FSM604", "a run breaks a property"
    OPEN_PROPERTY = "FSM605", "it is open whether every run keeps a property", Severity.WARNING

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

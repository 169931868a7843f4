"""What all errors are kinds of, and those that belong to no room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from fsm_agent.domain.finding import Finding


class FsmAgentError(Exception):
    """The base of all."""

    #: whether an action that fails with it may succeed when it is repeated, so that ``retry`` counts
    is_retryable: ClassVar[bool] = False


class WorkflowInvalid(FsmAgentError):
    """A declaration has mistakes; ``findings`` holds all of them, in the order of the file."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class Refused(FsmAgentError):
    """Nothing happened: no row was written, no key was used, the agent is where it was."""


class RunnerClosed(Refused):
    """A call after a blocking runner has ended."""

    def __init__(self) -> None:
        super().__init__("this runner has ended, and its store is closed: open the store again for another runner")


class ArgumentInvalid(Refused, TypeError):
    """A caller gave a value of the wrong type, or a text that is none; also a ``TypeError``."""

    @classmethod
    def of_type(cls, name: str, allowed: str, value: object, *, hint: str = "") -> Self:
        """The type is named, and never the value, which may be a secret."""
        found = "None" if value is None else f"of type {type(value).__name__}"
        return cls(f"{name} must be {allowed}, and is {found}{hint}")


class SettingsInvalid(FsmAgentError):
    """What a project says of itself cannot be used; the message names the file and the key."""


class MachineInvalid(FsmAgentError):
    """A machine of XState that no workflow can be made of, or a workflow that no machine can be made of."""


class RenderFailed(FsmAgentError):
    """A picture could not be made; the message says what to install."""

"""What a language model could not do; what providers say is quoted without keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from fsm_agent.domain.usage import NO_USAGE, Usage
from fsm_agent.errors.base import FsmAgentError

_ALLOWED = "write `test`, `scripted:FILE` or `PROVIDER:NAME`, such as `openai-chat:gpt-4.1`"


class ModelError(FsmAgentError):
    """A language model could not do what was asked of it."""


class ModelKeyMissing(ModelError):
    """There is no key, or the provider does not accept it; ``variables`` are those of the environment that hold one."""

    def __init__(self, model: str, variables: Iterable[str], *, is_refused: bool = False) -> None:
        self.model, self.variables = model, tuple(variables)
        named = " or ".join(self.variables) or "the variable that its provider documents"
        if is_refused:
            super().__init__(f"the provider of model {model!r} refuses the key: set {named} to one that is valid")
        else:
            super().__init__(f"model {model!r} needs a key: set the environment variable {named}")


class ModelUnknown(ModelError):
    """There is no such model here; ``None`` where none was named."""

    def __init__(self, model: str | None, why: str = "there is no such model") -> None:
        self.model = model
        if model is None:
            super().__init__(
                "no model is named: say --model NAME, `model` under the action's `with`, FSM_AGENT_MODEL=NAME in the "
                f"environment or `model` under [tool.fsm-agent] in pyproject.toml; {_ALLOWED}"
            )
        else:
            super().__init__(f"model {model!r} cannot be used: {why}; {_ALLOWED}")


class ModelUnavailable(ModelError):
    """Nothing answers, or what answers has failed; the same request may be answered later."""

    is_retryable: ClassVar[bool] = True

    def __init__(self, model: str, why: str) -> None:
        self.model = model
        super().__init__(f"model {model!r} cannot be reached now: {why}; the same request may be answered later")


class ModelRateLimited(ModelError):
    """Too many requests; ``after_s`` is when the provider wants to be asked again, where it says so."""

    is_retryable: ClassVar[bool] = True

    def __init__(self, model: str, after_s: float | None = None) -> None:
        self.model, self.after_s = model, after_s
        when = "later" if after_s is None else f"in {after_s:g} s"
        super().__init__(f"the provider of model {model!r} takes no more requests now; ask again {when}")


class ModelRefused(ModelError):
    """The provider does not accept this request, and would not accept it later."""

    def __init__(self, model: str, why: str) -> None:
        self.model = model
        super().__init__(f"the provider of model {model!r} refuses the request: {why}; change what is asked")


class ModelReplyInvalid(ModelError):
    """A reply that is not what was asked for. It was paid for: ``usage`` says what it cost."""

    is_retryable: ClassVar[bool] = True

    def __init__(self, model: str, why: str, *, usage: Usage = NO_USAGE) -> None:
        self.model, self.why, self.usage = model, why, usage
        super().__init__(f"model {model!r} gave a reply that cannot be used: {why}")


class ModelSettingsInvalid(ModelError):
    """A setting that no model has, or with a value that it cannot have."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"the settings of the model are wrong: {'; '.join(self.problems)}")


class BudgetExceeded(ModelError):
    """``what`` is tokens, cost or time, as a limit names it; ``bound`` and ``spent`` are with their units."""

    def __init__(self, what: str, bound: object, spent: object) -> None:
        self.what, self.bound, self.spent = what, bound, spent
        super().__init__(f"limit {what} = {bound} is reached: {spent} are spent; raise the limit, or ask for less")

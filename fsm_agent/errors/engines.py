"""What an engine could not do. No agent is lost by it: the store knows who is due."""

from __future__ import annotations

from fsm_agent.errors.base import FsmAgentError


class EngineError(FsmAgentError):
    """An engine could not wake anybody, or could not serve."""


class EngineUrlInvalid(EngineError):
    """Unknown scheme, missing library, or a place that is none."""


class EngineUnavailable(EngineError):
    """It cannot be reached, or will not serve; the same call may work later."""

    def __init__(self, url: str, why: str) -> None:
        self.why = why
        super().__init__(
            f"engine {url} does not answer: {why.rstrip('.')}; agents that are due wait for the next sweep of a worker"
        )

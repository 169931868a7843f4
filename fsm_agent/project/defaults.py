"""Defaults, if the project, the environment and the caller set nothing."""

from typing import Final

DEFAULT_STORE: Final = "sqlite:///fsm-agent.db"
DEFAULT_NAMESPACE: Final = "default"

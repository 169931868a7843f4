"""What holds where a project, the environment and the caller say nothing."""

from typing import Final

DEFAULT_STORE: Final = "sqlite:///fsm-agent.db"
DEFAULT_NAMESPACE: Final = "default"

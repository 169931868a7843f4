"""Defaults, if the project, the environment and the caller set nothing."""

from typing import Final

DEFAULT_STORE: Final = "sqlite:///fsm-agent.db"
DEFAULT_NAMESPACE: Final = "default"
#: file of the server's tokens, in the folder of the project
DEFAULT_TOKENS: Final = "fsm-agent-tokens.json"
#: seconds that actions may go on after a process that drives agents was told to stop
DEFAULT_DRAIN_S: Final = 30

"""Variables of the environment that have a meaning here wherever they are named."""

from typing import Final

#: has the keys of sealed agents, which stand nowhere else, and are sent to nobody
SEALING_KEYS: Final = "FSM_AGENT_KEYS"
#: has the URL of the engine that carries wake-ups
ENGINE: Final = "FSM_AGENT_ENGINE"

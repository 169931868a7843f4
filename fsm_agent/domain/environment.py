"""Variables of the environment that have a meaning here wherever they are named."""

from typing import Final

#: has the keys of sealed agents, which stand nowhere else, and are sent to nobody
SEALING_KEYS: Final = "FSM_AGENT_KEYS"

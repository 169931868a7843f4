"""The built-in actions by name, and all that the engine has to know of them; what they take stands in ``builtins``."""

from __future__ import annotations

from typing import Final

#: the one whose work is done by child agents
HAS_CHILDREN: Final = "workflow.run"

BUILT_IN_NAMES: Final = frozenset(
    {"http.request", "human.ask", "llm.agent", "llm.decide", "llm.generate", "wait", HAS_CHILDREN}
)

#: those that do nothing but ask people
ASKING: Final = frozenset({"human.ask"})

#: those that rest while nothing is to be done, and nobody stays with the agent: ``timeout`` counts from their beginning
PAUSING: Final = frozenset({"wait", HAS_CHILDREN})

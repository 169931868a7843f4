"""The names of the built-in actions, and the facts that the engine needs. Their arguments are in ``builtins``."""

from __future__ import annotations

from typing import Final

#: its work is done by child agents
HAS_CHILDREN: Final = "workflow.run"

BUILT_IN_NAMES: Final = frozenset(
    {"http.request", "human.ask", "llm.agent", "llm.decide", "llm.generate", "wait", HAS_CHILDREN}
)

#: these only ask people
ASKING: Final = frozenset({"human.ask"})

#: these rest while there is nothing to do, without a process: ``timeout`` counts from the first attempt
PAUSING: Final = frozenset({"wait", HAS_CHILDREN})

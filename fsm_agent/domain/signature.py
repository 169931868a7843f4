"""What is known of an action from outside: the events it names and the arguments it takes."""

from typing import NamedTuple


class Signature(NamedTuple):
    """Of one action, read from its type hints or its decorator."""

    #: the only events it may end with; ``None`` where it does not say
    emits: frozenset[str] | None = None
    #: keyword arguments it takes besides the context; ``None`` is any
    accepts: frozenset[str] | None = None
    #: those of them that have no default
    requires: frozenset[str] = frozenset()
    #: why not all of it could be told without running the action's module; empty where it could
    doubt: str = ""

"""What is known of an action from outside: what it names, takes and writes."""

from typing import NamedTuple


class Signature(NamedTuple):
    """The signature of one action, read from its type hints or its decorator."""

    #: the only events it may end with; ``None`` where it does not say
    emits: frozenset[str] | None = None
    #: keyword arguments it takes besides the context; ``None`` is any
    accepts: frozenset[str] | None = None
    #: those of them that have no default
    requires: frozenset[str] = frozenset()
    #: the only data fields it may write; ``None`` where it does not say
    writes: frozenset[str] | None = None
    #: whether its text asks people (``ctx.ask``), so that it may wait for them
    asks: bool = False
    #: why not all of it could be told without running the action's module; empty where it could
    doubt: str = ""

"""The global options of the command line as they were given, and what holds where they were not."""

from typing import Final, NamedTuple

DEFAULT_STORE: Final = "sqlite:///fsm-agent.db"
DEFAULT_NAMESPACE: Final = "default"


class Options(NamedTuple):
    """What stands before a command, or behind it."""

    given_store: str | None = None
    namespace: str = DEFAULT_NAMESPACE
    given_by: str | None = None
    given_modules: tuple[str, ...] = ()
    json: bool = False
    given_model: str | None = None
    #: whether tables show ids whole
    wide: bool = False
    debug: bool = False

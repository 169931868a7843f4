"""What is logged while a command drives an agent, for a person: a sentence each. ``--debug`` shows the rest."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from fsm_agent.cli.views import output
from fsm_agent.project.settings import Settings


class Sentences(logging.Handler):
    """The first line of each entry, on stderr."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(logging.WARNING)
        self._settings = settings

    def emit(self, record: logging.LogRecord) -> None:
        output.say(self._settings.in_full(record.getMessage().partition("\n")[0]))


@contextmanager
def in_sentences(settings: Settings) -> Iterator[None]:
    """Meanwhile, log sentences instead of tracebacks, unless ``--debug`` asks for them."""
    if settings.debug:
        yield
        return
    logger, handler = logging.getLogger("fsm_agent"), Sentences(settings)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)

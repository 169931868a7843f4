"""Log entries while a command drives agents: as one sentence each, of which ``--debug`` shows the rest, or as JSON."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output


@contextmanager
def unread_modules_once() -> Iterator[list[str]]:
    """Hold back log entries about modules that cannot be imported. At the end, those are logged whose module is not
    mentioned in the texts of the list."""
    logger, texts, held = logging.getLogger("fsm_agent"), list[str](), list[logging.LogRecord]()

    def hold(record: logging.LogRecord) -> bool:
        is_held = getattr(record, "action", None) == "module_not_imported"
        held.extend([record] if is_held else [])
        return not is_held

    logger.addFilter(hold)
    try:
        yield texts
    finally:
        logger.removeFilter(hold)
        for record in held:
            if not any(str((record.args or ("",))[0]) in text for text in texts):  # type: ignore[index]
                logger.handle(record)


class Sentences(logging.Handler):
    """Prints the first line of each entry on stderr, and of the error that it came with."""

    def __init__(self, settings: CommandSettings) -> None:
        super().__init__(logging.WARNING)
        self._settings = settings

    def emit(self, record: logging.LogRecord) -> None:
        sentence = record.getMessage().partition("\n")[0]
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and str(error) not in sentence:
            sentence = f"{sentence}: {type(error).__name__}: {error}".partition("\n")[0]
        output.say(self._settings.in_full(sentence))


@contextmanager
def in_sentences(settings: CommandSettings) -> Iterator[None]:
    """Log sentences instead of tracebacks inside this context, unless ``--debug`` is given."""
    if settings.debug:
        yield
        return
    logger, handler = logging.getLogger("fsm_agent"), Sentences(settings)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def in_json(settings: CommandSettings) -> Iterator[None]:
    """Log one JSON object a line on stderr inside this context: entries of fsm-agent, warnings of others, and all of
    them with ``--debug``."""
    from fsm_agent.telemetry.json_logs import JsonLines

    root, ours, handler = logging.getLogger(), logging.getLogger("fsm_agent"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(variables=settings.project.environment))
    handlers, levels = root.handlers[:], (root.level, ours.level)
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if settings.debug else logging.WARNING)
    ours.setLevel(logging.DEBUG if settings.debug else logging.INFO)
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        ours.setLevel(levels[1])

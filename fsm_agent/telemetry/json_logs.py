"""Logs for programs: one JSON object a line, with the facts of each entry, and without secrets."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Collection, Mapping
from typing import Final

from fsm_agent.domain.json import Json
from fsm_agent.domain.secrets import secret_variables, without_secrets
from fsm_agent.domain.step import iso

#: what every log record has; the rest are facts that were logged with ``extra``
_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """``at``, ``level``, ``logger``, ``message``, the facts of the entry, and ``error`` with a traceback.

    Values of environment variables that are called like secrets, or are among ``variables``, are struck out, and so is
    what can be nothing but a secret.
    """

    def __init__(self, *, variables: Collection[str] = ()) -> None:
        super().__init__()
        self._variables = variables
        self._environment = secret_variables(os.environ, variables=variables)

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": iso(round(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        facts = {name: value for name, value in vars(record).items() if name not in _ATTRIBUTES}
        error = {"error": self.formatException(record.exc_info)} if record.exc_info else {}
        return json.dumps(self._shown(line | facts | line | error))  # in ASCII: no character of a text ends the line

    def _shown(self, value: object) -> Json:
        """A value as JSON without secrets. What JSON has no form for is shown as text."""
        match value:
            case None | bool() | int():
                return value
            case float() if math.isfinite(value):
                return value
            case Mapping():
                return {self._text(str(name)): self._shown(each) for name, each in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._shown(each) for each in value]
            case _:
                return self._text(str(value))

    def _text(self, text: str) -> str:
        return without_secrets(text, self._environment, variables=self._variables)

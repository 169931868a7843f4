"""An error as a JSON document, for ``--json``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

import click

from fsm_agent.domain.json import Json
from fsm_agent.errors import WorkflowInvalid

_WORDS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_USAGE: Final = "UsageError"


def is_json_wanted(words: Sequence[str]) -> bool:
    """Whether a command line asks for JSON, even if it is wrong otherwise."""
    return "--json" in takewhile(lambda word: word != "--", words)


def error_document(error: BaseException, sentence: str) -> dict[str, Json]:
    """``type`` is for programs, ``title`` is the same in words, and ``detail`` is the sentence for people."""
    return {"error": error_json(error, sentence)}


def error_json(error: BaseException, sentence: str) -> dict[str, Json]:
    kind = _kind(error)
    document: dict[str, Json] = {"type": kind, "title": _title(kind), "detail": sentence}
    if (allowed := getattr(error, "allowed", None)) is not None:
        document["allowed"] = list(allowed)
    if problems := _problems(error):
        document["problems"] = problems
    return document


def _kind(error: BaseException) -> str:
    match error:
        case click.Abort() | KeyboardInterrupt():
            return "Interrupted"
        case click.BadParameter() if not isinstance(error, click.MissingParameter):
            return "BadParameter"
        case click.UsageError():
            return _USAGE
        case _ if type(error) is click.ClickException:
            return "InputInvalid"
        case _:
            return type(error).__name__


def _title(kind: str) -> str:
    """The name of an error in words: ``Agent not found`` for ``AgentNotFound``."""
    return " ".join(word if word.isupper() else word.lower() for word in _WORDS.findall(kind)).capitalize()


def _problems(error: BaseException) -> list[str]:
    if isinstance(error, WorkflowInvalid):
        return [str(finding) for finding in error.findings]
    return [str(problem) for problem in getattr(error, "problems", ())]

"""Reports of errors: a sentence for people, a document for programs, and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click

from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views.errors import error_document, is_json_wanted
from fsm_agent.cli.views.output import complain, counted, print_json, say
from fsm_agent.domain.text import shortened
from fsm_agent.errors import FsmAgentError, WorkflowInvalid
from fsm_agent.errors.kinds import ErrorKind, kind_of

INTERRUPTED: Final = 130
#: kind of an error -> exit code of the command
EXIT_CODES: Final[Mapping[ErrorKind, int]] = {**dict.fromkeys(ErrorKind, 1), ErrorKind.MALFORMED: 2}


def report(error: BaseException, settings: CommandSettings | None = None, *, words: Sequence[str] | None) -> int:
    """Print an error, and return the exit code. ``settings`` are those of the command, if it got so far. ``words`` are
    the arguments of the command line, if they are not those of the process. With ``--json``, stdout always has a
    document."""
    if isinstance(error, Exception) and not isinstance(error, click.Abort):
        code, sentence = exit_code_of(error), sentence_of(error)
        sentence = settings.in_full(sentence) if settings else sentence
    else:
        code, sentence = INTERRUPTED, "interrupted: nothing was changed"
    write = say if code == INTERRUPTED else complain
    write(sentence)
    if is_json_wanted(sys.argv[1:] if words is None else words):
        print_json(error_document(error, sentence))
    return code


def sentence_of(error: Exception) -> str:
    """What happened, where, and what is allowed."""
    match error:
        case click.ClickException():
            return _usage_sentence(error)
        case WorkflowInvalid(findings=findings):
            return f"nothing was done, since the workflow has {counted(len(findings), 'mistake')}:\n{error}"
        case FsmAgentError():
            return str(error)
        case OSError(filename=file, strerror=str(why)):
            return f"{file or 'the output'}: {why}"
        case UnicodeEncodeError(object=text):
            return f"{shortened(text)} is no Unicode text, and only that can be kept; nothing was changed"
        case _:
            return f"unexpected {type(error).__name__}: {error}; `fsm-agent --debug ...` shows where"


def _usage_sentence(error: click.ClickException) -> str:
    said = error.format_message().rstrip(".")
    if isinstance(error, click.MissingParameter):  # click gives each choice a line of its own
        said = " ".join(said.split())
    match error:
        case click.UsageError(ctx=click.Context(command_path=path)) if exit_code_of(error) == 2:
            return f"{said}{' ' if said.endswith('?') else '; '}`{path} --help` shows what there is"
        case _:
            return said


def exit_code_of(error: Exception) -> int:
    """The exit code of a command that ends with ``error``."""
    is_interrupted = isinstance(error, click.ClickException) and error.exit_code == INTERRUPTED
    return INTERRUPTED if is_interrupted else EXIT_CODES[error_kind(error)]


def error_kind(error: Exception) -> ErrorKind:
    """What the person at the command line can do about ``error``."""
    match error:
        case FsmAgentError():
            return kind_of(error)
        case click.BadParameter() if not isinstance(error, click.MissingParameter):
            return ErrorKind.INVALID
        case click.UsageError():
            return ErrorKind.MALFORMED
        case click.ClickException():
            return ErrorKind.INVALID
        case _:
            return ErrorKind.FAILED

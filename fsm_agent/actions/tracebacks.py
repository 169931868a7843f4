"""Places and tracebacks of exceptions in users' code. They contain no values of variables, and no messages where the
store is sealed.

Places are stored and shown, so they are short: relative to the project, or else to the folder from which Python
imports. They never contain a home folder.
"""

from __future__ import annotations

import inspect
import linecache
import os
import sys
import sysconfig
import traceback
from asyncio import CancelledError
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

from fsm_agent.domain.secrets import without_secrets
from fsm_agent.errors import FsmAgentError

_OURS: Final = str(Path(__file__).parents[1]) + os.sep
#: modules whose frames only show how an action was called
_PASSAGES: Final = frozenset(
    os.path.join(_OURS, *path.split("/"))  # noqa: PTH118 - frames name files by text
    for path in (
        "runtime/action_executor.py",
        "runtime/attempt.py",
        "concurrency/cancellation.py",
        "actions/worker_threads.py",
        "runtime/scripted/own_task.py",
        "runtime/scripted/executor.py",
    )
)
_LIBRARIES: Final = frozenset({"site-packages", "dist-packages"})
_PROJECT_FILE: Final = "pyproject.toml"
_LONGEST_MESSAGE: Final = 2_000
#: limit of causes, contexts and members of groups, since they may form a circle
_MOST_EXCEPTIONS: Final = 20
#: limit of frames at each end of a traceback
_MOST_FRAMES: Final = 25


class Concealment(NamedTuple):
    """The values that must not be shown."""

    #: the store is sealed: exceptions may quote what agents say, and that must not be logged
    is_sealed: bool = False
    #: environment variables whose values are secret, whatever their names are
    variables: Collection[str] = ()


#: nothing is hidden but the usual secrets
OPEN: Final = Concealment()


def place_of(error: BaseException) -> str:
    """``file:line`` where the exception happened: in the innermost frame of the user's code, or else of a library, or
    else of ours. If the exception has no frames, those of its cause count. Empty if the place is unknown, or if the
    error is ours, since it says itself what is wrong."""
    is_told = isinstance(error, FsmAgentError | CancelledError)
    filters = (_is_users,) if is_told else (_is_users, _is_foreign, _is_at_work)
    causes = [error] if is_told else [each for each, _ in _chain(error)]
    return next((place for each in causes if (place := _nearest(each, filters))), "")


def place_of_function(function: Callable[..., Any]) -> str:
    """``file:line`` where a user's function is defined; empty for a function of ours, and if it is unknown."""
    inner = inspect.unwrap(function)
    code = getattr(inner, "__code__", None) or getattr(type(inner).__call__, "__code__", None)
    if code is None or not _is_foreign(code.co_filename) or code.co_filename.startswith("<"):
        return ""
    line = code.co_firstlineno
    code_lines = linecache.getlines(code.co_filename)[line - 1 :][:_MOST_FRAMES]
    below = next((at for at, each in enumerate(code_lines) if each.lstrip().startswith(("def ", "async def "))), 0)
    return f"{shown_path(code.co_filename)}:{line + below}"  # the first line is that of the decorators


def _nearest(error: BaseException, filters: Sequence[Callable[[str], bool]]) -> str:
    """``file:line`` of the innermost frame that the first matching filter accepts; empty if none does."""
    frames = [(file, line) for file, line in _frames(error.__traceback__) if not file.startswith("<")]
    near = ((file, line) for is_near in filters for file, line in reversed(frames) if is_near(file))
    return next((f"{shown_path(file)}:{line}" for file, line in near), "")


def message_of(error: BaseException, discretion: Concealment = OPEN) -> str:
    """The message of an exception as text that can be stored. Some exceptions cannot give one, some messages are no
    Unicode, and some quote a secret."""
    try:
        message = str(error)
    except Exception as failure:
        message = f"its message cannot be read, since __str__ raises {type(failure).__name__}"
    text = message.encode("utf-8", "backslashreplace").decode("utf-8")
    return without_secrets(text, os.environ, variables=discretion.variables)


def trace_of(error: BaseException, discretion: Concealment = OPEN) -> str:
    """The traceback of an exception and its causes. If the store is sealed, it has types and places, but no
    messages."""
    lines: list[str] = []
    for each, why in reversed(list(_chain(error))):
        calls = list(_calls(each.__traceback__))
        if isinstance(each, CancelledError) and not calls:
            continue  # it only says that our waiting was cancelled
        lines += calls
        lines.append(said_of(each, discretion))
        lines += [] if discretion.is_sealed else [str(note) for note in getattr(each, "__notes__", ())]
        lines += ["", why, ""] if why else []
    return without_secrets("\n".join(lines), os.environ, variables=discretion.variables)


def _calls(trace: TracebackType | None) -> Iterator[str]:
    """The frames with their lines of code; if there are many, those in the middle are left out."""
    frames = [frame for frame in traceback.extract_tb(trace) if _is_at_work(frame.filename)]
    if frames:
        yield "Traceback (most recent call last):"
    left_out = len(frames) - 2 * _MOST_FRAMES
    for number, frame in enumerate(frames):
        if left_out > 0 and number == _MOST_FRAMES:
            yield f"  ... {left_out} more"
        if not _MOST_FRAMES <= number < _MOST_FRAMES + left_out:
            yield f'  File "{shown_path(frame.filename)}", line {frame.lineno}, in {frame.name}'
            yield from [f"    {frame.line}"] if frame.line else []


def said_of(error: BaseException, discretion: Concealment = OPEN) -> str:
    """``Type: message``, or only the type if the message may quote sealed words."""
    kind, text = type(error).__name__, "" if discretion.is_sealed else message_of(error, discretion)[:_LONGEST_MESSAGE]
    return f"{kind}: {text}" if text else kind


def shown_path(file: str) -> str:
    """The path of a file in the form that may be stored and shown."""
    path = Path(file)
    for part in ("site-packages", "dist-packages"):
        if part in path.parts:
            return "/".join(path.parts[len(path.parts) - path.parts[::-1].index(part) :])
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - it never fails
    for root in _roots():
        if path.is_relative_to(root) and (root == home or not home.is_relative_to(root)):
            return path.relative_to(root).as_posix()
    return path.name


def _roots() -> Iterator[Path]:
    with suppress(FileNotFoundError):  # the folder may have been removed
        yield _project(Path.cwd())
    yield Path(_OURS).parent
    yield from map(Path, sorted((entry for entry in sys.path if os.path.isabs(entry)), key=len, reverse=True))  # noqa: PTH117


@cache
def _project(folder: Path) -> Path:
    """The nearest folder at or above ``folder`` with a pyproject.toml, or ``folder`` itself."""
    return next((each for each in (folder, *folder.parents) if (each / _PROJECT_FILE).is_file()), folder)


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """An exception and its causes, each with its relation to the one before."""
    waiting, seen = [(error, "")], set[int]()
    while waiting and len(seen) < _MOST_EXCEPTIONS:
        each, why = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each, why
        if isinstance(each, BaseExceptionGroup):
            waiting += [(inner, "That is one of several exceptions of:") for inner in each.exceptions]
        if each.__cause__ is not None:
            waiting.append((each.__cause__, "That was the direct cause of:"))
        elif each.__context__ is not None and not each.__suppress_context__:
            waiting.append((each.__context__, "While that was handled, this happened:"))


def _is_users(file: str) -> bool:
    return _is_foreign(file) and not _is_library(file)


def _is_foreign(file: str) -> bool:
    return not file.startswith(_OURS)


def _is_at_work(file: str) -> bool:
    """Whether a frame shows more than how the action was called."""
    return file not in _PASSAGES


def _is_library(file: str) -> bool:
    return not _LIBRARIES.isdisjoint(Path(file).parts) or file.startswith(_standard())


@cache
def _standard() -> tuple[str, ...]:
    return tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib"))

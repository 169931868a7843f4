"""Types of parameters on the command line that a shell can complete. Commands check the meaning of their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Result = TypeVar("Result")


class Word(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.2 on
    """A text. ``completion`` has a function that completes it, which is imported when a shell asks. ``read`` makes a
    value of it, or raises ``click.BadParameter``."""

    def __init__(self, name: str, completer: str, read: Callable[[str], Any] = str) -> None:
        self.name = name
        self._completer = completer
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        return self._read(value) if isinstance(value, str) else value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        from fsm_agent.cli.input import completion

        found: list[CompletionItem[str]] = getattr(completion, self._completer)(ctx, param, incomplete)
        return found


class WholeNumber(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.2 on
    """A whole number of at least ``least``, and at most ``most`` if that is given."""

    name = "n"

    def __init__(self, least: int = 1, most: int | None = None) -> None:
        self._least, self._most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(value)
        except ValueError:
            number = self._least - 1
        if number < self._least or (self._most is not None and number > self._most):
            to = "" if self._most is None else f" to {self._most}"
            raise NotTaken(f"takes a whole number from {self._least}{to}, and {value!r} is none", ctx, param)
        return number


class NotTaken(click.BadParameter):
    """The error of a value that a parameter does not accept; the name of the parameter is put before the message."""

    def format_message(self) -> str:
        name = self.param.opts[0] if isinstance(self.param, click.Option) else self.param and self.param.metavar
        return f"`{(name or 'it').strip('[]')}` {self.message}"


def text(value: str) -> str:
    """The value of an option that may be missing, but not empty."""
    return _filled(value, "give it a text, or leave it out")


def person(value: str) -> str:
    """The name of a person, which must be given and must not be empty."""
    return _filled(value, "say who it is")


def _filled(value: str, advice: str) -> str:
    from fsm_agent.data.arguments import why_blank

    if (why := why_blank(value)) is not None:
        raise click.BadParameter(f"it {why}; {advice}")
    return value


def read_by(read: Callable[[str], Result]) -> Callable[[click.Context, click.Parameter, str | None], Result | None]:
    """A click callback that reads an option's value with ``read``, and reports its ``ValueError`` as a sentence."""

    def callback(_: click.Context, __: click.Parameter, text: str | None) -> Result | None:
        try:
            return None if text is None else read(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return callback


def label(given: str) -> tuple[str, str]:
    """The name and the text of a label that an agent gets."""
    name, text_of_it = selected_label(given)
    if text_of_it is None:
        raise click.BadParameter(f"{given!r} has no text; write NAME=TEXT")
    return name, text_of_it


def selected_label(given: str) -> tuple[str, str | None]:
    """The name and the text of a label that agents are selected by; without a text, any has it."""
    name, equals, text_of_it = given.partition("=")
    return _filled(name, "a label is written NAME=TEXT"), text_of_it if equals else None


#: the id of an existing agent, whole or shortened
AGENT_ID: Final = Word("id", "agent_ids")
#: an event that the agent on the same line handles
EVENT: Final = Word("event", "events")
#: the name of a token of the server
TOKEN_NAME: Final = Word("name", "token_names")
#: a workflow file, or a folder of them
WORKFLOW_FILE: Final = Word("path", "workflow_files")
#: the name of a workflow with agents
WORKFLOW_NAME: Final = Word("workflow", "workflow_names")
#: of commands that run until they are stopped
LOG_FORMAT: Final = click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Log sentences for people, or one JSON object a line.",
)
#: a state that agents are in
STATE: Final = Word("state", "states", text)
#: a person whom agents serve
USER: Final = Word("user", "users", text)
#: a label that agents have, with its text or without
LABEL: Final = Word("label", "labels", selected_label)
#: who is asked something
ADDRESSEE: Final = Word("to", "addressees", person)

"""Kinds of words on the command line that a shell can complete. What a word means is looked up where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Word(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.2 on
    """A text; the function of ``cli.completion`` that knows how it may go on is imported when a shell asks."""

    def __init__(self, name: str, completer: str) -> None:
        self.name = name
        self._completer = completer

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        from fsm_agent.cli import completion

        found: list[CompletionItem[str]] = getattr(completion, self._completer)(ctx, param, incomplete)
        return found


#: the id of an agent that is there, whole or a part of it
AGENT_ID: Final = Word("id", "agent_ids")
#: an event that the agent of the same line takes
EVENT: Final = Word("event", "events")
#: a file, or a folder of them
WORKFLOW_FILE: Final = Word("path", "workflow_files")
#: the name of a workflow that agents have
WORKFLOW_NAME: Final = Word("workflow", "workflow_names")

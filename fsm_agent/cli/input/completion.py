"""Completion of ids, workflows and events when a person presses TAB. Click completes commands and choices itself.

Nothing here may fail or print anything: mistakes are reported when the command runs.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import click
from click.shell_completion import CompletionItem

from fsm_agent.cli.input.agent_ids import SHORTEST, ends, find, short_ids
from fsm_agent.cli.input.global_options import settings_of_unfinished
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import missing_file, read_store
from fsm_agent.domain.agent import Head
from fsm_agent.runtime.agent_reads import claimed_events, workflow_of
from fsm_agent.stores.base import Store

Result = TypeVar("Result")
Items: TypeAlias = "list[CompletionItem[str]]"

#: limit of offered ids
_MOST: Final = 100
#: limit of agents that are read for names of workflows, and for ids at first
_SEEN: Final = 1_000
#: limit of agents that are read for the ends of their ids
_SEARCHED: Final = 10_000
#: possible beginnings of a generated id's printed end
_OF_AN_END: Final = re.compile(r"[0-9a-f]+(\.[\d.]*)?")
_NAME: Final = re.compile(r"^workflow:\s*[\"']?([^\s\"'#]+)", re.MULTILINE)


def agent_ids(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Ids that begin with the typed text, and ids whose printed end begins with it. If there are none, and the text is
    long enough, ids that end with it."""
    none: list[tuple[str, Head]] = []
    found = _read(ctx, lambda store: _candidates(store, incomplete), otherwise=none)
    items = ((text, f"{head.workflow}, {head.status} in {head.state}") for text, head in found[:_MOST])
    return [CompletionItem(text, help=what) for text, what in items]


async def _candidates(store: Store, part: str) -> list[tuple[str, Head]]:
    page = await store.list(limit=_MOST, after=_just_before(part))
    found = [(head.id, head) for head in page.heads if head.id.startswith(part)]
    if re.fullmatch(_OF_AN_END, part):
        found += await _printed(store, part)
    if not found and len(part) >= SHORTEST:
        return [(agent_id, await store.head(agent_id)) for agent_id in await store.find_ids(part, limit=_MOST)]
    return found


async def _printed(store: Store, part: str) -> list[tuple[str, Head]]:
    """Agents whose printed end begins with ``part``, each with that end, or with the whole id if it is not unique."""
    heads: list[Head] = []
    after, is_more = None, True
    while is_more and len(heads) < _SEARCHED:
        page = await store.list(limit=_SEEN, after=after)
        heads += page.heads
        after, is_more = page.next, page.next is not None
    meant = [head for head in heads if any(end.startswith(part) for end in ends(head.id))]
    short = short_ids([head.id for head in heads]) if meant else {}
    texts = [(_completed(part, head.id, short[head.id]), head) for head in meant if not head.id.startswith(part)]
    return [(text, head) for text, head in texts if text is not None]


def _completed(part: str, whole: str, short: str) -> str | None:
    """The completed text for this agent after ``part``; ``None`` if it does not fit."""
    if short.startswith(part):
        return short
    return whole if next(ends(whole)).startswith(part) else None


def _just_before(part: str) -> str | None:
    """A text that sorts before all ids that begin with ``part``, and after all earlier ones."""
    return f"{part[:-1]}{chr(ord(part[-1]) - 1)}~" if part else None


def workflow_files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Workflow files in the typed folder and right below it; if there are none, the shell's own completion."""
    before = incomplete[: incomplete.rfind("/") + 1]
    folder = Path(before)
    files = sorted(file.relative_to(folder) for depth in ("", "*/") for file in folder.glob(f"{depth}*.y*ml"))
    names = [f"{before}{file}" for file in files if not str(file).startswith(".")]
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def workflow_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Names of workflows, from the project's files and from agents."""
    none: list[str] = []
    names = {*_declared(settings_of_unfinished(ctx)), *_read(ctx, _of_agents, otherwise=none)}
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def _declared(settings: CommandSettings) -> Iterator[str]:
    for file in Path(settings.project.folder, "workflows").glob("*.y*ml"):
        yield from _NAME.findall(file.read_text(encoding="utf-8", errors="replace"))


async def _of_agents(store: Store) -> list[str]:
    return [head.workflow for head in (await store.list(limit=_SEEN)).heads]


def states(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """States that agents are in: those of the workflow, if the line names one."""
    workflow = ctx.params.get("workflow")
    return _starting(incomplete, _seen(ctx, lambda head: [head.state] if workflow in (None, head.workflow) else []))


def users(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Persons whom agents serve."""
    return _starting(incomplete, _seen(ctx, lambda head: [head.user] if head.user else []))


def labels(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Names of labels that agents have; behind a name and ``=``, its texts."""

    def of(head: Head) -> Iterable[str]:
        return head.labels if "=" not in incomplete else ("=".join(label) for label in head.labels.items())

    return _starting(incomplete, _seen(ctx, of))


def addressees(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Persons whom agents ask something, and the words for oneself and for whoever comes."""
    asked = _seen(ctx, lambda head: head.asked.to if head.asked else [])
    return _starting(incomplete, {"anybody", "me", *asked})


def _seen(ctx: click.Context, words: Callable[[Head], Iterable[str]]) -> set[str]:
    """The words of the first agents of the store."""

    async def read(store: Store) -> set[str]:
        return {word for head in (await store.list(limit=_SEEN)).heads for word in words(head)}

    none: set[str] = set()
    return _read(ctx, read, otherwise=none)


def events(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Events that the agent's state handles."""
    part = ctx.params.get("agent_id") or next(iter(ctx.args), "")  # click stops at an option without value

    async def allowed(store: Store) -> list[str]:
        head = await find(store, part, store.head)
        workflow = await workflow_of(store, head)
        claimed = claimed_events(workflow, head)
        return [event for event in workflow.allowed(head.state) if event not in claimed]

    return _starting(incomplete, _read(ctx, allowed, otherwise=[]))


def token_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Names in the file of tokens that the line names, or in the project's."""
    from fsm_agent.cli.input.token_path import token_path
    from fsm_agent.server.token_file import TokenFile

    try:
        tokens = TokenFile(token_path(settings_of_unfinished(ctx), ctx.params.get("tokens_file"))).all()
    except Exception:
        return []
    return _starting(incomplete, [each.name for each in tokens])


def _starting(incomplete: str, names: Iterable[str]) -> Items:
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def _read(ctx: click.Context, read: Callable[[Store], Awaitable[Result]], *, otherwise: Result) -> Result:
    """The result of ``read`` for the line's store; ``otherwise`` if that fails. A missing database is not created."""
    try:
        settings = settings_of_unfinished(ctx)
        if missing_file(settings.store) is not None:
            return otherwise
        return read_store(settings, read)
    except Exception:
        return otherwise

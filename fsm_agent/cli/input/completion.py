"""What a shell is told when somebody presses TAB: ids, workflows, events. Commands and choices click knows by itself.

Nothing here may fail or say anything: whoever types is told what is wrong when the command runs.
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

#: ids that are offered at once
_MOST: Final = 100
#: agents that are looked at for the names of their workflows, and at once for their ids
_SEEN: Final = 1_000
#: agents that are looked at for the ends of their ids
_SEARCHED: Final = 10_000
#: as the end of an id that was made may begin
_OF_AN_END: Final = re.compile(r"[0-9a-f]+(\.[\d.]*)?")
_NAME: Final = re.compile(r"^workflow:\s*[\"']?([^\s\"'#]+)", re.MULTILINE)


def agent_ids(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Ids that begin as what is typed, and those of which tables print an end that begins so; else, once it is long
    enough, ids that end so."""
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
    """Agents for which a table prints an end that begins with ``part``: the end, or the whole id where it takes more
    to tell it from the others."""
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
    """What a line that ends with ``part`` goes on to for this agent, if it does."""
    if short.startswith(part):
        return short
    return whole if next(ends(whole)).startswith(part) else None


def _just_before(part: str) -> str | None:
    """A text that sorts before every id which begins with ``part``, and after those that sort before it."""
    return f"{part[:-1]}{chr(ord(part[-1]) - 1)}~" if part else None


def workflow_files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Workflow files in the folder that is typed, and in those right below it; without any, what the shell finds."""
    before = incomplete[: incomplete.rfind("/") + 1]
    folder = Path(before)
    files = sorted(file.relative_to(folder) for depth in ("", "*/") for file in folder.glob(f"{depth}*.y*ml"))
    names = [f"{before}{file}" for file in files if not str(file).startswith(".")]
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def workflow_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Names of workflows: those of the project's files, and those of agents."""
    none: list[str] = []
    names = {*_declared(settings_of_unfinished(ctx)), *_read(ctx, _of_agents, otherwise=none)}
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def _declared(settings: CommandSettings) -> Iterator[str]:
    for file in Path(settings.project.folder, "workflows").glob("*.y*ml"):
        yield from _NAME.findall(file.read_text(encoding="utf-8", errors="replace"))


async def _of_agents(store: Store) -> list[str]:
    return [head.workflow for head in (await store.list(limit=_SEEN)).heads]


def events(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Events that the agent's state takes."""
    part = ctx.params.get("agent_id") or next(iter(ctx.args), "")  # click stops at an option that has no value yet

    async def allowed(store: Store) -> list[str]:
        head = await find(store, part, store.head)
        workflow = await workflow_of(store, head)
        claimed = claimed_events(workflow, head)
        return [event for event in workflow.allowed(head.state) if event not in claimed]

    return _starting(incomplete, _read(ctx, allowed, otherwise=[]))


def _starting(incomplete: str, names: Iterable[str]) -> Items:
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def _read(ctx: click.Context, read: Callable[[Store], Awaitable[Result]], *, otherwise: Result) -> Result:
    """What ``read`` finds in the store that the line names; ``otherwise`` where that cannot be had. A database that
    is not there is not made."""
    try:
        settings = settings_of_unfinished(ctx)
        if missing_file(settings.store) is not None:
            return otherwise
        return read_store(settings, read)
    except Exception:
        return otherwise

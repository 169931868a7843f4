"""The command that shows, exports and imports messages of threads."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from fsm_agent.cli.blocks import Block, Facts, Ink, Table, Tone, visible
from fsm_agent.cli.input.agent_ids import whole_id
from fsm_agent.cli.input.parameters import AGENT_ID, WholeNumber
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import read_store
from fsm_agent.cli.views import output
from fsm_agent.cli.views.agents import short
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import PRIVATE_PARTS, Message, own_thread, owner_of
from fsm_agent.domain.step import moment
from fsm_agent.report.times import when
from fsm_agent.stores.base import Store

if TYPE_CHECKING:
    from fsm_agent.memory.threads import Thread

#: name of a file that means stdin or stdout
_STREAM: Final = "-"


@click.command()
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--agent", "agent_id", type=AGENT_ID, metavar="ID", help="The conversation of an agent, instead of a NAME."
)
@click.option("--last", type=WholeNumber(), default=50, show_default=True, help="Show the last N messages.")
@click.option(
    "--export", "to", metavar="FILE", help="Write the whole thread, as chat completions write it; - is stdout."
)
@click.option("--import", "source", metavar="FILE", help="Add the messages of such a file to the thread; - is stdin.")
@click.pass_obj
def thread(
    settings: CommandSettings, *, name: str | None, agent_id: str | None, last: int, to: str | None, source: str | None
) -> None:
    """Show the last messages of thread NAME, or of an agent; without either, the names of all that are shared."""
    if name and agent_id:
        raise click.ClickException("a NAME is that of a shared thread, and --agent names an agent: give one of them")
    if to and source:
        raise click.ClickException("--export reads the thread and --import adds to it: give one of them")
    wanted = own_thread(agent_id) if agent_id else name
    if source:
        _import(settings, wanted, source)
    elif to:
        _export(settings, wanted, to)
    elif wanted:
        _show(settings, wanted, last)
    else:
        names = read_store(settings, _names)
        output.show(settings, {"threads": names}, lambda: [_names_table(names)])


def _show(settings: CommandSettings, name: str, last: int) -> None:
    """Show the last messages. One more is read, to say whether there are earlier ones."""

    async def read(store: Store) -> tuple[str, list[Message]]:
        thread = await _thread(store, name)
        return thread.name, await thread.messages(last=last + 1)

    name, messages = read_store(settings, read)
    shown, earlier = messages[-last:], len(messages) > last
    document = {"thread": name, "messages": [message.to_json() for message in shown], "earlier": earlier}
    output.show(settings, document, lambda: [_table(shown)])
    if earlier and not settings.json:
        output.say("there are earlier ones: --last says how many are shown, and --export - shows all")


def _export(settings: CommandSettings, name: str | None, file: str) -> None:

    async def read(store: Store) -> tuple[str, list[dict[str, Json]]]:
        thread = await _thread(store, name)
        return thread.name, await thread.exported()

    name, items = read_store(settings, read)
    text = json.dumps(items, ensure_ascii=False, indent=2)
    if file == _STREAM:
        click.echo(text)
        return
    Path(file).write_text(f"{text}\n", encoding="utf-8")
    document = {"thread": name, "exported": len(items), "file": file}
    output.show(settings, document, lambda: _outcome("exported", len(items), name))


def _import(settings: CommandSettings, name: str | None, file: str) -> None:
    items = _items(file)

    async def write(store: Store) -> int:
        return await (await _thread(store, name)).imported(items)

    count = read_store(settings, write, creates=True)
    output.show(settings, {"thread": name, "imported": count}, lambda: _outcome("imported", count, name))


def _outcome(done: str, count: int, name: str | None) -> Iterator[Block]:
    yield Facts("", [("thread", Ink(name or "", Tone.STRONG)), (done, Ink(output.counted(count, "message")))])


async def _names(store: Store) -> list[str]:
    names: list[str] = []
    while page := await store.threads(limit=1_000, after=names[-1] if names else None):
        names += page
    return names


async def _thread(store: Store, name: str | None) -> Thread:
    """A thread by its name; the id of an agent may be shortened."""
    from fsm_agent.memory.threads import Thread

    if name is None:
        raise click.ClickException("which thread is meant? Give its NAME, or --agent ID")
    owner = owner_of(name)
    return Thread(store, own_thread(await whole_id(store, owner)) if owner else name)


def _items(file: str) -> list[Json]:
    """The document in a file, without a check of its contents."""
    try:
        items = json.loads(sys.stdin.read() if file == _STREAM else Path(file).read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise click.ClickException(f"{file} is not JSON ({error.msg}, {where}); nothing was imported") from None
    except RecursionError:
        raise click.ClickException(f"{file} is nested too deeply; nothing was imported") from None
    if not isinstance(items, list):
        raise click.ClickException(f"{file} must hold a list of messages, [{{role, content, ...}}, ...]")
    return items


def _names_table(names: Sequence[str]) -> Table:
    return Table(("thread",), [[Ink(visible(name), Tone.STRONG)] for name in names], "there are no shared threads")


def _table(messages: Sequence[Message]) -> Table:
    rows = [
        [
            Ink(str(message.number), Tone.QUIET),
            Ink(when(moment(message.at_ms)), Tone.QUIET),
            Ink(str(message.role), Tone.STRONG),
            Ink(visible(message.by or "")),
            Ink(str(message.tokens), Tone.QUIET),
            Ink(visible("; ".join(_words(message)))),
        ]
        for message in messages
    ]
    return Table(("number", "time", "role", "by", "tokens", "says"), rows, "nothing is said there")


def _words(message: Message) -> Iterator[str]:
    """The contents of a message in one line."""
    if message.content:
        yield " ".join(message.content.split())
    for part in message.parts:
        match part["type"]:
            case "tool_call":
                yield f"calls {part.get('name', '')}({short(part.get('arguments', {}))})"
            case "tool_result":
                yield f"{part.get('name') or 'a tool'} returned {short(part.get('content', ''))}"
            case kind if kind not in PRIVATE_PARTS:
                yield f"[{kind}]"

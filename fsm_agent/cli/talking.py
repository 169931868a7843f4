"""Commands that look at what was said."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsm_agent.cli import output
from fsm_agent.cli.settings import Settings
from fsm_agent.cli.sheet import Ink, Prose, Table, Tone
from fsm_agent.cli.store import look
from fsm_agent.jsontypes import Json
from fsm_agent.message import Message
from fsm_agent.step import iso
from fsm_agent.stores.base import Store

if TYPE_CHECKING:
    from fsm_agent.threads import Thread


@click.command()
@click.argument("name", metavar="NAME", required=False)
@click.option("--agent", "agent_id", metavar="ID", help="The thread that is an agent's own, instead of NAME.")
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the last messages.")
@click.option("--export", "to", metavar="FILE", help="Write it as chat completions do; - is stdout.")
@click.option("--import", "source", metavar="FILE", help="Add the messages of such a file; - is stdin.")
@click.pass_obj
def thread(
    settings: Settings, *, name: str | None, agent_id: str | None, last: int | None, to: str | None, source: str | None
) -> None:
    """Show the messages of a thread; without a name, the threads that are shared."""
    if name is not None and agent_id is not None:
        raise click.ClickException("a thread has a NAME, or it is that of --agent ID: say one of them")
    if name is None and agent_id is None:
        names = look(settings, _names)
        return output.show(settings, {"threads": names}, lambda: [_names_table(names)])
    if source is not None:
        items = _items(source)
        count = look(settings, lambda store: _thread(store, name, agent_id).imported(items))
        return output.show(
            settings, {"added": count}, lambda: [Prose("", f"added {output.counted(count, 'message')}", "")]
        )
    if to is not None:
        written = look(settings, lambda store: _exported(store, name, agent_id))
        return _write(to, json.dumps(written, ensure_ascii=False, indent=2))
    messages = look(settings, lambda store: _messages(store, name, agent_id, last))
    document = {"thread": name or agent_id, "messages": [_entry(message) for message in messages]}
    return output.show(settings, document, lambda: [_table(messages)])


async def _names(store: Store) -> list[str]:
    names: list[str] = []
    while page := await store.threads(after=names[-1] if names else None):
        names += page
    return names


def _thread(store: Store, name: str | None, agent_id: str | None) -> Thread:
    from fsm_agent.threads import Thread

    return Thread(store, name) if name is not None else Thread.of_agent(store, agent_id or "")


async def _messages(store: Store, name: str | None, agent_id: str | None, last: int | None) -> list[Message]:
    if agent_id is not None:
        await store.head(agent_id)  # an agent that is not there is named, and is no empty thread
    return await _thread(store, name, agent_id).messages(last=last)


async def _exported(store: Store, name: str | None, agent_id: str | None) -> list[dict[str, Json]]:
    from fsm_agent.memory.formats import to_openai

    return to_openai(await _messages(store, name, agent_id, None))


def _items(source: str) -> Json:
    text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.ClickException(f"{source} is no JSON: {error}") from None


def _write(to: str, text: str) -> None:
    if to == "-":
        click.echo(text)
    else:
        Path(to).write_text(f"{text}\n", encoding="utf-8")
        output.say(f"wrote {to}")


def _entry(message: Message) -> dict[str, Json]:
    return {
        "number": message.number,
        "role": str(message.role),
        "by": message.by,
        "content": message.content,
        "parts": [dict(part) for part in message.parts],
        "tokens": message.tokens,
        "covers": message.covers or None,
        "at": iso(message.at_ms),
    }


def _names_table(names: Sequence[str]) -> Table:
    return Table(["THREAD"], [[Ink(name, Tone.STRONG)] for name in names], "no thread is shared here")


def _table(messages: Sequence[Message]) -> Table:
    """A conversation as one reads it."""
    rows = [
        [
            Ink(str(message.number), Tone.QUIET),
            Ink(iso(message.at_ms)[:19].replace("T", " ") + "Z", Tone.QUIET),
            Ink(f"{message.role} ({message.by})" if message.by else str(message.role), Tone.STRONG),
            Ink(str(message.tokens), Tone.QUIET),
            Ink(_words(message)),
        ]
        for message in messages
    ]
    return Table(["NO", "TIME", "WHO", "TOKENS", "SAYS"], rows, "nothing was said yet")


def _words(message: Message) -> str:
    told = [" ".join(message.content.split())] if message.content else []
    for part in message.parts:
        match part.get("type"):
            case "tool_call":
                told.append(f"calls {part['name']}({json.dumps(part['arguments'], ensure_ascii=False)})")
            case "tool_result":
                told.append(f"{part.get('name') or 'a tool'} returned {part['content']}")
    return "; ".join(told)

"""All of a value of which a page shows only the beginning: a text, or a part of the data at any depth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import htpy as h
from starlette.responses import Response

from fsm_agent.data.delta import segments
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message, own_thread
from fsm_agent.domain.replay import effect_json
from fsm_agent.domain.text import byte_count
from fsm_agent.server.page.agent_facts import agent_id_of, facts_of, version_in
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.texts import one_line, visible
from fsm_agent.server.page.values import PAGE, tree
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import agent_link
from fsm_agent.server.problems import HttpProblem

#: characters of a text on a page; all of a longer one is in the file
_LONGEST: Final = 500_000
_MOST: Final = 3_000


async def value(visit: Visit) -> Response:
    """``GET /agents/{id}/value``: ``of`` is the document, ``pointer`` the place in it. With ``file``, to be kept."""
    pointer = visit.query.get("pointer", "")
    found = _at(await _document(visit), pointer)
    if "file" in visit.query:
        return _file(visit, found)
    keys = segments(pointer)[1:]
    return page(
        visit,
        f"{'.'.join(keys) or 'value'} of {agent_id_of(visit)}",
        h.nav(".crumbs", aria_label="Place")[agent_link(visit, agent_id_of(visit)), _crumbs(visit, keys)],
        h.h1(dir="auto")[one_line(keys[-1]) if keys else "All of it"],
        h.p(".meta")[_size(found), " · ", h.a(href=_link(visit, pointer, file="1"))["As a file"]],
        _shown(visit, found, pointer),
        place="agents",
        styles=("agent.css",),
    )


async def _document(visit: Visit) -> Json:
    """The document that the address names."""
    store, agent_id = visit.service.runner.store, agent_id_of(visit)
    match visit.query.get("of"):
        case "agent":
            return (await facts_of(visit, version_in(visit))).agent.to_json()
        case "step":
            number = version_in(visit) or 1
            steps = await store.history(agent_id, after=number - 1, limit=1)
            if steps and steps[0].version == number:
                return steps[0].to_json()
        case "effect":
            for entry in await store.effects(agent_id):
                if entry.key == visit.query.get("key"):
                    return effect_json(entry)
        case "message":
            for message in await _message(visit, version_in(visit, "number") or 1):
                return message.to_json()
    raise _missing()


async def _message(visit: Visit, number: int) -> Sequence[Message]:
    """The message of this number, if the agent sees it."""
    facts = await facts_of(visit, version_in(visit))
    thread = visit.query.get("thread") or own_thread(facts.now.id)
    for span in facts.head.talk.spans(facts.now.id):
        if span.thread == thread and span.after < number <= span.upto:
            return await visit.service.runner.store.messages(thread, after=number - 1, upto=number)
    return ()


def _missing() -> HttpProblem:
    return HttpProblem(404, "not-found", "there is no such value, or not any more")


def _at(document: Json, pointer: str) -> Json:
    """The part of a document at a place."""
    found = document
    for key in segments(pointer)[1:]:
        match found:
            case dict() if key in found:
                found = found[key]
            case list() if key.isascii() and key.isdecimal() and int(key[:9]) < len(found):
                found = found[int(key)]
            case _:
                raise _missing()
    return found


def _link(visit: Visit, pointer: str, **more: str) -> str:
    kept = {name: text for name, text in visit.query.items() if name in ("of", "at", "key", "number", "thread")}
    return visit.link("agents", agent_id_of(visit), "value", **kept, pointer=pointer, **more)


def _crumbs(visit: Visit, keys: Sequence[str]) -> h.Node:
    """The way to the value; each part of it is a link to what is around."""
    crumbs, pointer = [], ""
    for key in keys[:-1]:
        pointer = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
        crumbs += [" / ", h.a(href=_link(visit, pointer), dir="auto")[one_line(key)]]
    return crumbs


def _size(found: Json) -> str:
    if isinstance(found, str):
        return f"text of {len(found):,} characters, {byte_count(len(found.encode()))}"
    return f"{byte_count(len(json.dumps(found, ensure_ascii=False).encode()))} as JSON"


def _shown(visit: Visit, found: Json, pointer: str) -> h.Node:
    if isinstance(found, str):
        rest = len(found) - _LONGEST
        return [
            h.div(".whole", dir="auto")[visible(found[:_LONGEST])],
            h.p(".meta")[f"… and {rest:,} characters more: they are in the file."] if rest > 0 else None,
        ]
    start = visit.query.get("from", "0")
    skipped = int(start) if start.isascii() and start.isdecimal() and len(start) < 10 else 0
    count = len(found) if isinstance(found, dict | list) else 0
    ways = []
    if skipped:
        ways.append(h.a(href=_link(visit, pointer, **{"from": str(max(skipped - PAGE, 0))}))["Earlier ones"])
    if skipped + PAGE < count:
        ways.append(h.a(href=_link(visit, pointer, **{"from": str(skipped + PAGE)}))["More of them"])
    pages = h.p(".pages")[
        [[f"{skipped + 1:,} to {min(skipped + PAGE, count):,} of {count:,} "], [[way, " "] for way in ways]]
    ]
    return [
        pages if ways else None,
        tree(found, lambda inner: _link(visit, inner), most=_MOST, pointer=pointer, skipped=skipped),
    ]


def _file(visit: Visit, found: Json) -> Response:
    """The value as it is, to be kept by the browser and not to be shown."""
    is_text = isinstance(found, str)
    content = found if is_text else json.dumps(found, ensure_ascii=False, indent=2)
    name = f"{agent_id_of(visit)}.{'txt' if is_text else 'json'}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type="text/plain" if is_text else "application/json", headers=headers)

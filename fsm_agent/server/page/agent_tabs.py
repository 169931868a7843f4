"""The tabs of an agent's page: its data, its conversation, the effects of its actions, and its children."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

import htpy as h

from fsm_agent.dialect.builtin_names import HAS_CHILDREN
from fsm_agent.domain.agent import CHILDREN, Head, Parent, Status, child_id
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Role, own_thread
from fsm_agent.domain.step import moment as moment_of
from fsm_agent.server.page.agent_facts import Facts, link, readable, version_in
from fsm_agent.server.page.agent_messages import Placed, read_messages
from fsm_agent.server.page.texts import brief, isolated, one_line, visible
from fsm_agent.server.page.values import more, text, tree
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import agent_link, moment, status_badge
from fsm_agent.stores.base import Store

Panel: TypeAlias = Callable[[Visit, Facts], Awaitable[h.Node]]

#: messages that are shown at first, and at most
_MESSAGES: Final = 50
_MOST_MESSAGES: Final = 500
#: effects and children that are shown
_MOST_ROWS: Final = 200
#: characters of a result and of a message
_LONGEST_RESULT: Final = 300
_LONGEST_WORDS: Final = 4_000


def tab_of(visit: Visit, facts: Facts) -> str:
    """The tab that the address names, or the first."""
    wanted = visit.query.get("tab", "")
    return wanted if wanted in _tabs(facts) else "data"


def _tabs(facts: Facts) -> Mapping[str, str]:
    """Those that say something of this workflow."""
    tabs = {"data": "Data", "conversation": "Conversation", "effects": "Effects", "children": "Children"}
    if not any(state.do == HAS_CHILDREN for state in facts.workflow.leaves):
        del tabs["children"]
    return tabs


async def tabs_card(visit: Visit, facts: Facts) -> h.Node:
    """The tabs as links, and the panel of the present one."""
    chosen, tabs = tab_of(visit, facts), _tabs(facts)
    counts = {"conversation": facts.agent.messages}

    def way(name: str, words: str) -> h.Node:
        count = h.span(".count")[f" {counts[name]:,}"] if counts.get(name) else None
        address = link(visit, facts, at=facts.at, tab=None if name == "data" else name) + "#tabs"
        return h.a(href=address, aria_current="page" if name == chosen else None)[words, count]

    return h.section("#tabs", class_=["card", {"past": facts.is_past}], aria_label="Details")[
        h.nav(".tabs", aria_label="Details")[[way(name, words) for name, words in tabs.items()]],
        h.div("#panel", data_tab=chosen)[await panel(visit, facts, chosen)],
    ]


async def panel(visit: Visit, facts: Facts, name: str) -> h.Node:
    """What a tab shows, or the sentence that says why it cannot be read."""
    shown = await readable(_PANELS[name](visit, facts))
    return h.p(".problem")[shown] if isinstance(shown, str) else shown


async def _data(visit: Visit, facts: Facts) -> h.Node:
    def whole(pointer: str) -> str:
        return link(visit, facts, "value", of="agent", at=facts.at, pointer=f"/data{pointer}")

    if not facts.agent.data:
        return h.p(".hint")["This workflow has no data."]
    return [tree(dict(facts.agent.data), whole), h.p(".meta")[more(whole(""), "All data on a page of their own")]]


async def _conversation(visit: Visit, facts: Facts) -> h.Node:
    last = min(version_in(visit, "last") or _MESSAGES, _MOST_MESSAGES)
    found = await read_messages(visit.service.runner.store, facts.head, last + 1)
    if not found:
        return h.p(".hint")["Nobody has said anything."]
    is_more = len(found) > last and last < _MOST_MESSAGES
    earlier = link(visit, facts, at=facts.at, tab="conversation", last=min(4 * last, _MOST_MESSAGES)) + "#tabs"
    return [
        h.p(".pages")[h.a(href=earlier)["Earlier messages"]] if is_more else None,
        h.ol(".messages")[[message_entry(visit, facts.now.id, facts.at, message) for message in found[-last:]]],
    ]


def message_entry(visit: Visit, agent_id: str, at: int | None, placed: Placed) -> h.Node:
    """One message: whose words, when, and what is no text of its own below."""
    thread, message = placed
    other = None if thread == own_thread(agent_id) else thread

    def whole(pointer: str) -> str:
        return visit.link(
            "agents", agent_id, "value", of="message", at=at, thread=other, number=message.number, pointer=pointer
        )

    covers = message.covers if message.role is Role.SUMMARY else 0
    return h.li(class_=str(message.role))[
        h.p(".said")[
            h.strong[str(message.role)],
            [" ", isolated(one_line(message.by))] if message.by else None,
            f" stands for the messages up to {covers} " if covers else " ",
            moment(moment_of(message.at_ms)),
        ],
        h.div(".words", dir="auto")[text(message.content, whole("/content"), _LONGEST_WORDS)]
        if message.content
        else None,
        [_part(dict(part), whole, number) for number, part in enumerate(message.parts)],
    ]


def _part(part: dict[str, Json], whole: Callable[[str], str], place: int) -> h.Node:
    """A tool call, its result, or what a library has kept."""

    def inside(pointer: str) -> str:
        return whole(f"/parts/{place}{pointer}")

    kind, name = str(part.get("type", "")), part.get("name")
    is_error = part.get("is_error") is True
    return h.details(class_=["part", {"problem": is_error}])[
        h.summary[
            kind.replace("_", " "),
            [" ", h.code(dir="auto")[visible(str(name))]] if name is not None else None,
            " failed" if is_error else None,
        ],
        tree({key: value for key, value in part.items() if key not in ("type", "name")}, inside, most=200),
    ]


async def _effects(visit: Visit, facts: Facts) -> h.Node:
    entries = await visit.service.runner.store.effects(facts.now.id)
    shown = [entry for entry in entries if not facts.is_past or entry.activation <= facts.head.version]
    if not shown:
        return h.p(".hint")["It has done nothing to the world outside."]
    rest = len(shown) - _MOST_ROWS
    return [
        h.p(".hint")[f"The last {_MOST_ROWS} of {len(shown):,}."] if rest > 0 else None,
        effects_table(visit, facts.now, shown[-_MOST_ROWS:]),
    ]


def effects_table(visit: Visit, now: Head, entries: Sequence[EffectEntry]) -> h.Node:
    names = ("Effect", "Step", "Mode", "Begun", "Result")
    return h.table(".rows")[
        h.thead[h.tr[[h.th(scope="col")[name] for name in names]]],
        h.tbody[[_effect(visit, now, entry) for entry in entries]],
    ]


def _effect(visit: Visit, now: Head, entry: EffectEntry) -> h.Node:
    address = visit.link("agents", now.id, "value", of="effect", key=entry.key, pointer="/result")
    use = f" no. {entry.use}" if entry.use > 1 else ""
    return h.tr[
        h.td(data_name="Effect")[h.strong(dir="auto")[visible(entry.name)], use],
        h.td(data_name="Step")[
            h.a(href=visit.link("agents", now.id, "steps", str(entry.activation)))[str(entry.activation)]
        ],
        h.td(data_name="Mode")[str(entry.mode).replace("_", " ")],
        h.td(data_name="Begun")[moment(moment_of(entry.begun_ms))],
        h.td(data_name="Result")[_outcome(now, entry, address)],
    ]


def _outcome(now: Head, entry: EffectEntry, address: str) -> h.Node:
    """The result. No result comes later to an effect that is open when its activation is over."""
    if entry.is_open:
        is_under_way = now.status is Status.RUNNING and now.activation == entry.activation
        return h.span(".meta")["no result yet"] if is_under_way else h.strong(".problem")["in doubt"]
    if isinstance(entry.result, dict | list) and entry.result:
        return h.a(href=address, dir="auto")[brief(entry.result)]
    return text(entry.result, address, _LONGEST_RESULT) if isinstance(entry.result, str) else brief(entry.result)


async def _children(visit: Visit, facts: Facts) -> h.Node:
    """All agents that it has ever started as part of its work, those of its last work first."""
    parents = await _parents(visit.service.runner.store, facts.now.id)
    wanted = {child_id(*parent): parent for parent in parents[:_MOST_ROWS]}
    found = {head.id: head for head in await visit.service.runner.store.heads(list(wanted))}
    rows = [found[name] for name, parent in wanted.items() if name in found and found[name].parent == parent]
    if not parents:
        return h.p(".hint")["No agent has worked for it."]
    names = ("Child", "Step", "Status", "State", "Why")
    return [
        h.p(".hint")[f"The first {_MOST_ROWS} of {len(parents):,}."] if len(parents) > _MOST_ROWS else None,
        h.table(".rows")[
            h.thead[h.tr[[h.th(scope="col")[name] for name in names]]], h.tbody[[_child(visit, head) for head in rows]]
        ],
    ]


async def _parents(store: Store, agent_id: str) -> list[Parent]:
    """What the children say of whom they work for, the last work first."""
    works = [
        (entry.activation, len(entry.result))
        for entry in await store.effects(agent_id)
        if entry.name == CHILDREN and isinstance(entry.result, list)
    ]
    return [Parent(agent_id, work, number) for work, count in reversed(works) for number in range(1, count + 1)]


def _child(visit: Visit, head: Head) -> h.Node:
    why = f"{head.problem.type}: {head.problem.message}" if head.problem and head.status is not Status.RUNNING else ""
    return h.tr[
        h.td(data_name="Child")[agent_link(visit, head.id)],
        h.td(data_name="Step")[_step_of(visit, head)],
        h.td(data_name="Status")[status_badge(head.status)],
        h.td(data_name="State", dir="auto")[head.state],
        h.td(".problem", data_name="Why", dir="auto")[one_line(why, _LONGEST_RESULT)],
    ]


def _step_of(visit: Visit, child: Head) -> h.Node:
    """The step that began the work."""
    if child.parent is None:
        return None
    began = str(child.parent.activation)
    return h.a(href=visit.link("agents", child.parent.id, "steps", began))[began]


_PANELS: Final[Mapping[str, Panel]] = {
    "data": _data,
    "conversation": _conversation,
    "effects": _effects,
    "children": _children,
}

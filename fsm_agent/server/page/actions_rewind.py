"""Rewind and fork: an earlier version brought back by a new step, or given to a new agent."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

import htpy as h
from starlette.responses import Response

from fsm_agent.domain.agent import ENDED, LONGEST_ID, Agent, Head, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.replay.restore import difference
from fsm_agent.server.page.actions import Plan, Trouble, action_page, children_ended, done, interrupted, present, state
from fsm_agent.server.page.agent_facts import agent_id_of, version_in
from fsm_agent.server.page.agent_tabs import effects_table
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.step_changes import changes_of, changes_table
from fsm_agent.server.page.texts import isolated
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import agent_link, namespace_field

_MOST_EFFECTS: Final = 100
_LONGEST_ID: Final = str(LONGEST_ID)


async def confirm_rewind(visit: Visit) -> Response:
    """``GET /agents/{id}/rewind``; ``to`` is the version."""
    version = version_in(visit, "to")
    if version is None:
        return await _choice(visit, "Rewind", "rewind", "to", "Which version is to be brought back?")
    return await _rewind_page(visit, version, None)


async def rewind(visit: Visit) -> Response:
    """``POST /agents/{id}/rewind``."""
    version = version_in(visit, "to") or 0

    async def act(expected: int) -> Agent:
        runner, agent_id = visit.service.runner, agent_id_of(visit)
        back = await runner.rewind(agent_id, version, by=visit.caller.name, expect_version=expected, drive=False)
        return back.agent

    return await done(visit, act, lambda trouble: _rewind_page(visit, version, trouble))


async def _rewind_page(visit: Visit, version: int, trouble: Trouble | None) -> Response:
    now = await present(visit)
    then = await visit.service.histories.at(now.head, version)
    head = now.head
    told: list[h.Node] = [
        f"A new step, {head.version + 1:,}, brings back what version {version:,} was. No step is lost.",
        [_way(head, then.head), _at_rest(then)],
        _messages(head, then.head),
        f"{head.queued} queued events are refused." if head.queued else None,
        _held(head),
        interrupted(head),
        await children_ended(visit, head),
        _timers(then.head),
    ]
    effects = await _since(visit, then.head, version)
    plan = Plan(
        f"Rewind {head.id} to version {version:,}?",
        told,
        "Rewind",
        visit.link("agents", head.id, "rewind", to=version),
        {},
        below=[_data(visit, now, then), _effects(visit, head, effects)],
        is_grave=True,
    )
    return action_page(visit, head, plan, trouble)


def _way(now: Head, then: Head) -> h.Node:
    if now.state == then.state:
        return ["It is in ", state(then.state), " again. "]
    return ["It goes from ", state(now.state), " to ", state(then.state), ". "]


def _at_rest(then: Aggregate) -> h.Node:
    """How an agent stands that was brought back."""
    head = then.head
    if head.status in ENDED:
        return f"There it is {head.status}."
    action = then.program.state(head.state).do
    if head.activation and action:
        return ["There it stands still, parked, until somebody lets it do ", h.code[isolated(action)], "."]
    return "There it asks its question anew." if head.asked else "There it waits."


def _messages(now: Head, then: Head) -> h.Node:
    """How many messages are hidden."""
    hidden = _said(now) - _said(then)
    return f"{hidden:,} messages since then are hidden from it." if hidden > 0 else None


def _said(head: Head) -> int:
    return sum(span.upto - span.after for span in head.talk.spans(head.id))


def _held(head: Head) -> h.Node:
    held = head.problem.held if head.problem and head.status is Status.PARKED else None
    return ["The event ", h.code[isolated(held.name)], ", with which it was parked, is refused."] if held else None


def _timers(then: Head) -> h.Node:
    labels = ", ".join(timer.label for timer in then.timers)
    return f"Its timers begin anew, for their whole time: {labels}." if labels else None


async def _since(visit: Visit, then: Head, version: int) -> Sequence[EffectEntry]:
    """The effects that were begun since, as a rewind tells them."""
    found = await visit.service.runner.store.effects(then.id, activation=then.activation or version + 1)
    return [entry for entry in found if entry.activation > version or entry.begun_ms >= then.updated_ms]


def _effects(visit: Visit, head: Head, effects: Sequence[EffectEntry]) -> h.Node:
    if not effects:
        return None
    rest = len(effects) - _MOST_EFFECTS
    return h.section(".card")[
        h.h2["What was done since, and stays done"],
        effects_table(visit, head, effects[:_MOST_EFFECTS]),
        h.p(".meta")[f"and {rest:,} more"] if rest > 0 else None,
    ]


def _data(visit: Visit, now: Aggregate, then: Aggregate) -> h.Node:
    """How the data change."""
    changes = list(changes_of(difference(now.folded.values, then.folded.values), now.folded.values))
    if not changes:
        return h.p(".hint")["The data are the same as they were."]

    def at(version: int, pointer: str) -> str:
        return visit.link("agents", now.head.id, "value", of="agent", at=version, pointer=f"/data{pointer}")

    return h.section(".card")[
        h.h2["How its data change"],
        changes_table(
            changes,
            lambda pointer: at(now.head.version, pointer),
            lambda pointer: at(then.head.version, pointer),
            at(then.head.version, ""),
            ("Now", "Then"),
        ),
    ]


async def confirm_fork(visit: Visit) -> Response:
    """``GET /agents/{id}/fork``; ``version`` is where it begins, by default the present one."""
    return await _fork_page(visit, None)


async def fork(visit: Visit) -> Response:
    """``POST /agents/{id}/fork``. The original is not changed, so it does not matter whether that has moved on."""

    async def act(expected: int) -> Agent:
        new, key = (visit.sent("id") or "").strip() or None, visit.sent("key") or None
        version = version_in(visit, "version") or expected
        return await visit.service.runner.fork(agent_id_of(visit), version, id=new, key=key, by=visit.caller.name)

    return await done(visit, act, lambda trouble: _fork_page(visit, trouble))


async def _fork_page(visit: Visit, trouble: Trouble | None) -> Response:
    store = visit.service.runner.store
    head = await store.head(agent_id_of(visit))
    version = version_in(visit, "version") or head.version
    then = await visit.service.histories.at(head, version)
    told: list[h.Node] = [
        [f"A new agent begins as {head.id} was at version {version:,}, in ", state(then.head.state), "."],
        _at_rest(then),
        "It has a history, keys and messages of its own from there on. To fork does nothing to the world outside.",
        [agent_link(visit, head.id), " stays as it is."],
    ]
    plan = Plan(
        f"Fork {head.id} from version {version:,}?",
        told,
        "Fork",
        visit.link("agents", head.id, "fork", version=version),
        {"key": secrets.token_urlsafe(12)},
        fields=_new_id(visit.sent("id") or ""),
    )
    return action_page(visit, head, plan, trouble)


def _new_id(typed: str) -> h.Node:
    return h.div(".form.field")[
        h.label(for_="new-id")["Id of the new agent"],
        h.p("#new-id-hint.hint")["One is made if you leave it empty."],
        h.input("#new-id", name="id", type="text", value=typed, maxlength=_LONGEST_ID, aria_describedby="new-id-hint"),
    ]


async def _choice(visit: Visit, title: str, way: str, name: str, asks: str) -> Response:
    """A page that asks for the version first."""
    head = await visit.service.runner.store.head(agent_id_of(visit))
    return page(
        visit,
        f"{title} {head.id}",
        h.nav(".crumbs", aria_label="Place")[agent_link(visit, head.id)],
        h.h1[f"{title} {head.id}"],
        h.p[h.a(href=visit.link("agents", head.id) + "#timeline")["The timeline"], " tells what each version was."],
        h.form(".event", method="get", action=visit.link("agents", head.id, way))[
            namespace_field(visit),
            h.div(".form.field")[
                h.label(for_="version")[asks],
                h.input(
                    "#version",
                    name=name,
                    type="number",
                    required=True,
                    min="1",
                    max=str(head.version),
                    value=str(max(head.version - 1, 1)),
                ),
            ],
            h.button(".main")["See what will happen"],
        ],
        place="agents",
        styles=("forms.css", "agent.css"),
    )

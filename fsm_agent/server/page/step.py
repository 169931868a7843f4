"""The page of one step: who, when and why, what came with it, and the data before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import htpy as h
from starlette.responses import Response

from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.step import Step
from fsm_agent.domain.step import moment as moment_of
from fsm_agent.domain.usage import NO_USAGE
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.errors import FsmAgentError, VersionMissing
from fsm_agent.report.amounts import dollars
from fsm_agent.report.times import lasting
from fsm_agent.server.page.agent_facts import agent_id_of, readable, said, version_of
from fsm_agent.server.page.agent_messages import messages_of_step
from fsm_agent.server.page.agent_tabs import effects_table, message_entry
from fsm_agent.server.page.agent_timeline import title, way
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.step_changes import changes_of, changes_table
from fsm_agent.server.page.texts import isolated, visible
from fsm_agent.server.page.values import Whole, pairs, text, tree
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import agent_link, moment
from fsm_agent.server.tokens import Scope

_STYLES = ("agent.css",)
#: characters
_LONGEST_REASON = 4_000


@dataclass(frozen=True)
class Told:
    """A step, and what is known of the agent around it."""

    now: Head
    step: Step
    #: before and after it; a sentence says why it is not known
    before: Aggregate | str | None
    after: Aggregate | str


async def step(visit: Visit) -> Response:
    """``GET /agents/{id}/steps/{version}``."""
    told = await _told(visit)
    version, agent_id = told.step.version, told.now.id
    name = title(told.step)
    return page(
        visit,
        f"Step {version} of {agent_id}",
        h.nav(".crumbs", aria_label="Place")[agent_link(visit, agent_id), " / step ", str(version)],
        h.div(".title-row")[
            h.h1(dir="auto")[h.span(".quiet")[f"{version} "], visible(name)],
            _neighbours(visit, told),
            _actions(visit, told),
        ],
        _facts(visit, told),
        _payload(visit, told),
        _changes(visit, told),
        await _messages(visit, told),
        await _effects(visit, told),
        _data(visit, told),
        place="agents",
        styles=_STYLES,
    )


async def _told(visit: Visit) -> Told:
    agent_id, store = agent_id_of(visit), visit.service.runner.store
    version = version_of(str(visit.request.path_params["version"]))
    now = await store.head(agent_id)
    found = await store.history(agent_id, after=version - 1, limit=1)
    if not found or found[0].version != version:
        first = await store.history(agent_id, limit=1)
        is_forgotten = version < now.version
        raise VersionMissing(
            agent_id, version, first[0].version if first else now.version, now.version, is_forgotten=is_forgotten
        )
    before = await _at(visit, now, version - 1) if version > 1 else None
    return Told(now, found[0], before, await _at(visit, now, version))


async def _at(visit: Visit, now: Head, version: int) -> Aggregate | str:
    try:
        return await visit.service.histories.at(now, version)
    except FsmAgentError as error:
        return said(error)


def _neighbours(visit: Visit, told: Told) -> h.Node:
    """The ways to the step before and the step after."""

    def there(version: int, words: str, rel: str) -> h.Node:
        if not 0 < version <= told.now.version:
            return h.span(".button", aria_hidden="true")[words]
        return h.a(".button", rel=rel, href=visit.link("agents", told.now.id, "steps", str(version)))[words]

    version = told.step.version
    return h.nav(".buttons", aria_label="Steps")[
        there(version - 1, "◀ Previous", "prev"), there(version + 1, "Next ▶", "next")
    ]


def _actions(visit: Visit, told: Told) -> h.Node:
    version, agent_id = told.step.version, told.now.id
    can = visit.may(Scope.OPERATE)
    return h.div(".actions")[
        h.a(".button", href=visit.link("agents", agent_id, at=version))["The agent as it was then"],
        h.a(".button", href=visit.link("agents", agent_id, "rewind", to=version))["Rewind …"] if can else None,
        h.a(".button", href=visit.link("agents", agent_id, "fork", version=version))["Fork …"] if can else None,
    ]


def _facts(visit: Visit, told: Told) -> h.Node:
    step_ = told.step
    reason = visit.link("agents", told.now.id, "value", of="step", at=step_.version, pointer="/reason")
    return pairs(
        {
            "Kind": str(step_.kind),
            "Event": h.code(dir="auto")[visible(step_.event)],
            "Way": way(step_),
            "By": isolated(step_.by) if step_.by is not None else None,
            "At": moment(moment_of(step_.at_ms)),
            "Took": lasting(step_.duration_ms) if step_.duration_ms is not None else None,
            "Why": text(step_.reason, reason, _LONGEST_REASON) if step_.reason else None,
            "Models": _usage(step_),
        }
    )


def _usage(step_: Step) -> str | None:
    usage = step_.usage
    if usage == NO_USAGE:
        return None
    cost = f", {dollars(usage.cost_micros)}" if usage.cost_micros else ""
    return f"{usage.requests} requests, {usage.input_tokens:,} tokens in, {usage.output_tokens:,} out{cost}"


def _payload(visit: Visit, told: Told) -> h.Node:
    if not told.step.payload:
        return None
    return h.section(".card")[
        h.h2["Payload"], tree(dict(told.step.payload), lambda inner: _whole(visit, told, f"/payload{inner}"))
    ]


def _whole(visit: Visit, told: Told, pointer: str) -> str:
    return visit.link("agents", told.now.id, "value", of="step", at=told.step.version, pointer=pointer)


def _changes(visit: Visit, told: Told) -> h.Node:
    before = told.before.folded.values if isinstance(told.before, Aggregate) else None
    changes = list(changes_of(told.step.delta, before))
    if not changes:
        return None
    version = told.step.version
    return h.section(".card")[
        h.h2["Changes"],
        h.p(".hint")["What was before is not known: ", told.before] if isinstance(told.before, str) else None,
        changes_table(
            changes, _data_at(visit, told, version - 1), _data_at(visit, told, version), _whole(visit, told, "/delta")
        ),
    ]


def _data_at(visit: Visit, told: Told, version: int) -> Whole:
    agent_id = told.now.id
    return lambda pointer: visit.link("agents", agent_id, "value", of="agent", at=version, pointer=f"/data{pointer}")


async def _messages(visit: Visit, told: Told) -> h.Node:
    if not told.step.said or not isinstance(told.after, Aggregate):
        return None
    before = told.before.head if isinstance(told.before, Aggregate) else None
    store, after = visit.service.runner.store, told.after
    found = await readable(messages_of_step(store, before, after.head))
    if isinstance(found, str):
        return h.section(".card")[h.h2["Messages"], h.p(".problem")[found]]
    return h.section(".card")[
        h.h2["Messages"],
        h.ol(".messages")[[message_entry(visit, told.now.id, told.step.version, each) for each in found]],
    ]


async def _effects(visit: Visit, told: Told) -> h.Node:
    """What the action did whose work led to the step, and what the one did that the step began."""
    before = told.before.head if isinstance(told.before, Aggregate) else None
    wanted = {
        "Effects of the work that led here": before.activation if before else 0,
        "Effects of the work that began here": told.step.version,
    }
    first = min((each for each in wanted.values() if each), default=0)
    found = await readable(visit.service.runner.store.effects(told.now.id, activation=first))
    if isinstance(found, str):
        return h.section(".card")[h.h2["Effects"], h.p(".problem")[found]]
    return [
        _effects_of(visit, told, words, [each for each in found if each.activation == work])
        for words, work in wanted.items()
    ]


def _effects_of(visit: Visit, told: Told, words: str, entries: Sequence[EffectEntry]) -> h.Node:
    return h.section(".card")[h.h2[words], effects_table(visit, told.now, entries)] if entries else None


def _data(visit: Visit, told: Told) -> h.Node:
    """All of the data before and after, folded."""
    return h.section(".card")[
        h.h2["All data"],
        _folded(visit, told, told.before, "Before", told.step.version - 1),
        _folded(visit, told, told.after, "After", told.step.version),
    ]


def _folded(visit: Visit, told: Told, known: Aggregate | str | None, words: str, version: int) -> h.Node:
    if known is None:
        return None
    if isinstance(known, str):
        return h.p(".hint")[f"{words}: ", known]

    return h.details[h.summary[words], tree(dict(known.folded.values), _data_at(visit, told, version))]

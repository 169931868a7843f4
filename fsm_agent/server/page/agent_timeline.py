"""The steps of an agent, the newest first: who, when, why, from where to where, and what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import htpy as h

from fsm_agent.data.delta import place
from fsm_agent.domain.agent import Head
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Delta, Step
from fsm_agent.domain.step import moment as moment_of
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.report.times import lasting
from fsm_agent.server.page.texts import brief, isolated, one_line, visible
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import moment
from fsm_agent.stores.base import Store

#: steps of a page
PAGE: Final = 50
#: newer steps that are shown beside one of the past
_AROUND: Final = 10
#: changes that are listed; characters of a value and of a reason
_MOST_CHANGES: Final = 20
_LONGEST_VALUE: Final = 200
_LONGEST_REASON: Final = 200
#: characters of a name
_LONGEST_NAME: Final = 40
#: what a field holds that was not given
_EMPTY: Final[tuple[Json, ...]] = (None, "", [], {})
#: fields that are named
_MOST_NAMED: Final = 4


class Timeline(NamedTuple):
    """Some steps, the newest first."""

    steps: Sequence[Step]
    #: versions: below the first of them there are older ones, above the last newer ones
    older: int | None
    newer: int | None


async def read_timeline(
    store: Store, head: Head, *, before: int | None = None, at: int | None = None, since: int | None = None
) -> Timeline:
    """The steps below the version ``before``; those around ``at``; or else the last ones. With ``since``, only those
    above that version. Raises ``AgentDamaged``."""
    last = head.version
    if before is not None:
        last = min(max(before - 1, 1), last)
    elif at is not None:
        last = min(at + _AROUND, last)
    found = await store.history(head.id, after=max(last - PAGE - 1, 0), limit=PAGE + 1)
    steps = [step for step in reversed(found) if (since or 0) < step.version <= last]
    is_older, shown = len(steps) > PAGE, steps[:PAGE]
    return Timeline(shown, shown[-1].version if is_older else None, last + 1 if last < head.version else None)


def timeline_card(visit: Visit, head: Head, timeline: Timeline | str, *, at: int | None) -> h.Node:
    """The card. Its head has a place for what the script says of the connection and of steps that are new."""
    return h.section("#timeline.card", aria_labelledby="timeline-title")[
        h.div(".bar")[
            h.h2("#timeline-title")["Timeline"],
            h.p(".live", role="status")[h.span("#live")[""]],
        ],
        h.p(".problem")[timeline] if isinstance(timeline, str) else _steps(visit, head, timeline, at),
    ]


def _steps(visit: Visit, head: Head, timeline: Timeline, at: int | None) -> h.Node:
    def there(words: str, before: int | None) -> h.Node:
        return h.a(href=visit.link("agents", head.id, at=at, before=before) + "#timeline")[words]

    newer, older = timeline.newer, timeline.older
    newest = None if at is None else head.version + 1
    rows = [entry(visit, head.id, step, is_shown=step.version == at) for step in timeline.steps]
    return [
        h.p(".pages")[there("Newest steps", newest), " ", there("Newer", min(newer + PAGE, head.version + 1))]
        if newer
        else None,
        h.ol("#steps", reversed=True, data_newest=newer is None)[rows],
        h.p("#older.pages")[there("Older steps", older) if older else _beginning(timeline)],
    ]


def _beginning(timeline: Timeline) -> h.Node:
    """What stands where there are no older steps."""
    if timeline.steps and timeline.steps[-1].version == 1:
        return None
    return h.span(".hint")["Older steps are forgotten: the history was shortened."]


def entry(visit: Visit, agent_id: str, step: Step, *, is_shown: bool = False) -> h.Node:
    """One step."""
    address = visit.link("agents", agent_id, "steps", str(step.version))
    return h.li(
        id=f"step-{step.version}",
        class_=f"kind-{step.kind}",
        aria_current="step" if is_shown else None,
        value=step.version,
    )[
        h.a(".version", href=address, title=f"Step {step.version}")[f"{step.version}"],
        h.div(".what")[
            h.span(".happened")[
                h.strong(dir="auto")[visible(title(step))], _kind(step), h.span(".way")[way(step)], _took(step)
            ],
            h.span(".when")[_who(step), moment(moment_of(step.at_ms))],
            _reason(step),
            _changes(step, address),
        ],
    ]


def title(step: Step) -> str:
    """What happened, in a word or two."""
    label = step.kind.facts.label
    if step.kind.facts.restores:
        return label.format_map(step.payload)
    return f"after {step.payload['after']}" if step.event == "after" and "after" in step.payload else step.event


def _kind(step: Step) -> h.Node:
    is_plain = step.kind in (StepKind.EVENT, StepKind.CREATED) or step.kind.facts.restores
    return None if is_plain else h.span(".badge")[step.kind.facts.label]


def way(step: Step) -> h.Node:
    if step.source is None or step.source == step.target:
        again = " again" if step.source is not None and step.entered else ""
        return [isolated(step.target), again]
    return [isolated(step.source), " → ", isolated(step.target)]


def _who(step: Step) -> h.Node:
    if step.by is None:
        return None
    return h.span(".who", title=visible(step.by[:_LONGEST_REASON]))[isolated(one_line(step.by, _LONGEST_NAME))]


def _took(step: Step) -> h.Node:
    """How long the action worked, and how many messages came of it."""
    told = [] if step.duration_ms is None else [lasting(step.duration_ms)]
    if step.said:
        told.append(f"{step.said} message{'' if step.said == 1 else 's'}")
    return h.span(".meta")[", ".join(told)] if told else None


def _reason(step: Step) -> h.Node:
    return h.span(".reason", dir="auto")[one_line(step.reason, _LONGEST_REASON)] if step.reason else None


def _changes(step: Step, address: str) -> h.Node:
    """What came with the step and what it changed, folded."""
    if not step.delta and not step.payload:
        return None
    names = [one_line(name, _LONGEST_NAME) for name in _fields(step)]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    verb = "began with" if step.kind is StepKind.CREATED else "changed"
    told = f"{verb} {', '.join(names[:_MOST_NAMED])}{more}" if names else "data" if step.delta else "payload"
    return h.details[
        h.summary(dir="auto")[told],
        [h.p(".meta")["payload"], _pairs("Payload", step.payload)]
        if step.payload and not step.kind.facts.restores
        else None,
        h.p(".meta")["changes"] if step.delta and step.payload else None,
        diff(step.delta),
        h.p(".meta")[h.a(href=address)["All of this step"]],
    ]


def _fields(step: Step) -> Sequence[str]:
    """The fields that changed; those that an agent began with if there is something in them."""
    if step.kind is not StepKind.CREATED:
        return step.delta.fields
    return [name for name, value in step.delta.set.items() if value not in _EMPTY]


def _pairs(name: str, values: Mapping[str, Json]) -> h.Node:
    rows = [
        (h.dt(dir="auto")[visible(each)], h.dd(dir="auto")[brief(value, _LONGEST_VALUE)])
        for each, value in values.items()
    ]
    return h.dl(".diff", aria_label=name)[rows[:_MOST_CHANGES]]


def diff(delta: Delta) -> h.Node:
    """What a step changed, value by value."""
    rows = list(_changed(delta))
    if not rows:
        return None
    rest = len(rows) - _MOST_CHANGES
    return [
        h.dl(".diff", aria_label="Changes")[
            [
                (h.dt(dir="auto")[visible(name)], h.dd(class_=kind, dir="auto")[value])
                for name, kind, value in rows[:_MOST_CHANGES]
            ]
        ],
        h.p(".meta")[f"and {rest:,} more"] if rest > 0 else None,
    ]


def _changed(delta: Delta) -> Iterator[tuple[str, str, h.Node]]:
    """Place, class, and what is said of each change."""
    for pointer, value in delta.set.items():
        yield place(pointer), "set", ["= ", h.ins[brief(value, _LONGEST_VALUE)]]
    for pointer, items in delta.append.items():
        for item in items[:_MOST_CHANGES]:
            yield place(pointer), "append", ["+ ", h.ins[brief(item, _LONGEST_VALUE)]]
    for pointer in delta.remove:
        yield place(pointer), "remove", h.del_["removed"]

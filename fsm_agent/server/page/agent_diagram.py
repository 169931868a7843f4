"""The diagram of an agent's workflow, with where it is and the path that it has taken, and the way through its past."""

from __future__ import annotations

import json
from collections.abc import Mapping

import htpy as h

from fsm_agent.domain.step import moment as moment_of
from fsm_agent.server.diagrams import Drawing
from fsm_agent.server.histories import Mark
from fsm_agent.server.page.agent_facts import Facts, link
from fsm_agent.server.page.svg import marked
from fsm_agent.server.page.texts import visible
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import moment, namespace_field
from fsm_agent.server.tokens import Scope


async def draw(visit: Visit, facts: Facts) -> tuple[Drawing, Mapping[str, Mark]]:
    """The diagram and its marks. Raises ``RenderFailed``, ``AgentDamaged``."""
    drawn = await visit.service.drawings.of(facts.workflow)
    return drawn, await visit.service.histories.marks(facts.workflow, facts.now, facts.head)


def classes(marks: Mapping[str, Mark]) -> dict[str, str]:
    """Id of an element -> the classes that mark it."""
    return {name: " ".join(_classes(mark)) for name, mark in marks.items()}


def _classes(mark: Mark) -> list[str]:
    return ["touched", *(["taking"] if mark.is_last else []), *(["here"] if mark.is_here else [])]


def diagram_card(
    visit: Visit, facts: Facts, drawn: tuple[Drawing, Mapping[str, Mark]] | str, *, is_drawn: bool = True
) -> h.Node:
    """The card with the diagram, and the scrubber below it. If it is not ``is_drawn``, only its marks are there."""
    return h.section("#diagram", class_=["card", {"past": facts.is_past}], aria_labelledby="diagram-title")[
        h.div(".bar")[h.h2("#diagram-title")["Diagram"], h.div("#zoom", role="group", aria_label="Zoom")],
        h.p(".problem")[drawn] if isinstance(drawn, str) else _picture(facts, *drawn, is_drawn=is_drawn),
        scrubber(visit, facts),
    ]


def _picture(facts: Facts, drawn: Drawing, marks: Mapping[str, Mark], *, is_drawn: bool) -> h.Node:
    classed, told = classes(marks), _told(facts, drawn, marks)
    holder = h.div(".picture", data_definition=facts.workflow.hash, data_marks=json.dumps(classed), data_told=told)
    return holder[marked(drawn, told, classed) if is_drawn else None]


def _told(facts: Facts, drawn: Drawing, marks: Mapping[str, Mark]) -> str:
    """The picture in words."""
    been = [state for state, name in drawn.ids.items() if name in marks and state != facts.head.state]
    path = f" It has been in {', '.join(been)}." if been else ""
    where = f"{'was' if facts.is_past else 'is'} in {facts.head.state}"
    return visible(f"Diagram of workflow {facts.workflow.name}. The agent {where}.{path} The timeline tells its path.")


def scrubber(visit: Visit, facts: Facts) -> h.Node:
    """The way through the versions. Without a script it is a form."""
    last, at = facts.now.version, facts.head.version
    return h.div("#scrubber")[
        h.form(".scrub", method="get", action=link(visit, facts))[
            namespace_field(visit),
            _arrow(visit, facts, "earlier", at - 1),
            h.input("#at", type="range", name="at", min="1", max=str(last), value=str(at), aria_label="Version"),
            _arrow(visit, facts, "later", at + 1),
            h.output(for_="at")[f"{at:,} of {last:,}"],
            h.button(".go")["Show"],
        ],
        h.p("#when", class_={"past": facts.is_past})[_when(visit, facts)],
    ]


def _arrow(visit: Visit, facts: Facts, name: str, at: int) -> h.Node:
    """The way to the version before or after, if there is one."""
    sign, words = ("◀", "One version back") if name == "earlier" else ("▶", "One version on")
    if not 0 < at <= facts.now.version:
        return h.span(".button", id=name, aria_hidden="true")[sign]
    address = link(visit, facts, at=None if at == facts.now.version else at)
    return h.a(".button", id=name, href=address, aria_label=words, data_at=str(at))[sign]


def _when(visit: Visit, facts: Facts) -> h.Node:
    """Whether this is the past, and the way back to now."""
    if not facts.is_past:
        return h.span(".hint")["This is now. Move the slider to look back."]
    at, can = facts.head.version, visit.may(Scope.OPERATE)
    return [
        h.span[h.strong["The past"], ", as of ", moment(moment_of(facts.head.updated_ms))],
        h.a(".button.main", href=link(visit, facts), data_at=str(facts.now.version))["Back to now"],
        h.a(".button", href=link(visit, facts, "rewind", to=at))["Rewind …"] if can else None,
        h.a(".button", href=link(visit, facts, "fork", version=at))["Fork …"] if can else None,
    ]

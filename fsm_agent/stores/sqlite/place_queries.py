"""Queries for the places of agents: which ones are wanted, in which order, by which index.

They are put together from words of this module alone; what a caller gives is bound by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from fsm_agent.domain.agent import Status
from fsm_agent.domain.selection import Selection
from fsm_agent.stores import codec
from fsm_agent.stores.sqlite.connection import Connection, one

#: As many agents of some statuses are sorted by id; of more a walk in order of id soon meets enough.
_FEW: Final = 5_000
_STATUSES: Final = tuple(Status)

_BY_ID: Final = "ORDER BY id LIMIT :limit"
_BY_AGE: Final = "ORDER BY second DESC, id DESC LIMIT :limit"
_BY_URGENCY: Final = "ORDER BY due_ms, created_ms, id LIMIT :limit"
_BEYOND: Final = "(due_ms, created_ms, id) > (:due_ms, :created_ms, {after})"

#: How the id is bound that a page goes on after. One that is no text is bound as bytes: an index is searched no further
#: than to what is compared with them.
TEXT: Final = ":after"
BYTES: Final = "CAST(:after AS TEXT)"

_PLACE: Final = "0 AS first, {0}.created_ms AS second, {0}.id AS id"
#: A status that no fsm-agent knows belongs to any.
_IN_STATUSES: Final = "((:statuses >> heads.status) & 1 OR heads.status NOT BETWEEN 1 AND 6)"
#: A definition that is gone may have had any name.
_OF_WORKFLOW: Final = """
(workflow IN (SELECT workflow FROM definitions WHERE name = :workflow)
 OR workflow NOT IN (SELECT workflow FROM definitions))
"""
_SERVING: Final = "labels.name = x'40' AND labels.text = :user"
_LABELLED: Final = "labels.name = :name AND labels.text = :text"
_NAMED: Final = "labels.name = :name"
_ALSO_SERVING: Final = """
EXISTS (SELECT 1 FROM labels AS users WHERE users.namespace = :namespace AND users.name = x'40'
        AND users.text = :user AND users.id = labels.id)
"""
_ALSO_NAMED: Final = "labels.id IN (SELECT id FROM labels WHERE namespace = :namespace AND name = :name)"


def questions(workflow: str | None, after: str | None) -> str:
    """Of open questions, the most urgent first; ``after`` is ``TEXT`` or ``BYTES`` if they begin after a place."""
    beyond = [_BEYOND.format(after=after)] if after else []
    return f"SELECT due_ms AS first, created_ms AS second, id {_asking(workflow, *beyond)} {_BY_URGENCY}"


def question_count(workflow: str | None) -> str:
    return f"SELECT count(*) {_asking(workflow)}"


def _asking(workflow: str | None, *more: str) -> str:
    wanted = ["namespace = :namespace", "who = :who", *more, *([_OF_WORKFLOW] if workflow is not None else [])]
    return f"FROM questions WHERE {' AND '.join(wanted)}"


def by_id(selection: Selection, after: str | None, *, is_few: bool) -> str:
    """In order of id; ``is_few`` if the statuses of the selection are rare."""
    beyond = [f"{{table}}.id > {after}"] if after else []
    if _is_labelled(selection):
        return f"{_by_label(selection, beyond)} {_BY_ID}"
    if is_few:
        return f"{_by_status(selection, beyond)} {_BY_ID}"
    wanted = [_IN_STATUSES] if selection.statuses else []
    return f"{_walk('', selection, [*wanted, *beyond])} {_BY_ID}"


def by_age(selection: Selection, after: str | None) -> str:
    """The newest first."""
    beyond = [f"({{table}}.created_ms, {{table}}.id) < (:created_ms, {after})"] if after else []
    places = _by_label(selection, beyond) if _is_labelled(selection) else _by_status(selection, beyond)
    return f"{places} {_BY_AGE}"


def is_few(db: Connection, namespace: str, statuses: Collection[Status]) -> bool:
    """Whether these statuses are rare."""
    count = 0
    for status in set(statuses):
        count += _count(db, namespace, codec.status_number(status))
        if count > _FEW:
            return False
    return True


def _count(db: Connection, namespace: str, status: int) -> int:
    found = one(db, _COUNT, namespace, status, _FEW + 1)
    return int(found[0]) if found else 0


_COUNT: Final = """
SELECT count(*) FROM (SELECT 1 FROM heads INDEXED BY by_status WHERE namespace = ? AND status = ? LIMIT ?)
"""


def _is_labelled(selection: Selection) -> bool:
    return selection.user is not None or selection.label is not None


def _by_label(selection: Selection, beyond: list[str]) -> str:
    user, label = selection.user, selection.label
    match user, label:
        case None, (_, None):
            wanted = [_NAMED]
        case None, _:
            wanted = [_LABELLED]
        case _, None:
            wanted = [_SERVING]
        case _, (_, None):
            wanted = [_SERVING, _ALSO_NAMED]
        case _:
            wanted = [_LABELLED, _ALSO_SERVING]
    wanted += [each.format(table="labels") for each in beyond]
    of_head = [*([_IN_STATUSES] if selection.statuses else []), *_of_head(selection)]
    join = "CROSS JOIN heads USING (namespace, id)" if of_head else ""
    conditions = " AND ".join(["labels.namespace = :namespace", *wanted, *of_head])
    return f"SELECT {_PLACE.format('labels')} FROM labels {join} WHERE {conditions}"  # noqa: S608 - see the module


def _by_status(selection: Selection, beyond: list[str]) -> str:
    """From the index, status by status; those that no fsm-agent knows stand before and behind all others."""
    numbers = sorted({codec.status_number(status) for status in selection.statuses or _STATUSES})
    ranges = ["heads.status < 1", *(f"heads.status = {number}" for number in numbers), "heads.status > 6"]
    return " UNION ALL ".join(_walk("INDEXED BY by_status", selection, [each, *beyond]) for each in ranges)


def _walk(index: str, selection: Selection, wanted: list[str]) -> str:
    more = [each.format(table="heads") for each in wanted]
    conditions = " AND ".join(["heads.namespace = :namespace", *more, *_of_head(selection)])
    return f"SELECT {_PLACE.format('heads')} FROM heads {index} WHERE {conditions}"  # noqa: S608 - see the module


def _of_head(selection: Selection) -> Iterator[str]:
    if selection.workflow is not None:
        yield _OF_WORKFLOW
    if selection.state is not None:
        yield "heads.state = :state"

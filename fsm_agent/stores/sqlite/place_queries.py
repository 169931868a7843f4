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

#: Agents of some statuses are rare up to here: then all of them are looked at. Of more, a walk soon meets enough.
_FEW: Final = 5_000
#: Of so many of the newest it is looked whether they are in a state, before all agents are.
SAMPLE: Final = 5_000

_BY_ID: Final = "ORDER BY id LIMIT :limit"
_BY_AGE: Final = "ORDER BY second DESC, id DESC LIMIT :limit"
_BY_URGENCY: Final = "ORDER BY due_ms, created_ms, id LIMIT :limit"

#: How the id is bound that a page goes on after. One that is no text is bound as bytes: an index is searched no further
#: than to what is compared with them.
TEXT: Final = ":after"
BYTES: Final = "CAST(:after AS TEXT)"

_PLACE: Final = "0 AS first, {0}.created_ms AS second, {0}.id AS id"
#: A status that no fsm-agent knows belongs to any.
_IN_STATUSES: Final = "((:statuses >> heads.status) & 1 OR heads.status NOT BETWEEN 1 AND 6)"
_IN_STATE: Final = "heads.state = :state"
#: A definition that is gone may have had any name.
_OF_WORKFLOW: Final = """
(workflow IN (SELECT workflow FROM definitions WHERE name = :workflow)
 OR workflow NOT IN (SELECT workflow FROM definitions))
"""
#: Of the table ``labels``, or of the id of an agent that another table has found.
_SERVING: Final = "labels.name = x'40' AND labels.text = :user"
_LABELLED: Final = "labels.name = :name AND labels.text = :text"
_NAMED: Final = "labels.name = :name"
_SERVING_ID: Final = """
EXISTS (SELECT 1 FROM labels AS users
        WHERE users.namespace = :namespace AND users.name = x'40' AND users.text = :user AND users.id = {id})
"""
_LABELLED_ID: Final = """
EXISTS (SELECT 1 FROM labels AS others
        WHERE others.namespace = :namespace AND others.name = :name AND others.text = :text AND others.id = {id})
"""
_NAMED_ID: Final = "{id} IN (SELECT id FROM labels WHERE namespace = :namespace AND name = :name)"


def questions(workflow: str | None, after: str | None) -> str:
    """The query for open questions, the most urgent first; ``after`` is ``TEXT`` or ``BYTES`` if there is a place."""
    beyond = [f"(due_ms, created_ms, id) > (:due_ms, :created_ms, {after})"] if after else []
    return f"SELECT due_ms AS first, created_ms AS second, id {_asking(workflow, *beyond)} {_BY_URGENCY}"


def question_count(workflow: str | None) -> str:
    return f"SELECT count(*) {_asking(workflow)}"


def _asking(workflow: str | None, *more: str) -> str:
    wanted = ["namespace = :namespace", "who = :who", *more, *([_OF_WORKFLOW] if workflow is not None else [])]
    return f"FROM questions WHERE {' AND '.join(wanted)}"


def by_id(selection: Selection, after: str | None, *, is_few: bool) -> str:
    """In order of id; ``is_few`` if the statuses of the selection are rare."""
    beyond = [f"{{table}}.id > {after}"] if after else []
    if is_few:
        return f"{_by_status(selection, beyond)} {_BY_ID}"
    if is_labelled(selection):
        return f"{_by_label(selection, beyond)} {_BY_ID}"
    return f"{_walk(selection, beyond)} {_BY_ID}"


def by_age(selection: Selection, after: str | None, *, is_few: bool) -> str:
    """The newest first."""
    beyond = _older(after)
    is_by_label = is_labelled(selection) and not is_few
    return f"{_by_label(selection, beyond) if is_by_label else _by_status(selection, beyond)} {_BY_AGE}"


def sampled_by_age(selection: Selection, after: str | None) -> str:
    """The newest first, of those in a state: as many as are among the newest in any state."""
    newest = _by_status(selection._replace(state=None), _older(after))
    return f"""
    SELECT newest.first, newest.second, newest.id FROM ({newest} ORDER BY second DESC, id DESC LIMIT :sample) AS newest
    CROSS JOIN heads ON heads.namespace = :namespace AND heads.id = newest.id WHERE {_IN_STATE} LIMIT :limit
    """  # noqa: S608 - see the module


def walked_by_age(selection: Selection, after: str | None) -> str:
    """The newest first, by a look at all agents."""
    return f"{_walk(selection, _older(after))} {_BY_AGE}"


def is_few(db: Connection, namespace: str, statuses: Collection[Status]) -> bool:
    """Whether these statuses are rare; all of them together are not."""
    counts = [_count(db, namespace, codec.status_number(status)) for status in set(statuses)]
    return len(counts) > 0 and sum(counts) <= _FEW


def _count(db: Connection, namespace: str, status: int) -> int:
    found = one(db, _COUNT, namespace, status, _FEW + 1)
    return int(found[0]) if found else 0


_COUNT: Final = """
SELECT count(*) FROM (SELECT 1 FROM heads INDEXED BY by_status WHERE namespace = ? AND status = ? LIMIT ?)
"""


def is_labelled(selection: Selection) -> bool:
    return selection.user is not None or selection.label is not None


def _older(after: str | None) -> list[str]:
    return [f"({{table}}.created_ms, {{table}}.id) < (:created_ms, {after})"] if after else []


def _by_label(selection: Selection, beyond: list[str]) -> str:
    match selection.user, selection.label:
        case None, (_, None):
            wanted = [_NAMED]
        case None, _:
            wanted = [_LABELLED]
        case _, None:
            wanted = [_SERVING]
        case _, (_, None):
            wanted = [_SERVING, _NAMED_ID.format(id="labels.id")]
        case _:
            wanted = [_LABELLED, _SERVING_ID.format(id="labels.id")]
    wanted += [each.format(table="labels") for each in beyond]
    of_head = [*([_IN_STATUSES] if selection.statuses else []), *_of_head(selection)]
    join = "CROSS JOIN heads USING (namespace, id)" if of_head else ""
    conditions = " AND ".join(["labels.namespace = :namespace", *wanted, *of_head])
    return f"SELECT {_PLACE.format('labels')} FROM labels {join} WHERE {conditions}"  # noqa: S608 - see the module


def _by_status(selection: Selection, beyond: list[str]) -> str:
    """From the index, status by status; those that no fsm-agent knows stand before and behind all others."""
    numbers = sorted({codec.status_number(status) for status in selection.statuses or tuple(Status)})
    ranges = ["heads.status < 1", *(f"heads.status = {number}" for number in numbers), "heads.status > 6"]
    wanted = [*beyond, *_of_labels(selection), *_of_head(selection)]
    return " UNION ALL ".join(_heads("INDEXED BY by_status", [each, *wanted]) for each in ranges)


def _walk(selection: Selection, beyond: list[str]) -> str:
    return _heads("", [*([_IN_STATUSES] if selection.statuses else []), *beyond, *_of_head(selection)])


def _heads(index: str, wanted: list[str]) -> str:
    conditions = " AND ".join(["heads.namespace = :namespace", *(each.format(table="heads") for each in wanted)])
    return f"SELECT {_PLACE.format('heads')} FROM heads {index} WHERE {conditions}"  # noqa: S608 - see the module


def _of_labels(selection: Selection) -> Iterator[str]:
    if selection.user is not None:
        yield _SERVING_ID.format(id="heads.id")
    if selection.label is not None:
        yield (_NAMED_ID if selection.label[1] is None else _LABELLED_ID).format(id="heads.id")


def _of_head(selection: Selection) -> Iterator[str]:
    if selection.workflow is not None:
        yield _OF_WORKFLOW
    if selection.state is not None:
        yield _IN_STATE

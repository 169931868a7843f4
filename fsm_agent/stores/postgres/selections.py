"""What finds agents, one query for each combination of what is looked for, so that each has the plan of its index.

Statuses stand in a query as they are, and so does about how many rows are wanted: both decide about the plan, which is
made once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from fsm_agent.domain.selection import ANYBODY, Selection
from fsm_agent.stores import codec
from fsm_agent.stores.postgres.queries import HEAD_COLUMNS, SELECT_HEAD

_HERE: Final = "head.namespace = %(namespace)s"
HEADS: Final = f"{SELECT_HEAD} WHERE {_HERE} AND head.id = ANY (%(ids)s::text[])".encode()
_HEADS: Final = "FROM fsm_agent.agents AS head"
_JOINED: Final = "AS found JOIN fsm_agent.agents AS head USING (agent)"
_CREATED: Final = f"FROM fsm_agent.creations {_JOINED}"
_LABELLED: Final = f"FROM fsm_agent.labels {_JOINED}"
_ADDRESSED: Final = f"FROM fsm_agent.addressees {_JOINED}"
_DEFINED: Final = "LEFT JOIN fsm_agent.definitions USING (workflow)"

#: A head that cannot be read is not counted, as far as a query can tell. All have a number above 0: that offers an
#: index in whose order the rows stand.
TALLY: Final = f"""
SELECT head.name, head.state, head.status, count(*)
FROM fsm_agent.agents AS head JOIN fsm_agent.definitions USING (workflow)
WHERE {_HERE} AND head.agent > 0 AND head.cold LIKE '[%]'
GROUP BY head.name, head.state, head.status
""".encode()


def array(texts: Iterable[str]) -> str:
    """Texts as an array is written."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


def select_query(selection: Selection, *, newest: bool, is_next: bool, limit: int) -> bytes:
    """The heads of a selection, at least ``limit``; an id that was emptied stands on the first page, which is not
    ``is_next``."""
    return _select_query(
        tuple(sorted(codec.status_number(status) for status in set(selection.statuses))),
        tuple(name for name in ("workflow", "state", "user") if getattr(selection, name) is not None),
        has_text=None if selection.label is None else selection.label[1] is not None,
        newest=newest,
        is_next=is_next,
        rows=_rows(limit),
    )


def _rows(limit: int) -> int:
    """A power of two that is as large, so that there are few queries."""
    return 1 << max(limit - 1, 0).bit_length()


@cache
def _select_query(
    statuses: tuple[int, ...],
    given: tuple[str, ...],
    *,
    has_text: bool | None,
    newest: bool,
    is_next: bool,
    rows: int,
) -> bytes:
    """``has_text`` is whether a label must have a text; ``None`` is no label at all."""
    source, place, columns = _source(given, is_labelled=has_text is not None, newest=newest)
    conditions = [_HERE, *(f"{columns[name]} = %({name})s" for name in given)]
    if place != "head":
        conditions.append(f"{place}.namespace = %(namespace)s")
    if has_text is not None:
        conditions.append("found.name = %(name)s" + (" AND found.label = %(label)s" if has_text else ""))
    if statuses:
        conditions.append(f"head.status IN ({', '.join(map(str, statuses))})")
    if newest and is_next:
        conditions.append(f"({place}.created_ms, {place}.id) < (%(after_ms)s::bigint, %(after)s)")
    elif not newest:
        conditions.append(f"{place}.id {'>' if is_next else '>='} %(after)s")
    order = f"{place}.created_ms DESC, {place}.id DESC" if newest else f"{place}.id"
    where = " AND ".join(conditions)
    return f"SELECT {HEAD_COLUMNS} {source} {_DEFINED} WHERE {where} ORDER BY {order} LIMIT {rows}".encode()


def _source(given: tuple[str, ...], *, is_labelled: bool, newest: bool) -> tuple[str, str, Mapping[str, str]]:
    """Where a selection is looked for, by which name the places of its agents go there, and by which what is given."""
    columns = {"workflow": "head.name", "state": "head.state"}
    if is_labelled:
        served = " JOIN fsm_agent.creations USING (agent)" if "user" in given else ""
        return _LABELLED + served, "found", {**columns, "user": "creations.serves"}
    if newest or "user" in given:
        return _CREATED, "found", {**columns, "workflow": "found.name", "user": "found.serves"}
    return _HEADS, "head", columns


def questions_query(to: str | None, *, by_workflow: bool, is_next: bool, limit: int) -> bytes:
    """The heads of those who ask, at least ``limit``; each row ends with when its question lapses."""
    rows = _rows(limit)
    branches = [
        _asking(source, place, conditions, by_workflow=by_workflow, is_next=is_next, rows=rows)
        for source, place, conditions in _branches(to)
    ]
    if len(branches) == 1:
        return branches[0].encode()
    both = " UNION ALL ".join(f"({branch})" for branch in branches)
    return f"SELECT * FROM ({both}) AS asking ORDER BY asked_due, created_ms, id LIMIT {rows}".encode()


def count_query(to: str | None, *, by_workflow: bool) -> bytes:
    """How many ask."""
    counts = []
    for source, _, conditions in _branches(to):
        where = " AND ".join([*conditions, *_of_workflow(by_workflow=by_workflow)])
        counts.append(f"(SELECT count(*) {source} WHERE {where})")
    return f"SELECT {' + '.join(counts)}".encode()


def _branches(to: str | None) -> list[tuple[str, str, list[str]]]:
    """Where those who ask are found, by which name their places go there, and what must be true: a question to several
    people stands in a table of its own."""
    if to is None:
        return [(_HEADS, "head", [_HERE, "head.asked_due IS NOT NULL"])]
    alone = (_HEADS, "head", [_HERE, "head.asked_to = %(to)s"])
    if to == ANYBODY:
        return [alone]
    return [alone, (_ADDRESSED, "found", ["found.namespace = %(namespace)s", "found.who = %(to)s"])]


def _asking(source: str, place: str, conditions: list[str], *, by_workflow: bool, is_next: bool, rows: int) -> str:
    order = f"{place}.asked_due, {place}.created_ms, {place}.id"
    where = [*conditions, *_of_workflow(by_workflow=by_workflow)]
    if is_next:
        where.append(f"({order}) > (%(after_due)s::bigint, %(after_ms)s::bigint, %(after)s)")
    return (
        f"SELECT {HEAD_COLUMNS}, head.asked_due {source} {_DEFINED} WHERE {' AND '.join(where)} "
        f"ORDER BY {order} LIMIT {rows}"
    )


def _of_workflow(*, by_workflow: bool) -> list[str]:
    return ["head.name = %(workflow)s"] if by_workflow else []

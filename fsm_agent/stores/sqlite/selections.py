"""Agents that a caller looks for, in the order in which they are wanted.

A query names their places, by the index that finds the fewest, and the heads that stand there are read past those that
are damaged. A place is an id and what comes before it in the order: deadline and creation of who asks, the creation
alone of the newest, nothing of those by id. So a page goes on after any place, whoever has stood there.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeAlias

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.record import Damage, Page
from fsm_agent.domain.selection import QuestionPage, QuestionPlace, Selection, Tally
from fsm_agent.errors import AgentDamaged
from fsm_agent.stores import codec
from fsm_agent.stores.damage import UNREADABLE, damage_of, damaged
from fsm_agent.stores.pages import newest_text
from fsm_agent.stores.sqlite import indexes, place_queries, writes
from fsm_agent.stores.sqlite.connection import Connection, Row

#: What a query is given, by the names that stand in it.
Values: TypeAlias = dict[str, Any]

#: In the order of ``places``, which is an outer loop: no join can change it.
_HEADS: Final = f"""
SELECT places.first, places.second, places.id, {writes.KEPT}
FROM ({{places}}) AS places LEFT JOIN heads ON heads.namespace = :namespace AND heads.id = places.id
LEFT JOIN definitions USING (workflow)
"""  # noqa: S608 - no value is part of it
_PLACES: Final = "SELECT first, second, CAST(id AS BLOB) FROM ({places})"
_ONE: Final = f"{writes.SELECT_HEAD} WHERE namespace = :namespace AND id = CAST(:id AS TEXT)"
#: Versions of a workflow are told apart by their definitions; what is counted is by its name.
_TALLY: Final = """
SELECT CAST(name AS BLOB), CAST(state AS BLOB), status, agents FROM definitions JOIN (
    SELECT workflow, state, status, count(*) AS agents FROM heads WHERE namespace = :namespace GROUP BY 1, 2, 3
) USING (workflow)
"""
_THESE: Final = "SELECT 0 AS first, 0 AS second, value AS id FROM json_each(:ids)"


class _Found(NamedTuple):
    """A place, and who stands there; ``None`` is nobody."""

    first: int
    second: int
    id: str
    agent: Head | Damage | None


def heads(db: Connection, namespace: str, agent_ids: Collection[str]) -> Sequence[Head]:
    """See ``Store.heads``."""
    wanted = set(agent_ids)
    found = _read(db, _THESE, {"namespace": namespace, "ids": codec.encode(list(wanted))})
    return [agent for *_, agent in found if isinstance(agent, Head) and agent.id in wanted]


def questions(
    db: Connection, namespace: str, *, to: str | None, workflow: str | None, limit: int, after: QuestionPlace | None
) -> QuestionPage:
    """See ``Store.questions``."""
    values: Values = {"namespace": namespace, "who": indexes.who(to), "workflow": workflow, "limit": limit + 1}
    beyond = None
    if after is not None:
        due_ms = indexes.NO_DEADLINE if after.due_ms is None else after.due_ms
        values |= {"due_ms": due_ms, "created_ms": after.created_ms}
        beyond, values["after"] = _bound(after.agent_id)
    found = _read(db, place_queries.questions(workflow, beyond), values)
    following = None
    if len(found) > limit:
        due_ms, created_ms, agent_id, _ = found[limit - 1]
        following = QuestionPlace(None if due_ms == indexes.NO_DEADLINE else due_ms, created_ms, agent_id)
    agents, damage = _parted(found[:limit])
    return QuestionPage(agents, following, damage)


def count_questions(db: Connection, namespace: str, to: str | None, workflow: str | None) -> int:
    """See ``Store.count_questions``."""
    values = {"namespace": namespace, "who": indexes.who(to), "workflow": workflow}
    return int(_rows(db, place_queries.question_count(workflow), values)[0][0])


def is_quick(selection: Selection, *, newest: bool) -> bool:
    """Whether an index leads to no more agents than are wanted: then nothing else has to be looked for in their heads.
    Those of some statuses are found in order of age, and may have to be looked for in order of id."""
    named = [each for each in (selection.user, selection.label) if each is not None]
    looked_for = [each for each in (selection.workflow, selection.state) if each is not None]
    if selection.label is not None and selection.label[1] is None:
        return False
    return not looked_for and len(named) + bool(selection.statuses) <= (1 if named or newest else 0)


def select(db: Connection, namespace: str, selection: Selection, *, limit: int, after: str | None) -> Page:
    """See ``Store.select``, in order of id."""
    values, beyond = _values(namespace, selection, limit), None
    if after is not None:
        beyond, values["after"] = _bound(after)
    is_few = place_queries.is_few(db, namespace, selection.statuses)
    found = _read(db, place_queries.by_id(selection, beyond, is_few=is_few), values)
    agents, damage = _parted(found[:limit])
    return Page(agents, found[limit - 1].id if len(found) > limit else None, damage)


def newest(db: Connection, namespace: str, selection: Selection, *, limit: int, after: tuple[int, str] | None) -> Page:
    """See ``Store.select``, the newest first."""
    values, beyond = _values(namespace, selection, limit), None
    if after is not None:
        beyond, values["after"] = _bound(after[1])
        values["created_ms"] = after[0]
    is_few = place_queries.is_few(db, namespace, selection.statuses)
    if selection.state is None or is_few or place_queries.is_labelled(selection):
        found = _read(db, place_queries.by_age(selection, beyond, is_few=is_few), values)
    else:
        found = _read(db, place_queries.sampled_by_age(selection, beyond), values)
        if len(found) <= limit:
            found = _read(db, place_queries.walked_by_age(selection, beyond), values)
    agents, damage = _parted(found[:limit])
    return Page(agents, _older_than(found[limit - 1]) if len(found) > limit else None, damage)


def tally(db: Connection, namespace: str) -> Sequence[Tally]:
    """See ``Store.tally``."""
    counts: Counter[tuple[str, str, Status]] = Counter()
    for name, state, number, agents in _rows(db, _TALLY, {"namespace": namespace}):
        with suppress(*UNREADABLE):
            counts[name.decode(), state.decode(), codec.status_of(number)] += agents
    return [Tally(*kind, agents) for kind, agents in sorted(counts.items())]


def _older_than(place: _Found) -> str | None:
    """The place as ``Store.select`` names it. Before all times only damaged agents were created."""
    return newest_text(min(place.second, _LAST_MS), place.id) if place.second >= 0 else None


#: The last time that ``pages.newest_place`` reads. A damaged agent may have been created after it.
_LAST_MS: Final = 9_999_999_999_999_999


def _values(namespace: str, selection: Selection, limit: int) -> Values:
    values: Values = {"namespace": namespace, "limit": limit + 1, "sample": place_queries.SAMPLE}
    values |= {"workflow": selection.workflow, "state": selection.state}
    values["statuses"] = sum(1 << codec.status_number(status) for status in set(selection.statuses))
    if selection.user is not None:
        values["user"] = indexes.as_bytes(selection.user)
    if selection.label is not None:
        name, text = selection.label
        values["name"] = indexes.NAMED + indexes.as_bytes(name)
        values["text"] = None if text is None else indexes.as_bytes(text)
    return values


def _parted(found: Sequence[_Found]) -> tuple[tuple[Head, ...], tuple[Damage, ...]]:
    agents = tuple(agent for *_, agent in found if isinstance(agent, Head))
    return agents, tuple(agent for *_, agent in found if isinstance(agent, Damage))


def _read(db: Connection, places: str, values: Values) -> list[_Found]:
    try:
        found = _rows(db, _HEADS.format(places=places), values)
        return [_Found(first, second, agent_id, _agent(kept)) for first, second, agent_id, *kept in found]
    except UnicodeDecodeError:
        return [*_read_one_by_one(db, places, values)]


def _read_one_by_one(db: Connection, places: str, values: Values) -> Iterator[_Found]:
    for first, second, kept_id in _rows(db, _PLACES.format(places=places), values):
        agent_id = kept_id.decode("utf-8", "surrogateescape")
        agent: Head | Damage | None = None
        try:
            for row in _rows(db, _ONE, {"namespace": values["namespace"], "id": kept_id}):
                agent = _agent(row)
        except UnicodeDecodeError as error:
            agent = damage_of(damaged(agent_id, "heads", error))
        yield _Found(first, second, agent_id, agent)


def _agent(kept: Sequence[Any]) -> Head | Damage | None:
    """The agent in the columns of ``writes.KEPT``."""
    if kept[0] is None:
        return None
    try:
        return writes.kept_of(kept).head
    except AgentDamaged as error:
        return damage_of(error)


def _rows(db: Connection, query: str, values: Values) -> list[Row]:
    return db.at_hand.execute(query, values).fetchall()


def _bound(agent_id: str) -> tuple[str, str | bytes]:
    """The id that a page goes on after, and how it stands in a query."""
    kept_id = agent_id.encode("utf-8", "surrogateescape")
    is_text = kept_id.decode(errors="replace") == agent_id
    return (place_queries.TEXT, agent_id) if is_text else (place_queries.BYTES, kept_id)

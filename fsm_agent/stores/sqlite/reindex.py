"""What ``indexes`` writes, held against the heads it follows from, and made anew where it differs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from fsm_agent.domain.agent import Head
from fsm_agent.domain.record import Damage
from fsm_agent.domain.step import LATEST_MS, iso
from fsm_agent.errors import AgentDamaged, AgentNotFound
from fsm_agent.stores.damage import UNREADABLE
from fsm_agent.stores.sqlite import indexes, writes
from fsm_agent.stores.sqlite.connection import Connection, one, rows
from fsm_agent.stores.sqlite.due_times import due_of
from fsm_agent.stores.sqlite.indexes import IndexRow, Owner
from fsm_agent.stores.sqlite.transaction import Unit

#: Agents that are read, or mended in one transaction, at a time.
_PAGE: Final = 1_000

#: Agents of a file without indexes of whom more is kept than all have; of all others nothing stands in an index.
_EARLIER: Final = f"""
SELECT CAST(namespace AS BLOB), CAST(id AS BLOB) FROM heads
WHERE (namespace, id) > (CAST(? AS TEXT), CAST(? AS TEXT)) AND iif(json_valid(cold), json_array_length(cold) > 5, FALSE)
ORDER BY namespace, id LIMIT {_PAGE}
"""  # noqa: S608 - no value is part of it
_ALL: Final = f"""
SELECT CAST(id AS BLOB) FROM heads WHERE namespace = ? AND id > CAST(? AS TEXT) ORDER BY id LIMIT {_PAGE}
"""  # noqa: S608 - no value is part of it
_COLUMNS: Final = """
SELECT workflow, created_ms, CAST(asks AS BLOB), due_since_ms FROM heads WHERE namespace = ? AND id = ?
"""
_MEND: Final = "UPDATE heads SET asks = ?, due_since_ms = ? WHERE namespace = ? AND id = ?"
#: Rows, each behind the id of its agent and whether every value is of its column's type: nothing else could be read.
_QUESTIONS: Final = """
SELECT CAST(id AS BLOB), is_sound, namespace, iif(is_sound, who, NULL), due_ms, created_ms, workflow FROM (
    SELECT *, typeof(who) = 'blob' AND typeof(due_ms) = 'integer' AND typeof(created_ms) = 'integer'
           AND typeof(workflow) = 'integer' AS is_sound
    FROM questions WHERE namespace = ? AND id IS NOT NULL)
"""
_LABELS: Final = """
SELECT CAST(id AS BLOB), is_sound, namespace, iif(is_sound, name, NULL), iif(is_sound, text, NULL), created_ms FROM (
    SELECT *, typeof(name) = 'blob' AND typeof(text) = 'blob' AND typeof(created_ms) = 'integer' AS is_sound
    FROM labels WHERE namespace = ? AND id IS NOT NULL)
"""
#: Where the id of the agent stands in a row.
_ID_OF_QUESTION: Final = 4
_ID_OF_LABEL: Final = 3
#: A row that is none.
_UNSOUND: Final[IndexRow] = ()


class Indexed(NamedTuple):
    """What indexes have of one agent: its rows, what it asks, and when it is due."""

    questions: frozenset[IndexRow] = frozenset()
    labels: frozenset[IndexRow] = frozenset()
    asks: bytes | None = None
    due_since_ms: int | None = None


class Difference(NamedTuple):
    """An agent, and what an index has of it that its head does not say, or the other way round."""

    damage: Damage
    found: Indexed


def fill(db: Connection) -> int:
    """Index the agents of a file of an earlier version; returns how many there was something to index of."""
    filled, last = 0, (b"", b"")
    while page := rows(db, _EARLIER, *last):
        for namespace, agent_id in page:
            with suppress(AgentDamaged, UnicodeDecodeError):
                filled += _fill_one(db, namespace.decode(), agent_id.decode())
        last = page[-1]
    return filled


def _fill_one(db: Connection, namespace: str, agent_id: str) -> bool:
    head = writes.read_agent(db, namespace, agent_id).head
    indexes.keep_index(db, writes.standing(db, namespace, agent_id).owner(namespace, agent_id), head)
    asks = indexes.asks_of(head)
    if asks is not None:
        db.execute("UPDATE heads SET asks = ? WHERE namespace = ? AND id = ?", (asks, namespace, agent_id))
    return asks is not None or head.user is not None


def differences(db: Connection, namespace: str) -> Iterator[Difference]:
    """The differences of all agents whose heads can be read, and of agents that there are not. Where an agent has
    several, each has all of them."""
    rows_of = defaultdict(Indexed, _by_id(db, namespace))
    last = b""
    while page := rows(db, _ALL, namespace, last):
        for (agent_id,) in page:
            found = rows_of.pop(agent_id, Indexed())
            with suppress(AgentDamaged, AgentNotFound, UnicodeDecodeError):
                yield from _of_agent(db, namespace, agent_id.decode(), found)
        (last,) = page[-1]
    for agent_id, found in sorted(rows_of.items()):
        place = "questions" if found.questions else "labels"
        what = "it stands there, and there is no such agent"
        yield Difference(Damage(_text(agent_id), place, what, is_index=True), found)


def _by_id(db: Connection, namespace: str) -> dict[bytes, Indexed]:
    found: dict[bytes, Indexed] = defaultdict(Indexed)
    for agent_id, is_sound, *row in db.execute(_QUESTIONS, (namespace,)):
        row.insert(_ID_OF_QUESTION, _text(agent_id))
        known = found[agent_id]
        found[agent_id] = known._replace(questions=known.questions | {tuple(row) if is_sound else _UNSOUND})
    for agent_id, is_sound, *row in db.execute(_LABELS, (namespace,)):
        row.insert(_ID_OF_LABEL, _text(agent_id))
        known = found[agent_id]
        found[agent_id] = known._replace(labels=known.labels | {tuple(row) if is_sound else _UNSOUND})
    return found


def _of_agent(db: Connection, namespace: str, agent_id: str, rows_found: Indexed) -> Iterator[Difference]:
    owner, found, head = _read(db, namespace, agent_id, rows_found)
    expected = _expected(owner, head, found)
    for place, what in _told(expected, found):
        yield Difference(Damage(agent_id, place, what, is_index=True), found)


def _read(db: Connection, namespace: str, agent_id: str, found: Indexed) -> tuple[Owner, Indexed, Head]:
    head = writes.read_agent(db, namespace, agent_id).head
    row = one(db, _COLUMNS, namespace, agent_id)
    assert row is not None  # noqa: S101 - it was read just now, in the same view
    workflow, created_ms, asks, due_ms = row
    return Owner(namespace, agent_id, created_ms, workflow), found._replace(asks=asks, due_since_ms=due_ms), head


def _expected(owner: Owner, head: Head, found: Indexed) -> Indexed:
    """The stub of a tiered store is due like its agent, or never."""
    asks, due_ms = indexes.asks_of(head), due_of(head) if head.version > 0 else found.due_since_ms
    questions, labels = indexes.question_rows(owner, asks), indexes.label_rows(owner, head)
    return Indexed(frozenset(questions), frozenset(labels), asks, due_ms)


def _told(expected: Indexed, found: Indexed) -> Iterator[tuple[str, str]]:
    """In which table something is wrong, and what."""
    if expected.asks != found.asks:
        yield "heads", "its asks is not what follows from the rest of it"
    if expected.questions != found.questions:
        if not expected.questions:
            yield "questions", "it asks nothing, and the list of open questions has it"
        elif not found.questions:
            yield "questions", "it asks a question, and the list of open questions leaves it out"
        else:
            yield "questions", "the list of open questions has it under another deadline, addressee or workflow"
    if expected.labels != found.labels:
        yield "labels", "it is not found by its labels and its user, or by others"
    if expected.due_since_ms != found.due_since_ms:
        due, right = _due(found.due_since_ms), _due(expected.due_since_ms)
        yield "heads", f"by its due_since_ms it is due {due}, by its head {right}"


def _due(due_ms: object) -> str:
    match due_ms:
        case None:
            return "never"
        case int() if -LATEST_MS <= due_ms <= LATEST_MS:
            since = f" since {iso(-due_ms)}" if due_ms < 0 else ""
            return f"at {iso(due_ms)}" if due_ms > 0 else f"at once{since}"
        case _:
            return "at no time that there is"


def mending(namespace: str, wrong: Sequence[Difference]) -> Unit[int]:
    """Make the indexes of these agents say what their heads say now, whoever has moved them meanwhile."""

    def mend(db: Connection) -> int:
        return sum(_mend(db, namespace, each.damage.agent_id, each.found) for each in wrong)

    return mend


def _mend(db: Connection, namespace: str, agent_id: str, seen: Indexed) -> bool:
    try:
        owner, found, head = _read(db, namespace, agent_id, seen)
        expected = _expected(owner, head, found)
    except (AgentNotFound, UnicodeEncodeError):  # there is no such agent, and so nothing that an index should say of it
        expected = found = Indexed()
    except UNREADABLE:  # nobody can tell what is right
        return False
    _delete(db, namespace, agent_id, Indexed(seen.questions - expected.questions, seen.labels - expected.labels))
    db.executemany(indexes.ASK, list(expected.questions))
    db.executemany(indexes.LABEL, list(expected.labels))
    if (expected.asks, expected.due_since_ms) != (found.asks, found.due_since_ms):
        db.execute(_MEND, (expected.asks, expected.due_since_ms, namespace, agent_id))
    return True


def _delete(db: Connection, namespace: str, agent_id: str, wrong: Indexed) -> None:
    """Delete rows by their keys; what cannot be read, and what has an id that is none, after a look at all rows."""
    kept_id = agent_id.encode("utf-8", "surrogateescape")
    is_text = kept_id.decode(errors="ignore") == agent_id
    if _UNSOUND in wrong.questions or not is_text:
        db.execute(indexes.CLOSE_ALL, (namespace, kept_id))
    else:
        db.executemany(indexes.CLOSE, [row[:5] for row in wrong.questions])
    if _UNSOUND in wrong.labels or not is_text:
        db.execute(indexes.UNLABEL_ALL, (namespace, kept_id))
    else:
        db.executemany(indexes.UNLABEL, [row[:4] for row in wrong.labels])


def _text(agent_id: bytes) -> str:
    return agent_id.decode("utf-8", "surrogateescape")


def batches(wrong: Sequence[Difference]) -> Iterator[list[Difference]]:
    """One difference for each agent, as many as one transaction mends."""
    by_agent = {each.damage.agent_id: each for each in wrong}
    left = list(by_agent.values())
    for begin in range(0, len(left), _PAGE):
        yield left[begin : begin + _PAGE]

"""The index of agents by the questions that they ask, their labels, and whom they serve.

The rows are written with the head. What they are follows from it, so that they can be held against it and made anew:
``heads.asks`` says under what an agent stands in ``questions``, which a step asks before it looks at anything else.

Names and texts are kept as bytes, since not all of what Python calls text is UTF-8.
"""

from typing import Any, Final, NamedTuple, TypeAlias

from fsm_agent.domain.agent import WAITING, Head
from fsm_agent.domain.selection import question_place
from fsm_agent.stores import codec
from fsm_agent.stores.damage import UNREADABLE, checked
from fsm_agent.stores.sqlite.connection import Connection

#: A row of ``questions`` or ``labels``.
IndexRow: TypeAlias = tuple[Any, ...]


class Owner(NamedTuple):
    """The agent to which rows belong: the columns that they have of it."""

    namespace: str
    id: str
    created_ms: int
    #: the number of its definition
    workflow: int


#: No deadline: after every time that there is.
NO_DEADLINE: Final = 2**63 - 1
#: In ``questions.who``: every question, and those to whoever comes. A name stands behind ``NAMED``.
EVERY: Final = b"*"
ANYBODY: Final = b""
NAMED: Final = b"="
#: In ``labels.name``: whom an agent serves. The name of a label stands behind ``NAMED``.
SERVED: Final = b"@"

ASK: Final = "INSERT OR REPLACE INTO questions VALUES (?, ?, ?, ?, ?, ?)"
#: by the first five columns of a row, which are the key
CLOSE: Final = """
DELETE FROM questions WHERE namespace = ? AND who = ? AND due_ms = ? AND created_ms = ? AND id = ?
"""
#: whatever stands in the rows; these two look at every row
CLOSE_ALL: Final = "DELETE FROM questions WHERE namespace = ? AND id = CAST(? AS TEXT)"
UNLABEL_ALL: Final = "DELETE FROM labels WHERE namespace = ? AND id = CAST(? AS TEXT)"
LABEL: Final = "INSERT OR REPLACE INTO labels VALUES (?, ?, ?, ?, ?)"
#: by the first four
UNLABEL: Final = "DELETE FROM labels WHERE namespace = ? AND name = ? AND text = ? AND id = ?"
_ASKS: Final = "UPDATE heads SET asks = ? WHERE namespace = ? AND id = ?"


def asks_of(head: Head) -> bytes | None:
    """What ``heads.asks`` says of an agent."""
    if head.asked is None or head.status is not WAITING:
        return None
    return codec.encode([question_place(head).due_ms, *dict.fromkeys(head.asked.to)]).encode()


def who(to: str | None) -> bytes:
    """``questions.who`` for an addressee, as ``Store.questions`` names one."""
    if to is None:
        return EVERY
    return NAMED + as_bytes(to) if to else ANYBODY


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def question_rows(owner: Owner, asks: bytes | None) -> list[IndexRow]:
    """The rows of what ``heads.asks`` says; raises one of ``UNREADABLE`` for what it never says."""
    if asks is None:
        return []
    namespace, agent_id, created_ms, workflow = owner
    due_ms, *to = checked(list, codec.decode(asks.decode()))
    due_ms = NO_DEADLINE if due_ms is None else checked(int, due_ms)
    whom = [EVERY, *([NAMED + as_bytes(name) for name in to] or [ANYBODY])]
    return [(namespace, each, due_ms, created_ms, agent_id, workflow) for each in whom]


def label_rows(owner: Owner, head: Head) -> list[IndexRow]:
    labels = {NAMED + as_bytes(name): text for name, text in head.labels.items()}
    if head.user is not None:
        labels[SERVED] = head.user
    return [(owner.namespace, name, as_bytes(text), owner.id, owner.created_ms) for name, text in labels.items()]


def keep_index(db: Connection, owner: Owner, head: Head) -> None:
    """Write the rows of an agent that has none; ``heads.asks`` is the caller's."""
    asks = asks_of(head)
    if asks is not None:
        db.executemany(ASK, question_rows(owner, asks))
    if head.labels or head.user is not None:
        db.executemany(LABEL, label_rows(owner, head))


def ask(db: Connection, owner: Owner, *, was: bytes | None, now: bytes | None, workflow: int) -> None:
    """Go along with a step after which the agent asks ``now``, and is pinned to the definition ``workflow``."""
    _close(db, owner, was)
    db.executemany(ASK, question_rows(owner._replace(workflow=workflow), now))
    if was != now:
        db.execute(_ASKS, (now, owner.namespace, owner.id))


def forget(db: Connection, owner: Owner, asks: bytes | None, head: Head | None) -> None:
    """Delete the rows of an agent; ``head`` is ``None`` if it cannot be read."""
    _close(db, owner, asks)
    if head is None:
        db.execute(UNLABEL_ALL, (owner.namespace, as_bytes(owner.id)))
    elif head.labels or head.user is not None:
        db.executemany(UNLABEL, [row[:4] for row in label_rows(owner, head)])


def _close(db: Connection, owner: Owner, asks: bytes | None) -> None:
    try:
        rows = question_rows(owner, asks)
    except UNREADABLE:  # nobody can tell under what they stand
        db.execute(CLOSE_ALL, (owner.namespace, as_bytes(owner.id)))
    else:
        db.executemany(CLOSE, [row[:5] for row in rows])

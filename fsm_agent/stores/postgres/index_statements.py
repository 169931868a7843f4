"""By what agents are found besides their ids: questions, users and labels, as parts of the statements that write.

What most agents have stands in columns of the head, so that a step which neither asks nor answers changes no index:
``asked_due`` and ``asked_to``, null where nothing is asked, and ``serves``. Only labels, and whom a question asks if
those are several, have tables of their own.
"""

from __future__ import annotations

from typing import Final

#: Whether a question is to several people; only a statement that looks after ``addressees`` may change such a head.
ASKS_SEVERAL: Final = "(head.asked_due IS NOT NULL AND head.asked_to IS NULL)"
ASKED: Final = "asked_due = %(asked_due)s::bigint, asked_to = %(asked_to)s"

_NAMES: Final = "json_array_elements_text(%(addressees)s::json) AS told (who)"


def address(source: str) -> list[str]:
    """The parts that make ``addressees`` those of the parameter, for the agent that ``source`` has a row of."""
    return [
        f"""unaddressed AS (
    DELETE FROM fsm_agent.addressees USING {source}
    WHERE addressees.agent = {source}.agent AND addressees.who NOT IN (SELECT who FROM {_NAMES}))""",
        f"""addressed AS (
    INSERT INTO fsm_agent.addressees (agent, asked_due, created_ms, namespace, who, id)
    SELECT agent, %(asked_due)s::bigint, created_ms, %(namespace)s, who, %(id)s FROM {source}, {_NAMES}
    ON CONFLICT (agent, who) DO UPDATE SET asked_due = excluded.asked_due)""",
    ]


def label(source: str) -> str:
    """The part that keeps the labels of a new agent, which ``source`` has a row of."""
    return f"""labelled AS (
    INSERT INTO fsm_agent.labels (agent, created_ms, namespace, id, name, label)
    SELECT agent, created_ms, %(namespace)s, %(id)s, told.row->>0, told.row->>1
    FROM {source}, json_array_elements(%(labels)s::json) AS told (row))"""

"""The index of agents by questions, users, labels and age, as parts of the statements that write.

A question stands in two columns of the head, null where nothing is asked: so a step that neither asks nor answers
changes no index. Whom it asks, if those are several, and what never changes have tables of their own.
"""

from __future__ import annotations

from typing import Final

#: Whether a question is to several people; only a statement that looks after ``addressees`` may change such a head.
ASKS_SEVERAL: Final = "(head.asked_due IS NOT NULL AND head.asked_to IS NULL)"
ASKED: Final = "asked_due = %(asked_due)s::bigint, asked_to = %(asked_to)s"
NOT_ASKED: Final = "asked_due = NULL, asked_to = NULL"

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


def create(source: str) -> str:
    """The part that keeps by what a new agent is found, which ``source`` has a row of."""
    return f"""found AS (
    INSERT INTO fsm_agent.creations (agent, created_ms, namespace, id, name, serves)
    SELECT agent, created_ms, %(namespace)s, %(id)s, name, %(serves)s FROM {source})"""


RENAMED: Final = """renamed AS (
    UPDATE fsm_agent.creations SET name = moved.called FROM moved
    WHERE creations.agent = moved.agent AND creations.name <> moved.called)"""


def label(source: str) -> str:
    """The part that keeps the labels of a new agent, which ``source`` has a row of."""
    return f"""labelled AS (
    INSERT INTO fsm_agent.labels (agent, created_ms, namespace, id, name, label)
    SELECT agent, created_ms, %(namespace)s, %(id)s, told.row->>0, told.row->>1
    FROM {source}, json_array_elements(%(labels)s::json) AS told (row))"""

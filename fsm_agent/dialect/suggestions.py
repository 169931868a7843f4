"""Suggestions for people who know another dialect: keys of XState, SCXML, transitions, LangGraph, Step Functions and
others, and forms that are too short.

Keys are compared in the spelling of this dialect: ``onDone``, ``on-done`` and ``OnDone`` become ``on_done``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from fsm_agent.dialect.keys import ASK, EXCLUDES, NEEDS, RETRY, STATE, TRANSITION, WORKFLOW, Table
from fsm_agent.domain.json import Json

#: our key -> keys of other dialects with the same meaning; if two keys of a table have one in common, the first counts
_SAME: Final[Mapping[str, str]] = {
    "when": "guard guards if cond condition conditions unless",
    "target": "to goto next dest destination target_state",
    "assign": "set update mutate result_path",
    "do": "action actions run invoke call function handler task activity resource",
    "with": "args arguments params parameters kwargs input inputs model tools system instructions prompt",
    "final": "end is_final terminal finish",
    "outcome": "status",
    "output": "result return returns done_data donedata output_path data",
    "on": "next edges conditional_edges transitions transition events choices trigger always on_done done error catch "
    "on_error onerror on_failure on_exception on_timeout error_equals errors exceptions retry_on",
    "retry": "retries retry_policy max_retries max_attempts attempts",
    "attempts": "max_attempts max_retries retries tries",
    "backoff": "interval interval_seconds initial_interval initial_delay delay",
    "max": "max_delay max_delay_seconds max_interval max_backoff",
    "timeout": "timeout_seconds heartbeat_seconds time_limit",
    "within": "timeout deadline ttl wall_time max time_limit",
    "after": "delay delays timer timers wait seconds deadline ttl",
    "ask": "question prompt human form interrupt interrupt_before interrupt_after",
    "prompt": "question message text title",
    "events": "answers options choices buttons form",
    "to": "for who assignee assignees user recipient addressee",
    "description": "comment doc docs label title meta metadata tags notes",
    "workflow": "name id machine",
    "data": "context datamodel data_model schema state_schema variables vars fields memory",
    "initial": "start start_at initial_state entry_point",
    "states": "nodes children substates steps",
    "workflows": "subflows subworkflows agents",
    "must": "properties property invariants invariant rules assert asserts assertions spec specs guarantees",
    "never": "forbid forbidden not",
    "reaches": "eventually finally leads_to always_reaches",
    "of": "what count counts",
    "from": "since",
    "whenever": "on when if event events every",
    "holds": "then condition check implies",
    "merge": "reducer reducers",
    "conversation": "thread thread_id messages",
    "limits": "recursion_limit max_steps max_iterations max_turns max_tokens max_cost budget timeout timeout_seconds",
    "steps": "max_steps recursion_limit max_iterations max_turns",
    "tokens": "max_tokens",
    "cost": "max_cost budget",
    "wall_time": "timeout timeout_seconds deadline ttl",
    "max_tokens": "tokens budget window limit",
}

_ON_ERROR: Final = ("error", "catch", "on_error", "onerror", "on_failure", "on_exception")
#: key of another dialect, and the key that is meant -> how to write it, if the name of the key is not enough
_WRITTEN: Final[Mapping[tuple[str, str], str]] = {
    **{(key, "final"): "final: true" for key in _SAME["final"].split()},
    **{(key, "with"): f"with: {{{key}: ...}}" for key in ("model", "tools", "system", "instructions", "prompt")},
    **{(key, "on"): "on: {error: STATE}" for key in _ON_ERROR},
    **{(key, "on"): "on: {EVENT: STATE}" for key in ("next", "edges", "always", "on_done", "done", "trigger")},
    **{(key, "after"): "after: {3d: STATE}" for key in ("delay", "wait", "seconds", "deadline", "ttl")},
    **{(key, "limits"): "limits: {steps: 100}" for key in _SAME["steps"].split()},
    **{(key, "limits"): "limits: {wall_time: 2d}" for key in ("timeout", "timeout_seconds")},
    ("max_tokens", "limits"): "limits: {tokens: 100000}",
    ("max_cost", "limits"): "limits: {cost: 5}",
    ("budget", "limits"): "limits: {cost: 5}",
    **{(key, "ask"): "ask: {prompt: ..., events: [...]}" for key in _SAME["ask"].split()},
    ("on_timeout", "on"): "on: {timeout: STATE}",
    ("unless", "when"): "when: '!(...)'",
}


class _Lack(NamedTuple):
    """Keys without an equal here, and what to do instead. With a table, they are unknown only in that table."""

    keys: str
    instead: str
    table: Table | None = None


_NO_ENTRY: Final = "there are no entry actions; a state works by `do`"
_NO_EXIT: Final = "there are no exit actions; a state works by `do`, and the next work is done in the next state"
_LACKING: Final = (
    _Lack(
        "action actions do run call invoke execute script effect effects before prepare entry exit",
        "a transition changes only data; the state to which it goes works by `do`",
        TRANSITION,
    ),
    _Lack(
        "source from trigger event",
        "a transition stands under `on` of the state that it leaves, by its event",
        TRANSITION,
    ),
    _Lack(
        "after delay timeout wait", "a transition by time stands under `after` of the state that it leaves", TRANSITION
    ),
    _Lack("internal external reenter", "a `target` is always entered; without it the agent stays", TRANSITION),
    _Lack("else otherwise default", "in a list of transitions, the first counts whose `when` holds", TRANSITION),
    _Lack("default else otherwise", "in a list of transitions, the first counts whose `when` holds", STATE),
    _Lack("name id", "the name of a state is its key under `states`", STATE),
    _Lack("edges transitions transition", "transitions stand under `on` of each state", WORKFLOW),
    _Lack("actions guards services actors activities delays", "Python modules are listed in pyproject.toml", WORKFLOW),
    _Lack("timeout deadline after expires ttl", "how long a question may stay open says `after` of its state", ASK),
    _Lack("backoff_rate backoff_factor multiplier factor exponential jitter", "the delay doubles each time", RETRY),
    _Lack("entry on_entry onentry on_enter onenter enter before before_enter after_enter", _NO_ENTRY),
    _Lack("exit on_exit onexit leave on_leave before_leave after_leave", _NO_EXIT),
    _Lack("parallel regions branches", "there are no parallel states; `do: workflow.run` runs agents side by side"),
    _Lack("map iterator items_path for_each max_concurrency", "`do: workflow.run` takes `for_each` under `with`"),
    _Lack("history", "there are no history states"),
    _Lack("raise send emit emits", "an event is what an action returns, or what is sent from outside"),
    _Lack("checkpointer store persistence", "where agents live says --store or pyproject.toml"),
    _Lack("auto_transitions ignore_invalid_triggers queued send_event strict", "only what is declared happens"),
)
#: value of ``type`` in other dialects -> our key
_TYPES: Final[Mapping[str, str]] = {
    "final": "end",
    "succeed": "end",
    "fail": "status",
    "parallel": "parallel",
    "history": "history",
    "map": "map",
    "task": "action",
    "action": "action",
    "choice": "choices",
    "wait": "wait",
}


def meant(key: str, beside: Mapping[str, Json], table: Table) -> str:
    """A suggestion for a key that ``table`` has not, as the end of a sentence: `` (did you mean `x`?)``, or why there
    is no such key. Empty if there is no suggestion. ``beside`` is the mapping that contains the key."""
    written = _as_here(key)
    if written == "type" and isinstance(beside[key], str):
        written = _TYPES.get(beside[key].lower(), written)
    if written in table:
        return f" (did you mean `{written}`?)"
    lack = next((each for each in _LACKING if each.table in (table, None) and written in each.keys.split()), None)
    if lack is not None:
        return f": {lack.instead}"
    same = [known for known, others in _SAME.items() if known in table and written in others.split()]
    if not same:
        return ""
    best = next((known for known in same if _goes_with(known, beside)), same[0])
    return f" (did you mean `{_WRITTEN.get((written, best), best)}`?)"


def _as_here(key: str) -> str:
    """``onDone`` -> ``on_done``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().replace("-", "_")


def _goes_with(key: str, beside: Collection[str]) -> bool:
    """Whether a key of a state makes sense beside these keys."""
    excluded = EXCLUDES["do"] if "do" in beside else ()
    return NEEDS.get(key, key) in {key, *beside} and key not in excluded


#: key whose value is a mapping -> an example
EXAMPLES: Final[Mapping[str, str]] = {
    "ask": "{prompt: 'Are you sure?', events: [yes, no]}",
    "retry": "{attempts: 3, backoff: 1s}",
    "after": "{3d: STATE}",
    "on": "{EVENT: STATE}",
    "with": "{ARGUMENT: data.field}",
    "assign": "{FIELD: event.field}",
    "append": "{FIELD: event.field}",
    "limits": "{steps: 100}",
    "events": "{approve: {}, reject: {reason: string}}",
    "must": "{booked_once: {at_most: 1, of: book}}",
    "data": "{amount: integer, note: string?}",
    "states": "{idle: {on: {go: done}}, done: {final: true}}",
    "output": "{FIELD: data.field}",
}


def example(key: str, value: Json) -> str:
    """An example such as ``: write `ask: {...}` ``, with the given value if it fits; empty if there is none."""
    known = EXAMPLES.get(key)
    if known is None:
        return ""
    if key == "ask" and isinstance(value, str) and len(value) <= 60 and not set(value) & set("'\\\n"):
        known = known.replace("Are you sure?", value)
    if key == "retry" and type(value) is int and 0 < value < 100:
        known = known.replace("3", str(value), 1)
    if key == "after" and isinstance(value, str) and value.isalnum() and len(value) <= 10:
        known = known.replace("3d", value)
    return f": write `{key}: {known}`"

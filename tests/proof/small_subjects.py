"""Small workflows, each about one thing that the prover and SPIN must understand alike, with what is true of it."""

from __future__ import annotations

from typing import NamedTuple

from fsm_agent.domain.signature import Signature
from fsm_agent.loading.yaml_file import loads

from .subjects import Subject

ENDS = "  done: {final: true}\n  failed: {final: true, outcome: failed}\n"
#: a state that leads on by itself, round and round, unless somebody says stop
ROUND = "  a: {after: {1h: b}, on: {stop: done}}\n  b: {after: {1h: a}}\n"
ENDING = "{reaches: [done, failed, cancelled]}"


class Case(NamedTuple):
    """What it is about, the states, the property, whether it is kept, and other keys of the workflow."""

    about: str
    states: str
    must: str
    is_kept: bool
    more: str = ""


CASES = (
    Case("work ends", "  a: {do: work, on: {go: {}, stop: done, error: failed}}\n", ENDING, is_kept=True),
    Case("people may never answer", "  a: {on: {go: {}, stop: done}}\n", ENDING, is_kept=False),
    Case(
        "a question asked by an action may never be answered",
        "  a: {do: human.ask, with: {prompt: Well?, events: [stop]}, on: {stop: done, error: failed}}\n",
        ENDING,
        is_kept=False,
    ),
    Case(
        "somebody else may say what no action claims",
        "  a: {do: toil, on: {stop: {}, error: failed}}\n",
        "{never: error, after: stop}",
        is_kept=False,
    ),
    Case(
        "nobody else may say what the action claims",
        "  a: {do: work, on: {stop: {}, error: failed}}\n",
        "{never: error, after: stop}",
        is_kept=True,
    ),
    Case(
        "but what it does not claim",
        "  a: {do: work, on: {pay: {}, error: failed}}\n",
        "{never: error, after: pay}",
        is_kept=False,
    ),
    Case("the shortest timer fires first", "  a: {after: {1d: failed, 1h: done}}\n", "{never: failed}", is_kept=True),
    Case("and is over", "  a: {after: {1h: {}, 1d: failed}}\n", "{never: failed}", is_kept=False),
    Case("a timer fires, whoever says what", "  a: {after: {1h: done}, on: {go: {}}}\n", ENDING, is_kept=True),
    Case("but it begins anew with its state", "  a: {after: {1h: done}, on: {go: a}}\n", ENDING, is_kept=False),
    Case("round and round", ROUND, ENDING, is_kept=False),
    Case("with a limit of steps", ROUND, ENDING, is_kept=True, more="limits: {steps: 9}\n"),
    Case("with a limit of visits", ROUND, ENDING, is_kept=True, more="limits: {visits: {b: 9}}\n"),
    Case("with one that does not count here", ROUND, ENDING, is_kept=False, more="limits: {visits: {done: 9}}\n"),
    Case(
        "which counts nothing where somebody cancels",
        "  a: {after: {1h: done}, on: {cancel: a}}\n",
        ENDING,
        is_kept=False,
        more="limits: {visits: {a: 9}}\n",
    ),
    Case(
        "with a limit of time, where an action works",
        "  a: {after: {1h: b}}\n  b: {do: work, on: {stop: a, error: failed}}\n",
        ENDING,
        is_kept=True,
        more="limits: {wall_time: 9d}\n",
    ),
    Case(
        "with a budget, where a model is asked",
        "  a: {after: {1h: b}}\n  b: {do: llm.generate, with: {prompt: Go, emit: go}, on: {go: a, error: failed}}\n",
        ENDING,
        is_kept=True,
        more="limits: {tokens: 9}\n",
    ),
    Case("an operator sees to what is parked", "  a: {do: work, on: {stop: done}}\n", ENDING, is_kept=True),
    Case("which can happen", "  a: {do: work, on: {stop: done}}\n", "{never: parked}", is_kept=False),
    Case(
        "but not where errors are handled",
        "  a: {do: work, on: {stop: done, error: failed}}\n",
        "{never: parked}",
        is_kept=True,
    ),
    Case(
        "in one step it may both begin and happen",
        "  a: {on: {go: {target: b}}}\n  b: {on: {stop: done}}\n",
        "{never: b, after: go}",
        is_kept=True,
    ),
    Case(
        "and in a later one no more",
        "  a: {on: {go: b}}\n  b: {on: {stop: a}}\n",
        "{never: b, after: go}",
        is_kept=False,
    ),
    Case(
        "until something else",
        "  a: {on: {go: b}}\n  b: {on: {stop: a}}\n",
        "{never: b, from: b, until: stop}",
        is_kept=True,
    ),
)


def subject_of(case: Case) -> Subject:
    head = "workflow: w\nversion: 1\ninitial: a\nevents: {go: {}, stop: {}, pay: {}}\n"
    workflow = loads(f"{head}{case.more}must: {{rule: {case.must}}}\nstates:\n{case.states}{ENDS}")
    return Subject(workflow, {"work": Signature(emits=frozenset({"stop"}))}, workflow.must)

"""What it costs to check and to draw a workflow as large as anybody has them.

``python -m benchmarks.large STATES`` prints the seconds of a first check and a first drawing in its process.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final

from benchmarks import bars
from benchmarks.measure import Row, at_most, timed
from benchmarks.sizes import Sizes
from fsm_agent.check import behaviour_findings, proof_findings
from fsm_agent.check.document_checks import examine
from fsm_agent.check.transition_sites import sites
from fsm_agent.domain.json import Json
from fsm_agent.loading.yaml_file import dump, inspect_text
from fsm_agent.render.formats import draw

#: Leaves in each compound state.
_GROUP: Final = 24
#: Larger by so much, to see whether the time grows in proportion.
_LARGER: Final = 3
_DATA: Final = {
    "goal": "string?",
    "count": {"type": "integer", "default": 0},
    "note": {"type": "string", "default": ""},
}
_EVENTS: Final = {
    **{event: {} for event in ("done", "again", "approve", "back")},
    "deny": {"why": "string"},
    "go": {"count": "integer"},
}


def large_workflow_rows(sizes: Sizes) -> list[Row]:
    """Each measured in fresh processes, which have imported everything and checked and drawn nothing like it."""
    took = [_measured(sizes.large_states) for _ in range(sizes.runs)]
    larger = [_measured(sizes.large_states * _LARGER) for _ in range(sizes.runs)]
    here = {name: statistics.median(each[name] for each in took) for name in took[0]}
    there = {name: statistics.median(each[name] for each in larger) for name in larger[0]}
    size = f"{sizes.large_states:,} states and {took[0]['transitions']:,} transitions"
    more = f"{_LARGER * sizes.large_states:,} states against {sizes.large_states:,}, divided by {_LARGER}"
    return [
        at_most(f"seconds to check {size}", bars.CHECK_SECONDS, here["file"], "its YAML read, and everything proved"),
        at_most(f"seconds to draw {size} as DOT", bars.DOT_SECONDS, here["dot"], f"{here['mermaid']:.3f} as Mermaid"),
        *(
            at_most(f"time to {work} {more}", bars.LARGER, there[name] / here[name] / _LARGER, f"{there[name]:.2f} s")
            for name, work in (("check", "check"), ("dot", "draw"))
        ),
    ]


def _measured(states: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.large", str(states)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - a command of our own
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _measure(states: int) -> dict[str, float]:
    """Seconds, and how many transitions there are. A file cannot hold what is larger than all that anybody has, so its
    document is checked alone, too."""
    small, _ = inspect_text(dump(large_workflow(30)), checks=[behaviour_findings, proof_findings])
    document = large_workflow(states)
    text = dump(document)
    workflow, findings = examine(document)
    if workflow is None or findings:
        raise ValueError(f"the workflow has mistakes: {findings[:3]}")
    draw(small or workflow, "dot")
    return {
        "transitions": sum(1 for _ in sites(workflow)),
        "dot": _timed_alone(lambda: draw(workflow, "dot")),
        "mermaid": _timed_alone(lambda: draw(workflow, "mermaid")),
        "file": _timed_alone(lambda: inspect_text(text, checks=[behaviour_findings, proof_findings])),
        "check": _timed_alone(lambda: _check(document)),
    }


def _timed_alone(work: Callable[[], object]) -> float:
    """What came before leaves no objects behind that would be collected at the cost of this."""
    gc.collect()
    return timed(work)


def _check(document: Json) -> None:
    workflow, _ = examine(document)
    if workflow is not None:
        behaviour_findings(workflow)
        proof_findings(workflow)


def large_workflow(states: int, group_size: int = _GROUP) -> Json:
    """The document of so many states, compound ones and final ones included, with three transitions for each of them.

    A third of the states work, a third ask, and a third wait; all kinds of transitions, guards and assignments occur.
    """
    groups = (states - 3) // (group_size + 1)
    alone = states - 3 - groups * (group_size + 1)
    names = [f"group_{group}.step_{at}" for group in range(groups) for at in range(group_size)]
    names += [f"last_{at}" for at in range(alone)]
    bodies = {name: _body(names, at) for at, name in enumerate(names)}
    parts = [names[group * group_size : (group + 1) * group_size] for group in range(groups)]
    inner = {f"group_{group}": _group(group, mine, bodies) for group, mine in enumerate(parts)}
    outer = {name: body for name, body in bodies.items() if "." not in name}
    finals = {
        "finished": {"final": True, "output": {"note": "data.note"}},
        "failed": {"final": True, "outcome": "failed"},
        "cancelled": {"final": True, "outcome": "cancelled"},
    }
    return {
        "workflow": "large",
        "version": 1,
        "data": _DATA,
        "events": _EVENTS,
        "initial": names[0].partition(".")[0],
        "on": {"cancel": "cancelled"},
        "limits": {"steps": 10_000},
        "states": {**inner, **outer, **finals},
    }


def _group(group: int, names: list[str], bodies: dict[str, Json]) -> Json:
    return {
        "description": f"Part {group} of the work.",
        "initial": "step_0",
        "after": {"30d": "cancelled"},
        "on": {"back": {"target": f"group_{max(group - 1, 0)}", "when": f"data.count < {group}"}},
        "states": {name.partition(".")[2]: bodies[name] for name in names},
    }


def _body(names: list[str], at: int) -> Json:
    after, before = (names[at + 1] if at + 1 < len(names) else "finished"), names[max(at - 1, 0)]
    match at % 3:
        case 0:
            again = {"target": names[at], "when": f"data.count < {at} && data.note != 'stop'"}
            on = {"done": after, "again": [again, {"target": before}], "error": "failed"}
            return {"do": f"work_{at % 20}", "timeout": "2m", "on": on}
        case 1:
            ask = {"prompt": f"Step {at} has come to {{{{ string(data.count) }}}}.", "events": ["approve", "deny"]}
            deny = {"target": before, "assign": {"note": "event.why"}}
            return {"ask": ask, "after": {"3d": "cancelled"}, "on": {"approve": after, "deny": deny}}
        case _:
            go = {"target": after, "when": f"event.count > {at}", "assign": {"count": "event.count"}}
            return {"on": {"go": [go, {"assign": {"note": "'waited'"}}], "done": after}}


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]))))

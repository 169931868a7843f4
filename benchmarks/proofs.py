"""What it costs to prove properties: of a workflow as large as anybody has them, and of all in the gallery.

``python -m benchmarks.proofs STATES`` prints the seconds of a first proof of each in its process.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks import bars
from benchmarks.large import large_workflow
from benchmarks.measure import Row, at_most, timed
from benchmarks.sizes import Sizes
from fsm_agent.check.document_checks import examine
from fsm_agent.check.transition_sites import sites
from fsm_agent.domain.property import AtMost, Never, Property, Reaches, Whenever
from fsm_agent.loading.yaml_file import load
from fsm_agent.proof.prover import prove

_GALLERY: Final = Path(__file__).parents[1] / "workflows"
#: one of each kind that a reviewer asks for; the last one looks at data
_PROPERTIES: Final = (
    Property("ended_once", AtMost(1, ("state finished",))),
    Property("cancelled_is_the_end", Never(("state finished",), after=("outcome cancelled",))),
    Property("nothing_ends_at_once", Never(("state finished",), before=("event done", "approve"))),
    Property(
        "questions_end",
        Reaches(("approve", "deny", "back", "after 3d", "after 30d", "cancel"), since=("state group_0.step_1",)),
    ),
    Property("denied_with_a_reason", Whenever(("deny",), "event.why == event.why")),
)


def proof_rows(sizes: Sizes) -> list[Row]:
    """Each measured in fresh processes, which have imported everything and proved nothing."""
    took = [_measured(sizes.large_states) for _ in range(sizes.runs)]
    here = {name: statistics.median(each[name] for each in took) for name in took[0]}
    size = f"{sizes.large_states:,} states and {took[0]['transitions']:,} transitions"
    said = f"{len(_PROPERTIES)} properties, {here['configurations']:,.0f} states of what is explored"
    gallery = f"{here['gallery_properties']:.0f} properties of {here['gallery_workflows']:.0f} workflows"
    return [
        at_most(f"seconds to prove {len(_PROPERTIES)} properties of {size}", bars.PROVE_SECONDS, here["large"], said),
        at_most("seconds to prove the gallery", bars.PROVE_GALLERY_SECONDS, here["gallery"], gallery),
    ]


def _measured(states: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.proofs", str(states)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - a command of our own
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _measure(states: int) -> dict[str, float]:
    """Seconds, and how much there was to prove."""
    workflow, findings = examine(large_workflow(states))
    if workflow is None or findings:
        raise ValueError(f"the workflow has mistakes: {findings[:3]}")
    gallery = [load(file) for file in sorted(_GALLERY.glob("*.yaml"))]
    explored: list[int] = []
    gc.collect()
    return {
        "transitions": sum(1 for _ in sites(workflow)),
        "large": timed(lambda: explored.append(prove(workflow, _PROPERTIES).states)),
        "configurations": explored[0],
        "gallery": timed(lambda: [prove(each, each.must) for each in gallery]),
        "gallery_workflows": len(gallery),
        "gallery_properties": sum(len(each.must) for each in gallery),
    }


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]))))

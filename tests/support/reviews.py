"""Reviews of pairs of texts, without files and without git."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from fsm_agent.change.difference import compare
from fsm_agent.domain.finding import Finding, Place, Severity
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import loads
from fsm_agent.report.review import FileStatus, ProofReview, Reproduction, Review, WorkflowReview
from fsm_agent.runtime.scripted.counterexample import test_of
from fsm_agent.runtime.scripted.replayed_proof import prove_and_replay

SHORT = """
workflow: {name}
version: {version}
events: {{go: {{}}, back: {{}}}}
initial: idle
states:
  idle: {{on: {{go: {target}}}}}
  busy: {{on: {{back: idle, go: done}}}}
  done: {{final: true}}
must:
  busy_first: {{never: done, before: back}}
"""


def short(name: str = "short", version: int = 1, target: str = "busy") -> Workflow:
    return loads(SHORT.format(name=name, version=version, target=target))


def proved(workflow: Workflow, file: str, path: str = "t/test_x.py") -> ProofReview:
    proof, found = prove_and_replay(workflow, workflow.must, signatures={})
    reproductions = {
        name: Reproduction(tuple(map(repr, each.life.given)), (), test_of(file, name, each, child=()), path)
        for name, each in found.items()
    }
    return ProofReview((), workflow, proof, reproductions, {})


def reviewed(old: Workflow | None, new: Workflow, *, file: str = "workflows/short.yaml") -> WorkflowReview:
    """A file whose workflow has changed, or is new."""
    status = FileStatus.ADDED if old is None else FileStatus.CHANGED
    difference = None if old is None else compare(old, new)
    return WorkflowReview(
        new.name, status, file, file, old, new, difference=difference, proofs=(proved(new, file),) if new.must else ()
    )


def findings(count: int, severity: Severity = Severity.ERROR, code: str = "FSM301") -> tuple[Finding, ...]:
    return tuple(Finding(code, f"mistake {number}", ("states", f"s{number}"), severity) for number in range(count))


def review_of(*workflows: WorkflowReview, uris: Mapping[str, str] | None = None) -> Review:
    return Review("workflows", "main", len(workflows), workflows, uris or {})


def with_findings(review: WorkflowReview, *found: Finding) -> WorkflowReview:
    return replace(review, findings=found)


HOSTILE = "</script><b>x</b>`]|\u202e<!-- @ana ![x](y) [a](b)\n```\n# h\n| 1 | 2 |\n- * _x_ $x$ &lt;"


def hostile(*, is_new: bool) -> Workflow:
    """A workflow with such a text wherever a text may stand."""
    said = f"{HOSTILE}{' now' if is_new else ''}"
    text, literal = json.dumps(said), json.dumps(json.dumps(said))
    return loads(f"""
workflow: hostile
version: 1
description: {text}
data: {{note: {{type: string, default: {text}, description: {text}}}, kind: {{type: string, enum: [{text}, b]}}}}
events: {{go: {{word: {{type: string, description: {text}}}}}, stop: {{}}}}
initial: idle
states:
  idle:
    description: {text}
    ask: {{prompt: {text}, events: [go, stop], to: {literal}}}
    after: {{1d: {{target: done, assign: {{note: {literal}}}, description: {text}}}}}
    on:
      go: {{target: done, when: {json.dumps(f"event.word != {json.dumps(said)}")}, description: {text}}}
      stop: done
  done: {{final: true, output: {{note: {literal}}}}}
must:
  never_so:
    description: {text}
    never: done
  always_so:
    description: {text}
    whenever: go
    holds: {json.dumps(f"event.word == {json.dumps(said)}")}
""")


def hostile_review() -> WorkflowReview:
    review = reviewed(hostile(is_new=False), hostile(is_new=True), file=f"workflows/{HOSTILE}.yaml")
    place = Place(review.file, 1, 1)
    told = (Finding("FSM301", HOSTILE, ("states", HOSTILE), Severity.ERROR, place),)
    proofs = (proved(review.new, review.file, f"{HOSTILE}.py"),) if review.new else ()
    return replace(review, proofs=proofs, findings=told, old_findings=told, old_file=HOSTILE, status=FileStatus.RENAMED)

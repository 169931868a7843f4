"""The page of a review: the picture of a change with its numbers, what it means, and what must hold."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from fsm_agent.change.difference import Difference
from fsm_agent.change.properties import PropertyChange, RuleChange
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.json import Json
from fsm_agent.domain.property import Rule
from fsm_agent.domain.workflow import Workflow
from fsm_agent.proof.verdicts import Outcome, Verdict
from fsm_agent.render.graph import Graph
from fsm_agent.render.numbers import circled
from fsm_agent.report.difference_markdown import headline, versions
from fsm_agent.report.page.document import page
from fsm_agent.report.proof_text import step_sentence

_GLYPHS: Final = {Outcome.PROVED: "✓", Outcome.VIOLATED: "✗", Outcome.OPEN: "?"}


class ReviewedWorkflow(NamedTuple):
    """What the page tells of one workflow."""

    workflow: Workflow
    #: ``None`` for a workflow that is new
    difference: Difference | None
    #: what was drawn, and its SVG text
    graph: Graph
    picture: str
    verdicts: Sequence[Verdict] = ()
    findings: Sequence[Finding] = ()
    #: property -> the text of a test that shows how it is broken
    tests: Mapping[str, str] = {}
    #: path of a state -> how it is declared
    sources: Mapping[str, str] = {}


def review_page(reviewed: ReviewedWorkflow) -> str:
    """The page as HTML."""
    return page(f"{reviewed.workflow.name}: review", "review", _facts(reviewed), [reviewed.picture])


def _facts(reviewed: ReviewedWorkflow) -> dict[str, Json]:
    """What the script knows."""
    difference, ids = reviewed.difference, reviewed.graph.ids
    properties = list(_properties(reviewed))
    return {
        "title": f"{reviewed.workflow.name}, {versions(difference) if difference else 'new'}",
        "headline": headline(difference) if difference else "A new workflow.",
        "tone": "bad" if any(each["isBroken"] for each in properties) else "",
        "isChange": difference is not None,
        "changes": list(_changes(difference, ids)) if difference else [],
        "meaning": list(_meaning(difference)) if difference else [],
        "properties": properties,
        "findings": [f"{each.code} {each.message}" for each in reviewed.findings],
        "agents": list(_agents(difference)) if difference else [],
        "states": _states(reviewed),
    }


def _changes(difference: Difference, ids: Mapping[str, str]) -> Iterator[dict[str, Json]]:
    for row in difference.rows:
        change = row.change
        yield {
            "sign": f"{circled(row.number)} {change.mark}".strip(),
            "text": change.text,
            "risk": change.risk,
            "level": str(change.level),
            "state": ids.get(change.where),
        }


def _meaning(difference: Difference) -> Iterator[dict[str, Json]]:
    for each in difference.meaning:
        yield {"text": each.text, "examples": [str(example) for example in each.examples]}


def _agents(difference: Difference) -> Iterator[str]:
    """What becomes of agents: of those of a store if one was asked, else of those in each state."""
    if difference.live is not None:
        counts = Counter((each.state, str(each.verdict), each.reason) for each in difference.live)
        for (state, verdict, reason), count in counts.items():
            yield f"{count} in `{state}`: {verdict}, since {reason}"
        return
    for outlook in difference.agents:
        yield "; ".join([f"in `{outlook.state}`: {outlook.verdict}, since {outlook.reason}", *outlook.notes])


def _properties(reviewed: ReviewedWorkflow) -> Iterator[dict[str, Json]]:
    """Each property of the new version, and those that are gone."""
    changes = {each.name: each for each in reviewed.difference.properties} if reviewed.difference else {}
    rules = {each.name: each.rule for each in reviewed.workflow.must}
    for verdict in reviewed.verdicts:
        yield {
            "text": _verdict(verdict, changes.get(verdict.name)),
            "isBroken": verdict.outcome is Outcome.VIOLATED,
            "isGood": verdict.outcome is Outcome.PROVED,
            "rule": _written(rules[verdict.name]),
            "why": verdict.why,
            "path": [step_sentence(step) for step in verdict.path],
            "cycle": [step_sentence(step) for step in verdict.cycle],
            "test": reviewed.tests.get(verdict.name, ""),
        }
    for change in changes.values():
        if change.rule is RuleChange.REMOVED and change.old is not None:
            yield _removed(change, change.old)


def _verdict(verdict: Verdict, change: PropertyChange | None) -> str:
    text = f"{_GLYPHS[verdict.outcome]} `{verdict.name}`: {verdict.outcome}"
    if change is None or change.before is None:
        return text
    rule = "" if change.rule is RuleChange.SAME else f"; its rule is {change.rule}"
    before = "" if change.before.outcome is verdict.outcome else f", and {change.before.outcome} before"
    return f"{text}{before}{rule}"


def _removed(change: PropertyChange, old: Rule) -> dict[str, Json]:
    kept = f"; the new version would be {change.kept.outcome}" if change.kept else ""
    text = f"⚠ `{change.name}`: removed{kept}"
    return {
        "text": text,
        "isBroken": False,
        "isGood": False,
        "rule": _written(old),
        "why": "",
        "path": [],
        "cycle": [],
        "test": "",
    }


def _written(rule: Rule) -> str:
    """A rule as it stands under ``must``, on one line."""
    parts = (
        f"{key}: {value if isinstance(value, str) else json.dumps(value)}" for key, value in rule.to_json().items()
    )
    return f"`{', '.join(parts)}`"


def _states(reviewed: ReviewedWorkflow) -> dict[str, Json]:
    """By id: where the state stands, how it is declared, what was found in it, and its neighbours."""
    graph = reviewed.graph
    paths = {identity: path for path, identity in graph.ids.items()}
    leading, coming = defaultdict(list), defaultdict(list)
    for edge in graph.edges:
        for label in edge.labels:
            leading[edge.source].append({"state": edge.target, "path": paths.get(edge.target, ""), "text": str(label)})
            coming[edge.target].append({"state": edge.source, "path": paths.get(edge.source, ""), "text": str(label)})
    return {
        identity: {
            "path": path,
            "source": reviewed.sources.get(path, ""),
            "findings": [f"{each.code} {each.message}" for each in reviewed.findings if _state_of(each) == path],
            "from": coming[identity],
            "to": leading[identity],
        }
        for identity, path in paths.items()
    }


def _state_of(finding: Finding) -> str:
    """The path of the state where something was found; empty for the workflow itself."""
    names: list[str] = []
    place = list(finding.path)
    while len(place) > 1 and place[0] == "states":
        names.append(str(place[1]))
        place = place[2:]
    return ".".join(names)

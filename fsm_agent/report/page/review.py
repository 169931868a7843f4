"""The page of a review: the picture of a change with its numbers, what it means, and what must hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Final, NamedTuple

from fsm_agent.change.difference import Difference
from fsm_agent.change.properties import PropertyChange, RuleChange
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.json import Json
from fsm_agent.domain.property import Rule, rule_text
from fsm_agent.domain.text import listed
from fsm_agent.domain.workflow import Workflow
from fsm_agent.proof.verdicts import SIGNS, Outcome, Verdict
from fsm_agent.render.difference import draw_difference, picture
from fsm_agent.render.difference_style import versions
from fsm_agent.render.formats import draw
from fsm_agent.render.graph import Edge, Graph, graph_of
from fsm_agent.render.numbers import circled
from fsm_agent.render.union import Piece
from fsm_agent.render.union_lines import Status
from fsm_agent.report.difference_markdown import headline
from fsm_agent.report.page.document import page
from fsm_agent.report.proof_text import step_sentence
from fsm_agent.report.review import ProofReview, WorkflowReview

_SIGNS: Final = {Status.ADDED: "+ ", Status.REMOVED: "\N{MINUS SIGN} ", Status.CHANGED: "~ "}


class _Page(NamedTuple):
    """What one page is about: a workflow of a file, or one that is embedded in it."""

    workflow: Workflow
    #: ``None`` for a workflow that is new
    difference: Difference | None
    graph: Graph
    svg: str
    #: of the picture of a difference: what stands on each edge
    pieces: Mapping[str, tuple[Piece, ...]] = {}
    proof: ProofReview | None = None
    findings: tuple[Finding, ...] = ()
    #: path of a state -> how it is declared
    declared: Mapping[str, str] = {}

    def html(self) -> str:
        return page(f"{self.workflow.name}: review", "review", _facts(self), [self.svg])


def review_pages(review: WorkflowReview, text: str) -> Iterator[tuple[str, str]]:
    """The name and the HTML of the page of a workflow, and of each one that is embedded in it and has changed; nothing
    where there is nothing to draw. ``text`` is the file as it is now. Raises ``RenderFailed``."""
    proofs = {proof.child: proof for proof in review.proofs}
    for child, each in _shown(review):
        shown = each._replace(proof=proofs.get(child))
        if not child:
            shown = shown._replace(findings=review.findings, declared=_declared(review, text))
        yield f"{'.'.join((review.name, *child))}.html", shown.html()


def _shown(review: WorkflowReview) -> Iterator[tuple[tuple[str, ...], _Page]]:
    if review.difference is not None:
        yield from ((child, _compared(each)) for child, each in _differences(review.difference))
    elif review.new is not None:
        yield (), _Page(review.new, None, graph_of(review.new), draw(review.new, "svg").decode())


def difference_page(difference: Difference, *, is_full: bool = False) -> str:
    """The page of a difference alone. With ``is_full`` every state is drawn. Raises ``RenderFailed``."""
    return _compared(difference, is_full=is_full).html()


def _differences(difference: Difference, child: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Difference]]:
    """What has changed of a workflow and of those that are embedded in it, by the names by which they stand there."""
    if difference.rows:
        yield child, difference
    for name, each in difference.workflows.items():
        yield from _differences(each, (*child, name))


def _compared(difference: Difference, *, is_full: bool = False) -> _Page:
    union = picture(difference, is_full=is_full)
    svg = draw_difference(difference, "svg", is_full=is_full).decode()
    return _Page(difference.new, difference, union.graph, svg, union.pieces)


def _declared(review: WorkflowReview, text: str) -> dict[str, str]:
    """Path of a state -> the lines of the file that declare it."""
    return {path: _block(text, place.line) for (path, event), place in review.places.items() if path and not event}


def _facts(shown: _Page) -> dict[str, Json]:
    """The facts for the script of the page."""
    difference, ids = shown.difference, shown.graph.ids
    properties = list(_properties(shown))
    return {
        "title": f"{shown.workflow.name}, {versions(difference) if difference else 'new'}",
        "headline": _headline(shown),
        "tone": "bad" if any(each["isBroken"] for each in properties) else "",
        "isChange": difference is not None,
        "changes": list(_changes(difference, ids)) if difference else [],
        "meaning": list(_meaning(difference)) if difference else [],
        "properties": properties,
        "findings": [f"{each.code} {each.message}" for each in shown.findings],
        "agents": list(_agents(difference)) if difference else [],
        "states": _states(shown),
    }


def _headline(shown: _Page) -> str:
    """What a reviewer must know first: what the real engine was made to break, or else what has changed."""
    broken = [f"`{each.name}`" for each in _verdicts(shown) if each.outcome is Outcome.VIOLATED]
    if broken:
        return f"✗ {listed(broken)} {'is' if len(broken) == 1 else 'are'} violated."
    return headline(shown.difference) if shown.difference else "A new workflow."


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
        examples = [str(example) for example in each.examples if str(example) not in each.text]
        yield {"text": each.text, "examples": examples}


def _agents(difference: Difference) -> Iterator[str]:
    """What becomes of agents: of those of a store if one was asked, else of those in each state."""
    if difference.live is not None:
        counts = Counter((each.state, str(each.verdict), each.reason) for each in difference.live)
        for (state, verdict, reason), count in counts.items():
            yield f"{count} in `{state}`: {verdict}, since {reason}"
        return
    for outlook in difference.agents:
        yield "; ".join([f"in `{outlook.state}`: {outlook.verdict}, since {outlook.reason}", *outlook.notes])


def _properties(shown: _Page) -> Iterator[dict[str, Json]]:
    """Each property of the new version, and those that are gone."""
    changes = {each.name: each for each in shown.difference.properties} if shown.difference else {}
    rules = {each.name: each.rule for each in shown.workflow.must}
    tests = shown.proof.reproductions if shown.proof else {}
    for verdict in _verdicts(shown):
        yield {
            "text": _verdict(verdict, changes.get(verdict.name)),
            "isBroken": verdict.outcome is Outcome.VIOLATED,
            "isGood": verdict.outcome is Outcome.PROVED,
            "rule": f"`{rule_text(rules[verdict.name])}`",
            "why": verdict.why,
            "isReal": verdict.name in tests,
            "path": [step_sentence(step) for step in verdict.path],
            "cycle": [step_sentence(step) for step in verdict.cycle],
            "test": tests[verdict.name].test if verdict.name in tests else "",
        }
    for change in changes.values():
        if change.rule is RuleChange.REMOVED and change.old is not None:
            yield _removed(change, change.old)


def _verdicts(shown: _Page) -> tuple[Verdict, ...]:
    """About the new version."""
    if shown.proof is not None:
        return shown.proof.proof.verdicts
    properties = shown.difference.properties if shown.difference else ()
    return tuple(each.now for each in properties if each.now is not None)


def _verdict(verdict: Verdict, change: PropertyChange | None) -> str:
    text = f"{SIGNS[verdict.outcome]} `{verdict.name}`: {verdict.outcome}"
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
        "rule": f"`{rule_text(old)}`",
        "why": "",
        "isReal": False,
        "path": [],
        "cycle": [],
        "test": "",
    }


def _states(shown: _Page) -> dict[str, Json]:
    """The states by their ids: where each stands, how it is declared, what was found in it, and its neighbours."""
    graph = shown.graph
    paths = {identity: path for path, identity in graph.ids.items()}
    leading, coming = defaultdict(list), defaultdict(list)
    for edge in graph.edges:
        for label in _labels(shown, edge):
            leading[edge.source].append({"state": edge.target, "path": paths.get(edge.target, ""), "text": label})
            coming[edge.target].append({"state": edge.source, "path": paths.get(edge.source, ""), "text": label})
    return {
        identity: {
            "path": path,
            "source": shown.declared.get(path, ""),
            "findings": [f"{each.code} {each.message}" for each in shown.findings if _state_of(each) == path],
            "from": coming[identity],
            "to": leading[identity],
        }
        for identity, path in paths.items()
    }


def _labels(shown: _Page, edge: Edge) -> list[str]:
    if edge.id in shown.pieces:
        return [f"{_SIGNS.get(piece.status, '')}{piece.label}" for piece in shown.pieces[edge.id]]
    return [str(label) for label in edge.labels]


def _block(text: str, line: int) -> str:
    """The lines of a file from this one on, counted from 1, up to the next that is indented no deeper."""
    first, *rest = text.splitlines()[line - 1 :] or [""]
    indent = len(first) - len(first.lstrip())
    inside = takewhile(lambda each: not each.strip() or len(each) - len(each.lstrip()) > indent, rest)
    return "\n".join(each[indent:] for each in (first, *inside)).rstrip()


def _state_of(finding: Finding) -> str:
    """The path of the state where something was found; empty for the workflow itself."""
    names: list[str] = []
    place = list(finding.path)
    while len(place) > 1 and place[0] == "states":
        names.append(str(place[1]))
        place = place[2:]
    return ".".join(names)

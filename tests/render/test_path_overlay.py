"""How a property is broken, drawn on the diagram of its workflow."""

from __future__ import annotations

from fsm_agent.domain.property import AtMost, Never, Property, Reaches, Rule
from fsm_agent.loading.yaml_file import loads
from fsm_agent.proof.prover import prove
from fsm_agent.render.dot import to_dot
from fsm_agent.render.graph import graph_of
from fsm_agent.render.mermaid import to_mermaid
from fsm_agent.render.numbers import circled
from fsm_agent.render.overlay import Emphasis, Mark, Overlay
from fsm_agent.render.path_overlay import overlay_from_verdict

FLOW = loads("""
workflow: refunds
version: 1
data: {n: {type: integer, default: 0}}
events: {asked: {}, found: {}, more: {}, approve: {}}
initial: open
on: {cancel: gone}
states:
  open: {on: {asked: looking}}
  looking: {do: look, on: {found: asking, error: gone, more: {assign: {n: 1}}}}
  asking:
    initial: first
    after: {3d: gone}
    on: {approve: paid}
    states:
      first: {on: {more: asking.second}}
      second: {on: {more: asking.first, found: {assign: {n: 2}}}}
  paid: {final: true}
  gone: {final: true, outcome: failed}
""")


def drawn(rule: Rule) -> dict[str, Mark]:
    (verdict,) = prove(FLOW, [Property("rule", rule)]).verdicts
    return named(overlay_from_verdict(FLOW, verdict))


def named(overlay: Overlay) -> dict[str, Mark]:
    """The marks with numbers, and those that stand out: of edges as the ids of their ends."""
    graph = graph_of(FLOW)
    names = {edge.id: f"{edge.source} {edge.target}" for edge in graph.edges}
    telling = {key: mark for key, mark in overlay.marks.items() if mark.turns or mark.emphasis is Emphasis.BROKEN}
    return {names.get(key, key).replace("state-", ""): mark for key, mark in telling.items()}


def test_the_steps_are_numbered_and_the_last_one_stands_out() -> None:
    assert drawn(Never(("paid",))) == {
        "open looking": Mark(Emphasis.VISITED, (1,), is_planned=True),
        "looking asking": Mark(Emphasis.VISITED, (2,), is_planned=True),
        "asking paid": Mark(Emphasis.BROKEN, (3,), is_planned=True),
        "paid": Mark(Emphasis.BROKEN, (), is_planned=True),
    }


def test_what_stays_in_a_state_is_numbered_there() -> None:
    marks = drawn(AtMost(1, ("event more",)))
    assert marks["looking"] == Mark(Emphasis.BROKEN, (2, 3), is_planned=True)
    assert (marks["looking"].badge, marks["open looking"].order) == ("② ③ ✗", "①")


def test_timers_and_what_the_workflow_itself_handles_have_their_edges() -> None:
    marks = drawn(Never(("gone",), since=("asking",)))
    assert [mark.order for mark in marks.values() if mark.emphasis is Emphasis.BROKEN] == ["③ ✗", "✗"]
    assert marks["asking gone"].turns == (3,)
    marks = drawn(Never(("gone",), before=("found",)))
    assert marks["everywhere gone"].turns == (1,)


def test_of_what_goes_on_for_ever_each_step_stands_out() -> None:
    endless = loads("""
workflow: refunds
version: 1
events: {more: {}, end: {}}
initial: a
on: {cancel: done}
states:
  a: {on: {end: b}}
  b: {after: {1d: c}}
  c: {after: {1d: b}, on: {end: done}}
  done: {final: true}
""")
    (verdict,) = prove(endless, [Property("rule", Reaches(("done",), ("event end",)))]).verdicts
    overlay = overlay_from_verdict(endless, verdict)
    edges = {edge.id: f"{edge.source} {edge.target}" for edge in graph_of(endless).edges}
    orders = {
        edges[key].replace("state-", ""): mark.order
        for key, mark in overlay.marks.items()
        if key in edges and mark.turns
    }
    assert orders == {"a b": "①", "b c": "② ✗", "c b": "③ ✗"}


def test_who_never_begins_is_marked_in_its_first_state() -> None:
    marks = drawn(Reaches(("paid", "gone")))
    assert marks == {"open": Mark(Emphasis.BROKEN, (), is_planned=True)}


def test_numbers_are_in_both_kinds_of_pictures_and_the_title_says_of_what() -> None:
    (verdict,) = prove(FLOW, [Property("never_paid", Never(("paid",)))]).verdicts
    overlay = overlay_from_verdict(FLOW, verdict)
    assert overlay.remark == "how `never_paid` is broken"
    for text in (to_dot(graph_of(FLOW), overlay), to_mermaid(graph_of(FLOW), overlay)):
        assert all(number in text for number in ("①", "②", "③ ✗"))


def test_large_numbers_have_signs_as_long_as_there_are_some() -> None:
    assert [circled(number) for number in (1, 20, 21, 35, 36, 50, 51)] == ["①", "⑳", "㉑", "㉟", "㊱", "㊿", "(51)"]

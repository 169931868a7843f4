"""What a picture shows of a workflow, whatever it is drawn with."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.conversation import ConversationPolicy
from fsm_agent.domain.state import Duration, State, Transition
from fsm_agent.domain.workflow import Limits, Workflow
from fsm_agent.render.graph import Cluster, Edge, Graph, Node, NodeKind, graph_of, walk
from fsm_agent.render.labels import ExitKind
from fsm_agent.render.order import forward_order
from tests.support.workflows import BOOK_FLIGHT, EXPENSE_APPROVAL, FAILED, after, to

ODD_NAMES = st.lists(st.text("ab-_ é審", min_size=1, max_size=3), min_size=1, max_size=6, unique=True)


def leaf(graph: Graph, path: str) -> Node:
    return next(item for item in walk(graph.items) if isinstance(item, Node) and item.id == graph.ids[path])


def note(graph: Graph, path: str) -> Node:
    return next(item for item in walk(graph.items) if isinstance(item, Node) and item.id == graph.notes[path])


def told(item: Node) -> list[str]:
    return [str(detail) for each in item.compartments for detail in each]


def edge(graph: Graph, source: str, target: str, kind: ExitKind = ExitKind.EVENT) -> Edge:
    return graph.between(graph.origin(source, target), graph.ids[target], kind)


def labels(found: Edge) -> list[str]:
    return [str(label) for label in found.labels]


def workflow(*states: State) -> Workflow:
    return Workflow("w", 1, states[0].path, states)


def test_each_leaf_says_what_it_is_for() -> None:
    nodes = [item for item in walk(graph_of(BOOK_FLIGHT).items) if isinstance(item, Node)]
    assert {node.path: node.kind for node in nodes if node.kind.is_state} == {
        "idle": NodeKind.WAIT,
        "planning": NodeKind.ACTION,
        "executing": NodeKind.ACTION,
        "waiting_feedback": NodeKind.ASK,
        "done": NodeKind.DONE,
        "failed": NodeKind.FAILED,
        "cancelled": NodeKind.CANCELLED,
    }


def test_a_state_tells_its_work_its_bounds_and_its_question() -> None:
    graph = graph_of(BOOK_FLIGHT)
    assert told(leaf(graph, "planning")) == [
        "do plan_trip",
        "with depth = 2",
        "with goal = data.goal",
        "timeout 2m",
        "retry 3 attempts, 1s doubling up to 30s, on ConnectionError",
    ]
    assert told(leaf(graph, "executing")) == ["do execute_step", "at most 50 visits"]
    assert told(leaf(graph, "waiting_feedback"))[1:] == ["answers input_received"]
    assert told(leaf(graph, "done")) == ["output itinerary = data.itinerary"]


def test_transitions_of_one_kind_between_two_states_share_one_edge() -> None:
    graph = graph_of(
        workflow(
            State(
                "a",
                on={"go": (to("b"),), "run": (to("b", "data.x > 1", y=2),), "error": (to("b"),), "timeout": (to("b"),)},
                after=(after("1h", to("b")), after("3d", to("b"))),
            ),
            State("b"),
        )
    )
    assert labels(edge(graph, "a", "b")) == ["go", "run [data.x > 1] / y = 2"]
    assert labels(edge(graph, "a", "b", ExitKind.ERROR)) == ["error", "timeout"]
    assert labels(edge(graph, "a", "b", ExitKind.TIMER)) == ["after 1h", "after 3d"]


def test_candidates_are_numbered_and_the_last_is_else() -> None:
    graph = graph_of(
        workflow(
            State("a", on={"go": (to("b", "data.x"), to("c")), "hop": (to("b", "data.x"), to("c", "data.y"), to("a"))}),
            State("b"),
            State("c"),
        )
    )
    assert labels(edge(graph, "a", "b")) == ["go [data.x]", "hop (1) [data.x]"]
    assert labels(edge(graph, "a", "c")) == ["go [else]", "hop (2) [data.y]"]
    assert labels(edge(graph, "a", "a")) == ["hop (3) [else]"]


def test_internal_transitions_and_forbidden_events_stand_inside_the_state() -> None:
    graph = graph_of(EXPENSE_APPROVAL)
    assert "on after 1h / reminders = data.reminders + 1" in told(leaf(graph, "review.approval.first"))
    assert told(leaf(graph, "approved"))[-1] == "ignores cancel"


def test_what_holds_everywhere_inside_a_compound_state_stands_on_a_note_inside_it() -> None:
    approval = note(graph_of(EXPENSE_APPROVAL), "review.approval")
    assert approval.name == "in every state of approval"
    assert told(approval) == ["on comment / notes += event.text"]


def test_a_note_that_only_describes_has_no_name() -> None:
    assert note(graph_of(EXPENSE_APPROVAL), "review") == Node(
        "everywhere-review", NodeKind.NOTE, path="review", description="Policy first, then people."
    )


def test_transitions_of_a_compound_state_into_itself_start_at_its_note() -> None:
    inner = (State("a.x"), State("a.y"))
    on = {"go": (to("a.y"),), "redo": (to("a"),), "leave": (to("b"),)}
    graph = graph_of(workflow(State("a", initial="a.x", states=inner, on=on), State("b")))
    ends = [(each.source, each.target) for each in graph.edges if each.kind]
    assert ends == [("everywhere-a", "state-a-y"), ("everywhere-a", "state-a"), ("state-a", "state-b")]


def test_a_compound_state_is_a_cluster_with_a_start_dot_first() -> None:
    graph = graph_of(EXPENSE_APPROVAL)
    review = next(item for item in graph.items if item.id == "state-review")
    assert isinstance(review, Cluster)
    assert review.items[0] == Node("start-review", NodeKind.START, path="review")
    assert edge(graph, "drafting", "review").id == "event-state-drafting-to-state-review"


def test_the_transitions_of_the_workflow_are_drawn_once_from_a_note() -> None:
    graph = graph_of(BOOK_FLIGHT)
    assert labels(edge(graph, "", "cancelled")) == ["cancel"]
    assert sum("cancel" in labels(each) for each in graph.edges) == 1


@given(ODD_NAMES)
def test_ids_are_plain_unique_and_the_same_every_time(names: list[str]) -> None:
    inner = tuple(State(f"{names[0]}.{name}", on={"go": (to(names[-1]),)}) for name in names)
    first = State(names[0], initial=inner[0].path, states=inner)
    drawn = workflow(first, *(State(name, on={"go": (to(names[0]),)}) for name in names[1:]))
    graph = graph_of(drawn)
    ids = [item.id for item in walk(graph.items)] + [each.id for each in graph.edges]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[A-Za-z0-9_]+(-[A-Za-z0-9_]+)*", each) for each in ids)
    assert graph_of(drawn) == graph


def test_an_id_is_the_path_of_its_state() -> None:
    assert graph_of(EXPENSE_APPROVAL).ids["review.approval.first"] == "state-review-approval-first"


def test_forward_is_away_from_the_initial_state() -> None:
    graph = graph_of(EXPENSE_APPROVAL)
    place = forward_order(graph)
    back = [found for found in graph.edges if place[found.target] < place[found.source]]
    assert [(found.source, found.target) for found in back] == [("state-review", "state-drafting")]


def test_a_chain_of_a_thousand_states_is_drawn() -> None:
    names = [f"s{number}" for number in range(1000)]
    states = (State(name, on={"go": (Transition(names[-1 - number]),)}) for number, name in enumerate(names))
    assert len(forward_order(graph_of(workflow(*states)))) == 1001


def acting(do: str, **given: object) -> Workflow:
    on = {"go": (to("end"),), "stop": (to("work"),)}
    states = (State("work", do=do, with_={key.rstrip("_"): each for key, each in given.items()}, on=on), FAILED)
    return Workflow("w", 1, "work", (*states, State("end", final=True)), events={"go": {}, "stop": {}, "never": {}})


@pytest.mark.parametrize(
    ("flow", "words"),
    [
        (
            acting("llm.generate", prompt="Sum up\n {{ data.x }}", into=["a", "b"]),
            ["do llm.generate", "“Sum up {{ data.x }}”", "into a, b"],
        ),
        (acting("llm.decide"), ["do llm.decide", "chooses go, stop"]),
        (
            acting("llm.agent", prompt="Help", tools=["look", {"tool": "m:pay", "approval": "required"}], mcp=["web"]),
            ["do llm.agent", "“Help”", "tools look, m:pay (asks first), all of web"],
        ),
        (acting("http.request", url="https://a/{{ data.x }}", into="x"), ["do GET https://a/{{ data.x }}", "into x"]),
        (acting("http.request", url="https://a", method="POST"), ["do POST https://a"]),
        (acting("wait", for_="2h"), ["do wait 2h"]),
        (acting("wait", until="data.due"), ["do wait until data.due"]),
        (acting("workflow.run", workflow="one", into="x"), ["do workflow.run one", "into x"]),
        (
            acting("workflow.run", workflow="one", for_each="data.all", on_failure="continue"),
            ["do workflow.run one \N{MULTIPLICATION SIGN} each of data.all", "with on_failure = continue"],
        ),
    ],
)  # fmt: skip
def test_a_built_in_action_says_in_a_few_words_what_it_does(flow: Workflow, words: list[str]) -> None:
    node = leaf(graph_of(flow), "work")
    assert (node.kind, told(node)) == (NodeKind.ACTION, words)


def test_an_action_that_asks_is_a_persons_like_a_state_that_asks() -> None:
    node = leaf(graph_of(acting("human.ask", prompt="Well?", events=["go", "stop"], to="data.x")), "work")
    assert (node.kind, told(node)) == (NodeKind.ASK, ["“Well?”", "answers go, stop", "for data.x"])


def test_of_a_long_prompt_the_beginning_is_shown() -> None:
    words = told(leaf(graph_of(acting("llm.generate", prompt="many words " * 99)), "work"))
    assert words[1].endswith("…”")
    assert len(words[1]) < 120


def test_the_bounds_of_a_workflow_stand_in_one_line() -> None:
    limits = Limits(steps=9, tokens=1000, cost=2.5, wall_time=Duration.parse("2d"))
    flow = replace(workflow(State("a")), limits=limits, conversation=ConversationPolicy(thread="'desk'"))
    assert graph_of(flow).remarks == ("at most 9 steps, 1000 tokens, 2.5 USD, 2d", "shared conversation")

"""Tours: what they cover, that the real engine goes them, and what is said of what they cannot cover."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.leaf_moves import leaf_moves
from fsm_agent.loading.yaml_file import load, loads
from fsm_agent.proof.tours import Cover, covered
from fsm_agent.runtime.scripted.tours import Tours, tours
from fsm_agent.testing import play
from tests.proof.concrete import Situation, World
from tests.proof.random_properties import LEAVES, example

GALLERY = sorted((Path(__file__).parents[2] / "workflows").glob("*.yaml"))
#: In a gallery of workflows that people have thought about, only these cannot be taken: the first of three timers moves
#: the agent on, and each of the others has one state in which it finds it.
UNREACHED = {
    "approval.asked: after 4h -> approval.escalated",
    "approval.asked: after 3d -> expired",
    "approval.reminded: after 1h -> approval.reminded",
    "approval.reminded: after 3d -> expired",
    "approval.escalated: after 1h -> approval.reminded",
    "approval.escalated: after 4h -> approval.escalated",
}


def all_covered(workflow: Workflow, found: Tours) -> set[object]:
    """What the tours cover when they are played afresh; each goes as it was foretold."""
    leaf, seen = workflow.leaf(workflow.initial).path, set[object]()
    for tour in found.tours:
        life = play(workflow, tour.moves, data=tour.data)
        assert life.transitions == list(tour.transitions)
        assert life.broken == []
        seen.update(covered(life.transitions, leaf, found.cover))
    return seen


@pytest.mark.parametrize("cover", Cover)
@pytest.mark.parametrize("file", GALLERY, ids=lambda file: file.stem)
def test_tours_of_the_gallery_cover_all_that_they_say_on_the_real_engine(file: Path, cover: Cover) -> None:
    workflow = load(file)
    found = tours(workflow, cover)
    assert all_covered(workflow, found) == set(found.goals) - found.uncovered.keys()
    blocked = UNREACHED if file.stem == "expense_approval" else set()
    for goal, why in found.uncovered.items():
        assert {str(goal)} <= blocked or any(str(each) in blocked for each in goal if not isinstance(each, str)), why


@pytest.mark.parametrize(("when", "goals"), [("", 3), (", when: 'visits.busy > 1'", 4)])
def test_an_error_that_can_take_no_timeout_is_no_goal(when: str, goals: int) -> None:
    workflow = loads(f"""
workflow: busy
version: 1
events: {{worked: {{}}}}
initial: busy
states:
  busy:
    do: work
    timeout: 10s
    on: {{worked: done, error: failed, timeout: {{target: late{when}}}}}
  done: {{final: true}}
  late: {{final: true, outcome: failed}}
  failed: {{final: true, outcome: failed}}
""")
    assert len(tours(workflow).goals) == goals


def test_the_tours_of_a_real_workflow_are_few_and_short() -> None:
    found = tours(load(GALLERY[0].with_name("book_flight.yaml")))
    assert len(found.goals) == 35
    assert len(found.tours) <= 21  # 13 ways lead to an end, and 8 of the others need a way of their own
    assert sum(len(tour.transitions) for tour in found.tours) <= 110


ORDERS = """
workflow: orders
version: 1
data:
  total: {type: integer, minimum: 0, default: 0}
  copied: {type: integer, default: 0}
  lines: {type: array, items: {type: object}, default: []}
  is_open: {type: boolean, default: false}
events: {counted: {}, priced: {price: integer}, next: {}, choose: {line: integer}, closed: {}}
initial: counting
states:
  counting: {do: count, on: {counted: pricing}}
  pricing: {on: {priced: {target: deciding, assign: {copied: event.price}}}}
  deciding:
    on:
      next:
        - {when: data.total > 40 && data.copied == 7, target: listing}
        - {when: data.is_open, target: opened}
        - small
  listing:
    on:
      choose: {when: "event.line < size(data.lines) && data.lines[event.line].price > 3", target: chosen}
  opened: {final: true}
  chosen: {final: true}
  small: {final: true}
"""


def test_what_a_guard_needs_is_written_by_the_actions_and_events_before_it() -> None:
    workflow = loads(ORDERS)
    found = tours(workflow, signatures={"count": Signature(writes=frozenset({"total", "copied", "lines"}))})
    missing = {str(goal) for goal in found.uncovered}
    assert missing == {"listing: choose -> chosen"}  # nothing says that prices are numbers
    (begins,) = [tour.data for tour in found.tours if tour.transitions[-1].target == "opened"]
    assert begins["is_open"] is True  # no action writes it: the agent begins with it
    assert all_covered(workflow, found) == set(found.goals) - found.uncovered.keys()


def test_a_list_that_a_guard_looks_into_has_what_it_looks_for() -> None:
    typed = ORDERS.replace(
        "items: {type: object}", "items: {type: object, properties: {price: {type: integer, minimum: 4}}}"
    )
    assert tours(loads(typed)).uncovered == {}


BLOCKED = """
workflow: blocked
version: 1
data: {never: {type: boolean, default: false}, name: {type: string, pattern: "^[0-9a-f]{64}$", default: "%s"}}
events: {go: {}, sign: {digest: {type: string, pattern: "^[0-9a-f]{64}$"}}}
initial: first
states:
  first:
    on: {go: [{when: data.never && !data.never, target: dead}, second, third], sign: third}
    after: {1h: second, 2h: third}
  second: {final: true}
  third: {final: true}
  dead: {final: true}
  island: {on: {go: third}}
""" % ("0" * 64)


@pytest.mark.parametrize(
    ("cover", "goal", "why"),
    [
        ("states", "island", "no agent comes there"),
        ("transitions", "island: go -> third", "no agent comes to `island`"),
        ("transitions", "first: go -> dead", "its guard never holds"),
        ("transitions", "first: go (3) -> third", "another candidate is always taken first"),
        ("transitions", "first: after 2h -> third", "no agent is there when the time has come"),
        ("transitions", "first: sign -> third", "no values were found"),
    ],
)
def test_what_cannot_be_covered_is_told_with_the_reason(cover: str, goal: str, why: str) -> None:
    found = tours(loads(BLOCKED), cover)
    assert why in {str(each): reason for each, reason in found.uncovered.items()}[goal]


def test_a_search_that_ends_at_its_bound_says_so() -> None:
    found = tours(load(GALLERY[0].with_name("book_flight.yaml")), most=3)
    assert set(found.uncovered.values()) == {"the search ended at its bound of 3 states"}


@pytest.mark.parametrize("seed", [*range(20), 108])  # 108: made in one go, the moves of an attempt lead elsewhere
def test_of_random_workflows_nothing_is_called_unreachable_that_an_agent_reaches(seed: int) -> None:
    """Held against brute force, which tries everything with concrete data."""
    tried = example(seed)
    world, found = World(tried), tours(tried.workflow, signatures=tried.signatures)
    all_covered(tried.workflow, found)
    names = {id(each.move): each.name for leaf in LEAVES for each in leaf_moves(world.machine, leaf)}
    reached = {names[id(each.move)] for at in situations(world) for each in world.ahead(at) if each.move is not None}
    for goal, why in found.uncovered.items():
        assert why.startswith("no way to it") or goal not in reached, (str(goal), why)


def situations(world: World) -> list[Situation]:
    found = list(world.beginnings(has_defaults=False))
    seen = set(found)
    for at in found:
        news = [each.target for each in world.ahead(at) if each.target not in seen]
        seen.update(news)
        found += dict.fromkeys(news)
    return found

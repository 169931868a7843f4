"""The pytest plugin in a project of somebody else's: tours as tests, and coverage of workflows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ORDERS = """
workflow: orders
version: 1
data: {item: string?}
events: {ordered: {item: string, count: integer}, packed: {}, stop: {}}
initial: new
on: {stop: stopped}
states:
  new:
    on:
      ordered:
        - {when: event.count > 3, target: asking}
        - {target: packing, assign: {item: event.item}}
  asking: {ask: {prompt: "So many?", events: [packed]}, on: {packed: packing}, after: {1d: stopped}}
  packing: {do: pack, on: {packed: sent, error: failed}}
  sent: {final: true}
  stopped: {final: true, outcome: cancelled}
  failed: {final: true, outcome: failed}
  island: {on: {packed: sent}}
must:
  asked_first: {never: sent, before: packing}
"""
TOURS = """
import pytest

@pytest.mark.tours("workflows/orders.yaml")
def test_every_transition(tour):
    life = tour.play()
    assert life.status in ("done", "failed", "cancelled")
"""
PLAYS = """
from fsm_agent import testing
from fsm_agent.testing import fails, passes, play, says, sent

FILE = "workflows/orders.yaml"

def test_two_lives():
    play(FILE, [sent("ordered", item="a", count=1), says("packed")])
    play(FILE, [sent("ordered", item="a", count=9), passes("1d")])

def test_another():
    run = testing.drive(FILE, actions={"pack": ["packed"]})
    run.send("ordered", item="a", count=2)
    assert run.state == "sent"
"""


class Run(NamedTuple):
    code: int
    out: str


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("workflows/orders.yaml", ORDERS)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def pytest(self, *words: str) -> Run:
        line = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--strict-markers", "--rootdir", ".", *words]
        done = subprocess.run(line, cwd=self.folder, capture_output=True, text=True, check=False, timeout=300)
        return Run(done.returncode, done.stdout + done.stderr)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_tours_become_tests_with_ids_that_say_what_happens(project: Project) -> None:
    project.write("test_orders.py", TOURS)
    run = project.pytest("-v")
    assert run.code == 0, run.out
    names = [line.split("[")[1].split("]")[0] for line in run.out.splitlines() if "PASSED" in line]
    assert names == [
        "01-ordered,after_1d",
        "02-ordered,packed",
        "03-stop",
        "04-ordered,packed,stop",
        "05-ordered,stop",
        "06-ordered,error",
    ]
    assert "orders: 6 tours cover 9 of 11 transitions" in run.out
    assert "not covered: island: packed -> sent: no agent comes to `island`" in run.out


def test_every_tour_fails_that_breaks_a_property(project: Project) -> None:
    project.write("workflows/orders.yaml", ORDERS.replace("before: packing", "before: asking"))
    project.write("test_orders.py", TOURS)
    run = project.pytest()
    assert run.code == 1
    assert "this life breaks asked_first" in run.out


def test_a_tour_fails_where_the_agent_goes_another_way(project: Project) -> None:
    project.write(
        "test_orders.py", TOURS.replace("    life =", "    tour.transitions = tour.transitions[::-1]\n    life =")
    )
    run = project.pytest("-k", "ordered and packed and packed")
    assert run.code == 1
    assert "step 1 is new: ordered (2) -> packing, and not packing: packed -> sent as foretold" in run.out


@pytest.mark.parametrize(
    ("marker", "why"),
    [
        ('"workflows/nothing.yaml"', "nothing.yaml"),
        ('"workflows/orders.yaml", cover="all"', "'all' is not a valid Cover"),
        ("", "missing 1 required positional argument"),
    ],
)
def test_a_marker_that_makes_no_sense_is_an_error_in_one_sentence(project: Project, marker: str, why: str) -> None:
    project.write("test_orders.py", TOURS.replace('"workflows/orders.yaml"', marker))
    run = project.pytest()
    assert run.code == 2
    assert why in run.out
    assert "Traceback" not in run.out


def test_a_test_with_the_marker_takes_the_tour(project: Project) -> None:
    project.write("test_orders.py", TOURS.replace("(tour)", "()"))
    assert "takes the argument `tour`" in project.pytest().out


def test_coverage_says_what_the_tests_never_take(project: Project) -> None:
    project.write("test_orders.py", PLAYS)
    run = project.pytest("--fsm-coverage")
    assert run.code == 0, run.out
    told = run.out.split("coverage of workflows")[1]
    assert "orders 1: 4 of 8 transitions (50%) by 3 agents" in told
    assert [line.strip() for line in told.splitlines() if "never taken" in line] == [
        "never taken: in every state: stop -> stopped",
        "never taken: asking: packed -> packing",
        "never taken: packing: error -> failed",
        "never taken: island: packed -> sent",
    ]


def test_workers_add_up_what_they_have_counted(project: Project) -> None:
    project.write("test_orders.py", PLAYS)
    run = project.pytest("--fsm-coverage", "-n", "2", "--dist", "each")
    assert "orders 1: 4 of 8 transitions (50%) by 6 agents" in run.out


def test_tours_that_are_only_looked_for_do_not_count(project: Project) -> None:
    project.write("test_orders.py", TOURS)
    assert "no agent was driven" in project.pytest("--fsm-coverage", "--collect-only").out
    assert "orders 1: 7 of 8 transitions (88%) by 6 agents" in project.pytest("--fsm-coverage").out


def test_a_workflow_that_no_test_begins_is_told_where_it_is_named(project: Project) -> None:
    project.write("test_orders.py", "def test_nothing():\n    pass\n")
    assert "orders 1: 0 of 8 transitions (0%) by 0 agents" in project.pytest("--fsm-coverage=workflows").out
    run = project.pytest("--fsm-coverage=nowhere.yaml")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "--fsm-coverage: " in run.out


def test_figures_and_pictures_are_written(project: Project) -> None:
    project.write("test_orders.py", PLAYS)
    run = project.pytest("--fsm-coverage", "--fsm-coverage-out", "out", "-n", "2")
    assert "written to out" in run.out
    told = json.loads((project.folder / "out" / "coverage.json").read_text(encoding="utf-8"))
    (orders,) = told["workflows"]
    assert {each["event"]: each["taken"] for each in orders["transitions"] if each["in"] == "packing"} == {
        "packed": 2,
        "error": 0,
    }
    assert "3 agents, 4 of 8 transitions taken" in (project.folder / "out" / "orders.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(("least", "code"), [("50", 0), ("51", 1)])
def test_too_little_coverage_fails_the_run(project: Project, least: str, code: int) -> None:
    project.write("test_orders.py", PLAYS)
    run = project.pytest("--fsm-coverage", "--fsm-coverage-fail-under", least)
    assert run.code == code
    assert ("50 % of transitions are taken, and 51 % are wanted" in run.out) == bool(code)

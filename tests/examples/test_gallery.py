"""The gallery, as its users meet it: the files checked, their agents run from the first event to the last."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

import examples.agent_lifecycle
import examples.book_flight.workflow
from examples.agent_lifecycle import SCRIPT
from fsm_agent import Workflow
from fsm_agent.actions.registry import Actions
from fsm_agent.check import check_workflow
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.errors import GuardsRefused, NotAddressee, PayloadInvalid
from fsm_agent.loading.yaml_file import inspect_file
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.urls import open_store
from fsm_agent.sync import Runner
from fsm_agent.testing.scripted import Drive, drive

ROOT = Path(__file__).parents[2]
GALLERY = {path.stem: path for path in sorted((ROOT / "workflows").glob("*.yaml"))}
MODULES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["fsm-agent"]["modules"]
RECEIPTS = ROOT / "examples" / "expense_approval" / "receipts.csv"

#: Starts a workflow of the gallery with its first event; the payload goes by keyword.
Start = Callable[..., Agent]


@pytest.fixture
def clock() -> FakeClock:
    """Shows 1 January 2026, a Thursday, 00:00 UTC."""
    return FakeClock()


@pytest.fixture
def runner(clock: FakeClock) -> Iterator[Runner]:
    with Runner(open_store("memory://", clock=clock), modules=MODULES) as runner:
        yield runner


@pytest.fixture
def book(runner: Runner, tmp_path: Path) -> Start:
    """Ask for a flight in a sentence; the itinerary goes into the test's folder."""

    def start(goal: str) -> Agent:
        workflow = Workflow.load(GALLERY["book_flight"])
        return runner.start(workflow, "new_task", {"goal": goal}, data={"folder": str(tmp_path)}, id="trip")

    return start


@pytest.fixture
def submit(runner: Runner, tmp_path: Path) -> Start:
    """Submit receipts as Ana."""

    def start(receipts: Path = RECEIPTS, by: str | None = "ana") -> Agent:
        workflow = Workflow.load(GALLERY["expense_approval"])
        payload = {"receipts": str(receipts)}
        return runner.start(workflow, "submit", payload, data={"ledger": str(tmp_path)}, id="report", by=by)

    return start


def prompt(agent: Agent) -> list[str]:
    assert agent.question is not None
    return agent.question.prompt.splitlines()


@pytest.mark.parametrize("name", GALLERY)
def test_the_gallery_has_no_mistakes(name: str) -> None:
    actions = Actions(modules=MODULES)
    known = {each: signature for each in actions.names() if (signature := actions.signature(each))}
    _, findings = inspect_file(GALLERY[name], checks=[lambda workflow: check_workflow(workflow, actions=known)])
    # The seed's six transitions leave the question without a deadline, and are kept as they are.
    assert [finding.code for finding in findings] == (["FSM308"] if name == "agent_lifecycle" else [])


@pytest.mark.parametrize("declared", [examples.agent_lifecycle.WORKFLOW, examples.book_flight.workflow.WORKFLOW])
def test_a_workflow_in_python_equals_its_file(declared: Workflow) -> None:
    assert declared == Workflow.load(GALLERY[declared.name])
    assert declared.hash == Workflow.load(GALLERY[declared.name]).hash


def test_the_lifecycle_is_five_states_and_six_transitions() -> None:
    workflow = Workflow.load(GALLERY["agent_lifecycle"])
    table = {
        (state.path, event): transition.target
        for state in workflow.states
        for event, candidates in state.on.items()
        for transition in candidates or ()
    }
    assert [state.path for state in workflow.states] == ["idle", "planning", "executing", "waiting_feedback", "done"]
    assert table == {
        ("idle", "new_task"): "planning",
        ("planning", "plan_ready"): "executing",
        ("executing", "step_complete"): "executing",
        ("executing", "needs_input"): "waiting_feedback",
        ("waiting_feedback", "input_received"): "executing",
        ("executing", "task_complete"): "done",
    }


def test_the_lifecycle_works_its_script_through_and_asks_in_the_middle(runner: Runner) -> None:
    workflow = Workflow.load(GALLERY["agent_lifecycle"])
    agent = runner.start(workflow, "new_task", {"goal": "Thank the crew"})
    assert (agent.state, prompt(agent)) == ("waiting_feedback", [SCRIPT[1]["question"]])
    agent = runner.answer(agent.id, {"feedback": "Ana"})
    assert agent.output == {"log": ["The task has 3 words.", "The answer is Ana.", "Thank the crew. Yours, Ana"]}
    assert [step.event for step in runner.history(agent.id)] == [
        "created", "new_task", "plan_ready", "step_complete", "needs_input", "input_received",
        "step_complete", "step_complete", "task_complete",
    ]  # fmt: skip


def test_the_lifecycle_asks_each_question_of_a_plan_of_its_own(runner: Runner) -> None:
    plan = [{"tool": "ask", "question": "Tea?"}, {"tool": "ask", "question": "Milk?"}]
    agent = runner.start(
        Workflow.load(GALLERY["agent_lifecycle"]), "new_task", {"goal": "Breakfast"}, data={"plan": plan}
    )
    for question, feedback in (("Tea?", "yes"), ("Milk?", "no")):
        assert prompt(agent) == [question]
        agent = runner.answer(agent.id, {"feedback": feedback})
    assert agent.output == {"log": ["The answer is yes.", "The answer is no."]}


def test_a_flight_is_booked_by_asking_for_all_that_is_missing(book: Start, runner: Runner, tmp_path: Path) -> None:
    agent = book("Book a flight to NYC")
    assert [line[:5].strip() for line in prompt(agent)] == ['"NYC"', "JFK", "LGA", "EWR", "Which"]
    agent = runner.answer("trip", {"airport": "Kennedy"})
    assert prompt(agent)[0] == "You have not said where you want to leave from."
    agent = runner.answer("trip", {"airport": "San Francisco"})
    assert prompt(agent)[1] == "On which day do you want to fly from SFO to JFK? (YYYY-MM-DD)"
    agent = runner.answer("trip", {"date": "2026-02-05"})
    assert prompt(agent)[0] == "SFO to JFK, 4,152 km, on Thursday, 5 February 2026:"
    agent = runner.answer("trip", {"choice": 2})
    itinerary = agent.output["itinerary"]
    assert (agent.status, itinerary["file"]) == (Status.DONE, str(tmp_path / "trip.md"))
    page = (tmp_path / "trip.md").read_text(encoding="utf-8")
    assert page.startswith("# San Francisco to New York, Thursday, 5 February 2026\n")
    assert f"| Booking | {itinerary['booking']} |" in page


def test_a_sentence_that_says_everything_leaves_only_the_choice(book: Start) -> None:
    agent = book("fly BER to JFK next Monday")
    assert (agent.state, prompt(agent)[0]) == (
        "waiting_feedback.choice",
        "BER to JFK, 6,390 km, on Monday, 5 January 2026:",
    )


def test_an_answer_that_cannot_be_is_asked_for_again_with_the_reason(book: Start, runner: Runner) -> None:
    agent = book("to NYC from Lodnon on 30 February")
    said: list[str] = []
    for payload in (
        {"airport": "Atlantiss"},
        {"airport": "JFK"},
        {"airport": "JFK"},
        {"airport": "EWR"},
        {"date": "2025-12-30"},
        {"date": "2026-02-05"},
        {"choice": 9},
    ):
        agent = runner.answer("trip", payload)
        said.append(prompt(agent)[0])
    assert said == [
        'I know no airport by the name "Atlantiss"; did you mean Atlantic or Atlanta?',
        'I know no airport by the name "Lodnon"; did you mean London?',
        "From JFK to JFK is no flight.",
        'No calendar has the date "30 February".',
        "Tuesday, 30 December 2025 is over.",
        "JFK to EWR, 33 km, on Thursday, 5 February 2026:",
        "There is no flight 9; there are:",
    ]
    assert len(prompt(agent)) == 7


def test_a_choice_still_stands_after_a_wrong_answer(book: Start, runner: Runner) -> None:
    book("to NYC")
    assert "  LGA - " in "\n".join(prompt(runner.answer("trip", {"airport": "nowhere at all"})))


def test_a_flight_that_has_left_is_neither_offered_nor_booked(book: Start, runner: Runner, clock: FakeClock) -> None:
    first, *others = book("from BER to HAM tomorrow").data["options"]
    clock.ms = int(datetime.fromisoformat(first["departs"]).timestamp() * 1000)
    agent = runner.answer("trip", {"choice": 1})
    assert prompt(agent)[0] == f"{first['carrier']} {first['flight']} cannot be reached any more."
    agent = runner.answer("trip", {"date": "2026-01-02"})
    assert [option["flight"] for option in agent.data["options"]] == [option["flight"] for option in others]


def test_a_day_without_a_flight_left_asks_for_another(book: Start, clock: FakeClock) -> None:
    clock.advance(hours=22, minutes=30)
    assert prompt(book("from BER to HAM today"))[0] == (
        "The last flight from BER to HAM on Thursday, 1 January 2026 has left."
    )


def test_a_question_lapses_after_three_days_and_a_wrong_number_does_not_prolong_it(
    book: Start, runner: Runner, clock: FakeClock
) -> None:
    book("from BER to HAM on 2026-05-01")
    clock.advance(days=2)
    runner.answer("trip", {"choice": 9})
    clock.advance(days=1)
    assert runner.resume("trip").status is Status.CANCELLED


def test_a_booking_can_be_cancelled_wherever_it_waits(book: Start, runner: Runner) -> None:
    book("to NYC")
    assert runner.cancel("trip").state == "cancelled"


def test_an_itinerary_that_cannot_be_written_is_tried_three_times_and_then_fails() -> None:
    run = drive(
        GALLERY["book_flight"],
        actions={
            "read_goal": ["step_complete"],
            "settle_trip": ["plan_ready"],
            "find_offers": ["needs_input"],
            "book": ["step_complete"],
            "write_itinerary": [OSError("disk full")] * 3,
        },
        data={"options": [{"label": "1. Zephyr"}]},
    )
    run.send("new_task", goal="x").answer(choice=1)
    assert (run.state, run.agent.output) == ("failed", {"reason": "disk full"})


def test_an_approved_report_is_entered_in_the_ledger(submit: Start, runner: Runner, tmp_path: Path) -> None:
    assert prompt(submit()) == ["Do you approve 212.40 euros for ana (3 receipts)?"]
    agent = runner.answer("report", event="approve", by="bob")
    assert agent.output == {"total": "212.40", "approver": "bob", "entry": str(tmp_path / "report.json")}
    entry = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (entry["report"], entry["author"], entry["approver"], len(entry["lines"])) == ("report", "ana", "bob", 3)


@pytest.mark.parametrize(("event", "payload"), [("approve", {}), ("reject", {"reason": "too dear"})])
def test_the_author_decides_nothing(submit: Start, runner: Runner, event: str, payload: dict[str, str]) -> None:
    submit()
    with pytest.raises(GuardsRefused, match=r"`event\.by != data\.author` did not hold"):
        runner.answer("report", payload, event=event, by="ana")
    assert runner.get("report").status is Status.WAITING


def test_a_rejection_gives_its_reason(submit: Start, runner: Runner) -> None:
    submit()
    with pytest.raises(PayloadInvalid, match="reason"):
        runner.answer("report", {"reason": ""}, event="reject", by="bob")
    agent = runner.answer("report", {"reason": "too dear"}, event="reject", by="bob")
    assert (agent.state, agent.output["reason"]) == ("rejected", "too dear")


def test_a_report_without_an_author_is_not_taken(submit: Start) -> None:
    with pytest.raises(GuardsRefused, match=r"`event\.by != null` did not hold"):
        submit(by=None)


def test_a_small_sum_needs_nobody(submit: Start, tmp_path: Path) -> None:
    receipts = tmp_path / "small.csv"
    receipts.write_text("date,description,amount\n2025-12-30,Lunch,50.00\n", encoding="utf-8")
    assert submit(receipts).output["approver"] == "nobody, up to 50.00"


def test_faulty_receipts_go_back_to_their_author_alone(submit: Start, runner: Runner, tmp_path: Path) -> None:
    agent = submit(tmp_path / "missing.csv")
    assert prompt(agent)[1] == "  the file cannot be read: No such file or directory"
    with pytest.raises(NotAddressee):
        runner.answer("report", {"receipts": str(RECEIPTS)}, by="bob")
    assert runner.answer("report", {"receipts": str(RECEIPTS)}, by="ana").state == "approval.asked"


@pytest.fixture
def asked() -> Drive:
    """A report of 90 euros that waits for its approval."""
    run = drive(GALLERY["expense_approval"], actions={"check_receipts": ["receipts_fine"]}, data={"cents": 9000})
    return run.send("submit", receipts="x.csv", by="ana")


def test_an_approval_is_reminded_of_escalated_and_expires_by_one_clock(asked: Drive) -> None:
    states = [asked.state]
    for hours in (1, 3, 68):
        states.append(asked.advance(hours=hours, minutes=-1).state)
        states.append(asked.advance(minutes=1).state)
    assert states == [
        "approval.asked", "approval.asked", "approval.reminded", "approval.reminded",
        "approval.escalated", "approval.escalated", "expired",
    ]  # fmt: skip
    assert asked.status is Status.CANCELLED


@pytest.mark.parametrize("hours", [0, 1, 4])
def test_a_report_is_withdrawn_from_anywhere(asked: Drive, hours: int) -> None:
    assert asked.advance(hours=hours).cancel(by="ana").state == "withdrawn"

"""A booking with the gallery's ``book_flight``, in calls that may be repeated."""

from __future__ import annotations

from pathlib import Path

from fsm_agent import Runner, Workflow
from fsm_agent.domain.agent import Agent

ROOT = Path(__file__).parents[2]
ID = "trip"


async def book_flight(runner: Runner, goal: str) -> Agent:
    """Do all that a traveller does, and go on with what was interrupted; each call has a key."""
    workflow = Workflow.load(ROOT / "workflows" / "book_flight.yaml")
    await runner.start(workflow, "new_task", {"goal": goal}, id=ID, key="go")
    await runner.resume(ID)
    await runner.answer(ID, {"airport": "JFK"}, key="airport")
    await runner.resume(ID)
    await runner.answer(ID, {"choice": 3}, key="choice")
    return await runner.resume(ID)

"""The agents of the demo: what happened to them in the last days, on a clock that begins three days ago."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from time import time
from typing import Any, Final

from fsm_agent import Agent, Runner, Surroundings, Workflow, open_store
from fsm_agent.runtime.worker import Worker
from fsm_agent.testing import FakeClock

ROOT: Final = Path(__file__).parents[2]
MODULES: Final = (
    "examples.agent_lifecycle",
    "examples.book_flight.actions",
    "examples.expense_approval.actions",
)
#: who signs in with the token of the demo, and is asked some of the questions
PERSON: Final = "ana"
_TURBINES: Final = ("N-01", "N-02", "N-07", "S-04", "S-11")
_PLAN: Final = {"day": "2026-12-03", "crew": 2, "crane": False, "contact": "crew@example.com"}
_DAYS: Final = 3


class Past:
    """Agents that live on a clock of their own, until now."""

    def __init__(self, folder: Path) -> None:
        now_ms = int(time() * 1000)
        self._clock = FakeClock(now_ms - timedelta(days=_DAYS) // timedelta(milliseconds=1))
        self._now_ms = now_ms
        store = open_store(f"sqlite:///{folder}/agents.db", clock=self._clock)
        script = Path(__file__).parents[1] / "support_triage" / "script.yaml"
        around = Surroundings(model=f"scripted:{script}")
        self.runner = Runner(store, modules=MODULES, surroundings=around)
        self._worker = Worker(self.runner)
        self._folder = folder

    async def pass_until_now(self, **before: float) -> None:
        """Let time pass until a while before now."""
        self._clock.ms = self._now_ms - timedelta(**before) // timedelta(milliseconds=1)
        await self._worker.run_once()

    async def pass_time(self, **units: float) -> None:
        """Let time pass, but never beyond now, and drive whoever is due then."""
        self._clock.ms = min(self._clock.advance(**units), self._now_ms)
        await self._worker.run_once()

    async def start(self, name: str, agent_id: str, event: str | None = None, **more: Any) -> Agent:
        file = ROOT / "examples" / "server" / "site_visit.yaml" if name == "site_visit" else None
        workflow = Workflow.load(file or ROOT / "workflows" / f"{name}.yaml")
        return await self.runner.start(workflow, event, id=agent_id, **more)

    async def answer(self, agent: Agent, by: str, event: str, payload: Mapping[str, Any] | None = None) -> Agent:
        """Answer, and have the agent driven by somebody who waits for no backoff: time passes only when told to."""
        answered = await self.runner.answer(agent.id, payload or {}, event=event, by=by, drive=False)
        await self._worker.run_once()
        return answered

    async def live(self) -> None:
        """All that happened."""
        await self._expenses()
        await self._tickets()
        await self._letters()
        await self._visits()
        await self._flights()
        await self._at_work()

    async def _expenses(self) -> None:
        receipts = str(ROOT / "examples" / "expense_approval" / "receipts.csv")
        ledger = {"ledger": str(self._folder)}
        approved = []
        for number, author in enumerate(("ben", "cleo", "dev", "eva"), start=1):
            given = {"data": ledger, "payload": {"receipts": receipts}, "by": author, "labels": {"team": "field"}}
            approved.append(await self.start("expense_approval", f"expenses-{number}", "submit", **given))
            await self.pass_time(minutes=25 * number)
        for agent in approved[:2]:
            await self.answer(agent, "fay", "approve")
            await self.pass_time(minutes=7)
        await self.answer(approved[2], "fay", "reject", {"reason": "the train ticket is missing"})
        lost = {"ledger": str(self._folder / "agents.db")}  # a file, where a folder should be: it fails
        given = {"data": lost, "payload": {"receipts": receipts}, "by": "gus"}
        await self.answer(await self.start("expense_approval", "expenses-6", "submit", **given), "fay", "approve")
        wrong = {"data": ledger, "payload": {"receipts": "receipts-of-june.csv"}, "by": PERSON}
        await self.start("expense_approval", "expenses-5", "submit", **wrong)

    async def _tickets(self) -> None:
        tickets = {
            "ticket-1": ("What are your opening hours?", "Bob"),
            "ticket-2": ("My order A-17 arrived broken", "Carla"),
            "ticket-3": ("Where is B-7?! I want my 250 back", "Dana"),
            "ticket-4": ("مرحبا، أين طلبي؟", "سلمى"),
        }
        for agent_id, (message, customer) in tickets.items():
            payload = {"message": message, "customer": customer}
            await self.start("support_triage", agent_id, "ticket", payload=payload, labels={"channel": "mail"})
            await self.pass_time(minutes=11)

    async def _letters(self) -> None:
        letter = await self.start("agent_lifecycle", "letter-1", "new_task", payload={"goal": "Write to the landlord"})
        await self.pass_time(hours=2)
        await self.answer(letter, PERSON, "input_received", {"feedback": "Ana"})
        await self.start("agent_lifecycle", "letter-2", "new_task", payload={"goal": "Write to the insurance"})
        await self.start("agent_lifecycle", "letter-3")
        plan = {"plan": [{"tool": "study"}, {"tool": "stamp"}]}  # no such tool: it parks
        await self.start("agent_lifecycle", "letter-4", "new_task", payload={"goal": "Write to the bank"}, data=plan)

    async def _visits(self) -> None:
        for turbine in _TURBINES:
            data = {"turbine": turbine, "technician": PERSON if turbine.startswith("N") else "gus"}
            visit = await self.start("site_visit", f"visit-{turbine}", data=data, labels={"park": turbine[0]})
            await self.pass_time(hours=5)
            if turbine in ("N-02", "N-07", "S-04"):
                await self.answer(visit, "fay", "planned", _PLAN)
            if turbine == "S-11":
                await self.answer(visit, "fay", "called_off", {"reason": "no access before spring"})
        report = {"condition": "worn", "hours": 6.5, "parts": [{"name": "bearing", "count": 2}], "remarks": ""}
        await self.pass_time(hours=1)
        await self.runner.answer("visit-N-02", report, event="reported", by=PERSON)

    async def _flights(self) -> None:
        goal = {"goal": "Book a flight from San Francisco to NYC next Monday"}
        await self.start("book_flight", "flight-1", "new_task", payload=goal, data={"folder": str(self._folder)})

    async def _at_work(self) -> None:
        """One that is on its way now."""
        await self.pass_until_now(hours=1)
        visit = await self.start("site_visit", "visit-W-03", data={"turbine": "W-03", "technician": PERSON})
        await self.answer(visit, PERSON, "planned", _PLAN)

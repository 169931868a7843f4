"""What a request leaves to do is done at once, and nothing else is."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from fsm_agent.domain.record import Record
from fsm_agent.stores.memory.store import MemoryStore
from tests.support.runtime import Gate, flow, on_loop, until
from tests.support.servers.in_process import serving

WORK: Final = flow("""
    data: {n: {type: integer, default: 0}}
    events: {go: {}, ok: {}, tick: {}, note: {}}
    initial: resting
    on: {note: {assign: {n: data.n + 1}}}
    states:
      resting: {on: {go: working, tick: resting}}
      working: {do: work, on: {ok: resting}}
""")
ID: Final = "one"


class Counted(MemoryStore):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    async def load(self, agent_id: str, *, key: str | None = None) -> Record:
        self.asked["load"] += 1
        return await super().load(agent_id, key=key)

    async def due(self, now_ms: int, limit: int) -> Any:
        return ()  # no sweep finds anything


@on_loop
async def test_an_event_that_leaves_nothing_to_do_begins_no_turn() -> None:
    store = Counted()
    async with serving(lambda _: store, [WORK]) as served, served.connect() as connection:
        await connection.post("/v1/agents", {"workflow": "w", "id": ID})
        await until(lambda: served.service.at_work == 0)
        store.asked.clear()
        for _ in range(5):
            assert (await connection.post(f"/v1/agents/{ID}/events", {"event": "tick"})).status == 200
        await until(lambda: served.service.at_work == 0)
        assert store.asked["load"] == 5


@on_loop
async def test_what_an_event_leaves_to_do_is_done_though_no_sweep_finds_it() -> None:
    store, gate = Counted(), Gate()
    async with (
        serving(lambda _: store, [WORK], actions=[gate.as_action()]) as served,
        served.connect() as connection,
        served.connect() as patient,
    ):
        await connection.post("/v1/agents", {"workflow": "w", "id": ID})
        reply = await connection.post(f"/v1/agents/{ID}/events", {"event": "go"})
        assert (reply.json["status"], reply.json["delivery"]) == ("running", "applied")
        await gate.begun.wait()
        reply = await connection.post(f"/v1/agents/{ID}/events", {"event": "note"})
        assert (reply.json["delivery"], reply.json["data"]) == ("queued", {"n": 0})
        gate.open("ok")
        reply = await patient.post(f"/v1/agents/{ID}/resume", Prefer="wait=30")
        await until(lambda: served.service.at_work == 0)
        agent = (await connection.get(f"/v1/agents/{ID}")).json
        assert (agent["state"], agent["data"]) == ("resting", {"n": 1})


@on_loop
async def test_who_waits_for_an_agent_is_answered_when_it_rests() -> None:
    store, gate = Counted(), Gate()
    async with serving(lambda _: store, [WORK], actions=[gate.as_action()]) as served, served.connect() as connection:
        await connection.post("/v1/agents", {"workflow": "w", "id": ID})
        gate.open("ok")
        reply = await connection.post(f"/v1/agents/{ID}/events", {"event": "go"}, Prefer="wait=30")
        assert (reply.json["status"], reply.json["state"], reply.json["delivery"]) == ("waiting", "resting", "applied")

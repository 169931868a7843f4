"""LangGraph, with its checkpointers for SQLite and PostgreSQL.

Its blocking half is used: the asynchronous saver for SQLite hops to a thread at each statement. Which half is faster
was not measured.
``durability="sync"`` makes each step durable before the next; the default, "async", writes it while the next one runs.
Both savers are as shipped: the one for SQLite sets WAL by itself (synchronous is FULL), that for PostgreSQL connects as
its documentation says (autocommit, prepared statements). A conversation is kept as everybody writes it, with
``operator.add`` ("plain"), and in a ``DeltaChannel``, which is in beta ("delta").
"""

import operator
import time
import uuid
from contextlib import ExitStack
from importlib.metadata import version
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from benchmarks.matter import DATA, message, note
from benchmarks.peers.peer import run_peer


class Working(TypedDict):
    goal: str
    count: int
    until: int
    customer: dict[str, Any]
    options: list[dict[str, Any]]
    note: str


class Talking(TypedDict):
    messages: Annotated[list[dict[str, str]], operator.add]
    until: int
    count: int


def working(state: Working) -> dict[str, Any]:
    count = state["count"] + 1
    return {"count": count, "note": note(count)}


def waiting(state: Working) -> dict[str, Any]:
    return {"note": interrupt("anything new?")}


def where_next(state: Working) -> str:
    return "working" if state["count"] < state["until"] else "waiting"


class LangGraph:
    def __init__(self) -> None:
        self._stack = ExitStack()
        self._moments: list[float] = []

    def about(self) -> dict[str, Any]:
        return {"version": version("langgraph")}

    def open(self, where: dict[str, Any], *, tuned: bool = True) -> dict[str, Any]:
        self.close()
        if where["backend"] == "sqlite":
            from langgraph.checkpoint.sqlite import SqliteSaver

            self._saver = self._stack.enter_context(SqliteSaver.from_conn_string(where["path"]))
            self._saver.conn.execute("PRAGMA synchronous = FULL")
        else:
            from langgraph.checkpoint.postgres import PostgresSaver

            self._saver = self._stack.enter_context(PostgresSaver.from_conn_string(where["url"]))
        self._saver.setup()
        graph = StateGraph(Working)
        graph.add_node("working", working)
        graph.add_node("waiting", waiting)
        graph.add_edge(START, "working")
        graph.add_conditional_edges("working", where_next, ["working", "waiting"])
        graph.add_edge("waiting", "waiting")
        self._working = graph.compile(checkpointer=self._saver)
        return {}

    def close(self) -> dict[str, Any]:
        self._stack.close()
        return {}

    def steps(self, steps: int) -> dict[str, Any]:
        began = time.perf_counter()
        self._run(steps)
        return {"seconds": time.perf_counter() - began}

    def talk(self, messages: int, *, how: str = "plain") -> dict[str, Any]:
        schema = _in_deltas() if how == "delta" else Talking
        graph = StateGraph(schema)
        graph.add_node("talking", self._talking, input_schema=schema)
        graph.add_edge(START, "talking")
        graph.add_conditional_edges(
            "talking", lambda state: "talking" if state["count"] < state["until"] else END, ["talking", END]
        )
        self._moments, self._third = [], messages // 3
        compiled = graph.compile(checkpointer=self._saver)
        compiled.invoke(
            {"messages": [], "until": messages, "count": 0}, _config(uuid.uuid4().hex, messages), durability="sync"
        )
        return {"moments": [*self._moments, time.perf_counter()]}

    def _talking(self, state: dict[str, Any]) -> dict[str, Any]:
        count = state["count"]
        if count % self._third == 0 and len(self._moments) < 3:
            self._moments.append(time.perf_counter())
        return {"messages": [message(count)], "count": count + 1}

    def crowd(self, agents: int) -> dict[str, Any]:
        for _ in range(agents):
            self._run(1)
        return {}

    def long(self, steps: int) -> dict[str, Any]:
        return {"agent": self._run(steps)}

    def deliver(self, agent: str) -> None:
        # the node waits again at once: its second interrupt is where this returns
        self._working.invoke(Command(resume="poked"), _config(agent, 1), durability="sync")

    def _run(self, steps: int) -> str:
        agent = uuid.uuid4().hex
        self._working.invoke({**DATA, "until": steps}, _config(agent, steps), durability="sync")
        return agent


def _config(agent: str, steps: int) -> dict[str, Any]:
    return {"configurable": {"thread_id": agent}, "recursion_limit": steps + 10}


def _in_deltas() -> type:
    """The same state; only what a step adds is written, and the whole every hundredth time."""
    from langgraph.channels.delta import DeltaChannel

    def add(before: list[Any], writes: Any) -> list[Any]:
        return [*before, *(item for items in writes for item in items)]

    class TalkingInDeltas(TypedDict):
        messages: Annotated[list[dict[str, str]], DeltaChannel(add)]
        until: int
        count: int

    return TalkingInDeltas


if __name__ == "__main__":
    run_peer(LangGraph())

"""Peers, ours and the raw statements side by side, in tables of one line a backend. Who cannot do something has a dash,
and a note that says why."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final

from benchmarks.crowds import gathered
from benchmarks.dialogue import Dialogue
from benchmarks.measure import reason, take_turns
from benchmarks.peers.contenders import CONTENDERS, Contender, command, started, version_of
from benchmarks.place import RAW, Place
from benchmarks.places import Places
from benchmarks.processes import delivery, long_lived, run
from benchmarks.sizes import Sizes
from benchmarks.steps import converse, drive_one
from benchmarks.subjects import TALKING
from fsm_agent import open_store

OURS_NAME: Final = "fsm-agent"
DELTAS_NAME: Final = "LangGraph, DeltaChannel"
#: Titles of the two tables that are also drawn.
STEPS: Final = "One agent, durable steps"
CONVERSATION: Final = "A long conversation, 200 B a step"


@dataclass(slots=True)
class Notes:
    """Reasons, numbered in the order in which they come up."""

    reasons: list[str] = field(default_factory=list)

    def dash(self, why: str) -> str:
        if why not in self.reasons:
            self.reasons.append(why)
        return f"- ({self.reasons.index(why) + 1})"

    def text(self) -> str:
        return "\n".join(f"{number}. {why}" for number, why in enumerate(self.reasons, 1))


@dataclass(frozen=True, slots=True)
class Comparing:
    """What all tables are made from."""

    places: Places
    sizes: Sizes
    python: Path
    notes: Notes

    def backends(self) -> tuple[Place, ...]:
        return (self.places.sqlite, self.places.postgres, self.places.redis)

    def cells(self, place: Place, measure: Callable[[Contender], str]) -> Iterator[str]:
        """One for each contender, whatever goes wrong."""
        for contender in CONTENDERS:
            if not contender.can(place):
                yield self.notes.dash(contender.missing)
                continue
            try:
                yield measure(contender)
            except Exception as error:
                yield self.notes.dash(f"{contender.name}, {place.name}: {reason(error)}")


def table(head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---", *["--:"] * (len(head) - 1)], *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@dataclass(slots=True)
class Line:
    """One backend of a table, and who did better than we there."""

    cells: list[str]
    ahead: list[str] = field(default_factory=list)


def judged(head: list[str], lines: list[Line]) -> str:
    """The table, and below it who is ahead and what they leave out for it."""
    ahead = [f"- {each}" for line in lines for each in line.ahead]
    verdict = "\n".join(["Ahead of fsm-agent:", "", *ahead]) if ahead else "No peer is ahead of fsm-agent."
    return f"{table(head, [line.cells for line in lines])}\n\n{verdict}"


def ahead_of_us(place_name: str, figures: Mapping[str, float]) -> list[str]:
    """A sentence for each contender whose figure is smaller than ours."""
    return [
        f"{contender.name}, {place_name}. {contender.leaves_out[0].upper()}{contender.leaves_out[1:]}."
        for contender in CONTENDERS
        if figures.get(contender.name, math.inf) < figures.get(OURS_NAME, math.inf)
    ]


def durable_steps(comparing: Comparing) -> str:
    """Everybody takes turns."""
    names = [contender.name for contender in CONTENDERS]
    lines = [_steps_line(comparing, place, is_tuned=True) for place in comparing.backends()]
    lines.insert(1, _steps_line(comparing, comparing.places.sqlite, is_tuned=False))
    return judged(["backend", "raw", OURS_NAME, *names], lines)


def _steps_line(comparing: Comparing, place: Place, *, is_tuned: bool) -> Line:
    steps, url = comparing.sizes.peer_steps, place.fresh()
    with ExitStack() as stack:
        raw = stack.enter_context(place.raw())
        turns: dict[str, Callable[[], float]] = {
            "raw": lambda: raw.commits(steps, settle=partial(place.settle, RAW)),
            OURS_NAME: lambda: drive_one(lambda: open_store(url), steps, settle=place.settle),
        }

        def enter(contender: Contender) -> str:
            peer = stack.enter_context(started(contender, comparing.python))
            peer.ask("open", where=place.for_peer(contender.spot()), tuned=is_tuned)
            turns[contender.name] = partial(_seconds, peer, steps, settle=partial(place.settle, contender.spot()))
            return ""

        entered = list(comparing.cells(place, enter))
        took = take_turns(turns, runs=comparing.sizes.runs)
    cells = []
    for name, dash in zip(["raw", OURS_NAME, *(each.name for each in CONTENDERS)], ["", "", *entered], strict=True):
        if dash or name in took.reasons:
            cells.append(dash or comparing.notes.dash(f"{name}, {place.name}: {took.reasons[name]}"))
        else:
            cells.append(_against(took.medians, name, steps))
    backend = place.name if is_tuned else f"{place.name}, as shipped"
    return Line([backend, *cells], ahead_of_us(backend, took.medians))


def _seconds(peer: Dialogue, steps: int, *, settle: Callable[[], object]) -> float:
    settle()
    return float(peer.ask("steps", steps=steps)["seconds"])


def _against(medians: Mapping[str, float], name: str, steps: int) -> str:
    per_second = f"{steps / medians[name]:,.0f}/s"
    if name == "raw" or "raw" not in medians:
        return per_second
    return f"**{medians['raw'] / medians[name]:.2f}** ({per_second})"


def conversations(comparing: Comparing) -> str:
    """Bytes against raw appends, and how much longer the last third takes than the first."""
    lines = [_conversation_line(comparing, place) for place in comparing.backends()]
    return table(["backend", "messages", OURS_NAME, *(each.name for each in CONTENDERS), DELTAS_NAME], lines)


def _conversation_line(comparing: Comparing, place: Place) -> list[str]:
    sizes = comparing.sizes
    messages = sizes.messages if place is comparing.places.sqlite else sizes.peer_messages
    place.fresh()
    with place.raw() as raw:
        raw.append_all(messages)
        yardstick = place.weigh_raw(raw)
    ours = converse(place, messages, TALKING)

    def talk(contender: Contender, how: str = "plain") -> str:
        with started(contender, comparing.python) as peer:
            peer.ask("open", where=place.for_peer(contender.spot()))
            moments = peer.ask("talk", messages=messages, how=how)["moments"]
            weight = place.weigh(contender.spot())
        return _growth(weight, yardstick, [after - before for before, after in pairwise(moments)])

    def in_deltas(contender: Contender) -> str:
        return talk(contender, "delta") if contender.name == "LangGraph" else ""

    cells = list(comparing.cells(place, talk))
    deltas = list(comparing.cells(place, in_deltas))[-1]
    return [place.name, f"{messages:,}", _growth(ours.weight, yardstick, ours.thirds), *cells, deltas]


def _growth(weight: int, yardstick: int, thirds: Sequence[float]) -> str:
    return f"**{weight / yardstick:,.1f} x** ({weight / 1e6:,.2f} MB; time {thirds[2] / thirds[0]:.1f} x)"


def fresh_processes(comparing: Comparing) -> str:
    """Everybody takes turns; the yardstick is an interpreter that does nothing."""
    lines = [_fresh_line(comparing, place) for place in comparing.backends()]
    return judged(["backend", OURS_NAME, *(each.name for each in CONTENDERS)], lines)


def _fresh_line(comparing: Comparing, place: Place) -> Line:
    ours = delivery(*long_lived(place, comparing.sizes))
    turns: dict[str, Callable[[], float]] = {
        "nothing": lambda: run([sys.executable, "-c", "pass"]),
        OURS_NAME: lambda: run(ours),
    }

    def enter(contender: Contender) -> str:
        where = place.for_peer(contender.spot())
        with started(contender, comparing.python) as peer:
            peer.ask("open", where=where)
            agent = peer.ask("long", steps=comparing.sizes.long_steps)["agent"]
        resume = [*command(contender, comparing.python), "deliver", json.dumps(where), agent]
        turns[contender.name] = lambda: run(resume)
        return ""

    entered = list(comparing.cells(place, enter))
    took = take_turns(turns, runs=comparing.sizes.runs)
    cells = []
    for name, dash in zip([OURS_NAME, *(each.name for each in CONTENDERS)], ["", *entered], strict=True):
        if dash or name in took.reasons:
            cells.append(dash or comparing.notes.dash(f"{name}, {place.name}: {took.reasons[name]}"))
        else:
            seconds, nothing = took.medians[name], took.medians["nothing"]
            cells.append(f"**{seconds / nothing:.1f} x** ({seconds * 1e3:,.0f} ms)")
    return Line([place.name, *cells], ahead_of_us(place.name, took.medians))


def crowds(comparing: Comparing) -> str:
    agents = comparing.sizes.peer_crowd

    def line(place: Place) -> Line:
        each = {OURS_NAME: asyncio.run(gathered(place, agents, 1)).each}

        def weigh(contender: Contender) -> str:
            with started(contender, comparing.python) as peer:
                peer.ask("open", where=place.for_peer(contender.spot()))
                peer.ask("crowd", agents=agents)
                each[contender.name] = place.weigh(contender.spot()) / agents
            return f"{each[contender.name]:,.0f} B"

        cells = list(comparing.cells(place, weigh))
        return Line([place.name, f"{each[OURS_NAME]:,.0f} B", *cells], ahead_of_us(place.name, each))

    names = [contender.name for contender in CONTENDERS]
    return judged(["backend", OURS_NAME, *names], [line(place) for place in comparing.backends()])


def promises(comparing: Comparing) -> str:
    """What each keeps, besides the step itself, as configured here."""
    lines = [
        [
            OURS_NAME,
            "what each step changed; any version is made from it",
            "compare-and-set on the version, and on the epoch of whoever drives",
            "a step adds its message",
        ]
    ]
    for contender in CONTENDERS:
        try:
            name = f"{contender.name} {version_of(contender, comparing.python)}"
        except Exception as error:
            name = f"{contender.name} {comparing.notes.dash(f'{contender.name}: {reason(error)}')}"
        lines.append([name, contender.history, contender.two_writers, contender.conversation])
    return table(["", "history", "a second writer", "a long conversation"], lines).replace("--:", "---")


INTRODUCTION: Final = """Each does the same work on the same servers, in a process of its own: data of about 500 B, a
counter and a note changed at every step, each step durable before the next begins. All are configured as well as their
documentation allows, which the scripts in [peers/](peers) say in detail; what was not possible is numbered, and said
at the end."""


def tables(sizes: Sizes) -> list[tuple[str, str, Callable[[Comparing], str]]]:
    """Each table with its title, and what is to be said of it."""
    return [
        ("What each promises", "As it is configured here.", promises),
        (
            STEPS,
            "In brackets steps per second, in bold the part of the raw statement's speed. SQLite has a write-ahead log "
            "and synchronous FULL, and every contender's log is recycled; as shipped, Burr and DBOS have a rollback "
            "journal.",
            durable_steps,
        ),
        (
            CONVERSATION,
            "Bytes on disk (Redis: in RAM) against one raw row a message; in brackets the bytes, and the time of the "
            "last third against the first, which is 1 where a step costs the same however long the conversation is.",
            conversations,
        ),
        (
            f"A {sizes.long_steps:,}-step agent in a fresh process takes one event",
            "From start to end of the process, against `python -c pass`.",
            fresh_processes,
        ),
        (f"{sizes.peer_crowd:,} waiting agents", "What one weighs, after one step of work.", crowds),
    ]

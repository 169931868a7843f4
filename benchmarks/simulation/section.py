"""The section of RESULTS.md about the simulation. Its tables are what the plots are drawn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.simulation.database import CORES
from benchmarks.simulation.recorder import Outcome
from benchmarks.simulation.scenarios import ACTION_S, Setting, backlog, starts, timers
from benchmarks.sizes import Sizes

BACKLOG: Final = "Agents that are all due at once"
STARTS: Final = "Agents that another process starts"
TIMERS: Final = "Agents whose timers run out"
_STARTS_S: Final = (20, 200, 2_000)
_WITHIN_S: Final = 100

_INTRODUCTION: Final = (
    f"The real worker and the real `take` on a store in memory, in virtual time: a database with {CORES} cores takes "
    "0.10 ms for a load, 0.25 ms for a commit, and 0.10 ms and 0.03 ms an agent for a `take`; a process has one core "
    "and needs 0.15 ms for each of these; the network takes 0.5 ms, a ring 1 ms on average. What a verb takes depends "
    "on nothing else: that it does not grow with the agents that are there is measured on real databases. An agent has "
    f"one action of {ACTION_S * 1e3:.0f} ms. A seed makes the run, so that any machine shows the same. Measured with "
    "`make bench-simulation`; `make bench` keeps this section.\n\n"
    "A conflict is a claim that two workers got, or a commit that was refused. A wait ends when the action begins. "
    "Overtaken is by how much an agent was due longer than one that was taken before it, at the most."
)
_SAID_OF_BACKLOG: Final = (
    "Apart is how long one began after another that was due since the same millisecond, at the most. A share is the "
    "part of all agents that one worker drove: the smallest and the largest."
)
_SAID_OF_STARTS: Final = (
    "It starts so many a second, at random moments, beside 10,000 that wait, and rings. Each ring wakes every worker, "
    "and all but one find nothing: empty takes are what many workers pay for being told."
)
_SAID_OF_TIMERS: Final = (
    f"They run out at random moments within {_WITHIN_S} s. Nobody rings for that: workers find them when they look, "
    "each of them once a second."
)


def simulation_section(sizes: Sizes) -> str:
    tables = (
        (BACKLOG, _SAID_OF_BACKLOG, _table(_BACKLOG_HEADS, map(_backlog_row, map(backlog, _backlogs(sizes))))),
        (STARTS, _SAID_OF_STARTS, _table(("starts/s", *_WAIT_HEADS), _starts_rows(sizes))),
        (TIMERS, _SAID_OF_TIMERS, _table(("agents", *_WAIT_HEADS), _timers_rows(sizes))),
    )
    return "\n\n".join([_INTRODUCTION, *(f"### {title}\n\n{said}\n\n{table}" for title, said, table in tables)])


def _backlogs(sizes: Sizes) -> Iterator[Setting]:
    """As many agents as there are at the most are left to the most workers: they would keep one busy for an hour."""
    for agents in sizes.simulated_agents:
        is_most = agents == max(sizes.simulated_agents)
        for workers in sizes.simulated_workers[-1:] if is_most else sizes.simulated_workers:
            yield Setting(workers, agents)


_BACKLOG_HEADS: Final = (
    "agents",
    "workers",
    "agents/s",
    "conflicts",
    "agents a take",
    "wait p50",
    "longest wait",
    "overtaken",
    "apart",
    "shares",
)


def _backlog_row(outcome: Outcome) -> Sequence[str]:
    return (
        f"{outcome.agents:,}",
        f"{outcome.workers:,}",
        f"{outcome.agents_s:,.0f}",
        f"{outcome.conflicts + outcome.refused:,}",
        f"{outcome.agents / (outcome.takes - outcome.empty_takes):,.0f}",
        _ms(outcome.wait_p50_ms),
        _ms(outcome.wait_most_ms),
        _ms(outcome.overtaken_ms),
        _ms(outcome.apart_ms),
        f"{outcome.smallest_share:.1%} - {outcome.largest_share:.1%}",
    )


_WAIT_HEADS: Final = (
    "workers",
    "wait p50",
    "wait p99",
    "longest wait",
    "conflicts",
    "overtaken",
    "takes an agent",
    "of them empty",
)


def _starts_rows(sizes: Sizes) -> Iterator[Sequence[str]]:
    for starts_s in _STARTS_S:
        for workers in sizes.simulated_workers:
            yield _wait_row(starts_s, starts(Setting(workers, sizes.simulated_starts), starts_s=starts_s))


def _timers_rows(sizes: Sizes) -> Iterator[Sequence[str]]:
    for agents in sizes.simulated_timers:
        for workers in sizes.simulated_workers:
            yield _wait_row(agents, timers(Setting(workers, agents), within_s=_WITHIN_S))


def _wait_row(first: int, outcome: Outcome) -> Sequence[str]:
    return (
        f"{first:,}",
        f"{outcome.workers:,}",
        _ms(outcome.wait_p50_ms),
        _ms(outcome.wait_p99_ms),
        _ms(outcome.wait_most_ms),
        f"{outcome.conflicts + outcome.refused:,}",
        _ms(outcome.overtaken_ms),
        f"{outcome.takes / outcome.agents:,.1f}",
        f"{outcome.empty_takes / outcome.agents:,.1f}",
    )


def _table(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|" + " --: |" * len(heads)]
    for row in rows:
        lines.append(f"| {' | '.join(row)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.{1 if milliseconds < 100 else 0}f} ms"

"""What a step and an agent cost a server and a worker: the figures of docs/scaling.md."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Final

import psutil
import psycopg
import redis

from benchmarks.measure import reason
from benchmarks.million import populate
from benchmarks.place import Place
from benchmarks.places import Places
from benchmarks.sizes import Sizes
from benchmarks.subjects import work
from benchmarks.workers.crew import crew
from benchmarks.workers.flow import STEPS
from benchmarks.workers.held import fill
from benchmarks.workers.process import TAKES
from benchmarks.workers.throughput import start_all
from fsm_agent import Runner, open_store
from fsm_agent.domain.lease import Holder, Lease

_PATIENCE_S: Final = 600
_PROCESSES: Final = 2
_DAY_MS: Final = 86_400_000
_RENEWALS: Final = 20
_DASH: Final = "-"

#: what is measured -> how it is said
FIGURES: Final[Mapping[str, str]] = {
    "CPU of the server, a step": "with its part of `take` and load",
    "CPU of the worker, a step": "with the action's part, which does nothing but wait",
    "log, a step": "WAL or append-only file, between two checkpoints",
    "history, a step": "a small one; with its index",
    "head of an agent": "as it lies after its steps, with its indexes",
    "a waiting agent": "with its data of about 500 B, three steps and a timer",
    "CPU of the server, a renewal": "of 100 leases at a time",
    "CPU of the server, an idle worker": "of one core; it looks once a second",
    "memory of a connection": "that has worked, its own part",
}


class Meter(ABC):
    """What a server has used since it began."""

    @abstractmethod
    def cpu_s(self) -> float:
        """Seconds of all its processes."""

    @abstractmethod
    def log_bytes(self) -> int:
        """What it has written to its log."""

    @abstractmethod
    def sizes(self) -> dict[str, str]:
        """The figures of what is kept, for agents that have ended their work."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the server."""


class PostgresMeter(Meter):
    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        parent = psutil.Process(self._connection.info.backend_pid).parent()
        assert parent is not None
        self._postmaster = parent

    def cpu_s(self) -> float:
        gone = self._postmaster.cpu_times()
        total = gone.user + gone.system + gone.children_user + gone.children_system
        for each in self._postmaster.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                total += times.user + times.system
        return total

    def log_bytes(self) -> int:
        return int(self._number("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"))

    def sizes(self) -> dict[str, str]:
        self._connection.execute("VACUUM (ANALYZE)")
        return {
            "history, a step": _bytes(self._number(_EACH.format("history"))),
            "head of an agent": _bytes(self._number(_EACH.format("agents"))),
            "memory of a connection": self._memory(),
        }

    def close(self) -> None:
        self._connection.close()

    def _memory(self) -> str:
        """The median of those that agents are driven by."""
        pids = [row[0] for row in self._connection.execute(_SESSIONS)]
        owned = sorted(psutil.Process(pid).memory_full_info().uss for pid in pids)
        return f"{owned[len(owned) // 2] / 1e6:.1f} MB" if owned else _DASH

    def _number(self, query: str) -> float:
        row = self._connection.execute(query.encode()).fetchone()
        assert row is not None
        return float(row[0])


_EACH: Final = "SELECT pg_total_relation_size('fsm_agent.{0}')::float / count(*) FROM fsm_agent.{0}"
_SESSIONS: Final = "SELECT pid FROM pg_stat_activity WHERE application_name = 'fsm-agent'"


class RedisMeter(Meter):
    def __init__(self, url: str) -> None:
        self._client = redis.from_url(url)

    def cpu_s(self) -> float:
        used = self._client.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

    def log_bytes(self) -> int:
        return int(self._client.info("persistence")["aof_current_size"])

    def sizes(self) -> dict[str, str]:
        """Where each of them is one key, no index of its own belongs to it."""
        return {}

    def close(self) -> None:
        self._client.close()


@dataclass(frozen=True, slots=True)
class _Server:
    place: Place
    meter: Callable[[str], Meter]


def scale_section(places: Places, sizes: Sizes) -> str:
    """One line a figure, one column a server."""
    servers = (_Server(places.postgres, PostgresMeter), _Server(places.redis, RedisMeter))
    columns = [_column(server, sizes) for server in servers]
    heads = ["figure", *(server.place.name for server in servers), "what is in it"]
    lines = [f"| {' | '.join(heads)} |", f"|---|{'--:|' * len(servers)}---|"]
    for figure, said in FIGURES.items():
        cells = [figure, *(column.get(figure, _DASH) for column in columns), said]
        lines.append(f"| {' | '.join(cells)} |")
    return f"{_said(sizes)}\n\n" + "\n".join(lines)


def _said(sizes: Sizes) -> str:
    return (
        f"{_PROCESSES} worker processes drive {sizes.scale_agents:,} agents with three actions of 5 ms each, on the "
        f"machine of the server, which has {psutil.cpu_count()} cores; {sizes.scale_waiting:,} agents wait. CPU is "
        "what processes have used, so that a machine at work with something else changes it little. Measured with "
        "`make bench-scale`; `make bench` keeps this section."
    )


def _column(server: _Server, sizes: Sizes) -> dict[str, str]:
    column: dict[str, str] = {}
    for measure in (_driven, _renewed, _idle, _waiting):
        try:
            column.update(measure(server, sizes))
        except Exception as error:
            column.setdefault("a waiting agent", f"- ({reason(error)})")
            print(f"{server.place.name}: {reason(error)}", flush=True)
        print(f"{server.place.name}: {column}", flush=True)
    return column


def _driven(server: _Server, sizes: Sizes) -> dict[str, str]:
    """What steps cost the server, the worker and the log."""
    url = server.place.fresh()
    asyncio.run(start_all(url, sizes.scale_agents))
    steps = sizes.scale_agents * STEPS
    with closing(server.meter(url)) as meter, crew(url, TAKES, _PROCESSES) as workers:
        cpu_s, log = meter.cpu_s(), meter.log_bytes()
        workers.begin()
        workers.wait(sizes.scale_agents, patience_s=_PATIENCE_S)
        cpu_s, log = meter.cpu_s() - cpu_s, meter.log_bytes() - log
        kept = meter.sizes()
        done = workers.end()
    return {
        "CPU of the server, a step": _ms(cpu_s / steps),
        "CPU of the worker, a step": _ms(done.cpu_s / steps),
        "log, a step": _bytes(log / steps),
        **kept,
    }


def _renewed(server: _Server, sizes: Sizes) -> dict[str, str]:
    return asyncio.run(_renew(server, sizes))


async def _renew(server: _Server, sizes: Sizes) -> dict[str, str]:
    url = server.place.fresh()
    async with Runner(open_store(url)) as runner:
        claimed = await fill(runner, held=min(100, sizes.scale_waiting))
        with closing(server.meter(url)) as meter:
            lease = Lease(Holder("elsewhere", 1, 0), await runner.store.now() + _DAY_MS)
            cpu_s = meter.cpu_s()
            for _ in range(_RENEWALS):
                await runner.store.renew_all(claimed, lease)
            cpu_s = meter.cpu_s() - cpu_s
    return {"CPU of the server, a renewal": _ms(cpu_s / (_RENEWALS * len(claimed)))}


def _idle(server: _Server, sizes: Sizes) -> dict[str, str]:
    """Against the same time without a worker."""
    url = server.place.fresh()
    asyncio.run(start_all(url, 1))
    with closing(server.meter(url)) as meter:
        alone = _cpu_within(meter, sizes.scale_idle_s)
        with crew(url, TAKES, _PROCESSES) as workers:
            workers.begin()
            workers.wait(1, patience_s=_PATIENCE_S)
            used = _cpu_within(meter, sizes.scale_idle_s)
            workers.end()
    part = max(0.0, used - alone) / sizes.scale_idle_s / _PROCESSES
    return {"CPU of the server, an idle worker": f"{part:.2%}"}


def _cpu_within(meter: Meter, seconds: float) -> float:
    cpu_s = meter.cpu_s()
    time.sleep(seconds)
    return meter.cpu_s() - cpu_s


def _waiting(server: _Server, sizes: Sizes) -> dict[str, str]:
    return asyncio.run(_wait(server.place, sizes))


async def _wait(place: Place, sizes: Sizes) -> dict[str, str]:
    async with Runner(open_store(place.fresh()), actions=[work]) as runner:
        await populate(runner, sizes.with_million(sizes.scale_waiting))
        return {"a waiting agent": _bytes(place.weigh() / sizes.scale_waiting)}


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3f} ms"


def _bytes(count: float) -> str:
    return f"{count:,.0f} B"

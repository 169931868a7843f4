"""Fixtures that several files of tests share."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

from tests.distribution import distributions, installation
from tests.support.servers.openai_stub import OpenAIStub
from tests.support.servers.postgres import postgres, postgres_url
from tests.support.servers.redis import redis_server, redis_url
from tests.support.shop import Shop

__all__ = ["distributions", "installation", "postgres", "postgres_url", "redis_server", "redis_url"]

# What a shell runs in the background ignores Ctrl-C, and so would all processes that tests begin and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A store waits for the disk at each commit. Tests lose nothing in memory: they kill processes, and no machine.
MEMORY_DISK = Path("/dev/shm")  # noqa: S108
if "TMPDIR" not in os.environ and os.access(MEMORY_DISK, os.W_OK) and shutil.disk_usage(MEMORY_DISK).free > 2**31:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY_DISK)

# A busy machine is no mistake: what is slow shows in the whole run.
settings.register_profile("full", deadline=None, max_examples=50)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.register_profile("long", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("FSM_AGENT_PROOFS", "full"))


#: fixtures that start a server, of a database or ours
SERVERS = {"postgres", "postgres_url", "redis_server", "redis_url", "server", "servers", "door", "loopback", "proxied"}
#: tests of what is built, installed, measured, waited for, or proven at length
AT_LENGTH = {
    "faults",
    "test_benchmarks.py",
    "test_brute_force.py",
    "test_local.py",
    "test_own_engine.py",
    "test_package.py",
    "test_reached.py",
    "test_readme.py",
    "test_replayed.py",
    "test_simulation.py",
    "test_state_machine.py",
    "test_tiered.py",
    "test_tours.py",
}
#: files of the fault harness whose tests only calculate
PURE = {"test_checker.py"}
#: files whose tests start programs of their own, nearly all; elsewhere a slow test has the mark itself
PROCESSES = {
    "test_action.py",
    "test_completion.py",
    "test_data_model.py",
    "test_imports.py",
    "test_llm_mcp.py",
    "test_plugin.py",
    "test_prove.py",
    "test_simulate.py",
    "test_sqlite_processes.py",
    "test_temporal.py",
    "test_temporal_processes.py",
    "test_terminal.py",
    "test_walks.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make check` leaves to `make test`."""
    for item in items:
        given = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
        wanted = {*getattr(item, "fixturenames", ()), *(f"{each}_url" for each in given if isinstance(each, str))}
        if SERVERS & wanted or item.path.stem.startswith(("test_postgres", "test_redis")):
            item.add_marker("server")
        at_length = (AT_LENGTH | PROCESSES).intersection(item.path.parts) and item.path.name not in PURE
        if at_length or "browser" in wanted:
            item.add_marker("long")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Coverage doubles the time of what it traces, so it does not trace property tests and `long` ones. The mark
    `no_cover` of pytest-cov would say so, but has no effect in the workers of pytest-xdist."""
    is_property = isinstance(item, pytest.Function) and is_hypothesis_test(item.obj)
    tracer, tracer_of_threads = sys.gettrace(), threading.gettrace()
    if tracer is None or not (is_property or item.get_closest_marker("long")):
        return (yield)
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)
        threading.settrace(tracer_of_threads)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A project of its own, in which the command line runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FSM_AGENT_STORE", raising=False)
    monkeypatch.delenv("FSM_AGENT_KEYS", raising=False)
    return Shop(tmp_path)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIStub]:
    """A provider of models on the loopback, to which every request goes."""
    monkeypatch.delenv("FSM_AGENT_MODEL", raising=False)
    with OpenAIStub() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture(params=["memory", "sqlite", "postgres", "redis", "tiered"])
def every_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store of every kind."""
    match request.param:
        case "memory":
            return "memory://"
        case "sqlite":
            return f"sqlite:///{tmp_path / 'agents.db'}"
        case "tiered":
            return f"tiered:sqlite:///{tmp_path / 'warm.db'},sqlite:///{tmp_path / 'cold.db'}"
        case server:
            url: str = request.getfixturevalue(f"{server}_url")
            return url

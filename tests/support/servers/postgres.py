"""A PostgreSQL server of our own: started, stopped, killed and started again at will."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil
import psycopg
import pytest

#: Nobody's data is at stake: what a kill of the server loses without it, only a power cut would.
QUICK: Final[Mapping[str, str]] = {"fsync": "off", "full_page_writes": "off"}
_PATIENCE_S: Final = 30
_EMPTY: Final = """
DO $$
DECLARE statement text;
BEGIN
    FOR statement IN SELECT 'DELETE FROM ' || oid::regclass FROM pg_class
        WHERE relnamespace = to_regnamespace('fsm_agent') AND relkind = 'r' AND relname <> 'about'
    LOOP EXECUTE statement; END LOOP;
END $$
"""
#: Who comes as ``fsm`` is let in; everybody else needs a password.
_ADMITTED: Final = "host all fsm 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


class PostgresServer:
    """Runs from ``start`` to ``stop`` or ``kill``, as often as one likes; ``close`` removes its folder.

    ``settings`` are those of postgresql.conf.
    """

    def __init__(self, settings: Mapping[str, str] = QUICK) -> None:
        self.port = _free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="fsm-postgres-"))
        self._user = _unprivileged()
        self._process: subprocess.Popen[bytes] | None = None
        self._made: set[str] = set()
        self._settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "lc_messages": "C",
            **settings,
        }
        if self._user:
            shutil.chown(self._folder, self._user)
        self._make_cluster()

    def url(self, database: str = "postgres", *, user: str = "fsm", port: int | None = None) -> str:
        """Where a database is; with ``port``, as a proxy shows it."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"

    def start(self) -> None:
        """Returns when connections are let in."""
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        command = [_binary("postgres"), "-D", self._data, *options]
        until_s = time.monotonic() + _PATIENCE_S
        while True:
            with (self._folder / "log").open("ab") as log:
                self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._run_as())
            while self._process.poll() is None:
                if self._is_ready():
                    return
                self._wait_until(until_s)
            self._wait_until(until_s)  # what a killed server left in memory may not be gone yet

    def stop(self) -> None:
        """As an operator would: sessions are ended, what is committed is written."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a crash would: all its processes at once, nothing is said or written any more."""
        if self._process is not None and self._process.poll() is None:
            sessions = psutil.Process(self._process.pid).children(recursive=True)
            self._process.kill()
            for session in sessions:
                if session.is_running():
                    session.kill()
            psutil.wait_procs(sessions, timeout=_PATIENCE_S)
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of one statement, said by the owner of the server."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def make_database(self, name: str, options: str = "") -> str:
        """Its URL; it is new and empty, whatever was there before."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.execute(f"CREATE DATABASE {name} {options}")
        self._made.add(name)
        return self.url(name)

    def empty_database(self, name: str) -> str:
        """Its URL; the tables stay if there are any, since to make them anew takes longer than most tests."""
        if name not in self._made:
            return self.make_database(name)
        self.execute(_EMPTY, name)
        return self.url(name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _make_cluster(self) -> None:
        options = ["--auth=trust", "--username=fsm", "--encoding=UTF8", "--no-locale", "--no-sync"]
        command = [_binary("initdb"), "-D", self._data, *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=_PATIENCE_S, **self._run_as())
        (Path(self._data) / "pg_hba.conf").write_text(_ADMITTED)

    def _run_as(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root."""
        return {"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}

    def _is_ready(self) -> bool:
        assert self._process is not None
        try:
            lines = (Path(self._data) / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready"

    def _wait_until(self, until_s: float) -> None:
        if time.monotonic() > until_s:
            pytest.fail(f"PostgreSQL does not start: {(self._folder / 'log').read_text()[-2_000:]}")
        time.sleep(0.01)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_PATIENCE_S)
            self._process = None


def _binary(name: str) -> str:
    """The newest there is, on PATH or where Debian puts it."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    found = shutil.which(name) or (str(places[-1]) if places else None)
    if found is None:
        pytest.fail(f"PostgreSQL's {name} is missing: sh tests/install-system.sh installs it")
    return found


def _unprivileged() -> str | None:
    """Who the server runs as, if we are root."""
    if os.geteuid() != 0:
        return None
    return next(name for name in ("postgres", "nobody") if name in {user.pw_name for user in pwd.getpwall()})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of a process that need one. Who stops it starts it again."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """A database without agents."""
    return postgres.empty_database("agents")

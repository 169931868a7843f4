"""A PostgreSQL server of our own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
import pytest

from .own_server import OwnServer, program_at

#: Nobody's data is at stake: what a kill of the server loses without it, only a power cut would.
QUICK: Final[Mapping[str, str]] = {"fsync": "off", "full_page_writes": "off"}
_PATIENCE_S: Final = 60
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


class PostgresServer(OwnServer):
    """``settings`` are those of postgresql.conf."""

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # sessions are ended, what is committed is written

    def __init__(self, settings: Mapping[str, str] = QUICK) -> None:
        super().__init__()
        self._user = _unprivileged()
        self._made: set[str] = set()
        self._settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "lc_messages": "C",
            **settings,
        }
        if self._user:
            shutil.chown(self.folder, self._user)
        self._make_cluster()

    def url(self, database: str = "postgres", *, user: str = "fsm", port: int | None = None) -> str:
        """Where a database is; with ``port``, as a proxy shows it."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"

    def command(self) -> Sequence[str]:
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        return [_binary("postgres"), "-D", self._data, *options]

    def run_as(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root."""
        return {"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}

    def is_ready(self) -> bool:
        try:
            lines = (Path(self._data) / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def kill(self) -> None:
        """All its processes at once."""
        sessions = psutil.Process(self.pid).children(recursive=True) if self.is_running else []
        super().kill()
        for session in sessions:
            if session.is_running():
                session.kill()
        psutil.wait_procs(sessions, timeout=_PATIENCE_S)

    def close(self) -> None:
        self.stop()
        super().close()

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

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _make_cluster(self) -> None:
        options = ["--auth=trust", "--username=fsm", "--encoding=UTF8", "--no-locale", "--no-sync"]
        command = [_binary("initdb"), "-D", self._data, *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=_PATIENCE_S, **self.run_as())
        (Path(self._data) / "pg_hba.conf").write_text(_ADMITTED)


def _binary(name: str) -> str:
    """The newest there is, on PATH or where Debian puts it."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    return program_at(f"PostgreSQL's {name}", shutil.which(name) or (str(places[-1]) if places else None))


def _unprivileged() -> str | None:
    """Who the server runs as, if we are root."""
    if os.geteuid() != 0:
        return None
    return next(name for name in ("postgres", "nobody") if name in {user.pw_name for user in pwd.getpwall()})


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of a process that need one. Who stops it starts it again."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """A database without agents."""
    return postgres.empty_database("agents")

"""A store is chosen by its URL, and a wrong one is told what is allowed."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from fsm_agent.cli.settings import CommandSettings
from fsm_agent.errors import StoreUrlInvalid
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.stores.urls import BACKENDS, Backend, open_store, without_password
from tests.support.shop import Shop

KNOWN = ", ".join("tiered:" if scheme == "tiered" else f"{scheme}://" for scheme in BACKENDS)


def test_the_scheme_chooses_the_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_store("memory://"), MemoryStore)
    relative, absolute = open_store("sqlite:///here.db"), open_store(f"sqlite:///{tmp_path}/there.db")
    assert isinstance(relative, SqliteStore)
    assert (relative.url, absolute.url) == ("sqlite:///here.db", f"sqlite:///{tmp_path}/there.db")
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["here.db", "there.db"]


def test_every_memory_store_is_its_own() -> None:
    assert open_store("memory://") is not open_store("memory://")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("agents.db", f"store URL 'agents.db' has no known scheme; known: {KNOWN}"),
        ("", f"store URL '' has no known scheme; known: {KNOWN}"),
        ("sqlit:///x.db", f"has no known scheme (did you mean `sqlite://`?); known: {KNOWN}"),
        ("sqlite:/x.db", "store URL 'sqlite:/x.db' has no known scheme (did you mean `sqlite://`?); known: "),
        ("SQLITE:///x.db", "has no known scheme"),
        ("memory://name", "a memory:// store has no name: write memory:// and nothing after it"),
        ("sqlite://", "names a file: write sqlite:///relative.db or sqlite:////absolute.db"),
        ("sqlite:///", "names a file: write sqlite:///relative.db or sqlite:////absolute.db"),
        ("sqlite://host/x.db", "names a file: write sqlite:///relative.db or sqlite:////absolute.db"),
        ("sqlite:///nul\0.db", "names a file"),
        ("sqlite:///.", "the store '.' is a folder, and a database is a file: name one in it"),
        ("sqlite:///no/such/x.db", "the folder 'no/such' of the store 'x.db' does not exist: make it"),
    ],
)
def test_a_url_that_cannot_be_opened_is_refused_in_one_sentence(
    url: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreUrlInvalid) as refused:
        open_store(url)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("namespace", ["", "a b", "-a", "a/b", "ä", "a" * 129, "a\n"])
def test_an_odd_namespace_is_refused(namespace: str) -> None:
    with pytest.raises(StoreUrlInvalid, match=r"namespace .* is not allowed: write 1 to 128 letters"):
        open_store("memory://", namespace=namespace)


def test_no_sentence_shows_a_password() -> None:
    for url in ("redis://ana:secret@host/name", "x://:secret@host", "sqlite://ana:secret@host/x.db", "//ana:secret@h"):
        with pytest.raises(StoreUrlInvalid) as refused:
            open_store(url)
        assert "secret" not in str(refused.value)
    assert without_password("redis://ana:secret@host:6379/0") == "redis://ana:***@host:6379/0"
    assert without_password("redis://host:6379/0?a=b@c") == "redis://host:6379/0?a=***"
    assert without_password("postgresql://host/x?password=secret&db=b") == "postgresql://host/x?password=***&db=b"


#: URLs as somebody mistypes them; the password is `s3cret`, or begins and ends with it
MISTYPED = [
    "redis://ana:s3cret@host/name",
    "redis://:s3cret@host:64x/0",
    "redis://ana:s3cret@host:6379/0?nosuch=1",
    "rediss://ana:s3cret@host/name",
    "redis+unix://ana:s3cret@/socket/?nosuch=1",
    "redi://ana:s3cret@host",
    "redis:/ana:s3cret@host",
    "redis//ana:s3cret@host",
    "redis:ana:s3cret@host",
    "redis:s3cret@host",
    "redis://ana:7s3cret/s3cret@host",
    "redis://ana:7/s3cret@host/0",
    "redis://ana:7?s3cret@host/0",
    "redis://ana:7#s3cret@host/0",
    "redis://ana%3As3cret@host/name",
    "redis://host/0?password=s3cret&nosuch=1",
    "postgresql://ana:s3cret@host",
    "postgresql://ana:s3cret@host:port/db",
    "postgresql://ana:s3cret@s3cret@host/db?pool_size=0",
    "postgresql://ana:s3cret/s3cret@host/db",
    "postgresql://ana:7/s3cret@host/db",
    "postgresql://ana:7#s3cret@host/db",
    "postgresql://ana:s3cret",
    "postgresql://host/db?password=s3cret@s3cret&pool_size=0",
    "postgresql://host/db?sslpassword=s3cret&nosuch=1",
    "postgresql://host?PGPASSWORD=s3cret",
    "postgresql://host/db?pasword=s3cret",
    "postgresql://host/db?sslmode=require&pw=s3cret",
    "postgresql://host/db?p%61ssword=s3cret&nosuch=1",
    "postgresql://host/db?sslmode=s3cret!;x=s3cret&nosuch=1",
    "postgres://host/db?port=s3cret!",
    "redis://host/name?passwrd=s3cret",
    "redis+unix:///?auth=s3cret",
    "tiered:redis://host/0?pas=s3cret,postgresql://host/db?kennwort=s3cret,idle=1h",
    "postgres://ana:s3cret@host",
    "postgresq://ana:s3cret@host/db",
    "host=h password=s3cret",
    "ana:s3cret@host/db",
    "//ana:s3cret@host",
    ":s3cret@host",
    "sqlite://ana:s3cret@host/x.db",
    "sqlite:///ana:s3cret@host/x.db",
    "memory://ana:s3cret@host",
    "tiered:redis://ana:s3cret@host/name,postgresql://ana:s3cret@host/db",
    "tiered:redis://ana:s3cret@host/0",
    "tiered:redis://ana:s3cret@host/0,postgresql://ana:s3cret@host",
    "tiered:redis://ana:s3cret@host/0,sqlite:///x.db,nosuch=1",
    "tiered:sqlite:///x.db,redis://ana:7,secret=s3cret@host/0",
    "tierd:redis://ana:s3cret@host/0,postgresql://ana:s3cret@host/db",
    "tiered://redis://ana:s3cret@host/0,postgresql://ana:s3cret@host/db",
]


@pytest.mark.parametrize("url", MISTYPED)
def test_no_sentence_shows_a_password_however_the_url_is_mistyped(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreUrlInvalid) as refused:
        open_store(url)
    assert "s3cret" not in "".join(traceback.format_exception(refused.value))
    assert "s3cret" not in without_password(url)


@pytest.mark.parametrize(
    "password", ["s3cret", "s3:cret", "s3@cret", "s3/cret", "s3?cret", "s3#cret", "s3=cret", "s3&cret", "1/s3cret"]
)
@pytest.mark.parametrize(
    "form",
    [
        "redis://ana:{}@host/0",
        "redis://:{}@host/0",
        "rediss://ana:{}@host:7/0",
        "postgresql://ana:{}@host/db",
        "postgresql://ana:{}@one:1,two:2/db",
        "postgres:{}@host",
        "ana:{}@host",
        "sqlite:///ana:{}@host",
        "tiered:redis://ana:{}@host/0,postgresql://ana:{}@host/db,idle=1h",
    ],
)
def test_a_password_of_any_characters_is_masked(form: str, password: str) -> None:
    shown = without_password(form.format(password, password))
    assert "cret" not in shown
    assert shown.endswith(form.rpartition("@")[2])


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///here.db",
        "sqlite:////tmp/a:b/c.db",
        "redis://host:6379/0",
        "redis+unix:///run/redis.sock?db=1",
        "postgresql://ana@host:5432/db?pool_size=3",
        "postgresql://[::1]:5432/db",
        "postgresql://host/db?sslmode=verify-full&sslrootcert=/etc/ca.pem&application_name=shop",
        "redis://host:6379/0?db=1&socket_timeout=0.5",
        "tiered:redis://host/0?db=1,postgresql://host/db?pool_size=3,idle=1h,hot=0",
        "postgresql://one:1,two:2/db",
        "tiered:redis://ana@host,sqlite:///cold.db,idle=1h",
        "memory://",
    ],
)
def test_a_url_without_a_password_is_shown_as_it_is(url: str) -> None:
    assert without_password(url) == url


def test_a_file_that_is_named_like_a_server_hides_what_may_be_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_store("sqlite:///ana:s3cret@host").url == "sqlite:///ana:***@host"


def test_a_missing_driver_is_named_by_the_extra_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "far", Backend("fsm_agent.stores.no_such_module", "FarStore", "far"))
    with pytest.raises(StoreUrlInvalid, match=r"a far:// store needs a driver.*pip install 'fsm-agent\[far\]'"):
        open_store("far://host")


@pytest.mark.parametrize(
    "url", ["redis://ana:s3cret@host/name", "postgresql://host?password=s3cret", "redis:/:s3cret@h"]
)
def test_the_command_line_shows_no_password_in_any_of_its_outputs(url: str, shop: Shop) -> None:
    for words in (["list"], ["--json", "list"], ["--debug", "list"], ["worker", "--once"]):
        done = shop("--store", url, *words)
        assert done.code == 1
        assert "s3cret" not in done.out + done.err


def test_a_command_to_be_typed_leaves_a_store_with_a_password_out() -> None:
    settings = CommandSettings("postgresql://host/db?password=s3cret")
    assert settings.command("list") == "fsm-agent list"
    assert CommandSettings("sqlite:///x.db").command("list") == "fsm-agent --store sqlite:///x.db list"

"""A store is chosen by its URL, and a wrong one is told what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsm_agent.errors import StoreUrlInvalid
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.stores.urls import BACKENDS, Backend, open_store, without_password

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
    assert without_password("redis://host:6379/0?a=b@c") == "redis://host:6379/0?a=b@c"
    assert without_password("postgresql://host/x?password=secret&a=b") == "postgresql://host/x?password=***&a=b"


def test_a_missing_driver_is_named_by_the_extra_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "far", Backend("fsm_agent.stores.no_such_module", "FarStore", "far"))
    with pytest.raises(StoreUrlInvalid, match=r"a far:// store needs a driver.*pip install 'fsm-agent\[far\]'"):
        open_store("far://host")

"""Commands that look make nothing: where there is no store yet, they say so, and find nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.shop import Shop

LOOKING = [
    (["list"], 0),
    (["list", "--waiting"], 0),
    (["show", "one"], 1),
    (["show", "one", "--at", "1"], 1),
    (["history", "one"], 1),
    (["effects", "one"], 1),
    (["replay", "one"], 1),
    (["diagram", "--agent", "one"], 1),
    (["doctor"], 0),
    (["size"], 0),
    (["user", "ann"], 0),
    (["thread"], 0),
]


@pytest.mark.parametrize("store", ["", "sqlite:///nope.db", "tiered:sqlite:///nope.db,sqlite:///cold.db"])
@pytest.mark.parametrize(("words", "code"), LOOKING, ids=[" ".join(words) for words, _ in LOOKING])
def test_looking_makes_no_file_and_says_that_there_is_none(shop: Shop, words: list[str], code: int, store: str) -> None:
    before = set(shop.folder.rglob("*"))
    looked = shop(*(["--store", store] if store else []), *words)
    file = "nope.db" if store else "fsm-agent.db"
    [said] = [line for line in looked.err.splitlines() if "no file" in line]
    assert (looked.code, said.endswith(f"there are no agents here yet: no file {file}")) == (code, True)
    assert said.startswith("error: no agent 'one' in namespace 'default'") is bool(code)
    assert {path for path in shop.folder.rglob("*") if path.suffix == ".db"} <= before


def test_what_is_printed_is_what_an_empty_store_has(shop: Shop) -> None:
    none = [shop("--json", *words) for words in (["list"], ["doctor"], ["show", "one"])]
    shop.order("two")
    shop("cancel", "two")
    shop("purge", "two", "--finished", "0s")
    some = [shop("--json", *words) for words in (["list"], ["show", "one"])]
    assert none[0].out == some[0].out
    assert (none[1].code, none[2].json["error"]["type"]) == (0, some[1].json["error"]["type"])
    assert not some[0].err


def test_what_changes_something_makes_the_store(shop: Shop, tmp_path: Path) -> None:
    messages = shop.write("said.json", "[]")
    assert shop("thread", "t", "--import", str(messages)).code == 0
    assert (shop.folder / "fsm-agent.db").is_file()

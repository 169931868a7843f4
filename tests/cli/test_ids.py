"""Ids on the command line: a part is enough where it is told apart, and what tables print is taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from fsm_agent import open_store
from fsm_agent.cli.input.agent_ids import short_ids
from fsm_agent.cli.input.parameters import AGENT_ID
from fsm_agent.cli.main import COMMANDS, main
from fsm_agent.testing.contract.fixtures import a_creation, keep_definitions
from tests.support.shop import Shop

MADE = "0199a1b2-c3d4-7e5f-8a6b-0123456789ab"
TWIN = "0199a1b2-c3d4-7e5f-8a6b-fedc456789ab"

#: every command that takes the id of an agent that is there, as it is written for one
WORDS = {
    "answer": ["ID", "--event", "approve"],
    "cancel": ["ID"],
    "diagram": ["--agent", "ID", "--format", "dot"],
    "effects": ["ID"],
    "explain": ["ID"],
    "export": ["ID"],
    "fork": ["ID", "1"],
    "history": ["ID"],
    "list": ["--after", "ID"],
    "migrate": ["workflows/order.yaml", "ID"],
    "purge": ["ID", "--finished", "1ms", "--dry-run"],
    "replay": ["ID"],
    "reseal": ["ID"],
    "resume": ["ID"],
    "rewind": ["ID", "1"],
    "send": ["ID", "approve"],
    "show": ["ID"],
    "simulate": ["--from", "ID"],
    "size": ["ID"],
    "why": ["ID", "approve"],
    "thread": ["--agent", "ID"],
    "unpark": ["ID", "--retry"],
}


def order(shop: Shop, agent_id: str) -> None:
    done = shop("run", "workflows/order.yaml", "--id", agent_id, "--payload", '{"item": "lamp"}')
    assert done.code == 0, done.err


def words(command: str, agent_id: str) -> list[str]:
    return [command, *(agent_id if word == "ID" else word for word in WORDS[command])]


def test_every_command_that_takes_an_id_is_tried_here() -> None:
    names = [name for entries in COMMANDS.values() for name in entries]
    commands = {name: main.get_command(click.Context(main), name) for name in names}
    taking = {name for name, each in commands.items() if each and any(p.type is AGENT_ID for p in each.params)}
    named = {name for name, each in commands.items() if each and any("agent_id" in (p.name or "") for p in each.params)}
    assert taking == set(WORDS)
    assert named - {"run"} <= taking


@pytest.mark.parametrize("command", sorted(WORDS))
def test_every_command_takes_a_part_of_an_id_like_the_whole(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("FSM_AGENT_KEYS", "" if command != "reseal" else shop("keygen").out.strip())
    order(shop, MADE)
    order(shop, "0300-other")
    if command == "purge":
        shop("cancel", MADE)
    if command == "unpark":
        assert "is waiting, and only a parked one" in shop(*words(command, MADE[-6:])).err
        return
    by_end = shop("--json" if command != "diagram" else "--wide", *words(command, MADE[-6:]))
    assert by_end.code == 0, by_end.err
    assert MADE in by_end.out or command in {"list", "fork", "diagram"}
    if command == "diagram":
        assert by_end.out == shop(*words(command, MADE)).out
    if command == "list":
        assert [each["id"] for each in by_end.json["agents"]] == ["0300-other"]
    if command == "fork":
        assert shop("--json", "history", by_end.json["id"]).json["steps"][-1]["payload"]["agent"] == MADE
    by_beginning = shop("--json", "show", MADE[:11])
    assert by_beginning.json["id"] == MADE


def test_a_whole_id_wins_over_what_it_begins(shop: Shop) -> None:
    order(shop, "order-7")
    order(shop, "order-77")
    assert shop("--json", "show", "order-7").json["id"] == "order-7"


def test_an_ambiguous_part_names_the_candidates_and_does_nothing(shop: Shop) -> None:
    order(shop, MADE)
    order(shop, TWIN)
    refused = shop("cancel", "456789ab")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        f"error: several agents have an id that begins or ends with '456789ab': {MADE}, {TWIN}; write more of it\n"
    )
    assert {each["status"] for each in shop("--json", "list").json["agents"]} == {"waiting"}


def test_of_very_many_candidates_some_are_named(shop: Shop) -> None:
    for number in range(7):
        order(shop, f"order-{number}")
    assert "order-4 and others; write more of it" in shop("show", "order-").err


@pytest.mark.parametrize("part", ["789ab", "%", "0199_1b2", "-" * 6 + "x"])
def test_less_than_six_characters_or_other_ones_are_no_part(shop: Shop, part: str) -> None:
    order(shop, MADE)
    assert f"no agent {part!r} in namespace" in shop("show", "--", part).err


def test_of_a_part_that_is_too_short_it_is_said_how_much_is_needed(shop: Shop) -> None:
    order(shop, "first-agent")
    assert shop("show", "agent").err == (
        "error: no agent 'agent' in namespace 'default', and a part of an id needs at least 6 characters; "
        "`fsm-agent list` shows those there are\n"
    )
    assert "characters" not in shop("show", "nobody").err


def test_a_new_id_is_taken_as_it_is(shop: Shop) -> None:
    order(shop, MADE)
    order(shop, MADE[-6:])
    assert [each["id"] for each in shop("--json", "list").json["agents"]] == [MADE, MADE[-6:]]


def test_several_parts_name_several_agents(shop: Shop) -> None:
    order(shop, MADE)
    order(shop, "0300-other")
    done = shop("--json", "resume", MADE[-6:], "0300-ot")
    assert [each["id"] for each in done.json["agents"]] == [MADE, "0300-other"]


def test_what_a_table_prints_is_taken_back_and_wide_shows_the_whole(shop: Shop) -> None:
    for agent_id in (MADE, TWIN, "a-name-that-somebody-gave"):
        order(shop, agent_id)
    printed = [line.split()[0] for line in shop("list").out.splitlines()[1:]]
    assert printed == ["3456789ab", "c456789ab", "a-name-that-somebody-gave"]
    assert [shop("--json", "show", each).json["id"] for each in printed] == [MADE, TWIN, "a-name-that-somebody-gave"]
    assert shop("list", "--wide").out.splitlines()[1].split()[0] == MADE


@pytest.mark.parametrize(
    ("ids", "printed"),
    [
        ([MADE], ["456789ab"]),
        ([MADE, TWIN], ["3456789ab", "c456789ab"]),
        ([MADE, f"x{MADE}"], [MADE, f"x{MADE}"]),
        ([MADE, "456789ab-tea"], ["3456789ab", "456789ab-tea"]),
        ([MADE, f"{MADE}.2.1", f"{MADE}.2.2"], ["456789ab", "456789ab.2.1", "456789ab.2.2"]),
        (["visit-17", "01"], ["visit-17", "01"]),
        ([], []),
    ],
)
def test_an_id_that_was_made_is_printed_by_its_end(ids: Sequence[str], printed: Sequence[str]) -> None:
    short = short_ids(ids)
    assert [short[each] for each in ids] == printed


def test_a_part_is_looked_for_in_any_store(every_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if every_url == "memory://":
        return

    async def fill() -> None:
        async with open_store(every_url) as store:
            await keep_definitions(store)
            await store.create(a_creation(MADE))

    asyncio.run(fill())
    found = Shop(tmp_path)("--store", every_url, "--json", "effects", MADE[-8:])
    assert found.json["id"] == MADE, found.err

"""``simulate``: a walk without effects, on a terminal and from a script."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from fsm_agent.runtime.scripted.moves import cancels, passes, read_move, says, sent
from tests.support.shop import Shop

CLAIMS = """
workflow: claims
version: 1
data: {cents: {type: integer, minimum: 0, default: 0}, approver: string?}
events:
  claim: {text: string}
  counted: {}
  approve: {}
initial: new
states:
  new: {on: {claim: counting}}
  counting:
    do: count
    on:
      counted:
        - {when: data.cents <= 5000, target: paid}
        - asking
  asking:
    ask: {prompt: "Pay {{ data.cents }}?", events: [approve]}
    on: {approve: {when: event.by != null, target: paid, assign: {approver: event.by}}}
    after: {3d: lapsed}
  paid: {final: true}
  lapsed: {final: true, outcome: cancelled}
must:
  asked: {never: paid, before: approve}
"""


@pytest.fixture
def claims(shop: Shop) -> Shop:
    shop.write("workflows/claims.yaml", CLAIMS)
    return shop


def walked(shop: Shop, lines: list[str], *words: str) -> subprocess.CompletedProcess[str]:
    """A walk that is read from a pipe."""
    return subprocess.run(
        shop.command("simulate", *words),
        cwd=shop.folder,
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_each_transition_is_offered_with_values_for_which_it_is_taken(claims: Shop) -> None:
    walk = walked(claims, ["1", "2"], "workflows/claims.yaml")
    assert walk.returncode == 0, walk.stderr
    assert "1  sent('claim', text='x', by='ana')  →  counting" in walk.stderr
    assert "1  says('counted')  →  paid  [data.cents <= 5000]" in walk.stderr
    assert "2  says('counted', data={'cents': 5001})  →  asking" in walk.stderr
    assert "asks: Pay 5001?" in walk.stderr
    assert "passes('3d')  →  lapsed" in walk.stderr


def test_the_walk_is_printed_as_a_test_that_passes(claims: Shop) -> None:
    walk = walked(claims, ["1", "2", "# nothing", "", "passes('1d')", "passes('2d')"], "workflows/claims.yaml")
    assert "assert (life.state, life.status) == ('lapsed', 'cancelled')" in walk.stdout
    claims.write("test_walk.py", walk.stdout)
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "test_walk.py"]
    done = subprocess.run(line, cwd=claims.folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout


PARKING = """
workflow: park-it
version: 1
user: {home: string?}
events: {go: {from: string}, packed: {data: string}}
initial: idle
states:
  idle: {on: {go: parking}}
  parking: {do: pack, on: {packed: done}}
  done: {final: true}
must:
  not-done: {never: done}
"""


def passes_as_a_test(shop: Shop, text: str) -> bool:
    shop.write("test_walk.py", text)
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "test_walk.py"]
    done = subprocess.run(line, cwd=shop.folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in (0, 1), done.stdout
    return done.returncode == 0


def test_whatever_names_and_moves_a_walk_has_its_test_can_be_run(shop: Shop) -> None:
    shop.write("workflows/parking.yaml", PARKING)
    lines = ["1", "fails()", "unparks(by='ana')", "1"]
    walk = walked(shop, lines, "workflows/parking.yaml", "--user", "ana")
    assert "user='ana'" in walk.stdout
    assert passes_as_a_test(shop, walk.stdout)
    proven = shop("prove", "workflows/parking.yaml", "--tests", "proofs", "--json").json
    (violated,) = proven["workflows"][0]["must"]
    assert not passes_as_a_test(shop, (shop.folder / violated["test"]).read_text(encoding="utf-8"))


def test_the_test_of_an_agent_names_the_file_that_has_its_definition(shop: Shop) -> None:
    shop.order("ours")
    walk = walked(shop, ["cancels()"], "--from", "ours")
    assert "'workflows/order.yaml'" in walk.stdout
    assert passes_as_a_test(shop, walk.stdout)
    (shop.folder / "workflows" / "order.yaml").unlink()
    assert "no file in workflows/ has the definition of this agent" in walked(shop, [], "--from", "ours").stderr


def test_a_move_may_be_written_with_other_values_and_taken_back(claims: Shop) -> None:
    lines = ["sent('claim', text='a chair')", "says('counted', data={'cents': 9000})", "back", "1"]
    walk = walked(claims, lines, "workflows/claims.yaml", "--json")
    told = json.loads(walk.stdout)
    assert (told["state"], told["moves"]) == ("paid", ["sent('claim', text='a chair')", "says('counted')"])
    assert told["broken"] == ["asked"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("9", "there is no 9 in the list: write 1 to 2"),
        ("0", "there is no 0 in the list"),
        ("hello", "'hello' is not understood: write a number"),
        ("sent(approve)", "is no move: write it as in a test"),
        ("open('x')", "is no move"),
        ("says('counted', data=5)", "data must be a mapping of fields, and is of type int"),
        ("sent('claim', ['a'])", "the payload must be a mapping of fields, and is of type list"),
        ("sent('claim', **{'text': 'a'})", "is no move"),
        ("passes('soon')", "'soon' is not a duration"),
        ("back", "there is no move to take back"),
        ("sent('approve')", "approve"),
        ("says('counted')", "needs an action at work"),
    ],
)
def test_a_line_that_makes_no_sense_ends_a_script_with_one_sentence(claims: Shop, line: str, why: str) -> None:
    walk = walked(claims, [line], "workflows/claims.yaml")
    assert walk.returncode == 1
    assert why in walk.stderr
    assert "Traceback" not in walk.stderr


def test_on_a_terminal_mistakes_are_told_and_asked_again(claims: Shop) -> None:
    program, *rest = claims.command("simulate", "workflows/claims.yaml")
    screen = pexpect.spawn(program, rest, cwd=str(claims.folder), encoding="utf-8", timeout=60, dimensions=(40, 110))
    screen.expect("new: waiting")
    screen.expect("> ")
    screen.sendline("7")
    screen.expect("there is no 7 in the list")
    screen.expect("> ")
    screen.sendline("says('counted')")
    screen.expect("needs an action at work")
    screen.expect("> ")
    screen.sendline("1")
    screen.expect("counting: running")
    screen.expect("> ")
    screen.sendline("back")
    screen.expect("new: waiting")
    screen.sendline("1")
    screen.expect("counting: running")
    screen.sendline("quit")
    screen.expect("def test_claims")
    screen.expect(pexpect.EOF)
    screen.close()
    assert screen.exitstatus == 0


def test_a_walk_from_an_agents_present_changes_nothing_of_it(shop: Shop) -> None:
    shop.order("one")
    before = (shop.folder / "fsm-agent.db").read_bytes(), shop("history", "one", "--json").json
    walk = walked(shop, ["sent('approve', by='ana')", "says('packed')"], "--from", "one")
    assert walk.returncode == 0, walk.stderr
    assert "asking: waiting" in walk.stderr
    assert "sent('ordered', item='book'" in walk.stdout
    assert "== ('sent', 'done')" in walk.stdout
    assert shop("history", "one", "--json").json == before[1]
    assert shop("show", "one", "--json").json["state"] == "asking"
    assert walked(shop, ["passes('3d')"], "--from", "one").stdout.count("lapsed") == 1


def test_where_the_past_cannot_be_written_as_moves_that_is_said(shop: Shop) -> None:
    shop.order("one")
    shop("rewind", "one", "1")
    walk = walked(shop, ["sent('ordered', item='lamp')"], "--from", "one")
    assert "cannot be written as moves" in walk.stderr
    assert walk.stdout == "sent('ordered', item='lamp'),\n"


def test_what_is_to_be_walked_through_must_be_said(shop: Shop) -> None:
    assert shop("simulate").code == 2
    assert "not found" in shop("simulate", "--from", "nobody1").err or shop("simulate", "--from", "nobody1").code == 1


def test_a_final_state_ends_the_walk(claims: Shop) -> None:
    walk = walked(claims, ["1", "1", "1", "1"], "workflows/claims.yaml")
    assert walk.returncode == 0
    assert walk.stdout.count("says(") == 1


def test_no_action_runs(claims: Shop) -> None:
    claims.write("shop_actions.py", f"raise SystemExit({str(Path.cwd())!r})\n")
    assert walked(claims, ["1", "1"], "workflows/claims.yaml").returncode == 0


@pytest.mark.parametrize(
    "move", [sent("a", by="b", n=1), says("a", data={"x": [1]}), passes("3d"), cancels(by="ana"), cancels()], ids=repr
)
def test_a_move_is_read_as_it_is_written(move: object) -> None:
    assert read_move(repr(move)) == move

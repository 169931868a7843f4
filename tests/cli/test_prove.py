"""``prove``: what workflows say under ``must``, held against all that an agent can do."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fsm_agent.check.mutants import judged
from fsm_agent.loading.yaml_file import load
from tests.support.shop import Shop

REFUNDS = """
workflow: refunds
version: 1
data:
  amount: {type: integer, minimum: 0, default: 0}
  author: string?
events:
  asked: {amount: {type: integer, minimum: 0}}
  approve: {}
  reject: {}
initial: open
states:
  open:
    on:
      asked:
        - {when: event.amount > 100, target: asking, assign: {amount: event.amount}}
        - refunding
  asking:
    ask: {prompt: "Refund {{ data.amount }}?", events: [approve, reject]}
    on: {approve: refunding, reject: rejected}
  refunding: {final: true}
  rejected: {final: true, outcome: failed}
must:
"""
KEPT = """
  rejected_is_final: {never: refunding, after: rejected}
  asked_once: {at_most: 1, of: asking}
"""
BROKEN = """
  always_approved: {never: refunding, before: approve}
"""
ENDLESS = """
  decided: {from: asking, reaches: [refunding, rejected]}
"""


def test_what_every_run_keeps_is_proved(shop: Shop) -> None:
    shop.write("workflows/refunds.yaml", REFUNDS + KEPT)
    proved = shop("prove", "workflows/refunds.yaml")
    assert proved.code == 0
    assert [line.split()[:2] for line in proved.out.splitlines()[1:3]] == [
        ["rejected_is_final", "proved"],
        ["asked_once", "proved"],
    ]
    assert "assuming that" in proved.out


def test_what_a_run_breaks_is_told_with_the_shortest_way_there(shop: Shop) -> None:
    shop.write("workflows/refunds.yaml", REFUNDS + KEPT + BROKEN)
    broken = shop("prove", "workflows/refunds.yaml", "--json")
    assert broken.code == 1
    (workflow,) = broken.json["workflows"]
    verdicts = {each["name"]: each for each in workflow["must"]}
    assert verdicts["rejected_is_final"]["verdict"] == "proved"
    broken_one = verdicts["always_approved"]
    assert broken_one["verdict"] == "violated"
    assert [(step["state"], step["event"], step["to"]) for step in broken_one["path"]] == [
        ("open", "asked", "refunding")
    ]
    told = shop("prove", "workflows/refunds.yaml")
    assert "how always_approved is broken" in told.out
    assert "open → refunding: somebody sends `asked`" in told.out


def test_whoever_is_asked_need_not_answer(shop: Shop) -> None:
    shop.write("workflows/refunds.yaml", REFUNDS + ENDLESS)
    waiting = shop("prove", "workflows/refunds.yaml")
    assert waiting.code == 1
    assert "there is no deadline" in waiting.out


def test_what_is_violated_is_made_to_happen_and_written_as_a_test_that_fails_until_it_is_mended(shop: Shop) -> None:
    file = shop.write("workflows/refunds.yaml", REFUNDS + BROKEN)
    proved = shop("prove", "workflows/refunds.yaml", "--tests", "tests/proofs", "--json").json
    (verdict,) = proved["workflows"][0]["must"]
    assert verdict["moves"] == ["sent('asked', amount=0)"]
    assert verdict["test"] == "tests/proofs/test_refunds_always_approved.py"
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", verdict["test"]]
    broken = subprocess.run(words, cwd=shop.folder, capture_output=True, text=True, check=False)
    assert (broken.returncode, "is_kept = life.keeps('always_approved')" in broken.stdout) == (1, True), broken.stdout
    file.write_text(file.read_text().replace("        - refunding\n", "        - asking\n"))
    mended = subprocess.run(words, cwd=shop.folder, capture_output=True, text=True, check=False)
    assert mended.returncode == 0, mended.stdout


GREETING = """
workflow: hello
version: 1
data: {guest: string?}
events: {introduced: {guest: {type: string, minLength: 1}}}
initial: asking
states:
  asking:
    ask: {prompt: "Who is there?", events: [introduced]}
    after: {1d: gone}
    on: {introduced: {target: greeting, assign: {guest: event.guest}}}
  greeting: {final: true}
  gone: {final: true, outcome: failed}
must: {never_greets: {never: greeting}}
"""


def test_no_doubt_is_left_where_the_real_engine_breaks_a_property_and_check_says_the_same(shop: Shop) -> None:
    shop.write("workflows/hello.yaml", GREETING)
    (verdict,) = shop("prove", "workflows/hello.yaml", "--json").json["workflows"][0]["must"]
    assert (verdict["verdict"], verdict["moves"]) == ("violated", ["sent('introduced', guest='x')"])
    assert verdict["why"] == ""
    checked = shop("check", "workflows/hello.yaml")
    assert checked.code == 1
    assert "FSM604 a run breaks `never_greets` (asking → greeting); `fsm-agent prove` shows it" in checked.out


REMINDED = """
workflow: reminded
version: 1
events: {answer: {}}
initial: asking
states:
  asking:
    ask: {prompt: "Well?", events: [answer]}
    after: {1d: asking}
    on: {answer: done}
  done: {final: true}
  given_up: {final: true, outcome: failed}
on: {cancel: given_up}
must: {ends: {reaches: [done, given_up]}}
"""


def test_what_goes_round_for_ever_is_told_and_written_as_a_test(shop: Shop) -> None:
    file = shop.write("workflows/reminded.yaml", REMINDED)
    told = shop("prove", "workflows/reminded.yaml", "--tests", "tests/proofs", "--json").json
    (verdict,) = told["workflows"][0]["must"]
    assert (verdict["verdict"], verdict["moves"], verdict["again"]) == ("violated", [], ["passes('1d')"])
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", verdict["test"]]
    broken = subprocess.run(words, cwd=shop.folder, capture_output=True, text=True, check=False)
    assert (broken.returncode, "not life.goes_round(again, 'ends')" in broken.stdout) == (1, True), broken.stdout
    file.write_text(REMINDED.replace("{1d: asking}", "{1d: given_up}"))
    mended = subprocess.run(words, cwd=shop.folder, capture_output=True, text=True, check=False)
    assert mended.returncode == 0, mended.stdout


def test_a_test_is_written_again_and_nobody_else_s_file_is_touched(shop: Shop) -> None:
    shop.write("workflows/refunds.yaml", REFUNDS + BROKEN)
    words = ("prove", "workflows/refunds.yaml", "--tests", "tests/proofs")
    assert "written again" not in shop(*words).out
    assert "test_refunds_always_approved.py, written again" in shop(*words).out
    other = shop.write("tests/proofs/test_refunds_always_approved.py", "# mine\n")
    refused = shop(*words)
    assert (refused.code, refused.out, other.read_text()) == (1, "", "# mine\n")
    assert "is there already, and is no test that `fsm-agent prove` wrote for 'always_approved'" in refused.err


def test_how_a_property_is_broken_is_drawn(shop: Shop) -> None:
    shop.write("workflows/refunds.yaml", REFUNDS + KEPT + BROKEN)
    told = shop("prove", "workflows/refunds.yaml", "--diagrams", "pictures", "--json").json
    diagrams = {each["name"]: each["diagram"] for each in told["workflows"][0]["must"]}
    file = "pictures/refunds_always_approved.svg"
    assert diagrams == {"rejected_is_final": None, "asked_once": None, "always_approved": file}
    picture = (shop.folder / file).read_text()
    assert "how `always_approved` is broken" in picture
    assert "① ✗" in picture
    assert f"diagram  {file}" in shop("prove", "workflows/refunds.yaml", "--diagrams", "pictures").out


def test_small_changes_that_nobody_notices_are_listed_with_their_places(shop: Shop) -> None:
    shop.write("workflows/refunds.yaml", REFUNDS + KEPT)
    told = shop("prove", "workflows/refunds.yaml", "--mutants", "--json").json
    mutants = told["workflows"][0]["mutants"]
    unnoticed = {(each["line"], each["change"]) for each in mutants["survivors"]}
    assert (16, "the guard of `asked` is negated: `!(event.amount > 100)`") in unnoticed, unnoticed
    assert mutants["made"] == mutants["by_check"] + mutants["by_properties"] + len(unnoticed)
    text = shop("prove", "workflows/refunds.yaml", "--mutants").out
    assert "what nobody notices in refunds" in text
    assert "16:18" in text
    assert shop("prove", "workflows/refunds.yaml", "--json").json["workflows"][0]["mutants"] is None


def test_several_processes_judge_the_mutants_of_a_large_workflow_alike(shop: Shop) -> None:
    states = "".join(f"  s{at}: {{on: {{go: s{at + 1}, back: s0}}}}\n" for at in range(12))
    chain = f"workflow: chain\nversion: 1\nevents: {{go: {{}}, back: {{}}}}\ninitial: s0\nstates:\n{states}"
    rules = "must: {one_by_one: {never: s2, before: s1}}\n"
    file = shop.write("workflows/chain.yaml", f"{chain}  s12: {{final: true}}\n{rules}")
    shared = shop.process("prove", "workflows/chain.yaml", "--mutants", "--json").json["workflows"][0]["mutants"]
    alone = judged(load(file), {})
    assert (shared["made"], shared["by_check"], shared["by_properties"]) == (
        len(alone.all),
        alone.by_check,
        alone.by_properties,
    )
    assert sorted(each["change"] for each in shared["survivors"]) == sorted(each.change for each in alone.survivors)
    assert shared["made"] > 40


def test_what_children_must_keep_is_proved_too(shop: Shop) -> None:
    shop.write("workflows/part.yaml", REFUNDS + BROKEN)
    shop.write(
        "workflows/whole.yaml",
        """
workflow: whole
version: 1
workflows: {part: part.yaml}
events: {ended: {}}
initial: working
states:
  working:
    do: workflow.run
    with: {workflow: part, payload: {amount: "7"}}
    on: {ended: done}
  done: {final: true}
""",
    )
    told = shop("prove", "workflows/whole.yaml", "--tests", "tests/proofs", "--json").json["workflows"]
    assert [(each["name"], each["child"]) for each in told] == [("whole", []), ("refunds", ["part"])]
    whole = shop("prove", "workflows/whole.yaml", "--mutants", "--json").json["workflows"][0]["mutants"]
    assert whole["made"] == whole["by_check"] + whole["by_properties"] + len(whole["survivors"])
    (verdict,) = told[1]["must"]
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", verdict["test"]]
    broken = subprocess.run(words, cwd=shop.folder, capture_output=True, text=True, check=False)
    assert (broken.returncode, "is_kept = life.keeps('always_approved')" in broken.stdout) == (1, True), broken.stdout


def test_only_some_properties_are_proved_on_demand(shop: Shop) -> None:
    shop.write("workflows/refunds.yaml", REFUNDS + KEPT + BROKEN)
    assert shop("prove", "workflows/refunds.yaml", "--only", "asked_once").code == 0
    unknown = shop("prove", "workflows/refunds.yaml", "--only", "asked_onse")
    assert (unknown.code, unknown.out) == (1, "")
    assert "no property is called 'asked_onse' (did you mean `asked_once`?)" in unknown.err


def test_a_property_that_nothing_could_break_is_told(shop: Shop) -> None:
    rules = '  unlimited: {never: asking, after: timeout}\n  unseen: {whenever: error, holds: "false"}\n'
    shop.write("workflows/refunds.yaml", REFUNDS + rules)
    told = shop("prove", "workflows/refunds.yaml")
    assert told.out.count("but nothing could break it: what it speaks of never happens") == 2, told
    (workflow,) = shop("prove", "workflows/refunds.yaml", "--json").json["workflows"]
    assert [each["vacuous"] for each in workflow["must"]] == [True, True]


def test_what_is_wanted_of_every_agent_may_begin_with_a_wait(shop: Shop) -> None:
    shop.write("workflows/refunds.yaml", REFUNDS + "  ends: {reaches: [refunding, rejected, cancelled]}\n")
    hint = "agents begin in `open` and may wait there for ever: say `from` what on it is to be reached"
    assert hint in shop("prove", "workflows/refunds.yaml").out
    assert hint in shop("check", "workflows/refunds.yaml").out
    shop.write(
        "workflows/refunds.yaml", REFUNDS + "  ends: {from: asking, reaches: [refunding, rejected, cancelled]}\n"
    )
    assert hint not in shop("prove", "workflows/refunds.yaml").out


def test_names_that_are_wrong_are_told_with_their_places(shop: Shop) -> None:
    rules = "  a: {never: refundin}\n  b: {never: open, after: [parked, event open]}\n  c: {never: do}\n"
    text = REFUNDS.replace("reject: {}", "reject: {}\n  open: {}").replace(
        "rejected}\n  ref", "rejected, open: open}\n  ref"
    )
    shop.write("workflows/refunds.yaml", text + rules.replace("event open", "open"))
    places = [("FSM601", 25, 14), ("FSM602", 26, 14), ("FSM602", 26, 36), ("FSM601", 27, 14)]
    found = shop("check", "workflows/refunds.yaml", "--format", "json").json
    assert sorted((each["line"], each["column"], each["code"]) for each in found) == [
        (line, column, code) for code, line, column in places
    ]
    told = shop("check", "workflows/refunds.yaml").out
    assert all(f"workflows/refunds.yaml:{line}:{column}: {code}" in told for code, line, column in places)
    assert "no state, event, action or outcome `refundin` (did you mean `refunding`?)" in told
    assert "`open` has 2 meanings here: write one of `state open`, `event open`" in told


def test_a_search_that_ends_at_its_bound_proves_nothing(shop: Shop) -> None:
    shop.write("workflows/refunds.yaml", REFUNDS + KEPT)
    bounded = shop("prove", "workflows/refunds.yaml", "--most", "1", "--json")
    outcomes = {each["verdict"] for each in bounded.json["workflows"][0]["must"]}
    assert (bounded.code, outcomes) == (0, {"open"})
    assert shop("prove", "workflows/refunds.yaml", "--most", "1", "--strict").code == 1


@pytest.mark.parametrize("text", [REFUNDS.removesuffix("must:\n"), REFUNDS + KEPT])
def test_a_file_without_properties_is_no_mistake(shop: Shop, text: str) -> None:
    shop.write("workflows/refunds.yaml", text)
    assert shop("prove", "workflows/refunds.yaml").code == 0


def test_a_file_with_mistakes_is_told_as_check_tells_it(shop: Shop) -> None:
    shop.write("workflows/refunds.yaml", REFUNDS + "  odd: {never: nowhere}\n")
    told = shop("prove", "workflows/refunds.yaml")
    assert (told.code, told.out) == (1, "")
    assert "`nowhere`" in told.err
    assert "refunds.yaml:" in told.err

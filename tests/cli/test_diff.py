"""``diff``: two files or two revisions, as text and as everything that can be written."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import click
import pytest

from fsm_agent.cli.input.revisions import Repository
from tests.change.versions import SMALL
from tests.support.shop import ORDER, Shop

NEW = SMALL.replace("version: 1", "version: 2").replace("data.amount > 100", "data.amount > 250").replace("3d", "5d")
RULE = "must:\n  asked_first: {never: paid, before: ask}\n"


@pytest.fixture
def pair(shop: Shop) -> Shop:
    shop.write("old.yaml", SMALL + RULE)
    shop.write("new.yaml", NEW + RULE)
    return shop


def test_the_list_the_meaning_the_properties_and_the_agents_are_told(pair: Shop) -> None:
    told = pair("diff", "old.yaml", "new.yaml")
    assert (told.code, told.err) == (0, "")
    assert [line for line in told.out.splitlines() if line and not line.startswith(" ")] == [
        "small, version 1 → 2: 0 added, 0 removed, 2 changed:",
        "what it means:",
        "what must hold, before → now:",
        "agents in these states:",
    ]
    assert "② ~  in `review.first`, `approve` guard `data.amount > 100` became `data.amount > 250`" in told.out
    assert "for `data.amount = 101`: `review.second` before, `paid` now" in told.out
    assert re.search(r"asked_first +✓ proved → ✓ proved", told.out)


def test_json_has_everything(pair: Shop) -> None:
    document = pair("diff", "old.yaml", "new.yaml", "--json").json
    assert list(document) == ["old", "new", "renames", "changes", "meaning", "properties", "agents", "workflows"]
    assert [document[side]["version"] for side in ("old", "new")] == [1, 2]
    assert [change["number"] for change in document["changes"]] == [1, 2]
    assert set(document["changes"][0]) == {
        "number", "kind", "what", "where", "text", "old", "new", "risk", "level", "keys",
    }  # fmt: skip
    assert document["changes"][0]["keys"] == ["old:after.3d", "new:after.5d"]
    assert document["changes"][1]["keys"] == ["old:on.approve.0", "new:on.approve.0"]
    assert document["meaning"][0]["examples"][0]["values"] == {"data.amount": 101}
    assert document["properties"][0] | {"old": None, "new": None} == {
        "name": "asked_first",
        "rule": "same",
        "old": None,
        "new": None,
        "before": {"verdict": "proved", "why": "in all 11 states"},
        "now": {"verdict": "proved", "why": "in all 11 states"},
        "kept": None,
    }
    assert [each["verdict"] for each in document["agents"]] == ["moves by itself"] * 3


def test_a_file_that_does_not_differ_is_told_so(pair: Shop) -> None:
    told = pair("diff", "old.yaml", "old.yaml")
    assert (told.code, told.out) == (0, "small, version 1: nothing has changed\n")


def test_a_property_that_is_broken_now_fails(pair: Shop) -> None:
    pair.write("new.yaml", NEW.replace("initial: idle", "initial: review") + RULE)
    told = pair("diff", "old.yaml", "new.yaml")
    assert told.code == 1
    assert re.search(r"asked_first +✓ proved → ✗ violated; by ", told.out)


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("change.svg", "<?xml"),
        ("change.dot", "digraph difference {"),
        ("change.mmd", "---\ntitle: "),
        ("change.md", "### `small`: version 1 → 2"),
        ("change.txt", "small, version 1 → 2"),
        ("change.json", "{"),
        ("change.html", "<!doctype html>"),
    ],
)
def test_the_name_of_the_file_says_the_format(pair: Shop, name: str, begins: str) -> None:
    written = pair("diff", "old.yaml", "new.yaml", "-o", name)
    assert (written.code, written.out, written.err) == (0, "", f"wrote {name}\n")
    assert (pair.folder / name).read_text(encoding="utf-8").startswith(begins)


def test_markdown_has_the_picture_and_the_list(pair: Shop) -> None:
    told = pair("diff", "old.yaml", "new.yaml", "--format", "markdown").out
    assert "**2 changes to look at.**" in told
    assert "```mermaid\n---\ntitle: " in told
    assert "| ② ~ | in `review.first`, `approve` guard `data.amount > 100` became `data.amount > 250` |" in told
    assert "| `asked_first` | ✓ proved | ✓ proved |  |" in told


def test_a_picture_of_everything_is_drawn_on_request(shop: Shop) -> None:
    states = "".join(f"  s{place}: {{on: {{go: s{place + 1}}}}}\n" for place in range(60))
    text = f"workflow: long\nversion: 1\nevents: {{go: {{}}}}\ninitial: s0\nstates:\n{states}  s60: {{final: true}}\n"
    shop.write("old.yaml", text)
    shop.write("new.yaml", text.replace("{go: s6}", "{go: s7}"))
    folded = shop("diff", "old.yaml", "new.yaml", "--format", "mermaid").out
    full = shop("diff", "old.yaml", "new.yaml", "--format", "mermaid", "--full").out
    assert "58 more states" in folded
    assert "more states" not in full
    assert "state-s40" in full


def test_a_format_that_is_unknown_or_cannot_be_told_is_refused(pair: Shop) -> None:
    assert (
        "'change.odd' does not say which format it is" in pair("diff", "old.yaml", "new.yaml", "-o", "change.odd").err
    )
    refused = pair("diff", "old.yaml", "new.yaml", "--format", "svg", "--json")
    assert (refused.code, refused.json["error"]["detail"]) == (1, "svg is not what is printed here: give -o FILE")


@pytest.mark.parametrize("words", [[], ["old.yaml"], ["old.yaml", "new.yaml", "old.yaml"], ["--", "old.yaml"]])
def test_what_is_to_be_compared_must_be_said(pair: Shop, words: list[str]) -> None:
    refused = pair("diff", *words)
    assert refused.code == 2
    assert "name two files, or one or two revisions and behind `--` a file" in refused.err


def test_an_option_behind_the_file_is_told(pair: Shop) -> None:
    refused = pair("diff", "HEAD", "--", "new.yaml", "-o", "d.html")
    assert refused.code == 2
    assert "options stand before `--`, and behind it only the file" in refused.err


def test_a_file_that_is_not_there_is_told(pair: Shop) -> None:
    assert "there is no file 'odl.yaml' (did you mean `old.yaml`?)" in pair("diff", "odl.yaml", "new.yaml").err


def test_a_side_that_does_not_load_is_told_with_its_place(pair: Shop) -> None:
    pair.write("new.yaml", NEW.replace("target: second", "target: secnd"))
    refused = pair("diff", "old.yaml", "new.yaml")
    assert (refused.code, refused.out) == (1, "")
    assert re.search(r"new\.yaml:\d+:\d+: FSM\d+ .*secnd", refused.err)


def test_the_agents_of_the_store_are_asked_with_live(shop: Shop) -> None:
    shop.order("one")
    newer = ORDER.replace("version: 1", "version: 2")
    assert newer != ORDER
    shop.write("new.yaml", newer)
    document = shop("diff", "workflows/order.yaml", "new.yaml", "--live", "--json").json
    assert [(each["id"], each["verdict"]) for each in document["live"]] == [("one", "moves by itself")]
    assert shop("show", "one", "--json").json["workflow_version"] == 1
    assert "moves by itself" in shop("diff", "workflows/order.yaml", "new.yaml", "--live").out


# --------------------------------------------------------------------------- git


def git(folder: Path, *words: str) -> None:
    given = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *given, *words], cwd=folder, check=True, capture_output=True)


PARENT = """
workflow: parent
version: 1
events: {done: {}}
workflows: {child: parts/child.yaml}
initial: working
states:
  working: {do: workflow.run, with: {workflow: child}, on: {done: over}}
  over: {final: true}
"""
CHILD = "workflow: child\nversion: 1\ninitial: a\nevents: {go: {}}\nstates: {a: {on: {go: b}}, b: {final: true}}\n"


@pytest.fixture
def repository(shop: Shop) -> Shop:
    """Two commits in which the file of a child differs, and a third state of both in the working tree."""
    git(shop.folder, "init", "--quiet", "--initial-branch", "main")
    shop.write("flows/parent.yaml", PARENT)
    shop.write("flows/parts/child.yaml", CHILD)
    shop.write(".gitattributes", "parts export-ignore\n")
    git(shop.folder, "add", ".")
    git(shop.folder, "commit", "--quiet", "-m", "one")
    shop.write("flows/parts/child.yaml", CHILD.replace("b: {final: true}", "b: {final: true, outcome: failed}"))
    git(shop.folder, "commit", "--quiet", "-am", "two")
    shop.write(
        "flows/parent.yaml", PARENT.replace("version: 1", "version: 2").replace("done: over", "done: over, error: over")
    )
    return shop


def changes(outcome: dict[str, object]) -> list[str]:
    return [change["text"] for change in outcome["changes"]]  # type: ignore[attr-defined]


def test_a_revision_is_compared_with_what_is_there_now(repository: Shop) -> None:
    document = repository("diff", "HEAD", "--json", "--", "flows/parent.yaml").json
    assert changes(document) == ["in `working`: `error` leads to `over`"]


def test_the_children_are_those_of_the_revision(repository: Shop) -> None:
    """Also where an archive would leave them out."""
    document = repository("diff", "HEAD~1", "HEAD", "--json", "--", "flows/parent.yaml").json
    assert changes(document) == ["the embedded workflow `child` has changed: see its own list"]
    assert changes(document["workflows"]["child"]) == ["`b` is an end (`failed`), and was an end (`done`)"]


def test_a_path_is_told_from_where_the_command_runs(repository: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository.folder / "flows")
    assert repository("diff", "HEAD", "--", "parent.yaml").code == 0


def test_nothing_of_the_repository_is_changed(repository: Shop) -> None:
    def status() -> bytes:
        command = ["git", "status", "--porcelain"]
        return subprocess.run(command, cwd=repository.folder, check=True, capture_output=True).stdout

    before = status()
    repository("diff", "HEAD~1", "HEAD", "--", "flows/parent.yaml")
    assert status() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere", "--", "flows/parent.yaml"], "there is no revision 'nowhere' in the git repository"),
        (["--output", "x.md", "HEAD^9", "--", "flows/parent.yaml"], "there is no revision 'HEAD^9'"),
        (["HEAD", "--", "flows/other.yaml"], "there is no file 'flows/other.yaml' in revision 'HEAD'"),
        (["HEAD", "--", "/etc/hosts.yaml"], "'/etc/hosts.yaml' is in no git repository"),
    ],
)
def test_what_is_not_there_is_told(repository: Shop, words: list[str], said: str) -> None:
    refused = repository("diff", *words)
    assert (refused.code, refused.out) == (1, "")
    assert said in refused.err


def test_a_revision_that_does_not_load_is_told_by_its_name(repository: Shop) -> None:
    repository.write("flows/parts/child.yaml", CHILD.replace("go: b", "go: x"))
    git(repository.folder, "commit", "--quiet", "-am", "three")
    refused = repository("diff", "HEAD~1", "HEAD", "--", "flows/parent.yaml")
    assert refused.code == 1
    assert "HEAD:flows/parts/child.yaml:5:" in refused.err
    assert "fsm-agent-" not in refused.err


def test_outside_a_repository_revisions_are_refused(pair: Shop) -> None:
    refused = pair("diff", "HEAD", "--", "old.yaml")
    assert (refused.code, refused.err) == (
        1,
        "error: 'old.yaml' is in no git repository, so there are no revisions of it\n",
    )


def test_without_git_the_way_out_is_told(repository: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository.folder))
    refused = repository("diff", "HEAD", "--", "flows/parent.yaml")
    assert refused.err == "error: git is not installed, and revisions need it: give two files instead\n"


def test_a_revision_that_looks_like_an_option_is_none(repository: Shop) -> None:
    with pytest.raises(click.ClickException, match="there is no revision '--since=yesterday'"):
        Repository(repository.folder / "flows/parent.yaml").commit("--since=yesterday")


# --------------------------------------------------------------------------- hostile text

HOSTILE = "x ` | ] </script> <!-- **b** [a](b) @me #1 $x$ \\ \u202e"


def test_hostile_text_in_guards_and_descriptions_comes_out_as_text(shop: Shop) -> None:
    old = SMALL.replace("{when: data.amount > 100,", "{when: data.amount > 1,")
    shop.write("old.yaml", old)
    guard = f"data.author == {json.dumps(HOSTILE)}"
    new = old.replace("when: data.amount > 1,", f"when: {json.dumps(guard)},").replace(
        "  idle:\n", f"  idle:\n    description: {json.dumps(HOSTILE)}\n"
    )
    shop.write("new.yaml", new)
    told = shop("diff", "old.yaml", "new.yaml")
    assert told.code == 0, told.err
    assert "\u202e" not in told.out
    markdown = shop("diff", "old.yaml", "new.yaml", "--format", "markdown").out
    rows = [line for line in markdown.splitlines() if line.startswith("| ①")]
    assert len(rows) == 1
    assert rows[0].count("|") == 4
    assert not re.search(r"</?script|<!--|\*\*b\*\*|\[a\]\(b\)|@me|\u202e", markdown)
    assert markdown.count("```") == 2
    assert json.loads(shop("diff", "old.yaml", "new.yaml", "--json").out)["changes"][0]["new"]["when"] == guard

"""``review``: what differs from a base revision, in one report."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.support.repository import GitFolder
from tests.support.shop import Shop

EXAMPLE = Path(__file__).parents[2] / "examples" / "review"
BEFORE = (EXAMPLE / "before" / "refunds.yaml").read_text(encoding="utf-8")
AFTER = (EXAMPLE / "after" / "refunds.yaml").read_text(encoding="utf-8")
SARIF = Path(__file__).parents[1] / "report" / "schemas" / "sarif-2.1.0.json"

#: a small workflow that does nothing wrong
PLAIN = """
workflow: {name}
version: 1
events: {{go: {{}}}}
initial: idle
states:
  idle: {{on: {{go: done}}}}
  done: {{final: true}}
must:
  ends_once: {{at_most: 1, of: done}}
"""
CHILD = """
workflow: child
version: 1
events: {go: {}}
initial: idle
states:
  idle: {on: {go: waiting}}
  waiting: {after: {1d: done}, on: {go: done}}
  done: {final: true}
must:
  ends: {from: waiting, reaches: [done, cancelled]}
"""
PARENT = """
workflow: parent
version: 1
events: {joined: {}}
workflows: {inner: parts/child.yaml}
initial: running
states:
  running: {do: workflow.run, with: {workflow: inner, event: go}, on: {joined: over, error: over}}
  over: {final: true}
"""
#: whether it keeps its property cannot be told: who is asked is not known to be who asks
OPEN = BEFORE.replace(
    "      events: [approve, reject]\n", "      to: '\"managers\"'\n      events: [approve, reject]\n"
)


@pytest.fixture
def repository(shop: Shop) -> GitFolder:
    """A repository with one workflow, in which the command line runs."""
    shutil.rmtree(shop.folder / "workflows")
    (shop.folder / "pyproject.toml").unlink()
    repository = GitFolder(shop.folder)
    repository.write("workflows/refunds.yaml", BEFORE)
    repository.commit()
    return repository


def reviewed(shop: Shop, *words: str) -> dict[str, Any]:
    """File -> what is told of its workflow."""
    document = shop("review", "--base", "HEAD", "--json", *words).json
    return {each["file"]: each for each in document["workflows"]}


def test_a_broken_property_is_the_headline_and_has_its_path_and_its_test(shop: Shop, repository: GitFolder) -> None:
    repository.write("workflows/refunds.yaml", AFTER)
    done = shop("review", "--base", "main")
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[:2] == ["<!-- fsm-agent review: workflows -->", "## ✗ `refunds` breaks `four_eyes`"]
    assert "2. deciding → paying: somebody sends `approve`, where event.by &#33;= data.clerk is false" in lines
    assert "def test_four_eyes() -> None:" in lines
    assert "```mermaid" in lines
    assert any(line.startswith("| ① ↦ | state `approving` is called `deciding` now") for line in lines)
    assert "| `four_eyes` | ✓ proved | ✗ violated |  |" in lines
    assert any(line.startswith("An agent of the real engine went this way: `[sent(") for line in lines)
    assert any(line.startswith("| `approving` | moves by itself, to `deciding`") for line in lines)


def test_every_file_that_differs_is_told_and_no_other(shop: Shop, repository: GitFolder) -> None:
    for name in ("same", "gone", "lost", "commented"):
        repository.write(f"workflows/{name}.yaml", PLAIN.format(name=name))
    repository.commit()
    repository.write("workflows/refunds.yaml", AFTER)
    repository.write("workflows/fresh.yaml", PLAIN.format(name="fresh"))
    repository.write("workflows/lost.yaml", PLAIN.format(name="lost").replace("go: done", "go: nowhere"))
    repository.write("workflows/commented.yaml", "# a remark\n" + PLAIN.format(name="commented"))
    (repository.folder / "workflows" / "gone.yaml").unlink()
    found = reviewed(shop)
    assert {file: (each["status"], each["concern"]) for file, each in found.items()} == {
        "workflows/commented.yaml": ("changed", "fine"),
        "workflows/fresh.yaml": ("added", "changed"),
        "workflows/gone.yaml": ("removed", "breaking"),
        "workflows/lost.yaml": ("changed", "unreadable"),
        "workflows/refunds.yaml": ("changed", "violated"),
    }
    assert [each["code"] for each in found["workflows/lost.yaml"]["findings"]] == ["FSM110"]
    report = shop("review", "--base", "HEAD").out
    assert report.splitlines()[1] == "## ✗ `lost` does not load, and 4 more"
    assert "6 workflow files looked at, 5 changed since `HEAD`." in report
    assert "| ✗ error | FSM110 | `workflows/lost.yaml:7:19` |" in report


def test_json_has_all_that_diff_and_prove_print(shop: Shop, repository: GitFolder) -> None:
    new = repository.write("workflows/refunds.yaml", AFTER)
    found = reviewed(shop)["workflows/refunds.yaml"]
    assert found["difference"] == shop("diff", "HEAD", "--json", "--", str(new)).json
    assert found["proofs"] == shop("prove", "workflows/refunds.yaml", "--json").json["workflows"]


def test_a_change_in_a_file_that_another_embeds_is_a_change_of_both(shop: Shop, repository: GitFolder) -> None:
    repository.write("workflows/parent.yaml", PARENT)
    repository.write("workflows/parts/child.yaml", CHILD)
    repository.commit()
    assert reviewed(shop) == {}
    repository.write("workflows/parts/child.yaml", CHILD.replace("after: {1d: done}, ", ""))
    found = reviewed(shop)["workflows/parent.yaml"]
    assert found["concern"] == "violated"
    assert [(each["name"], each["child"]) for each in found["proofs"]] == [("child", ["inner"])]
    assert [each["file"] for each in found["findings"] if each["code"] == "FSM604"] == ["workflows/parts/child.yaml"]
    report = shop("review", "--base", "HEAD", "--sarif", "found.sarif").out
    assert "#### ✗ `ends` of `inner` is violated" in report
    assert "#### The embedded workflow `inner`" in report
    results = json.loads((repository.folder / "found.sarif").read_text())["runs"][0]["results"]
    flows = [result["codeFlows"] for result in results if result["ruleId"] == "FSM604"]
    places = [step["location"]["physicalLocation"] for step in flows[0][0]["threadFlows"][0]["locations"]]
    assert {place["artifactLocation"]["uri"] for place in places} == {"workflows/parts/child.yaml"}
    assert set(reviewed(shop, "workflows", "workflows/parts")) == {
        "workflows/parent.yaml",
        "workflows/parts/child.yaml",
    }


def test_the_same_workflow_in_another_file_is_no_new_one(shop: Shop, repository: GitFolder) -> None:
    repository.git("mv", "workflows/refunds.yaml", "workflows/money_back.yaml")
    (found,) = reviewed(shop).values()
    assert (found["status"], found["old_file"], found["file"], found["concern"]) == (
        "renamed",
        "workflows/refunds.yaml",
        "workflows/money_back.yaml",
        "fine",
    )
    report = shop("review", "--base", "HEAD")
    assert report.code == 0
    assert "`workflows/refunds.yaml` → `workflows/money_back.yaml`" in report.out
    # whoever names the new file alone sees a new workflow
    assert reviewed(shop, "workflows/money_back.yaml")["workflows/money_back.yaml"]["status"] == "added"


def test_where_nothing_has_changed_the_report_says_so_under_the_same_first_line(
    shop: Shop, repository: GitFolder
) -> None:
    done = shop("review", "--base", "main", "workflows/refunds.yaml", "--name", "refunds -- of ours -->")
    assert done.code == 0
    assert done.out.splitlines()[:2] == [
        "<!-- fsm-agent review: refunds _- of ours _-_ -->",
        "## ✓ No workflow has changed",
    ]


def test_a_base_revision_that_does_not_load_is_told_with_its_mistakes(shop: Shop, repository: GitFolder) -> None:
    repository.write("workflows/refunds.yaml", BEFORE.replace("paid: refunded", "paid: refundet"))
    base = repository.commit()
    repository.write("workflows/refunds.yaml", BEFORE)
    done = shop("review", "--base", base)
    assert done.code == 1
    assert done.out.splitlines()[1] == "## ✗ `refunds` of the base revision does not load"
    assert f"`{base}:workflows/refunds.yaml:43:13`" in done.out
    assert "| `four_eyes` | ✓ proved |" in done.out


def test_an_open_verdict_fails_only_a_strict_review(shop: Shop, repository: GitFolder) -> None:
    repository.write("workflows/refunds.yaml", OPEN.replace(", when: event.by != data.clerk", ""))
    done = shop("review", "--base", "main")
    assert (done.code, done.out.splitlines()[1]) == (0, "## ⚠ `refunds` has 1 change that breaks something")
    assert "#### ? `four_eyes` is open" in done.out
    assert shop("review", "--base", "main", "--strict").code == 1


def test_a_mistake_that_check_finds_fails_the_review(shop: Shop, repository: GitFolder) -> None:
    with_island = PLAIN.format(name="plain").replace("  done:", "  island: {final: true}\n  done:")
    repository.write("workflows/plain.yaml", with_island)
    done = shop("review", "--base", "main")
    assert (done.code, done.out.splitlines()[1]) == (1, "## ✗ `plain` has 1 mistake")
    assert "| ✗ error | FSM301 | `workflows/plain.yaml:8:3` |" in done.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--base", "nowhere"], "there is no revision 'nowhere'"),
        (["--base", "--help"], "there is no revision '--help'"),
        (["--base", "HEAD", "workflow/refunds.yaml"], "(did you mean `workflows/refunds.yaml`?)"),
        (["--base", "HEAD", "empty"], "the folder 'empty' has no *.yaml or *.yml, neither now nor in revision 'HEAD'"),
        (["--base", "HEAD", "missing"], "there is no file 'missing'"),
        (["--base", "HEAD", "/"], "is in no git repository"),
    ],
)
def test_what_is_not_there_is_an_error_in_one_sentence(
    shop: Shop, repository: GitFolder, words: list[str], sentence: str
) -> None:
    (repository.folder / "empty").mkdir()
    done = shop("review", *words)
    assert (done.code, done.out) == (1, "")
    assert sentence in done.err


def test_without_a_repository_there_is_nothing_to_compare_with(shop: Shop) -> None:
    done = shop("review", "--base", "main")
    assert (done.code, done.out) == (1, "")
    assert "'workflows' is in no git repository, so there are no revisions of it" in done.err


def test_a_base_is_needed(shop: Shop, repository: GitFolder) -> None:
    assert shop("review").code == 2


def test_a_folder_that_is_gone_is_still_reviewed(shop: Shop, repository: GitFolder) -> None:
    shutil.rmtree(repository.folder / "workflows")
    found = reviewed(shop)
    assert {file: each["status"] for file, each in found.items()} == {"workflows/refunds.yaml": "removed"}
    assert "Nobody can start one any more." in shop("review", "--base", "HEAD").out


@pytest.mark.long
def test_a_folder_of_reports_has_pictures_and_tests_that_fail_until_the_workflow_is_mended(
    shop: Shop, repository: GitFolder
) -> None:
    file = repository.write("workflows/refunds.yaml", AFTER)
    done = shop("review", "--base", "main", "--out-dir", "out")
    assert (done.code, done.out) == (1, "")
    assert "wrote out/tests/test_refunds_four_eyes.py\n" in done.err
    assert done.err.splitlines()[-1] == "✗ `refunds` breaks `four_eyes`"
    out = repository.folder / "out"
    written = {str(path.relative_to(out)) for path in out.rglob("*.*")}
    assert written >= {
        "review.md",
        "summary.md",
        "refunds.html",
        "refunds.mmd",
        "refunds.svg",
        "tests/test_refunds_four_eyes.py",
    }
    report = (out / "review.md").read_text(encoding="utf-8")
    assert report == (out / "summary.md").read_text(encoding="utf-8")
    assert "(<code>out/tests/test_refunds_four_eyes.py</code>)" in html.unescape(report)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "out/tests"]
    broken = subprocess.run(words, cwd=shop.folder, capture_output=True, text=True, check=False)
    assert "is_kept = life.keeps('four_eyes')" in broken.stdout
    file.write_text(BEFORE)
    assert subprocess.run(words, cwd=shop.folder, capture_output=True, check=False).returncode == 0


def sarif_of(shop: Shop, *words: str) -> Any:
    shop("review", "--base", "HEAD", "--sarif", "found.sarif", *words)
    document = json.loads(Path("found.sarif").read_text(encoding="utf-8"))
    schema = SARIF.read_text(encoding="utf-8").replace("{2}]?$", r"{2}\\]?$")  # a bracket alone is no strict pattern
    jsonschema_rs.Draft4Validator(json.loads(schema)).validate(document)
    return document["runs"][0]


def test_sarif_is_valid_and_tells_rules_places_and_the_way_to_a_broken_property(
    shop: Shop, repository: GitFolder
) -> None:
    repository.write("workflows/refunds.yaml", AFTER)
    run = sarif_of(shop)
    (rule,) = run["tool"]["driver"]["rules"]
    assert (rule["id"], rule["shortDescription"]["text"]) == ("FSM604", "a run breaks a property")
    assert "an agent can do what it forbids" in rule["help"]["markdown"]
    (result,) = run["results"]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == ("FSM604", 0, "error")
    lines = AFTER.splitlines()
    steps = result["codeFlows"][0]["threadFlows"][0]["locations"]
    places = [each["location"]["physicalLocation"]["region"] for each in steps]
    assert [lines[place["startLine"] - 1][place["startColumn"] - 1 :].split(":")[0] for place in places] == [
        "asked",
        "approve",
    ]
    assert steps[0]["location"]["message"]["text"].startswith("open → deciding: somebody sends `asked`")


def test_files_are_named_from_the_top_of_the_repository(
    shop: Shop, repository: GitFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("a shop/workflows/refunds.yaml", BEFORE)
    repository.commit()
    repository.write("a shop/workflows/refunds.yaml", AFTER)
    monkeypatch.chdir(repository.folder / "a shop")
    (result,) = sarif_of(shop, "--code-quality", "found.json")["results"]
    location = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": "a%20shop/workflows/refunds.yaml", "uriBaseId": "%SRCROOT%"}
    (entry,) = json.loads(Path("found.json").read_text())
    assert entry["location"] == {"path": "a shop/workflows/refunds.yaml", "lines": {"begin": 63}}
    assert (entry["check_name"], entry["severity"]) == ("FSM604", "critical")


def test_a_finding_is_known_again_when_its_lines_move_or_its_file_is_renamed(shop: Shop, repository: GitFolder) -> None:
    mistaken = AFTER.replace("  failed:", "  island: {final: true}\n  atoll: {final: true}\n  failed:")
    seen = []
    for name, text in (("refunds", mistaken), ("refunds", f"\n\n# moved\n{mistaken}"), ("other", mistaken)):
        shutil.rmtree(repository.folder / "workflows")
        repository.write(f"workflows/{name}.yaml", text)
        seen.append(sarif_of(shop, "--code-quality", "found.json")["results"])
        entries = json.loads(Path("found.json").read_text())
        sarif = {each["partialFingerprints"]["fsmAgentFinding/v1"] for each in seen[-1]}
        assert {each["fingerprint"] for each in entries} == sarif
    fingerprints = [[each["partialFingerprints"] for each in results] for results in seen]
    assert fingerprints[0] == fingerprints[1] == fingerprints[2]
    prints = [each["fsmAgentFinding/v1"] for each in fingerprints[0]]
    assert len(set(prints)) == len(prints) == 3


def test_live_makes_no_store_where_there_is_none(shop: Shop, repository: GitFolder) -> None:
    repository.write("workflows/refunds.yaml", AFTER)
    assert "There are none." in shop("review", "--base", "main", "--live").out
    assert not list(repository.folder.glob("*.db"))


def test_live_asks_the_store_what_becomes_of_agents(shop: Shop, repository: GitFolder) -> None:
    payload = '{"order": "B-7", "amount": 75}'
    shop.write("actions.py", "from fsm_agent import action\n\n\n@action\ndef pay_back(ctx):\n    return 'paid'\n")
    begun = shop("--module", "actions", "run", "workflows/refunds.yaml", "--id", "one", "--payload", payload)
    assert begun.code == 0, begun.err
    repository.write("workflows/refunds.yaml", AFTER)
    report = shop("review", "--base", "main", "--live").out
    assert "**Agents alive**" in report
    assert "| 1 | `approving` | moves by itself |" in report

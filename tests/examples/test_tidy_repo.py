"""The gallery's ``tidy_repo``: real ruff on a real folder, and a person who decides."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.files import rewrite_whole
from examples.tidy_repo import actions
from examples.tidy_repo.linter import Finding, Ruff, RuffFailed, RuffMissing
from examples.tidy_repo.planning import digest, next_fix
from fsm_agent import Workflow
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.errors import PayloadInvalid
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.urls import open_store
from fsm_agent.sync import Runner
from tests.support.untidy_repo import FILES, SELECT, TIDY_FILES, tree, write_untidy_repo

TIDY_REPO = Workflow.load(Path(__file__).parents[2] / "workflows" / "tidy_repo.yaml")

EOL = b"\r\n"

Tidy = Callable[..., Agent]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def runner(clock: FakeClock) -> Iterator[Runner]:
    with Runner(open_store("memory://", clock=clock), modules=[actions.__name__]) as runner:
        yield runner


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_untidy_repo(tmp_path / "mess")


@pytest.fixture
def tidy(runner: Runner, folder: Path) -> Tidy:
    """Have the folder tidied until somebody must decide."""

    def start(where: Path = folder, **data: Any) -> Agent:
        return runner.start(TIDY_REPO, "tidy", {"folder": str(where)}, data={"select": SELECT, **data}, id="tidy")

    return start


def prompt(agent: Agent) -> str:
    assert agent.question is not None
    return agent.question.prompt.splitlines()[0]


def test_what_is_safe_is_done_and_what_is_not_is_asked_for_one_by_one(tidy: Tidy, runner: Runner, folder: Path) -> None:
    agent = tidy()
    asked = [prompt(agent)]
    for choice in ("apply", "skip", "skip_all"):
        agent = runner.answer("tidy", {"choice": choice}, by="ana")
        asked += [prompt(agent)] if agent.question else []
    assert asked == [
        f"{what}. The fix is unsafe: it may change what the code does."
        for what in (
            "app.py: B006, once: Do not use mutable data structures for argument defaults",
            "app.py: E711, once: Comparison to `None` should be `cond is None`",
            "lib/paths.py: E712, once: Avoid equality comparisons to `True`; use `os.path.exists(NAME):` for truth "
            "checks",
        )
    ]
    assert agent.output == {"files": 2, "fixed": 7, "skipped": 2, "remaining": 4}
    assert tree(folder) == TIDY_FILES
    told = [(each["file"], each["rule"], each["findings"]) for each in agent.data["fixed"]]
    assert told == [
        ("app.py", "F401", 3), ("app.py", "E713", 1), ("app.py", "F541", 1), ("lib/paths.py", "F401", 1),
        ("app.py", "B006", 1),
    ]  # fmt: skip


def test_each_fix_is_one_effect_and_one_step(tidy: Tidy, runner: Runner) -> None:
    tidy()
    effects = runner.effects("tidy")
    assert {(entry.name, str(entry.mode), entry.result) for entry in effects} == {("fix", "check", "fixed")}
    fixed = [step.version for step in runner.history("tidy") if step.event == "file_fixed"]
    assert [entry.activation + 1 for entry in effects] == fixed


def test_a_question_lapses_after_three_days_and_nothing_unsafe_is_done(
    tidy: Tidy, runner: Runner, clock: FakeClock
) -> None:
    tidy()
    clock.advance(days=3)
    agent = runner.resume("tidy")
    assert agent.output == {"files": 2, "fixed": 6, "skipped": 0, "remaining": 5}


def test_who_wants_no_questions_gets_none(tidy: Tidy) -> None:
    assert tidy(asks=False).output == {"files": 2, "fixed": 6, "skipped": 0, "remaining": 5}


def test_an_answer_that_is_none_is_refused(tidy: Tidy, runner: Runner) -> None:
    tidy()
    with pytest.raises(PayloadInvalid, match="choice"):
        runner.answer("tidy", {"choice": "perhaps"})


def test_a_file_that_was_edited_while_somebody_thought_is_looked_at_again(
    tidy: Tidy, runner: Runner, folder: Path
) -> None:
    tidy()
    (folder / "app.py").write_text("def add(item, items={}):\n    items[item] = 1\n")
    agent = runner.answer("tidy", {"choice": "apply"})
    assert "file_changed" in [step.event for step in runner.history("tidy")]
    assert prompt(agent).startswith("app.py: B006")
    assert (folder / "app.py").read_text() == "def add(item, items={}):\n    items[item] = 1\n"
    assert agent.data["fixed"][-1]["file"] == "lib/paths.py"


def test_a_report_is_written_into_the_folder_if_one_is_asked_for(tidy: Tidy, folder: Path) -> None:
    tidy(asks=False, report="tidied.md")
    page = (folder / "tidied.md").read_text()
    assert "Findings fixed: 6, in 2 files; left by decision: 0; remaining: 5." in page
    assert "- app.py: F401 `os` imported but unused (3)" in page
    assert "- lib/broken.py: invalid-syntax Expected a parameter" in page


@pytest.mark.parametrize("name", ["../tidied.md", "lib/tidied.md"])
def test_a_report_stays_in_the_folder(tidy: Tidy, folder: Path, name: str) -> None:
    with pytest.raises(Exception, match="report"):
        tidy(report=name)
    assert tree(folder) == FILES


def test_a_tidy_folder_needs_nothing(tidy: Tidy, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert tidy(tmp_path / "empty").output == {"files": 0, "fixed": 0, "skipped": 0, "remaining": 0}


def test_what_cannot_be_tidied_fails_with_a_sentence(tidy: Tidy, tmp_path: Path) -> None:
    agent = tidy(tmp_path / "nowhere")
    assert agent.status is Status.FAILED
    assert agent.output == {"reason": f"'{tmp_path / 'nowhere'}' is no folder, and only a folder can be tidied"}


def test_a_rule_that_ruff_does_not_know_fails_with_what_ruff_says(tidy: Tidy, folder: Path) -> None:
    agent = tidy(select="F,ZZZ")
    assert agent.status is Status.FAILED
    assert f"ruff says of '{folder}': ruff failed Cause: Unknown rule selector `ZZZ`" in agent.output["reason"]
    assert tree(folder) == FILES


def test_without_ruff_it_says_what_to_install(
    tidy: Tidy, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuffMissing, match="`pip install ruff` brings it"):
        Ruff(folder).findings()
    assert tidy().status is Status.FAILED


def test_ruff_on_path_will_do(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{beside}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert len(Ruff(folder, SELECT).findings()) == 12


def test_ruff_leaves_nothing_behind_and_follows_the_folder_s_own_rules(folder: Path) -> None:
    (folder / "ruff.toml").write_text('lint.select = ["F541"]\n')
    assert [each.rule for each in Ruff(folder).findings() if each.file == "app.py"] == ["F541"]
    assert set(tree(folder)) == {*FILES, "ruff.toml"}


def test_a_configuration_that_ruff_cannot_read_is_told(folder: Path) -> None:
    (folder / "ruff.toml").write_text("lint.select = 7\n")
    with pytest.raises(RuffFailed, match=r"ruff says of .*ruff\.toml"):
        Ruff(folder).findings()


def test_rules_that_undo_each_other_are_left_alone_in_the_end(folder: Path) -> None:
    ruff = Ruff(folder, SELECT)
    found = [Finding("app.py", 8, "F541", "f-string", "safe")]
    turn = {"file": "app.py", "rule": "F541"}
    assert next_fix(ruff, found, done=[turn] * 2, skipped=[]) is not None
    assert next_fix(ruff, found, done=[turn] * 3, skipped=[]) is None


def test_a_fix_that_changes_nothing_is_none(folder: Path) -> None:
    found = [Finding("lib/tidy.py", 1, "F541", "f-string", "safe")]
    assert next_fix(Ruff(folder, SELECT), found, done=[], skipped=[]) is None


def test_a_file_is_replaced_with_its_permissions_through_a_link_and_with_nothing_beside(tmp_path: Path) -> None:
    real, link = tmp_path / "real.py", tmp_path / "link.py"
    real.write_bytes(b"old\r\n")
    real.chmod(0o751)
    link.symlink_to(real)
    (tmp_path / f".real.py.{digest(b'new' + EOL)[:12]}").write_bytes(b"half of what somebody wro")
    rewrite_whole(link, b"new\r\n")
    assert (real.read_bytes(), real.stat().st_mode & 0o777, link.is_symlink()) == (b"new\r\n", 0o751, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.py", "real.py"]

"""What runs a review elsewhere: the action of GitHub, the job of GitLab, the hooks of pre-commit.

The shell steps are run as they stand, in a repository of their own. Programs of others, which would speak to a server,
are small ones that write down what they are asked.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml

from tests.support.repository import GitFolder

ROOT: Final = Path(__file__).parent.parent
ACTION: Final = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
GITLAB: Final = yaml.safe_load((ROOT / "examples" / "review" / "gitlab-ci.yml").read_text(encoding="utf-8"))
HOOKS: Final = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
STEPS: Final[dict[str, dict[str, Any]]] = {step.get("name", step.get("uses")): step for step in ACTION["runs"]["steps"]}
BEFORE: Final = (ROOT / "examples" / "review" / "before" / "refunds.yaml").read_text(encoding="utf-8")
AFTER: Final = (ROOT / "examples" / "review" / "after" / "refunds.yaml").read_text(encoding="utf-8")
BIN: Final = Path(sys.executable).parent
MARKER: Final = "<!-- fsm-agent review: workflows -->"

#: writes down its arguments, and answers a question for comments with those of a file, as the filter asks for
GH = """#!{python}
import json, os, pathlib, subprocess, sys
here = pathlib.Path({here!r})
words = sys.argv[1:]
with (here / "asked").open("a") as log:
    log.write(json.dumps(words) + "\\n")
if (here / "refuse").exists():
    sys.exit("HTTP 403: Resource not accessible by integration")
if "--jq" in words:
    comments = (here / "comments").read_text()
    sys.exit(subprocess.run(["jq", words[words.index("--jq") + 1]], input=comments, text=True).returncode)
"""


def shell(text: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does."""
    words = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", text]
    return subprocess.run(
        words, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


class Runner:
    """A machine that runs the steps of the action in a repository."""

    def __init__(self, folder: Path) -> None:
        self.temp, self.programs = folder / "temp", folder / "programs"
        self.output, self.summary = folder / "output", folder / "summary"
        (self.temp / "fsm-agent" / "bin").mkdir(parents=True)
        (self.temp / "fsm-agent" / "bin" / "fsm-agent").symlink_to(BIN / "fsm-agent")
        self.programs.mkdir()
        self.program("gh", GH.format(python=sys.executable, here=str(self.programs)))
        (self.programs / "comments").write_text("[]")
        self.repository = GitFolder(folder / "checkout")
        self.repository.write("workflows/refunds.yaml", BEFORE)
        self.base = self.repository.commit()

    def program(self, name: str, text: str) -> None:
        path = self.programs / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def run(self, step: str, **given: str) -> subprocess.CompletedProcess[str]:
        """Run a step; ``given`` are its variables, which must be those that the action gives it."""
        assert set(given) == set(STEPS[step].get("env", {}))
        found = {
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "PYTHONPATH": str(ROOT),
        }
        return shell(STEPS[step]["run"], self.repository.folder, found | given)

    def review(
        self, *, base: str | None = None, paths: str = "workflows", name: str = "", strict: str = "false"
    ) -> Any:
        return self.run(
            "Review",
            PATHS=paths,
            BASE=self.base if base is None else base,
            NAME=name,
            STRICT=strict,
            RUN="https://example.org/runs/7",
        )

    def comment(self) -> subprocess.CompletedProcess[str]:
        folder = self.outputs["folder"]
        return self.run("Comment", GH_TOKEN="t", REPOSITORY="shop/refunds", NUMBER="12", FOLDER=folder)  # noqa: S106 - none

    @property
    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.output.read_text().splitlines())

    @property
    def asked(self) -> list[list[str]]:
        log = self.programs / "asked"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


class Comment(NamedTuple):
    id: int
    author: str
    body: str

    @property
    def document(self) -> dict[str, Any]:
        return {"id": self.id, "user": {"type": self.author}, "body": self.body}


def test_a_review_that_fails_is_in_the_summary_and_fails_the_last_step(runner: Runner) -> None:
    runner.repository.write("workflows/refunds.yaml", AFTER)
    done = runner.review()
    assert done.returncode == 0, done.stderr
    assert runner.outputs["failed"] == "true"
    assert "## ✗ `refunds` breaks `four_eyes`" in runner.summary.read_text(encoding="utf-8")
    written = {path.name for path in Path(runner.outputs["folder"]).iterdir()}
    assert written >= {"review.md", "summary.md", "review.sarif", "refunds.svg", "tests"}
    failed = runner.run("Fail where the review fails")
    assert (failed.returncode, failed.stdout.startswith("::error::")) == (1, True)


def test_a_review_of_no_change_passes(runner: Runner) -> None:
    assert runner.review(name="ours", paths="workflows\n\n").returncode == 0
    assert runner.outputs["failed"] == "false"
    assert runner.summary.read_text().startswith("<!-- fsm-agent review: ours -->\n## ✓ No workflow has changed\n")


def test_what_is_open_fails_a_strict_review(runner: Runner) -> None:
    asked = BEFORE.replace("      events: [app", "      to: '\"managers\"'\n      events: [app")
    runner.repository.write("workflows/refunds.yaml", asked.replace(", when: event.by != data.clerk", ""))
    for strict in ("false", "true"):
        assert runner.review(strict=strict).returncode == 0
        assert runner.outputs["failed"] == strict


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"base": ""}, "::error::there is nothing to compare with"),
        ({"base": "--upload-pack=touch stolen"}, "fatal: "),
        ({"base": "nowhere"}, "fatal: "),
        ({"paths": "missing"}, "there is no file 'missing'"),
        ({"paths": "--help"}, "there is no file '--help'"),
        ({"paths": "$(touch stolen)\n; touch stolen"}, "there is no file '$(touch stolen)'"),
    ],
)
def test_an_input_that_is_wrong_ends_the_job_with_a_sentence_and_runs_nothing(
    runner: Runner, given: dict[str, str], sentence: str
) -> None:
    done = runner.review(**given)
    assert done.returncode != 0
    assert sentence in done.stdout + done.stderr
    assert not runner.output.exists()
    assert not list(runner.repository.folder.glob("stolen"))


def test_a_base_that_a_shallow_checkout_lacks_is_fetched(runner: Runner, tmp_path: Path) -> None:
    runner.repository.write("workflows/refunds.yaml", AFTER)
    runner.repository.commit()
    origin = runner.repository
    runner.repository = GitFolder(tmp_path / "shallow")
    runner.repository.git("remote", "add", "origin", origin.folder.as_uri())
    origin.git("config", "uploadpack.allowAnySHA1InWant", "true")
    runner.repository.git("fetch", "--quiet", "--depth=1", "origin", "main")
    runner.repository.git("checkout", "--quiet", "FETCH_HEAD")
    assert runner.review().returncode == 0
    assert runner.outputs["failed"] == "true"


def test_the_first_review_is_a_new_comment(runner: Runner) -> None:
    others = [Comment(1, "User", f"{MARKER}\nmine"), Comment(2, "Bot", f"{MARKER[:-4]}other -->\nx")]
    (runner.programs / "comments").write_text(json.dumps([each.document for each in others]))
    runner.review()
    done = runner.comment()
    assert (done.returncode, done.stdout) == (0, "")
    asked, written = runner.asked
    assert asked[:3] == ["api", "--paginate", "repos/shop/refunds/issues/12/comments?per_page=100"]
    body = f"body=@{runner.outputs['folder']}/review.md"
    assert written == [
        *("api", "--silent", "--method", "POST", "repos/shop/refunds/issues/12/comments", "--field", body)
    ]


def test_the_next_review_takes_the_place_of_its_comment(runner: Runner) -> None:
    ours = [
        Comment(1, "User", MARKER),
        Comment(7, "Bot", f"{MARKER}\n## old"),
        Comment(8, "Bot", f"{MARKER}\n## older"),
    ]
    (runner.programs / "comments").write_text(json.dumps([each.document for each in ours]))
    runner.review()
    assert runner.comment().returncode == 0
    assert runner.asked[1][3:5] == ["PATCH", "repos/shop/refunds/issues/comments/7"]


def test_who_may_not_comment_is_told_where_the_report_is(runner: Runner) -> None:
    (runner.programs / "refuse").touch()
    runner.review()
    done = runner.comment()
    assert done.returncode == 0
    assert done.stdout.startswith("::warning::no comment could be written")
    assert len(runner.asked) == 1


def test_steps_of_the_action_are_shell_and_get_what_others_say_as_variables_alone() -> None:
    scripts = [step["run"] for step in STEPS.values() if "run" in step]
    assert len(scripts) == 4
    for script in scripts:
        checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")
        assert "${{" not in script


def test_the_action_says_what_its_inputs_are_and_uses_each() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"inputs\.(\w+)", text))
    assert used == set(ACTION["inputs"])
    assert all(each["description"].strip() and "default" in each for each in ACTION["inputs"].values())
    page = (ROOT / "docs" / "reviewing.md").read_text(encoding="utf-8")
    assert [name for name in ACTION["inputs"] if f"| `{name}` |" not in page] == []


def test_pull_requests_of_forks_get_no_step_that_would_need_to_write() -> None:
    guard = "github.event.pull_request.head.repo.full_name == github.repository"
    writing = [step for step in STEPS.values() if "token" in str(step.get("env")) or "sarif" in step.get("uses", "")]
    assert len(writing) == 2
    assert all(guard in step["if"] for step in writing)


#: writes down its arguments, and answers with the notes of a file
CURL = """#!{python}
import json, pathlib, sys
here = pathlib.Path({here!r})
with (here / "asked").open("a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
if "--request" not in sys.argv:
    print((here / "notes").read_text())
"""


@pytest.mark.parametrize(
    ("notes", "written"),
    [
        ([], ["POST", ""]),
        ([{"id": 3, "author": {"username": "ana"}, "body": MARKER}], ["POST", ""]),
        ([{"id": 4, "author": {"username": "project_9_bot_a"}, "body": f"{MARKER}\nold"}], ["PUT", "/4"]),
    ],
)
def test_the_job_for_gitlab_reviews_and_writes_one_note(
    runner: Runner, notes: list[dict[str, Any]], written: list[str]
) -> None:
    runner.program("curl", CURL.format(python=sys.executable, here=str(runner.programs)))
    (runner.programs / "notes").write_text(json.dumps(notes))
    runner.repository.write("workflows/refunds.yaml", AFTER)
    (job,) = GITLAB.values()
    environment = {
        "PATH": f"{runner.programs}{os.pathsep}{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": runner.base,
        "CI_JOB_URL": "https://example.org/jobs/3",
        "CI_API_V4_URL": "https://example.org/api/v4",
        "CI_PROJECT_ID": "9",
        "CI_MERGE_REQUEST_IID": "12",
    }
    install, review = job["script"]
    assert install.startswith("pip install ")
    folder = runner.repository.folder
    assert shell(review, folder, environment).returncode == 1
    report, quality = job["artifacts"]["paths"][0], job["artifacts"]["reports"]["codequality"]
    assert (folder / report / "review.md").read_text(encoding="utf-8").startswith(f"{MARKER}\n")
    assert [entry["check_name"] for entry in json.loads((folder / quality).read_text())] == ["FSM604"]
    (note,) = job["after_script"]
    assert shell(note, folder, environment).returncode == 0
    assert runner.asked == []
    done = shell(note, folder, environment | {"NOTE_TOKEN": "t"})
    assert (done.returncode, done.stderr) == (0, "")
    words = runner.asked[-1]
    where = "https://example.org/api/v4/projects/9/merge_requests/12/notes"
    assert [words[words.index("--request") + 1], words[-1].removeprefix(where)] == written
    assert words[words.index("--data-urlencode") + 1] == "body@review/review.md"


@pytest.fixture
def hooked(tmp_path: Path) -> GitFolder:
    """A repository whose commits go through our hooks; they are run by what is installed here."""
    folder = GitFolder(tmp_path / "hooked")
    hooks = [{**hook, "language": "system", "entry": f"{BIN}/{hook['entry']}"} for hook in HOOKS]
    config = {"repos": [{"repo": "local", "hooks": hooks}]}
    folder.write(".pre-commit-config.yaml", yaml.safe_dump(config))
    folder.write("workflows/refunds.yaml", BEFORE)
    folder.write("pyproject.toml", "")
    folder.commit()
    return folder


def pre_commit(folder: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PRE_COMMIT_HOME": str(home)}
    return subprocess.run(
        [str(BIN / "pre-commit"), *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_hooks_are_what_pre_commit_expects(tmp_path: Path) -> None:
    done = pre_commit(ROOT, tmp_path, "validate-manifest", ".pre-commit-hooks.yaml")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("is_mended", [False, True])
@pytest.mark.parametrize("hook", ["fsm-agent-prove", "fsm-agent-review"])
def test_a_commit_that_breaks_what_must_hold_is_stopped(
    hooked: GitFolder, tmp_path: Path, hook: str, is_mended: bool
) -> None:
    guard = "paying, when: event.by != data.clerk, assign: {approver"
    hooked.write("workflows/refunds.yaml", AFTER.replace("paying, assign: {approver", guard) if is_mended else AFTER)
    hooked.git("add", ".")
    done = pre_commit(hooked.folder, tmp_path / "home", "run", hook)
    assert done.returncode == int(not is_mended), done.stdout + done.stderr
    assert ("four_eyes" in done.stdout) == (not is_mended or hook == "fsm-agent-review")

"""A short run of what ``make prove`` does at length: every backend under faults, every mutant caught, nobody left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import psutil
import pytest
from click.testing import CliRunner

from fsm_agent.testing.faults.__main__ import main, parse_duration
from fsm_agent.testing.faults.checker import RULES
from fsm_agent.testing.faults.coverage import REQUIRED, count_hits, missing
from fsm_agent.testing.faults.failpoints import Failpoint
from fsm_agent.testing.faults.journal import Outcome
from fsm_agent.testing.faults.mutant_runs import MutantResult, run_mutant
from fsm_agent.testing.faults.mutants import MUTANTS
from fsm_agent.testing.faults.run import SQLITE, Subject, Verdict, prove
from fsm_agent.testing.faults.table import truth_table
from tests.support.hypothesis_settings import IS_LONG

from .evidence import an_entry, evidence
from .flight_booking import ROOT
from .prove import BACKENDS

SECONDS = 120 if IS_LONG else 3
SEED = 20_261


@pytest.fixture(autouse=True)
def fast_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill loses nothing that is in the memory of the system, so no disk is needed."""
    memory = Path("/dev/shm")  # noqa: S108 - folders of their own are made in it
    if memory.is_dir():
        monkeypatch.setenv("TMPDIR", str(memory))
        monkeypatch.setattr("tempfile.tempdir", None)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_keeps_every_promise_under_faults_that_all_hit(backend: str) -> None:
    with BACKENDS[backend]() as subject:
        verdicts = prove([subject], seconds=SECONDS, seed=SEED)
    table = truth_table(verdicts)
    print(table)  # noqa: T201 - shown by `pytest -rP`
    assert all(verdict.is_proven for verdict in verdicts), table


@pytest.mark.parametrize("name", MUTANTS)
def test_a_store_that_breaks_a_promise_is_caught(name: str) -> None:
    result = run_mutant(name, seconds=5, seed=SEED)
    assert result.broken, str(result)
    assert f"caught in run {result.runs}, by " in str(result)


def test_a_mutant_that_is_not_caught_is_told() -> None:
    assert str(MutantResult("no-dedupe", 12, ())) == "mutant no-dedupe (keys are ignored): NOT CAUGHT in 12 runs"


def test_what_hit_nothing_proves_nothing() -> None:
    impossible = {"server restarts", "engine restarts", "agents woken", "wake-ups lost"}
    assert missing(Counter(), SQLITE.impossible) == [name for name in REQUIRED if name not in impossible]
    with_engine = Subject("sqlite", SQLITE.url, engine="local://")
    assert missing(Counter({"calls": 1}), with_engine.impossible)[-2:] == ["wake-ups lost", "agents woken"]
    verdict = Verdict(SQLITE, 1, {}, Counter(dict.fromkeys(REQUIRED, 1)), Counter())
    assert verdict.is_proven
    assert not Verdict(SQLITE, 1, {}, Counter({"kills": 1}), Counter()).is_proven


@pytest.mark.parametrize(
    ("outcome", "reply", "written_at", "hits"),
    [
        ("ok", {"erased": 1, "left": []}, None, 1),
        ("ok", {"erased": 0, "left": []}, 15, 0),
        ("lost", {}, None, 0),
        ("lost", {}, 15, 1),
        ("lost", {}, 25, 0),
        ("failed", {}, 15, 1),
        ("refused", {}, None, 0),
    ],
)
def test_a_forgetting_that_was_cut_off_hit_somebody_if_an_agent_was_written_anew_meanwhile(
    outcome: Outcome, reply: dict[str, Any], written_at: int | None, hits: int
) -> None:
    forgetting = an_entry("forget", at=10, facts={"user": "ana"})._replace(returned_ns=20, outcome=outcome, reply=reply)
    written = [] if written_at is None else [an_entry("adopt", at=written_at, facts={"agent": "a"})]
    lost = an_entry("adopt", at=15, facts={"agent": "b"})._replace(outcome="lost", returned_ns=None)
    total = count_hits(evidence(forgetting, *written, lost), Counter(), ())
    assert total["users forgotten"] == hits


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1h", 3_600), ("5", 5)])
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(None, None, text) == seconds


def test_what_is_no_duration_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="'soon' is no duration; write 90s, 10m or 1h"):
        parse_duration(None, None, "soon")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["memory://", "--engine", "local://"], "--engine needs the URL of a store that several processes share"),
        (["--engine", "local://"], "--engine needs the URL of a store that several processes share"),
        (["--engine", "tempral://here"], "(did you mean `temporal://`?)"),
    ],
)
def test_an_engine_that_could_wake_nobody_is_refused(line: list[str], said: str) -> None:
    result = CliRunner().invoke(main, line)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_failpoint_that_there_is_not_is_refused() -> None:
    assert str(Failpoint.parse("commit:before:17")) == "commit:before:17"
    with pytest.raises(ValueError, match="there is no failpoint 'commit:never:1'; sites are commit, create"):
        Failpoint.parse("commit:never:1")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, when its writers are at work."""
    line = [sys.executable, "-m", "fsm_agent.testing.faults", "--for", "10m", "--seed", "1", SQLITE.url]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            until_s = time.monotonic() + 60
            while len(writers_of(process)) < 3 and time.monotonic() < until_s:
                assert process.poll() is None
                os.sched_yield()
            yield process
        finally:
            process.kill()


def run_processes(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The fork servers and the writers."""
    return psutil.Process(process.pid).children(recursive=True)


def writers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes that a fork server has forked. Writers are killed all the time: where one is gone by the time that
    it is looked at, all are looked at again."""
    while True:
        everybody = run_processes(process)
        try:
            pythons = {each.pid for each in everybody if each.name() != "unshare"}
            return [each for each in everybody if each.pid in pythons and each.ppid() in pythons]
        except psutil.NoSuchProcess:
            os.sched_yield()


def freeze_a_writer(process: subprocess.Popen[str]) -> None:
    """Stop one of the writers, of whom any may be gone by now."""
    while True:
        for writer in writers_of(process):
            with suppress(psutil.NoSuchProcess):
                writer.suspend()
                return
        os.sched_yield()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_no_process_and_no_folder(
    run: subprocess.Popen[str], tmp_path: Path, how: signal.Signals
) -> None:
    everybody = run_processes(run)
    freeze_a_writer(run)
    run.send_signal(how)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 1
    assert said.startswith("sqlite: 600 s of faults, seed 1\n")
    assert "Traceback" not in said
    assert psutil.wait_procs(everybody, timeout=30)[1] == []
    assert list(tmp_path.iterdir()) == []


def test_nobody_outlives_a_run_that_is_killed(run: subprocess.Popen[str]) -> None:
    everybody = run_processes(run)
    freeze_a_writer(run)
    run.kill()
    assert psutil.wait_procs(everybody, timeout=30)[1] == []


def test_the_page_on_the_proof_names_every_option_and_promise() -> None:
    page = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")
    options = [name for option in main.params for name in option.opts if name.startswith("--")]
    assert [name for name in options if f"`{name}" not in page] == []
    assert [promise for promise in RULES if f"| {promise} |" not in page] == []
    assert [name for name in MUTANTS if f"`{name}`" not in page] == []
    words = " ".join(page.split())
    assert [name for name in REQUIRED if name not in words] == []


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_the_store_that_the_writers_open(name: str, tmp_path: Path) -> None:
    said = f"""
import sys
import fsm_agent.stores.sqlite.store
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.faults.mutants import MUTANTS, install
install({name!r})
store = sys.modules[type(open_store("sqlite:///{tmp_path}/agents.db")).__module__]
commits, leases = store.commits, store.leases
of_store = {{"commits": commits, "indexes": commits.indexes, "writes": sys.modules[commits.standing.__module__]}}
of_store |= {{"leases": leases, "due_times": sys.modules[leases.longest_due.__module__]}}
changed = [of_store[change.module.rpartition(".")[2]] for change in MUTANTS[{name!r}].changes]
print(*{{type(module.__loader__).__module__ for module in changed}})
"""
    done = subprocess.run([sys.executable, "-c", said], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "fsm_agent.testing.faults.mutants\n"

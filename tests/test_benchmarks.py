"""The benchmarks run: in a tiny size everything is measured, and nothing is said of how fast it was."""

from __future__ import annotations

import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import benchmarks
from benchmarks import decision, report
from benchmarks.__main__ import main
from benchmarks.dialogue import Dialogue, Failed
from benchmarks.measure import Row, attempt, take_turns
from benchmarks.million import million_section
from benchmarks.peers.compared import Comparing, Notes, tables
from benchmarks.peers.contenders import CONTENDERS
from benchmarks.places import Places, open_places
from benchmarks.plan import groups
from benchmarks.sizes import QUICK
from tests.servers.postgres import QUICK as QUICK_POSTGRES
from tests.servers.redis import DURABLE

BENCHMARKS = Path(benchmarks.__file__).parent


@pytest.fixture(scope="module")
def places() -> Iterator[Places]:
    with open_places(QUICK_POSTGRES, DURABLE) as places:
        yield places


def test_everything_that_has_a_bar_is_measured(places: Places) -> None:
    for title, _, measures in groups(places, QUICK):
        for name, measure in measures:
            rows = measure()
            assert rows, f"{title}: {name}"
            assert all(row.ratio is None or row.ratio > 0 for row in rows if "KB each" not in row.work), rows


def test_the_decision_table_has_a_figure_wherever_there_is_one(places: Places) -> None:
    patterns = [each for each in decision.patterns(places) if each.place in (None, places.memory, places.sqlite)]
    figures = decision.measured(patterns, QUICK)
    assert [each.trouble for each in figures.values()] == ["", "", ""]
    stateless, memory, sqlite = (figures[pattern.name] for pattern in patterns)
    assert stateless.steps_s
    assert stateless.many_s is None
    assert memory.many_s
    assert memory.two_processes_s is None
    assert sqlite.steps_s
    assert sqlite.p50
    assert sqlite.two_processes_s
    assert sqlite.each
    assert decision.speed_table(patterns, figures, QUICK).count("\n") == len(patterns) + 1
    assert len(decision.promise_table(decision.patterns(places)).splitlines()) == 2 + 7


def test_peers_that_are_not_installed_have_dashes_with_a_reason(places: Places, tmp_path: Path) -> None:
    comparing = Comparing(places, QUICK, tmp_path / "nowhere" / "python", Notes())
    for title, _, make in tables(QUICK):
        lines = make(comparing).splitlines()
        assert len({line.count("|") for line in lines}) == 1, title
        assert any("- (" in line for line in lines), title
    assert "its environment is not installed" in comparing.notes.text()
    assert "RediSearch" in comparing.notes.text()


def test_the_scripts_of_the_peers_compile_and_all_are_there(tmp_path: Path) -> None:
    scripts = sorted(path.stem for path in (BENCHMARKS / "peers").glob("*_peer.py"))
    assert scripts == sorted(contender.script for contender in CONTENDERS)
    for script in scripts:
        py_compile.compile(
            str(BENCHMARKS / "peers" / f"{script}.py"), cfile=str(tmp_path / f"{script}.pyc"), doraise=True
        )


def test_a_million_is_measured_in_sqlite_and_in_postgresql(places: Places) -> None:
    section = million_section(places, QUICK)
    assert section.splitlines()[-2].startswith("| SQLite | ")
    assert section.splitlines()[-1].startswith("| PostgreSQL | ")
    assert "- (" not in section, section


def test_a_run_keeps_the_sections_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "RESULTS.md"
    path.write_text(report.page({report.MISSED: "By hand.", report.BARS: "Bars."}, runs=9))
    monkeypatch.setattr("benchmarks.million.million_section", lambda places, sizes: "A million.")
    assert main(["--million", "--quick", "--output", str(path)]) == 0
    assert report.read_sections(path) == {
        report.DECISION: "Not measured yet.",
        report.BARS: "Bars.",
        report.PEERS: "Not measured yet.",
        report.MILLION: "A million.",
        report.MISSED: "By hand.",
    }


def test_the_page_that_is_kept_has_every_section() -> None:
    assert tuple(report.read_sections(BENCHMARKS / "RESULTS.md")) == report.SECTIONS


def test_a_measurement_that_fails_is_a_row_that_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> list[Row]:
        raise ValueError("no | luck")

    (row,) = attempt("the work", fails)
    assert row == Row("the work", "", None, None, "ValueError: no / luck")
    assert report.rows_table([row]).endswith("| the work |  | - |  | ValueError: no / luck |")
    assert "Traceback" in capsys.readouterr().err


def test_one_that_gives_up_does_not_end_the_turns_of_others() -> None:
    def fails() -> float:
        raise ValueError("no luck")

    turns = take_turns({"fails": fails, "goes on": lambda: 2.0}, runs=3)
    assert turns.medians == {"goes on": 2.0}
    assert turns.reasons == {"fails": "ValueError: no luck"}


def test_a_process_that_ends_or_keeps_silent_or_cannot_is_told_apart() -> None:
    ended = Dialogue([sys.executable, "-c", "raise SystemExit('out of luck')"])
    with ended, pytest.raises(Failed, match=r"^ended with 1: out of luck$"):
        ended.hear()
    silent = Dialogue([sys.executable, "-c", "input(); input()"], timeout_s=0.1)
    with silent, pytest.raises(Failed, match=r"^no answer within 0 s$"):
        silent.ask("anything")
    serving = "from benchmarks.serving import serve; serve({'divide': lambda: {'is': 1 / 0}})"
    with Dialogue([sys.executable, "-c", serving]) as cannot:
        for _ in range(2):
            with pytest.raises(Failed, match=r"^ZeroDivisionError: division by zero$"):
                cannot.ask("divide")

"""The benchmarks run: in a tiny size everything is measured, and nothing is said of how fast it was."""

from __future__ import annotations

import py_compile
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import psycopg
import pytest
import redis

import benchmarks
from benchmarks import bars, decision, instructions, plots, report
from benchmarks.__main__ import main
from benchmarks.counted import BARE, MEMORY, SQLITE
from benchmarks.dialogue import Dialogue, Failed
from benchmarks.instructions import MEASURED
from benchmarks.measure import Row, attempt, take_turns
from benchmarks.million import million_section
from benchmarks.peers.compared import STEPS, Comparing, Line, Notes, ahead_of_us, judged, table, tables
from benchmarks.peers.contenders import CONTENDERS
from benchmarks.place import OURS, RAW
from benchmarks.places import Places, SqlitePlace, open_places
from benchmarks.plan import all_groups, quick_groups, worker_groups
from benchmarks.scale import FIGURES, scale_section
from benchmarks.simulation.section import simulation_section
from benchmarks.sizes import SMOKE
from benchmarks.sqlite_log import log_of
from benchmarks.steps import drive_one
from fsm_agent import open_store
from tests.support.servers.postgres import QUICK as QUICK_POSTGRES
from tests.support.servers.redis import DURABLE

SVG = "{http://www.w3.org/2000/svg}"
BENCHMARKS = Path(benchmarks.__file__).parent


@pytest.fixture(scope="module")
def places() -> Iterator[Places]:
    with open_places(QUICK_POSTGRES, DURABLE) as places:
        yield places


def test_everything_that_has_a_bar_is_measured(places: Places) -> None:
    for title, _, measures in all_groups(places, SMOKE):
        for name, measure, _ in measures:
            if name == "instructions":
                continue  # takes a minute, and has a test of its own
            rows = measure()
            assert rows, f"{title}: {name}"
            assert all(row.ratio is None or row.ratio > 0 for row in rows if "KB each" not in row.work), rows


def test_the_decision_table_has_a_figure_wherever_there_is_one(places: Places) -> None:
    patterns = [each for each in decision.patterns(places) if each.place in (None, places.memory, places.sqlite)]
    figures = decision.measured(patterns, SMOKE)
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
    assert decision.speed_table(patterns, figures, SMOKE).count("\n") == len(patterns) + 1
    assert len(decision.promise_table(decision.patterns(places)).splitlines()) == 2 + 7


def test_the_quick_rows_are_those_of_a_step_and_of_a_process(places: Places) -> None:
    quick = [each.name for _, _, measures in quick_groups(places, SMOKE) for each in measures]
    assert quick == [
        "engine in memory",
        "instructions",
        "one agent, SQLite",
        "many agents, SQLite",
        "fresh process, SQLite",
        "waiting agents, SQLite",
        "one agent, PostgreSQL",
        "fresh process, PostgreSQL",
        "one agent, Redis, always",
        "fresh process, Redis, always",
        "one agent, Redis, everysec",
        "imports",
        "commands",
    ]


def test_every_bar_belongs_to_a_place(places: Places) -> None:
    names = {place.name for place in places.durable}
    for bar in (bars.ONE_AGENT, bars.MANY_AGENTS, bars.WAKE, bars.FRESH_PROCESS, bars.WAITING_KB):
        assert bar.keys() <= names


@pytest.mark.parametrize("spot", [OURS, RAW])
def test_a_run_in_sqlite_writes_again_what_its_log_has_already(tmp_path: Path, spot: str) -> None:
    with closing(SqlitePlace(tmp_path)) as place, place.raw() as raw:
        url, log = place.fresh(), log_of(tmp_path / f"{spot}1.db")
        lengths = []

        def settle() -> None:
            place.settle(spot)
            lengths.append(log.stat().st_size)

        for _ in range(3):
            if spot == OURS:
                drive_one(lambda: open_store(url), 20, settle=settle)
            else:
                raw.commits(20, settle=settle)
            lengths.append(log.stat().st_size)
    assert len(set(lengths)) == 1
    assert lengths[0] > 1_000 * 4_096


def test_a_rollback_journal_is_left_as_it_is_shipped(tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path)
    path = Path(place.for_peer("peer")["path"])
    with closing(place), closing(apsw.Connection(str(path))) as connection:
        connection.execute("CREATE TABLE steps (step)")
        before = path.stat().st_size
        place.settle("peer")
        assert connection.pragma("journal_mode") == "delete"
    assert path.stat().st_size == before


def test_after_a_drain_redis_is_not_about_to_rewrite_its_log(places: Places) -> None:
    url = places.redis.fresh()
    drive_one(lambda: open_store(url), 3)
    places.redis.drain()
    with redis.from_url(url) as client:
        state = client.info("persistence")
    assert state["aof_base_size"] == state["aof_current_size"]
    assert not state["aof_rewrite_in_progress"]


def test_after_a_drain_postgres_has_nothing_to_vacuum(places: Places) -> None:
    url = places.postgres.fresh()
    drive_one(lambda: open_store(url), 3)
    places.postgres.drain()
    with psycopg.connect(url) as connection:
        left = connection.execute("SELECT relname FROM pg_stat_user_tables WHERE last_vacuum IS NULL").fetchall()
    assert left == []


def test_who_is_ahead_of_us_is_named_with_what_it_leaves_out() -> None:
    ahead = ahead_of_us("SQLite", {"fsm-agent": 2.0, "Burr": 1.0, "DBOS": 2.0, "LangGraph": 3.0})
    (burr,) = [contender for contender in CONTENDERS if contender.name == "Burr"]
    assert ahead == [f"Burr, SQLite. {burr.leaves_out[0].upper()}{burr.leaves_out[1:]}."]
    assert judged(["backend"], [Line(["SQLite"], ahead)]).endswith(f"Ahead of fsm-agent:\n\n- {ahead[0]}")
    assert judged(["backend"], [Line(["SQLite"])]).endswith("No peer is ahead of fsm-agent.")


def test_a_step_takes_no_more_instructions_than_were_measured() -> None:
    """Against a bare trigger of `transitions`, counted by valgrind: busy machines count the same."""
    each = instructions.instructions_per_step()
    for subject in (MEMORY, SQLITE):
        ratio = each[subject] / each[BARE]
        assert ratio <= instructions.most(subject), f"{subject} is {ratio:.2f} times a bare trigger: {each}"


def test_where_no_instructions_were_measured_the_bound_is_wider() -> None:
    assert instructions.most(MEMORY, (2, 7)) > max(instructions.most(MEMORY, version) for version in MEASURED)


def test_who_has_no_valgrind_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match=r"^valgrind is missing: sh tests/install-system\.sh installs it$"):
        instructions.instructions_per_step()


def test_the_plots_that_are_kept_show_the_figures_that_are_kept() -> None:
    plots_of_page = plots.drawn(BENCHMARKS / "RESULTS.md")
    assert {path.name for path in plots_of_page} == {path.name for path in BENCHMARKS.glob("*.svg")}
    for path, plot in plots_of_page.items():
        assert path.read_text() == plot, f"python -m benchmarks.plots draws {path.name} afresh"


def test_a_plot_has_a_bar_for_each_figure_and_none_for_a_dash(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    assert plots.drawn(page) == {}
    steps = table(["backend", "raw", "fsm-agent", "DBOS"], [["Redis", "40/s", "**0.5** (20/s)", "- (1)"]])
    page.write_text(report.page({report.PEERS: f"### {STEPS}\n\n{steps}"}, runs=9))
    (plot,) = plots.drawn(page).values()
    root = ET.fromstring(plot)  # noqa: S314 - ours
    assert [each.text for each in root.iter(f"{SVG}text") if each.get("text-anchor") == "end"] == [
        "statements by hand",
        "fsm-agent",
    ]
    widths = [float(each.get("width", 0)) for each in root.iter(f"{SVG}rect")][1:]
    assert widths[0] == 2 * widths[1]


def test_figures_of_a_smoke_run_go_to_no_page_by_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--smoke"])
    assert "--output says which page they are written to" in capsys.readouterr().err


def test_peers_that_are_not_installed_have_dashes_with_a_reason(places: Places, tmp_path: Path) -> None:
    comparing = Comparing(places, SMOKE, tmp_path / "nowhere" / "python", Notes())
    for title, _, make in tables(SMOKE):
        lines = [line for line in make(comparing).splitlines() if line.startswith("|")]
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
    section = million_section(places, SMOKE)
    assert section.splitlines()[-2].startswith("| SQLite | ")
    assert section.splitlines()[-1].startswith("| PostgreSQL | ")
    assert "- (" not in section, section


def test_workers_are_measured_beside_the_worker_as_it_was(places: Places) -> None:
    for title, _, measures in worker_groups(places, SMOKE):
        for name, measure, _ in measures:
            rows = measure()
            assert all(row.ratio is not None and row.ratio >= 0 for row in rows), f"{title}: {name}"
            conflicts = [row for row in rows if "conflicts" in row.work]
            assert all(row.is_met for row in conflicts), conflicts


def test_each_figure_of_a_step_is_measured_in_postgresql(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    lines = scale_section(places, SMOKE).splitlines()[4:]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == list(FIGURES)
    assert [line for line in lines if line.split(" | ")[1].startswith("-")] == []


def test_a_simulation_is_a_section_and_two_plots(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    page.write_text(report.page({report.SIMULATION: simulation_section(SMOKE)}, runs=9))
    throughput, wake = plots.drawn(page).values()
    assert throughput.count("<polyline") == len(SMOKE.simulated_agents)
    assert wake.count("<polyline") == 4
    for plot in (throughput, wake):
        ET.fromstring(plot)  # noqa: S314 - ours


def test_what_a_step_costs_is_told_on_the_terminal_unless_all_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "RESULTS.md"
    monkeypatch.setattr("benchmarks.scale.scale_section", lambda places, sizes: f"{sizes.scale_waiting:,} agents wait.")
    assert main(["--scale", "small", "--output", str(page)]) == 0
    assert capsys.readouterr().out == "10,000 agents wait.\n"
    assert not page.exists()
    assert main(["--scale", "full", "--output", str(page)]) == 0
    assert report.read_sections(page)[report.SCALE] == "1,000,000 agents wait."


def test_a_run_keeps_the_sections_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "RESULTS.md"
    path.write_text(report.page({report.MISSED: "By hand.", report.BARS: "Bars."}, runs=9))
    monkeypatch.setattr("benchmarks.million.million_section", lambda places, sizes: "A million.")
    assert main(["--million", "--smoke", "--output", str(path)]) == 0
    assert report.read_sections(path) == {
        report.DECISION: "Not measured yet.",
        report.BARS: "Bars.",
        report.PEERS: "Not measured yet.",
        report.MILLION: "A million.",
        report.WORKERS: "Not measured yet.",
        report.SCALE: "Not measured yet.",
        report.SIMULATION: "Not measured yet.",
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

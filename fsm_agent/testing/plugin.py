"""pytest plugin: ``fake_clock`` and ``memory_store``, tours as tests, and coverage of workflows.

    @pytest.mark.tours("workflows/book_flight.yaml", cover="transitions")
    def test_every_transition(tour):
        tour.play()

pytest imports it in every project where fsm-agent is installed, so it imports what it needs when it is asked.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from fsm_agent.runtime.scripted.clock import FakeClock
    from fsm_agent.stores.base import Store
    from fsm_agent.testing.coverage import Recorder

_MARKER: Final = (
    "tours(workflow, *, cover='transitions', actions=(), modules=()): run the test once for each tour of a workflow "
    "(fsm-agent); it takes `tour`"
)
_RECORDER: Final = pytest.StashKey["Recorder"]()
_TOURS: Final = pytest.StashKey["dict[str, list[str]]"]()
#: under which a worker of pytest-xdist hands over what it has
_OUTPUT: Final = "fsm_agent"


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock that stands still until the test moves it."""
    from fsm_agent.runtime.scripted.clock import FakeClock

    return FakeClock()


@pytest.fixture
def memory_store(fake_clock: FakeClock) -> Store:
    """An empty store in this process, on ``fake_clock``."""
    from fsm_agent.stores.urls import open_store

    return open_store("memory://", clock=fake_clock)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fsm-agent", "coverage of workflows")
    group.addoption(
        "--fsm-coverage",
        action="append",
        nargs="?",
        const="",
        default=[],
        metavar="PATH",
        help="Tell which transitions the tests take: of the workflows in this file or folder, or of all. Repeatable.",
    )
    group.addoption(
        "--fsm-coverage-out", metavar="DIR", help="Write coverage.json and a picture of each workflow here."
    )
    group.addoption(
        "--fsm-coverage-fail-under", type=float, metavar="PERCENT", help="Fail if fewer transitions are taken."
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    config.stash[_TOURS] = {}
    if not (config.option.fsm_coverage or config.option.fsm_coverage_out):
        return
    from fsm_agent.errors import FsmAgentError
    from fsm_agent.testing.coverage import recorder_of

    try:
        recorder = recorder_of(config.option.fsm_coverage, config.rootpath)
    except (FsmAgentError, OSError) as error:
        raise pytest.UsageError(f"--fsm-coverage: {error}") from error
    config.stash[_RECORDER] = recorder
    recorder.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    if _RECORDER in config.stash:
        config.stash[_RECORDER].stop()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that is marked with ``tours`` once for each tour."""
    marker = metafunc.definition.get_closest_marker("tours")
    if marker is None:
        return
    if "tour" not in metafunc.fixturenames:
        pytest.fail("a test that is marked with `tours` takes the argument `tour`", pytrace=False)
    from fsm_agent.errors import FsmAgentError
    from fsm_agent.testing.tour_tests import summary, tours_of

    recorder = metafunc.config.stash.get(_RECORDER, None)
    try:
        with nullcontext() if recorder is None else recorder.paused():  # to find tours is no test yet
            found, told = tours_of(*marker.args, root=metafunc.config.rootpath, **marker.kwargs)
    except (FsmAgentError, OSError, TypeError, ValueError) as error:
        pytest.fail(f"{metafunc.definition.nodeid}: no tours are made: {error}", pytrace=False)
    metafunc.parametrize("tour", found, ids=[tour.id for tour in found])
    metafunc.config.stash[_TOURS][metafunc.definition.nodeid] = summary(found[0].workflow.name if found else "", told)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    recorder = session.config.stash.get(_RECORDER, None)
    if output is not None:
        told = None if recorder is None else recorder.to_json()
        output[_OUTPUT] = {"coverage": told, "tours": session.config.stash[_TOURS]}
    elif recorder is not None and exitstatus == pytest.ExitCode.OK and _is_under(session.config, recorder):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001 - as pytest-xdist calls it
    """Take what a worker of pytest-xdist has counted."""
    output = getattr(node, "workeroutput", {}).get(_OUTPUT)
    if output is None:
        return
    node.config.stash[_TOURS].update(output["tours"])
    recorder = node.config.stash.get(_RECORDER, None)
    if recorder is not None and output["coverage"] is not None:
        recorder.add(output["coverage"], worker=node.gateway.id)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tours = config.stash[_TOURS]
    if tours:
        terminalreporter.section("tours")
        for line in dict.fromkeys(line for lines in tours.values() for line in lines):
            terminalreporter.write_line(line)
    recorder = config.stash.get(_RECORDER, None)
    if recorder is not None:
        terminalreporter.section("coverage of workflows")
        for line in _coverage_lines(config, recorder):
            terminalreporter.write_line(line)


def _coverage_lines(config: pytest.Config, recorder: Recorder) -> list[str]:
    from fsm_agent.testing.coverage import lines, percent, write

    text = lines(recorder)
    if config.option.fsm_coverage_out:
        text += write(recorder, Path(config.option.fsm_coverage_out))
        text.append(f"written to {config.option.fsm_coverage_out}")
    if _is_under(config, recorder):
        least = config.option.fsm_coverage_fail_under
        text.append(f"failed: {percent(recorder.told()):.0f} % of transitions are taken, and {least:g} % are wanted")
    return text


def _is_under(config: pytest.Config, recorder: Recorder) -> bool:
    from fsm_agent.testing.coverage import percent

    least = config.option.fsm_coverage_fail_under
    return least is not None and percent(recorder.told()) < least

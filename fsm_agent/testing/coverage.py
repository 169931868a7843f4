"""Coverage of workflows by tests: whatever agents do in this process is counted while it happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from fsm_agent.domain.json import Json
from fsm_agent.domain.record import Commit, Creation
from fsm_agent.domain.step import Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.commands import OtherCommand
from fsm_agent.engine.program import Program
from fsm_agent.engine.replay.fold import Replay
from fsm_agent.loading.yaml_file import load
from fsm_agent.report.coverage import Coverage, Tally, Tracker, coverage
from fsm_agent.runtime.command_loop import CommandLoop
from fsm_agent.runtime.replay import load_past
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.base import Store


class Recorder:
    """Follows every agent of this process."""

    def __init__(self, workflows: Iterable[Workflow] = ()) -> None:
        #: by hash; where workflows are named, only theirs
        self.tallies: dict[str, Tally] = {each.hash: Tally(each) for each in workflows}
        self._is_open = not self.tallies
        self._lives: WeakKeyDictionary[Store, dict[str, Tracker]] = WeakKeyDictionary()
        self._begun = 0
        #: agents that could not be followed
        self.lost = 0

    def start(self) -> None:
        """Listen to every runner that is made from now on."""
        RecordedLoop.recorder = self
        Runner.loop_type = RecordedLoop

    def stop(self) -> None:
        Runner.loop_type = CommandLoop

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens within is not counted."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def begin(self, store: Store, creation: Creation, programs: Mapping[str, Program]) -> None:
        """Follow a new agent."""
        first, head = creation.steps[0], creation.head
        definition = first.payload["definition"] if first.kind is StepKind.FORKED else head.definition
        self._follow(store, head.id, Replay(head.id, definition, programs), creation.steps)

    async def go_on(self, store: Store, commit: Commit) -> None:
        """Count one more step of an agent; of one that this store object has not begun, its past is read first."""
        lives = self._lives.setdefault(store, {})
        if commit.head.id in lives:
            self._count(lives, commit.head.id, (commit.step,))
            return
        try:
            past = await load_past(store, commit.head.id)
            life = past.beginning()
            for step in past.steps:
                if step.version < commit.step.version:
                    life.take(step)
        except Exception:  # whatever a store, or a history, is meant to be wrong with in a test
            self.lost += 1
            return
        self._follow(store, commit.head.id, life, (commit.step,))

    def _follow(self, store: Store, agent_id: str, life: Replay, steps: Iterable[Step]) -> None:
        self._begun += 1
        self._tally(life.head.definition, life.aggregate.program.workflow)
        lives = self._lives.setdefault(store, {})
        lives[agent_id] = Tracker(life, self.tallies, name=f"agent {self._begun}")
        self._count(lives, agent_id, steps)

    def _tally(self, definition: str, workflow: Workflow) -> None:
        if self._is_open:
            self.tallies.setdefault(definition, Tally(workflow))

    def _count(self, lives: dict[str, Tracker], agent_id: str, steps: Iterable[Step]) -> None:
        tracker = lives[agent_id]
        try:
            for step in steps:
                tracker.follow(step)
                self._tally(tracker.life.head.definition, tracker.life.aggregate.program.workflow)
        except Exception:  # the same
            self.lost += 1
            del lives[agent_id]

    def to_json(self) -> dict[str, Json]:
        """What another process can ``add``."""
        return {"tallies": [tally.to_json() for tally in self.tallies.values()], "lost": self.lost}

    def add(self, document: Mapping[str, Any], *, worker: str) -> None:
        """Count what a recorder in another process has counted."""
        self.lost += document["lost"]
        for each in document["tallies"]:
            tally = Tally.from_json(each, prefix=worker)
            self._tally(tally.workflow.hash, tally.workflow)
            if tally.workflow.hash in self.tallies:
                self.tallies[tally.workflow.hash].add(tally)

    def told(self) -> list[Coverage]:
        """In order of names and versions."""
        told = [coverage(tally) for tally in self.tallies.values()]
        return sorted(told, key=lambda each: (each.workflow.name, each.workflow.version, each.workflow.hash))


class RecordedLoop(CommandLoop):
    """A command loop that tells a recorder of every step."""

    recorder: ClassVar[Recorder]

    async def _perform_command(self, command: OtherCommand) -> Any:
        reply = await super()._perform_command(command)
        if isinstance(command, Creation):
            self.recorder.begin(self._store, command, self.programs.compiled)
        return reply

    async def _commit(self, commit: Commit) -> Any:
        committed = await super()._commit(commit)
        await self.recorder.go_on(self._store, commit)
        return committed


def recorder_of(paths: Iterable[str], root: Path) -> Recorder:
    """A recorder for the workflows in files and folders; for all, if none is named."""
    files = [file for path in paths if path for file in _files(root / path)]
    return Recorder(load(file) for file in files)


def _files(path: Path) -> list[Path]:
    return sorted([*path.glob("*.yaml"), *path.glob("*.yml")]) if path.is_dir() else [path]


def percent(told: Iterable[Coverage]) -> float:
    """The share of transitions of all workflows that were taken, in per cent."""
    counts = [(each.taken, len(each.transitions)) for each in told]
    declared = sum(count for _, count in counts)
    return 100 * sum(taken for taken, _ in counts) / declared if declared else 100.0


def lines(recorder: Recorder) -> list[str]:
    """What the summary of a test run says."""
    told = recorder.told()
    text = []
    for each in told:
        share = f"{each.taken} of {len(each.transitions)} transitions ({each.share:.0%})"
        text.append(f"{each.workflow.name} {each.workflow.version}: {share} by {each.agents} agents")
        text += [f"  never taken: {_named(each, number)}" for number in range(len(each.never_taken))]
    if recorder.lost:
        text.append(f"{recorder.lost} agents could not be followed")
    return text or ["no agent was driven"]


def _named(told: Coverage, number: int) -> str:
    missing = told.never_taken[number]
    guard = f" when {missing.transition.when}" if missing.transition.when else ""
    perhaps = " (perhaps it was: the history does not tell)" if missing.perhaps else ""
    owner, event, place = missing.declared
    where = f"{owner or 'in every state'}: {event}{f' ({place})' if place > 1 else ''}"
    return f"{where} -> {missing.transition.target or 'stays'}{guard}{perhaps}"


def write(recorder: Recorder, folder: Path) -> list[str]:
    """Write ``coverage.json``, and a picture of each workflow; returns what could not be drawn."""
    import json

    from fsm_agent.errors import RenderFailed
    from fsm_agent.render.formats import draw
    from fsm_agent.report.heat import heat

    folder.mkdir(parents=True, exist_ok=True)
    told, problems = recorder.told(), []
    document = {"workflows": [each.to_json() for each in told], "lost": recorder.lost}
    (folder / "coverage.json").write_text(json.dumps(document, ensure_ascii=False, indent=2), encoding="utf-8")
    names = [each.workflow.name for each in told]
    for each in told:
        is_only = names.count(each.workflow.name) == 1
        name = each.workflow.name if is_only else f"{each.workflow.name}-{each.workflow.hash[:8]}"
        try:
            (folder / f"{name}.svg").write_bytes(draw(each.workflow, "svg", overlay=heat(each)))
        except RenderFailed as error:
            problems.append(f"{name}.svg: {error}")
    return problems

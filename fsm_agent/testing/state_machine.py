"""A Hypothesis machine of a workflow: random lives on the real engine, held against what must hold of every life.

    TestOrders = testing.machine("workflows/orders.yaml").TestCase

In each step something happens that may: somebody sends an event, the action at work says something or fails, time
passes, somebody cancels. After each step three things must hold: the properties under ``must``; that only declared
transitions were taken; and that the history, told again, gives the agent as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

try:
    from hypothesis import Phase, reject, settings
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
except ImportError as error:
    told = "fsm_agent.testing.machine needs Hypothesis, which is not installed: pip install hypothesis"
    raise ModuleNotFoundError(told, name="hypothesis") from error

from fsm_agent.actions.registry import Actions
from fsm_agent.dialect.builtin_names import BUILT_IN_NAMES
from fsm_agent.domain.agent import ENDED, Head, Status
from fsm_agent.domain.json import Json, is_required
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.machine import Machine
from fsm_agent.engine.program import Program
from fsm_agent.engine.replay.history import Past
from fsm_agent.engine.replay.taken import taken_by
from fsm_agent.engine.replay.verify import verify
from fsm_agent.errors import MoveImpossible, Refused
from fsm_agent.loading.yaml_file import load
from fsm_agent.proof.histories import keeps
from fsm_agent.proof.model import Model
from fsm_agent.runtime.scripted.moves import Cancels, Fails, Move, Says, Sent, passes_ms
from fsm_agent.runtime.scripted.play import Play
from fsm_agent.testing.strategies import Values

#: so many lives are lived to find a shorter one that fails as well
MOST_TRIES: Final = 200
#: Hypothesis itself need not look for shorter lives: it may take minutes, since it knows nothing of moves.
PHASES: Final = (Phase.explicit, Phase.reuse, Phase.generate)
#: how often something is drawn, where cancelling is once
_OFTEN: Final = 6
_AT_TIMES: Final = 3
_PEOPLE: Final = (None, "ana", "ben")


class WorkflowMachine(RuleBasedStateMachine):
    """One random life. ``machine`` makes a subclass for a workflow."""

    #: of the subclass
    workflow: Workflow
    _model: Model
    _values: Values
    _programs: dict[str, Program]
    #: moves of a life that has failed -> the shortest that was found from it
    _short: dict[tuple[str, ...], Play]

    def __init__(self) -> None:
        super().__init__()
        self.life: Play | None = None
        self._checked = 0

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """A new agent, with its data: what must be given, and perhaps more."""
        fields = self.workflow.data
        needed = {name: self._values.of_data(name) for name in fields if is_required(fields[name])}
        more = {name: self._values.of_data(name) for name in fields if name not in needed}
        given = data.draw(st.one_of(st.fixed_dictionaries(needed), st.fixed_dictionaries(needed, optional=more)))
        try:
            self.life = Play(self.workflow, [], data=given, programs=self._programs)
        except Refused:  # data that fit their schema, and not their model
            reject()

    # ----------------------------------------------------------------- what happens

    @precondition(lambda self: self.is_alive)
    @rule(data=st.data())
    def happen(self, data: st.DataObject) -> None:
        """Something that may happen now. What ends a life in any state is drawn seldom, so that lives get far."""
        head = self.head
        kinds = {
            "sent": _OFTEN if self._sendable(head) else 0,
            "says": _OFTEN if self._sayable(head) else 0,
            "fails": _AT_TIMES if self._failures(head) else 0,
            "passes": _AT_TIMES,
            "cancels": 1,
        }
        kind = data.draw(st.sampled_from([each for each, weight in kinds.items() for _ in range(weight)]))
        self._make(self._move(kind, head, data))

    def _move(self, kind: str, head: Head, data: st.DataObject) -> Move:
        match kind:
            case "sent":
                event = data.draw(st.sampled_from(self._sendable(head)))
                payload = data.draw(self._values.of_payload(event))
                return Sent(event, payload, data.draw(st.sampled_from(self._people())))
            case "says":
                event = data.draw(st.sampled_from(self._sayable(head)))
                written = data.draw(self._values.of_writes(self._model.surroundings(head.state).writes))
                return Says(event, data.draw(self._values.of_payload(event)), written)
            case "fails":
                return Fails(timeout=data.draw(st.sampled_from(self._failures(head))) == "timeout")
            case "passes":
                return passes_ms(data.draw(st.sampled_from(self._lengths())))
        return Cancels(data.draw(st.sampled_from(_PEOPLE)))

    @precondition(lambda self: not self.is_alive)
    @rule()
    def rest(self) -> None:
        """Nothing more happens to it."""

    @property
    def is_alive(self) -> bool:
        return self.life is not None and self.head.status not in (*ENDED, Status.PARKED)

    @property
    def head(self) -> Head:
        if self.life is None:
            raise RuntimeError("the life has not begun")
        return self.life.head

    def _sendable(self, head: Head) -> list[str]:
        here = self._model.surroundings(head.state)
        events = here.sent_at_work if head.status is Status.RUNNING else here.sent
        return [event for event in events if event != "cancel"]

    def _sayable(self, head: Head) -> list[str]:
        return list(self._model.surroundings(head.state).said) if self._works(head) else []

    def _failures(self, head: Head) -> list[str]:
        return list(self._model.surroundings(head.state).failures) if self._works(head) else []

    def _works(self, head: Head) -> bool:
        """Whether an action is at work that a play answers for."""
        return head.status is Status.RUNNING and self.workflow.by_path[head.state].do not in ("wait", "human.ask")

    def _people(self) -> list[str | None]:
        asked = self.head.asked
        return [*_PEOPLE, *(asked.to if asked is not None else ())]

    def _lengths(self) -> list[int]:
        """Milliseconds: to what is due next, a little less and more, and lengths that the workflow names."""
        head, now_ms = self.head, self.life.clock.ms if self.life else 0
        due = [timer.due_ms - now_ms for timer in head.timers] + ([head.retry_ms - now_ms] if head.retry_ms else [])
        named = [timer.duration.ms for state in self.workflow.by_path.values() for timer in state.after]
        named += [state.timeout.ms for state in self.workflow.by_path.values() if state.timeout]
        return sorted({1, 60_000, *named, *(ms + more for ms in due for more in (-1, 0, 1) if ms + more > 0)})

    def _make(self, move: Move) -> None:
        life = self.life
        if life is None:
            raise RuntimeError("the life has not begun")
        with suppress(Refused):  # what is refused may still have let due timers fire
            life.then(move)

    # ----------------------------------------------------------------- what must hold

    @invariant()
    def holds(self) -> None:
        life = self.life
        if life is None or life.head.version == self._checked:
            return
        self._checked = life.head.version
        if problems(life):
            raise AssertionError(self._told(life))

    def _told(self, life: Play) -> str:
        """What is wrong with the shortest life that was found from this one; and that life as a play."""
        key = tuple(map(repr, life.given))
        if key not in self._short:
            self._short[key] = shortened(life, self._programs)
        short = self._short[key]
        data = f", data={dict(short.initial_data)!r}" if short.initial_data else ""
        return f"{'; '.join(problems(short))}:\nplay(..., {short.given!r}{data})"


def problems(life: Play) -> list[str]:
    """What does not hold of a life."""
    past = life.past
    broken = [each.name for each in life.workflow.must if not keeps(life.workflow, each.rule, past, life.clock.ms)]
    mismatches = (str(each) for each in verify(past).mismatches)
    return [*(f"it breaks the property {name}" for name in broken), *_undeclared(past), *mismatches]


def _undeclared(past: Past) -> Iterator[str]:
    """Steps that move the agent, and that no declared transition explains."""
    told = past.beginning()
    for step in past.steps:
        is_move = step.kind.facts.follows_transition and step.source is not None and step.source != step.target
        if is_move and not taken_by(told, step):
            yield f"version {step.version} goes from {step.source} to {step.target} by no declared transition"
        told.take(step)


def shortened(life: Play, programs: dict[str, Program]) -> Play:
    """A life with fewer and plainer moves that fails as well. At most ``MOST_TRIES`` are tried."""
    best, tries = life, 0
    is_better = True
    while is_better and tries < MOST_TRIES:
        is_better = False
        for moves in _shorter(best.given):
            tries += 1
            shorter = lived(life.workflow, moves, life.initial_data, programs)
            if shorter is not None and problems(shorter):
                best, is_better = shorter, True
                break
            if tries == MOST_TRIES:
                break
    return best


def lived(
    workflow: Workflow, moves: Iterable[Move], data: Mapping[str, Json], programs: dict[str, Program]
) -> Play | None:
    """A life with these moves; ``None`` if one of them is impossible. What is refused is left out."""
    life = Play(workflow, (), data=data, programs=programs)
    taken: list[Move] = []
    for move in moves:
        try:
            life.then(move)
            taken.append(move)
        except MoveImpossible:
            return None
        except Refused:
            continue
    return life if len(taken) == len(life.given) else Play(workflow, taken, data=data, programs=programs)


def _shorter(moves: list[Move]) -> Iterator[list[Move]]:
    """The same without some moves, many at first; then with plainer ones."""
    size = len(moves) // 2
    while size:
        for at in range(len(moves) - size + 1):
            yield [*moves[:at], *moves[at + size :]]
        size //= 2
    for at, move in enumerate(moves):
        match move:
            case Says(event, payload, data) if data:
                yield [*moves[:at], Says(event, payload), *moves[at + 1 :]]
            case Sent(event, payload, by) if by is not None:
                yield [*moves[:at], Sent(event, payload), *moves[at + 1 :]]


def machine(
    workflow: Workflow | str | Path,
    *,
    actions: Iterable[Callable[..., Any]] = (),
    modules: Iterable[str] = (),
) -> type[WorkflowMachine]:
    """A ``RuleBasedStateMachine`` of a workflow, or of the file of one; its ``TestCase`` is a test.

    ``actions`` and ``modules`` say, as for a ``Runner``, what actions there are: then each names only the events that
    it may, and writes only what it says that it writes.
    """
    declared = workflow if isinstance(workflow, Workflow) else load(workflow)
    known = Actions(actions, modules=modules)
    names = {leaf.do for leaf in declared.leaves if leaf.do is not None and leaf.do not in BUILT_IN_NAMES}
    signatures = {name: signature for name in names if (signature := known.signature(name)) is not None}
    model = Model(declared, Machine(declared), signatures, ())
    name = "".join(part.capitalize() for part in declared.name.split("_"))
    body: dict[str, Any] = {"workflow": declared, "_model": model, "_values": Values(model)}
    made: type[WorkflowMachine] = type(f"{name}Machine", (WorkflowMachine,), body | {"_programs": {}, "_short": {}})
    made.TestCase.settings = settings(made.TestCase.settings, phases=PHASES)
    return made

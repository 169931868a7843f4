"""A second opinion on one agent's life: what each event, timer and action does to it, written down naively.

It shares no code with the package, and decides by ``table`` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .outcomes import Outcome
from .transition_table import Choice, Table, Values, choose, milliseconds, upward, value

#: ``data.n`` may not be more.
MOST_N = 3

#: What an action may take: so short that no timer is due before it, since all others are whole seconds.
TIMEOUT_MS = 1


class Rejected(Exception):
    """Refused; its text is the name of the error that the package raises."""


class LimitExceeded(Exception):
    """A limit would be exceeded."""


class Armed(NamedTuple):
    """Sorts as timers take their turns."""

    due_ms: int
    order: int
    state: str
    label: str


@dataclass
class Model:
    """One agent of ``table``; its actions end as ``script`` says, over and over."""

    table: Table
    script: Sequence[Outcome]
    now_ms: int
    leaf: str = ""
    status: str = ""
    version: int = 0
    data: dict[str, Any] = field(default_factory=lambda: {"n": 0, "flag": False, "notes": []})
    visits: dict[str, int] = field(default_factory=dict)
    timers: list[Armed] = field(default_factory=list)
    prompt: str | None = None
    #: the version that put it
    question: int = 0
    #: whether the action of the leaf has not named its event yet
    is_at_work: bool = False
    calls: int = 0
    attempts: int = 0
    retry_ms: int | None = None
    held: tuple[str, Values] | None = None
    is_limited: bool = False
    is_exempt: bool = False

    def __post_init__(self) -> None:
        leaf = self.table.rest(self.table.document["initial"])
        self._enter(leaf, upward(leaf), dict.fromkeys(upward(leaf), 1), self.data)
        self._drive()

    # What comes from outside

    def send(self, event: str, payload: Values) -> None:
        has_fired = self._catch_up()
        try:
            self._deliver(event, payload)
        except Rejected:
            if has_fired:
                self._drive()
            raise
        self._drive()

    def _deliver(self, event: str, payload: Values) -> None:
        if event not in (*self.table.document["events"], "cancel"):
            raise Rejected("UnknownEvent")
        if self.status not in ("running", "waiting") and (event, self.status) != ("cancel", "parked"):
            raise Rejected("IllegalEvent")
        if not self.table.candidates(self.leaf, event):
            if event != "cancel":
                raise Rejected("IllegalEvent")
            self._mark(status="cancelled", timers=[], prompt=None)
            return
        self._check_payload(event, payload)
        try:
            self._take(self._choose_or_refuse(event, payload), payload, self.data, is_exempt=event == "cancel")
        except LimitExceeded:
            self._mark(status="parked", held=(event, payload), is_limited=True)

    def _choose_or_refuse(self, event: str, payload: Values) -> Choice:
        offered = self.table.candidates(self.leaf, event)
        choice = choose(offered, payload, self.data, self.visits)
        if choice is None:
            raise Rejected("GuardsRefused" if offered else "IllegalEvent")
        return choice

    def _check_payload(self, event: str, payload: Values) -> None:
        if set(payload) != set(self.table.document["events"].get(event, {})):
            raise Rejected("PayloadInvalid")

    def advance(self, end_ms: int) -> None:
        """Time passes, and somebody is awake."""
        while self.status == "waiting" and self.timers and min(self.timers).due_ms <= end_ms:
            self.now_ms = max(self.now_ms, min(self.timers).due_ms)
            self._drive()
        self.now_ms = max(self.now_ms, end_ms)

    def unpark(self) -> None:
        """An operator says: try again, and the limits may be exceeded once."""
        if self.status != "parked":
            raise Rejected("NotParked")
        if self.held is None:
            self._mark(status=self._awake(), is_exempt=self.is_limited, attempts=0)
        else:
            event, payload = self.held
            choice = self._choose_or_refuse(event, payload)
            self._take(choice, payload, self.data, is_exempt=True)
            if choice.is_internal:
                self.status, self.attempts, self.held, self.is_limited = self._awake(), 0, None, False
        self._drive()

    # What goes on by itself

    def _catch_up(self) -> bool:
        """Timers that are due already come before whatever comes from outside."""
        has_fired = False
        while self.status in ("running", "waiting"):
            due = [timer for timer in self._due() if self.status == "waiting" or self._leaves(timer)]
            if not due:
                break
            self._fire(min(due))
            has_fired = True
        return has_fired

    def _drive(self) -> None:
        while self.status in ("running", "waiting"):
            if due := self._due():
                self._fire(min(due))
            elif self.status == "waiting":
                return
            elif self.retry_ms is not None and self.retry_ms > self.now_ms:
                self.now_ms = min([self.retry_ms, *(timer.due_ms for timer in self.timers if self._leaves(timer))])
            else:
                self._work()

    def _due(self) -> list[Armed]:
        return [timer for timer in self.timers if timer.due_ms <= self.now_ms]

    def _choice_of(self, timer: Armed) -> Choice | None:
        return choose(self.table.timer(timer.state, timer.label), {}, self.data, self.visits)

    def _leaves(self, timer: Armed) -> bool:
        choice = self._choice_of(timer)
        return choice is not None and not choice.is_internal

    def _fire(self, timer: Armed) -> None:
        """The first whose guard holds; where none does, the timer has had its turn all the same."""
        choice = self._choice_of(timer)
        rearmed = choice is not None and timer.state in self.table.way(self.leaf, choice).left
        if choice is None:
            self._mark(timers=[each for each in self.timers if each != timer])
        elif self._take_or_park(choice) and not rearmed:
            self.timers.remove(timer)

    def _work(self) -> None:
        """One attempt of the action of the present leaf."""
        outcome = self.script[self.calls % len(self.script)]
        self.calls += 1
        if outcome.fails:
            self.now_ms += TIMEOUT_MS if outcome.event == "timeout" else 0
            self._fail(outcome.event)
            return
        try:
            self._take_what_it_says(outcome, outcome.write(self.data))
        except LimitExceeded:
            self._mark(status="parked", is_limited=True)
        except Rejected:
            self._report("error")

    def _take_what_it_says(self, outcome: Outcome, data: dict[str, Any]) -> None:
        if outcome.event not in self.table.document["events"]:
            raise Rejected("IllegalEvent")
        self._check_payload(outcome.event, outcome.payload)
        choice = choose(self.table.candidates(self.leaf, outcome.event), outcome.payload, data, self.visits)
        if choice is None:
            raise Rejected("IllegalEvent")
        self._take(choice, outcome.payload, data)
        self._rest_after(choice)

    def _rest_after(self, choice: Choice) -> None:
        """An action that has named an event which leaves the agent where it is, is done."""
        if choice.is_internal:
            self.status, self.is_at_work, self.attempts, self.retry_ms = "waiting", False, 0, None

    def _fail(self, event: str) -> None:
        retry = self.table.states[self.leaf].get("retry", {"attempts": 1})
        if self.attempts + 1 < retry["attempts"]:
            self.attempts += 1
            self.retry_ms = self.now_ms + milliseconds(retry["backoff"]) * 2 ** (self.attempts - 1)
        else:
            self._report(event)

    def _report(self, event: str) -> None:
        """``error`` or ``timeout``, as any event; what nothing takes parks the agent."""
        choice = choose(self.table.candidates(self.leaf, event), {}, self.data, self.visits)
        if choice is None:
            self._mark(status="parked")
        elif self._take_or_park(choice):
            self._rest_after(choice)

    # What a step does

    def _take_or_park(self, choice: Choice) -> bool:
        try:
            self._take(choice, {}, self.data)
        except (Rejected, LimitExceeded) as why:
            self._mark(status="parked", is_limited=isinstance(why, LimitExceeded))
            return False
        return True

    def _take(self, choice: Choice, payload: Values, data: Values, *, is_exempt: bool = False) -> None:
        """Assign, validate, leave, enter; or nothing at all."""
        written = {**data, "notes": list(data["notes"])}
        for name, said in choice.said.get("assign", {}).items():
            written[name] = value(said, payload, data)
        for name, said in choice.said.get("append", {}).items():
            written[name].append(value(said, payload, data))
        if written["n"] > MOST_N:
            raise Rejected("DataInvalid")
        way = self.table.way(self.leaf, choice)
        visits = {path: self.visits.get(path, 0) + (path in way.entered) for path in {*self.visits, *way.entered}}
        if not (is_exempt or self.is_exempt):
            self._check_limits(visits)
        if choice.is_internal:
            self._mark(data=written, held=self.held, is_limited=self.is_limited)
            prompt = None if self.prompt is None else f"n is {written['n']}"
            if prompt != self.prompt:
                self.prompt, self.question = prompt, self.version
            return
        self.timers = [timer for timer in self.timers if timer.state not in way.left]
        self._enter(way.leaf, way.entered, visits, written)

    def _check_limits(self, visits: dict[str, int]) -> None:
        limits = self.table.document.get("limits", {})
        if self.version + 1 > limits.get("steps", self.version + 1):
            raise LimitExceeded
        for path, most in limits.get("visits", {}).items():
            if visits.get(path, 0) > max(most, self.visits.get(path, 0)):
                raise LimitExceeded

    def _enter(self, leaf: str, entered: list[str], visits: dict[str, int], data: dict[str, Any]) -> None:
        for path in entered:
            for label in self.table.states[path].get("after", {}):
                due_ms = self.now_ms + milliseconds(label)
                self.timers.append(Armed(due_ms, self.table.order[path, label], path, label))
        body = self.table.states[leaf]
        prompt = f"n is {data['n']}" if "ask" in body else None
        self.leaf, self.is_at_work = leaf, "do" in body
        status = body.get("outcome", "done") if body.get("final") else self._awake()
        self._mark(visits=visits, data=data, status=status, prompt=prompt, attempts=0, retry_ms=None)
        self.question = self.version

    def _awake(self) -> str:
        return "running" if self.is_at_work else "waiting"

    def _mark(self, **changes: Any) -> None:
        """One more version. What parked the agent, and an operator's leave to exceed, last for one step."""
        self.version += 1
        self.held, self.is_limited, self.is_exempt = None, False, False
        if changes.get("status") == "parked":
            self.retry_ms = None
        for name, changed in changes.items():
            setattr(self, name, changed)

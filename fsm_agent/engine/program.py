"""A workflow made ready to run: its table, its expressions, its rules for data. Pure, shared by all its agents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from fsm_agent.data.data import data_type
from fsm_agent.data.delta import own
from fsm_agent.data.limit import DEFAULT_LIMIT, DataLimit
from fsm_agent.data.validation import DataRules, PayloadRules
from fsm_agent.dialect.builtin_names import BUILT_IN_NAMES, HAS_CHILDREN, PAUSING
from fsm_agent.dialect.claims import claimed
from fsm_agent.domain.agent import ArmedTimer, Head
from fsm_agent.domain.conversation import NO_PROGRESS, ConversationPolicy
from fsm_agent.domain.decision import Changes, Decision, EvaluationContext, Move, timer_event
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import THREAD_NAME, THREAD_RULE
from fsm_agent.domain.progress import Progress
from fsm_agent.domain.question import Asked
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.state import State, Timer
from fsm_agent.domain.step import Event
from fsm_agent.domain.text import shortened
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.machine import Machine
from fsm_agent.errors import ActionError, DataInvalid, DataTooLarge, ExpressionFailed
from fsm_agent.expressions.compiler import Guards


class FastPathAction(NamedTuple):
    """The action of users' own in a state that declares nothing more of it than a timeout."""

    do: str
    timeout_ms: int | None


class Program:
    """Everything that can be known of a workflow before an agent of it lives."""

    def __init__(
        self,
        workflow: Workflow,
        *,
        signature: Callable[[str], Signature | None] = lambda _: None,
        model: Callable[[Mapping[str, Json]], None] | None = None,
        model_note: str | None = None,
        data_limit: DataLimit = DEFAULT_LIMIT,
    ) -> None:
        """``model_note`` says, where the class of the data has changed since, that the stored schema judges alone;
        ``data_limit`` holds where the workflow declares none."""
        self.workflow = workflow
        self.model_note = model_note
        self.signature = signature
        self.states = workflow.by_path
        self.machine = Machine(workflow)
        self.guards: Guards = self.machine.guards
        self.data_type = data_type(workflow.data)
        limits = workflow.limits
        self.data_limit = DataLimit.of(limits.data) if limits.data else data_limit
        self.data_rules = DataRules(workflow.data, model=model, note=model_note, limit=self.data_limit)
        self.user_rules = DataRules(workflow.user)
        self.payload_rules = PayloadRules(workflow, self.data_limit)
        #: what an action names most often: events that have no payload
        self.bare_events = {name: Event(name) for name, fields in workflow.events.items() if not fields}
        self.has_progress = workflow.progress != NO_PROGRESS
        self.is_limited = limits.steps is not None or limits.wall_time is not None or bool(limits.visits)
        #: whether agents of it may start others as part of their work
        self.has_families = any(state.do == HAS_CHILDREN for state in workflow.by_path.values())
        #: states that have timers
        self.timed = frozenset(path for path, state in workflow.by_path.items() if state.after)
        self.fast_path_actions = _fast_path_actions(workflow)
        self._timers: dict[tuple[str, str], tuple[int, Timer]] = {}
        for state in workflow.by_path.values():
            for timer in state.after:
                self._timers[state.path, timer.duration.text] = (len(self._timers), timer)

    def state(self, path: str) -> State:
        return self.states[path]

    def claimed(self, head: Head) -> frozenset[str]:
        """The events that only the action may name that is at work for an agent, or has asked something: nobody may
        send them meanwhile, but for the answers."""
        return claimed(self.workflow, head, self.signature)

    def why_claimed(self, state: str, *, where: str = "") -> str:
        """Why nobody but the action of a state may name an event there, and what to do where that is only a guess."""
        do = self.state(state).do or ""
        if do in BUILT_IN_NAMES or self.signature(do) is not None:
            return f"only action {do!r} may name it{where}"
        return (
            f"this process does not know action {do!r}, and as far as can be told here only that action may name "
            f"it{where}; send it where the action is known: in the folder of its project, or by a runner that has it"
        )

    def decide(self, state: str, event: Event, context: EvaluationContext) -> Decision:
        return self.machine.decide(state, event.name, context)

    def decide_timer(self, leaf: str, timer: ArmedTimer, context: EvaluationContext) -> Decision:
        return self.machine.decide(leaf, timer_event(timer.state, timer.label), context)

    def timers_of(self, path: str, now_ms: int) -> list[ArmedTimer]:
        """What entering a state at ``now_ms`` arms."""
        return [ArmedTimer(path, timer.duration.text, now_ms + timer.duration.ms) for timer in self.state(path).after]

    def turn(self, timer: ArmedTimer) -> tuple[int, int]:
        """When a timer's turn comes: by time, and of those due together by order of declaration."""
        return timer.due_ms, self._timers[timer.state, timer.label][0]

    def changes(self, move: Move, event: Event, data: Mapping[str, Json], visits: Mapping[str, int]) -> Changes:
        """The values a transition writes; all see the same data."""
        transition, context = move.transition, EvaluationContext(data, event, visits)
        return Changes(
            {field: self._result(field, value, event.name, context) for field, value in transition.assign.items()},
            {field: self._result(field, value, event.name, context) for field, value in transition.append.items()},
        )

    def _result(self, name: str, value: Json, event: str | None, context: EvaluationContext) -> Json:
        """What is kept as ``name``; raises ``DataTooLarge`` before anything is made of it."""
        return self.data_limit.require_of(name, self._value(value, event, context))

    def _value(self, value: Json, event: str | None, context: EvaluationContext) -> Json:
        """A string is CEL, anything else is itself."""
        if not isinstance(value, str):
            return value
        return self.guards.compile(value, event=event).evaluate(context.data, context.facts, context.visits)

    def entry_values(self, values: Mapping[str, Json], context: EvaluationContext) -> dict[str, Json]:
        """``with`` and ``output``: expressions that see data and visits, and no event. The values are copies, since
        an action may change what it is given."""
        return {name: own(self._value(value, None, context), name) for name, value in values.items()}

    def arguments(self, state: State, context: EvaluationContext) -> dict[str, Json]:
        """What the action of a state is given under ``with``: values, and to a built-in one all as it is written."""
        if state.do in BUILT_IN_NAMES:
            written: dict[str, Json] = own(dict(state.with_))
            return written
        arguments = self.entry_values(state.with_, context) if state.with_ else {}
        self.data_limit.require(arguments)
        return arguments

    def has_children(self, state: str) -> bool:
        """Whether child agents do the work of a state."""
        return self.workflow.by_path[state].do == HAS_CHILDREN

    def pauses(self, state: str) -> bool:
        """Whether the work of a state rests while others have something to do, or nobody."""
        return self.workflow.by_path[state].do in PAUSING

    def answers(self, head: Head) -> tuple[str, ...]:
        """The events that answer the question of an agent: as its action has asked, or as its state declares."""
        if head.asked is None:
            return ()
        ask = self.state(head.state).ask
        return head.asked.events or (ask.events if ask else ())

    def thread(self, rule: ConversationPolicy, context: EvaluationContext) -> str | None:
        """The name of the shared thread that is the conversation, if one is; raises ``ExpressionFailed``."""
        if rule.thread is None:
            return None
        name = self._value(rule.thread, None, context)
        if not isinstance(name, str) or THREAD_NAME.fullmatch(name) is None:
            why = f"it gives {shortened(name)}, and {THREAD_RULE}"
            raise ExpressionFailed(rule.thread, why, {})
        return name

    def progress(self, values: Mapping[str, Json], visits: Mapping[str, int]) -> Progress | None:
        """How far an agent with these data has come, as far as that is declared and can be told."""
        if not self.has_progress:
            return None
        rule = self.workflow.progress
        context = EvaluationContext(values, None, visits)
        goal, current = self._told(rule.goal, context), self._told(rule.current, context)
        return Progress(
            goal=None if goal is None else str(goal),
            done=_count(self._told(rule.done, context)),
            remaining=_count(self._told(rule.remaining, context)),
            current=None if current is None else str(current),
        )

    def _told(self, text: str | None, context: EvaluationContext) -> Json:
        """A value for people to look at: where it cannot be computed, or be kept, there is none."""
        try:
            return DEFAULT_LIMIT.require_of("progress", self._value(text, None, context))
        except (ExpressionFailed, DataTooLarge):
            return None

    def asked(self, state: State, context: EvaluationContext, version: int) -> Asked | None:
        """The question of a state as the step of ``version`` renders it; ``None`` if it asks nothing."""
        if state.ask is None:
            return None
        prompt = self.guards.prompt(state.ask.prompt).render(context.data, context.visits)
        return Asked(prompt, self._addressees(state.ask.to, context), id=version)

    def _addressees(self, to: str | None, context: EvaluationContext) -> tuple[str, ...]:
        if to is None:
            return ()
        value = self._value(to, None, context)
        names = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(name, str) for name in names):
            why = f"it gives {shortened(value)}, and whom to ask must be a name or a list of names"
            raise ExpressionFailed(to, why, {})
        return tuple(names)

    def knows(self, event: Json) -> bool:
        """Whether an action may name this event at all."""
        return isinstance(event, str) and event in self.workflow.events


def _fast_path_actions(workflow: Workflow) -> Mapping[str, FastPathAction]:
    """See ``engine.fast_path``: leaf -> its action, where nothing has to be found out before each attempt."""
    if workflow.user or workflow.limits.wall_time is not None:
        return {}
    return {
        leaf.path: FastPathAction(leaf.do, leaf.timeout.ms if leaf.timeout else None)
        for leaf in workflow.leaves
        if leaf.do is not None and leaf.do not in BUILT_IN_NAMES and not leaf.with_
    }


def _count(steps: Json) -> int | None:
    """A number of steps: a list of steps counts by its length."""
    if isinstance(steps, list):
        return len(steps)
    return int(steps) if isinstance(steps, int | float) and not isinstance(steps, bool) else None


def model_changed(workflow: Workflow) -> str:
    """A sentence: the class of the data is not the one that a definition was stored with, and what can be done."""
    return (
        f"the class {workflow.model} has changed since version {workflow.version} of workflow {workflow.name!r} was "
        "stored, so that schema alone judges the data of its agents; `migrate` moves them to the class as it is now"
    )


def model_missing(workflow: Workflow, why: ActionError) -> str:
    """A sentence: the class of the data cannot be had, why, and what can be done."""
    return (
        f"{why}; until that is mended, the schema that was stored with version {workflow.version} of workflow "
        f"{workflow.name!r} judges the data of its agents alone; `migrate` moves them to a version without the class "
        f"{workflow.model}"
    )


def model_rule(validate: Callable[[Mapping[str, Json]], object]) -> Callable[[Mapping[str, Json]], None]:
    """Lets a pydantic model judge the data: its ``ValidationError`` becomes ``DataInvalid``."""

    def rule(values: Mapping[str, Json]) -> None:
        try:
            validate(values)
        except Exception as error:  # a validator may stumble over what it should have judged
            raise DataInvalid(_problems(error)) from None

    return rule


def _problems(error: Exception) -> list[str]:
    """What a model complains of, in our words: the place, if it is not the whole, and what is wrong there."""
    if not callable(complaints := getattr(error, "errors", None)):
        return [f"the data model raised {type(error).__name__}: {error}"]
    return [": ".join(filter(None, ["/".join(map(str, each["loc"])), each["msg"]])) for each in complaints()]

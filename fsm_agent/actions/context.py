"""What an action is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NoReturn, TypeAlias

from fsm_agent.actions.action import Asking, Emission
from fsm_agent.actions.children import ChildAgents
from fsm_agent.actions.effects import Effects, effect_call
from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.data.data import Data
from fsm_agent.data.delta import own
from fsm_agent.domain.effect import EffectMode
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import THREAD_NAME, THREAD_RULE, own_thread
from fsm_agent.domain.step import Step, moment
from fsm_agent.engine.outputs import AttemptOutputs
from fsm_agent.engine.scope import ActionScope
from fsm_agent.errors import ActionError
from fsm_agent.memory.conversation import BlockingConversation, Conversation, Once, Summarise, Written
from fsm_agent.memory.conversation_reader import whole
from fsm_agent.memory.token_counts import corrected, estimate, scale_of

#: has a model write a summary, at most so many tokens long
SummaryWriter: TypeAlias = "Callable[[Context, list[dict[str, Json]], int], Awaitable[Written]]"
EffectModeName: TypeAlias = EffectMode | Literal["idempotent", "at_most_once", "check"]


@dataclass(slots=True)
class ActionFacts:
    """The agent as its action sees it. Changes to ``data`` become visible with the step that the returned event
    takes, or not at all."""

    agent_id: str
    state: str
    data: Data
    #: 1 for the first; retries of one entry into the state count up
    attempt: int
    #: the version that entered the state; the same for every attempt, also after a crash
    activation: int
    #: state path -> committed entries
    visits: Mapping[str, int]
    #: when this attempt began, milliseconds since the epoch by the store's clock
    now_ms: int
    #: a context that is made by hand has none, and does no effects
    effects: Effects | None = field(default=None, repr=False, compare=False)
    #: what the attempt leaves besides changes of ``data``
    outputs: AttemptOutputs = field(default_factory=AttemptOutputs, repr=False, compare=False)
    #: what built-in actions may ask of the rules
    scope: ActionScope | None = field(default=None, repr=False, compare=False)
    surroundings: Surroundings = field(default_factory=Surroundings, repr=False, compare=False)
    #: a context that is made by hand has none
    write_summary: SummaryWriter | None = field(default=None, repr=False, compare=False)

    @property
    def now(self) -> datetime:
        """When this attempt began, by the store's clock; aware, UTC."""
        return moment(self.now_ms)

    def emit(self, event: str, /, **payload: Json) -> Emission:
        """An event with a payload, to be returned."""
        return Emission(event, payload)

    def ask(self, prompt: str, events: Collection[str], *, to: str | Collection[str] = ()) -> Asking:
        """A question, to be returned: the agent waits where it is for one of ``events``, whose payload schemas are the
        form. ``to`` is who may answer; nobody named is anybody."""
        own({"prompt": prompt, "events": list(events), "to": to if isinstance(to, str) else list(to)})
        if not isinstance(prompt, str) or not prompt.strip() or isinstance(events, str) or not events:
            raise ActionError("a question needs a text and the events that answer it: `ctx.ask('Go on?', ['yes'])`")
        return Asking(prompt, tuple(events), (to,) if isinstance(to, str) else tuple(to))

    @property
    def children(self) -> ChildAgents:
        """How the agent has children. Raises ``ActionError`` in a context that was made by hand or for a script."""
        if self.surroundings.children is None:
            raise ActionError(f"the action of state {self.state!r} has children only in a runner")
        return self.surroundings.children

    @property
    def user(self) -> Data:
        """What is remembered of the user, as the workflow declares it under ``user``; changes are committed with the
        step. Raises ``ActionError`` where nothing is declared, or the agent serves nobody."""
        if self.outputs.user is None:
            why = "its workflow declares no `user`, or it was started without one: `start(..., user='ana')`"
            raise ActionError(f"agent {self.agent_id!r} remembers nobody: {why}")
        return self.outputs.user


class Context(ActionFacts):
    """What an ``async def`` action is given."""

    __slots__ = ()

    @property
    def conversation(self) -> Conversation:
        """What is said between the agent and others; what is added to it is kept with the step."""
        return self.thread()

    def thread(self, name: str | None = None, *, summarise: Summarise | None = None) -> Conversation:
        """A thread that is shared, by its name; without one, the conversation. ``summarise`` writes summaries
        (messages, max_tokens) -> text, where a model is not to."""
        return _conversation(self, name, once=self.effect, summarise=summarise or self._summarise)

    async def _summarise(self, messages: list[dict[str, Json]], max_tokens: int) -> Written:
        assert self.write_summary is not None  # noqa: S101 - whoever gives an attempt its conversation gives it one
        return await self.write_summary(self, messages, max_tokens)

    async def entry(self) -> Step | None:
        """The step that has begun this work; ``None`` where it is kept no more."""
        return None if self.effects is None else await self.effects.entry()

    async def effect(
        self,
        name: str,
        fn: Callable[..., Any],
        /,
        *args: Json,
        mode: EffectModeName = "idempotent",
        probe: Callable[..., Any] | None = None,
        **kwargs: Json,
    ) -> Any:
        """Call ``fn(*args, **kwargs)``, record its result, and return it; where one is recorded, return that.

        A coroutine function is awaited, a plain one runs in a thread. Arguments and result are JSON, and ``fn`` gets
        plain copies of them; if it has a parameter ``idempotency_key``, it gets the key of this effect, which is the
        same in every attempt. Uses of one name are told apart by their order.

        What was begun and has no result - a crash, an exception, a time-out - is done again (``idempotent``), is never
        done again and parks the agent (``at_most_once``), or ``probe(*args, **kwargs)`` returns its result or
        ``NOT_DONE`` (``check``).
        """
        return await _effects_of(self, name).do(effect_call(name, fn, probe=probe, mode=mode, given=args, named=kwargs))


class BlockingContext(ActionFacts):
    """What a plain ``def`` action is given, which runs in a thread."""

    __slots__ = ()

    @property
    def conversation(self) -> BlockingConversation:
        """Like ``Context.conversation``, blocking."""
        return self.thread()

    def thread(self, name: str | None = None, *, summarise: Summarise | None = None) -> BlockingConversation:
        """Like ``Context.thread``, blocking; a model writes no summaries here."""
        conversation = _conversation(self, name, once=self._once, summarise=summarise)
        assert self.effects is not None  # noqa: S101 - without it there is no conversation
        return BlockingConversation(conversation, self.effects.in_thread())

    async def _once(self, name: str, fn: Callable[..., Any], /, *args: Json) -> Any:
        """An effect that is asked for on the loop, where the conversation is read."""
        return await _effects_of(self, name).do(
            effect_call(name, fn, probe=None, mode="idempotent", given=args, named={})
        )

    def effect(
        self,
        name: str,
        fn: Callable[..., Any],
        /,
        *args: Json,
        mode: EffectModeName = "idempotent",
        probe: Callable[..., Any] | None = None,
        **kwargs: Json,
    ) -> Any:
        """Like ``Context.effect``, blocking: ``fn`` is called in the thread of the action."""
        return _effects_of(self, name).do_blocking(
            effect_call(name, fn, probe=probe, mode=mode, given=args, named=kwargs)
        )


class InlineContext(ActionFacts):
    """What an action is given that runs on the loop: all but effects, since nobody else could do anything meanwhile."""

    __slots__ = ()

    def effect(self, name: str, *_: Any, **__: Any) -> NoReturn:
        raise ActionError(f"effect {name!r} cannot be done inline in state {self.state!r}: leave `inline=True` away")


def scope_of(context: ActionFacts) -> ActionScope:
    """What a built-in action may ask of the rules."""
    if context.scope is None:
        raise ActionError("a built-in action needs a runner or `testing.drive`, and this context was made by hand")
    return context.scope


def _effects_of(context: ActionFacts, name: str) -> Effects:
    if context.effects is None:
        raise ActionError(f"effect {name!r} needs a runner or `testing.drive`, and this context was made by hand")
    return context.effects


def _conversation(
    context: ActionFacts, name: str | None, *, once: Once | None, summarise: Summarise | None
) -> Conversation:
    """The thread of that name; without one, the conversation that the workflow declares."""
    if context.scope is None or context.effects is None:
        raise ActionError("a conversation needs a runner or `testing.drive`, and this context was made by hand")
    if name is not None and THREAD_NAME.fullmatch(name) is None:
        raise ActionError(f"there is no thread {name!r}: {THREAD_RULE}")
    head, rule = context.scope.head, context.scope.recall
    thread = name or rule.thread or own_thread(head.id)
    is_own = thread == own_thread(head.id)
    return Conversation(
        thread,
        head.talk.spans(head.id) if is_own else whole(thread),
        read=context.effects.read,
        pending=context.outputs.pending(thread),
        rule=rule,
        count=corrected(estimate, scale_of(context.scope.spent)),
        once=once,
        summarise=summarise,
        spend=context.outputs.spend,
        at_ms=context.now_ms,
    )

"""The contexts that actions are given."""

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

#: lets a model write a summary, with at most so many tokens
SummaryWriter: TypeAlias = "Callable[[Context, list[dict[str, Json]], int], Awaitable[Written]]"
EffectModeName: TypeAlias = EffectMode | Literal["idempotent", "at_most_once", "check"]


@dataclass(slots=True)
class ActionFacts:
    """The agent as its action sees it. Changes of ``data`` are committed with the returned event, or never."""

    agent_id: str
    state: str
    data: Data
    #: 1 for the first attempt; later attempts of the same activation count up
    attempt: int
    #: the version that entered the state; the same for every attempt, also after a crash
    activation: int
    #: path of a state -> number of committed entries
    visits: Mapping[str, int]
    #: when this attempt began, in milliseconds since the epoch, by the store's clock
    now_ms: int
    #: ``None`` in a context that is made by hand: it does no effects
    effects: Effects | None = field(default=None, repr=False, compare=False)
    #: what the attempt produces besides changes of ``data``
    outputs: AttemptOutputs = field(default_factory=AttemptOutputs, repr=False, compare=False)
    #: what built-in actions can ask the engine
    scope: ActionScope | None = field(default=None, repr=False, compare=False)
    surroundings: Surroundings = field(default_factory=Surroundings, repr=False, compare=False)
    #: ``None`` in a context that is made by hand
    write_summary: SummaryWriter | None = field(default=None, repr=False, compare=False)

    @property
    def now(self) -> datetime:
        """When this attempt began, by the store's clock, as an aware datetime in UTC."""
        return moment(self.now_ms)

    def emit(self, event: str, /, **payload: Json) -> Emission:
        """An event with a payload, for the action to return."""
        return Emission(event, payload)

    def ask(self, prompt: str, events: Collection[str], *, to: str | Collection[str] = ()) -> Asking:
        """A question, for the action to return. The agent then waits in its state for one of ``events``; their payload
        schemas are the form. ``to`` names those who may answer; without names, anybody may."""
        own({"prompt": prompt, "events": list(events), "to": to if isinstance(to, str) else list(to)})
        if not isinstance(prompt, str) or not prompt.strip() or isinstance(events, str) or not events:
            raise ActionError("a question needs a text and the events that answer it: `ctx.ask('Go on?', ['yes'])`")
        return Asking(prompt, tuple(events), (to,) if isinstance(to, str) else tuple(to))

    @property
    def children(self) -> ChildAgents:
        """The children of the agent. Raises ``ActionError`` in a context that was made by hand or for a script."""
        if self.surroundings.children is None:
            raise ActionError(f"the action of state {self.state!r} has children only in a runner")
        return self.surroundings.children

    @property
    def user(self) -> Data:
        """What is remembered of the user, as the workflow declares it under ``user``. Changes are committed with the
        step. Raises ``ActionError`` if nothing is declared, or if the agent has no user."""
        if self.outputs.user is None:
            why = "its workflow declares no `user`, or it was started without one: `start(..., user='ana')`"
            raise ActionError(f"agent {self.agent_id!r} remembers nobody: {why}")
        return self.outputs.user


class Context(ActionFacts):
    """The context of an ``async def`` action."""

    __slots__ = ()

    @property
    def conversation(self) -> Conversation:
        """The conversation of the agent; new messages are committed with the step."""
        return self.thread()

    def thread(self, name: str | None = None, *, summarise: Summarise | None = None) -> Conversation:
        """A shared thread, by its name; without a name, the conversation. ``summarise(messages, max_tokens)`` returns
        the text of a summary, instead of a model."""
        return _conversation(self, name, once=self.effect, summarise=summarise or self._summarise)

    async def _summarise(self, messages: list[dict[str, Json]], max_tokens: int) -> Written:
        assert self.write_summary is not None  # noqa: S101 - whoever gives an attempt its conversation gives it one
        return await self.write_summary(self, messages, max_tokens)

    async def entry(self) -> Step | None:
        """The step that began this activation; ``None`` if it is no longer stored."""
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
        """Call ``fn(*args, **kwargs)``, record its result, and return it. If a result is recorded already, return that.

        A coroutine function is awaited, a plain function runs in a thread. Arguments and result are JSON, and ``fn``
        gets plain copies. If ``fn`` has a parameter ``idempotency_key``, it gets the key of this effect, which is the
        same in every attempt. Several uses of one name are told apart by their order.

        ``mode`` says what happens to an effect that was begun and has no result, after a crash, an exception or a
        timeout. It is done again (``idempotent``); or it is never done again, and the agent is parked
        (``at_most_once``); or ``probe(*args, **kwargs)`` returns its result or ``NOT_DONE`` (``check``).
        """
        return await _effects_of(self, name).do(effect_call(name, fn, probe=probe, mode=mode, given=args, named=kwargs))


class BlockingContext(ActionFacts):
    """The context of a plain ``def`` action, which runs in a thread."""

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
        """An effect that is done on the event loop, where the conversation is read."""
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
    """The context of an action that runs on the event loop. It has no effects, since they would block the loop."""

    __slots__ = ()

    def effect(self, name: str, *_: Any, **__: Any) -> NoReturn:
        raise ActionError(f"effect {name!r} cannot be done inline in state {self.state!r}: leave `inline=True` away")


def scope_of(context: ActionFacts) -> ActionScope:
    """What a built-in action can ask the engine."""
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
    """The thread of that name; without a name, the conversation that the workflow declares."""
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

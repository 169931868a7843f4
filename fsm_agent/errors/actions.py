"""What a worker's code did wrong, and effects of which nobody knows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.errors.base import FsmAgentError

_TO_ALLOW: Final = "add it to `modules` under [tool.fsm-agent] in pyproject.toml or name it with --module"


class ActionError(FsmAgentError):
    """What a worker's code did wrong. ``unread`` are sentences that say of allowed modules why they cannot be imported,
    where what is missing may stand in one of them."""

    unread: tuple[str, ...] = ()


class ActionMissing(ActionError):
    """``unmarked_in`` is the module that has a function of this name, which is no action."""

    def __init__(
        self, name: str, known: Collection[str], unread: Collection[str] = (), *, unmarked_in: str | None = None
    ) -> None:
        self.unread, self.unmarked_in = tuple(unread), unmarked_in
        if unmarked_in is not None:
            lacks = f"function {name!r} of module {unmarked_in!r} lacks the decorator: write `@action` before it"
            super().__init__(f"no action {name!r}; {lacks}")
            return
        known = sorted(known)
        have = [f"there are {listed(known)}"] if known else []
        have = [*have, *unread] or [f"no module is allowed that has one: {_TO_ALLOW}"]
        near = "" if unread else did_you_mean(name, known)
        super().__init__(f"no action {name!r}{near}; {'; '.join(have)}")


class ToolMissing(ActionError):
    """``places`` are the modules in which it was sought; for ``unread`` see ``ActionError``."""

    def __init__(self, name: str, places: Collection[str], unread: Collection[str] = ()) -> None:
        self.unread = tuple(unread)
        where = listed(places) if places else "any allowed module"
        super().__init__("; ".join((f"no tool {name!r} in {where}", *unread)))


class ModuleUnread(ActionError):
    """A module that is allowed and cannot be imported."""

    def __init__(self, module: str, cause: BaseException) -> None:
        super().__init__(f"module {module!r} cannot be imported: {type(cause).__name__}: {cause}")
        self.unread = (str(self),)


class ModuleNotAllowed(ActionError):
    def __init__(self, module: str, allowed: Iterable[str]) -> None:
        super().__init__(f"module {module!r} is not allowed: {_TO_ALLOW}; allowed: {listed(allowed)}")


class DataModelMissing(ActionError):
    def __init__(self, module: str, name: str) -> None:
        super().__init__(f"module {module!r} has no pydantic model {name!r}")


class WriteUndeclared(ActionError):
    """``declared`` are the fields under ``writes`` of the action, ``written`` those that it wrote besides."""

    def __init__(self, do: str, written: Collection[str], declared: Collection[str]) -> None:
        only = f"only {_quoted(declared)}" if declared else "nothing"
        fields = _quoted(written)
        super().__init__(f"action {do!r} wrote {fields}, and declares that it writes {only}: add it to `writes`")


def _quoted(names: Collection[str]) -> str:
    return listed(repr(name) for name in sorted(names))


class ChildFailed(ActionError):
    """``how`` the first of them ended, and ``why`` as far as it is known, with a colon before it."""

    def __init__(self, child_id: str, how: str, why: str, count: int) -> None:
        more = "" if count == 1 else f", and so did {count - 1} more" if how == "failed" else f"; {count} were not done"
        super().__init__(f"child {child_id!r} {'failed' if how == 'failed' else f'was {how}'}{why}{more}")


class HttpFailed(ActionError):
    """A request was not answered as expected, and the same one would not be later."""

    def __init__(self, method: str, url: str, why: str) -> None:
        super().__init__(f"{method} {url} failed: {why}")


class HttpUnavailable(HttpFailed):
    """A request was not answered as expected; the same one may be later, ``after_s`` seconds at the earliest."""

    is_retryable = True

    def __init__(self, method: str, url: str, why: str, *, after_s: float = 0.0) -> None:
        self.after_s = after_s
        super().__init__(method, url, why)


class McpUnavailable(ActionError):
    """An MCP server does not answer as it should; it may later."""

    is_retryable = True

    def __init__(self, server: str, why: str) -> None:
        self.server = server
        super().__init__(f"MCP server {server!r} cannot be used now: {why}; see [tool.fsm-agent.mcp] in pyproject.toml")


class WindowTooSmall(ActionError):
    """The figures are tokens."""

    def __init__(self, max_tokens: int, system: int, last: int) -> None:
        super().__init__(
            f"a window of {max_tokens} tokens is too small for this conversation: its system messages take {system} "
            f"and its last messages {last}, which stay together; raise `max_tokens`, or say less"
        )


class NoLegalChoice(ActionError):
    """``why`` is what was wrong with the last reply."""

    def __init__(self, model: str, tries: int, why: str) -> None:
        super().__init__(f"model {model!r} chose nothing that is legal here in {tries} replies; of the last one: {why}")


class RoundsExceeded(ActionError):
    def __init__(self, rounds: int) -> None:
        super().__init__(f"the model had no answer after {rounds} replies; raise `rounds`, or ask for less")


class ToolError(ActionError):
    """Tools raise it: the model that called is told, and goes on. Whatever else a tool raises fails the attempt."""


class EffectUnclear(FsmAgentError):
    """An effect of which only an operator can say how it goes on."""

    name: str
    key: str


class EffectInDoubt(EffectUnclear):
    """``begun`` is when, as text."""

    def __init__(self, agent_id: str, name: str, key: str, begun: str) -> None:
        self.name, self.key = name, key
        super().__init__(
            f"effect {name!r} of agent {agent_id!r} was begun at {begun} and no result is recorded: it may have "
            f"happened or not; find out, and tell `unpark` of the effect {key} its result, or that it was not done"
        )


class EffectMismatch(EffectUnclear):
    def __init__(self, agent_id: str, name: str, key: str) -> None:
        self.name, self.key = name, key
        super().__init__(
            f"effect {name!r} of agent {agent_id!r} was begun with other arguments under its key {key}: every attempt "
            "must use a name in the same order with the same arguments"
        )

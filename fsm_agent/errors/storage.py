"""Errors of stores."""

from __future__ import annotations

from collections.abc import Iterable

from fsm_agent.domain.text import listed, shortened
from fsm_agent.errors.base import FsmAgentError


class StoreError(FsmAgentError):
    """A store could not do what it promises; nothing was half-written."""


class StoreUrlInvalid(StoreError):
    """Unknown scheme, missing folder, missing driver."""


class StoreUnavailable(StoreError):
    """Locked, read-only, full, or gone; the same call may work later."""


class StoreCorrupt(StoreError):
    """The file or database is damaged, or is not a store of fsm-agent."""


class AgentDamaged(StoreCorrupt):
    """What is kept of one agent in one place cannot be read; all other agents can be used."""

    def __init__(self, agent_id: str, place: str, what: str) -> None:
        self.agent_id, self.place, self.what = agent_id, place, what
        super().__init__(f"agent {agent_id!r} is damaged in {place}: {what}; `fsm-agent doctor` says what to do")


class SharedDamaged(StoreCorrupt):
    """What is kept for several agents, such as ``thread 'news'``, cannot be read; all else can be used."""

    def __init__(self, thing: str, place: str, what: str) -> None:
        self.thing, self.place, self.what = thing, place, what
        super().__init__(f"{thing} is damaged in {place}: {what}; `fsm-agent doctor` says what to do")


class DefinitionMissing(StoreCorrupt):
    def __init__(self, url: str, definition: str) -> None:
        super().__init__(f"{url} keeps no workflow under the hash {definition!r}; `save_workflow` comes first")


class DefinitionDamaged(SharedDamaged):
    """The definition to which agents are pinned cannot be read."""

    def __init__(self, definition: str, place: str, what: str) -> None:
        self.definition = definition
        super().__init__(f"definition {short_hash(definition)}", place, what)


def short_hash(definition: str) -> str:
    """The beginning of the hash of a definition, long enough to tell it from others."""
    return definition[:12]


class HistoryBroken(StoreCorrupt):
    def __init__(self, agent_id: str, version: int, why: Exception) -> None:
        super().__init__(
            f"version {version} of agent {agent_id!r} cannot be rebuilt, since {why_untold(why)}; "
            f"`fsm-agent replay {agent_id}` says what is wrong with its history"
        )


def why_untold(error: Exception) -> str:
    """Why a step cannot have happened as it is told, for people: what Python says of it helps nobody."""
    match error:
        case FsmAgentError():
            return str(error)
        case KeyError() if error.args and isinstance(error.args[0], str):
            return f"it names {shortened(error.args[0])}, which its definition does not have"
        case _:
            return "its parts do not fit together"


class StoreTooNew(StoreError):
    """A newer fsm-agent wrote it."""


class KeyInvalid(StoreError):
    """A key for sealing that cannot serve; the key is never shown."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"a key for sealing cannot serve: {where} {why}; `fsm-agent keygen` makes one")


class KeyMissing(StoreError):
    def __init__(self, key_id: str, given: Iterable[str] = (), *, what: str = "agent") -> None:
        self.key_id = key_id
        super().__init__(
            f"the {what} is sealed under the key {shortened(key_id)}, which is not given: add it to FSM_AGENT_KEYS; "
            f"given: {listed(given)}"
        )

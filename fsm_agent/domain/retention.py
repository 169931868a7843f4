"""How long is kept what nobody needs any more: an operator's policy, as a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from fsm_agent.domain.agent import ENDED, Head, Status
from fsm_agent.domain.state import Duration
from fsm_agent.domain.text import did_you_mean, listed, shortened

#: ``all`` steps; those after the last snapshot; or the last so many.
HistoryRule: TypeAlias = Literal["all", "since-snapshot"] | int

#: of ``[tool.fsm-agent.retention]``
KEYS: Final = ("history", "finished", "idle")


@dataclass(frozen=True, slots=True)
class Retention:
    """The rules by which agents and histories are kept. The default keeps everything."""

    history: HistoryRule = "all"
    #: how long an agent is kept after its last step, if that ended it
    finished: Duration | None = None
    #: and if it waits since then, with nothing that will wake it
    idle: Duration | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is ever forgotten."""
        return self == Retention()

    def is_over(self, head: Head, now_ms: int) -> bool:
        """Whether an agent is to be deleted.

        One that runs or is parked is not, nor one that somebody holds or for which an event is queued. One with an
        armed timer is not idle: it waits for something that will come.
        """
        if head.lease is not None or head.queued or head.children:
            return False
        if head.status in ENDED:
            limit = self.finished
        elif head.status is Status.WAITING and not head.timers:
            limit = self.idle
        else:
            return False
        return limit is not None and now_ms - head.updated_ms >= limit.ms

    @classmethod
    def read(cls, section: Mapping[str, Any]) -> Retention:
        """What is written in settings; raises ``ValueError`` with a sentence."""
        if unknown := [key for key in section if key not in KEYS]:
            raise ValueError(f"unknown key {unknown[0]!r}{did_you_mean(unknown[0], KEYS)}; there are {listed(KEYS)}")
        return cls(
            history=read_history(section.get("history", "all")),
            finished=_read_limit("finished", section),
            idle=_read_limit("idle", section),
        )


def read_history(value: object) -> HistoryRule:
    """``all``, ``since-snapshot`` or a number of steps, also as text; raises ``ValueError``."""
    if value == "all" or value == "since-snapshot":  # noqa: PLR1714 - as literals, for mypy
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ValueError(f"history {shortened(value)} is not allowed: write all, since-snapshot, or how many steps (1 ...)")


def _read_limit(key: str, section: Mapping[str, Any]) -> Duration | None:
    if key not in section:
        return None
    value = section[key]
    if not isinstance(value, str):
        raise ValueError(f'{key} must be a duration as text, such as "30d", and is {shortened(value)}')  # noqa: TRY004
    try:
        return Duration.parse(value)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None

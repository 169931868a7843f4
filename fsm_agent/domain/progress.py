"""How far an agent has come with its task, as the workflow declares that to be read from the data."""

from typing import NamedTuple

from fsm_agent.domain.json import Json


class Progress(NamedTuple):
    """What is known of it; where a list of steps is declared its length counts."""

    goal: str | None = None
    done: int | None = None
    remaining: int | None = None
    current: str | None = None

    def to_json(self) -> dict[str, Json]:
        return dict(self._asdict())

    def __str__(self) -> str:
        """``3 of 5: book the hotel``"""
        count = "" if self.done is None else f"{self.done} done"
        if self.done is not None and self.remaining is not None:
            count = f"{self.done} of {self.done + self.remaining}"
        return ": ".join(part for part in (count, self.current) if part)

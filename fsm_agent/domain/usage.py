"""What models have cost: of one step, or of all of an agent's life."""

from typing import Final, NamedTuple

from fsm_agent.domain.json import Json


class Usage(NamedTuple):
    """Requests to models and what they took. Sums add up; the size of the context is that of the last request."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    #: millionths of a US dollar, by the provider's price list; 0 where none is known
    cost_micros: int = 0
    latency_ms: int = 0
    #: replies that were refused: unknown or illegal events, payloads that break their schema
    refused: int = 0
    #: tokens of the last request and its reply, as the provider counted them
    context_tokens: int = 0
    #: the same, as it was counted here before it was sent
    estimated_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def plus(self, later: "Usage") -> "Usage":
        """Both together, ``later`` being the later one."""
        last = later if later.context_tokens else self
        return Usage(
            requests=self.requests + later.requests,
            input_tokens=self.input_tokens + later.input_tokens,
            output_tokens=self.output_tokens + later.output_tokens,
            cost_micros=self.cost_micros + later.cost_micros,
            latency_ms=self.latency_ms + later.latency_ms,
            refused=self.refused + later.refused,
            context_tokens=last.context_tokens,
            estimated_tokens=last.estimated_tokens,
        )

    def to_json(self) -> dict[str, Json]:
        """The JSON that the command line prints, which is a contract; the cost is in US dollars."""
        return {
            "requests": self.requests,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost": self.cost_micros / 1_000_000,
            "latency_ms": self.latency_ms,
            "refused": self.refused,
        }


NO_USAGE: Final = Usage()


def usage_of(parts: list[int]) -> Usage:
    """The usage of a row; what it does not say is 0."""
    return Usage(*parts)


def as_row(usage: Usage) -> list[int]:
    """The shortest list that says it all."""
    parts = list(usage)
    while parts and not parts[-1]:
        parts.pop()
    return parts

"""A payment service outside of the agent: it counts its calls by key, and may fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from fsm_agent import NOT_DONE
from tests.support.runtime import flow

#: Its action is tried three times; what is left then is an error.
PAYING = flow("""
    data: {receipt: "object?", n: {type: integer, default: 0}}
    events: {paid: {}, again: {}, stop: {}}
    initial: paying
    states:
      paying:
        do: pay
        retry: {attempts: 3, backoff: 1ms}
        on: {paid: done, again: paying, stop: resting, error: failed}
      resting: {}
      done: {final: true, output: {receipt: data.receipt}}
      failed: {final: true, outcome: failed}
""")


class PaymentService:
    """Counts charges and probes. ``after`` is called after each charge, and may raise an error."""

    def __init__(self, *, after: Callable[[], Any] = lambda: None) -> None:
        self.charged: Counter[str] = Counter()
        self.probed: Counter[str] = Counter()
        self._after = after

    def charge(self, amount: int, *, idempotency_key: str) -> dict[str, Any]:
        """The receipt says how often it was done under this key."""
        self.charged[idempotency_key] += 1
        self._after()
        return {"amount": amount, "times": self.charged[idempotency_key]}

    async def charge_soon(self, amount: int, *, idempotency_key: str) -> dict[str, Any]:
        return self.charge(amount, idempotency_key=idempotency_key)

    def look(self, amount: int, *, idempotency_key: str) -> Any:
        """The probe."""
        self.probed[idempotency_key] += 1
        times = self.charged[idempotency_key]
        return {"amount": amount, "times": times} if times else NOT_DONE


def failing(times: int, error: BaseException) -> Callable[[], None]:
    """Raises ``error`` so many times, and then no more."""
    left = [error] * times

    def fail() -> None:
        if left:
            raise left.pop()

    return fail

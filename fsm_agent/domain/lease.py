"""The lease of an agent: who drives it, and for how long."""

from typing import Final, NamedTuple

#: how long a lease lasts unless it is renewed, where nobody says otherwise
LEASE_MS: Final = 15_000


class Holder(NamedTuple):
    """The process that drives an agent; ``started_ms`` tells it from a later one with the same pid.

    ``host`` is where its pid means something: name of the host, boot id and PID namespace, with ``/`` between them.
    Containers may share a name, and a name may be that of many machines. It is the name alone where a system has
    neither of the others, and in leases that were written before they were told.
    """

    host: str
    pid: int
    started_ms: int

    @property
    def is_located(self) -> bool:
        """Whether boot id and PID namespace are known."""
        return "/" in self.host

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host.partition('/')[0]}"


class Lease(NamedTuple):
    """The right to drive an agent: who has it, and until when unless it is renewed."""

    holder: Holder
    until_ms: int


class Claimed(NamedTuple):
    """An agent that is held under a lease, and the epoch that its claim has made."""

    agent_id: str
    epoch: int


def renewal_ms(lease_ms: int) -> int:
    """How often a lease is renewed: so often that two renewals may fail."""
    return lease_ms // 3


def lease_runs(lease: Lease | None, now_ms: int) -> bool:
    """Whether somebody holds a lease at ``now_ms``."""
    return lease is not None and lease.until_ms > now_ms


def is_lapsed(lease: Lease | None, now_ms: int) -> bool:
    """Whether there is a lease that has run out by ``now_ms``."""
    return lease is not None and lease.until_ms <= now_ms

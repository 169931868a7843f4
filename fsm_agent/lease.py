"""Who drives an agent, and for how long."""

from typing import NamedTuple


class Holder(NamedTuple):
    """The process that drives an agent; ``started_ms`` tells it from a later one with the same pid."""

    host: str
    pid: int
    started_ms: int

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Lease(NamedTuple):
    """Who drives, and until when unless renewed."""

    holder: Holder
    until_ms: int


def lease_runs(lease: Lease | None, now_ms: int) -> bool:
    """Whether somebody holds a lease at ``now_ms``."""
    return lease is not None and lease.until_ms > now_ms

"""What the nemesis may do to a database server."""

from __future__ import annotations

from typing import Protocol


class ServerControl(Protocol):
    """A server of the run's own, to be killed and restarted. Both calls block."""

    def kill(self) -> None:
        """End the server at once, as ``kill -9`` does, and return when it is gone."""

    def restart(self) -> None:
        """Start it again over the same data and at the same address; return when it answers."""

"""What every backend that is measured can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from benchmarks.raw import Raw

#: Where our agents are; each peer has a spot of its own.
OURS: Final = "agents"
#: Where the yardstick is.
RAW: Final = "raw"


class Place(ABC):
    """One backend. ``fresh`` forgets what was there before.

    Who is compared writes to a log that is alike: ``settle`` stands before every run whose steps are timed, on each
    side, and ``drain`` once after a load of many agents.
    """

    name: str
    #: for the row of whoever was compared here
    said_of_log = ""

    @abstractmethod
    def fresh(self) -> str:
        """The URL of an empty store of ours."""

    @abstractmethod
    def weigh(self, spot: str = OURS) -> int:
        """Bytes that whoever wrote there since it was empty takes."""

    @abstractmethod
    @contextmanager
    def raw(self) -> Iterator[Raw]:
        """The yardstick, in an empty place of its own."""

    @abstractmethod
    def weigh_raw(self, raw: Raw) -> int:
        """Bytes that it takes."""

    def settle(self, spot: str = OURS) -> None:  # noqa: B027 - there is nothing to do where all write the log of a server
        """The next step finds the log as any other run found it."""

    def drain(self, spot: str = OURS) -> None:
        """Nothing goes on in the background any more because of what was written before."""
        self.settle(spot)

    def for_peer(self, spot: str) -> dict[str, Any]:
        """An empty place, as a peer is told of it; what stands in other spots stays, except in Redis."""
        raise LookupError(f"{spot} keeps no agents in {self.name}")

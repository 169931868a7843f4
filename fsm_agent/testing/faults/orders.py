"""What a writer is told when it begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fsm_agent.testing.faults.failpoints import Failpoint


@dataclass(frozen=True)
class Orders:
    """One life of one writer. The folder of a run holds its journals, its world and its clock."""

    #: of the journal too
    name: str
    url: str
    namespace: str
    folder: str
    seed: int
    #: how many agents live at a time
    places: int = 5
    #: how far its clock is off
    skew_ms: int = 0
    #: see ``failpoints.Failpoint``
    failpoint: str | None = None
    #: see ``mutants.MUTANTS``
    mutant: str | None = None
    #: whose unknown outcomes it asks about
    heir_of: str | None = None
    #: a disk that is full now and then
    is_short_of_disk: bool = False

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite:")

    @property
    def planned(self) -> Failpoint | None:
        return Failpoint.parse(self.failpoint) if self.failpoint else None

    @property
    def journals(self) -> Path:
        return Path(self.folder) / "journals"

    @property
    def world(self) -> Path:
        return Path(self.folder) / "world"

    @property
    def clock(self) -> Path:
        return Path(self.folder) / "clock"

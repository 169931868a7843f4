"""Who is compared with us, what each promises as it is configured here, and how its process is started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.dialogue import ROOT, Dialogue, Failed
from benchmarks.place import Place

#: Made by `make bench`.
PYTHON: Final = ROOT / ".venv-peers" / "bin" / "python"
_QUIET: Final = {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false", "HAMILTON_TELEMETRY_ENABLED": "false"}


@dataclass(frozen=True, slots=True)
class Contender:
    """One library; ``backends`` are names of places, and ``missing`` says why the others are not among them."""

    name: str
    script: str
    backends: tuple[str, ...]
    missing: str
    history: str
    two_writers: str
    conversation: str
    #: what a step of ours writes or looks at, and one of theirs does not
    leaves_out: str

    def can(self, place: Place) -> bool:
        return any(place.name.startswith(backend) for backend in self.backends)

    def spot(self) -> str:
        return self.name.lower()


CONTENDERS: Final = (
    Contender(
        name="Burr",
        script="burr_peer",
        backends=("SQLite", "PostgreSQL", "Redis"),
        missing="",
        history="the whole state after each step",
        two_writers="the key of a row is (agent, step): the second to save a step fails (Redis: looked at before, "
        "not at once)",
        conversation="written whole at every step",
        leaves_out="one `INSERT` of the whole state a step: no head to compare and set, no validation, no timer",
    ),
    Contender(
        name="DBOS",
        script="dbos_peer",
        backends=("SQLite", "PostgreSQL"),
        missing="DBOS keeps its system database in PostgreSQL or SQLite",
        history="what each step returned; state is made anew by running the function again",
        two_writers="the key of a row is (workflow, step): the second to record a step gives up",
        conversation="linear: a step returns its message alone",
        leaves_out="what a step returned is all that is written: no state, no validation",
    ),
    Contender(
        name="LangGraph",
        script="langgraph_peer",
        backends=("SQLite", "PostgreSQL"),
        missing="LangGraph's saver for Redis needs the modules RediSearch and RedisJSON, which plain Redis has not",
        history="a checkpoint of the state and the writes of each step",
        two_writers="none: both write checkpoints, and the newest is what counts",
        conversation="written whole at every step, or every hundredth with a `DeltaChannel` (in beta)",
        leaves_out="nothing is compared before it is set, and there is no validation and no timer",
    ),
)


@contextmanager
def started(contender: Contender, python: Path) -> Iterator[Dialogue]:
    """Its process. Raises ``Failed`` if the environment is not there."""
    if not python.exists():
        raise Failed("its environment is not installed: `make peers` says why")
    with Dialogue(command(contender, python), environment=_QUIET) as dialogue:
        yield dialogue


def command(contender: Contender, python: Path) -> list[str]:
    return [str(python), "-m", f"benchmarks.peers.{contender.script}"]


def version_of(contender: Contender, python: Path) -> str:
    with started(contender, python) as dialogue:
        answer: dict[str, Any] = dialogue.ask("about")
        return str(answer["version"])

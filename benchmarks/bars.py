"""Every bar, in one table: what a ratio must be. What has none here is measured and noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: At least so much of the speed of the yardstick.
ENGINE_IN_MEMORY: Final = 0.33
ONE_AGENT: Final[Mapping[str, float]] = {
    "SQLite": 0.65,
    "PostgreSQL": 0.6,
    "Redis, always": 0.65,
    "Redis, everysec": 0.35,
    "tiered": 0.65,
}
MANY_AGENTS: Final[Mapping[str, float]] = {"SQLite": 3}

#: At most so many times what the yardstick takes.
WAKE: Final[Mapping[str, float]] = {"SQLite": 2.5, "PostgreSQL": 3, "Redis, always": 3, "tiered": 3}
#: A tiered store imports both drivers: what each of them adds to SQLite's bar.
FRESH_PROCESS: Final[Mapping[str, float]] = {"SQLite": 10, "PostgreSQL": 16, "Redis, always": 14, "tiered": 20}
HELP: Final = 8
SHOW: Final = 12
IMPORT_RUNNER: Final = 8
CONVERSATION_BYTES: Final = 2
CONVERSATION_TIME: Final = 1.5
LONG_THREAD: Final = 2

#: Seconds at most for a workflow of a thousand states and more than three thousand transitions.
CHECK_SECONDS: Final = 0.7
DOT_SECONDS: Final = 0.1
#: Seconds at most to prove five properties of it, and all of the gallery's.
PROVE_SECONDS: Final = 2.0
PROVE_GALLERY_SECONDS: Final = 0.5
#: What each state of a larger workflow takes, against each of a smaller one.
LARGER: Final = 1.3

#: KB at most of an agent that waits; memory and Redis keep everything in RAM, ready to be read.
WAITING_KB: Final[Mapping[str, float]] = {"SQLite": 0.85}

#: At least so many times the agents a second of a worker that looks and claims one by one, and so many agents a second,
#: of one process.
WORKER: Final = 3
WORKER_AGENTS: Final = 315
#: At most, with four processes: loads an agent, and claims or commits that were refused.
WORKER_LOADS: Final = 1.1
TAKE_CONFLICTS: Final = 0
#: Milliseconds at most from a commit in another process to the first action.
WORKER_WAKE_P50_MS: Final = 50
WORKER_WAKE_P99_MS: Final = 250
#: What finding who is due takes at most, where others are held, against where none are.
AMONG_HELD: Final = 2

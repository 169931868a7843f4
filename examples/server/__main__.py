"""Makes the agents of the demo and a token, and serves them on a free port until Ctrl-C: ``make demo-server``."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from examples.server.agents import PERSON, ROOT, Past

_SCOPES: Final = ("read", "answer", "operate")


async def _live(folder: Path) -> None:
    past = Past(folder)
    async with past.runner:
        await past.live()


def main(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    logging.getLogger("fsm_agent").setLevel(logging.CRITICAL)  # some of them fail on purpose
    asyncio.run(_live(folder))
    command = str(Path(sys.executable).with_name("fsm-agent"))
    tokens = str(folder / "tokens.json")
    scopes = [word for scope in _SCOPES for word in ("--scope", scope)]
    new = [command, "token", "new", PERSON, *scopes, "--tokens", tokens]
    made = subprocess.run(new, check=True, capture_output=True, text=True)  # noqa: S603 - our own command
    print(f"\nSign in as {PERSON} with this token:\n\n  {made.stdout.strip()}\n\nThe page is at:\n", flush=True)
    script = ROOT / "examples" / "support_triage" / "script.yaml"
    store = ["--store", f"sqlite:///{folder}/agents.db", "--model", f"scripted:{script}"]
    paths = [str(ROOT / "workflows"), str(ROOT / "examples" / "server")]
    os.execv(command, [command, *store, "serve", *paths, "--port", "0", "--tokens", tokens])  # noqa: S606 - no shell


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo/server").absolute())

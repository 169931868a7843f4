"""``python -m fsm_agent.testing.faults URL...``: prove that stores keep their promises under faults."""

from __future__ import annotations

import secrets
import sys

import click

from fsm_agent.testing.faults.mutants import MUTANTS
from fsm_agent.testing.faults.run import Subject, Verdict, prove
from fsm_agent.testing.faults.table import truth_table


@click.command()
@click.argument("urls", nargs=-1)
@click.option(
    "--for", "seconds", default="30s", callback=lambda _, __, text: seconds_of(text), help="How long, for each."
)
@click.option("--seed", type=int, help="Repeat the faults of an earlier run.")
@click.option("--writers", default=3, show_default=True, help="How many write at a time.")
@click.option("--mutant", type=click.Choice(list(MUTANTS)), help="Break the writers' SQLite store: it must be caught.")
def main(urls: tuple[str, ...], seconds: float, seed: int | None, writers: int, mutant: str | None) -> None:
    """Kill, freeze and restart what writes to the stores at URLS, and check that nothing was lost.

    Without a URL: memory, and an SQLite file of its own. Exits with 1 if a promise is broken, or nothing was proven.
    """
    subjects = [Subject(url.partition(":")[0], url) for url in urls] or [MEMORY, SQLITE]
    if mutant is not None:
        subjects = [SQLITE]
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    verdicts = prove(subjects, seconds=seconds, seed=seed, mutant=mutant, writers=writers, progress=_say)
    click.echo(truth_table(verdicts))
    sys.exit(0 if all(is_proven(verdict) for verdict in verdicts) else 1)


MEMORY = Subject("memory", "memory://")
SQLITE = Subject("sqlite", "sqlite:///{folder}/agents.db")


def is_proven(verdict: Verdict) -> bool:
    return verdict.holds and not verdict.missing


def seconds_of(text: str) -> float:
    """``90s``, ``10m``, ``1h`` or a number of seconds."""
    units = {"s": 1, "m": 60, "h": 3_600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise click.BadParameter(f"{text!r} is no duration; write 90s, 10m or 1h") from None


def _say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main()

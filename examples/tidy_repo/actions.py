"""What the states of ``tidy_repo`` do. Looking changes nothing and may be done again; what is written is an effect.

A process may die anywhere: a file is replaced in one step, and by its digest it is known whether that was done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from examples.files import rewrite_whole
from examples.tidy_repo.linter import Ruff
from examples.tidy_repo.planning import digest, next_fix
from examples.tidy_repo.report import counted, markdown, summary
from fsm_agent import NOT_DONE, BlockingContext, action
from fsm_agent.domain.json import Json


@action
def look(ctx: BlockingContext, *, folder: str) -> Literal["found_safe", "found_unsafe", "all_seen"]:
    """Find the next fix; the folder is remembered by its full name, since another process may go on from elsewhere."""
    data = ctx.data
    data.folder = str(Path(folder).resolve())
    ruff = Ruff(Path(data.folder), data.select)
    fix = next_fix(ruff, ruff.findings(), done=data.fixed, skipped=data.skipped)
    if fix is None or (fix.unsafe and not data.asks):
        return "all_seen"
    data.next = fix.to_json()
    if not fix.unsafe:
        return "found_safe"
    times = "once" if fix.findings == 1 else f"{fix.findings} times"
    data.note = f"{fix.file}: {fix.rule}, {times}: {fix.message}. The fix is unsafe: it may change what the code does."
    return "found_unsafe"


@action
def fix(ctx: BlockingContext, *, folder: str) -> Literal["file_fixed", "file_changed"]:
    """Follow one rule in one file, unless somebody has edited it since it was looked at."""
    chosen = ctx.data.plain("next")
    where = {"folder": folder, "file": chosen["file"], "before": chosen["before"], "after": chosen["after"]}
    how = {"rule": chosen["rule"], "unsafe": chosen["unsafe"], "select": ctx.data.select}
    if ctx.effect("fix", rewrite, where, how, mode="check", probe=was_rewritten) == "changed":
        return "file_changed"
    ctx.data.fixed.append(chosen)
    return "file_fixed"


def rewrite(where: dict[str, str], how: dict[str, Json]) -> str:
    """The effect: replace a file that holds what it held by what it will hold."""
    path = Path(where["folder"], where["file"])
    content = path.read_bytes()
    new = Ruff(Path(where["folder"]), how["select"]).fixed(where["file"], content, how["rule"], unsafe=how["unsafe"])
    if (digest(content), digest(new)) != (where["before"], where["after"]):
        return "changed"
    rewrite_whole(path, new)
    return "fixed"


def was_rewritten(where: dict[str, str], how: dict[str, Json]) -> Json:  # noqa: ARG001 - a probe gets what the effect got
    """The probe."""
    path = Path(where["folder"], where["file"])
    return "fixed" if path.exists() and digest(path.read_bytes()) == where["after"] else NOT_DONE


@action
def report(ctx: BlockingContext, *, folder: str) -> Literal["reported"]:
    """Count what was done and what is left, and write it down if a file is named."""
    data = ctx.data
    fixed, skipped = data.plain("fixed"), data.plain("skipped")
    # Recorded, so that another attempt writes the same page though the folder may have changed by then.
    left = ctx.effect("count", count, folder, data.select)
    data.summary = summary(fixed, skipped, left)
    if data.report is not None:
        ctx.effect("report", write_report, str(Path(folder, data.report)), markdown(fixed, skipped, left))
    return "reported"


def count(folder: str, select: str | None) -> dict[str, Json]:
    return counted(Ruff(Path(folder), select).findings())


def write_report(file: str, page: str) -> None:
    """The effect: the same page in the same place, however often."""
    rewrite_whole(Path(file), page.encode())

"""Rows for what the workflow itself declares: data, events, limits, conversation, migrations, embedded workflows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fsm_agent.change.change import Change, ChangeKind, Level, both_keys, kind_between
from fsm_agent.change.quotations import quoted, quoted_list, quoted_value
from fsm_agent.domain.json import Json, Schema, is_nullable, is_required, without_annotations
from fsm_agent.domain.workflow import Workflow


def declaration_changes(old: Workflow, new: Workflow) -> Iterator[Change]:
    """``old`` has the new names already."""
    yield from _identity(old, new)
    yield from _data(old, new)
    yield from _events(old, new)
    yield from _limits(old, new)
    yield from _mapping("merge", "the merge policy of", old.merge, new.merge)
    yield from _mapping("conversation", "of the conversation", old.conversation.to_json(), new.conversation.to_json())
    yield from _mapping("progress", "of the progress", old.progress.to_json(), new.progress.to_json())
    yield from _mapping("user", "what is remembered of the user:", _bare(old.user), _bare(new.user))
    yield from _workflows(old, new)
    if old.migrations != new.migrations:
        before, now = ([each.to_json() for each in workflow.migrations] for workflow in (old, new))
        text = f"{quoted('migrations')} says otherwise how agents of older versions come here"
        keys = both_keys("migrations")
        yield Change(ChangeKind.CHANGED, "migrations", "", text, before, now, keys=keys, is_drawn=False)


def _identity(old: Workflow, new: Workflow) -> Iterator[Change]:
    if old.name != new.name:
        text = f"the workflow is called {quoted(new.name)}, not {quoted(old.name)}"
        risk = "agents of the old name stay on their definition: they cannot be moved to this one"
        level, keys = Level.BREAKS, both_keys("workflow")
        yield Change(ChangeKind.CHANGED, "name", "", text, old.name, new.name, risk, level, keys, is_drawn=False)
    if old.version > new.version:
        text = f"the version is {new.version}, and was {old.version}"
        risk = "agents of the higher version cannot be moved to a lower one"
        level, keys = Level.BREAKS, both_keys("version")
        yield Change(
            ChangeKind.CHANGED, "version", "", text, old.version, new.version, risk, level, keys, is_drawn=False
        )
    if old.model != new.model:
        text = f"the class of the data is {quoted(new.model or 'none')}, and was {quoted(old.model or 'none')}"
        keys = both_keys("model")
        yield Change(ChangeKind.CHANGED, "data", "", text, old.model, new.model, keys=keys, is_drawn=False)
    if old.initial != new.initial:
        text = f"agents begin in {quoted(new.initial)}, not in {quoted(old.initial)}"
        keys = both_keys("initial")
        yield Change(ChangeKind.CHANGED, "initial", "", text, old.initial, new.initial, keys=keys)


# --------------------------------------------------------------------------- data and events


def _bare(fields: Mapping[str, Schema]) -> dict[str, Json]:
    return {name: without_annotations(schema) for name, schema in fields.items()}


def _data(old: Workflow, new: Workflow) -> Iterator[Change]:
    olds, news = _bare(old.data), _bare(new.data)
    for name in dict.fromkeys([*news, *olds]):
        before, now = olds.get(name), news.get(name)
        if before != now:
            yield _schema_change("data", name, before, now, _said_of_field(new, name, before, now))


def _said_of_field(new: Workflow, name: str, before: Json, now: Json) -> _Said:
    said = quoted(f"data.{name}")
    if before is None:
        given = {field for migration in new.migrations for field in (*migration.default, *migration.rename.values())}
        text = f"{said} is new: {quoted_value(now)}"
        if is_required(now) and name not in given:
            return _Said(text, "it must be given at creation, and to agents that move", Level.BREAKS)
        return _Said(text)
    if now is None:
        is_told = _is_gone_as_said(new, name)
        risk = "" if is_told else "agents that move need `drop` or `rename` under `migrations`"
        return _Said(f"{said} is gone", risk)
    text = f"{said} is {quoted_value(now)}, and was {quoted_value(before)}"
    if is_nullable(before) and not is_nullable(now):
        return _Said(text, "agents in which it is null need a `default` under `migrations`")
    return _Said(text)


def _is_gone_as_said(new: Workflow, name: str) -> bool:
    return any(name in migration.drop or name in migration.rename for migration in new.migrations)


def _events(old: Workflow, new: Workflow) -> Iterator[Change]:
    for name in dict.fromkeys([*new.events, *old.events]):
        if name not in old.events:
            fields = new.events[name]
            payload = f" with {quoted_list(fields)}" if fields else ""
            yield _schema_change("event", name, None, _bare(fields), _Said(f"event {quoted(name)}{payload} is new"))
        elif name not in new.events:
            said = _Said(f"event {quoted(name)} is gone", "whoever sends it is refused", Level.BREAKS)
            yield _schema_change("event", name, _bare(old.events[name]), None, said)
        else:
            yield from _payload(name, _bare(old.events[name]), _bare(new.events[name]))


def _payload(event: str, olds: Mapping[str, Schema], news: Mapping[str, Schema]) -> Iterator[Change]:
    for name in dict.fromkeys([*news, *olds]):
        before, now = olds.get(name), news.get(name)
        if before != now:
            yield _schema_change("event", f"{event}.{name}", before, now, _said_of_payload(event, name, before, now))


def _said_of_payload(event: str, name: str, before: Json, now: Json) -> _Said:
    said = quoted(f"event.{name}")
    if before is None:
        text = f"{quoted(event)} carries {said} now: {quoted_value(now)}"
        if is_required(now):
            return _Said(text, f"senders that do not give {quoted(name)} are refused", Level.BREAKS)
        return _Said(text)
    if now is None:
        text = f"{quoted(event)} does not carry {said} any more"
        return _Said(text, f"senders that give {quoted(name)} are refused", Level.BREAKS)
    return _Said(f"{said} of {quoted(event)} is {quoted_value(now)}, and was {quoted_value(before)}")


class _Said(NamedTuple):
    """The sentences of a row."""

    text: str
    risk: str = ""
    level: Level = Level.LOOK


def _schema_change(what: str, name: str, old: Json, new: Json, said: _Said) -> Change:
    keys = both_keys("data" if what == "data" else "events", name)
    return Change(kind_between(old, new), what, "", said.text, old, new, said.risk, said.level, keys, is_drawn=False)


# --------------------------------------------------------------------------- the rest


def _limits(old: Workflow, new: Workflow) -> Iterator[Change]:
    before, now = old.limits.to_json(), new.limits.to_json()
    olds, news = dict(before.pop("visits", {})), dict(now.pop("visits", {}))
    for name in dict.fromkeys([*now, *before]):
        this, that = before.get(name), now.get(name)
        if this != that:
            text = f"limit {quoted(name)} is {_bound(that)}, and was {_bound(this)}"
            keys = both_keys("limits", name)
            kind = kind_between(this, that)
            risk = "" if that is None or _is_above(that, this) else "agents beyond it are parked"
            yield Change(kind, "limit", "", text, this, that, risk, keys=keys, is_drawn=False)
    for path in dict.fromkeys([*news, *olds]):
        this, that = olds.get(path), news.get(path)
        if this != that and path in new.by_path:
            text = f"{quoted(path)} may be entered {_times(that)}, and could be {_times(this)}"
            risk = "" if that is None or (this is not None and that > this) else "agents beyond it are parked"
            kind = kind_between(this, that)
            yield Change(kind, "limit", path, text, this, that, risk, keys=both_keys("visits"))


def _bound(value: Json) -> str:
    return "none" if value is None else quoted(str(value))


def _times(count: int | None) -> str:
    return "without limit" if count is None else f"{count} time{'s' * (count != 1)}"


def _is_above(now: Json, before: Json) -> bool:
    """Whether a limit was surely raised: those that are texts, such as 3d, are not compared."""
    return isinstance(now, int | float) and isinstance(before, int | float) and now > before


def _mapping(what: str, said: str, olds: Mapping[str, Json], news: Mapping[str, Json]) -> Iterator[Change]:
    for name in dict.fromkeys([*news, *olds]):
        before, now = olds.get(name), news.get(name)
        if before != now:
            kind = kind_between(before, now)
            subject = f"{quoted(name)} {said}" if said.startswith("of") else f"{said} {quoted(name)}"
            text = f"{subject} is {quoted_value(now)}, and was {quoted_value(before)}"
            yield Change(kind, what, "", text, before, now, keys=both_keys(what, name), is_drawn=False)


def _workflows(old: Workflow, new: Workflow) -> Iterator[Change]:
    for name in dict.fromkeys([*new.workflows, *old.workflows]):
        before, now = old.workflows.get(name), new.workflows.get(name)
        if before == now:
            continue
        verb = "is new" if before is None else "is gone" if now is None else "has changed: see its own list"
        text = f"the embedded workflow {quoted(name)} {verb}"
        was, becomes = (None if each is None else each.hash for each in (before, now))
        level = Level.FINE if was == becomes else Level.LOOK
        keys = both_keys("workflows", name)
        kind = kind_between(before, now)
        yield Change(kind, "workflow", "", text, was, becomes, level=level, keys=keys, is_drawn=False)

"""Rows for states: those that came, went or were renamed, and what is different in those that stayed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from fsm_agent.change.change import Change, ChangeKind, Level, both_keys, kind_between, new_key, old_key
from fsm_agent.change.quotations import quoted, quoted_list, quoted_value
from fsm_agent.change.state_matches import Renames
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Ask, Retry, State
from fsm_agent.domain.workflow import Workflow


def state_changes(old: Workflow, new: Workflow, names: Renames) -> Iterator[Change]:
    """The rows of all states but for their transitions and timers; ``old`` has the new names already."""
    yield from _renamed(names, new)
    for path, state in new.by_path.items():
        if path not in old.by_path and (state.parent is None or state.parent in old.by_path):
            text = f"state {quoted(path)}{_inside(state)}"
            yield Change(ChangeKind.ADDED, "state", path, text, new=path, keys=(new_key("state"),))
    for path, state in old.by_path.items():
        if path not in new.by_path and (state.parent is None or state.parent in new.by_path):
            yield _removed(new, state)
    for path, state in new.by_path.items():
        if path in old.by_path:
            yield from _facts(old.by_path[path], state)
            if not old.by_path[path].is_leaf and not state.is_leaf:
                yield from _order(old.by_path[path].states, state.states, path)
    yield from _order(old.states, new.states, "")


def _renamed(names: Renames, new: Workflow) -> Iterator[Change]:
    for path, place in names.items():
        if place not in new.by_path:
            continue
        outer, _, name = path.rpartition(".")
        if place == f"{names.get(outer)}.{name}":
            continue  # only the state around it is called otherwise
        text = f"state {quoted(path)} is called {quoted(place)} now"
        yield Change(ChangeKind.RENAMED, "state", place, text, path, place, keys=both_keys("state"))


def _inside(state: State) -> str:
    """What a state that came or went is about. Its transitions have no rows of their own."""
    if state.states:
        return f" with {quoted_list(each.name for each in state.states)}"
    does = f"does {quoted(state.do)}" if state.do else ""
    asks = f"asks {quoted(state.ask.prompt)}" if state.ask else ""
    ends = f"ends as {quoted(state.outcome)}" if state.final else ""
    handlers = [*state.on.values(), *(timer.transitions for timer in state.after)]
    targets = dict.fromkeys(each.target for chosen in handlers for each in chosen or () if each.target is not None)
    leads = f"leads to {quoted_list(targets)}" if targets else ""
    said = ", ".join(filter(None, (does, asks, ends, leads)))
    return f": it {said}" if said else ""


def _removed(new: Workflow, state: State) -> Change:
    text = f"state {quoted(state.path)}{_inside(state)}"
    is_mapped = any(migration.place(state.path) for migration in new.migrations)
    is_safe = state.final or is_mapped
    risk = "" if is_safe else "agents that are there need a mapping under `migrations`"
    level = Level.LOOK if is_safe else Level.BREAKS
    keys = (old_key("state"),)
    return Change(ChangeKind.REMOVED, "state", state.path, text, old=state.path, risk=risk, level=level, keys=keys)


def _facts(old: State, new: State) -> Iterator[Change]:
    yield from _work(old, new)
    if old.ask != new.ask:
        yield from _question(old.ask, new.ask, new.path)
    if old.initial != new.initial and not old.is_leaf and not new.is_leaf:
        text = f"{quoted(new.path)} begins in {quoted(new.initial or '')}, not in {quoted(old.initial or '')}"
        yield Change(ChangeKind.CHANGED, "initial", new.path, text, old.initial, new.initial, keys=both_keys("initial"))
    if old.is_leaf != new.is_leaf:
        yield _nested(old, new)
    if (old.final, old.outcome) != (new.final, new.outcome):
        yield _ending(old, new)
    yield from _entries("output", "output", new.path, old.output, new.output)


def _nested(old: State, new: State) -> Change:
    text = f"{quoted(new.path)} has {'no states inside it any more' if new.is_leaf else 'states inside it now'}"
    risk = "agents that are there need a mapping under `migrations`"
    keys = both_keys("state")
    return Change(ChangeKind.CHANGED, "state", new.path, text, old.is_leaf, new.is_leaf, risk, Level.BREAKS, keys)


def _ending(old: State, new: State) -> Change:
    was, becomes = (f"an end ({quoted(each.outcome)})" if each.final else "no end" for each in (old, new))
    text = f"{quoted(new.path)} is {becomes}, and was {was}"
    risk = "" if new.final else "agents that have ended there stay ended"
    return Change(ChangeKind.CHANGED, "outcome", new.path, text, was, becomes, risk, keys=both_keys("outcome"))


def _work(old: State, new: State) -> Iterator[Change]:
    at, where = quoted(new.path), new.path
    if old.do != new.do:
        if old.do is None or new.do is None:
            verb = "does" if new.do else "does no longer"
            kind = ChangeKind.ADDED if new.do else ChangeKind.REMOVED
            text = f"{at} {verb} {quoted(new.do or old.do or '')}"
        else:
            kind, text = ChangeKind.CHANGED, f"{at} does {quoted(new.do)}, not {quoted(old.do)}"
        risk = "agents at work there are parked when they are moved" if new.do else ""
        yield Change(kind, "action", where, text, old.do, new.do, risk, keys=both_keys("do"))
    yield from _entries("argument", "with", where, old.with_, new.with_)
    yield from _bounds(old, new)


def _bounds(old: State, new: State) -> Iterator[Change]:
    at, where = quoted(new.path), new.path
    if old.timeout != new.timeout:
        before, now = (each.timeout.text if each.timeout else None for each in (old, new))
        may, could = (quoted(each) if each else "any time" for each in (now, before))
        text = f"{at}: an attempt may take {may}, and could take {could}"
        yield Change(kind_between(before, now), "timeout", where, text, before, now, keys=both_keys("timeout"))
    if old.retry != new.retry:
        text = f"{at}: retries are {_retry(new.retry)}, and were {_retry(old.retry)}"
        was, becomes = (each.retry.to_json() if each.retry else None for each in (old, new))
        yield Change(kind_between(was, becomes), "retry", where, text, was, becomes, keys=both_keys("retry"))


def _retry(retry: Retry | None) -> str:
    if retry is None:
        return "none"
    longest = f" up to {retry.max}" if retry.max else ""
    only = f", on {', '.join(retry.on)}" if retry.on else ""
    return quoted(f"{retry.attempts} attempts, {retry.backoff} doubling{longest}{only}")


def _entries(what: str, said: str, where: str, olds: Mapping[str, Json], news: Mapping[str, Json]) -> Iterator[Change]:
    """What is different in a mapping; ``said`` is the first part of the keys."""
    for name in dict.fromkeys([*news, *olds]):
        before, now = ([each[name]] if name in each else None for each in (olds, news))
        if _written(before) == _written(now):
            continue
        kind = kind_between(before, now)
        shown = " became ".join(_shown(each[0]) for each in (before, now) if each is not None)
        text = f"{quoted(where)}: {what} {quoted(name)} {'was ' * (kind is ChangeKind.REMOVED)}{shown}"
        yield Change(kind, what, where, text, olds.get(name), news.get(name), keys=both_keys(said, name))


def _written(value: Json) -> str:
    return json.dumps(value, sort_keys=True)


def _shown(value: Json) -> str:
    """An expression as it is written; any other value as JSON."""
    return quoted(value) if isinstance(value, str) else quoted_value(value)


def _question(old: Ask | None, new: Ask | None, where: str) -> Iterator[Change]:
    at = quoted(where)
    if old is None or new is None:
        verb, kind = ("asks", ChangeKind.ADDED) if new else ("asks no more", ChangeKind.REMOVED)
        written = new or old
        text = f"{at} {verb}: {quoted(written.prompt if written else '')}"
        before, now = (each.to_json() if each else None for each in (old, new))
        yield Change(kind, "question", where, text, before, now, keys=both_keys("ask"))
        return
    if old.prompt != new.prompt:
        text = f"{at} asks in other words: {quoted(new.prompt)}"
        yield Change(ChangeKind.CHANGED, "question", where, text, old.prompt, new.prompt, keys=both_keys("ask.prompt"))
    if old.events != new.events:
        text = f"{at}: the answers are {quoted_list(new.events)}, and were {quoted_list(old.events)}"
        keys = both_keys("ask.events")
        yield Change(ChangeKind.CHANGED, "question", where, text, list(old.events), list(new.events), keys=keys)
    if old.to != new.to:
        to, was = (quoted(each) if each else "anybody" for each in (new.to, old.to))
        level, risk = (Level.LOOK, "") if new.to else (Level.BREAKS, "anybody may answer now")
        text = f"{at}: the question is for {to}, and was for {was}"
        keys = both_keys("ask.to")
        yield Change(kind_between(old.to, new.to), "addressee", where, text, old.to, new.to, risk, level, keys)


def _order(olds: tuple[State, ...], news: tuple[State, ...], where: str) -> Iterator[Change]:
    """States in another order behave alike; only pictures and lists show them so."""
    both = {each.path for each in olds} & {each.path for each in news}
    before, now = ([each.path for each in states if each.path in both] for states in (olds, news))
    if before != now:
        inside = f" inside {quoted(where)}" if where else ""
        text = f"the states{inside} stand in another order"
        yield Change(
            ChangeKind.REORDERED, "order", where, text, list(before), list(now), level=Level.FINE, is_drawn=False
        )

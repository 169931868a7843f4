"""What must hold, before and now: each property of either version with the verdicts about both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.change.change import Change, ChangeKind, Level, both_keys
from fsm_agent.change.quotations import quoted
from fsm_agent.dialect.terms import TermInvalid
from fsm_agent.domain.json import Json
from fsm_agent.domain.property import AtMost, Never, Property, Reaches, Rule, Whenever, rule_text
from fsm_agent.domain.workflow import Workflow
from fsm_agent.proof.verdicts import Outcome, Proof, Verdict

#: proves properties of a workflow
Prove: TypeAlias = Callable[[Workflow, Sequence[Property]], Proof]


class RuleChange(StrEnum):
    """What has become of a rule."""

    ADDED = "added"
    REMOVED = "removed"
    #: it asks for the same, perhaps in other words
    SAME = "same"
    #: every run that keeps the new rule keeps the old one
    STRONGER = "stronger"
    #: every run that kept the old rule keeps the new one
    WEAKER = "weaker"
    OTHER = "other"


class PropertyChange(NamedTuple):
    """One property, before and now."""

    name: str
    rule: RuleChange
    #: the rules; the old one names states as they are called now
    old: Rule | None
    new: Rule | None
    #: what was proved of each version under its own rule
    before: Verdict | None
    now: Verdict | None
    #: what is proved of the new version under the old rule, where that is gone or reads otherwise
    kept: Verdict | None = None

    @property
    def is_broken_now(self) -> bool:
        """Whether the new version breaks what it must keep, and the old one did not."""
        was_broken = self.before is not None and self.before.outcome is Outcome.VIOLATED
        return self.now is not None and self.now.outcome is Outcome.VIOLATED and not was_broken

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "rule": str(self.rule),
            "old": self.old.to_json() if self.old else None,
            "new": self.new.to_json() if self.new else None,
            "before": _verdict(self.before),
            "now": _verdict(self.now),
            "kept": _verdict(self.kept),
        }


def _verdict(verdict: Verdict | None) -> Json:
    return None if verdict is None else {"verdict": str(verdict.outcome), "why": verdict.why}


def property_changes(
    old: Workflow, renamed: Workflow, new: Workflow, prove: Prove, *, is_same: bool
) -> tuple[PropertyChange, ...]:
    """All properties of both versions. ``renamed`` is ``old`` with the new names; with ``is_same`` both versions behave
    alike, so that what is proved of one is proved of the other."""
    olds = {each.name: each for each in renamed.must}
    news = {each.name: each for each in new.must}
    now = {verdict.name: verdict for verdict in _proved(new, new.must, prove)}
    before = now if is_same and olds == news else {each.name: each for each in _proved(old, old.must, prove)}
    lost = [each for name, each in olds.items() if name not in news or news[name].rule != each.rule]
    kept = {verdict.name: verdict for verdict in _proved(new, lost, prove)}
    return tuple(
        PropertyChange(
            name,
            _judged(olds.get(name), news.get(name)),
            olds[name].rule if name in olds else None,
            news[name].rule if name in news else None,
            before.get(name),
            now.get(name),
            kept.get(name),
        )
        for name in dict.fromkeys([*news, *olds])
    )


def _proved(workflow: Workflow, properties: Sequence[Property], prove: Prove) -> Iterator[Verdict]:
    """A rule whose terms are gone has no verdict."""
    try:
        yield from prove(workflow, properties).verdicts if properties else ()
    except TermInvalid:
        if len(properties) > 1:
            for each in properties:
                yield from _proved(workflow, [each], prove)


def _judged(old: Property | None, new: Property | None) -> RuleChange:
    if old is None or new is None:
        return RuleChange.ADDED if old is None else RuleChange.REMOVED
    is_weaker, is_stronger = _is_implied(new.rule, by=old.rule), _is_implied(old.rule, by=new.rule)
    if old.rule == new.rule or (is_weaker and is_stronger):
        return RuleChange.SAME
    if is_weaker:
        return RuleChange.WEAKER
    return RuleChange.STRONGER if is_stronger else RuleChange.OTHER


def _is_implied(rule: Rule, *, by: Rule) -> bool:
    """Whether every run that keeps the rule ``by`` surely keeps ``rule``, as far as that can be seen in the words."""
    match rule, by:
        case Never(), Never():
            return _fewer(rule.terms, by.terms) and _is_narrower(rule, by)
        case AtMost(), AtMost():
            is_reset_as_often = rule.since == by.since or not by.since
            return _fewer(rule.terms, by.terms) and rule.count >= by.count and is_reset_as_often
        case Reaches(), Reaches():
            has_time = rule.within is None or (by.within is not None and rule.within.ms >= by.within.ms)
            return _fewer(by.terms, rule.terms) and has_time and bool(rule.since) and _fewer(rule.since, by.since)
        case Whenever(), Whenever():
            return _fewer(rule.events, by.events) and rule.holds == by.holds
    return False


def _fewer(these: Sequence[str], those: Sequence[str]) -> bool:
    return set(these) <= set(those)


def _is_narrower(rule: Never, by: Never) -> bool:
    """Whether a ``never`` holds on a part only of where the other holds."""
    if (rule.before, rule.after, rule.since, rule.until) == (by.before, by.after, by.since, by.until):
        return True
    if not (by.before or by.after or by.since):
        return True
    if by.before:
        return bool(rule.before) and _fewer(by.before, rule.before)
    begins, began = rule.after or rule.since, by.after or by.since
    return not rule.before and bool(begins) and _fewer(begins, began) and _fewer(by.until, rule.until)


_LOUD: Final = frozenset({RuleChange.REMOVED, RuleChange.WEAKER})
_KINDS: Final = {RuleChange.ADDED: ChangeKind.ADDED, RuleChange.REMOVED: ChangeKind.REMOVED}
_TEXTS: Final = {
    RuleChange.ADDED: "is asked for now: {new}",
    RuleChange.REMOVED: "is not asked for any more: {old}",
    RuleChange.WEAKER: "asks for less: {new}, and it was {old}",
    RuleChange.STRONGER: "asks for more: {new}, and it was {old}",
    RuleChange.OTHER: "asks for something else: {new}, and it was {old}",
}


def rule_rows(changes: Sequence[PropertyChange]) -> Iterator[Change]:
    """The rows for rules that came, went or read otherwise."""
    for each in changes:
        if each.rule is RuleChange.SAME:
            continue
        old, new = (rule.to_json() if rule else None for rule in (each.old, each.new))
        texts = [quoted(rule_text(rule)) if rule else "" for rule in (each.old, each.new)]
        said = _TEXTS[each.rule].format(old=texts[0], new=texts[1])
        kind = _KINDS.get(each.rule, ChangeKind.CHANGED)
        level = Level.BREAKS if each.rule in _LOUD or _is_lost(each) else Level.LOOK
        text = f"property {quoted(each.name)} {said}"
        keys = both_keys("must", each.name)
        yield Change(kind, "property", "", text, old, new, _risk(each), level, keys, is_drawn=False)


def _is_lost(change: PropertyChange) -> bool:
    return change.kept is not None and change.kept.outcome is Outcome.VIOLATED


def _risk(change: PropertyChange) -> str:
    if change.rule is RuleChange.ADDED:
        return ""
    if change.kept is None:
        return "" if change.rule is RuleChange.STRONGER else "nobody can tell whether the old rule still holds"
    return {
        Outcome.PROVED: "this version keeps the old rule all the same",
        Outcome.VIOLATED: "this version breaks the old rule",
        Outcome.OPEN: "it is open whether this version keeps the old rule",
    }[change.kept.outcome]

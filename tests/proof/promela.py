"""Workflows and their properties in Promela, for SPIN: a second opinion, which shares nothing with the prover.

Only the words of the dialect are used here: which candidates an event has, which events an action claims, what a term
means. Data are not modelled: each guard of a candidate may be true or false whenever it is asked, the same guard only
one of them at a time. So what SPIN proves holds whatever the data are, and what it breaks is broken without regard to
data only where guards look at nothing but what comes with their event.

All workflows of a model are one process, which begins with the choice of one of them. After each step, ``seen`` has one
bit for each thing that has happened with it; then comes a gap, in which it has none. Rules that something must never
happen are formulas, as the table in ``fsm_agent.proof.rules`` has them; "next" is "after the gap". That something must
happen is an automaton: SPIN's own translation of fairness takes minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from fsm_agent.dialect.terms import Term, TermKind, resolve
from fsm_agent.domain.property import AtMost, Never, Reaches, Rule, Whenever
from fsm_agent.domain.state import Candidates, State, Transition
from fsm_agent.domain.workflow import lineage

from .subjects import Subject, asks, claimed, has_budget, said

#: bits of ``seen`` that are no terms: a step is made, a state is entered, the agent is parked, a limit bounds the step
STEP, MOVED, PARKS, BOUNDED = 1, 2, 4, 8
#: bits from here on: a state with timers was left, one bit for each; then the terms
FIRST_BIT = 4
#: of ``at``: cancelled, where no state says what becomes of it
CANCELLED = 255


def model(subjects: list[Subject]) -> tuple[str, list[list[str]]]:
    """The text of a model, and for each subject the names of the claims about its properties."""
    writers = [_Writer(number, subject) for number, subject in enumerate(subjects, start=1)]
    owners = max(len(writer.owners) for writer in writers)
    rules = max(len(subject.properties) for subject in subjects)
    lines = ["byte wf; byte at; bool works; bool parked; bool ended; int seen; int failed;"]
    lines += [f"byte n{owner};" for owner in range(owners)]
    lines += [f"byte c{rule};" for rule in range(rules)]
    lines += ["init {", "if"]
    lines += [f":: d_step {{ {'; '.join(writer.beginning())} }} goto w{writer.number}" for writer in writers]
    lines += ["fi;"]
    for writer in writers:
        lines += [f"w{writer.number}:", "do", *writer.options(), "od;"]
    lines += ["stop: skip }"]
    for writer in writers:
        lines += writer.claims()
    return "\n".join(lines) + "\n", [writer.names for writer in writers]


class _Writer:
    def __init__(self, number: int, subject: Subject) -> None:
        self.number = number
        self._subject = subject
        self._workflow, _, self._properties = subject
        self._leaves = [leaf.path for leaf in self._workflow.leaves]
        self.owners = [path for path, state in self._workflow.by_path.items() if state.after]
        terms = dict.fromkeys(term for each in self._properties for term in self._terms(each.rule))
        self._bits = {term: 1 << (FIRST_BIT + len(self.owners) + place) for place, term in enumerate(terms)}
        assert len(self._bits) + len(self.owners) + FIRST_BIT <= 31, "so many bits a number has in SPIN"
        self.names = [f"w{number}_p{place}" for place in range(len(self._properties))]

    def _terms(self, rule: Rule) -> Iterator[Term]:
        for written in rule.terms_by_key.values():
            yield from sorted(resolve(self._workflow, written))
        if isinstance(rule, Reaches) and not rule.since:
            yield Term(TermKind.EVENT, "created")

    # ----------------------------------------------------------------- steps

    def beginning(self) -> list[str]:
        leaf = self._workflow.leaf(self._workflow.initial)
        entered = lineage(leaf.path)
        happened = {Term(TermKind.EVENT, "created"), *self._entry(leaf, entered)}
        return [
            f"wf = {self.number}",
            *self._armed(all_but=entered),
            f"at = {self._leaves.index(leaf.path)}",
            f"works = {int(leaf.do is not None)}",
            *self._seen(MOVED, happened),
        ]

    def options(self) -> Iterator[str]:
        yield ":: d_step { seen != 0 -> seen = 0 }"
        yield ":: d_step { seen == 0 && parked -> parked = 0 }"
        for leaf in self._workflow.leaves:
            if not leaf.final:
                here = f"seen == 0 && !parked && !ended && at == {self._leaves.index(leaf.path)}"
                yield from self._of_people(leaf, here)
                yield from self._of_action(leaf, f"{here} && works")
                yield from self._of_timers(leaf, here)
                rests = "1" if asks(leaf) else "!works"
                yield f":: d_step {{ {here} && {rests} && {self._no_timer()} -> skip }} goto stop"
        yield ":: d_step { ended && seen == 0 -> skip } goto stop"

    def _of_people(self, leaf: State, here: str) -> Iterator[str]:
        for event in self._workflow.events:
            may = f"{here} && !works" if event in claimed(self._subject, leaf) else here
            yield from self._taken(leaf, may, Term(TermKind.EVENT, event), self._workflow.candidates(leaf.path, event))
        if chosen := self._workflow.candidates(leaf.path, "cancel"):
            yield from self._taken(leaf, here, Term(TermKind.EVENT, "cancel"), chosen)
        else:
            happened = {Term(TermKind.EVENT, "cancel"), Term(TermKind.OUTCOME, "cancelled")}
            code = [f"at = {CANCELLED}", "works = 0", "ended = 1", *self._armed(all_but=()), *self._seen(0, happened)]
            yield _option(here, code)

    def _of_action(self, leaf: State, here: str) -> Iterator[str]:
        if leaf.do is None:
            return
        for event in self._workflow.events:
            if event in said(self._subject, leaf):
                chosen = self._workflow.candidates(leaf.path, event)
                yield from self._taken(leaf, here, Term(TermKind.EVENT, event), chosen, is_done=True)
        for event in ("error", "timeout") if leaf.timeout else ("error",):
            chosen = self._workflow.candidates(leaf.path, event)
            yield from self._taken(leaf, here, Term(TermKind.EVENT, event), chosen, is_done=True)
            if not chosen or all(each.when for each in chosen):
                yield _option(here, ["parked = 1", *self._seen(PARKS, {Term(TermKind.OUTCOME, "parked")})])

    def _of_timers(self, leaf: State, here: str) -> Iterator[str]:
        """In the order in which they are due; one that nothing takes is over all the same."""
        for state in self._workflow.chain(leaf.path):
            owner = f"n{self.owners.index(state.path)}" if state.after else ""
            in_order = sorted(state.after, key=lambda timer: timer.duration.ms)
            for fired, timer in enumerate(in_order):
                due, over = f"{here} && {owner} == {fired}", [f"{owner} = {fired + 1}"]
                term = Term(TermKind.TIMER, timer.duration.text)
                yield from self._taken(leaf, due, term, timer.transitions, before=over)
                if all(each.when for each in timer.transitions):
                    yield _option(due, [*over, *self._seen(0, set())])

    def _taken(
        self,
        leaf: State,
        here: str,
        happened: Term,
        chosen: Candidates,
        *,
        is_done: bool = False,
        before: list[str] | None = None,
    ) -> Iterator[str]:
        """One option for each candidate, and each truth of its conditions, with which it is the first that holds."""
        rules = [each.rule for each in self._properties]
        conditions = {place: rule.holds for place, rule in enumerate(rules) if isinstance(rule, Whenever)}
        guards = [each.when for each in chosen if each.when]
        asked = list(dict.fromkeys(map(_plain, [*guards, *conditions.values()])))
        found: dict[str, None] = {}
        for truths in product((False, True), repeat=len(asked)):
            holds = dict(zip(asked, truths, strict=True))
            taken = next((each for each in chosen if each.when is None or _holds(each.when, holds)), None)
            if taken is not None:
                failed = sum(1 << place for place, each in conditions.items() if not _holds(each, holds))
                is_bounded = is_done and (leaf.do or "").startswith("llm.") and has_budget(self._workflow)
                code = self._moved(leaf, taken, {happened}, is_done=is_done, bits=BOUNDED * is_bounded)
                found[_option(here, [*(before or []), f"failed = {failed}", *code])] = None
        yield from found

    def _moved(self, leaf: State, taken: Transition, happened: set[Term], *, is_done: bool, bits: int) -> Iterator[str]:
        if taken.target is None:
            yield from ["works = 0"] * is_done
            yield from self._seen(bits, happened)
            return
        target = self._workflow.leaf(taken.target)
        old, named, new = lineage(leaf.path), lineage(taken.target), lineage(target.path)
        common = [here for here, there in zip(old[:-1], named[:-1], strict=False) if here == there]
        left, entered = old[len(common) :], new[len(common) :]
        yield f"at = {self._leaves.index(target.path)}"
        yield f"works = {int(target.do is not None)}"
        for place, owner in enumerate(self.owners):
            if target.final or (owner in left and owner not in entered):
                yield f"n{place} = {len(self._workflow.by_path[owner].after)}"
            elif owner in entered:
                yield f"n{place} = 0"
            bits |= (1 << (FIRST_BIT + place)) * (owner in left)
        if target.final:
            yield "ended = 1"
        limits = self._workflow.limits
        works_on = limits.wall_time is not None and target.do is not None
        is_counted = Term(TermKind.EVENT, "cancel") not in happened  # no limit keeps anybody from cancelling
        bits |= BOUNDED * is_counted * (not limits.visits.keys().isdisjoint(entered) or works_on)
        yield from self._seen(bits | MOVED, happened | self._entry(target, entered))

    def _seen(self, bits: int, happened: set[Term]) -> Iterator[str]:
        """What a step leaves behind: its bits, and the counts of what may happen only so often."""
        free = {Term(TermKind.EVENT, "created"), Term(TermKind.EVENT, "cancel")}
        is_limited = self._workflow.limits.steps is not None and not free & happened
        bits |= STEP | BOUNDED * is_limited
        yield f"seen = {sum(bit for term, bit in self._bits.items() if term in happened) | bits}"
        for place, each in enumerate(self._properties):
            if isinstance(each.rule, AtMost):
                if happened & resolve(self._workflow, each.rule.since):
                    yield f"c{place} = 0"
                if happened & resolve(self._workflow, each.rule.terms):
                    yield f"c{place} = (c{place} > {each.rule.count} -> c{place} : c{place} + 1)"

    def _entry(self, leaf: State, entered: tuple[str, ...]) -> set[Term]:
        found = {Term(TermKind.STATE, path) for path in entered}
        found |= {Term(TermKind.ACTION, leaf.do)} if leaf.do else set()
        return found | ({Term(TermKind.OUTCOME, leaf.outcome)} if leaf.final else set())

    def _armed(self, all_but: tuple[str, ...]) -> Iterator[str]:
        """No timer is armed, but for those of these states."""
        for place, owner in enumerate(self.owners):
            yield f"n{place} = {0 if owner in all_but else len(self._workflow.by_path[owner].after)}"

    def _no_timer(self) -> str:
        over = [f"n{place} == {len(self._workflow.by_path[owner].after)}" for place, owner in enumerate(self.owners)]
        return " && ".join(over) or "1"

    # ----------------------------------------------------------------- claims

    def claims(self) -> Iterator[str]:
        for place, (name, each) in enumerate(zip(self.names, self._properties, strict=True)):
            if isinstance(each.rule, Reaches):
                yield from self._reaches(name, each.rule)
            else:
                yield f"ltl {name} {{ {self._formula(each.rule, place)} }}"

    def _formula(self, rule: Rule, place: int) -> str:
        match rule:
            case Never(terms, before, after, since, until):
                banned, begin = self._any(terms), self._any(after or since)
                if before:
                    return f"([] !{banned}) || ((!{banned}) U {self._any(before)})"
                if not (after or since):
                    return f"[] !{banned}"
                from_then = f"([] !{banned}) || ((!{banned}) U {self._any(until)})" if until else f"[] !{banned}"
                return f"[] ({begin} -> ((seen != 0) U (seen == 0 && ({from_then}))))"
            case AtMost(count):
                return f"[] !(wf == {self.number} && c{place} > {count})"
            case Whenever(events):
                return f"[] ({self._any(events)} -> (failed & {1 << place}) == 0)"
            case _:
                raise AssertionError(rule)

    def _reaches(self, name: str, rule: Reaches) -> Iterator[str]:
        """What breaks it: something is owed, and from some time on nothing happens that limits bound, while timers fire
        or their states are left, and actions end, again and again."""
        goal, since = self._any(rule.terms), self._any(rule.since or ("event created",))
        asking = [f"at == {self._leaves.index(leaf.path)}" for leaf in self._workflow.leaves if asks(leaf)]
        again = [
            f"({self._bit(1 << (FIRST_BIT + place))} || n{place} == {len(self._workflow.by_path[owner].after)})"
            for place, owner in enumerate(self.owners)
        ]
        again.append(f"(!works || parked || {self._bit(MOVED)}{''.join(f' || {each}' for each in asking)})")
        waits = f"!{goal} && !{self._bit(PARKS | BOUNDED)}"
        yield f"never {name} {{"
        yield f"s: if :: true -> goto s :: ({since} && !{goal}) -> goto p fi;"
        yield f"p: if :: (!{goal}) -> goto p :: ({waits}) -> goto a0 fi;"
        for place, each in enumerate(again):
            following = f"a{place + 1}" if place + 1 < len(again) else "accept_all"
            yield f"a{place}: if :: ({waits} && !{each}) -> goto a{place}"
            yield f":: ({waits} && {each}) -> goto {following} fi;"
        yield f"accept_all: if :: ({waits}) -> goto a0 fi }}"

    def _any(self, terms: tuple[str, ...]) -> str:
        return self._bit(sum(self._bits[term] for term in resolve(self._workflow, terms)))

    def _bit(self, bits: int) -> str:
        return f"(wf == {self.number} && (seen & {bits}) != 0)"


def _option(condition: str, code: list[str]) -> str:
    return f":: d_step {{ {condition} -> {'; '.join(code)} }}"


def _plain(guard: str) -> str:
    return guard.removeprefix("!")


def _holds(guard: str, holds: Mapping[str, bool]) -> bool:
    return holds[_plain(guard)] is not guard.startswith("!")

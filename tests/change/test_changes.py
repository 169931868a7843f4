"""Which rows a change has, what they say, and how loud they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm_agent.change.change import ChangeKind, Level
from fsm_agent.change.difference import Difference, compare
from fsm_agent.change.properties import RuleChange
from fsm_agent.engine.migration.plan import MigrationVerdict
from fsm_agent.loading.yaml_file import loads
from fsm_agent.proof.verdicts import Outcome
from tests.change.versions import SMALL, edited, text_of, told

GONE = "\N{MINUS SIGN}"
MORE = "            - {when: data.amount > 100, target: second}\n"
APPROVE = f"{MORE}            - paid\n"


def levels(difference: Difference) -> dict[str, Level]:
    return {change.what: change.level for change in difference.changes}


@pytest.mark.parametrize(
    ("edit", "row", "level"),
    [
        (("{target: review,", "{target: review.second,"), "~ in `idle`, `ask` leads to `review.second`", "look"),
        (
            ("            - {when: data.amount > 100, target: second}\n", ""),
            f"{GONE} in `review.first`: `approve` when `data.amount > 100` leads to `review.second`",
            "look",
        ),
        (("3d: gone", "5d: gone"), "~ in `review`, the time is up after `5d`, not after `3d`", "look"),
        (("    after: {3d: gone}\n", ""), f"{GONE} in `review`: `after 3d` leads to `gone`", "breaks"),
        (("to: \"'boss'\"", "to: \"'team'\""), "~ `review.second`: the question is for `'team'`, and was for", "look"),
        ((", to: \"'boss'\"", ""), f"{GONE} `review.second`: the question is for anybody, and was", "breaks"),
        (('"Really?"', '"Sure?"'), "~ `review.second` asks in other words: `Sure?`", "look"),
        (("initial: idle", "initial: review"), "~ agents begin in `review`, not in `idle`", "look"),
        (("initial: first", "initial: second"), "~ `review` begins in `review.second`, not in `review.first`", "look"),
        (("outcome: cancelled", "outcome: failed"), "~ `gone` is an end (`failed`), and was", "look"),
        (("initial: idle\n", "initial: idle\nlimits: {steps: 9}\n"), "+ limit `steps` is `9`, and was none", "look"),
        (("  approve: {}\n", "  approve: {}\n  more: {}\n"), "+ event `more` is new", "look"),
        (("ask: {amount: integer}", "ask: {amount: integer, to: string}"), "+ `ask` carries `event.to` now", "breaks"),
        (("  author: string?\n", "  author: string?\n  who: string\n"), "+ `data.who` is new", "breaks"),
        (("  author: string?\n", "  author: string?\n  who: string?\n"), "+ `data.who` is new", "look"),
        ((APPROVE, APPROVE.replace("paid", "idle")), "~ in `review.first`, `approve` leads to `idle`, not", "look"),
    ],
)  # fmt: skip
def test_each_kind_of_change_has_its_row(edit: tuple[str, str], row: str, level: str) -> None:
    rows = told(difference := edited(SMALL, edit))
    assert len(rows) == 1, rows
    assert rows[0].startswith(row)
    assert difference.changes[0].level == level


def test_a_guard_that_is_lost_is_loud() -> None:
    """Whoever wrote an expense may approve it now."""
    old = "{target: entering, when: event.by != data.author, assign: {approver: event.by}}"
    difference = edited("expense_approval", (old, "{target: entering, assign: {approver: event.by}}"))
    [change] = difference.changes
    assert change.level is Level.BREAKS
    assert change.risk.startswith("the guard `event.by != data.author` is gone; for ")
    assert change.risk.endswith("refused before, `entering` now")


def test_the_fix_of_a_hole_reads_as_what_is_refused_now() -> None:
    """A handler moved from a parent into those children that need it, and one child does not."""
    fixed = text_of("book_flight")
    hole = fixed.replace(
        "    initial: searching\n", "    initial: searching\n    on: {needs_date: waiting_feedback.date}\n"
    )
    for line in ("          needs_input: waiting_feedback.choice\n", "          step_complete: issuing\n"):
        hole = hole.replace(f"{line}          needs_date: waiting_feedback.date\n", line)
    difference = compare(loads(hole), loads(fixed))
    assert [each.text for each in difference.meaning] == ["`executing.issuing` refuses `needs_date` now"]
    assert [change.level for change in difference.changes] == ["look", "fine", "fine"]


def test_what_is_never_reached_is_not_said_to_be_taken() -> None:
    """What a parent would do is hidden by a child's handler without a guard."""
    old = SMALL.replace("  reject: {}\n", "  reject: {}\n  skip: {}\n")
    difference = edited(
        old,
        ("      reject: gone\n", "      reject: gone\n      skip: gone\n"),
        (APPROVE, f"{APPROVE}          skip: paid\n"),
    )
    assert [each.text for each in difference.meaning] == [
        "`review.first` takes `skip` now, to `paid`",
        "`review.second` takes `skip` now, to `gone`",
    ]


def test_a_renamed_state_is_recognised_with_what_leads_to_it() -> None:
    difference = edited("support_triage", ("handing_over", "with_a_person"))
    assert told(difference) == ["↦ state `handing_over` is called `with_a_person` now"]
    assert difference.renames == {"handing_over": "with_a_person"}
    assert difference.meaning == ()


def test_a_renamed_state_takes_what_is_in_it_along() -> None:
    """Also what counts its visits, and the properties that name it."""
    with_rule = f"{SMALL}must: {{once: {{at_most: 1, of: review.second}}}}\n"
    counted = with_rule.replace("data.amount > 100", "'data.amount > 100 && visits[\"review.second\"] < 2'")
    difference = edited(counted, ("review", "approval"))
    assert told(difference) == ["↦ state `review` is called `approval` now"]
    assert difference.renames == {
        "review": "approval",
        "review.first": "approval.first",
        "review.second": "approval.second",
    }
    assert [each.rule for each in difference.properties] == [RuleChange.SAME]


def test_migrations_say_which_state_is_which() -> None:
    """Though nothing else makes them alike."""
    mapped = "version: 2\nmigrations:\n  - {from: 1, states: {idle: start}}\n"
    changed = SMALL.replace("version: 1\n", mapped).replace("idle", "start").replace("{start: start}", "{idle: start}")
    changed = changed.replace("{ask: {target: review, ", "{reject: {target: gone, ").replace("amount: event.amount", "")
    assert compare(loads(SMALL), loads(changed)).renames == {"idle": "start"}


def test_a_state_inside_a_renamed_one_that_is_gone_is_removed() -> None:
    two = SMALL.replace("      second:\n", "      third: {on: {approve: paid}}\n      second:\n")
    difference = edited(two, ("review", "approval"), ("      third: {on: {approve: paid}}\n", ""))
    assert [(change.kind, change.where) for change in difference.changes] == [
        (ChangeKind.RENAMED, "approval"),
        (ChangeKind.REMOVED, "approval.third"),
    ]


def test_a_state_that_got_children_is_said_to_break_agents() -> None:
    idle = "  idle:\n    on: {ask: {target: review, assign: {amount: event.amount}}}\n"
    nested = f"{idle}    initial: quiet\n    states: {{quiet: {{}}}}\n"
    difference = edited(SMALL, (idle, nested))
    assert told(difference) == ["+ state `idle.quiet`", "~ `idle` has states inside it now"]
    assert difference.changes[1].level is Level.BREAKS


def test_candidates_in_another_order_are_told_with_what_that_does() -> None:
    first, second = MORE, MORE.replace("100, target: second", "10, target: paid")
    two = first + second
    difference = edited(SMALL.replace(APPROVE, two), (two, second + first))
    [change] = difference.changes
    assert (change.kind, change.level) == (ChangeKind.REORDERED, Level.LOOK)
    assert change.risk == "for `data.amount = 101`: `review.second` before, `paid` now"


def test_candidates_that_exclude_each_other_may_stand_in_any_order() -> None:
    first, second = MORE, MORE.replace("> 100, target: second", "< 10, target: paid")
    two = first + second
    [change] = edited(SMALL.replace(APPROVE, two), (two, second + first)).changes
    assert (change.kind, change.level) == (ChangeKind.REORDERED, Level.FINE)


def test_a_timer_that_is_as_long_in_other_words_has_no_meaning() -> None:
    difference = edited(SMALL, ("3d", "72h"))
    assert difference.meaning == ()
    [row] = difference.changes
    assert row.text == "in `review`, the timer `3d` is written `72h` now"
    assert row.level == Level.FINE
    longer = edited(SMALL, ("3d", "73h"))
    assert [each.text for each in longer.meaning] == ["the time in `review` is up after `73h`, not after `3d`"]


def test_a_description_counts_where_a_model_that_decides_reads_it() -> None:
    difference = edited("support_triage", ("A person should see this.", "A person must see this."))
    [change] = difference.changes
    assert (change.what, change.level, change.is_drawn) == ("description", Level.LOOK, True)
    assert change.risk == "the model that decides in `triaging` reads it"
    silent = edited("support_triage", ("Tells the customer about the refund.", "Tells them about it."))
    assert [change.risk for change in silent.changes] == ["the model that decides in `triaging` reads it"]
    assert [each.change.level for each in edited("book_flight", ("Writes the itinerary.", "Writes it.")).rows] == [
        "fine"
    ]


# --------------------------------------------------------------------------- properties

RULES = """must:
  never_back: {never: idle, after: [review, gone]}
  decided: {from: review, reaches: [paid, gone], within: 3d}
  once: {at_most: 1, of: review.second}
  boss: {never: paid, before: ask}
"""


@pytest.mark.parametrize(
    ("edit", "name", "rule"),
    [
        (("  never_back: {never: idle, after: [review, gone]}\n", ""), "never_back", RuleChange.REMOVED),
        (("within: 3d", "within: 30d"), "decided", RuleChange.WEAKER),
        ((", within: 3d", ""), "decided", RuleChange.WEAKER),
        (("within: 3d", "within: 2d"), "decided", RuleChange.STRONGER),
        (("[paid, gone]", "paid"), "decided", RuleChange.STRONGER),
        (("at_most: 1", "at_most: 2"), "once", RuleChange.WEAKER),
        (("after: [review, gone]}", "after: review}"), "never_back", RuleChange.WEAKER),
        (("never: paid, before: ask", "never: [paid, gone], before: ask"), "boss", RuleChange.STRONGER),
        (("never: paid, before: ask", "never: paid, before: [ask, approve]"), "boss", RuleChange.WEAKER),
        (("never: paid, before: ask", "never: paid, after: reject"), "boss", RuleChange.OTHER),
    ],
)
def test_a_rule_that_asks_for_less_is_loud(edit: tuple[str, str], name: str, rule: RuleChange) -> None:
    is_loud = rule in (RuleChange.REMOVED, RuleChange.WEAKER)
    difference = edited(SMALL + RULES, edit)
    [changed] = [each for each in difference.properties if each.rule is not RuleChange.SAME]
    assert (changed.name, changed.rule) == (name, rule)
    [row] = [change for change in difference.changes if change.what == "property"]
    assert row.level == (Level.BREAKS if is_loud else Level.LOOK)
    assert f"`{name}`" in row.text


@pytest.mark.parametrize(
    "edit",
    [
        ("after: [review, gone]}", "after: [gone, review]}"),
        ("after: [review, gone]}", "from: [review, gone]}"),
        ("within: 3d", "within: 72h"),
        ("reaches: [paid, gone]", "reaches: [gone, paid]"),
    ],
)
def test_a_rule_that_asks_for_the_same_in_other_words_is_no_change(edit: tuple[str, str]) -> None:
    difference = edited(SMALL + RULES, edit)
    assert {each.rule for each in difference.properties} == {RuleChange.SAME}
    assert [change for change in difference.changes if change.what == "property"] == []


def test_a_rule_is_told_as_it_is_written() -> None:
    difference = edited(SMALL + RULES, ("within: 3d", "within: 30d"))
    [row] = [change for change in difference.changes if change.what == "property"]
    assert row.text == (
        "property `decided` asks for less: `reaches: [paid, gone], from: review, within: 30d`, "
        "and it was `reaches: [paid, gone], from: review, within: 3d`"
    )


def test_of_a_rule_that_is_gone_it_is_said_whether_it_still_holds() -> None:
    without = ("  boss: {never: paid, before: ask}\n", "")
    kept = edited(SMALL + RULES, without)
    assert kept.changes[0].risk == "this version keeps the old rule all the same"
    broken = edited(SMALL + RULES, without, ("initial: idle", "initial: review"))
    [row] = [change for change in broken.changes if change.what == "property"]
    assert (row.risk, row.level) == ("this version breaks the old rule", Level.BREAKS)


def test_a_property_that_is_broken_now_is_told_with_both_verdicts() -> None:
    difference = edited(SMALL + RULES, ("initial: idle", "initial: review"))
    [boss] = [each for each in difference.properties if each.name == "boss"]
    assert boss.before is not None
    assert boss.now is not None
    assert (boss.before.outcome, boss.now.outcome) == (Outcome.PROVED, Outcome.VIOLATED)
    assert boss.is_broken_now
    assert difference.is_broken


# --------------------------------------------------------------------------- agents


def outlook(difference: Difference) -> dict[str, tuple[str, str | None]]:
    return {each.state: (each.verdict, each.to_state) for each in difference.agents}


def test_what_becomes_of_agents_is_told_state_by_state() -> None:
    difference = edited(
        SMALL, ("version: 1", "version: 2"), ("      second:\n", "      boss:\n"), ("target: second", "target: boss")
    )
    assert difference.renames == {"review.second": "review.boss"}
    assert outlook(difference) == {
        "idle": (MigrationVerdict.MOVES, "idle"),
        "review.first": (MigrationVerdict.MOVES, "review.first"),
        "review.second": (MigrationVerdict.NEEDS_MAPPING, None),
    }
    [lost] = [each for each in difference.agents if each.state == "review.second"]
    assert "`{from: 1, states: {review.second: review.boss}}`" in lost.reason


def test_agents_move_where_migrations_say() -> None:
    mapped = "version: 2\nmigrations:\n  - {from: 1, states: {review.second: review.boss}}\n"
    difference = edited(
        SMALL, ("version: 1\n", mapped), ("      second:\n", "      boss:\n"), ("target: second", "target: boss")
    )
    assert outlook(difference)["review.second"] == (MigrationVerdict.MOVES, "review.boss")


def test_data_that_agents_lack_are_named() -> None:
    difference = edited(
        SMALL, ("version: 1", "version: 2"), ("  author: string?\n", "  author: string?\n  who: string\n")
    )
    assert {each.verdict for each in difference.agents} == {MigrationVerdict.NEEDS_MAPPING}
    assert "`data.who` is new, and has no default" in difference.agents[0].reason


def test_data_that_may_not_fit_are_a_note() -> None:
    difference = edited(
        SMALL, ("version: 1", "version: 2"), ("minimum: 0, ", "minimum: 5, "), ("default: 0", "default: 5")
    )
    assert difference.agents[0].notes == ("`data.amount` must fit its new schema",)


def test_of_data_that_a_class_declares_nothing_is_claimed() -> None:
    """It is not imported, so nobody knows the fields."""
    text = "workflow: w\nversion: 1\nevents: {go: {}}\ninitial: a\nstates: {a: {on: {go: b}}, b: {final: true}}\n"
    old = replace(loads(text), model="shop:Order")
    difference = compare(old, replace(old, version=2, model="shop:NewOrder"))
    assert difference.agents[0].notes == ("its data must fit the class that declares them, which was not imported",)


def test_agents_of_a_higher_version_and_of_another_name_are_not_moved() -> None:
    lower = edited(SMALL.replace("version: 1", "version: 3"), ("version: 3", "version: 2"), ("3d", "5d"))
    assert {each.verdict for each in lower.agents} == {MigrationVerdict.UNAFFECTED}
    other = edited(SMALL, ("workflow: small", "workflow: other"))
    assert other.agents == ()
    assert levels(other)["name"] is Level.BREAKS


# --------------------------------------------------------------------------- embedded workflows


def test_an_embedded_workflow_has_a_list_of_its_own() -> None:
    child = "workflow: child\nversion: 1\nevents: {go: {}}\ninitial: a\nstates: {a: {on: {go: b}}, b: {final: true}}\n"
    old, new = loads(child), loads(child.replace("b: {final: true}", "b: {final: true, outcome: failed}"))
    outer = loads(SMALL)
    difference = compare(replace(outer, workflows={"inner": old}), replace(outer, workflows={"inner": new}))
    assert told(difference) == ["~ the embedded workflow `inner` has changed: see its own list"]
    assert told(difference.workflows["inner"]) == ["~ `b` is an end (`failed`), and was an end (`done`)"]

"""The inbox: open questions in the order of their urgency, and how many there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fsm_agent.domain.agent import ArmedTimer, Status
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.question import Asked
from fsm_agent.domain.record import Commit
from fsm_agent.domain.selection import ANYBODY, QuestionPlace, question_place
from fsm_agent.domain.step import Event
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import Conflict
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import (
    LEASE,
    REFUND,
    Bench,
    a_creation,
    a_step,
    in_loop,
    keep_definitions,
)
from fsm_agent.testing.contract.values import ODD_TEXTS

#: how long pages are read before they are held to go on for ever
_MOST_PAGES = 100


def asking(*to: str, due: int | None = None, state: str = "open", **changes: Any) -> dict[str, Any]:
    """The fields of a head that asks these people; ``due`` is the deadline, in milliseconds from the new year on."""
    timers = () if due is None else (ArmedTimer(state, "1h", NEW_YEAR_MS + due),)
    return {"asked": Asked("Go on?", to, id=1), "timers": timers, **changes}


async def take(store: Store, agent_id: str, *, epoch: int | None = None, repins: bool = False, **changes: Any) -> None:
    """The next step of an agent, which changes these fields of its head."""
    head = await store.head(agent_id)
    after = head._replace(version=head.version + 1, **changes)
    await store.commit(Commit(after, a_step(after.version), epoch, repins=repins))


async def migrate(store: Store, agent_id: str, to: Workflow) -> None:
    """The step of an agent that pins it to another definition."""
    pin: dict[str, Any] = {"workflow": to.name, "workflow_version": to.version, "definition": to.hash}
    await take(store, agent_id, repins=True, **pin)


async def asked_by(store: Store, **wanted: Any) -> list[str]:
    """The ids of all who ask, page by page; and the count says the same."""
    ids, after = [], None
    for _ in range(_MOST_PAGES):
        page = await store.questions(**{"limit": 2, **wanted}, after=after)
        ids += [head.id for head in page.heads]
        assert page.damaged == ()
        after = page.next
        if after is None:
            counted = {name: value for name, value in wanted.items() if name != "limit"}
            assert await store.count_questions(**counted) == len(ids)
            return ids
        assert after == question_place(page.heads[-1])
    raise AssertionError(f"the pages have no end: {ids}")


class QuestionsContract(Bench):
    @in_loop
    async def test_questions_stand_in_order_of_deadline_then_age_then_id(self, store: Store) -> None:
        for agent_id, due, created in (
            ("late", 9, 0),
            ("soon", 5, 9),
            ("young", None, 9),
            ("old", None, 1),
            ("b", 7, 3),
            ("a", 7, 3),
            ("elder", 7, 2),
            ("past", -5, 9),
        ):
            await store.create(a_creation(agent_id, **asking(due=due, created_ms=NEW_YEAR_MS + created)))
        in_order = ["past", "soon", "elder", "a", "b", "late", "old", "young"]
        for limit in (1, 2, 3, 8, 50):
            assert await asked_by(store, limit=limit) == in_order
        assert (await store.questions(limit=8)).next is None

    @in_loop
    async def test_of_several_timers_the_earliest_is_the_deadline(self, store: Store) -> None:
        timers = tuple(ArmedTimer("open", "1h", NEW_YEAR_MS + due) for due in (9, 2, 7))
        await store.create(a_creation("three", **{**asking(), "timers": timers}))
        await store.create(a_creation("one", **asking(due=3)))
        assert await asked_by(store) == ["three", "one"]

    @in_loop
    async def test_only_who_waits_and_asks_is_listed(self, store: Store) -> None:
        for status in Status:
            await store.create(a_creation(f"is-{status}", **asking(status=status)))
        await store.create(a_creation("silent"))
        assert await asked_by(store) == ["is-waiting"]

    @in_loop
    async def test_a_listed_question_has_the_whole_head(self, store: Store) -> None:
        creation = a_creation("a", **asking("ana", due=5), visits={"open": 2}, output={"n": 1}, labels={"case": "7"})
        head = await store.create(creation)
        assert (await store.questions()).heads == (head,)

    @in_loop
    async def test_who_is_asked_finds_their_own_and_anybody_those_to_whoever_comes(self, store: Store) -> None:
        await store.create(a_creation("ana", **asking("ana", due=1)))
        await store.create(a_creation("both", **asking("ana", "bob", due=2)))
        await store.create(a_creation("open", **asking(due=3)))
        await store.create(a_creation("twice", **asking("bob", "bob", due=4)))
        assert await asked_by(store, to="ana") == ["ana", "both"]
        assert await asked_by(store, to="bob") == ["both", "twice"]
        assert await asked_by(store, to=ANYBODY) == ["open"]
        assert await asked_by(store) == await asked_by(store, to=None) == ["ana", "both", "open", "twice"]
        for nobody in ("Ana", "an", "ana ", "ana\0", "*", "%"):
            assert await asked_by(store, to=nobody) == []

    @in_loop
    async def test_names_may_be_any_text(self, store: Store) -> None:
        names = [text for text in ODD_TEXTS if text] + ["ana", "Ana", "ana\0", "*", "=", "=ana", "a" * 2_000]
        for number, name in enumerate(names):
            await store.create(a_creation(f"a{number:02}", **asking(name)))
        for number, name in enumerate(names):
            assert await asked_by(store, to=name) == [f"a{number:02}"]
        assert len(await asked_by(store)) == len(names)

    @in_loop
    async def test_questions_are_found_by_workflow(self, store: Store) -> None:
        await store.create(a_creation("order", **asking("ana", due=2)))
        await store.create(a_creation("refund", workflow=REFUND, **asking("ana", due=1)))
        await store.create(a_creation("any-refund", workflow=REFUND, **asking(due=3)))
        assert await asked_by(store, workflow="refund") == ["refund", "any-refund"]
        assert await asked_by(store, workflow="order", to="ana") == ["order"]
        assert await asked_by(store, workflow="refund", to=ANYBODY) == ["any-refund"]
        assert await asked_by(store, workflow="return") == []

    @in_loop
    async def test_a_question_comes_and_goes_with_the_step(self, store: Store) -> None:
        await store.create(a_creation("a"))
        await take(store, "a", **asking("ana", due=5))
        assert await asked_by(store, to="ana") == ["a"]
        await take(store, "a", **asking("bob", due=5))
        assert (await asked_by(store, to="ana"), await asked_by(store, to="bob")) == ([], ["a"])
        for closing in (
            {"asked": None, "timers": ()},
            {"status": Status.RUNNING},
            {"status": Status.DONE},
            {"status": Status.PARKED, "problem": Problem("E", "it broke")},
        ):
            await take(store, "a", **closing)
            assert await asked_by(store) == await asked_by(store, to="bob") == []
            await take(store, "a", **asking("bob", due=5, status=Status.WAITING, problem=None))
            assert await asked_by(store) == await asked_by(store, to="bob") == ["a"]

    @in_loop
    async def test_a_step_that_changes_the_deadline_moves_the_question(self, store: Store) -> None:
        for agent_id, due in (("a", 3), ("b", 5), ("c", None)):
            await store.create(a_creation(agent_id, **asking(due=due)))
        await take(store, "a", timers=(ArmedTimer("open", "1h", NEW_YEAR_MS + 7),))
        assert await asked_by(store) == ["b", "a", "c"]
        await take(store, "c", timers=(ArmedTimer("open", "1h", NEW_YEAR_MS),))
        assert await asked_by(store) == ["c", "b", "a"]
        await take(store, "b", timers=())
        assert await asked_by(store) == ["c", "a", "b"]

    @in_loop
    async def test_a_question_that_an_action_asks_is_found_like_any_other(self, store: Store) -> None:
        await store.create(a_creation("a", status=Status.RUNNING, lease=LEASE))
        by_action = Asked("Which?", ("ana",), ("yes", "no"), 2)
        await take(store, "a", epoch=1, status=Status.WAITING, asked=by_action)
        page = await store.questions(to="ana")
        assert [head.asked for head in page.heads] == [by_action]
        assert await asked_by(store, to="ana") == ["a"]

    @in_loop
    async def test_what_changes_no_head_changes_no_question(self, store: Store) -> None:
        await store.create(a_creation("a", **asking("ana", due=5)))
        await store.create(a_creation("b", **asking("ana", due=6)))
        epoch = await store.claim("a", await store.head("a"), LEASE)
        await store.renew("a", epoch, LEASE._replace(until_ms=LEASE.until_ms + 1))
        await store.enqueue("a", None, Event("ping"))
        await store.record_attempt("a", epoch, attempts=1, retry_ms=NEW_YEAR_MS)
        assert [head.lease is None for head in (await store.questions(to="ana")).heads] == [False, True]
        await store.release("a", epoch)
        assert await asked_by(store, to="ana") == ["a", "b"]

    @in_loop
    async def test_a_step_that_is_refused_leaves_the_question_as_it_was(self, store: Store) -> None:
        await store.create(a_creation("a", **asking("ana", due=5)))
        head = await store.head("a")
        for late in (
            Commit(head._replace(version=3, asked=None, timers=()), a_step(3), None),
            Commit(head._replace(version=2, **asking("bob")), a_step(2), 7),
            Commit(head._replace(version=2, **asking("bob")), a_step(2), None, dequeue=1),
        ):
            try:
                await store.commit(late)
            except Conflict:
                assert await asked_by(store, to="ana") == await asked_by(store) == ["a"]
            else:
                raise AssertionError(f"{late} was taken")

    @in_loop
    async def test_a_page_goes_on_where_the_last_one_ended_whatever_has_happened_meanwhile(self, store: Store) -> None:
        for number in range(6):
            await store.create(a_creation(f"a{number}", **asking("ana", due=number)))
        first = await store.questions(to="ana", limit=3)
        assert first.next is not None
        await take(store, "a2", status=Status.RUNNING)  # the one at whose place the next page begins
        await take(store, "a4", asked=None)
        await store.delete(await store.head("a1"))
        await store.create(a_creation("early", **asking("ana", due=1)))
        await store.create(a_creation("amid", **asking("ana", due=4)))
        second = await store.questions(to="ana", limit=3, after=first.next)
        assert [head.id for head in second.heads] == ["a3", "amid", "a5"]
        assert second.next is None
        assert await asked_by(store, to="ana") == ["a0", "early", "a3", "amid", "a5"]

    @in_loop
    async def test_a_page_goes_on_among_those_of_one_place_and_among_those_without_deadline(self, store: Store) -> None:
        for number in range(3):
            await store.create(a_creation(f"due{number}", **asking(due=1)))
            await store.create(a_creation(f"free{number}", **asking()))
        seen = ["due0", "due1", "due2", "free0", "free1", "free2"]
        for number, agent_id in enumerate(seen):
            place = question_place(await store.head(agent_id))
            assert [head.id for head in (await store.questions(after=place)).heads] == seen[number + 1 :]
        between = QuestionPlace(NEW_YEAR_MS + 1, NEW_YEAR_MS, "due0.5")
        assert [head.id for head in (await store.questions(after=between)).heads] == seen[1:]
        assert (await store.questions(after=QuestionPlace(None, NEW_YEAR_MS + 1, ""))).heads == ()

    @in_loop
    async def test_a_migration_takes_the_question_to_another_workflow(self, store: Store) -> None:
        await store.create(a_creation("a", **asking("ana", due=5)))
        await migrate(store, "a", REFUND)
        assert await asked_by(store, workflow="order") == []
        assert await asked_by(store, workflow="refund", to="ana") == ["a"]
        await take(store, "a", workflow="order", status=Status.RUNNING)
        await take(store, "a", status=Status.WAITING)
        assert await asked_by(store, workflow="refund") == ["a"]

    @in_loop
    async def test_who_is_deleted_asks_no_more_and_who_is_adopted_asks_again(self, store: Store) -> None:
        await store.create(a_creation("a", **asking("ana", due=5)))
        export = await store.dump("a")
        await store.delete(export.head)
        assert await asked_by(store) == await asked_by(store, to="ana") == []
        await store.adopt(export)
        assert await asked_by(store, to="ana") == ["a"]
        changed = export._replace(head=export.head._replace(**asking("bob")))
        await store.adopt(changed, replaces=export.head)
        assert (await asked_by(store, to="ana"), await asked_by(store, to="bob")) == ([], ["a"])
        silent = changed._replace(head=changed.head._replace(asked=None))
        await store.adopt(silent, replaces=changed.head)
        assert await asked_by(store) == await asked_by(store, to="bob") == []

    @in_loop
    async def test_another_namespace_has_an_inbox_of_its_own(
        self, store: Store, open_again: Callable[..., Store]
    ) -> None:
        other = open_again("other")
        await keep_definitions(other)
        await store.create(a_creation("a", **asking("ana")))
        await other.create(a_creation("a", **asking("ana", due=1)))
        await other.create(a_creation("b", **asking()))
        await take(other, "a", status=Status.DONE)
        assert (await asked_by(store), await asked_by(store, to="ana")) == (["a"], ["a"])
        assert (await asked_by(other), await asked_by(other, to="ana")) == (["b"], [])
        await store.delete(await store.head("a"))
        assert (await asked_by(store), await asked_by(other, to=ANYBODY)) == ([], ["b"])

    @in_loop
    async def test_nobody_is_told_twice_while_many_are_asked(self, store: Store) -> None:
        everybody: Sequence[str] = [f"person{number}" for number in range(30)]
        await store.create(a_creation("all", **asking(*everybody, due=1)))
        await store.create(a_creation("one", **asking("person7", due=2)))
        assert await asked_by(store) == ["all", "one"]
        for person in everybody:
            assert await asked_by(store, to=person) == (["all", "one"] if person == "person7" else ["all"])
        await take(store, "all", **asking("person3", due=3))
        assert (await asked_by(store, to="person3"), await asked_by(store, to="person4")) == (["all"], [])
        assert await asked_by(store) == ["one", "all"]

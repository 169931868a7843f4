"""Agents that a caller looks for: by id, by what they have in common, by age; and how many there are of each kind."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final

import pytest

from fsm_agent.domain.agent import Status
from fsm_agent.domain.selection import Selection, Tally
from fsm_agent.errors import ArgumentInvalid
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import LEASE, ORDER, REFUND, Bench, a_creation, in_loop, keep_definitions
from fsm_agent.testing.contract.questions import migrate, take
from fsm_agent.testing.contract.values import ODD_TEXTS

#: verbs whose defaults look at every agent
SLOW: Final = ("heads", "select", "questions", "count_questions", "tally")


async def selected(store: Store, *, newest: bool = False, limit: int = 2, **wanted: Any) -> list[str]:
    """The ids of a selection, page by page."""
    ids, after, is_more = [], None, True
    while is_more:
        page = await store.select(Selection(**wanted), newest=newest, limit=limit, after=after)
        ids += [head.id for head in page.heads]
        assert page.damaged == ()
        assert page.next is None or len(page.heads) == limit
        assert after is None or after != page.next
        after, is_more = page.next, page.next is not None
    return ids


class SelectionsContract(Bench):
    @in_loop
    async def test_heads_of_many_agents_are_read_at_once(self, store: Store) -> None:
        for number in range(300):
            await store.create(a_creation(f"a{number:03}", visits={"open": number}))
        await store.claim("a007", await store.head("a007"), LEASE)
        ids = [f"a{number:03}" for number in range(0, 300, 2)]
        heads = await store.heads([*ids, "a007", "a008", "nobody", "", "a\0", "a00"])
        assert sorted(head.id for head in heads) == sorted([*ids, "a007"])
        assert {head.id: head for head in heads} == {head.id: await store.head(head.id) for head in heads}
        assert [*await store.heads([])] == [*await store.heads(["nobody"])] == []
        assert len(await store.heads({f"a{number:03}" for number in range(300)})) == 300

    @in_loop
    async def test_heads_are_of_one_namespace(self, store: Store, open_again: Callable[..., Store]) -> None:
        other = open_again("other")
        await keep_definitions(other)
        await other.create(a_creation("a"))
        assert [*await store.heads(["a"])] == []

    @in_loop
    async def test_a_selection_is_what_its_agents_have_in_common(self, store: Store) -> None:
        await store.create(a_creation("a", user="ana", labels={"case": "7"}))
        await store.create(a_creation("b", user="bob", state="closed", status=Status.DONE))
        await store.create(a_creation("c", user="ana", workflow=REFUND, status=Status.PARKED))
        await store.create(a_creation("d", labels={"case": "8", "team": "x"}, status=Status.RUNNING, state="closed"))
        assert await selected(store) == ["a", "b", "c", "d"]
        assert await selected(store, statuses=[Status.DONE, Status.PARKED]) == ["b", "c"]
        assert await selected(store, workflow="order") == ["a", "b", "d"]
        assert await selected(store, state="closed") == ["b", "d"]
        assert await selected(store, user="ana") == ["a", "c"]
        assert await selected(store, label=("case", None)) == ["a", "d"]
        assert await selected(store, label=("case", "8")) == ["d"]
        assert await selected(store, user="ana", workflow="order") == ["a"]
        assert await selected(store, user="ana", statuses=[Status.PARKED]) == ["c"]
        assert await selected(store, state="closed", statuses=[Status.RUNNING], label=("team", "x")) == ["d"]
        assert await selected(store, user="ana", label=("case", "7"), newest=True) == ["a"]
        none: tuple[dict[str, Any], ...] = (
            {"statuses": [Status.FAILED]},
            {"workflow": "return"},
            {"state": "Open"},
            {"user": "an"},
            {"user": ""},
            {"label": ("case", "9")},
            {"label": ("cas", None)},
            {"label": ("7", "case")},
            {"user": "bob", "label": ("case", None)},
        )
        for nobody in none:
            assert await selected(store, **nobody) == []
            assert await selected(store, **nobody, newest=True) == []

    @in_loop
    async def test_a_selection_has_whole_heads_and_says_when_it_ends(self, store: Store) -> None:
        for name in ("a", "b", "c"):
            await store.create(a_creation(name, user="ana", labels={"x": name}, output=[name]))
        for newest in (False, True):
            page = await store.select(Selection(user="ana"), newest=newest, limit=3)
            assert {head.id: head for head in page.heads} == {name: await store.head(name) for name in "abc"}
            assert page.next is None
            assert (await store.select(Selection(user="ana"), newest=newest, limit=2)).next is not None

    @in_loop
    async def test_the_newest_come_first_and_those_of_one_time_in_reverse_order_of_id(self, store: Store) -> None:
        for name, created in (("b", 1), ("z", 0), ("a", 1), ("c", 1), ("m", 5), ("a.1", 1), ("A", 1)):
            await store.create(a_creation(name, created_ms=NEW_YEAR_MS + created, user="ana" if name < "m" else None))
        in_order = ["m", "c", "b", "a.1", "a", "A", "z"]
        for limit in (1, 2, 3, 7, 50):
            assert await selected(store, newest=True, limit=limit) == in_order
            assert await selected(store, newest=True, limit=limit, user="ana") == in_order[1:-1]
            assert await selected(store, newest=True, limit=limit, statuses=[Status.WAITING]) == in_order
        assert await selected(store) == sorted(in_order)

    @in_loop
    async def test_the_newest_of_several_statuses_are_told_in_one_order(self, store: Store) -> None:
        kinds = [*Status, *Status, *Status]
        for number, status in enumerate(kinds):
            created = NEW_YEAR_MS + number // 2
            await store.create(a_creation(f"a{number:02}", status=status, created_ms=created, labels={"n": "1"}))
        both = (Status.DONE, Status.PARKED)
        ids = [f"a{number:02}" for number, status in enumerate(kinds) if status in both]
        assert await selected(store, statuses=both) == ids
        assert await selected(store, statuses=both, newest=True, limit=4) == ids[::-1]
        assert await selected(store, statuses=[*both, *both], newest=True) == ids[::-1]
        assert await selected(store, label=("n", "1"), statuses=both, newest=True) == ids[::-1]
        everybody = [f"a{number:02}" for number in range(len(kinds))]
        assert await selected(store, statuses=[*Status], newest=True) == everybody[::-1]

    @in_loop
    async def test_a_page_of_a_selection_goes_on_whatever_has_happened_meanwhile(self, store: Store) -> None:
        for number in range(6):
            await store.create(a_creation(f"a{number}", created_ms=NEW_YEAR_MS + number, labels={"x": "1"}))
        wanted = Selection(label=("x", "1"))
        pages = [await store.select(wanted, newest=newest, limit=3) for newest in (False, True)]
        assert [[head.id for head in page.heads] for page in pages] == [["a0", "a1", "a2"], ["a5", "a4", "a3"]]
        for name in ("a2", "a3"):  # where the next pages begin
            await store.delete(await store.head(name))
        await store.create(a_creation("a2.5", created_ms=NEW_YEAR_MS + 3, labels={"x": "1"}))
        rest = [await store.select(wanted, newest=newest, after=pages[newest].next) for newest in (False, True)]
        assert [[head.id for head in page.heads] for page in rest] == [["a2.5", "a4", "a5"], ["a2.5", "a1", "a0"]]

    @in_loop
    async def test_a_place_that_no_page_has_named_is_refused(self, store: Store) -> None:
        for after in ("", "a", "x.a", "-1.a", "1_0.a", "9" * 40 + ".a"):
            with pytest.raises(ArgumentInvalid, match="after must be the `next` of the page before"):
                await store.select(Selection(), newest=True, after=after)

    @in_loop
    async def test_names_and_texts_of_labels_and_users_may_be_any_text(self, store: Store) -> None:
        texts = [*ODD_TEXTS, "a", "A", "a\0", "%", "_", "*", "=a", "x" * 256]
        for number, text in enumerate(texts):
            await store.create(a_creation(f"a{number:02}", user=text, labels={text: "1", "same": text, "x": "="}))
        for number, text in enumerate(texts):
            for newest in (False, True):
                assert await selected(store, user=text, newest=newest) == [f"a{number:02}"]
                assert await selected(store, label=("same", text), newest=newest) == [f"a{number:02}"]
                if text != "same":
                    assert await selected(store, label=(text, "1"), newest=newest) == [f"a{number:02}"]
        assert len(await selected(store, label=("same", None))) == len(texts)
        assert len(await selected(store, label=("x", "="), newest=True)) == len(texts)

    @in_loop
    async def test_labels_are_kept_through_steps_and_gone_with_the_agent(self, store: Store) -> None:
        await store.create(a_creation("a", user="ana", labels={"case": "7"}))
        await take(store, "a", status=Status.RUNNING, state="closed")
        await take(store, "a", status=Status.DONE)
        head = await store.head("a")
        assert (head.user, dict(head.labels)) == ("ana", {"case": "7"})
        assert await selected(store, label=("case", "7"), statuses=[Status.DONE]) == ["a"]
        assert await selected(store, label=("case", "7"), statuses=[Status.RUNNING]) == []
        assert await selected(store, user="ana", state="closed", newest=True) == ["a"]
        export = await store.dump("a")
        other = export._replace(head=head._replace(user="bob", labels={"case": "8"}))
        await store.adopt(other, replaces=head)
        assert (await selected(store, user="ana"), await selected(store, label=("case", "7"))) == ([], [])
        assert (await selected(store, user="bob"), await selected(store, label=("case", "8"))) == (["a"], ["a"])
        await store.delete(other.head)
        assert (await selected(store, user="bob"), await selected(store, label=("case", None))) == ([], [])
        await store.adopt(export)
        assert await selected(store, label=("case", "7"), user="ana", newest=True) == ["a"]

    @in_loop
    async def test_a_selection_knows_the_status_and_the_workflow_of_the_last_step(self, store: Store) -> None:
        await store.create(a_creation("a"))
        for status in (*Status, *reversed(Status)):
            await take(store, "a", status=status)
            for newest in (False, True):
                found = {each: await selected(store, statuses=[each], newest=newest) for each in Status}
                assert found == {each: ["a"] if each is status else [] for each in Status}
        await migrate(store, "a", REFUND)
        assert (await selected(store, workflow="order"), await selected(store, workflow="refund")) == ([], ["a"])
        assert await selected(store, workflow="refund", newest=True) == ["a"]

    @in_loop
    async def test_another_namespace_is_selected_by_itself(
        self, store: Store, open_again: Callable[..., Store]
    ) -> None:
        other = open_again("other")
        await keep_definitions(other)
        for each, name in ((store, "here"), (other, "away")):
            await each.create(a_creation("same", user="ana", labels={"at": "x"}))
            await each.create(a_creation(name, user="ana", labels={"at": "x"}, status=Status.DONE))
        wants: tuple[dict[str, Any], ...] = (
            {}, {"user": "ana"}, {"label": ("at", "x")}, {"label": ("at", None)}, {"workflow": "order"},
        )  # fmt: skip
        for wanted in wants:
            for newest in (False, True):
                assert sorted(await selected(store, newest=newest, **wanted)) == ["here", "same"]
                assert sorted(await selected(other, newest=newest, **wanted)) == ["away", "same"]
        await other.delete(await other.head("same"))
        assert await selected(store, user="ana") == ["here", "same"]
        assert [*await other.tally()] == [Tally("order", "open", Status.DONE, 1)]

    @in_loop
    async def test_agents_are_counted_by_workflow_state_and_status_in_this_order(self, store: Store) -> None:
        assert [*await store.tally()] == []
        for name, workflow, state, status in (
            ("a", REFUND, "open", Status.WAITING),
            ("b", ORDER, "open", Status.WAITING),
            ("c", ORDER, "open", Status.WAITING),
            ("d", ORDER, "open", Status.DONE),
            ("e", ORDER, "closed", Status.WAITING),
            ("f", ORDER, "open", Status.RUNNING),
        ):
            await store.create(a_creation(name, workflow=workflow, state=state, status=status))
        assert [*await store.tally()] == [
            Tally("order", "closed", Status.WAITING, 1),
            Tally("order", "open", Status.DONE, 1),
            Tally("order", "open", Status.RUNNING, 1),
            Tally("order", "open", Status.WAITING, 2),
            Tally("refund", "open", Status.WAITING, 1),
        ]
        await take(store, "b", state="closed")
        await store.delete(await store.head("f"))
        assert [*await store.tally()][:3] == [
            Tally("order", "closed", Status.WAITING, 2),
            Tally("order", "open", Status.DONE, 1),
            Tally("order", "open", Status.WAITING, 1),
        ]

    @in_loop
    async def test_in_a_sound_store_no_index_is_mended(self, store: Store) -> None:
        await store.create(a_creation("a", user="ana", labels={"x": "1"}))
        before = await store.load("a")
        assert await store.reindex() == 0
        assert await store.load("a") == before
        assert await selected(store, user="ana", label=("x", "1")) == ["a"]

    @pytest.mark.parametrize("verb", SLOW)
    def test_a_verb_that_looks_at_every_agent_is_warned_of(self, store: Store, verb: str) -> None:
        if getattr(type(store), verb) is getattr(Store, verb):
            warnings.warn(f"{type(store).__name__} looks through all agents for `{verb}`", stacklevel=2)

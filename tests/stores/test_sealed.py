"""Sealed stores keep the contract, and no secret."""

from __future__ import annotations

import asyncio
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import apsw
import pytest

from fsm_agent.domain.agent import Status
from fsm_agent.domain.effect import Settlement
from fsm_agent.domain.message import ThreadSpans, own_thread
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.progress import Progress
from fsm_agent.domain.question import Asked
from fsm_agent.domain.record import AppendedMessages, Origin, Snapshot
from fsm_agent.domain.step import Delta, Event
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import KeyInvalid, KeyMissing, StoreCorrupt, StoreError, StoreUrlInvalid
from fsm_agent.runtime.command_loop import logger
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.base import Store
from fsm_agent.stores.sealed.keys import new_key, read_keys
from fsm_agent.stores.sealed.store import SealedStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import DurableStoreContract, StoreContract
from fsm_agent.testing.contract.fixtures import (
    ID,
    PING,
    Bench,
    a_commit,
    a_creation,
    a_head,
    a_step,
    an_effect,
    data_of,
    in_loop,
    keep_definitions,
)
from tests.support.runtime import flow, on_loop
from tests.support.thread_verbs import HELLO

OLD: Final = {"2025": b"o" * 32}
KEYS: Final = {"2026a": b"n" * 32, **OLD}


class SealedBench(Bench):
    """Every store of a test is opened with keys."""

    @pytest.fixture
    def open_again(self, url: str, clock: FakeClock, _loop: None) -> Iterator[Callable[..., Store]]:
        opened: list[Store] = []

        def open_again(namespace: str = "default") -> Store:
            opened.append(open_store(url, namespace=namespace, clock=clock, keys=KEYS))
            assert isinstance(opened[-1], SealedStore)
            return opened[-1]

        yield open_again
        for store in opened:
            self.runner.run(store.close())

    @in_loop
    async def test_what_is_kept_is_weighed(self, store: Store) -> None:
        """Sealed text is what is kept and weighed: four characters for three bytes, and some for the seal."""
        await store.create(a_creation(delta=Delta({"text": "x" * 1_000})))
        size = await store.size(ID)
        assert 1_333 < size.history < 1_600
        await store.commit(a_commit(2, snapshot=Snapshot(1, {"text": "x" * 1_000})))
        assert 1_333 < (await store.size(ID)).snapshot < 1_500


class TestSealedMemoryStore(SealedBench, StoreContract):
    @pytest.fixture
    def url(self) -> str:
        return "memory://"


class TestSealedSqliteStore(SealedBench, DurableStoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/agents.db"


class TestSealedTieredStoreOnServers(SealedBench, DurableStoreContract):
    @pytest.fixture
    def url(self, redis_url: str, postgres_url: str) -> str:
        return f"tiered:{redis_url},{postgres_url}"


def secrets(*places: str) -> list[str]:
    return [f"secret-{place}" for place in places]


PLACES: Final = (
    "data", "base", "item", "deep", "payload", "reason", "queued", "held", "prompt", "output", "message", "snapshot",
    "origin", "result", "settled", "arguments", "fingerprint", "start", "queue-fingerprint", "goal", "current", "said",
    "part", "shared", "revised", "remembered", "saved",
)  # fmt: skip


async def plant(store: Store) -> None:
    """An agent that says a secret at every place where one can be said."""
    await keep_definitions(store)
    created = a_step(1, Delta({"a": "secret-data", "log": ["secret-base"], "deep": {"list": []}}))
    creation = a_creation()._replace(steps=(created,), key="start", fingerprint="secret-start")
    await store.create(creation)
    await store.begin_effect(ID, an_effect(use=1, fingerprint="secret-arguments"))
    await store.end_effect(ID, an_effect(use=1, ended_ms=5, result={"r": "secret-result"}))
    await store.begin_effect(ID, an_effect(use=2))
    settlement = Settlement(an_effect(use=2).key, was_done=True, result="secret-settled")
    head = {
        "asked": Asked("secret-prompt", ("ana",)),
        "output": "secret-output",
        "problem": Problem("ValueError", "secret-message", Event("ping", {"n": "secret-held"})),
        "progress": Progress("secret-goal", 3, 4, "secret-current"),
        "talk": ThreadSpans(last=1),
    }
    said = (
        AppendedMessages(
            own_thread(ID), (HELLO._replace(content="secret-said", parts=({"type": "x", "n": "secret-part"},)),)
        ),
    )
    user = UserRecord("ana", 1, {"likes": "secret-remembered"})
    delta = Delta(append={"log": ["secret-item"], "deep/list": ["secret-deep"]})
    commit = a_commit(2, delta=delta, head=head, key="k", fingerprint="secret-fingerprint", settlement=settlement)
    step = commit.step._replace(kind=StepKind.PARKED, payload={"n": "secret-payload"}, reason="secret-reason")
    snapshot = Snapshot(2, {"a": "secret-snapshot", "log": ["secret-base"]}, {"log": 1})
    await store.commit(commit._replace(step=step, snapshot=snapshot, said=said, user=user))
    await store.append("room", [HELLO._replace(content="secret-shared"), HELLO])
    await store.revise("room", [HELLO._replace(content="secret-revised", number=2)])
    await store.save_user(UserRecord("bob", 1, {"likes": "secret-saved"}))
    await store.enqueue(ID, 2, PING._replace(payload={"n": "secret-queued"}), "secret-queue-fingerprint")
    await store.create(a_creation("short"))
    await store.shorten(await store.head("short"), Origin(a_head("short"), {"a": "secret-origin"}))


async def planted(folder: Path, keys: dict[str, bytes] | None) -> bytes:
    """Every byte of a database with ``plant``ed secrets, its log included."""
    async with open_store(f"sqlite:///{folder}/agents.db", keys=keys) as store:
        await plant(store)
        return bytes_of(folder)


def bytes_of(folder: Path) -> bytes:
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == ["agents.db", "agents.db-shm", "agents.db-wal"]
    return b"".join(file.read_bytes() for file in files)


@on_loop
async def test_no_secret_stands_in_the_file_or_in_its_log(tmp_path: Path) -> None:
    (tmp_path / "clear").mkdir()
    (tmp_path / "sealed").mkdir()
    clear, sealed = await planted(tmp_path / "clear", None), await planted(tmp_path / "sealed", KEYS)
    assert [secret for secret in secrets(*PLACES) if secret.encode() not in clear] == [], "this proves nothing"
    assert [secret for secret in secrets(*PLACES) if secret.encode() in sealed] == []
    assert b"secret" not in sealed
    assert not any(key in sealed for key in KEYS.values())
    for name in (b"ValueError", b"ana", b"ping-1", b"charge", b"sealed:1:2026a:"):
        assert name in sealed


def sealed_file(folder: Path) -> str:
    return f"sqlite:///{folder}/agents.db"


def change(folder: Path, *statements: str) -> None:
    """What somebody with the file in hands does to it."""
    db = apsw.Connection(f"{folder}/agents.db")
    for statement in statements:
        db.execute(statement)
        assert db.changes() > 0
    db.close()


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE steps SET payload = (SELECT payload FROM steps WHERE agent = 2 AND version = 2)", "step 2"),
        ("UPDATE steps SET payload = (SELECT payload FROM steps WHERE agent = 1 AND version = 1)", "step 2"),
        ("UPDATE steps SET append = (SELECT append FROM steps WHERE agent = 2 AND version = 2)", "append 2 log"),
        ("""UPDATE steps SET append = replace(append, '"log"', '"bag"')""", "append 2 bag"),
        ("""UPDATE steps SET append = '{"log":["clear"],"~":[]}'""", "append 2 log"),
        ("UPDATE steps SET payload = substr(payload, 1, length(payload) - 9) || 'AAAAAAA\"}'", "step 2"),
        ("""UPDATE steps SET payload = '{"~":"sealed:1:2026a:%"}'""", "step 2"),
        ("UPDATE heads SET cold = (SELECT cold FROM heads WHERE agent = 2)", "head 2"),
    ],
)
@on_loop
async def test_what_was_moved_or_changed_does_not_open(tmp_path: Path, statement: str, where: str) -> None:
    async with open_store(sealed_file(tmp_path), keys=KEYS) as store:
        await keep_definitions(store)
        for agent_id in (ID, "agent-2"):
            await store.create(a_creation(agent_id, delta=Delta({"log": [], "bag": []})))
            commit = a_commit(2, delta=Delta(append={"log": [agent_id]}), head={"id": agent_id})
            await store.commit(commit._replace(head=commit.head._replace(output=agent_id)))
    change(tmp_path, f"{statement} WHERE agent = 1 {'AND version = 2' if 'steps' in statement else ''}")
    async with open_store(sealed_file(tmp_path), keys=KEYS) as store:
        with pytest.raises(StoreCorrupt, match=rf"^what is kept of agent 'agent-1' \({where}\) (does not|is not)"):
            await store.load(ID)
        assert data_of(await store.load("agent-2"))["log"] == ["agent-2"]


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (
            "UPDATE messages SET parts = (SELECT parts FROM messages WHERE thread = 2)",
            r"thread 'room' \(message user 5 ana\)",
        ),
        ("UPDATE messages SET role = 3", r"thread 'room' \(message assistant 5 ana\)"),
        ("UPDATE messages SET by = 'bob'", r"thread 'room' \(message user 5 bob\)"),
        ("UPDATE user_records SET data = (SELECT data FROM user_records WHERE name = 'bob')", r"user 'ana' \(user 1\)"),
        ("UPDATE user_records SET version = 2", r"user 'ana' \(user 2\)"),
    ],
)
@on_loop
async def test_what_was_said_elsewhere_or_by_others_does_not_open(tmp_path: Path, statement: str, what: str) -> None:
    async with open_store(sealed_file(tmp_path), keys=KEYS) as store:
        for name in ("room", "hall"):
            await store.append(name, [HELLO._replace(content=name, at_ms=5)])
        for name in ("ana", "bob"):
            await store.save_user(UserRecord(name, 1, {"name": name}))
    change(tmp_path, statement)
    async with open_store(sealed_file(tmp_path), keys=KEYS) as store:
        with pytest.raises(StoreCorrupt, match=f"^what is kept of {what} does not open with the key"):
            await (store.messages("room") if "messages" in statement else store.user("ana"))


@on_loop
async def test_what_was_said_in_clear_is_read_on_under_a_seal(tmp_path: Path) -> None:
    async with open_store(sealed_file(tmp_path)) as store:
        await store.append("room", [HELLO])
        await store.save_user(UserRecord("ana", 1, {"n": 1}))
    async with open_store(sealed_file(tmp_path), keys=KEYS) as store:
        await store.append("room", [HELLO])
        assert list(await store.messages("room")) == [HELLO._replace(number=1), HELLO._replace(number=2)]
        assert await store.user("ana") == UserRecord("ana", 1, {"n": 1})
    async with open_store(sealed_file(tmp_path), keys=OLD) as store:
        with pytest.raises(KeyMissing, match="the thread is sealed under the key '2026a'"):
            await store.messages("room")


@on_loop
async def test_an_agent_of_another_namespace_does_not_open_as_one_of_this(tmp_path: Path) -> None:
    async with open_store(sealed_file(tmp_path), namespace="theirs", keys=KEYS) as store:
        await keep_definitions(store)
        await store.create(a_creation(delta=Delta({"a": 1})))
    change(tmp_path, "UPDATE heads SET namespace = 'ours'")
    async with open_store(sealed_file(tmp_path), namespace="ours", keys=KEYS) as store:
        with pytest.raises(StoreCorrupt, match="was changed or moved"):
            await store.load(ID)


@on_loop
async def test_the_first_key_writes_and_all_read(tmp_path: Path) -> None:
    async with open_store(sealed_file(tmp_path), keys=OLD) as store:
        await plant(store)
        before = await store.dump(ID)
    async with open_store(sealed_file(tmp_path), keys=KEYS) as store:
        assert await store.dump(ID) == before
        await store.commit(a_commit(3, delta=Delta({"a": "newer"})))
    async with open_store(sealed_file(tmp_path), keys={"2026a": KEYS["2026a"]}) as store:
        assert [step.version for step in await store.history(ID, after=2)] == [3]
        with pytest.raises(KeyMissing) as missing:
            await store.load(ID)
    assert str(missing.value) == (
        "the agent is sealed under the key '2025', which is not given: add it to FSM_AGENT_KEYS; given: 2026a"
    )


@on_loop
async def test_another_key_of_the_same_id_opens_nothing(tmp_path: Path) -> None:
    async with open_store(sealed_file(tmp_path), keys=KEYS) as store:
        await plant(store)
    async with open_store(sealed_file(tmp_path), keys={"2026a": b"x" * 32}) as store:
        with pytest.raises(StoreCorrupt) as corrupt:
            await store.head(ID)
        with pytest.raises(StoreCorrupt, match="start start"):
            await store.find_key("start")
    assert str(corrupt.value) == (
        "what is kept of agent 'agent-1' (head 2) does not open with the key '2026a': it was changed or moved, "
        "or that is another key of the same id"
    )


@on_loop
async def test_a_store_may_be_sealed_from_some_day_on(tmp_path: Path) -> None:
    async with open_store(sealed_file(tmp_path)) as store:
        await plant(store)
        before = await store.dump(ID)
    async with open_store(sealed_file(tmp_path), keys=KEYS) as store:
        assert await store.dump(ID) == before
        assert await store.find_key("start") == (ID, "secret-start")
        await store.commit(a_commit(3, delta=Delta({"a": "sealed-from-now-on"}), dequeue=1))
        assert (await store.history(ID))[2].delta.set == {"a": "sealed-from-now-on"}
    assert b"sealed-from-now-on" not in (tmp_path / "agents.db").read_bytes()


@on_loop
async def test_bytes_of_an_appended_list_grow_with_what_is_appended(tmp_path: Path) -> None:
    sizes = {}
    for name, keys in (("clear", None), ("sealed", KEYS)):
        async with open_store(f"sqlite:///{tmp_path}/{name}.db", keys=keys) as store:
            await keep_definitions(store)
            await store.create(a_creation(delta=Delta({"log": []})))
            for version in range(2, 302):
                await store.commit(a_commit(version, delta=Delta(append={"log": ["m" * 200]})))
            sizes[name] = (await store.size(ID)).total
            assert data_of(await store.load(ID)) == {"log": ["m" * 200] * 300}
    assert sizes["sealed"] < 2 * sizes["clear"]


ORDER: Final = flow("""
    data: {item: string?, seen: {type: array, items: {type: string}, default: []}}
    events: {ordered: {item: string}, approved: {}, packed: {}}
    initial: new
    states:
      new: {on: {ordered: {target: asking, assign: {item: event.item}, append: {seen: event.item}}}}
      asking:
        ask: {prompt: "Pack {{ data.item }}?", events: [approved]}
        on: {approved: done}
      done: {final: true, output: {item: data.item}}
""")


async def an_order(url: str, agent_id: str, keys: dict[str, bytes] | None) -> None:
    async with Runner(open_store(url, keys=keys)) as runner:
        await runner.start(ORDER, "ordered", {"item": f"a book for {agent_id}"}, id=agent_id, key=f"{agent_id}.key")


@on_loop
async def test_a_sealed_agent_lives_as_a_clear_one(tmp_path: Path) -> None:
    url = sealed_file(tmp_path)
    await an_order(url, "one", KEYS)
    async with Runner(open_store(url, keys=KEYS)) as runner:
        agent = await runner.get("one")
        assert agent.question is not None
        assert (agent.question.prompt, agent.data["seen"]) == ("Pack a book for one?", ["a book for one"])
        again = await runner.start(ORDER, "ordered", {"item": "a book for one"}, id="one", key="one.key")
        assert again.delivery == "duplicate"
        done = await runner.answer("one", {})
        assert (done.status, done.output) == (Status.DONE, {"item": "a book for one"})
        assert [step.payload for step in await runner.history("one")] == [{}, {"item": "a book for one"}, {}]


@on_loop
async def test_without_its_key_a_sealed_agent_is_named_and_left_alone(tmp_path: Path) -> None:
    url = sealed_file(tmp_path)
    await an_order(url, "one", KEYS)
    before = (tmp_path / "agents.db").read_bytes()
    async with Runner(open_store(url)) as runner:
        for call in (runner.get, runner.answer, runner.cancel, runner.resume):
            with pytest.raises(KeyMissing) as missing:
                await call("one")
            assert missing.value.key_id == "2026a"
        assert [head.id for head in (await runner.store.list()).heads] == ["one"]
    assert str(missing.value) == (
        "the agent is sealed under the key '2026a', which is not given: add it to FSM_AGENT_KEYS; given: nothing"
    )
    assert (tmp_path / "agents.db").read_bytes() == before


@on_loop
async def test_a_queued_event_that_is_sealed_is_not_decided_without_its_key(tmp_path: Path) -> None:
    url = sealed_file(tmp_path)
    await an_order(url, "one", None)
    async with open_store(url, keys=KEYS) as store:
        await store.enqueue("one", None, Event("approved"))
    async with Runner(open_store(url)) as runner:
        with pytest.raises(KeyMissing):
            await runner.resume("one")
        assert (await runner.store.head("one")).queued == 1


@on_loop
async def test_an_agent_that_does_not_open_keeps_no_other_from_its_turn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = sealed_file(tmp_path)
    await an_order(url, "lost", {"gone": b"g" * 32})
    await an_order(url, "one", KEYS)
    async with Runner(open_store(url, keys=KEYS)) as runner:
        for agent_id in ("lost", "one"):
            await runner.store.enqueue(agent_id, None, Event("approved"))
        with caplog.at_level("WARNING", logger.name):
            await Worker(runner).run_once()
        assert [(head.id, head.status) for head in (await runner.store.list()).heads] == [
            ("lost", Status.WAITING),
            ("one", Status.DONE),
        ]
    [said] = caplog.messages
    assert said.startswith("agent lost could not be driven: the agent is sealed under the key 'gone'")


def test_keys_are_read_as_they_are_made() -> None:
    first, second = new_key("2026a"), new_key("x")
    keys = read_keys(f" {first}, {second},")
    assert list(keys) == ["2026a", "x"]
    assert [len(key) for key in keys.values()] == [32, 32]
    assert keys["2026a"] != keys["x"]
    assert read_keys(first.replace("+", "-").replace("/", "_")) == {"2026a": keys["2026a"]}
    assert read_keys("") == {}


SECRET: Final = b64encode(b"secret-" * 4 + b"1234").decode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (SECRET.rstrip("="), "entry 1 is not written ID=KEY"),
        (f"a={SECRET},a={SECRET}", "entry 2 repeats the id of another"),
        (f"{SECRET}", "entry 1 has an id that is not allowed: write 1 to 32 letters, digits, '_' or '-', a letter or"),
        (f"a={SECRET[:-8]}", "entry 1 is not 32 bytes long"),
        (f"a={SECRET},b=%{SECRET}", "entry 2 is not base64"),
        (f"a b={SECRET}", "entry 1 has an id that is not allowed"),
    ],
)
def test_a_key_that_cannot_serve_is_refused_and_not_shown(text: str, why: str) -> None:
    with pytest.raises(KeyInvalid) as invalid:
        read_keys(text)
    assert str(invalid.value).startswith(f"a key for sealing cannot serve: {why}")
    assert str(invalid.value).endswith("; `fsm-agent keygen` makes one")
    assert SECRET[:8] not in str(invalid.value)


@pytest.mark.parametrize("keys", [{"a": b"short"}, {"a": "x" * 32}, {"": b"k" * 32}, {"a:b": b"k" * 32}])
def test_keys_are_checked_before_a_store_is_opened(tmp_path: Path, keys: Any) -> None:
    with pytest.raises(KeyInvalid):
        open_store(sealed_file(tmp_path), keys=keys)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("cryptography")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(StoreUrlInvalid) as missing:
        open_store(sealed_file(tmp_path), keys=KEYS)
    assert str(missing.value) == ("sealing needs a library that is not installed: pip install 'fsm-agent[encryption]'")
    assert list(tmp_path.iterdir()) == []


@on_loop
async def test_keys_show_nowhere() -> None:
    store = open_store("memory://", keys=KEYS)
    assert isinstance(store, SealedStore)
    inner = [store, store._fields, store._fields._seal]
    assert not any("nnnn" in repr(each) or "oooo" in repr(each) for each in [*inner, store.url])
    with pytest.raises(StoreError) as no_scheme:
        SealedStore.from_url("", namespace="default", clock=None)
    assert str(no_scheme.value) == (
        "a sealed store has no scheme of its own: give keys to `open_store` with any other URL"
    )
    await asyncio.sleep(0)

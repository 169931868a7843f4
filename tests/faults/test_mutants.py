"""Each promise of the stores and the engine has a test that goes red when the code that keeps it is taken out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]

_MEMORY = "tests/stores/test_memory.py::TestMemoryStore"
_SQLITE = "tests/stores/test_sqlite.py::TestSqliteStore"
_POSTGRES = "tests/stores/test_postgres.py::TestPostgresStore"
_REDIS = "tests/stores/test_redis.py::TestRedisStore"
_CHILDREN = "tests/runtime/test_children.py"
_LEFT = "tests/runtime/test_children_left.py"
_STALE_VERSION = "test_a_step_on_any_other_version_is_refused_and_changes_nothing"
_STALE_EFFECT = "test_no_effect_begins_under_a_stale_epoch"
_QUESTION_GOES = "test_a_question_comes_and_goes_with_the_step"
_TAKES = "test_a_take_claims_the_longest_due_as_many_as_are_asked_for"
_RENEWS = "test_many_leases_are_renewed_at_once_and_stale_ones_are_not"
_STALE_EPOCH = "test_a_step_under_a_stale_epoch_is_refused_and_changes_nothing"


class Mutant(NamedTuple):
    """``file`` of the package with ``code`` replaced, and the test that notices."""

    file: str
    code: str
    instead: str
    test: str


MUTANTS = {
    "no compare-and-set in memory": Mutant(
        "stores/memory/store.py",
        "if kept.written.version != stands_on or ",
        "if ",
        f"{_MEMORY}::{_STALE_VERSION}",
    ),
    "no compare-and-set in SQLite": Mutant(
        "stores/sqlite/commits.py",
        "if now.version != stands_on or is_fenced",
        "if is_fenced",
        f"{_SQLITE}::{_STALE_VERSION}",
    ),
    "no compare-and-set of a plain step in SQLite": Mutant(
        "stores/sqlite/commits.py",
        " AND version = ? AND epoch",
        " AND (version = ? OR TRUE) AND epoch",
        f"{_SQLITE}::{_STALE_VERSION}",
    ),
    "no compare-and-set in Redis": Mutant(
        "stores/redis/lua/commit.lua", "now.version ~= stands_on or ", "", f"{_REDIS}::{_STALE_VERSION}"
    ),
    "no epoch check in memory": Mutant(
        "stores/memory/store.py",
        "fence is not None and fence != kept.epoch",
        "False",
        f"{_MEMORY}::{_STALE_EPOCH}",
    ),
    "no epoch check in SQLite": Mutant(
        "stores/sqlite/commits.py",
        "commit.fence is not None and commit.fence != now.epoch",
        "False",
        f"{_SQLITE}::{_STALE_EPOCH}",
    ),
    "no epoch check of a plain step in SQLite": Mutant(
        "stores/sqlite/commits.py",
        " AND epoch = ? AND",
        " AND (epoch = ? OR TRUE) AND",
        f"{_SQLITE}::{_STALE_EPOCH}",
    ),
    "a take keeps the epoch in memory": Mutant(
        "stores/memory/leases.py",
        "claimed.append(Claimed(agent_id, self._hold(agent_id, kept, kept.epoch + 1, lease)))",
        "claimed.append(Claimed(agent_id, self._hold(agent_id, kept, kept.epoch, lease)))",
        f"{_MEMORY}::{_TAKES}",
    ),
    "a take keeps the epoch in SQLite": Mutant(
        "stores/sqlite/leases.py", "epoch = epoch + 1, host = :host", "host = :host", f"{_SQLITE}::{_TAKES}"
    ),
    "a take keeps the epoch in PostgreSQL": Mutant(
        "stores/postgres/lease_statements.py", "epoch = head.epoch + 1, ", "", f"{_POSTGRES}::{_TAKES}"
    ),
    "a take keeps the epoch in Redis": Mutant(
        "stores/redis/lua/take.lua",
        "'HINCRBY', claim.head, 'epoch', 1",
        "'HGET', claim.head, 'epoch'",
        f"{_REDIS}::{_TAKES}",
    ),
    "many leases are renewed by id alone in memory": Mutant(
        "stores/memory/leases.py",
        "kept is not None and kept.epoch == epoch",
        "kept is not None",
        f"{_MEMORY}::{_RENEWS}",
    ),
    "many leases are renewed by id alone in SQLite": Mutant(
        "stores/sqlite/leases.py",
        "AND (id, epoch) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?6)) ",
        "",
        f"{_SQLITE}::{_RENEWS}",
    ),
    "many leases are renewed by id alone in PostgreSQL": Mutant(
        "stores/postgres/lease_statements.py", " AND epoch = held.made", "", f"{_POSTGRES}::{_RENEWS}"
    ),
    "many leases are renewed by id alone in Redis": Mutant(
        "stores/redis/lua/renew_all.lua", " or now.epoch ~= epoch", "", f"{_REDIS}::{_RENEWS}"
    ),
    "what stands in for an archived agent is taken": Mutant(
        "stores/sqlite/leases.py",
        "query = longest_due(_NO_STUB + wanted)",
        "query = longest_due(wanted)",
        f"{_SQLITE}::test_what_stands_in_for_an_agent_that_is_kept_elsewhere_is_not_taken",
    ),
    "who is due in cold is not brought back": Mutant(
        "stores/tiered/store.py",
        "        await recall_due(self._moves, self._warm, limit, is_wanted)\n",
        "",
        "tests/stores/test_tiered_takes.py::test_who_is_in_cold_and_due_is_brought_back_by_who_takes_it",
    ),
    "who has read an agent before it was erased writes its words back": Mutant(
        "runtime/maintenance/erase.py",
        "changed and with_erasure(changed, await self._store.now(), by)",
        "changed",
        "tests/runtime/test_erase.py::test_nobody_writes_words_back_that_they_read_before_the_erasure",
    ),
    "an agent is archived while the result of an effect may come": Mutant(
        "stores/tiered/transfer.py",
        " or any(entry.is_open for entry in export.effects)",
        "",
        "tests/stores/test_tiered.py::test_who_has_an_open_effect_stays_in_warm_where_its_result_may_still_be_recorded",
    ),
    "a plain step in SQLite goes past the queue": Mutant(
        "stores/sqlite/commits.py",
        " AND queued = 0",
        "",
        "tests/stores/test_sqlite_steps.py::test_whatever_else_has_changed_is_decided_by_the_long_road",
    ),
    "no compare-and-set in PostgreSQL": Mutant(
        "stores/postgres/statements.py",
        '"head.version = %(version)s::bigint - 1"',
        '"TRUE"',
        f"{_POSTGRES}::{_STALE_VERSION}",
    ),
    "no epoch check in PostgreSQL": Mutant(
        "stores/postgres/statements.py",
        '"head.epoch = %(epoch)s::bigint"',
        '"TRUE"',
        f"{_POSTGRES}::{_STALE_EPOCH}",
    ),
    "a step without its history in PostgreSQL": Mutant(
        "stores/postgres/statements.py",
        """, f"step AS ({insert_step('0', 'moved')})"]""",
        "]",
        f"{_POSTGRES}::test_a_step_moves_head_and_history_together",
    ),
    "an operator and a driver settle one effect": Mutant(
        "stores/postgres/statements.py",
        "head.agent IN (SELECT agent FROM settled)",
        "head.agent IN (SELECT agent FROM standing)",
        f"{_POSTGRES}::test_a_settlement_of_what_is_not_open_refuses_the_step",
    ),
    "no epoch check in Redis": Mutant(
        "stores/redis/lua/commit.lua", " or (fence ~= '' and fence ~= now.epoch)", "", f"{_REDIS}::{_STALE_EPOCH}"
    ),
    "a commit in two halves": Mutant(
        "stores/sqlite/commits.py",
        "db.execute(_MOVE, (",
        'db.execute("COMMIT"), db.execute("BEGIN IMMEDIATE"), db.execute(_MOVE, (',
        "tests/stores/test_sqlite_steps.py::test_a_commit_is_one_transaction_on_the_long_road_too",
    ),
    "a plain commit in two halves": Mutant(
        "stores/sqlite/commits.py",
        "execute(update, moved)",
        'execute("COMMIT"), execute("BEGIN IMMEDIATE"), execute(update, moved)',
        "tests/stores/test_sqlite_steps.py::test_a_plain_step_is_one_insert_and_one_update",
    ),
    "a step and its question in two halves": Mutant(
        "stores/sqlite/commits.py",
        "indexes.ask(db,",
        'db.execute("COMMIT"), db.execute("BEGIN IMMEDIATE"), indexes.ask(db,',
        "tests/stores/test_sqlite_steps.py::test_a_commit_is_one_transaction_on_the_long_road_too",
    ),
    "a plain step in SQLite goes past the question": Mutant(
        "stores/sqlite/commits.py",
        " AND asks IS ?",
        " AND (asks IS ? OR TRUE)",
        "tests/stores/test_sqlite_steps.py::test_whoever_was_parked_or_asked_something_takes_the_long_road",
    ),
    "a plain step in SQLite keeps a status that it changes": Mutant(
        "stores/sqlite/commits.py",
        '{_STEP_IF_SEEN} AND status = ?"',
        '{_STEP_IF_SEEN} AND (status = ? OR TRUE)"',
        "tests/stores/test_sqlite_steps.py::test_whoever_was_parked_or_asked_something_takes_the_long_road",
    ),
    "a question that is closed stays in SQLite's inbox": Mutant(
        "stores/sqlite/indexes.py", "    _close(db, owner, was)\n", "", f"{_SQLITE}::{_QUESTION_GOES}"
    ),
    "a question goes to one addressee alone in SQLite": Mutant(
        "stores/sqlite/indexes.py",
        "*dict.fromkeys(head.asked.to)",
        "*head.asked.to[:1]",
        f"{_SQLITE}::test_who_is_asked_finds_their_own_and_anybody_those_to_whoever_comes",
    ),
    "a deleted agent goes on asking in SQLite": Mutant(
        "stores/sqlite/transfer.py",
        "    indexes.forget(db, known.owner(namespace, agent_id), known.asks, head)\n",
        "",
        f"{_SQLITE}::test_who_is_deleted_asks_no_more_and_who_is_adopted_asks_again",
    ),
    "the inbox of another namespace in SQLite": Mutant(
        "stores/sqlite/place_queries.py",
        '["namespace = :namespace", "who = :who"',
        '["who = :who"',
        f"{_SQLITE}::test_another_namespace_has_an_inbox_of_its_own",
    ),
    "a plain step in PostgreSQL goes past those whom a question asks": Mutant(
        "stores/postgres/statements.py",
        'f"NOT {index_statements.ASKS_SEVERAL}"',
        '"TRUE"',
        f"{_POSTGRES}::test_nobody_is_told_twice_while_many_are_asked",
    ),
    "a question that is closed stays in PostgreSQL's inbox": Mutant(
        "stores/postgres/index_statements.py",
        '"asked_due = NULL, asked_to = NULL"',
        '"asked_due = asked_due"',
        f"{_POSTGRES}::{_QUESTION_GOES}",
    ),
    "a migrated agent is found under its former workflow in PostgreSQL": Mutant(
        "stores/postgres/statements.py",
        "        parts.append(index_statements.RENAMED)\n",
        "        pass\n",
        f"{_POSTGRES}::test_a_selection_knows_the_status_and_the_workflow_of_the_last_step",
    ),
    "a plain step in Redis goes past the question": Mutant(
        "stores/redis/lua/commit.lua",
        " and asks == now.asks\n",
        "\n",
        f"{_REDIS}::{_QUESTION_GOES}",
    ),
    "a question that is closed stays in Redis's inbox": Mutant(
        "stores/redis/lua/commit.lua",
        "    list_question('ZREM', index, id, before, now.asks)\n",
        "",
        f"{_REDIS}::{_QUESTION_GOES}",
    ),
    "a deleted agent goes on asking in Redis": Mutant(
        "stores/redis/lua/words.lua",
        "  list_question('ZREM', index, id, pin, now.asks)\n",
        "",
        f"{_REDIS}::test_who_is_deleted_asks_no_more_and_who_is_adopted_asks_again",
    ),
    "a page of the newest begins with the last one of the page before": Mutant(
        "stores/sqlite/place_queries.py",
        "< (:created_ms, {after})",
        "<= (:created_ms, {after})",
        f"{_SQLITE}::test_the_newest_come_first_and_those_of_one_time_in_reverse_order_of_id",
    ),
    "memory lists who asks nobody any more": Mutant(
        "stores/memory/listing.py", "asks(head, to) and ", "head.asked is not None and ", f"{_MEMORY}::{_QUESTION_GOES}"
    ),
    "an archived agent is listed at minus its version": Mutant(
        "stores/tiered/store.py",
        "[awake(head) for head in await self._warm.heads(agent_ids)]",
        "[head for head in await self._warm.heads(agent_ids)]",
        "tests/stores/test_tiered.py::test_every_list_goes_on_finding_who_is_archived",
    ),
    "half a commit is kept when the other half fails": Mutant(
        "stores/sqlite/transaction.py",
        'execute("ROLLBACK")',
        'execute("COMMIT")',
        "tests/stores/test_group_commit.py::test_a_failing_unit_is_undone_and_fails_alone",
    ),
    "timers outlive their states": Mutant(
        "engine/timers.py",
        "timer.state not in move.exited and timer is not fired",
        "timer is not fired",
        "tests/engine/test_timers.py::test_entering_arms_and_leaving_clears_but_for_what_ancestors_armed",
    ),
    "an effect begins under a stale epoch in memory": Mutant(
        "stores/memory/store.py", "if kept.epoch != entry.epoch:", "if False:", f"{_MEMORY}::{_STALE_EFFECT}"
    ),
    "an effect begins under a stale epoch in SQLite": Mutant(
        "stores/sqlite/effects.py", "if now.epoch != entry.epoch:", "if False:", f"{_SQLITE}::{_STALE_EFFECT}"
    ),
    "what is recorded is done again": Mutant(
        "engine/effects.py",
        "if not kept.is_open:",
        "if False:",
        "tests/actions/test_effects.py::test_a_recorded_result_is_returned_and_nothing_is_done_again",
    ),
    "an action swallows a doubt": Mutant(
        "actions/effects.py",
        "            self._decide(error)\n            raise\n\n    def _decide",
        "            raise\n\n    def _decide",
        "tests/actions/test_effects.py::test_an_action_that_swallows_the_doubt_parks_the_agent_all_the_same",
    ),
    "what was queued counts as what the next action names": Mutant(
        "engine/drive.py",
        "if event.name in program.claimed(head):",
        "if False:",
        "tests/engine/test_claimed_events.py"
        "::test_what_was_queued_under_one_action_does_not_count_as_what_the_next_one_names[memory]",
    ),
    "what an action names can be sent while it works": Mutant(
        "engine/delivery.py",
        "if event.name in (claimed := program.claimed(head)):",
        "if event.name in (claimed := frozenset()):",
        "tests/engine/test_claimed_events.py::test_the_event_of_a_built_in_action_cannot_be_sent_while_it_works",
    ),
    "what was queued outlives a rewind": Mutant(
        "engine/drive.py",
        "aggregate.queue[0].version < aggregate.head.rewound",
        "False",
        "tests/faults/test_rewind_crash.py::test_a_crash_anywhere_in_a_rewind_leaves_nothing_or_all_of_it",
    ),
    "a rewind forgets how often states were entered": Mutant(
        "engine/replay/restore.py",
        "visits=dict(then.visits),",
        "",
        "tests/runtime/test_rewind.py::test_a_rewind_is_one_more_step_that_brings_state_data_and_visits_back",
    ),
    "a lease that was left behind is left": Mutant(
        "engine/delivery.py",
        "        yield from give_up_orphan(aggregate)\n        return Delivered(aggregate, None)",
        "        return Delivered(aggregate, None)",
        "tests/runtime/test_orphans.py::test_to_resume_one_gives_the_lease_up_and_changes_nothing_else",
    ),
    "a pid means the same in every PID namespace": Mutant(
        "runtime/processes.py",
        "if holder.host != here.host or",
        'if holder.host.partition("/")[0] != here.host.partition("/")[0] or',
        "tests/runtime/test_processes.py::test_of_another_boot_another_namespace_and_another_host_nothing_is_known",
    ),
    "what is no Exception breaks out of an action": Mutant(
        "runtime/action_executor.py",
        "except BaseException as error:  # of a library",
        "except Exception as error:  # of a library",
        "tests/actions/test_action_exceptions.py::test_it_is_a_failed_attempt_like_any_other[a panic]",
    ),
    "a parent does not wait for all its children": Mutant(
        "actions/builtin/workflow_run.py",
        "return not self.has_more and all(map(is_over, self._known.values()))",
        "return not self.has_more",
        f"{_CHILDREN}::test_children_that_ask_need_no_process_and_whoever_is_answered_drives_the_parent_on[memory]",
    ),
    "a parent is not told that a child has ended": Mutant(
        "runtime/children.py",
        "await self._store.record_attempt(above.id, above.epoch, attempts=above.attempts, retry_ms=None)",
        "pass",
        f"{_CHILDREN}::test_a_caller_that_does_not_drive_leaves_the_parent_to_a_worker[memory]",
    ),
    "a step forgets the children that it leaves": Mutant(
        "engine/transaction.py",
        "children = was.children or was.activation",
        "children = was.children",
        f"{_LEFT}::test_or_whoever_comes_after_one_that_only_left[memory-by being cancelled]",
    ),
    "a reply of a model is not on record": Mutant(
        "actions/builtin/llm_request.py",
        "await ctx.effect(_EFFECT, request.made)",
        "await request.made()",
        "tests/actions/test_llm_agent.py::test_an_error_of_the_model_in_the_midst_costs_nothing_twice",
    ),
    "a choice of a model that nobody judges": Mutant(
        "actions/builtin/llm_decide.py",
        "problem = scope_of(ctx).judge(call.name, call.arguments)",
        "problem = None",
        "tests/actions/test_llm_decide.py::test_in_the_end_it_is_an_error",
    ),
    "a tool that nobody was asked about": Mutant(
        "actions/builtin/llm_agent.py",
        "return is_open and self._toolbox.needs_approval",
        "return False and self._toolbox.needs_approval",
        "tests/actions/test_llm_agent.py::test_a_person_is_asked_before_a_call_and_told_all_of_it",
    ),
    "what a model took counts twice": Mutant(
        "engine/outputs.py",
        "if self.heard > self.counted:",
        "if True:",
        "tests/actions/test_llm_generate.py::test_what_was_paid_before_an_agent_was_parked_counts_once",
    ),
    "an answer falls on another question": Mutant(
        "engine/answers.py",
        "if head.asked is not None and head.asked.id == question:",
        "if True:",
        "tests/engine/test_question_identity.py::test_of_two_who_answer_one_question_at_once_neither_answers_the_next[memory]",
    ),
    "a question goes stale": Mutant(
        "engine/steps.py",
        "if moved.asked is not None and delta is not EMPTY_DELTA:",
        "if False:",
        "tests/engine/test_question_identity.py::test_a_step_that_changes_what_a_question_says_puts_another_question",
    ),
    "a key is used twice": Mutant(
        "stores/memory/store.py",
        " or commit.key in kept.keys",
        "",
        f"{_MEMORY}::test_a_taken_key_refuses_the_whole_step",
    ),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project in a folder of its own; the package may be changed there."""
    shutil.copytree(ROOT / "fsm_agent", tmp_path / "fsm_agent")
    for name in ("tests", "examples", "workflows", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


#: A process that has imported what all tests need but for the package, and forks for each run.
_FORKING = """
import os, sys
import apsw, asyncio, cel_expr_python.cel, hypothesis.strategies, jsonschema_rs, psycopg, pydantic, redis.asyncio, yaml
import pytest

for line in sys.stdin:
    folder, *tests = line.split("\\t")
    if (child := os.fork()) == 0:
        os.chdir(folder)
        sys.path.insert(0, folder)
        output = os.open("output.txt", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        options = ["-x", "-q", "-pno:cacheprovider", "-pno:xdist", "-Wignore::pytest.PytestAssertRewriteWarning"]
        code = pytest.main([*options, *map(str.strip, tests)])
        sys.stdout.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Runs:
    """Runs of tests against a copy of the package."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, folder: Path, *tests: str) -> tuple[int, str]:
        """The exit code and the output."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(folder, *tests, sep="\t", file=self._process.stdin, flush=True)
        code = int(self._process.stdout.readline())
        return code, (folder / "output.txt").read_text()


@pytest.fixture(scope="module")
def run() -> Iterator[Runs]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    line, pipe = [sys.executable, "-c", _FORKING], subprocess.PIPE
    with subprocess.Popen(line, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        yield Runs(process)


@pytest.mark.parametrize("name", MUTANTS)
def test_without_it_a_test_goes_red(copy: Path, run: Runs, name: str) -> None:
    mutant = MUTANTS[name]
    file = copy / "fsm_agent" / mutant.file
    text = file.read_text(encoding="utf-8")
    assert text.count(mutant.code) == 1, f"{mutant.file} has changed: say anew how to break it"
    file.write_text(text.replace(mutant.code, mutant.instead), encoding="utf-8")
    code, output = run(copy, mutant.test)
    assert code == pytest.ExitCode.TESTS_FAILED, output
    assert f"FAILED {mutant.test.partition('[')[0]}" in output


def test_with_everything_in_place_they_are_green(copy: Path, run: Runs) -> None:
    code, output = run(copy, *(mutant.test for mutant in MUTANTS.values()))
    assert code == pytest.ExitCode.OK, output

"""Workflow files: what YAML means here, and the line and column of everything that is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml
import yamlcore
from hypothesis import example, given
from hypothesis import strategies as st

from fsm_agent.check import behaviour_findings
from fsm_agent.dialect import read_document, to_document
from fsm_agent.domain.finding import Finding, Severity
from fsm_agent.domain.json import Json
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import WorkflowInvalid
from fsm_agent.loading.yaml_file import LARGEST, dump, inspect_file, inspect_text, load, loads
from tests.support.documents import BOOK_FLIGHT, TEXTS, Document, documents
from tests.support.hypothesis_settings import example_settings

GALLERY = sorted(Path("workflows").glob("*.yaml"))


def findings(text: str) -> list[str]:
    """Line, column, code and message of everything that is wrong with ``text``."""
    with pytest.raises(WorkflowInvalid) as caught:
        loads(text, file="w.yaml")
    return [str(finding).removeprefix("w.yaml:") for finding in caught.value.findings]


def broken(old: str, new: str) -> list[str]:
    """The findings of the example once ``old`` is written ``new``."""
    assert old in BOOK_FLIGHT
    return findings(BOOK_FLIGHT.replace(old, new, 1))


def place(text: str) -> str:
    """``line:column`` of the first occurrence of ``text`` in the example."""
    before, _, _ = BOOK_FLIGHT.partition(text)
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def test_a_file_becomes_a_workflow(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_bytes(b"\xef\xbb\xbf" + BOOK_FLIGHT.replace("\n", "\r\n").encode())
    assert load(tmp_path / "w.yaml") == load(str(tmp_path / "w.yaml")) == loads(BOOK_FLIGHT)


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_the_gallery_is_valid_and_survives_being_written_anew(path: Path) -> None:
    workflow = load(path)
    assert loads(dump(to_document(workflow))) == workflow


def test_yaml_is_read_as_version_1_2() -> None:
    document = BOOK_FLIGHT.replace("depth: 2", "depth: [on, yes, 1:30, 0o17, 2020-01-01, 1e3, ~]")
    assert loads(document).by_path["planning"].with_["depth"] == ["on", "yes", "1:30", 15, "2020-01-01", 1000.0, None]


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        ("do: plan_trip", "doo: plan_trip", "doo", "FSM101 state `planning` has no key 'doo' (did you mean `do`?)"),
        ("planning, assign", "plannin, assign", "plannin, ", "FSM110 there is no state 'plannin' to go to (did you"),
        ("initial: idle", "initial: idel", "idel", "FSM110 there is no state 'idel' at the top level (did you mean"),
        ("version: 1 ", "version: 1.10 ", "1.10", "FSM103 `version` must be an integer, counted 1, 2, 3 (YAML reads"),
        ("plan_ready: exec", "plan_raedy: exec", "plan_raedy", "FSM112 event 'plan_raedy' is not declared (did you m"),
        ("after: {3d", "after: {3x", "3x", "FSM109 '3x' is not a duration"),
        ("[input_received]", "[new_task]", "new_task]", "FSM115 state `waiting_feedback` asks for event `new_task`"),
        ("goal: event.goal", "goal: event.gaol", "event.gaol", "FSM201 "),
        ("data.destination }}", "data.destinatoin }}", "data.destinatoin", "FSM201 "),
        ('"data.goal"', '"size(data.gaol)"', "data.gaol", "FSM201 "),
        ("{choice: event.choice}", "{choise: event.choice}", "choise", "FSM203 "),
        (
            "  step_complete:  {}",
            "  new_task:  {}",
            "new_task:  {}",
            "FSM007 key 'new_task' stands here twice, first in",
        ),
        ("task_complete:  {}", "1: {}", "1: {}", "FSM008 a key must be text, and 1 is not: quote it"),
        ("task_complete:  {}", "<<: {}", "<<", "FSM104 '<<' is not a name"),
        ("outcome: failed}", "outcome: faild}", "faild", "FSM114 `outcome` cannot be 'faild' (did you mean `failed`?)"),
        ("assign: {goal", "when: f(a, b), assign: {goal", "f(a", "FSM011 'f(a' ends at a comma, because it stands in"),
        ("assign: {goal", "when: !data.x, assign: {goal", "!data.x", "quote the expression"),
        ("assign: {goal: e", "append: {options: a + [b]}, assign: {goal: e", "[b]", "quote the expression"),
        ("assign: {goal", "when: '' == data.goal, assign: {goal", "== data", "quote the expression"),
        ("timeout: 2m", "timeout: *two", "*two", "FSM010 `*two` is read as an alias, and no anchor has that name"),
        ("prompt: ", "prompt: {{ data.goal }} #", "{ data.goal", "FSM008 a mapping stands where a key is wanted"),
        ("goal: string}", "goal: [string]?}", "?}", "FSM001 this is not YAML"),
        ("limits:", "\tlimits:", "\tlimits", "FSM001 this is not YAML: a tab stands where only spaces can indent"),
        ("Books", "\x07ooks", "\x07", "FSM001 character U+0007 cannot stand in YAML"),
        ("limits:", "---\nlimits:", "---", "FSM006 a second document begins here"),
    ],
)
def test_a_mistake_is_found_where_it_stands(old: str, new: str, at: str, says: str) -> None:
    text = BOOK_FLIGHT.replace(old, new, 1)
    start = text.index(at, text.index(new))
    line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
    assert any(each.startswith(f"{line}:{column}: ") and says in each for each in broken(old, new))


def test_all_mistakes_are_reported_in_the_order_of_the_file() -> None:
    text = (
        BOOK_FLIGHT.replace("goal: event.goal", "goal: evnt.goal").replace("2m", "2 m").replace("steps: 200", "stps: 1")
    )
    assert [each.split()[1] for each in findings(text)] == ["FSM201", "FSM109", "FSM101"]


def test_a_split_expression_is_put_together_and_checked_too() -> None:
    assert [each.split()[1] for each in broken("assign: {goal", "when: data.goal in [a, b], assign: {goal")] == [
        "FSM001"
    ]
    split = broken("{target: planning, assign", "{target: planning, when: size(data.goal, data.goal) > 0, assign")
    assert [each.split()[1] for each in split] == ["FSM011", "FSM201"]


def test_a_block_scalar_has_its_mistakes_in_their_own_lines() -> None:
    new = "prompt: |\n        Well,\n\n        which of {{ data.optoins }}?\n"
    text = re.sub(r"prompt: .*\n", new, BOOK_FLIGHT)
    line = text[: text.index("data.optoins")].count("\n") + 1
    (finding,) = findings(text)
    assert finding.startswith(f"{line}:{len('        which of {{ ') + 1}: FSM201")


def test_escapes_and_quotes_do_not_shift_a_place() -> None:
    (finding,) = broken('"data.goal"', r'"\"\u0041\"  + data.gaol"')
    text = BOOK_FLIGHT.replace('"data.goal"', r'"\"\u0041\"  + data.gaol"')
    line = text[: text.index("data.gaol")].split("\n")
    assert finding.startswith(f"{len(line)}:{len(line[-1]) + 1}: FSM201")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "1:1: FSM006 there is no workflow here: the text is empty"),
        ("# nothing\n", "1:1: FSM006"),
        ("- a", "1:1: FSM103 the workflow must be a mapping, and is a list"),
        ("word", "1:1: FSM103 the workflow must be a mapping, and is 'word'"),
        ("\ud800", "1:1: FSM003 half a surrogate pair is no character"),
        ("a" * (LARGEST + 1), "1:1: FSM004 a workflow may take 1048576 characters, and this text is longer"),
        ("[" * 100_000, "FSM005 a file may nest 64 levels deep, and here it is deeper"),
        ("- " * 100_000, "1:131: FSM005"),
        ("? " * 100_000, "1:131: FSM005"),
        ("[" + "1," * 100_000, "FSM004 a file may hold 50000 values, each alias counted in full, and here it has more"),
        ("version: " + "9" * 5_000, "FSM103 `version` must be an integer, and is '9999"),
        ("&a [*a]", "FSM010 `*a` is read as an alias, and no anchor has that name"),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_a_text_that_is_no_workflow_is_refused_at_its_place(text: str, says: str) -> None:
    assert any(says in each for each in findings(text))


def test_an_alias_bomb_costs_a_bounded_amount_of_work() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    (finding,) = findings("\n".join(lines))
    assert "FSM004 a file may hold 50000 values, each alias counted in full" in finding


def test_an_alias_repeats_what_its_anchor_names() -> None:
    text = BOOK_FLIGHT.replace("retry: {", "retry: &often {").replace(
        "do: execute_step", "do: execute_step\n    retry: *often"
    )
    workflow = loads(text)
    assert workflow.by_path["executing"].retry == workflow.by_path["planning"].retry


ALIASED = """\
workflow: orders
version: 1
data: {note: string?}
events: {go: {text: string}, stop: {text: string}, wait: {}}
initial: open
states:
  open:
    on: &ways
      go: &way
        target: closed
        assign: &noted {note: event.text}
      stop: {target: closed, assign: *noted}
      wait: {target: again}
  again: {on: *ways}
  closed: {final: true}
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("target: closed\n", "target: closd\n", ["10:17: FSM110 there is no state 'closd'"]),
        ("event.text}", "event.txt}", ["11:31: FSM201 event 'go' has no field `txt`"]),
        ("{note: event", "{nte: event", ["11:25: FSM203 there is no data field `nte`"]),
        ("{note: event.text}", "{note: f(a, b)}", ["11:31: FSM011 'f(a' ends at a comma", "11:33: FSM201"]),
        ("go: &way\n        target: closed", "go: &way\n        taget: closed", ["10:9: FSM101 `go` has no key"]),
        ("{target: again}", "{target: again, assgn: *noted}", ["13:29: FSM101 `wait` has no key 'assgn'"]),
        # what is right at the anchor is told where the alias stands
        ("stop: {text: string}", "stop: {}", ["12:30: FSM201 event 'stop' has no field `text`"]),
        ("wait: {target: again}", "wait: *way", ["13:7: FSM201 event 'wait' has no field `text`"]),
    ],
)
def test_a_mistake_in_what_an_alias_repeats_is_told_once_where_its_text_stands(
    old: str, new: str, told: list[str]
) -> None:
    assert ALIASED.count(old) == 1
    loads(ALIASED)
    found = findings(ALIASED.replace(old, new))
    assert [each[: len(text)] for each, text in zip(found, told, strict=True)] == told


def test_of_states_that_one_text_declares_each_is_told_where_it_gets_to_and_its_action_once() -> None:
    text = (
        "workflow: twins\nversion: 1\ninitial: one\nstates:\n  one: {final: true}\n"
        "  two: &lost {do: wrk, on: {done: one}}\n  three: *lost\nevents: {done: {}}\n"
    )
    _, found = inspect_text(text, file="", checks=[partial(behaviour_findings, actions={"work": Signature()})])
    assert [str(each)[: len(":6:19: FSM401")] for each in found] == [":6:3: FSM301 ", ":6:19: FSM401", ":7:3: FSM301 "]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.yaml", None, "missing.yaml:1:1: FSM002 the workflow file cannot be read: No such file or directory"),
        (".", None, ":1:1: FSM002 the workflow file cannot be read: Is a directory"),
        ("a\0b.yaml", None, "FSM002 the workflow file cannot be read"),
        ("latin.yaml", b"a: 1\nb: caf\xe9", "latin.yaml:2:7: FSM003 byte 0xe9 is not UTF-8: save the file as UTF-8"),
        ("large.yaml", b"#" * (LARGEST + 1), "large.yaml:1:1: FSM004 a workflow may take 1048576 bytes, and this fil"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    workflow, (finding,) = inspect_file(tmp_path / name)
    assert workflow is None
    assert says in str(finding)


def test_further_checks_see_only_a_valid_workflow_and_get_their_places() -> None:
    def deadline(workflow: Workflow) -> Iterator[Finding]:
        path = ("states", "waiting_feedback", "on", "input_received", 0)
        yield Finding("FSM999", workflow.name, path, Severity.WARNING)
        yield Finding("FSM998", "elsewhere", ("states", "idle", "after", "9d"), Severity.WARNING)

    workflow, found = inspect_text(BOOK_FLIGHT, file="w.yaml", checks=[deadline])
    assert workflow is not None
    idle, taken = place("idle:\n"), place("input_received: {target")
    assert [str(each) for each in found] == [f"w.yaml:{idle}: FSM998 elsewhere", f"w.yaml:{taken}: FSM999 book_flight"]
    workflow, found = inspect_text(BOOK_FLIGHT.replace("2m", "2x"), checks=[deadline])
    assert workflow is None
    assert [each.code for each in found] == ["FSM109"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_what_is_dumped_reads_as_it_was_by_yaml_1_2(value: Json) -> None:
    assert yaml.load(dump(value), Loader=yamlcore.CCoreLoader) == value  # noqa: S506  its safe loader


@given(st.lists(TEXTS, max_size=3))
def test_a_dumped_text_is_a_text_to_a_yaml_1_1_reader_too(texts: list[str]) -> None:
    assert yaml.safe_load(dump(texts)) == texts


@example_settings(40)  # each compiles its expressions
@given(documents())
def test_a_document_in_yaml_means_what_it_means_in_python(document: Document) -> None:
    workflow, mistakes = read_document(document)
    assert mistakes == []
    assert loads(dump(document)) == workflow


def lines_of_mistakes(text: str) -> set[int]:
    """The lines of all findings, each of which has a place in the text; none if the text is a workflow."""
    _, found = inspect_text(text, folder=Path("workflows"))
    places = [finding.place for finding in found if finding.place is not None]
    assert len(places) == len(found)
    lines = {place.line for place in places}
    assert all(1 <= line <= text.count("\n") + 1 for line in lines)
    return lines


@given(st.text(max_size=200) | st.text(":-{}[]\"'|>&*!?#, \nabcon1", max_size=60))
@example("{a: b, ? c")
@example("a: 'b")
@example("%YAML 1.3\n---\na")
@example("--- |1\n a\n...\n--- b")
def test_no_text_raises_anything_but_findings(text: str) -> None:
    lines_of_mistakes(text)


TOKEN = re.compile(r"\w+|[^\w\s]|[ ]+|\n")
SPARE = st.sampled_from(["", *"{}[],:'\"!&*?|-#\t\n x1"])


@given(st.sampled_from([BOOK_FLIGHT, *(path.read_text() for path in GALLERY)]), st.data())
def test_no_mutated_token_raises_anything_but_findings(text: str, data: st.DataObject) -> None:
    tokens = TOKEN.findall(text)
    index = data.draw(st.integers(0, len(tokens) - 1))
    tokens[index] = data.draw(SPARE | st.sampled_from(tokens))
    lines_of_mistakes("".join(tokens))


def misspelt(text: str) -> Iterator[tuple[str, str, int]]:
    """The text with one word misspelt, the word, and its line; once for each word outside of comments."""
    bare = re.sub(r"#[^\n]*", lambda comment: " " * len(comment[0]), text)
    for word in re.finditer(r"\b[A-Za-z_]\w*", bare):
        yield f"{text[: word.end()]}q{text[word.end() :]}", word[0], text.count("\n", 0, word.start()) + 1


@pytest.mark.long
@pytest.mark.parametrize("path", [*GALLERY, None], ids=lambda path: path.stem if path else "specification")
def test_a_misspelt_word_is_found_in_its_line_or_where_it_is_mentioned(path: Path | None) -> None:
    text = path.read_text() if path else BOOK_FLIGHT
    mutations = list(misspelt(text))
    tried = mutations[:: max(1, len(mutations) // (30 if path else 150))]
    found = 0
    for mutated, word, line in tried:
        mentions = {number for number, each in enumerate(text.split("\n"), 1) if re.search(rf"\b{word}\b", each)}
        lines = lines_of_mistakes(mutated)
        assert lines <= mentions, f"{word!r} in line {line}: {inspect_text(mutated)[1]}"
        found += bool(lines)
    assert found > len(tried) / 4

"""Scripted models: a file of rules that answers as a model does, the same after a restart."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fsm_agent.domain.message import Message, Role
from fsm_agent.errors import ModelReplyInvalid, ModelUnknown
from fsm_agent.llm.models import Models
from fsm_agent.llm.script import _KEYS, _REPLIES, _WHEN
from fsm_agent.llm.types import Ask, Reply, Tool
from fsm_agent.loading.model_script import read_script

DOCS = Path(__file__).parents[2] / "docs" / "models.md"
NOTHING_MORE = {"type": "object", "properties": {}}
SEARCH = Tool("search", "Finds.", {"type": "object", "properties": {"city": {"type": "string"}}})
EVENTS = (Tool("book", "Books it.", NOTHING_MORE), Tool("ask", "Asks.", NOTHING_MORE))
ANSWER = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}

Asking = Callable[..., Reply]


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def asking(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Asking]:
    """A script as a function that is asked; all questions to it are put in one process."""

    def scripted(text: str) -> Asking:
        file = tmp_path / "script.yaml"
        file.write_text(text)
        models = Models(read_script=read_script)

        def put(*said: Message | str, **how: Any) -> Reply:
            messages = tuple(Message(Role.USER, each) if isinstance(each, str) else each for each in said)
            heard: list[str] = []
            question = Ask(f"scripted:{file}", messages, **how)
            reply = asyncio.run(models.ask(question, on_text=heard.append if request.param else None))
            assert "".join(heard) == (reply.text if request.param else "")
            return reply

        return put

    return scripted


def result(reply: Reply, content: Any) -> Message:
    [call] = reply.calls
    part = {"type": "tool_result", "id": call.id, "name": call.name, "content": content, "is_error": False}
    return Message(Role.TOOL, parts=(part,))


def test_the_first_rule_that_holds_answers(asking: Callable[[str], Asking]) -> None:
    put = asking("""
        - when: {last: Rome}
          reply: It is sunny there, and will be so for a long time to come.
        - when: {contains: brief}
          reply: Yes.
        - reply: I do not know.
    """)
    assert put("How is Rome?").text == "It is sunny there, and will be so for a long time to come."
    assert put("Rome?", Message(Role.ASSISTANT, "Yes?"), "And Oslo?").text == "I do not know."
    assert put("Hm?", system="Be brief.").text == "Yes."


def test_all_of_a_rule_must_hold(asking: Callable[[str], Asking]) -> None:
    put = asking("""
        - when: {state: planning, last: Rome}
          reply: A plan.
        - reply: Nothing.
    """)
    assert put("Rome", state="planning").text == "A plan."
    assert put("Oslo", state="planning").text == put("Rome", state="other").text == put("Rome").text == "Nothing."


def test_a_loop_of_tools_can_be_scripted(asking: Callable[[str], Asking]) -> None:
    put = asking("""
        - when: {tool_result: search}
          reply: Found it.
        - reply: {call: search, arguments: {city: Rome}}
    """)
    called = put("Where?", tools=(SEARCH,))
    assert [(call.name, call.arguments) for call in called.calls] == [("search", {"city": "Rome"})]
    assert called.finish == "tool_call"
    again = put("Where?", called.message, result(called, {"at": "the river"}), tools=(SEARCH,))
    assert (again.text, again.calls, again.finish) == ("Found it.", (), "stop")


def test_what_a_tool_returned_is_what_was_said_last(asking: Callable[[str], Asking]) -> None:
    put = asking("""
        - when: {last: river}
          reply: Near the water.
        - reply: {call: search}
    """)
    called = put("Where?", tools=(SEARCH,))
    assert put("Where?", called.message, result(called, {"at": "the river"})).text == "Near the water."


def test_several_tools_are_called_at_once_with_ids_of_their_own(asking: Callable[[str], Asking]) -> None:
    put = asking("- reply: {calls: [{call: search, arguments: {city: Rome}}, {call: search, arguments: {city: Oslo}}]}")
    reply = put("Where?", tools=(SEARCH,))
    assert [call.arguments for call in reply.calls] == [{"city": "Rome"}, {"city": "Oslo"}]
    later = put("Where?", reply.message, "And?", tools=(SEARCH,))
    assert len({call.id for call in (*reply.calls, *later.calls)}) == 4


def test_an_event_is_chosen_by_its_name(asking: Callable[[str], Asking]) -> None:
    put = asking("- reply: {call: book}")
    [call] = put("What now?", tools=EVENTS, allow_text=False, is_parallel=False).calls
    assert (call.name, call.arguments) == ("book", {})


def test_a_script_may_choose_what_is_not_allowed(asking: Callable[[str], Asking]) -> None:
    [call] = asking("- reply: {call: fly, arguments: {to: mars}}")("Now?", tools=EVENTS, allow_text=False).calls
    assert (call.name, call.arguments) == ("fly", {"to": "mars"})


def test_values_are_given_in_the_form_that_is_asked_for(asking: Callable[[str], Asking]) -> None:
    put = asking("- reply: {json: {answer: Rome}}")
    assert put("Which?", output=ANSWER).output == {"answer": "Rome"}
    assert json.loads(put("Which?").text) == {"answer": "Rome"}
    listed = asking("- reply: {json: [1, 2]}")
    assert listed("Which?", output={"type": "array"}).output == [1, 2]


def test_values_may_break_the_schema_on_purpose(asking: Callable[[str], Asking]) -> None:
    put = asking("- reply: {json: {answer: 1}}")
    with pytest.raises(ModelReplyInvalid, match='answer: 1 is not of type "string"'):
        put("Which?", output=ANSWER)


def test_a_rule_can_be_used_up(asking: Callable[[str], Asking]) -> None:
    put = asking("""
        - {reply: {json: {answer: 1}}, times: 1}
        - reply: {json: {answer: Rome}}
    """)
    with pytest.raises(ModelReplyInvalid):
        put("Which?", output=ANSWER)
    assert put("Which?", output=ANSWER).output == put("Which?", output=ANSWER).output == {"answer": "Rome"}


def test_usage_is_what_the_script_says_or_else_estimated(asking: Callable[[str], Asking]) -> None:
    said = asking("- {reply: Hi., usage: {input: 120, output: 6}}")("Hello").usage
    assert (said.input_tokens, said.output_tokens, said.context_tokens, said.cost_micros) == (120, 6, 126, 0)
    estimated = asking("- reply: Hi.")("Hello").usage
    assert estimated.input_tokens > 0
    assert estimated.output_tokens > 0


def test_a_process_that_is_started_again_gets_the_same_replies(asking: Callable[[str], Asking]) -> None:
    text = "- when: {tool_result: search}\n  reply: Found.\n- reply: {call: search}\n"
    first, second = asking(text), asking(text)
    called = first("Where?", tools=(SEARCH,))
    assert called.calls == second("Where?", tools=(SEARCH,)).calls
    assert second("Where?", called.message, result(called, 1), tools=(SEARCH,)).text == "Found."


def test_where_no_rule_fits_the_last_message_is_quoted(asking: Callable[[str], Asking]) -> None:
    put = asking("- {when: {last: Rome}, reply: Yes.}")
    with pytest.raises(ModelReplyInvalid) as raised:
        put("How is Oslo?")
    assert "no rule of the script fits what was said last, 'How is Oslo?'" in str(raised.value)


def test_a_script_can_be_json(asking: Callable[[str], Asking]) -> None:
    assert asking(json.dumps([{"reply": "Yes."}]))("Well?").text == "Yes."


def test_text_in_braces_is_only_text(asking: Callable[[str], Asking]) -> None:
    assert asking("- reply: 'Dear {{ prompt }}'")("Well?").text == "Dear {{ prompt }}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1: a script is a list of rules"),
        ("reply: x", "1:1: a script is a list of rules"),
        ("- x", "1:3: a rule is {when, reply, usage, times}, and this is 'x'"),
        ("- when: {last: x}", "1:3: a rule needs a `reply`"),
        ("- {reply: x, wen: {}}", "1:14: unknown key `wen` (did you mean `when`?); allowed: reply, times, usage, when"),
        ("- {reply: x, when: {lats: x}}", "unknown key `lats` (did you mean `last`?); allowed: contains, last, state"),
        ("- {reply: x, when: {last: 1}}", '`when` is wrong: last: 1 is not of type "string"'),
        ("- {reply: x, when: [last]}", "`when` is wrong: "),
        ("- {reply: 1}", "`reply` is wrong: 1 is not of types"),
        ("- {reply: {say: x}}", "a reply is a text, {call, arguments}, {calls} or {json}"),
        ("- {reply: {call: ''}}", "reply.call: "),
        ("- {reply: {call: x, argument: {}}}", "unknown key `argument` (did you mean `arguments`?)"),
        ("- {reply: {call: x, arguments: 1}}", 'reply.arguments: 1 is not of type "object"'),
        ("- {reply: {calls: []}}", "reply.calls: "),
        ("- {reply: {calls: [{}]}}", 'reply.calls[0]: "call" is a required property'),
        ("- {reply: x, times: 0}", "`times` is wrong: 0 is less than the minimum of 1"),
        ("- {reply: x, usage: {input: -1}}", "`usage` is wrong: input: -1 is less than the minimum of 0"),
        ("- {reply: x, usage: {inputs: 1}}", "unknown key `inputs` (did you mean `input`?)"),
        ("- {reply: x, reply: y}", "reply"),
        ("- !!python/object:os.system {reply: x}", "tag"),
        ("- reply: [", "this is not YAML"),
    ],
)
def test_what_is_wrong_with_a_script_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "script.yaml"
    file.write_text(text)
    with pytest.raises(ModelUnknown) as raised:
        read_script(str(file))
    assert said in str(raised.value)
    assert f"{file}:" in str(raised.value)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "script.yaml"
    file.write_text("- {reply: 1}\n- {wen: {}}\n")
    with pytest.raises(ModelUnknown) as raised:
        read_script(str(file))
    assert all(said in str(raised.value) for said in ("1:11: ", "2:4: unknown key", "2:3: a rule needs a `reply`"))


def test_a_script_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "script.yaml"
    file.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(ModelUnknown, match="a script may take 1048576 bytes"):
        read_script(str(file))


def test_the_script_in_the_documentation_does_what_the_page_says(asking: Callable[[str], Asking]) -> None:
    [script] = re.findall(r"^```yaml\n(.*?)^```", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    put = asking(script)
    called = put("To Rome?", state="planning", tools=(SEARCH,))
    assert [call.arguments for call in called.calls] == [{"city": "Rome"}]
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
    found = put("To Rome?", called.message, result(called, "much"), tools=(SEARCH,), output=schema)
    assert found.output == {"city": "Rome", "days": 3}
    assert len(put("I want to see two cities.", tools=(SEARCH,)).calls) == 2
    assert [call.name for call in put("Well?", state="deciding", tools=(SEARCH,)).calls] == ["approve"]
    assert put("Well?", state="deciding").text == put("Well?").text == "I do not know."


def test_every_key_of_a_script_is_documented() -> None:
    page = DOCS.read_text()
    for key in (*_KEYS, *(f"when: {{{name}: " for name in _WHEN), *(f"reply: {{{name}: " for name in _REPLIES)):
        assert key in page

"""Forms on a terminal: one field after the other, by its JSON Schema; each mistake is shown beside its field.

Ctrl-C raises ``KeyboardInterrupt``, Ctrl-D ``EOFError``; then no value is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from fsm_agent.cli.blocks import visible
from fsm_agent.cli.input.values import meaning, read_value
from fsm_agent.concurrency import event_loop
from fsm_agent.data.typed_values import only_type
from fsm_agent.data.validation import Shape
from fsm_agent.domain.json import Json, Schema

if TYPE_CHECKING:
    from questionary import Question, Style

#: value of an empty field
_NOTHING: Final = object()


async def ask_form(schema: Schema, *, known: Mapping[str, Json] | None = None) -> dict[str, Json]:
    """Ask for the fields of an object that are not ``known``, required ones first. Empty optional fields are left
    out."""
    given = dict(known or {})
    required = list(schema["required"])
    for name in sorted(schema["properties"], key=lambda name: name not in required):
        if name not in given:
            value = await _ask_field(name, schema["properties"][name], optional=name not in required)
            given |= {} if value is _NOTHING else {name: value}
    return given


async def ask_choice(message: str, choices: Sequence[str]) -> str:
    """Ask for one of several names."""
    chosen: str = await _ask_select(message, [(visible(name), name) for name in choices])
    return chosen


async def _ask_field(name: str, field: Schema, *, optional: bool) -> Json:
    label = visible(field.get("title") or name.replace("_", " "))
    skip: list[tuple[str, Json]] = [("(leave empty)", _NOTHING)] if optional else []
    if "enum" in field:
        return await _ask_select(label, [*((visible(str(each)), each) for each in field["enum"]), *skip])
    if only_type(field) == "boolean":
        return await _ask_select(label, [("yes", True), ("no", False), *skip])
    return await _ask_text(label, field, optional=optional)


async def _ask_select(message: str, choices: Sequence[tuple[str, Json]]) -> Json:
    import questionary

    listed = [questionary.Choice(title, value=position) for position, (title, _) in enumerate(choices)]
    question = questionary.select(message, listed, instruction=" ", style=_style())
    _let_leave(question)
    await event_loop.reach()
    position: int = await question.unsafe_ask_async()
    return choices[position][1]


async def _ask_text(label: str, field: Schema, *, optional: bool) -> Json:
    import questionary

    wanted = [meaning(field), "may be left empty" if optional else ""]
    hint = ", ".join(each for each in wanted if each not in ("", "text"))
    problem = _judge(field, optional=optional)
    question = questionary.text(
        label,
        instruction=f"({hint})" if hint else None,
        style=_style(),
        validate=lambda text: problem(text) or True,
    )
    _keep_together(question)
    await event_loop.reach()
    typed: str = await question.unsafe_ask_async()
    return _NOTHING if optional and not typed else read_value(typed, field)


def _let_leave(question: Question) -> None:
    """Let Ctrl-D leave a list of choices, as it leaves a line of text."""
    from prompt_toolkit.key_binding import KeyBindings, merge_key_bindings

    leaving = KeyBindings()
    leaving.add("c-d")(lambda event: event.app.exit(exception=EOFError()))
    app = question.application
    app.key_bindings = merge_key_bindings([*filter(None, [app.key_bindings]), leaving])


def _keep_together(question: Question) -> None:
    """Show a mistake directly under its field, and not at the bottom of the screen."""
    from prompt_toolkit.filters import Always

    for window in question.application.layout.find_all_windows():
        window.dont_extend_height = Always()


def _judge(field: Schema, *, optional: bool) -> Callable[[str], str | None]:
    """A check of texts for a field: it returns the mistake as a sentence, or ``None``."""
    shape = Shape(field)

    def problem(text: str) -> str | None:
        if not text:
            return None if optional else "this field is required"
        try:
            problems = shape.problems(read_value(text, field), "")
        except ValueError as error:
            return str(error)
        return "; ".join(each.partition(": ")[2] for each in problems) or None

    return problem


def _style() -> Style:
    import questionary

    return questionary.Style(
        [
            ("qmark", "fg:ansiyellow bold"),
            ("question", "bold"),
            ("answer", "fg:ansicyan"),
            ("instruction", "fg:ansibrightblack"),
            ("pointer", "fg:ansicyan bold"),
            ("highlighted", "fg:ansicyan"),
            ("validation-toolbar", "bg:default fg:ansired noreverse bold"),
        ]
    )

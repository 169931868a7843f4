"""A form in HTML, filled in and sent as a browser does it, without one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_NUMBER = re.compile(r"-?(\d+(\.\d+)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::(\d\d)(\.\d{1,3})?)?", re.ASCII)


@dataclass
class Control:
    """One control, with what a browser would send for it."""

    kind: str
    attributes: dict[str, str]
    texts: list[str]

    @property
    def name(self) -> str:
        return self.attributes.get("name", "")


@dataclass
class HtmlForm:
    """The controls of a form in their order, and its text."""

    controls: list[Control] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    #: id -> attributes of whatever has it
    ids: dict[str, dict[str, str]] = field(default_factory=dict)
    #: ids that others refer to
    references: list[str] = field(default_factory=list)

    def control(self, name: str) -> Control:
        [found] = [each for each in self.controls if each.name == name and each.kind != "button"]
        return found

    def buttons(self) -> list[tuple[str, str]]:
        return [(each.name, each.attributes.get("value", "")) for each in self.controls if each.kind == "button"]

    def pairs(self, *button: str) -> list[tuple[str, str]]:
        """What is sent, by a button that has a name and a value or by one that has none."""
        sent = [(each.name, text) for each in self.controls if each.name for text in each.texts]
        return [(_line_ends(name), _line_ends(text)) for name, text in [*sent, *([button] if button else [])]]


def parsed(html: str) -> HtmlForm:
    parser = _Parser()
    parser.feed(html.replace("\r\n", "\n").replace("\r", "\n"))
    parser.close()
    return parser.form


def _line_ends(text: str) -> str:
    return re.sub("\r\n|\r|\n", "\r\n", text)


def _kept(kind: str, value: str) -> str:
    """What a field of some kind keeps of the value that HTML gives it."""
    match kind:
        case "number":
            return value if _NUMBER.fullmatch(value) else ""
        case "date":
            return value if _DATE.fullmatch(value) else ""
        case "datetime-local":
            found = _TIME.fullmatch(value)
            return (
                found[1] + (f":{found[2]}{found[3] or ''}" if found[2] not in {None, "00"} or found[3] else "")
                if found
                else ""
            )
        case "hidden":
            return value
        case _:
            return re.sub("[\r\n]", "", value)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.form = HtmlForm()
        self._open: Control | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: (value or "").replace("\0", "\ufffd") for name, value in attrs}
        self._refer(given)
        match tag:
            case "input":
                kind = given.get("type", "text")
                is_sent = kind not in {"checkbox", "radio"} or "checked" in given
                value = given.get("value", "on" if kind in {"checkbox", "radio"} else "")
                kept = value if kind in {"checkbox", "radio"} else _kept(kind, value)
                self.form.controls.append(Control(kind, given, [kept] if is_sent else []))
            case "textarea" | "select" | "button":
                self._open = Control(tag, given, [""] if tag == "textarea" else [])
                self.form.controls.append(self._open)
            case "option" if self._open is not None:
                if "selected" in given or not self._open.texts:
                    self._open.texts = [given["value"]]

    def _refer(self, given: dict[str, str]) -> None:
        if "id" in given:
            assert given["id"] not in self.form.ids, given["id"]
            self.form.ids[given["id"]] = given
        words = [given.get("for", ""), given.get("href", "").removeprefix("#")]
        for name in ("aria-describedby", "aria-labelledby"):
            words += given.get(name, "").split(" ")
        self.form.references += filter(None, words)

    def handle_data(self, data: str) -> None:
        self.form.words.append(data)
        if self._open is not None and self._open.kind == "textarea":
            self._open.texts[0] += data.replace("\0", "\ufffd")

    def handle_endtag(self, tag: str) -> None:
        if self._open is not None and tag == self._open.kind:
            if tag == "textarea":
                self._open.texts = [self._open.texts[0].removeprefix("\n")]
            self._open = None

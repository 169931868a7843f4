"""The labels of a difference in DOT: old text is struck above the new one, and numbers are those of the list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from fsm_agent.render import style
from fsm_agent.render.difference_style import COUNTED, GLYPHS, TONES, WARNING, WORDS, counts, versions
from fsm_agent.render.graph import Cluster, Node
from fsm_agent.render.html_labels import Line, Run, TextStyle, paragraph, table
from fsm_agent.render.labels import QUOTED, Detail, Label
from fsm_agent.render.numbers import circled
from fsm_agent.render.style import paint_of
from fsm_agent.render.text_width import clean
from fsm_agent.render.union import Piece, Union
from fsm_agent.render.union_lines import LinePiece, Status

#: in points
_NODE_WIDTH: Final = 250
_EDGE_WIDTH: Final = 175
_MOST_LINES: Final = 5
_NAME_SIZE: Final = 13
_TEXT_SIZE: Final = 10
_NUMBER_SIZE: Final = 12
_GAP: Final = " " * 4
_ADDED, _REMOVED, _CHANGED = (TONES[each].line for each in (Status.ADDED, Status.REMOVED, Status.CHANGED))
_QUIET: Final = TONES[Status.SAME].ink

_plain = partial(TextStyle, _TEXT_SIZE)


def title(union: Union) -> str:
    """Name, versions and counts; below them the meaning of the signs, and which rows are not in the picture."""
    difference = union.difference
    head: Line = (
        Run(clean(difference.new.name), TextStyle(17, style.INK, bold=True)),
        Run(f"{_GAP}{_GAP}{versions(difference)}{_GAP}", TextStyle(11, style.MUTED)),
        *(
            Run(f"{_GAP}{GLYPHS[status]} {count} {COUNTED[status]}", _count_look(status, count))
            for status, count in counts(difference).items()
        ),
    )
    legend = partial(TextStyle, 10.5)
    signs: Line = (
        Run(f"+ solid: new{_GAP}", legend(_ADDED)),
        Run(f"{GLYPHS[Status.REMOVED]} dashed, struck: gone{_GAP}", legend(_REMOVED)),
        Run(f"~ changed{_GAP}", legend(_CHANGED)),
        Run(f"grey: as before{_GAP}① row of the list", legend(style.MUTED)),
    )
    return table([[head], [signs, *_elsewhere(union)]], padding=6)


def _count_look(status: Status, count: int) -> TextStyle:
    return TextStyle(12, TONES[status].line, bold=True) if count else TextStyle(12, _QUIET)


def _elsewhere(union: Union) -> Iterator[Line]:
    """The rows that no picture can show, such as those about data."""
    hidden = [row.number for row in union.difference.rows if row.number is not None and not row.change.is_drawn]
    if hidden:
        look = TextStyle(10.5, style.MUTED)
        yield from paragraph(f"in the list alone: {numbers(hidden)}", look, width=640, most=2)


def numbers(found: Iterable[int]) -> str:
    """``①②``, or ``(21) (22)``."""
    texts = list(map(circled, found))
    return (" " if any(len(text) > 1 for text in texts) else "").join(texts)


def node_label(union: Union, node: Node) -> str:
    """The name, and below it the lines that have changed. A state that is new or gone has all its lines."""
    status, tone = union.status(node.id), TONES[union.status(node.id)]
    return table([_header(union, node), *_compartments(union.lines.get(node.id, ()), status)], rule=tone.rule)


def cluster_label(union: Union, cluster: Cluster) -> str:
    return table([_header(union, cluster)])


def _header(union: Union, item: Node | Cluster) -> list[Line]:
    status = union.status(item.id)
    tone, struck = TONES[status], status is Status.REMOVED
    glyph = "" if isinstance(item, Cluster) else paint_of(item).glyph
    name = f"{glyph} {item.name}".lstrip() if item.name else ""
    is_quiet = status is Status.SAME
    ink = _QUIET if is_quiet else tone.ink
    lines = list(paragraph(name, TextStyle(_NAME_SIZE, ink, bold=True, struck=struck), width=_NODE_WIDTH))
    badge = _badge(union, item.id)
    if badge and lines:
        lines[-1] = (*lines[-1], Run(f"{_GAP}", _plain(tone.line)), *badge)
    elif badge:
        lines = [tuple(badge)]
    if item.id in union.was:
        was = union.was[item.id].rpartition(".")[2]
        lines += paragraph(f"was {was}", _plain(_CHANGED, italic=True), width=_NODE_WIDTH)
    if isinstance(item, Node) and status is Status.ADDED:
        lines += paragraph(item.description, _plain(style.MUTED, italic=True), width=_NODE_WIDTH, most=2)
    return lines


def _badge(union: Union, identity: str) -> list[Run]:
    status = union.status(identity)
    if status is Status.SAME or identity.startswith("everywhere"):
        return []
    ink = TONES[status].line
    word = Run(f"{GLYPHS[status]} {WORDS[status]}", _plain(ink, bold=True))
    found = union.numbers.get(identity, ())
    return [word, *([_number(found, ink)] if found else [])]


def _number(found: Sequence[int], ink: str) -> Run:
    return Run(f"  {numbers(found)}", TextStyle(_NUMBER_SIZE, ink, bold=True))


# --------------------------------------------------------------------------- lines inside states


def _compartments(lines: Sequence[LinePiece], status: Status) -> Iterator[list[Line]]:
    """The lines of a state; where both versions have it, only those that are not as before."""
    is_whole = status in (Status.ADDED, Status.REMOVED)
    shown = [line for line in lines if is_whole or line.status is not Status.SAME]
    if shown:
        yield [each for line in shown for each in _line(line, is_whole=is_whole)]


def _line(line: LinePiece, *, is_whole: bool) -> list[Line]:
    struck = line.status is Status.REMOVED
    mark = _REMOVED if struck else _CHANGED if line.status is Status.CHANGED else _ADDED
    ink = _REMOVED if struck else style.INK
    glyph = f"{GLYPHS[line.status]} " if line.status is not Status.SAME and not is_whole else ""
    lines = _detail(line.detail, glyph, mark, ink, struck=struck)
    if line.numbers and lines:
        lines[-1] = (*lines[-1], _number(line.numbers, mark))
    return lines


def _detail(detail: Detail, glyph: str, mark: str, ink: str, *, struck: bool) -> list[Line]:
    if detail.kind in QUOTED:
        lead = Run(glyph, _plain(mark, bold=True)) if glyph else None
        look = _plain(ink, italic=True, struck=struck)
        return list(paragraph(str(detail), look, width=_NODE_WIDTH, most=_MOST_LINES, lead=lead))
    lead = Run(f"{glyph}{detail.kind}  ", _plain(mark))
    return list(paragraph(detail.text, _plain(ink, struck=struck), width=_NODE_WIDTH, most=_MOST_LINES, lead=lead))


# --------------------------------------------------------------------------- edges


def edge_label(pieces: Sequence[Piece]) -> str:
    """One cell for each transition."""
    return table([_piece(piece) for piece in pieces], padding=4)


def _piece(piece: Piece) -> list[Line]:
    if piece.status is Status.SAME:
        return _quiet(piece.label)
    if piece.status is Status.CHANGED and piece.old is not None and piece.new is not None:
        return _changed(piece, piece.old, piece.new)
    struck = piece.status is Status.REMOVED
    ink = _REMOVED if struck else _ADDED
    lines = _marked(GLYPHS[piece.status], piece.label.event, _plain(ink, bold=True, struck=struck))
    lines[-1:] = [_numbered(lines[-1], piece, ink)]
    lines += [each for text in _rest(piece.label) for each in _text(text, _plain(ink, struck=struck))]
    return lines


def _quiet(label: Label) -> list[Line]:
    """The part of a label that is as before: the event and its guard."""
    look = _plain(_QUIET)
    guard = _text(f"[{label.guard}]", look, most=2) if label.guard else []
    return [*_text(label.event, look), *guard]


def _changed(piece: Piece, old: Label, new: Label) -> list[Line]:
    """The old text, struck, above the new one; what is equal stands once."""
    if _plain_event(old) == _plain_event(new):
        lines = _marked(GLYPHS[Status.CHANGED], new.event, _plain(_CHANGED, bold=True))
    else:
        lines = _gone(old.event, is_bold=True) + _come(new.event, is_bold=True)
    lines[-1:] = [_numbered(lines[-1], piece, _CHANGED)]
    if old.guard != new.guard:
        lines += _gone(f"[{old.guard}]") if old.guard else []
        lines += _come(f"[{new.guard or 'always'}]")
    elif new.guard:
        lines += _text(f"[{new.guard}]", _plain(_QUIET), most=3)
    if piece.is_guard_lost:
        lines += _text(f"{WARNING} the guard is gone", TextStyle(11, _REMOVED, bold=True))
    for effect in old.effects:
        lines += _gone(f"/ {effect}") if effect not in new.effects else []
    for effect in new.effects:
        lines += _come(f"/ {effect}") if effect not in old.effects else []
    return lines + (_text(piece.note, _plain(_CHANGED, italic=True)) if piece.note else [])


def _plain_event(label: Label) -> str:
    """The event without its place among the candidates."""
    return label.event.partition(" (")[0]


def _numbered(line: Line, piece: Piece, ink: str) -> Line:
    return (*line, _number(piece.numbers, ink)) if piece.numbers else line


def _rest(label: Label) -> list[str]:
    return [*([f"[{label.guard}]"] if label.guard else []), *(f"/ {effect}" for effect in label.effects)]


def _gone(text: str, *, is_bold: bool = False) -> list[Line]:
    return _marked(GLYPHS[Status.REMOVED], text, _plain(_REMOVED, bold=is_bold, struck=True))


def _come(text: str, *, is_bold: bool = False) -> list[Line]:
    return _marked(GLYPHS[Status.ADDED], text, _plain(_ADDED, bold=is_bold))


def _marked(glyph: str, text: str, look: TextStyle) -> list[Line]:
    """A text behind its glyph, which is not struck with it."""
    lead = Run(f"{glyph} ", look._replace(struck=False))
    return list(paragraph(text, look, width=_EDGE_WIDTH, most=_MOST_LINES, lead=lead))


def _text(text: str, look: TextStyle, *, most: int = _MOST_LINES) -> list[Line]:
    return list(paragraph(text, look, width=_EDGE_WIDTH, most=most))

"""The functions of a module, read from its source text without running it: which of them are actions, their parameters
their events and the fields that they write. What the text does not show is marked as unknown."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.domain.signature import Signature

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

#: in bytes; a larger file was not written by hand
LARGEST: Final = 4 * 1024 * 1024
#: functions that can create names which the text does not show
_HIDDEN_NAMES: Final = frozenset({"globals", "vars", "exec", "eval", "setattr", "locals", "__getattr__"})
_OURS: Final = ("fsm_agent", "fsm_agent.actions", "fsm_agent.actions.action")
#: how many levels of names an annotation is followed
_DEEPEST: Final = 4
#: names that an annotation may contain and that list no events
_NO_EVENTS: Final = frozenset({"str", "Context", "None", "Emission", "Asking", "Pause", "object", "Any"})


class Imported(NamedTuple):
    """A name imported from another module; ``name`` is ``None`` if it is the module itself."""

    module: str
    name: str | None


@dataclass(slots=True)
class Source:
    """The contents of one module's text."""

    name: str
    #: functions at the top level, by their names
    functions: dict[str, Function] = field(default_factory=dict)
    imported: dict[str, Imported] = field(default_factory=dict)
    #: modules from which everything is imported
    stars: list[str] = field(default_factory=list)
    #: other names at the top level, and what they are assigned
    assigned: dict[str, ast.expr | None] = field(default_factory=dict)
    #: texts and inner functions: possible names of actions that are created while the module runs
    spoken: set[str] = field(default_factory=set)
    #: whether there may be names that the text does not show
    is_open: bool = False

    def has(self, name: str) -> bool:
        """Whether the text defines the name, even if its value is unknown."""
        return name in self.functions or name in self.imported or name in self.assigned

    def action_name(self, function: Function) -> str | None:
        """The name under which the function is certainly an action; ``None`` if it is none, or only perhaps."""
        mark = self._mark(function)
        if mark is None or len(function.decorator_list) > 1 or _is_spread(mark):
            return None
        name = _keyword(mark, "name")
        return function.name if name is None else _text(name)

    def is_plain(self, function: Function) -> bool:
        """Whether no decorator can replace the function by something else."""
        return all(self._is_mark(each) and not _is_spread(each) for each in function.decorator_list)

    def is_action(self, function: Function) -> bool:
        return self._mark(function) is not None

    def signature(self, function: Function) -> Signature:
        """The signature of a function as an action, as far as the text shows it."""
        mark = self._mark(function)
        emitted = None if mark is None else self._value(_keyword(mark, "emits"))
        if emitted is not None:
            emits = _texts(emitted)
            is_told = emits is not None
        else:
            emits, is_told = self._returned(function.returns)
        written = None if mark is None else self._value(_keyword(mark, "writes"))
        writes = None if written is None else _texts(written)
        accepts, requires = _parameters(function.args)
        asks = any(isinstance(node, ast.Attribute) and node.attr == "ask" for node in ast.walk(function))
        untold = [] if is_told else ["events that it may name"]
        untold += ["fields that it may write"] if writes is None and written is not None else []
        doubt = f"the {' and the '.join(untold)} are not written out in line {function.lineno}" if untold else ""
        return Signature(emits, accepts, requires, writes, asks, doubt)

    def _value(self, expression: ast.expr | None) -> ast.expr | None:
        """What a keyword says, or what the name that stands there is assigned; ``None`` where it says nothing."""
        if isinstance(expression, ast.Name):
            expression = self.assigned.get(expression.id) or expression
        says_nothing = isinstance(expression, ast.Constant) and expression.value is None
        return None if says_nothing else expression

    def _mark(self, function: Function) -> ast.expr | None:
        return next((each for each in function.decorator_list if self._is_mark(each)), None)

    def _is_mark(self, decorator: ast.expr) -> bool:
        """Whether the decorator is our ``@action`` or ``@action(...)``."""
        return self._origin(decorator.func if isinstance(decorator, ast.Call) else decorator) in [
            f"{ours}.action" for ours in _OURS
        ]

    def _origin(self, expression: ast.expr) -> str:
        """The dotted name of an expression in the module where it is defined; empty if it is unknown."""
        match expression:
            case ast.Name(id=name) if name in self.imported:
                module, inner = self.imported[name]
                return f"{module}.{inner}" if inner else module
            case ast.Attribute(value=value, attr=attribute):
                owner = self._origin(value)
                return f"{owner}.{attribute}" if owner else ""
            case _:
                return ""

    def _returned(self, annotation: ast.expr | None, depth: int = 0) -> Events:
        if annotation is None:
            return Events(None, is_told=True)
        if depth > _DEEPEST:
            return Events(None, is_told=False)
        match annotation:
            case ast.Constant(value=str(text)):
                parts = [_parsed(text)]
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                parts = [left, right]
            case ast.Subscript(value=value, slice=inner):
                return self._subscripted(self._origin(value), inner, depth)
            case ast.Name(id=name) if self.assigned.get(name) is not None:
                parts = [self.assigned[name]]
            case ast.Name(id=name):
                return Events(None, is_told=name in _NO_EVENTS or not self.has(name))
            case _:
                return Events(None, is_told=True)
        return _united([self._returned(part, depth + 1) for part in parts])

    def _subscripted(self, origin: str, inner: ast.expr, depth: int) -> Events:
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        match origin.rpartition(".")[2]:
            case "Literal":
                found = _texts(ast.List(elts=parts))
                return Events(found, is_told=found is not None)
            case "Union":
                return _united([self._returned(part, depth + 1) for part in parts])
            case "Annotated":
                return self._returned(parts[0], depth + 1)
            case _:
                return Events(None, is_told=True)


class Events(NamedTuple):
    """The events that a function may name (``None``: it does not list them). ``is_told`` is False if that is
    unknown."""

    names: frozenset[str] | None
    is_told: bool


def _united(parts: list[Events]) -> Events:
    if any(each.names is None and each.is_told for each in parts):
        return Events(None, is_told=True)  # one part is no Literal, so no events are listed
    if not all(each.is_told for each in parts):
        return Events(None, is_told=False)
    return Events(frozenset(event for each in parts for event in each.names or ()), is_told=True)


def _parsed(annotation: str) -> ast.expr | None:
    try:
        return ast.parse(annotation, mode="eval").body
    except SyntaxError:
        return None


def read_source(name: str, file: Path) -> Source:
    """The source of a module; raises ``OSError``, or ``ValueError`` with the reason why the text is not understood."""
    if file.stat().st_size > LARGEST:
        raise ValueError(f"it is larger than {LARGEST} bytes")
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, RecursionError, MemoryError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise ValueError(f"it is not Python{line}: {getattr(error, 'msg', error)}") from None
    source = Source(name)
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for statement in _statements(tree.body):
        _note(source, statement, package)
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)):
                source.spoken.add(text)
            case ast.FunctionDef(name=inner) | ast.AsyncFunctionDef(name=inner):
                source.spoken.add(inner)
                source.is_open = source.is_open or inner == "__getattr__"
            case ast.Name(id=called) if called in _HIDDEN_NAMES:
                source.is_open = True
            case ast.Attribute(value=ast.Name(id="sys"), attr="modules"):
                source.is_open = True
    return source


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when the module is imported, including those in branches."""
    for statement in body:
        yield statement
        for field_name in ("body", "orelse", "finalbody", "handlers"):
            inner = getattr(statement, field_name, [])
            if isinstance(statement, (ast.If, ast.Try, ast.With, ast.For, ast.While, ast.ExceptHandler)):
                yield from _statements(inner)


def _note(source: Source, statement: ast.stmt, package: str) -> None:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            _forget(source, statement.name)
            source.functions[statement.name] = statement
        case ast.Import() | ast.ImportFrom():
            _note_import(source, statement, package)
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                _assign(source, target, value)
        case ast.AnnAssign(target=target, value=value):
            _assign(source, target, value)
        case ast.AugAssign(target=target) | ast.For(target=target):
            _assign(source, target, None)
        case ast.ClassDef(name=name):
            _assign(source, ast.Name(name), None)
        case _ if type(statement).__name__ == "TypeAlias":  # `type X = ...`, of Python 3.12
            _assign(source, statement.name, statement.value)  # type: ignore[attr-defined]


def _note_import(source: Source, statement: ast.Import | ast.ImportFrom, package: str) -> None:
    for each in statement.names:
        if isinstance(statement, ast.Import):
            name = each.asname or each.name.partition(".")[0]
            origin = Imported(each.name if each.asname else name, None)
        elif each.name == "*":
            source.stars.append(_absolute(statement, package))
            continue
        else:
            name, origin = each.asname or each.name, Imported(_absolute(statement, package), each.name)
        _forget(source, name)
        source.imported[name] = origin


def _forget(source: Source, name: str) -> None:
    """Remove earlier definitions of a name, since the last one counts."""
    source.functions.pop(name, None)
    source.imported.pop(name, None)
    source.assigned.pop(name, None)


def _assign(source: Source, target: ast.expr, value: ast.expr | None) -> None:
    for each in ast.walk(target):
        if isinstance(each, ast.Name):
            _forget(source, each.id)
            source.assigned[each.id] = value if target is each else None


def _absolute(statement: ast.ImportFrom, package: str) -> str:
    if not statement.level:
        return statement.module or ""
    parts = package.split(".")
    above = parts[: len(parts) - statement.level + 1]
    return ".".join([*above, *([statement.module] if statement.module else [])])


def _is_spread(call: ast.expr) -> bool:
    """Whether the call has keywords that are not written out (``**``)."""
    return isinstance(call, ast.Call) and any(each.arg is None for each in call.keywords)


def _keyword(call: ast.expr, name: str) -> ast.expr | None:
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return next((each.value for each in keywords if each.arg == name), None)


def _text(expression: ast.expr) -> str | None:
    return expression.value if isinstance(expression, ast.Constant) and isinstance(expression.value, str) else None


def _texts(expression: ast.expr) -> frozenset[str] | None:
    """The texts of a literal list, tuple or set; ``None`` for other expressions."""
    if not isinstance(expression, (ast.List, ast.Tuple, ast.Set)):
        return None
    texts = [_text(each) for each in expression.elts]
    return None if None in texts else frozenset(each for each in texts if each is not None)


def _parameters(given: ast.arguments) -> tuple[frozenset[str] | None, frozenset[str]]:
    """The parameters, by the same rules as in ``actions.action``: the first one is the context."""
    positional = [*given.posonlyargs, *given.args]
    optional = positional[len(positional) - len(given.defaults) :]
    by_name = [each for each in positional[1:] if each in given.args]
    keyword_only = given.kwonlyargs if positional or given.vararg else given.kwonlyargs[1:]
    required = {each.arg for each in by_name if each not in optional}
    defaults = dict(zip((each.arg for each in given.kwonlyargs), given.kw_defaults, strict=True))
    required |= {each.arg for each in keyword_only if defaults[each.arg] is None}
    names = frozenset(each.arg for each in [*by_name, *keyword_only])
    return None if given.kwarg else names, frozenset(required)

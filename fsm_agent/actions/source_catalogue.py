"""A catalogue that reads the text of the allowed modules. It imports no module, and no package around one."""

from __future__ import annotations

import sys
from ast import FunctionDef
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

from fsm_agent.actions.catalogue import Catalogue
from fsm_agent.actions.function_source import Function, Source, read_source
from fsm_agent.domain.json import Schema
from fsm_agent.domain.signature import Signature
from fsm_agent.errors import ActionError, ActionMissing, ModuleNotAllowed, ToolMissing

#: how many modules a name is followed through, from its import to its definition
_LONGEST_CHAIN: Final = 8


class Sources(Catalogue):
    """The text of the allowed modules. They are searched below ``folder`` or on ``paths``, as an import would do."""

    def __init__(self, modules: Iterable[str], *, folder: Path, paths: Iterable[str] | None = None) -> None:
        self._allowed = tuple(modules)
        self._roots = [folder, *map(Path, sys.path if paths is None else paths)]
        self._known: dict[str, Source | str] = {}

    @property
    def are_listed(self) -> bool:
        return bool(self._allowed)

    def actions(self) -> Mapping[str, Signature]:
        return {name: signature for name, (_, signature) in self._found.items()}

    def action(self, name: str) -> Signature:
        module, colon, function = name.partition(":")
        if colon:
            return self._referred(name, module, function)
        if name in self._found:
            return self._found[name][1]
        doubts = [doubt for each in self._allowed if (doubt := self._doubt(each, name))]
        if doubts:
            return Signature(doubt=doubts[0])
        for each in self._allowed:
            source = self._source(each)
            if isinstance(source, Source) and name in source.functions:
                raise ActionMissing(name, self._found, unmarked_in=each)
        raise ActionMissing(name, self._found)

    def function(self, reference: str) -> str:
        module, _, name = reference.partition(":")
        source = self._allowed_source(module)
        if isinstance(source, str):
            return source
        function = source.functions.get(name)
        if function is None or not source.is_plain(function):
            if self._may_have(source, name):
                return f"what {name!r} is cannot be told from the text of module {module!r}"
        elif isinstance(function, FunctionDef):
            return ""
        raise ActionError(f"module {module!r} has no plain function {name!r}, which a migration calls")

    def tool(self, reference: str) -> str:
        module, colon, name = reference.partition(":")
        places = [module] if colon else list(self._allowed)
        doubt = ""
        for place in places:
            source = self._allowed_source(place)
            found = source if isinstance(source, str) else self._tool_doubt(source, name if colon else reference)
            if found == "":
                return ""
            doubt = doubt or found or ""
        if doubt:
            return doubt
        raise ToolMissing(reference, places)

    def model_schema(self, reference: str) -> Schema | None:
        module = reference.partition(":")[0]
        if module not in self._allowed:
            raise ModuleNotAllowed(module, self._allowed)
        return None

    def _tool_doubt(self, source: Source, name: str) -> str | None:
        """An empty text if the module has the tool, ``None`` if it certainly has not, otherwise the doubt."""
        if name.startswith("_"):
            return None
        if name in source.functions and source.is_plain(source.functions[name]):
            return ""
        imported = source.imported.get(name)
        if imported is not None and not f"{imported.module}.".startswith(f"{source.name}."):
            return None  # a function that a module only imports is not its own
        if source.has(name) or self._may_have(source, name):
            return f"what {name!r} is cannot be told from the text of module {source.name!r}"
        return None

    def _referred(self, name: str, module: str, function: str) -> Signature:
        """The signature of ``module:function``."""
        source = self._allowed_source(module)
        if isinstance(source, str):
            return Signature(doubt=source)
        found = self._definition(source, function)
        if found is not None:
            return found[0].signature(found[1])
        if source.has(function) or self._may_have(source, function):
            return Signature(doubt=f"what {function!r} is cannot be told from the text of module {module!r}")
        raise ActionMissing(name, [f"{module}:{each}" for each, *_ in self._marked(module)])

    def _definition(self, source: Source, name: str, chain: int = 0) -> tuple[Source, Function] | None:
        """Where a function is defined, in this module or in one that this imports; ``None`` if that is uncertain."""
        if name in source.functions:
            function = source.functions[name]
            return (source, function) if source.is_plain(function) else None
        imported = source.imported.get(name)
        if imported is None or imported.name is None or chain > _LONGEST_CHAIN:
            return None
        other = self._source(imported.module)
        return None if isinstance(other, str) else self._definition(other, imported.name, chain + 1)

    @cached_property
    def _found(self) -> dict[str, tuple[str, Signature]]:
        """Name of an action -> the module that defines it, and its signature."""
        found: dict[str, tuple[str, Signature]] = {}
        for module in self._allowed:
            for name, home, signature in self._marked(module):
                other = found.setdefault(name, (home, signature))
                if other[0] != home:
                    raise ActionError(f"action {name!r} stands in {other[0]} and {home}: write `module:{name}`")
        return found

    def _marked(self, module: str, seen: tuple[str, ...] = ()) -> Iterator[tuple[str, str, Signature]]:
        """The actions of a module, including those that it imports from other modules."""
        source = self._source(module)
        if isinstance(source, str):
            return
        for name in [*source.functions, *source.imported]:
            definition = self._definition(source, name)
            if definition is not None:
                home, function = definition
                marked_name = home.action_name(function)
                if marked_name is not None:
                    yield marked_name, home.name, home.signature(function)
        for star in source.stars:
            if star not in seen:
                yield from self._marked(star, (*seen, star))

    def _doubt(self, module: str, name: str) -> str:
        """Why the module may have an action of this name although its text shows none; empty if it cannot."""
        source = self._source(module)
        if isinstance(source, str):
            return source
        function = source.functions.get(name)
        if function is not None and source.is_plain(function) and not source.is_action(function):
            return ""
        return f"whether module {module!r} has it cannot be told from its text" if self._may_have(source, name) else ""

    def _may_have(self, source: Source, name: str, seen: tuple[str, ...] = ()) -> bool:
        """Whether the module may get a name while it runs: its text mentions it, or may import or create hidden
        names."""
        if source.is_open or name in source.spoken or source.has(name):
            return True
        further = [self._source(star) for star in source.stars if star not in seen]
        seen = (*seen, *source.stars)
        return any(isinstance(other, str) or self._may_have(other, name, seen) for other in further)

    def _allowed_source(self, module: str) -> Source | str:
        if module not in self._allowed:
            raise ModuleNotAllowed(module, self._allowed)
        return self._source(module)

    def _source(self, module: str) -> Source | str:
        """The source of a module, or the reason why it cannot be read."""
        if module not in self._known:
            self._known[module] = self._read(module)
        return self._known[module]

    def _read(self, module: str) -> Source | str:
        file = _file_of(module, self._roots)
        if file is None:
            return f"module {module!r} is not found as a file below {self._roots[0]} or on the Python path"
        try:
            return read_source(module, file)
        except (OSError, ValueError) as error:
            return f"module {module!r} cannot be read: {error}"


def _file_of(module: str, roots: Iterable[Path]) -> Path | None:
    """The file of a module, as an import would find it. The first root that contains the first package decides, unless
    it is a folder without ``__init__.py``, which other roots may extend."""
    first, *rest = module.split(".")
    for root in roots:
        place = root / first
        if not rest:
            found = [file for file in (place / "__init__.py", root / f"{first}.py") if file.is_file()]
            if found:
                return found[0]
            continue
        is_package = (place / "__init__.py").is_file()
        inner = _file_of(".".join(rest), [place]) if is_package or place.is_dir() else None
        if inner is not None or is_package or (root / f"{first}.py").is_file():
            return inner
    return None

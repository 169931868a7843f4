"""The settings of one command: those of its project, and how it prints."""

from __future__ import annotations

from typing import Any, Final

from fsm_agent.project.defaults import DEFAULT_NAMESPACE
from fsm_agent.project.settings import Settings

#: the beginning of a command that reads a store and has no options yet
_COMMAND: Final = r"`fsm-agent(?= (?!-|(?:check|diagram|init|keygen|schema|token)\b))"


class CommandSettings(Settings):
    """The global options, wherever they are on the command line."""

    def __init__(
        self,
        store: str | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        by: str | None = None,
        modules: tuple[str, ...] = (),
        model: str | None = None,
        *,
        json: bool = False,
        wide: bool = False,
        debug: bool = False,
    ) -> None:
        super().__init__(store, namespace, by, modules, model)
        self.json = json
        #: whether tables show whole ids
        self.wide = wide
        self.debug = debug

    def changed(self, **fields: Any) -> CommandSettings:
        """A copy with other values of these attributes."""
        kept = {name: getattr(self, name) for name in _OPTIONS}
        copy = CommandSettings()
        copy.__dict__.update(kept | fields)
        return copy

    def command(self, *words: str) -> str:
        """The beginning of another command with the same options; a store URL with a secret is left out."""
        import shlex

        return shlex.join(["fsm-agent", *self._words(), *words])

    def in_full(self, sentence: str) -> str:
        """A sentence whose commands get the options of this command line."""
        import re
        import shlex

        options = "".join(f" {shlex.quote(word)}" for word in self._words())
        return re.sub(_COMMAND, lambda found: f"{found[0]}{options}", sentence)

    def _words(self) -> list[str]:
        words = ["--store", self.given_store] if self.given_store and not self._is_secret(self.given_store) else []
        words += ["--namespace", self.namespace] if self.namespace != DEFAULT_NAMESPACE else []
        words += ["--by", self.given_by] if self.given_by else []
        words += ["--model", self.given_model] if self.given_model else []
        return words + [word for module in self.given_modules for word in ("--module", module)]

    @staticmethod
    def _is_secret(url: str) -> bool:
        """Whether a store URL may contain a password."""
        from fsm_agent.stores.urls import without_password

        return "@" in url or without_password(url) != url


#: only what was given, not what was derived from it
_OPTIONS: Final = tuple(vars(CommandSettings()))

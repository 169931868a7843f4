"""Whether the actions and tools that a workflow names exist and fit. Each function is one diagnostic.

If no actions are known, every name is trusted. ``builtins`` checks built-in actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fsm_agent.check.codes import Code
from fsm_agent.check.reachability import Behaviour
from fsm_agent.check.transition_sites import state_path
from fsm_agent.dialect.builtins import BUILT_INS, extras_of, tools_of
from fsm_agent.domain.finding import Finding, Path
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.similarity import nearest
from fsm_agent.domain.state import State
from fsm_agent.domain.text import did_you_mean, listed


def unknown_actions(behaviour: Behaviour) -> Iterator[Finding]:
    """Names that no allowed module has."""
    known = behaviour.actions
    for leaf in behaviour.leaves:
        if known is not None and leaf.do is not None and leaf.do not in known and leaf.do not in BUILT_INS:
            near = did_you_mean(leaf.do, known) or f"; there is {listed(sorted(known))}"
            message = behaviour.unfound.get(leaf.do, f"there is no action `{leaf.do}`{near}")
            yield Code.UNKNOWN_ACTION.found(message, (*state_path(leaf.path), "do"))


def unknown_arguments(behaviour: Behaviour) -> Iterator[Finding]:
    """Arguments under ``with`` that the action does not take."""
    for leaf, signature in _known(behaviour):
        for name in leaf.with_:
            if signature.accepts is not None and name not in signature.accepts:
                near = did_you_mean(name, signature.accepts) or f"; it takes {listed(sorted(signature.accepts))}"
                message = f"action `{leaf.do}` takes no argument `{name}`{near}"
                yield Code.UNKNOWN_ARGUMENT.found(message, (*state_path(leaf.path), "with", name), at_key=True)


def missing_arguments(behaviour: Behaviour) -> Iterator[Finding]:
    """Arguments that the action needs and ``with`` does not give."""
    for leaf, signature in _known(behaviour):
        unknown = [name for name in leaf.with_ if name not in (signature.accepts or leaf.with_)]
        meant = {nearest(name, signature.accepts or ()) for name in unknown}  # it is reported as unknown already
        for name in sorted(signature.requires - leaf.with_.keys() - meant):
            message = f"action `{leaf.do}` needs the argument `{name}`: give it under `with`"
            yield Code.MISSING_ARGUMENT.found(message, (*state_path(leaf.path), "with" if leaf.with_ else "do"))


def undeclared_results(behaviour: Behaviour) -> Iterator[Finding]:
    """Events that the action names and the workflow does not have."""
    declared = behaviour.workflow.events
    for leaf, event in _results(behaviour):
        if event not in declared:
            message = (
                f"action `{leaf.do}` names the event `{event}`, which is not declared{did_you_mean(event, declared)}"
            )
            yield Code.UNDECLARED_RESULT.found(message, (*state_path(leaf.path), "do"))


def unhandled_results(behaviour: Behaviour) -> Iterator[Finding]:
    """Events that the action names and its state does not handle: the agent would be parked."""
    for leaf, event in _results(behaviour):
        if event in behaviour.workflow.events and event not in behaviour.handled[leaf.path]:
            message = f"action `{leaf.do}` names the event `{event}`, and nothing in state `{leaf.path}` handles it"
            yield Code.UNHANDLED_RESULT.found(message, (*state_path(leaf.path), "do"))


def undeclared_writes(behaviour: Behaviour) -> Iterator[Finding]:
    """Fields that the action says that it writes, and the workflow does not declare. Nothing is known of the data of a
    model that nobody has looked at."""
    if not behaviour.workflow.data and behaviour.workflow.model is not None:
        return
    for leaf, signature in _known(behaviour):
        for name in sorted((signature.writes or frozenset()) - behaviour.workflow.data.keys()):
            near = did_you_mean(name, behaviour.workflow.data)
            message = f"action `{leaf.do}` writes `{name}`, which is no data field{near}"
            yield Code.UNDECLARED_WRITE.found(message, (*state_path(leaf.path), "do"))


def unknown_upcasts(behaviour: Behaviour) -> Iterator[Finding]:
    """Functions that migrations name and no allowed module has."""
    known = behaviour.actions
    for index, migration in enumerate(behaviour.workflow.migrations):
        if known is not None and migration.upcast is not None and migration.upcast not in known:
            message = behaviour.unfound.get(migration.upcast, f"there is no function `{migration.upcast}`")
            yield Code.UNKNOWN_UPCAST.found(message, ("migrations", index, "upcast"))


def unknown_tools(behaviour: Behaviour) -> Iterator[Finding]:
    """Tools that no allowed module has."""
    known = behaviour.tools
    for leaf in behaviour.leaves:
        for name, way in tools_of(leaf).items():
            if known is not None and name not in known:
                near = did_you_mean(name, known) or f"; there is {listed(sorted(known))}"
                message = behaviour.unfound.get(name, f"there is no tool `{name}`{near}")
                yield Code.UNKNOWN_TOOL.found(message, (*state_path(leaf.path), "with", "tools", *way))


def missing_extras(behaviour: Behaviour) -> Iterator[Finding]:
    """Built-in actions whose libraries are not installed here: they would fail when an agent reaches them."""
    for leaf in behaviour.leaves:
        for extra in extras_of(leaf):
            if extra.name in behaviour.lacking:
                message = f"action `{leaf.do}` needs an extra: pip install 'fsm-agent[{extra.name}]'"
                yield Code.MISSING_EXTRA.found(message, (*state_path(leaf.path), "do"))


def unread_modules(behaviour: Behaviour) -> Iterator[Finding]:
    """Modules that cannot be imported, and the names that one of them may have."""
    for sentence, names, path in _told_alike(behaviour, behaviour.unread):
        message = f"{sentence}; so it is not known whether {names} can be used"
        yield Code.UNREAD_MODULE.found(message, path)


def still_unread(behaviour: Behaviour) -> Mapping[str, str]:
    """The names whose modules ``unread_modules`` does not report, since this workflow does not use them."""
    reported = {behaviour.unread[name] for name, _ in _places(behaviour) if name in behaviour.unread}
    return {name: sentence for name, sentence in behaviour.unread.items() if sentence not in reported}


def doubts(behaviour: Behaviour) -> Iterator[Finding]:
    """Names about which something is unknown."""
    for sentence, names, path in _told_alike(behaviour, behaviour.doubts):
        message = f"not all is known of {names}: {sentence}; --import looks, and runs its module"
        yield Code.UNTOLD.found(message, path)


def _told_alike(behaviour: Behaviour, sentences: Mapping[str, str]) -> Iterator[tuple[str, str, Path]]:
    """Each sentence once, with the names that it is about, and the path of the first one."""
    by_sentence: dict[str, dict[str, Path]] = {}
    for name, path in _places(behaviour):
        if name in sentences:
            by_sentence.setdefault(sentences[name], {}).setdefault(name, path)
    for sentence, places in by_sentence.items():
        yield sentence, listed(f"`{name}`" for name in places), next(iter(places.values()))


def _places(behaviour: Behaviour) -> Iterator[tuple[str, Path]]:
    """The names of actions, tools and functions, with their paths."""
    for leaf in behaviour.leaves:
        if leaf.do is not None:
            yield leaf.do, (*state_path(leaf.path), "do")
        for tool, way in tools_of(leaf).items():
            yield tool, (*state_path(leaf.path), "with", "tools", *way)
    for index, migration in enumerate(behaviour.workflow.migrations):
        if migration.upcast is not None:
            yield migration.upcast, ("migrations", index, "upcast")


def _known(behaviour: Behaviour) -> Iterator[tuple[State, Signature]]:
    for leaf in behaviour.leaves:
        signature = (behaviour.actions or {}).get(leaf.do or "")
        if signature is not None and leaf.do not in BUILT_INS:
            yield leaf, signature


def _results(behaviour: Behaviour) -> Iterator[tuple[State, str]]:
    for leaf, signature in _known(behaviour):
        for event in sorted(signature.emits or ()):
            yield leaf, event

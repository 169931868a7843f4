"""A store around another one: what its subclass does not change is done by the store within."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Concatenate, ParamSpec, TypeVar

from fsm_agent.stores.base import Store

P = ParamSpec("P")
R = TypeVar("R")


def _forwarded(verb: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """A method that hands its arguments to the same verb of the store within."""
    verb_of = attrgetter(verb.__name__)

    def forwarded(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = verb_of(self._store)(*args, **kwargs)
        return result

    return forwarded


class ForwardingStore(Store):
    """Hands every verb to ``store``, those with a default as well, since ``store`` may do better than the default. Only
    ``list`` is left to the port: it asks ``list_in``, which a subclass may change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.url = store.url
        self.namespace = store.namespace
        self.needs_loop = store.needs_loop
        self.keeps_problems = store.keeps_problems
        self.max_connections = store.max_connections

    now = _forwarded(Store.now)
    save_workflow = _forwarded(Store.save_workflow)
    load_workflow = _forwarded(Store.load_workflow)
    create = _forwarded(Store.create)
    find_key = _forwarded(Store.find_key)
    load = _forwarded(Store.load)
    head = _forwarded(Store.head)
    commit = _forwarded(Store.commit)
    enqueue = _forwarded(Store.enqueue)
    claim = _forwarded(Store.claim)
    take = _forwarded(Store.take)
    renew = _forwarded(Store.renew)
    renew_all = _forwarded(Store.renew_all)
    release = _forwarded(Store.release)
    record_attempt = _forwarded(Store.record_attempt)
    begin_effect = _forwarded(Store.begin_effect)
    end_effect = _forwarded(Store.end_effect)
    effects = _forwarded(Store.effects)
    due = _forwarded(Store.due)
    held_here = _forwarded(Store.held_here)
    lapsed = _forwarded(Store.lapsed)
    ring = _forwarded(Store.ring)
    listen = _forwarded(Store.listen)
    list_in = _forwarded(Store.list_in)
    heads = _forwarded(Store.heads)
    select = _forwarded(Store.select)
    questions = _forwarded(Store.questions)
    count_questions = _forwarded(Store.count_questions)
    tally = _forwarded(Store.tally)
    find_ids = _forwarded(Store.find_ids)
    history = _forwarded(Store.history)
    origin = _forwarded(Store.origin)
    shorten = _forwarded(Store.shorten)
    delete = _forwarded(Store.delete)
    size = _forwarded(Store.size)
    dump = _forwarded(Store.dump)
    adopt = _forwarded(Store.adopt)
    messages = _forwarded(Store.messages)
    append = _forwarded(Store.append)
    revise = _forwarded(Store.revise)
    retract = _forwarded(Store.retract)
    threads = _forwarded(Store.threads)
    user = _forwarded(Store.user)
    users = _forwarded(Store.users)
    save_user = _forwarded(Store.save_user)
    definitions = _forwarded(Store.definitions)
    inspect = _forwarded(Store.inspect)
    reindex = _forwarded(Store.reindex)
    tend = _forwarded(Store.tend)
    close = _forwarded(Store.close)

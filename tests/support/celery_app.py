"""An application of Celery that a user might have: ``celery -A tests.support.celery_app worker --pool=threads``."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from celery import Celery

from fsm_agent.engines.celery import drive_agents
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.urls import open_store
from tests.support.payments import actions_in


def open_runner() -> Runner:
    store = open_store(os.environ["STORE"], namespace=os.environ.get("OPENED", os.environ["NAMESPACE"]))
    actions = actions_in(Path(os.environ["FOLDER"]), longest_s=float(os.environ.get("LONGEST_S", "0")))
    return Runner(store, actions=actions, lease_s=float(os.environ.get("LEASE_S", "15")))


if os.environ.get("MUTANT"):
    from tests.faults.engine_worker import sweep_no_more

    sweep_no_more()
app = Celery("tests", broker=os.environ["ENGINE"].removeprefix("celery+"))
app.conf.update(
    accept_content=["json"],
    broker_connection_retry_on_startup=True,
    task_default_queue=f"fsm-agent.{os.environ['NAMESPACE']}",
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=1,
)
drive_agents(
    app,
    open_runner,
    namespace=os.environ["NAMESPACE"],
    every=timedelta(seconds=float(os.environ.get("EVERY_S", "3600"))),
    drain_s=float(os.environ.get("DRAIN_S", "30")),
)

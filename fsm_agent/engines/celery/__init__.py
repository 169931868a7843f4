"""Wake-ups that Celery carries: one short message for each, which names an agent.

Two kinds of workers read these messages, and both may read the same queue. ``fsm-agent worker --engine
celery+redis://...`` reads them itself. Celery's own worker does, once ``drive_agents`` has added a task to its
application. ``CeleryWakeups`` send through an application of yours, over any broker that Celery knows.
"""

from fsm_agent.engines.celery.engine import CeleryEngine
from fsm_agent.engines.celery.tasks import drive_agents
from fsm_agent.engines.celery.wakeups import CeleryWakeups

__all__ = ["CeleryEngine", "CeleryWakeups", "drive_agents"]

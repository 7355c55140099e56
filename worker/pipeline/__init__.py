"""The use cases: ingest and plan an article; tick, publish and confirm a delivery."""

from worker.pipeline.accounts import Accounts
from worker.pipeline.plan import Planner
from worker.pipeline.publish import Engine

__all__ = ["Accounts", "Engine", "Planner"]

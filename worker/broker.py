"""Celery's Redis queues, with an end: what a queue may hold at most, it holds at most."""

from __future__ import annotations

from typing import Any

from kombu.transport import redis
from kombu.utils.json import dumps

from worker.store.deliveries import WAITING_MOST

PUBLISH = "publish"
LONGEST = {PUBLISH: WAITING_MOST}
"""Messages that a queue takes at most. What a full one refuses is sent again later: a message is only a hint."""

PUT = "return redis.call('LLEN', KEYS[1]) < tonumber(ARGV[1]) and redis.call('LPUSH', KEYS[1], ARGV[2])"


class Channel(redis.Channel):
    """Counts and sends in one step; kombu's own knows no longest queue, as RabbitMQ's servers do."""

    def _put(self, queue: str, message: dict[str, Any], **how: Any) -> None:
        if queue not in LONGEST:
            super()._put(queue, message, **how)  # type: ignore[no-untyped-call]  # kombu publishes no types
            return
        put = (PUT, 1, queue, LONGEST[queue], dumps(message))  # type: ignore[no-untyped-call]  # as above
        if together := how.get("_publish_batch"):
            together.add("eval", *put)
            return
        with self.conn_or_acquire() as client:
            client.eval(*put)


redis.Transport.Channel = Channel

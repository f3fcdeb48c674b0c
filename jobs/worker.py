"""The worker that runs queued jobs, and the ticker that runs the timetable."""

from __future__ import annotations

import logging
import secrets
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from flask import Flask
from redis import Redis
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.worker import Worker

from jobs.queue import AllowListedJob, make_queue
from jobs.tasks import JOBS
from models import db
from services import assembly
from services.logs import request_id
from services.timetable import TIMETABLE, Entry

log = logging.getLogger(__name__)

WORKER_TTL_S = 20
MAINTENANCE_INTERVAL_S = 5
MONITORING_INTERVAL_S = 2
"""With these a killed worker's job is found in about a minute; with RQ's defaults in thirteen.

Source: reliability.md, finding 2.
"""
TICK_S = 5


class AppWorker(Worker):
    """Runs each job in a fresh app context, with database connections of its own."""

    app: Flask

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """Start the forked child: connections of the parent must not be used here."""
        with self.app.app_context():
            db.engine.dispose(close=False)
        super().main_work_horse(job, queue)

    def perform_job(self, job: Job, queue: Queue) -> bool:
        """Run one job with its id as request id."""
        token = request_id.set(f"job-{job.id}")
        try:
            with self.app.app_context():
                return bool(super().perform_job(job, queue))
        finally:
            request_id.reset(token)


def make_worker(app: Flask, redis_url: str) -> AppWorker:
    """Make a worker on a patient connection of its own."""
    connection = Redis.from_url(redis_url)
    worker = AppWorker(
        [make_queue(connection)],
        connection=connection,
        job_class=AllowListedJob,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_S,
        maintenance_interval=MAINTENANCE_INTERVAL_S,
        job_monitoring_interval=MONITORING_INTERVAL_S,
    )
    worker.app = app
    return worker


class Ticker:
    """Looks at the timetable every few seconds; each entry runs in a thread of its own.

    It needs no Redis, so that what jobs would do is done by sweeps when the queue is away.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._running: dict[str, Future[bool]] = {}
        self._stop = threading.Event()

    def run_forever(self) -> None:
        """Tick until `stop`."""
        with ThreadPoolExecutor(len(TIMETABLE), thread_name_prefix="tick") as pool:
            while not self._stop.is_set():
                for entry in TIMETABLE:
                    running = self._running.get(entry.job)
                    if running is None or running.done():
                        self._running[entry.job] = pool.submit(self.tick, entry)
                self._stop.wait(TICK_S)

    def stop(self) -> None:
        """Let the present entries finish and start no more."""
        self._stop.set()

    def tick(self, entry: Entry) -> bool:
        """Run one entry if its slot is free; a database that is away costs only this tick."""
        token = request_id.set(f"tick-{secrets.token_hex(6)}")
        try:
            with self._app.app_context():
                timetable = assembly.of(self._app).timetable
                return timetable.tick(entry, run=JOBS[entry.job])
        except Exception:
            log.exception("tick failed", extra={"job": entry.job})
            return False
        finally:
            request_id.reset(token)

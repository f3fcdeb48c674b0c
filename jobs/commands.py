"""``flask jobs``: run the worker and the ticker."""

from __future__ import annotations

import logging
import signal
import time

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobs.worker import Ticker, make_worker
from services.timetable import TIMETABLE

log = logging.getLogger(__name__)
cli = AppGroup("jobs", help="后台任务。")
_PAUSE_S = 2


@cli.command("work", help="运行任务队列的工作进程，直到收到 Ctrl-C 或 SIGTERM。")
@click.option("--burst", is_flag=True, help="做完排队的任务就退出。")
@with_appcontext
def work(burst: bool) -> None:
    """Run queued jobs; if Redis goes away, wait for it and go on."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    while True:
        try:
            # Made anew each time: RQ asks Redis for its address even then.
            worker = make_worker(app, app.config["REDIS_URL"])
            worker.work(burst=burst, with_scheduler=False, logging_level="WARNING")
        except (RedisConnectionError, RedisTimeoutError):
            if burst:
                raise
            log.warning("Redis is away; trying again soon")
            time.sleep(_PAUSE_S)
        else:
            return


@cli.command("tick", help="按时间表运行定时任务，直到收到 Ctrl-C 或 SIGTERM。")
@click.option("--once", is_flag=True, help="只看一遍时间表就退出。")
@with_appcontext
def tick(once: bool) -> None:
    """Run what is due by the clock."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    ticker = Ticker(app)
    if once:
        ran = [entry.job for entry in TIMETABLE if ticker.tick(entry)]
        click.echo("运行了：" + ("、".join(ran) or "没有到点的任务"))
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ticker.stop())
    ticker.run_forever()

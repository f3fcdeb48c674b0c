"""Where everything meets; nothing imports this but the servers and the tests."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from dotenv import load_dotenv
from flask import Flask
from flask_migrate import Migrate
from redis import Redis
from sqlalchemy.exc import InterfaceError, OperationalError
from werkzeug.middleware.proxy_fix import ProxyFix

import bot
import gateways
import miniapp_api
import panel.commands
from domain.consents import ConsentKind
from jobs import commands as job_commands
from jobs.queue import QueueProbe, RqJobQueue, connect_briefly, make_queue
from miniapp_api.slow_bodies import BODY_DEADLINE_S
from models import db
from services import assembly, logs
from services.ports import Clock, JobQueue
from services.world import Policy
from settings import Settings

_ROOT = Path(__file__).parent
_MIGRATIONS = _ROOT / "migrations"
_CONNECT_TIMEOUT_S = 5


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Tell the present, UTC."""
        return datetime.now(UTC)


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    queue: JobQueue | None = None,
    body_deadline_s: float = BODY_DEADLINE_S,
) -> Flask:
    """Make the web app; the worker and all commands use the same one.

    Tests pass a clock, a queue and a deadline of their own; everything else is real everywhere.

    Raises:
        SettingsMissing: something production cannot do without is not set.
    """
    if settings is None:
        if os.environ.get("ANJU_ENV") == "development":
            load_dotenv(_ROOT / ".env")
        settings = Settings.from_env(os.environ)
    logs.configure(settings.log_level)
    app = Flask(__name__, static_folder=None)
    app.config.update(
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS={
            "isolation_level": "READ COMMITTED",
            "pool_pre_ping": True,
            "connect_args": {"connect_timeout": _CONNECT_TIMEOUT_S},
            "pool_size": settings.database_pool_size,
            "max_overflow": settings.database_pool_size,
        },
        REDIS_URL=settings.redis_url,
        SECRET_KEY=settings.secret_key,
        TRUSTED_HOSTS=list(settings.trusted_hosts),
        METRICS_TOKEN=settings.metrics_token,
        PUBLIC_BASE_URL=settings.public_base_url,
    )
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    db.init_app(app)
    Migrate(app, db, directory=str(_MIGRATIONS))
    redis = connect_briefly(settings.redis_url)
    _wire(app, settings, redis, clock or SystemClock(), queue)
    miniapp_api.register(
        app,
        redis=redis,
        database_errors=(OperationalError, InterfaceError),
        body_deadline_s=body_deadline_s,
    )
    bot.register(
        app,
        official=bot.PushAccount(
            appid=settings.wechat_official_appid,
            token=settings.wechat_official_token,
            aes_key=settings.wechat_official_aes_key,
        ),
        miniapp=bot.PushAccount(
            appid=settings.wechat_miniapp_appid,
            token=settings.wechat_miniapp_token,
            aes_key=settings.wechat_miniapp_aes_key,
        ),
    )
    app.cli.add_command(job_commands.cli)
    panel.commands.register(app)
    return app


def _wire(
    app: Flask, settings: Settings, redis: Redis, clock: Clock, queue: JobQueue | None
) -> None:
    world = gateways.build(settings, redis, clock)
    with app.app_context():
        engine = db.engine
    app.extensions["services"] = assembly.build(
        engine=engine,
        queue=queue or RqJobQueue(make_queue(redis)),
        clock=clock,
        world=world,
        policy=Policy(
            code_key=settings.secret_key.encode(),
            sms_daily_cap=settings.sms_daily_cap,
            delivery_width=settings.delivery_width,
            migration_heads=_migration_heads(),
            public_base_url=settings.public_base_url,
            requires_totp=settings.require_totp == "yes",
            consent_versions={
                ConsentKind.PRIVACY_POLICY: settings.privacy_policy_version,
                ConsentKind.TERMS: settings.terms_version,
                ConsentKind.MARKETING: settings.privacy_policy_version,
            },
        ),
        more_probes=(QueueProbe(redis),),
    )


def _migration_heads() -> frozenset[str]:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return frozenset(ScriptDirectory.from_config(config).get_heads())

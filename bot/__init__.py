"""The official account's and mini-program's pushes: verify, decrypt, take once, route, reply."""

from __future__ import annotations

from flask import Flask

from bot import views
from bot.pushes import PushAccount

__all__ = ["PushAccount", "register"]


def register(app: Flask, *, official: PushAccount, miniapp: PushAccount) -> None:
    """Attach the push endpoints of both accounts."""
    app.extensions["push_accounts"] = {"official": official, "miniapp": miniapp}
    app.register_blueprint(views.bp)

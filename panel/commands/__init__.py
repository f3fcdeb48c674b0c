"""``flask …``: what managers and operators do at the machine's own shell."""

from __future__ import annotations

from flask import Flask

from panel.commands.bills import bills_cli
from panel.commands.checks import doctor, verify_cli
from panel.commands.estate import community_cli, fees_cli, import_cli, staff_cli


def register(app: Flask) -> None:
    """Attach all commands to the app's command line."""
    for command in (staff_cli, community_cli, fees_cli, import_cli, bills_cli, verify_cli, doctor):
        app.cli.add_command(command)

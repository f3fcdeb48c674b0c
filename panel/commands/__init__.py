"""``flask …``: what managers and operators do at the machine's own shell."""

from __future__ import annotations

from flask import Flask

from panel.commands.bills import bills_cli
from panel.commands.checks import doctor, verify_cli
from panel.commands.estate import community_cli, fees_cli, import_cli, staff_cli
from panel.commands.meters import meters_cli
from panel.commands.staff_tokens import token_cli


def register(app: Flask) -> None:
    """Attach all commands to the app's command line."""
    staff_cli.add_command(token_cli)
    for command in (
        staff_cli,
        community_cli,
        fees_cli,
        import_cli,
        meters_cli,
        bills_cli,
        verify_cli,
        doctor,
    ):
        app.cli.add_command(command)

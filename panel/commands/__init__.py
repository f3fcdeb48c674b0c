"""``flask …``: what managers and operators do at the machine's own shell."""

from __future__ import annotations

from flask import Flask

from panel.commands.approvals import approvals_cli
from panel.commands.bills import bills_cli
from panel.commands.charges import discount_cli, one_off_cli, pool_cli
from panel.commands.checks import doctor, verify_cli
from panel.commands.estate import building_cli, community_cli
from panel.commands.estate_houses import house_cli
from panel.commands.estate_spaces import space_cli
from panel.commands.fees import fees_cli
from panel.commands.history import history
from panel.commands.imports import import_cli
from panel.commands.late_fees import late_fee_cli
from panel.commands.meters import meters_cli
from panel.commands.money import counter_cli, deposit_cli, prepaid_cli
from panel.commands.payments import merchant_cli, pay_code_cli, payment_rules
from panel.commands.people import bindings_cli, owners_cli
from panel.commands.privacy import privacy_cli
from panel.commands.receipts import receipts_cli
from panel.commands.reconciliation import reconcile_cli, show_life, tasks_cli
from panel.commands.refunds import money_cli
from panel.commands.reports import report_cli, statement
from panel.commands.shifts import shift_cli
from panel.commands.staff import staff_cli
from panel.commands.staff_tokens import token_cli
from panel.commands.suspense import suspense_cli
from panel.commands.transfers import transfer_cli


def register(app: Flask) -> None:
    """Attach all commands to the app's command line."""
    staff_cli.add_command(token_cli)
    community_cli.add_command(payment_rules)
    money_cli.add_command(show_life)
    for command in (
        staff_cli,
        community_cli,
        building_cli,
        space_cli,
        fees_cli,
        pool_cli,
        one_off_cli,
        discount_cli,
        house_cli,
        import_cli,
        owners_cli,
        transfer_cli,
        bindings_cli,
        privacy_cli,
        meters_cli,
        bills_cli,
        late_fee_cli,
        merchant_cli,
        pay_code_cli,
        counter_cli,
        shift_cli,
        money_cli,
        receipts_cli,
        prepaid_cli,
        deposit_cli,
        approvals_cli,
        reconcile_cli,
        tasks_cli,
        suspense_cli,
        report_cli,
        statement,
        history,
        verify_cli,
        doctor,
    ):
        app.cli.add_command(command)

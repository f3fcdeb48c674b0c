"""Every column is in the register of personal data, or was looked at and tells of nobody.

Ids, amounts, numbers, dates and yes-or-no say nothing by themselves. Text that a CHECK holds to a
closed list of words is of a machine. All else stands below, or in `domain.register`.
"""

from collections import Counter

import pytest
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Date, DateTime, Integer, Numeric

from domain.personal_data import Held, OnDeletion
from domain.register import REGISTER, as_markdown
from models import db
from tests.architecture.source import ROOT

PLAIN = (BigInteger, Integer, Boolean, Date, DateTime, Numeric)
_OPENS, _CLOSES = "<!-- register: flask privacy register --markdown -->", "<!-- /register -->"
NOT_PERSONAL = {
    "approval_request": "subject",
    "audit_entry": "actor_kind action subject_type request_id",
    "audit_link": "sha256",
    "bill_batch": "content_sha256",
    "bill_batch_tick": "kind content_sha256",
    "bill_exception": "why",
    "building": "name note",
    "building_unit": "unit_no note",
    "channel_call": "what outcome",
    "channel_pause": "reason",
    "community": (
        "code name address province city district street street_no developer service_phone note"
    ),
    "community_merchant": "mchid",
    "discount_rule": "name",
    "fee_item": "code name",
    "fee_standard": "tiers formula constants",
    "house": "unit_no room_no layout",
    "idempotency_key": "action key body_sha256",
    "import_batch": "sheet file_sha256 foreseen counts failure",
    "import_step": "made",
    "job_slot": "job outcome",
    "login_code": "purpose",
    "meter": "meter_no",
    "number_series": "series",
    "outbox_message": "lane lease provider_id",
    "pay_code": "token_sha256",
    "payment": "mchid",
    "payment_order": "channel mchid appid refused_because",
    "platform_notice": "source body_sha256 verdict dedup_key out_trade_no request_id",
    "reconciliation_case": "key",
    "reconciliation_run": "channel mchid error statement_sha256",
    "refund": "refused_because",
    "share_pool": "building_ids source_document",
    "staff_task": "kind subject",
    "subscribe_quota": "template_id",
    "suspense": "reason",
    "wechat_identity": "appid",
}
"""What each of these holds is said by a machine, or of a thing, never of a person."""
TABLES = {
    table.name: table for table in db.metadata.tables.values() if table.name != "alembic_version"
}
HELD = {(held.table, column) for held in REGISTER for column in held.columns}
REVIEWED = {
    (table, column) for table, columns in NOT_PERSONAL.items() for column in columns.split()
}


def strict(table):
    """Columns that may hold whatever somebody wrote."""
    closed = {
        str(check.name).removeprefix(f"ck_{table.name}_").removesuffix("_known")
        for check in table.constraints
        if isinstance(check, CheckConstraint) and str(check.name).endswith("_known")
    }
    return {
        (table.name, column.name)
        for column in table.columns
        if not isinstance(column.type, PLAIN) and column.name not in closed
    }


def untold(tables, held, reviewed):
    """Columns that stand neither in the register nor on the list."""
    return set().union(*map(strict, tables)) - held - reviewed


class TestRegister:
    def test_every_column_that_could_tell_of_somebody_stands_somewhere(self):
        assert untold(TABLES.values(), HELD, REVIEWED) == set()

    @pytest.mark.parametrize(
        "column", [("owner", "note"), ("receipt", "snapshot"), ("import_file", "content")]
    )
    def test_a_column_without_its_line_is_found(self, column):
        assert untold(TABLES.values(), HELD - {column}, REVIEWED) == {column}

    def test_no_line_outlives_its_column(self):
        there = {(table.name, column.name) for table in TABLES.values() for column in table.columns}
        facts = {(held.table, column) for held in REGISTER for column in held.facts}

        assert (HELD | REVIEWED | facts) - there == set()

    def test_nothing_is_both(self):
        assert set() == HELD & REVIEWED

    def test_no_column_has_two_lines(self):
        lines = Counter(
            (held.table, column) for held in REGISTER for column in (*held.columns, *held.facts)
        )

        assert [column for column, count in lines.items() if count > 1] == []

    def test_the_list_names_only_what_needs_it(self):
        needs = set().union(*map(strict, TABLES.values()))

        assert REVIEWED - needs == set()

    def test_every_phone_mail_and_address_is_personal_but_the_desks(self):
        telling = ("phone", "email", "openid", "unionid", "payer", "payee", "plate")
        named = {
            (table, column)
            for table, column in REVIEWED
            if any(word in column.replace("template", "") for word in telling) or column == "ip"
        }

        assert named == {("community", "service_phone")}

    @pytest.mark.parametrize(
        "held", REGISTER, ids=lambda held: f"{held.table}.{next(iter(held.columns))}"
    )
    def test_every_line_is_whole(self, held: Held):
        assert held.columns
        assert all((held.title, held.whose, held.why))
        assert held.exported != bool(held.unexported)
        assert held.exported or not held.facts

    def test_tables_have_one_title(self):
        titles = {(held.table, held.title) for held in REGISTER}

        assert len(titles) == len({table for table, _ in titles})

    def test_what_the_law_keeps_is_not_erased(self):
        for held in REGISTER:
            if "会计" in held.kept:
                assert held.on_deletion in {OnDeletion.KEEP, OnDeletion.NOBODY}, held.table


class TestDocument:
    def test_it_shows_the_register_as_it_is(self):
        page = (ROOT / "docs" / "privacy.md").read_text("utf-8")

        shown = page.partition(_OPENS)[2].partition(_CLOSES)[0]
        assert shown.strip() == as_markdown().strip()

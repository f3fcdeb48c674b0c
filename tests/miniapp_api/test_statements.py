"""Statements of the signed-in owner's houses."""

import io
from urllib.parse import unquote

import pytest
from python_calamine import CalamineWorkbook

from miniapp_api.limits import PRINTING
from tests.miniapp_api.answers import refusal

FILES = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
SPAN = {"from": "2026-01-01", "until": "2026-01-31"}
"""The bills of the factories are published on the first day of 2026."""


def path(owner, ending=""):
    return f"/houses/{owner.house_id}/statement{ending}"


class TestShow:
    def test_tells_every_move_and_both_balances(self, owner):
        answer = owner.get(path(owner), query_string=SPAN)

        assert answer.status_code == 200
        assert answer.json["house_id"] == owner.house_id
        assert (answer.json["from_on"], answer.json["until_on"]) == tuple(SPAN.values())
        (owed,) = answer.json["accounts"]
        assert owed["kind"] == "bills"
        assert (owed["opening_fen"], owed["closing_fen"]) == (0, 22_202)
        assert (owed["added_fen"], owed["taken_fen"]) == (22_202, 0)
        assert [entry["amount_fen"] for entry in owed["entries"]] == [21_002, 1_200]
        assert set(owed["entries"][0]) == {
            "on",
            "kind",
            "words",
            "number",
            "amount_fen",
            "balance_fen",
        }

    def test_a_day_later_all_of_it_is_the_opening_balance(self, owner):
        later = {"from": "2026-01-02", "until": "2026-01-02"}

        (owed,) = owner.get(path(owner), query_string=later).json["accounts"]

        assert owed["opening_fen"] == owed["closing_fen"] == 22_202
        assert owed["entries"] == []

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({}, "from"),
            ({"from": "2026-01-01"}, "until"),
            ({"from": "2026-1-1", "until": "2026-01-31"}, "from"),
            ({"from": "2026-02-30", "until": "2026-03-01"}, "from"),
            ({"from": "2026-01-31", "until": "2026-01-01"}, "until"),
            ({"from": "2020-01-01", "until": "2026-01-01"}, "until"),
            ({"from": "2026-01-01", "until": "2999-01-01"}, "until"),
            ({"from": "0001-01-01", "until": "0001-01-01"}, "from"),
        ],
    )
    def test_says_which_day_cannot_be_used(self, owner, query, field):
        for ending in ("", ".pdf", ".xlsx"):
            error = refusal(owner.get(path(owner, ending), query_string=query), 422)
            assert field in error["fields"]


class TestFiles:
    @pytest.mark.parametrize("form", FILES)
    def test_is_a_file_with_a_chinese_name_that_nobody_keeps(self, owner, form):
        answer = owner.get(path(owner, f".{form}"), query_string=SPAN)

        assert answer.status_code == 200
        assert answer.mimetype == FILES[form]
        assert answer.headers["Cache-Control"] == "private, no-store"
        disposition = answer.headers["Content-Disposition"]
        assert disposition.startswith(f'attachment; filename="statement.{form}"; ')
        assert disposition.isascii()
        name = unquote(disposition.partition("filename*=UTF-8''")[2])
        assert name.startswith("对账单_")
        assert name.endswith(f"_2026-01-01_2026-01-31.{form}")

    def test_its_name_is_one_that_any_file_system_takes(self, owner, database):
        database.do("UPDATE house SET room_no = '=1/0:1'")

        answer = owner.get(path(owner, ".pdf"), query_string=SPAN)

        name = unquote(answer.headers["Content-Disposition"].partition("filename*=UTF-8''")[2])
        assert "-1-0-1_2026-01-01_" in name

    def test_the_pdf_is_one(self, owner):
        assert owner.get(path(owner, ".pdf"), query_string=SPAN).data[:5] == b"%PDF-"

    def test_the_workbook_closes_with_what_the_screen_says(self, owner):
        answer = owner.get(path(owner, ".xlsx"), query_string=SPAN)

        sheet = CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).get_sheet_by_index(0)
        closing = next(row for row in sheet.to_python() if "期末余额" in str(row[1]))
        assert closing[5] == 222.02

    def test_nobody_prints_without_end(self, owner):
        for _ in range(PRINTING.per_minute):
            owner.get(path(owner, ".pdf"))

        refusal(owner.get(path(owner, ".xlsx"), query_string=SPAN), 429)
        assert owner.get(path(owner), query_string=SPAN).status_code == 200


class TestWhose:
    @pytest.mark.parametrize("ending", ["", ".pdf", ".xlsx"])
    def test_another_house_is_not_there(self, owner, make_signed_in, ending):
        other = make_signed_in(100, phone="19900000002")

        answers = [
            owner.get(path(other, ending), query_string=SPAN),
            owner.get(f"/houses/{10**9}/statement{ending}", query_string=SPAN),
        ]

        bodies = [refusal(answer, 404) | {"request_id": ""} for answer in answers]
        assert bodies[0] == bodies[1]

    @pytest.mark.parametrize("ending", ["", ".pdf", ".xlsx"])
    def test_a_tenant_has_none(self, make_signed_in, ending):
        tenant = make_signed_in(100, binding_role="tenant")

        refusal(tenant.get(path(tenant, ending), query_string=SPAN), 404)

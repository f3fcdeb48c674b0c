import pytest

from tests import factories
from tests.miniapp_api.answers import refusal


class TestHouses:
    def test_lists_the_houses_bound_to_the_account(self, owner):
        answer = owner.get("/houses")

        assert answer.status_code == 200
        assert [house["id"] for house in answer.json["items"]] == [owner.house_id]
        assert set(answer.json["items"][0]) == {"id", "community_id", "community", "label", "role"}


class TestListBills:
    def test_shows_whole_fen_days_and_state(self, owner):
        answer = owner.get("/bills")

        newest = answer.json["items"][0]
        assert newest["id"] == owner.bill_ids[-1]
        assert newest["amount_fen"] == newest["outstanding_fen"] == 1200
        assert newest["paid_fen"] == 0
        assert newest["period_from"] == "2026-10-01"
        assert newest["period_until"] == "2026-11-01"
        assert newest["due_date"] == "2026-12-01"
        assert newest["state"] == "published"
        assert newest["is_in_payment"] is False

    def test_pages_newest_first_without_gaps_or_repeats(self, make_signed_in):
        owner = make_signed_in(100, 200, 300, 400, 500)

        seen, before_id = [], None
        while True:
            query = {"limit": 2} | ({"before_id": before_id} if before_id else {})
            page = owner.get("/bills", query_string=query).json
            seen += [bill["id"] for bill in page["items"]]
            before_id = page["next_before_id"]
            if before_id is None:
                break

        assert seen == sorted(owner.bill_ids, reverse=True)

    @pytest.mark.parametrize("limit", [2, 3])
    def test_the_last_page_says_that_it_is_however_full(self, owner, limit):
        page = owner.get("/bills", query_string={"limit": limit}).json

        assert len(page["items"]) == 2
        assert page["next_before_id"] is None

    @pytest.mark.parametrize(("which", "count"), [("all", 2), ("unpaid", 2), ("paid", 0)])
    def test_narrows_to_unpaid_or_paid(self, owner, which, count):
        answer = owner.get("/bills", query_string={"which": which})

        assert len(answer.json["items"]) == count

    def test_narrows_to_a_house(self, owner):
        of_own = owner.get("/bills", query_string={"house_id": owner.house_id})
        of_none = owner.get("/bills", query_string={"house_id": 10**9})

        assert len(of_own.json["items"]) == 2
        assert of_none.json == {"items": [], "next_before_id": None}

    def test_a_draft_is_nobodys_business(self, make_signed_in):
        owner = make_signed_in(21002, state="pending_review", published_at=None)

        assert owner.get("/bills").json["items"] == []
        refusal(owner.get(f"/bills/{owner.bill_ids[0]}"), 404)

    def test_a_tenant_sees_no_bills(self, make_signed_in):
        tenant = make_signed_in(21002, binding_role="tenant")

        assert tenant.get("/bills").json["items"] == []
        refusal(tenant.get(f"/bills/{tenant.bill_ids[0]}"), 404)

    def test_whoever_moved_out_sees_nothing_any_more(self, owner, database):
        database.do("UPDATE house_binding SET status = 'revoked', ended_at = now()")

        assert owner.get("/houses").json["items"] == []
        assert owner.get("/bills").json["items"] == []
        refusal(owner.get(f"/bills/{owner.bill_ids[0]}"), 404)

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=-1", "limit"),
            ("limit=1e2", "limit"),
            ("limit=%EF%BC%91%EF%BC%92", "limit"),
            ("limit=", "limit"),
            ("before_id=0", "before_id"),
            ("before_id=-1", "before_id"),
            ("before_id=9223372036854775808", "before_id"),
            ("before_id=18446744073709551616", "before_id"),
            ("before_id=" + "9" * 5000, "before_id"),
            ("before_id=1.0", "before_id"),
            ("before_id=true", "before_id"),
            ("before_id=NaN", "before_id"),
            ("before_id=1%00", "before_id"),
            ("house_id=%27%20OR%201=1", "house_id"),
            ("which=draft", "which"),
            ("which=%00", "which"),
        ],
    )
    def test_says_which_part_of_the_query_is_wrong(self, owner, query, field):
        error = refusal(owner.get(f"/bills?{query}"), 422)

        assert error["code"] == "invalid_input"
        assert set(error["fields"]) == {field}

    def test_the_largest_id_is_simply_no_bill(self, owner):
        assert owner.get("/bills?before_id=9223372036854775807").status_code == 200
        refusal(owner.get("/bills/9223372036854775807"), 404)


class TestOutstanding:
    def test_adds_up_what_is_left(self, owner):
        assert owner.get("/bills/outstanding").json == {
            "bill_count": 2,
            "amount_fen": 22202,
            "late_fee_fen": 0,
            "discount_fen": 0,
        }

    def test_is_nothing_for_somebody_without_a_house(self, client, database):
        with database.session() as session:
            account = factories.make_account(session)
            token = factories.make_session(session, account=account)

        answer = client.get(
            "/api/v1/bills/outstanding", headers={"Authorization": f"Bearer {token}"}
        )

        assert answer.json == {
            "bill_count": 0,
            "amount_fen": 0,
            "late_fee_fen": 0,
            "discount_fen": 0,
        }


class TestShowBill:
    def test_says_why_the_amount_is_what_it_is(self, owner):
        answer = owner.get(f"/bills/{owner.bill_ids[0]}")

        line = answer.json["lines"][0]
        assert answer.json["bill"]["amount_fen"] == line["amount_fen"] == 21002
        assert "89.37" in line["explanation"]
        assert "2.35" in line["explanation"]

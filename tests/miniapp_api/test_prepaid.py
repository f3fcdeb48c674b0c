import pytest

from tests import factories
from tests.miniapp_api.answers import refusal


@pytest.fixture
def top_up(owner):
    def top_up(amount_fen, key="key-00000001", house_id=None, **more):
        return owner.call(
            "POST",
            "/payments",
            json={"topup": {"house_id": house_id or owner.house_id, "amount_fen": amount_fen}}
            | more,
            headers={"Idempotency-Key": key},
        )

    return top_up


class TestTopUp:
    def test_alone(self, owner, top_up, craft, notify):
        answer = top_up(50000)

        assert answer.status_code == 201
        payment = answer.json["payment"]
        assert (payment["amount_fen"], payment["topup_fen"]) == (50000, 50000)
        assert payment["bill_ids"] == []
        notify(craft(payment["out_trade_no"]))

        [account] = owner.get("/prepaid").json["items"]
        assert (account["balance_fen"], account["item"], account["fee_item_id"]) == (
            50000,
            "通用",
            None,
        )
        [entry] = account["entries"]
        assert (entry["kind"], entry["kind_shown"], entry["amount_fen"]) == ("topup", "预存", 50000)

    def test_with_bills(self, owner, top_up):
        payment = top_up(800, bill_ids=owner.bill_ids).json["payment"]

        assert payment["amount_fen"] == 23002
        assert payment["bill_ids"] == owner.bill_ids

    @pytest.mark.parametrize("amount_fen", [0, -1, 10_000_001, 1.5, "100", True, None])
    def test_only_whole_fen_within_the_limit(self, top_up, amount_fen):
        assert set(refusal(top_up(amount_fen), 422)["fields"]) == {"topup.amount_fen"}

    def test_only_for_ones_own_house(self, top_up, database):
        with database.session() as session:
            other = factories.make_house(session).id

        refusal(top_up(100, house_id=other), 404)

    def test_nothing_at_all_is_no_payment(self, owner):
        answer = owner.call(
            "POST", "/payments", json={}, headers={"Idempotency-Key": "key-00000001"}
        )

        assert set(refusal(answer, 422)["fields"]) == {"bill_ids"}


class TestPrepaid:
    def test_is_empty_at_first(self, owner):
        assert owner.get("/prepaid").json == {"items": []}


class TestLateFee:
    def test_is_shown_today_and_tomorrow(self, owner, database):
        database.do("UPDATE bill SET due_date = current_date - 40")
        with database.session() as session:
            item = session.get_one(factories.FeeItem, 1)
            factories.make_late_fee_rule(session, item=item)

        shown = owner.get(f"/bills/{owner.bill_ids[0]}").json

        late_fee = shown["late_fee"]
        assert shown["bill"]["late_fee_fen"] == late_fee["open_fen"] > 400
        assert late_fee["next_day_open_fen"] > late_fee["open_fen"]
        assert late_fee["segments"][0]["daily_rate"] == "0.00050000"
        assert "每日 0.05%" in late_fee["explanation"]
        assert shown["bill"]["outstanding_fen"] == 21002 + late_fee["open_fen"]

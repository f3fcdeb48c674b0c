from urllib.parse import parse_qs, urlsplit

import pytest

from tests.miniapp_api.answers import facts, refusal

KEY = "key-00000001"
ANOTHER_KEY = "key-00000002"


class TestStart:
    def test_gives_a_ticket_for_the_sheet(self, owner):
        answer = owner.start()

        assert answer.status_code == 201
        assert answer.json["payment"]["amount_fen"] == 22202
        assert answer.json["payment"]["state"] == "prepaying"
        assert answer.json["payment"]["bill_ids"] == owner.bill_ids
        assert set(answer.json["ticket"]) == {
            "appId",
            "timeStamp",
            "nonceStr",
            "package",
            "signType",
            "paySign",
        }

    def test_the_platform_takes_the_ticket(self, owner, simulator):
        ticket = owner.start().json["ticket"]

        paid = simulator.post("pay_ticket", **ticket, callbacks="lost")

        assert paid["errMsg"] == "requestPayment:ok"

    def test_the_same_key_gives_the_same_payment(self, owner, simulator, database):
        first = owner.started()

        assert owner.started() == first

        assert database.value("SELECT count(*) FROM payment_order") == 1
        assert len(simulator.get("orders")) == 1

    def test_order_and_repeats_of_the_bills_do_not_matter(self, owner):
        first = owner.started()

        assert owner.started(owner.bill_ids[::-1] + owner.bill_ids) == first

    def test_the_same_key_for_other_bills_is_refused(self, owner):
        owner.started()

        error = refusal(owner.start(owner.bill_ids[:1]), 422)

        assert error["code"] == "key_used_for_other"

    def test_bills_in_payment_are_not_paid_twice(self, owner):
        owner.started()

        error = refusal(owner.start(owner.bill_ids[:1], key=ANOTHER_KEY), 409)

        assert error["code"] == "bill_in_payment"

    def test_a_paid_bill_is_not_paid_again(self, owner, craft, notify):
        notify(craft(owner.started()["out_trade_no"]))

        error = refusal(owner.start(key=ANOTHER_KEY), 409)

        assert error["code"] == "bill_already_paid"

    def test_a_key_goes_on_where_wechat_did_not_answer(self, owner, simulator):
        simulator.fault(host="pay", path="transactions/jsapi", times=None, status=502)
        assert refusal(owner.start(), 503)["code"] == "platform_unavailable"
        simulator.clear_faults()

        answer = owner.start()

        assert answer.status_code == 201
        assert len(simulator.get("orders")) == 1

    def test_a_refusal_by_wechat_sets_the_bills_free(self, owner, simulator, database):
        refused = {"code": "PARAM_ERROR", "status": 400}
        simulator.fault(host="pay", path="transactions/jsapi", times=1, pay_error=refused)

        assert refusal(owner.start(), 502)["code"] == "platform_refused"

        assert database.value("SELECT count(*) FROM bill_lock") == 0
        assert refusal(owner.start(), 409)["code"] == "payment_ended"
        assert owner.start(key=ANOTHER_KEY).status_code == 201

    def test_without_a_wechat_it_asks_for_one(self, owner, database):
        database.do("DELETE FROM wechat_identity")

        error = refusal(owner.start(), 409)

        assert (error["code"], error["message"]) == ("wechat_needed", "请在微信小程序中登录后支付")

    def test_a_page_inside_wechat_asks_to_follow_the_account_first(self, owner):
        answer = owner.call(
            "POST",
            "/payments",
            json={"bill_ids": owner.bill_ids, "way": "jsapi"},
            headers={"Idempotency-Key": KEY},
        )

        error = refusal(answer, 409)
        assert error["code"] == "wechat_needed"
        assert "关注公众号" in error["message"]

    @pytest.mark.parametrize("key", ["", "short", "x" * 65, "key with spaces", "钥匙钥匙钥匙钥匙"])
    def test_a_key_has_a_form(self, owner, key, database):
        headers = {"Idempotency-Key": key.encode().decode("latin-1")}

        answer = owner.call("POST", "/payments", json={"bill_ids": owner.bill_ids}, headers=headers)

        assert set(refusal(answer, 422)["fields"]) == {"Idempotency-Key"}
        assert database.value("SELECT count(*) FROM payment_order") == 0

    def test_a_key_is_needed(self, owner):
        answer = owner.call("POST", "/payments", json={"bill_ids": owner.bill_ids})

        assert refusal(answer, 422)["fields"] == {"Idempotency-Key": ["必填"]}

    def test_keys_of_different_owners_do_not_meet(self, make_signed_in):
        owner, neighbour = make_signed_in(100), make_signed_in(200, phone="19900000002")

        assert owner.started()["id"] != neighbour.started()["id"]


class TestShow:
    def test_shows_what_was_started(self, owner):
        started = owner.started()

        assert owner.get(f"/payments/{started['id']}").json == started
        assert owner.get("/payments").json == {"items": [started], "next_before_id": None}

    def test_pages_newest_first(self, owner):
        first = owner.started(owner.bill_ids[:1])["id"]
        second = owner.started(owner.bill_ids[1:], key=ANOTHER_KEY)["id"]

        page = owner.get("/payments?limit=1").json
        rest = owner.get(f"/payments?limit=1&before_id={page['next_before_id']}").json

        assert [row["id"] for row in page["items"] + rest["items"]] == [second, first]
        assert rest["next_before_id"] is None


class TestRefresh:
    def test_books_what_the_platform_says(self, owner, simulator):
        payment = owner.started()
        simulator.post(f"pay/{payment['out_trade_no']}", callbacks="lost")

        answer = owner.call("POST", f"/payments/{payment['id']}/refresh")

        assert answer.status_code == 200
        assert answer.json["state"] == "succeeded"
        assert answer.json["receipt_no"]
        assert owner.get("/bills/outstanding").json["amount_fen"] == 0

    def test_changes_nothing_while_it_is_unpaid(self, owner):
        payment = owner.started()

        assert owner.call("POST", f"/payments/{payment['id']}/refresh").json == payment

    def test_says_to_try_later_when_wechat_is_away(self, owner, simulator):
        payment = owner.started()
        simulator.fault(host="pay", times=None, status=502)

        answer = owner.call("POST", f"/payments/{payment['id']}/refresh")

        assert refusal(answer, 503)["code"] == "platform_unavailable"


class TestCancel:
    def test_sets_the_bills_free(self, owner):
        payment = owner.started()

        answer = owner.call("POST", f"/payments/{payment['id']}/cancel")

        assert answer.json["state"] == "closed"
        assert owner.start(key=ANOTHER_KEY).status_code == 201

    def test_books_what_was_paid_meanwhile(self, owner, simulator):
        payment = owner.started()
        simulator.post(f"pay/{payment['out_trade_no']}", callbacks="lost")

        answer = owner.call("POST", f"/payments/{payment['id']}/cancel")

        assert answer.json["state"] == "succeeded"

    def test_twice_is_once(self, owner):
        path = f"/payments/{owner.started()['id']}/cancel"

        first, second = owner.call("POST", path), owner.call("POST", path)

        assert first.json == second.json


class TestReceipt:
    def test_is_what_was_issued(self, owner, craft, notify):
        payment = owner.started()
        notify(craft(payment["out_trade_no"]))
        receipt_no = owner.get(f"/payments/{payment['id']}").json["receipt_no"]

        receipt = owner.get(f"/receipts/{receipt_no}").json

        assert receipt["amount_fen"] == 22202
        assert receipt["payment_id"] == payment["id"]
        assert sum(line["amount_fen"] for line in receipt["snapshot"]["lines"]) == 22202
        assert receipt["snapshot"]["payer_phone"] == "199****0001"

    @pytest.mark.parametrize(
        "receipt_no",
        [
            "CH1-2026-9999999",
            "a%00b",
            "%27%20OR%201=1",
            "x" * 41,
            "%ED%A0%80",
            "..",
            "收据",
            "A%0A",
        ],
    )
    def test_anything_else_is_no_receipt(self, owner, receipt_no):
        answer = owner.get(f"/receipts/{receipt_no}")

        assert refusal(answer, 404)["code"] == "not_found"

    def test_none_and_no_such_path_look_alike(self, owner):
        assert facts(owner.get("/receipts/CH1-2026-9999999"))[2] == facts(owner.get("/none"))[2]


class TestComingBack:
    def test_the_page_that_a_channel_sends_the_browser_to_is_there(self, owner, client):
        answer = owner.call(
            "POST",
            "/payments",
            json={"bill_ids": owner.bill_ids, "way": "h5"},
            headers={"Idempotency-Key": ANOTHER_KEY},
        )
        target = answer.json["page_url"]
        back = parse_qs(urlsplit(target).query)["redirect_url"][0]

        page = client.get(urlsplit(back).path, query_string={"trade_status": "TRADE_SUCCESS"})

        assert page.status_code == 200
        assert "正在确认支付结果" in page.text
        assert owner.get(f"/payments/{answer.json['payment']['id']}").json["state"] == "prepaying"

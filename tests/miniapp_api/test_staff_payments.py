import pytest

from miniapp_api.limits import TRACING
from tests import factories
from tests.miniapp_api.answers import refusal


@pytest.fixture
def call(client, database):
    """Call with the key of a member of staff of a role."""
    keys = {}

    def call(method, number, what, *, role="cashier", community="CH1"):
        if role not in keys:
            with database.session() as session:
                staff = factories.make_staff(session, role=role)
                keys[role] = factories.make_staff_token(session, staff=staff)
        return client.open(
            f"/api/v1/staff/payments/{number}/{what}",
            method=method,
            query_string={"community": community} if community else {},
            headers={"Authorization": f"Bearer {keys[role]}"},
        )

    return call


@pytest.fixture
def payment(make_signed_in):
    return make_signed_in(1000).started()


class TestLife:
    def test_tells_it_line_by_line(self, call, payment):
        answer = call("GET", payment["out_trade_no"], "life")

        assert answer.status_code == 200
        assert answer.json["progress"] == "等待支付"
        assert answer.json["number"] == payment["out_trade_no"]
        created = answer.json["lines"][1]
        assert set(created) == {"at", "what", "words", "facts"}
        assert created["what"] == "order_created"
        assert created["facts"]["amount_fen"] == 1000

    def test_another_communitys_is_not_found(self, call, payment, database):
        with database.session() as session:
            factories.make_community(session, code="OTHER")

        answer = call("GET", payment["out_trade_no"], "life", community="OTHER")

        assert refusal(answer, 404)["code"] == "not_found"

    def test_asks_for_a_community(self, call, payment):
        answer = call("GET", payment["out_trade_no"], "life", community=None)

        assert refusal(answer, 422)["code"] == "invalid_input"

    def test_a_community_that_no_database_can_hold(self, call, payment):
        answer = call("GET", payment["out_trade_no"], "life", community="CH1\0")

        assert refusal(answer, 422)["fields"] == {"community": ["格式不对"]}

    def test_is_for_roles_that_see_money(self, call, payment):
        answer = call("GET", payment["out_trade_no"], "life", role="engineer")

        assert refusal(answer, 403)["code"] == "not_allowed"


class TestAsk:
    def test_books_what_the_channel_says(self, call, payment, simulator):
        simulator.post(f"pay/{payment['out_trade_no']}", callbacks="lost")

        answer = call("POST", payment["out_trade_no"], "ask")

        assert answer.status_code == 200
        assert answer.json["progress"] == "已入账"

    def test_a_silent_channel(self, call, payment, simulator):
        simulator.fault(host="pay", status=502)

        answer = call("POST", payment["out_trade_no"], "ask")

        assert refusal(answer, 503)["code"] == "platform_unavailable"

    def test_is_limited(self, call, payment):
        for _ in range(TRACING.per_minute):
            assert call("GET", payment["out_trade_no"], "life").status_code == 200

        assert call("POST", payment["out_trade_no"], "ask").status_code == 429

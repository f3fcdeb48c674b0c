"""Whoever scans a house's code pays what it owes, with the app they have, and sees no more."""

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from domain.actors import Role, system_actor
from domain.errors import NotFound
from domain.payment_states import PaymentChannel
from services.payments.money_in import MoneyIn
from tests import factories

WECHAT = "Mozilla/5.0 (iPhone) Mobile MicroMessenger/8.0.50"
ALIPAY = "Mozilla/5.0 (Linux; Android 14) Mobile AlipayClient/10.6"
PHONE = "Mozilla/5.0 (Linux; Android 14) Mobile Safari"
COMPUTER = "Mozilla/5.0 (X11; Linux x86_64) Firefox"


@pytest.fixture
def manager(database):
    with database.session() as session:
        return factories.staff(session, Role.MANAGER)


@pytest.fixture
def code_of(services, manager, database):
    """Give every house of a community a code and tell the one of a house."""

    def code_of(house_id):
        community_id = database.value("SELECT community_id FROM house WHERE id = :id", id=house_id)
        services.pay_codes.make(actor=manager, community_id=community_id)
        return services.pay_codes.show_token(
            actor=manager, community_id=community_id, house_id=house_id
        )

    return code_of


@pytest.fixture
def token(owner, code_of):
    """The code of the owner's door: 222.02 is owed behind it."""
    return code_of(owner.house_id)


class Browser:
    """A browser at the door; forms are sent as the page has them."""

    def __init__(self, client, token, agent):
        self.client, self.token, self.agent = client, token, agent
        self.page = None

    def get(self, path=None, **query):
        self.page = self.client.get(
            path or f"/p/{self.token}", query_string=query, headers={"User-Agent": self.agent}
        )
        return self.page

    def fields(self, channel):
        form = next(
            form for form in self.page.text.split("<form")[1:] if f'value="{channel}"' in form
        )
        return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))

    def pay(self, channel, **changes):
        fields = self.fields(channel) | changes
        self.page = self.client.post(
            f"/p/{self.token}/pay", data=fields, headers={"User-Agent": self.agent}
        )
        return self.page

    def link(self, pattern):
        return re.search(pattern, self.page.text)[1].replace("&amp;", "&")

    def visit(self):
        return self.link(rf"(/p/{self.token}/payments/[\w-]+)")


def query_of(redirect):
    """The query of the address that a redirect leads to."""
    return query_in(redirect.headers["Location"])


def query_in(address):
    query = parse_qs(urlsplit(address).query)
    return {name: values[0] for name, values in query.items()}


@pytest.fixture
def at_door(client, token):
    return lambda agent: Browser(client, token, agent)


@pytest.fixture
def in_wechat(at_door, simulator):
    """A WeChat browser that came back from asking who holds the phone."""

    def in_wechat(phone="19900000088"):
        simulator.person(phone)
        opened = at_door(WECHAT)
        asked = opened.get()
        assert asked.status_code == 303
        where = asked.headers["Location"].partition("#")[0]
        assert re.fullmatch(r"[0-9a-zA-Z]{1,128}", parse_qs(urlsplit(where).query)["state"][0])
        back = requests.get(
            where,
            cookies={"sim_phone": phone},
            allow_redirects=False,
            timeout=10,
        )
        opened.get(**query_of(back))
        return opened

    return in_wechat


@pytest.fixture
def orders(database):
    return lambda: database.rows(
        "SELECT out_trade_no, way, state, amount_fen, account_id, payer_ip FROM payment_order"
        " ORDER BY id"
    )


class TestLooking:
    def test_shows_the_house_masked_and_the_sum_and_nothing_else(self, at_door, database):
        page = at_door(PHONE).get()

        assert page.status_code == 200
        assert "¥222.02" in page.text
        [owner] = database.rows("SELECT name, phone FROM owner")
        for secret in (owner["name"], owner["phone"], "210.02", "12.00", "物业费"):
            assert secret not in page.text
        assert "*" in page.text

    @pytest.mark.parametrize(
        "wrong", ["x", "A" * 22, "%00", "../x", "0" * 1000, "中文", "A" * 21 + "'"]
    )
    def test_what_is_no_code_opens_no_door(self, client, token, wrong):
        page = client.get(f"/p/{wrong}")

        assert page.status_code == 404
        assert "返回" not in page.text  # to the same dead address

    def test_a_code_that_was_replaced_opens_no_door(
        self, at_door, token, services, manager, database
    ):
        database.do("UPDATE pay_code SET revoked_at = now()")

        page = at_door(PHONE).get()

        assert page.status_code == 404
        assert "没有完成" in page.text

    def test_nothing_owed_says_so_and_thanks(self, client, make_signed_in, code_of):
        token = code_of(make_signed_in(phone="19900000002").house_id)

        assert "没有待缴账单" in Browser(client, token, PHONE).get().text

    def test_each_browser_is_offered_what_it_can_open(self, at_door, in_wechat):
        assert "支付宝支付" not in in_wechat().page.text
        alipay = at_door(ALIPAY).get().text
        assert "支付宝支付" in alipay
        assert "微信支付" not in alipay
        both = at_door(PHONE).get().text
        assert "支付宝支付" in both
        assert "微信支付" in both

    def test_nobody_else_may_frame_or_script_it(self, at_door):
        policy = at_door(PHONE).get().headers["Content-Security-Policy"]

        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


class TestWechat:
    def test_a_neighbour_pays_in_wechat_and_the_owner_is_told(
        self, in_wechat, simulator, orders, database, owner
    ):
        simulator.person(owner.phone)
        simulator.post(f"people/{owner.phone}/follow")
        opened = in_wechat("19900000088")
        page = opened.pay("wechat")
        assert page.status_code == 200
        package = opened.link(r'data-package="([^"]+)"')
        assert package.startswith("prepay_id=")
        [order] = orders()
        assert (order["way"], order["amount_fen"], order["account_id"]) == ("jsapi", 22202, None)
        visit = opened.visit()
        assert 'data-now="yes"' in page.text
        again = opened.get(visit).text
        assert "data-package" in again  # the sheet was shut: it may be opened again
        assert "data-now" not in again  # but never by itself, or it could not be shut

        simulator.post(f"pay/{order['out_trade_no']}", callbacks="lost")
        opened.client.post(f"{visit}/refresh")
        paid = opened.get(visit)

        assert "已入账" in paid.text
        assert "收据号" in paid.text
        receipt = opened.get(opened.link(r'href="([^"]+/receipt\.pdf)"'))
        assert receipt.data.startswith(b"%PDF")
        assert receipt.headers["Cache-Control"] == "private, no-store"
        assert opened.get(f"/p/{opened.token}/payments/{'A' * 22}/receipt.pdf").status_code == 404
        assert {row["state"] for row in database.rows("SELECT state FROM bill")} == {"paid"}
        told = database.rows("SELECT kind, recipient FROM outbox_message")
        assert "payment_received" in {one["kind"] for one in told}
        payers = {one["recipient"] for one in told}
        assert simulator.person("19900000088")["openid_official"] in payers

    def test_a_payer_sealed_for_another_door_is_nobody_here(
        self, in_wechat, make_signed_in, code_of, client
    ):
        opened = in_wechat()
        fields = opened.fields("wechat")
        other = make_signed_in(100, phone="19900000002")
        other_token = code_of(other.house_id)

        page = client.post(f"/p/{other_token}/pay", data=fields, headers={"User-Agent": WECHAT})

        assert page.status_code == 409
        assert "页面已过期，请重新扫码" in page.text

    @pytest.mark.parametrize("payer", ["", "x", "eyJ.x", "A" * 500])
    def test_a_payer_of_ones_own_making_is_refused(self, in_wechat, payer, orders):
        page = in_wechat().pay("wechat", payer=payer)

        assert page.status_code == 409
        assert orders() == []

    def test_a_seal_is_good_for_two_hours(self, in_wechat, clock, orders):
        opened = in_wechat()
        clock.advance(hours=2, seconds=1)

        assert opened.pay("wechat").status_code == 409
        assert orders() == []

    def test_a_state_of_ones_own_making_is_refused(self, at_door):
        page = at_door(WECHAT).get(code="anything", state="of-my-own")

        assert page.status_code == 409
        assert "页面已过期" in page.text

    def test_a_code_works_once(self, in_wechat, simulator, at_door):
        opened = at_door(WECHAT)
        asked = opened.get()
        back = requests.get(
            asked.headers["Location"].partition("#")[0], allow_redirects=False, timeout=10
        )
        query = query_of(back)
        assert opened.get(**query).status_code == 200

        assert opened.get(**query).status_code in (422, 502)


class TestOtherWays:
    def test_a_phones_browser_is_sent_to_wechats_page(self, at_door, orders, simulator):
        opened = at_door(PHONE)
        opened.get()
        page = opened.pay("wechat")

        [order] = orders()
        assert (order["way"], order["payer_ip"]) == ("h5", "127.0.0.1")
        target = opened.link(r'<a class="button wechat" href="([^"]+)"')
        assert requests.get(target, timeout=10, headers={"Referer": "http://localhost/"}).ok
        back = query_in(html.unescape(target))["redirect_url"]
        assert urlsplit(back).path == opened.visit()
        assert page.headers["Referrer-Policy"] == "origin"

    def test_a_computer_shows_a_code_to_scan(self, at_door, orders):
        opened = at_door(COMPUTER)
        opened.get()
        page = opened.pay("wechat")

        assert orders()[0]["way"] == "native"
        assert "data:image/png;base64," in page.text
        assert "请用微信扫一扫付款" in page.text

    def test_the_code_stays_while_the_page_looks_again(self, at_door, simulator, orders):
        opened = at_door(COMPUTER)
        opened.get()
        opened.pay("wechat")
        calls = len(simulator.journal())
        visit = opened.visit()

        assert "data:image/png;base64," in opened.get(visit).text
        assert len(simulator.journal()) == calls
        simulator.post(f"pay/{orders()[0]['out_trade_no']}", callbacks="lost")
        opened.client.post(f"{visit}/refresh")
        assert "data:image/png;base64," not in opened.get(visit).text

    def test_alipay_is_paid_on_its_page_and_booked(self, at_door, orders, simulator, database):
        opened = at_door(ALIPAY)
        opened.get()
        opened.pay("alipay")
        [order] = orders()
        assert order["way"] == "alipay_wap"
        target = opened.link(r'<a class="button alipay" href="([^"]+)"')
        assert requests.get(target, timeout=10).ok
        visit = opened.visit()
        assert urlsplit(query_in(html.unescape(target))["return_url"]).path == visit

        simulator.post(f"alipay/pay/{order['out_trade_no']}", callbacks="lost")
        opened.client.post(f"{visit}/refresh")

        assert "已入账" in opened.get(visit).text
        assert database.value("SELECT channel FROM payment") == "alipay"

    def test_alipay_on_a_computer_is_a_code(self, at_door, orders):
        opened = at_door(COMPUTER)
        opened.get()

        assert "请用支付宝扫一扫付款" in opened.pay("alipay").text
        assert orders()[0]["way"] == "alipay_qr"


class TestHonesty:
    def test_what_the_form_says_of_money_is_not_read(self, at_door, orders):
        opened = at_door(COMPUTER)
        opened.get()
        opened.pay("wechat", amount="0.01", amount_fen="1", bill_ids="1")

        assert orders()[0]["amount_fen"] == 22202

    def test_a_double_click_is_one_payment(self, at_door, orders):
        opened = at_door(COMPUTER)
        opened.get()
        fields = opened.fields("wechat")
        opened.pay("wechat")
        again = opened.client.post(
            f"/p/{opened.token}/pay", data=fields, headers={"User-Agent": COMPUTER}
        )

        assert again.status_code == 200
        assert len(orders()) == 1

    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"channel": "cash", "key": "key-00000001"},
            {"channel": "wechat"},
            {"channel": "wechat", "key": "short"},
            {"channel": "wechat", "key": "x" * 65},
            {"channel": "\x00", "key": "key-00000001"},
        ],
    )
    def test_a_form_that_is_not_ours_is_refused(self, client, token, data, orders):
        page = client.post(f"/p/{token}/pay", data=data, headers={"User-Agent": COMPUTER})

        assert page.status_code == 422
        assert "请求有误" in page.text
        assert orders() == []

    def test_nobody_sees_a_payment_without_its_visit(self, at_door, client, token):
        opened = at_door(COMPUTER)
        opened.get()
        opened.pay("wechat")

        page = client.get(f"/p/{token}/payments/{'A' * 22}")
        assert page.status_code == 404
        assert f'href="/p/{token}"' in page.text
        assert client.post(f"/p/{token}/payments/{'A' * 22}/refresh").status_code == 404
        assert client.get(f"/p/{token}/payments/{'A' * 22}/receipt.pdf").status_code == 404
        assert client.get(f"{opened.visit()}/receipt.pdf").status_code == 404  # not paid yet

    def test_coming_back_from_the_channel_proves_nothing(self, at_door, token, database):
        opened = at_door(PHONE)
        opened.get()
        opened.pay("alipay")

        page = opened.get(opened.visit(), trade_status="TRADE_SUCCESS", total_amount="222.02")

        assert page.status_code == 200
        assert "等待支付" in page.text
        assert database.value("SELECT count(*) FROM payment") == 0


class TestTwoAtOnce:
    def test_another_way_takes_the_place_of_the_first(self, at_door, orders, simulator):
        opened = at_door(COMPUTER)
        opened.get()
        opened.pay("wechat")
        opened.get()
        opened.pay("alipay")

        assert [(one["way"], one["state"]) for one in orders()] == [
            ("native", "closed"),
            ("alipay_qr", "prepaying"),
        ]
        assert simulator.get("orders")[0]["trade_state"] == "CLOSED"

    def test_a_first_that_was_paid_meanwhile_is_booked_not_closed(
        self, at_door, orders, simulator, database
    ):
        opened = at_door(COMPUTER)
        opened.get()
        opened.pay("wechat")
        simulator.post(f"pay/{orders()[0]['out_trade_no']}", callbacks="lost")
        opened.page = opened.get()
        page = opened.client.post(
            f"/p/{opened.token}/pay",
            data={"channel": "alipay", "key": "key-00000002"},
            headers={"User-Agent": COMPUTER},
        )

        assert page.status_code == 409
        assert "没有待缴的账单" in page.text
        assert {row["state"] for row in database.rows("SELECT state FROM bill")} == {"paid"}

    def test_an_owners_own_payment_is_not_pushed_aside(self, at_door, owner, orders):
        owner.started()

        opened = at_door(COMPUTER)
        page = opened.get()
        posted = opened.client.post(
            f"/p/{opened.token}/pay",
            data={"channel": "wechat", "key": "key-00000002"},
            headers={"User-Agent": COMPUTER},
        )

        assert "业主正在支付" in page.text
        assert posted.status_code == 409
        assert "业主正在支付" in posted.text
        assert [one["state"] for one in orders()] == ["prepaying"]

    def test_the_owner_pushes_the_door_aside(self, at_door, owner, orders):
        opened = at_door(COMPUTER)
        opened.get()
        opened.pay("wechat")

        owner.started()

        assert [(one["way"], one["state"]) for one in orders()] == [
            ("native", "closed"),
            ("miniapp", "prepaying"),
        ]

    def test_a_page_that_nobody_opened_gives_way_and_is_surplus_once_paid(
        self, at_door, orders, simulator, database, services, clock
    ):
        """Alipay knows nothing of it yet and cannot close it. Its notice is lost too."""
        opened = at_door(PHONE)
        opened.get()
        opened.pay("alipay")
        page = opened.link(r'<a class="button alipay" href="([^"]+)"')
        opened.get()
        opened.pay("wechat")

        assert [(one["way"], one["state"]) for one in orders()] == [
            ("alipay_wap", "closed"),
            ("h5", "prepaying"),
        ]
        assert requests.get(page, timeout=10).ok
        simulator.post(f"pay/{orders()[1]['out_trade_no']}", callbacks="lost")
        opened.client.post(f"{opened.visit()}/refresh")
        assert {row["state"] for row in database.rows("SELECT state FROM bill")} == {"paid"}
        simulator.post(f"alipay/pay/{orders()[0]['out_trade_no']}", callbacks="lost")
        clock.advance(minutes=13)
        services.sweep.sweep(actor=system_actor("测试"))

        assert database.value("SELECT balance_fen FROM prepaid_account") == 22202
        assert database.value("SELECT sum(amount_fen) FROM payment") == 2 * 22202

    def test_a_cashier_pushes_the_door_aside(
        self, at_door, owner, orders, services, database, simulator
    ):
        opened = at_door(COMPUTER)
        opened.get()
        opened.pay("wechat")
        opened.get()
        opened.pay("alipay")
        with database.session() as session:
            cashier = factories.staff(session, Role.CASHIER)

        services.counter.take(
            actor=cashier,
            community_id=owner.community_id,
            house_id=owner.house_id,
            money=MoneyIn(PaymentChannel.CASH, 22202, "陈建"),
            client_key="key-00000009",
        )

        assert {row["state"] for row in database.rows("SELECT state FROM bill")} == {"paid"}
        assert {one["state"] for one in orders()} == {"closed"}

    def test_a_cashier_of_another_community_pushes_nothing_aside(
        self, at_door, owner, orders, services, database, make_signed_in
    ):
        opened = at_door(COMPUTER)
        opened.get()
        opened.pay("wechat")
        stranger = make_signed_in(phone="19900000002")
        with database.session() as session:
            cashier = factories.staff(session, Role.CASHIER)

        with pytest.raises(NotFound):
            services.counter.take(
                actor=cashier,
                community_id=stranger.community_id,
                house_id=owner.house_id,
                money=MoneyIn(PaymentChannel.CASH, 22202, "陈建"),
                client_key="key-00000009",
            )

        assert [one["state"] for one in orders()] == ["prepaying"]

    def test_a_door_that_was_paid_meanwhile_is_booked_before_the_cash(
        self, at_door, owner, orders, services, database, simulator
    ):
        opened = at_door(COMPUTER)
        opened.get()
        opened.pay("wechat")
        simulator.post(f"pay/{orders()[0]['out_trade_no']}", callbacks="lost")
        with database.session() as session:
            cashier = factories.staff(session, Role.CASHIER)

        services.counter.take(
            actor=cashier,
            community_id=owner.community_id,
            house_id=owner.house_id,
            money=MoneyIn(PaymentChannel.CASH, 22202, "陈建"),
            client_key="key-00000009",
        )

        assert database.rows("SELECT channel FROM payment ORDER BY id") == [
            {"channel": "wechat"},
            {"channel": "cash"},
        ]
        assert database.value("SELECT balance_fen FROM prepaid_account") == 22202

    def test_many_at_one_door_pay_once(self, client, app, token, together, orders, database):
        def scan(index):
            return app.test_client().post(
                f"/p/{token}/pay",
                data={"channel": "wechat", "key": f"key-{index:08d}"},
                headers={"User-Agent": COMPUTER},
            )

        together(*[lambda index=index: scan(index) for index in range(4)])

        alive = [one for one in orders() if one["state"] in ("created", "prepaying", "unknown")]
        assert len(alive) <= 1
        assert database.value("SELECT count(DISTINCT order_id) FROM bill_lock") == len(alive)

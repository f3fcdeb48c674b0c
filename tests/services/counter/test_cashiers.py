import pytest

from domain.actors import Actor, ActorKind, Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.payment_states import PaymentChannel
from services.keys import KeyUsedForOther
from services.payments.money_in import MoneyIn
from services.payments.taking import BillAlreadyPaid, BillInPayment
from tests import factories


class TestTake:
    def test_the_earliest_due_bill_is_paid_first_and_the_rest_is_kept(
        self, take, add_bill, bill, balance
    ):
        younger = add_bill(5000, days_late=1)
        older = add_bill(3000, days_late=40)

        receipt = take(9000)

        assert bill(older) == ("paid", 3000, 3000)
        assert bill(younger) == ("paid", 5000, 5000)
        assert balance() == {None: 1000}
        assert receipt.amount_fen == 9000
        assert [(line["kind"], line["amount_fen"]) for line in receipt.snapshot["lines"]] == [
            ("principal", 3000),
            ("principal", 5000),
            ("prepaid", 1000),
        ]

    def test_money_that_does_not_reach_pays_a_part(self, take, add_bill, bill):
        older, younger = add_bill(3000, days_late=40), add_bill(5000, days_late=1)

        take(4000)

        assert bill(older) == ("paid", 3000, 3000)
        assert bill(younger) == ("partially_paid", 5000, 1000)

    def test_whoever_names_a_bill_pays_that_one_only(self, take, add_bill, bill, balance):
        older, younger = add_bill(3000, days_late=40), add_bill(5000, days_late=1)

        take(6000, named=[younger])

        assert bill(older) == ("published", 3000, 0)
        assert bill(younger) == ("paid", 5000, 5000)
        assert balance() == {None: 1000}

    def test_principal_goes_before_the_late_fee(self, take, add_bill, charge_late, bill, late_fee):
        charge_late()
        bill_id = add_bill(126000, days_late=47)

        take(127000)

        assert bill(bill_id) == ("paid", 126000, 126000)
        assert late_fee(bill_id) == (1000, 0, 2961)

    def test_the_community_may_want_the_late_fee_first(
        self, take, add_bill, charge_late, bill, late_fee, database
    ):
        database.do("UPDATE community SET late_fee_first = true")
        charge_late()
        bill_id = add_bill(126000, days_late=47)

        take(3000)

        assert late_fee(bill_id) == (2961, 0, None)
        assert bill(bill_id) == ("partially_paid", 126000, 39)

    def test_a_frozen_late_fee_can_be_paid_later_and_grows_no_more(
        self, take, add_bill, charge_late, bill, late_fee, clock, balance
    ):
        charge_late()
        bill_id = add_bill(126000, days_late=47)
        take(126000)
        clock.advance(days=100)

        receipt = take(3000)

        assert bill(bill_id) == ("paid", 126000, 126000)
        assert late_fee(bill_id) == (2961, 0, 2961)
        assert balance() == {None: 39}
        assert receipt.snapshot["lines"][0]["item"] == "物业费滞纳金"

    def test_paying_all_of_a_bill_early_costs_less(
        self, take, add_bill, bill, database, scene, balance
    ):
        with database.session() as session:
            item = session.get_one(factories.FeeItem, scene.item_id)
            factories.make_early_discount(session, item=item)
        bill_id = add_bill(8000, 2000)

        receipt = take(10000)

        assert bill(bill_id) == ("paid", 9500, 9500)
        assert balance() == {None: 500}
        assert receipt.snapshot["lines"][0]["discount_fen"] == 500
        assert database.rows(
            "SELECT line_no, kind, amount_fen FROM bill_line WHERE kind = 'discount'"
        ) == [{"line_no": 3, "kind": "discount", "amount_fen": -500}]

    def test_a_part_paid_early_costs_what_it_costs(self, take, add_bill, bill, database, scene):
        with database.session() as session:
            item = session.get_one(factories.FeeItem, scene.item_id)
            factories.make_early_discount(session, item=item)
        bill_id = add_bill(10000)

        take(9499)

        assert bill(bill_id) == ("partially_paid", 10000, 9499)

    def test_what_was_taken_off_takes_no_money(self, take, add_bill, bill, database):
        bill_id = add_bill(7000, 3000)
        database.do(
            "INSERT INTO bill_line (bill_id, line_no, kind, amount_fen, trace)"
            " SELECT id, 3, 'discount', -1000, '{}' FROM bill"
        )
        database.do("UPDATE bill SET amount_fen = 9000")
        database.do("UPDATE bill_batch SET amount_fen = 9000")

        take(9000)

        assert bill(bill_id) == ("paid", 9000, 9000)
        assert database.rows("SELECT line_no, amount_fen FROM allocation ORDER BY id") == [
            {"line_no": 1, "amount_fen": 7000},
            {"line_no": 2, "amount_fen": 2000},
        ]

    def test_a_house_that_owes_nothing_pays_ahead(self, take, balance):
        receipt = take(10000)

        assert balance() == {None: 10000}
        assert receipt.amount_fen == 10000

    def test_the_same_key_is_the_same_money(self, take, add_bill, database):
        add_bill(5000)
        first = take(6000, key="the-same-key")

        assert take(6000, key="the-same-key") == first

        assert database.value("SELECT count(*) FROM payment") == 1
        assert database.value("SELECT count(*) FROM receipt") == 1

    @pytest.mark.parametrize(
        "other", [{"amount_fen": 6001}, {"payer_name": "赵六"}, {"note": "补"}]
    )
    def test_the_same_key_for_something_else_is_refused(self, take, other):
        take(6000, key="the-same-key")

        with pytest.raises(KeyUsedForOther):
            take(**({"amount_fen": 6000, "key": "the-same-key"} | other))

    def test_receipts_are_numbered_without_gaps(self, take, add_bill):
        numbers = [take(100).receipt_no[-7:] for _ in range(3)]

        assert numbers == ["0000001", "0000002", "0000003"]

    def test_it_is_on_record_who_took_what(self, take, add_bill, audit, scene, database):
        bill_id = add_bill(5000)

        receipt = take(5100, channel=PaymentChannel.CHEQUE, voucher_no="ZP-77", note="代父母缴")

        [facts] = audit("money_taken")
        assert facts["placed_fen"] == {str(bill_id): 5000}
        assert facts["prepaid_fen"] == 100
        [payment] = database.rows("SELECT * FROM payment")
        assert payment["taken_by_staff_id"] == scene.cashier.id
        assert (payment["payer_name"], payment["voucher_no"]) == ("王五", "ZP-77")
        assert payment["note"] == "代父母缴"
        assert receipt.snapshot["cashier"] == scene.cashier.name
        assert receipt.snapshot["channel"] == "支票"

    def test_owners_who_follow_are_told(self, take, database, scene):
        with database.session() as session:
            house = session.get_one(factories.House, scene.house_id)
            owner = factories.make_owner(session, house=house)
            account = factories.make_account(session, owner=owner, houses=[house])
            factories.make_identity(
                session, account=account, appid="wx1", openid="o1", is_following=True
            )

        take(10000)

        [message] = database.rows("SELECT * FROM outbox_message")
        assert (message["channel"], message["recipient"]) == ("official_template", "o1")
        assert message["payload"]["amount"] == "100.00"

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"amount_fen": 0}, "amount_fen"),
            ({"amount_fen": -100}, "amount_fen"),
            ({"amount_fen": 10**12}, "amount_fen"),
            ({"payer_name": " "}, "payer_name"),
            ({"payer_name": "王" * 41}, "payer_name"),
            ({"channel": PaymentChannel.WECHAT}, "channel"),
            ({"channel": PaymentChannel.PREPAID}, "channel"),
            ({"channel": PaymentChannel.BANK_TRANSFER}, "voucher_no"),
            ({"channel": PaymentChannel.CHEQUE, "voucher_no": " "}, "voucher_no"),
            ({"voucher_no": "1" * 65}, "voucher_no"),
            ({"note": "注" * 201}, "note"),
            ({"key": "short"}, "client_key"),
        ],
    )
    def test_what_cannot_be_booked_is_named(self, take, database, changes, field):
        with pytest.raises(InvalidInput) as refused:
            take(**({"amount_fen": 100} | changes))

        assert set(refused.value.fields) == {field}
        assert database.value("SELECT count(*) FROM payment") == 0

    def test_a_named_bill_of_another_house_is_not_found(self, take, add_bill, database):
        with database.session() as session:
            building = session.get_one(factories.Building, 1)
            other = factories.make_house(session, building=building).id
        foreign = add_bill(100, house_id=other)

        with pytest.raises(NotFound):
            take(100, named=[foreign])

    def test_a_named_bill_that_is_paid_says_so(self, take, add_bill):
        bill_id = add_bill(100)
        take(100)

        with pytest.raises(BillAlreadyPaid):
            take(100, named=[bill_id])

    @pytest.mark.parametrize("state", ["voided", "written_off", "cancelled"])
    def test_what_is_no_longer_owed_takes_nothing(
        self, take, add_bill, state, database, balance, put_bill
    ):
        bill_id = add_bill(100)
        put_bill(state)
        if state == "cancelled":
            database.do("UPDATE bill SET published_at = NULL")
            database.do("UPDATE bill_batch SET bill_count = 0, amount_fen = 0")

        take(100)

        assert balance() == {None: 100}
        with pytest.raises(NotFound):
            take(100, named=[bill_id])

    def test_a_house_of_another_community_is_not_found(self, take, database):
        with database.session() as session:
            other = factories.make_house(session).id

        with pytest.raises(NotFound):
            take(100, house_id=other)

    def test_a_community_that_was_switched_off_takes_nothing(self, take, database):
        database.do("UPDATE community SET is_active = false")

        with pytest.raises(NotFound):
            take(100)

    def test_nobody_without_a_name_takes_money(self, services, scene):
        nobody = Actor(ActorKind.SYSTEM, None, "机器", frozenset({Permission.TAKE_MONEY}))
        with pytest.raises(NotAllowed):
            services.counter.take(
                actor=nobody,
                community_id=scene.community_id,
                house_id=scene.house_id,
                money=MoneyIn(PaymentChannel.CASH, 100, "王五"),
                client_key="key-00000001",
            )

    def test_only_with_the_permission(self, services, scene):
        with pytest.raises(NotAllowed):
            services.counter.take(
                actor=factories.actor_without(Permission.TAKE_MONEY),
                community_id=scene.community_id,
                house_id=scene.house_id,
                money=MoneyIn(PaymentChannel.CASH, 100, "王五"),
                client_key="key-00000001",
            )


class TestReceipt:
    def test_staff_see_any_of_the_community(self, services, scene, take):
        receipt = take(100)

        shown = services.receipts.show_any(
            actor=scene.cashier, community_id=scene.community_id, receipt_no=receipt.receipt_no
        )

        assert shown == receipt
        with pytest.raises(NotFound):
            services.receipts.show_any(
                actor=scene.cashier, community_id=10**6, receipt_no=receipt.receipt_no
            )
        with pytest.raises(NotAllowed):
            services.receipts.show_any(
                actor=factories.actor_without(Permission.VIEW_HOUSE_MONEY),
                community_id=scene.community_id,
                receipt_no=receipt.receipt_no,
            )

    def test_no_owner_sees_what_was_paid_over_the_counter(self, services, scene, take, database):
        receipt = take(100)
        with database.session() as session:
            house = session.get_one(factories.House, scene.house_id)
            owner = factories.make_owner(session, house=house)
            account = factories.make_account(session, owner=owner, houses=[house])

        with pytest.raises(NotFound):
            services.receipts.show(actor=factories.owner(account), receipt_no=receipt.receipt_no)


class TestHeld:
    @pytest.fixture
    def hold(self, database, scene):
        """Let an open online payment hold a bill."""

        def hold(bill_id):
            with database.session() as session:
                account_id = factories.make_account(session).id
            database.do(
                "INSERT INTO payment_order (community_id, account_id, channel, mchid, appid,"
                " openid, out_trade_no, description, state, amount_fen, created_at, expires_at)"
                " SELECT community_id, :account_id, 'wechat', 'm', 'a', 'o', 'P1', '物业费',"
                " 'prepaying', amount_fen, now(), now() FROM bill WHERE id = :id",
                account_id=account_id,
                id=bill_id,
            )
            database.do(
                "INSERT INTO payment_order_bill (order_id, bill_id, amount_fen)"
                " SELECT 1, id, amount_fen FROM bill WHERE id = :id",
                id=bill_id,
            )
            database.do("INSERT INTO bill_lock (bill_id, order_id) VALUES (:id, 1)", id=bill_id)

        return hold

    def test_a_bill_in_payment_is_left_out_and_the_receipt_says_so(
        self, take, add_bill, hold, bill, balance, database
    ):
        held, free = add_bill(3000, days_late=40), add_bill(5000)
        hold(held)

        receipt = take(6000)

        assert bill(held) == ("published", 3000, 0)
        assert bill(free) == ("paid", 5000, 5000)
        assert balance() == {None: 1000}
        number = database.value("SELECT bill_no FROM bill WHERE id = :id", id=held)
        assert receipt.snapshot["remarks"] == [f"账单 {number} 正在线上支付，本次没有抵扣"]

    def test_a_named_bill_in_payment_must_wait(self, take, add_bill, hold, database):
        held = add_bill(3000)
        hold(held)

        with pytest.raises(BillInPayment):
            take(3000, named=[held])
        assert database.value("SELECT count(*) FROM payment") == 0

    def test_the_preview_names_it(self, services, scene, add_bill, hold):
        hold(add_bill(3000))

        preview = services.counter.preview(
            actor=scene.cashier,
            community_id=scene.community_id,
            house_id=scene.house_id,
            amount_fen=100,
        )

        assert len(preview.held_bill_nos) == 1
        assert preview.prepaid_fen == 100


class TestPreview:
    @pytest.fixture
    def preview(self, services, scene):
        return lambda amount_fen, named=(), actor=scene.cashier: services.counter.preview(
            actor=actor,
            community_id=scene.community_id,
            house_id=scene.house_id,
            amount_fen=amount_fen,
            named_bill_ids=named,
        )

    def test_shows_what_would_be_placed_and_by_which_rule(
        self, preview, add_bill, charge_late, database
    ):
        charge_late()
        older, younger = add_bill(126000, days_late=47), add_bill(5000)

        shown = preview(130000)

        assert [(one.bill_id, one.principal_fen, one.late_fee_fen) for one in shown.placed] == [
            (older, 126000, 2961),
            (younger, 1039, 0),
        ]
        assert shown.owed_fen == 133961
        assert shown.prepaid_fen == 0
        assert shown.rule == (
            "先到期的账单先抵扣；同一张账单先本金、后滞纳金；多出的金额转入该房屋的预存账户"
        )
        assert database.value("SELECT count(*) FROM payment") == 0

    def test_is_what_taking_does(self, preview, take, add_bill, charge_late):
        charge_late()
        for days_late in (3, 50, 17):
            add_bill(10000, days_late=days_late)
        shown = preview(25000)

        receipt = take(25000)

        placed = sum(one.principal_fen + one.late_fee_fen for one in shown.placed)
        lines = receipt.snapshot["lines"]
        assert placed == sum(line["amount_fen"] for line in lines if line["kind"] != "prepaid")

    def test_says_that_named_bills_go_in_their_order(self, preview, add_bill):
        assert preview(1, named=[add_bill(100)]).rule.startswith("只抵扣指定的账单")

    def test_a_bill_that_leaves_nothing_cannot_be_named(self, preview):
        with pytest.raises(NotFound):
            preview(100, named=[10**6])

    def test_an_amount_below_zero_is_refused(self, preview):
        with pytest.raises(InvalidInput):
            preview(-1)

    def test_only_with_the_permission(self, preview):
        with pytest.raises(NotAllowed):
            preview(1, actor=factories.actor_without(Permission.VIEW_HOUSE_MONEY))

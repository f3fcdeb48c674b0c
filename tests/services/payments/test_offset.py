import pytest

from domain.actors import Permission
from domain.errors import NotAllowed, NotFound
from services.payments import offset as offsetting
from tests import factories
from tests.services.payments.conftest import SYSTEM


@pytest.fixture
def other_item(database, scene):
    with database.session() as session:
        community = session.get_one(factories.Community, scene.community_id)
        return factories.make_item(session, community=community, name="水费").id


@pytest.fixture
def pay_ahead(take, services, scene, database):
    """Put money to an account of the house; for an item it is moved there."""
    keys = iter(range(100))

    def pay_ahead(amount_fen, item_id=None):
        take(amount_fen)
        if item_id is None:
            return
        services.prepaid.transfer(
            actor=scene.manager,
            from_account_id=database.value(
                "SELECT id FROM prepaid_account WHERE fee_item_id IS NULL"
            ),
            to_house_id=scene.house_id,
            to_fee_item_id=item_id,
            amount_fen=amount_fen,
            reason="专款专用",
            client_key=f"transfer-{next(keys)}",
        )

    return pay_ahead


@pytest.fixture
def offset(services, scene):
    return lambda actor=scene.manager: services.prepaid_offsets.offset(
        actor=actor, house_id=scene.house_id
    )


class TestOffset:
    def test_the_earliest_due_bill_goes_first(self, pay_ahead, add_bill, offset, bill, balance):
        pay_ahead(4000)
        younger, older = add_bill(3000, days_late=-20), add_bill(3000, days_late=5)

        done = offset()

        assert (done.bill_count, done.amount_fen) == (2, 4000)
        assert bill(older) == ("paid", 3000, 3000)
        assert bill(younger) == ("partially_paid", 3000, 1000)
        assert balance() == {None: 0}

    def test_never_more_than_is_open(self, pay_ahead, add_bill, offset, bill, balance):
        pay_ahead(4000)
        bill_id = add_bill(3000)

        offset()
        assert offset().amount_fen == 0

        assert bill(bill_id) == ("paid", 3000, 3000)
        assert balance() == {None: 1000}

    def test_an_account_for_an_item_pays_that_item_and_goes_first(
        self, pay_ahead, add_bill, offset, bill, balance, other_item, scene
    ):
        pay_ahead(5000, item_id=other_item)
        pay_ahead(2000)
        water = add_bill(3000, item_id=other_item, days_late=-9)
        fee = add_bill(6000, days_late=9)

        offset()

        assert bill(water) == ("paid", 3000, 3000)
        assert bill(fee) == ("partially_paid", 6000, 2000)
        assert balance() == {None: 0, other_item: 2000}

    def test_the_general_account_adds_what_the_items_own_lacks(
        self, pay_ahead, add_bill, offset, bill, other_item, database
    ):
        pay_ahead(1000, item_id=other_item)
        pay_ahead(5000)
        water = add_bill(3000, item_id=other_item)

        offset()

        assert bill(water) == ("paid", 3000, 3000)
        assert [
            row["amount_fen"]
            for row in database.rows(
                "SELECT amount_fen FROM payment WHERE channel = 'prepaid' ORDER BY id"
            )
        ] == [1000, 2000]

    def test_principal_then_late_fee(
        self, pay_ahead, add_bill, offset, bill, late_fee, charge_late, balance
    ):
        charge_late()
        pay_ahead(127000)
        bill_id = add_bill(126000, days_late=47)

        offset()

        assert bill(bill_id) == ("paid", 126000, 126000)
        assert late_fee(bill_id) == (1000, 0, 2961)

    def test_a_late_fee_that_is_left_is_paid_too(
        self, pay_ahead, add_bill, take, offset, late_fee, charge_late, services, balance
    ):
        charge_late()
        bill_id = add_bill(126000, days_late=47)
        take(126000)
        other = add_bill(5000, days_late=-30)
        take(8000, named=[other])

        assert services.prepaid_offsets.offset_due(actor=SYSTEM) == 1

        assert late_fee(bill_id) == (2961, 0, 2961)
        assert balance() == {None: 39}

    def test_gets_what_goes_off_for_paying_early(
        self, pay_ahead, add_bill, offset, bill, database, scene, balance
    ):
        with database.session() as session:
            item = session.get_one(factories.FeeItem, scene.item_id)
            factories.make_early_discount(session, item=item)
        pay_ahead(10000)
        bill_id = add_bill(10000)

        offset()

        assert bill(bill_id) == ("paid", 9500, 9500)
        assert balance() == {None: 500}

    def test_each_account_gives_one_payment_and_one_entry_without_receipt(
        self, pay_ahead, add_bill, offset, database, audit
    ):
        pay_ahead(9000)
        one, two = add_bill(3000, days_late=2), add_bill(3000, days_late=1)
        receipts = database.value("SELECT count(*) FROM receipt")

        offset()

        [payment] = database.rows("SELECT * FROM payment WHERE channel = 'prepaid'")
        [entry] = database.rows("SELECT * FROM prepaid_entry WHERE kind = 'offset'")
        assert payment["amount_fen"] == -entry["amount_fen"] == 6000
        assert entry["payment_id"] == payment["id"]
        assert entry["note"].startswith("抵扣账单 CH1")
        assert database.value("SELECT count(*) FROM receipt") == receipts
        assert audit("prepaid_offset")[0]["placed_fen"] == {str(one): 3000, str(two): 3000}

    def test_a_bill_in_payment_is_left_alone(self, pay_ahead, add_bill, offset, bill, database):
        pay_ahead(9000)
        bill_id = add_bill(3000)
        with database.session() as session:
            account_id = factories.make_account(session).id
        database.do(
            "INSERT INTO payment_order (community_id, account_id, channel, mchid, appid, openid,"
            " out_trade_no, description, state, amount_fen, topup_fen, topup_house_id, created_at,"
            " expires_at) SELECT community_id, :account_id, 'wechat', 'm', 'a', 'o', 'P1',"
            " '物业费', 'prepaying', 1, 1, house_id, now(), now() FROM bill",
            account_id=account_id,
        )
        database.do("INSERT INTO bill_lock (bill_id, order_id) SELECT id, 1 FROM bill")

        assert offset().amount_fen == 0

        assert bill(bill_id) == ("published", 3000, 0)

    def test_what_is_not_published_is_not_paid(self, pay_ahead, add_bill, offset, database):
        pay_ahead(9000)
        add_bill(3000, state="pending_review", published_at=None)

        assert offset().amount_fen == 0

    def test_a_house_that_is_not_there(self, services, scene):
        with pytest.raises(NotFound):
            services.prepaid_offsets.offset(actor=scene.manager, house_id=10**6)

    def test_only_with_the_permission(self, offset, services, app):
        nobody = factories.actor_without(Permission.MOVE_PREPAID)
        with pytest.raises(NotAllowed):
            offset(actor=nobody)
        with pytest.raises(NotAllowed):
            services.prepaid_offsets.offset_community(actor=nobody, community_id=1)
        with pytest.raises(NotAllowed):
            services.prepaid_offsets.offset_due(
                actor=factories.actor_without(Permission.RUN_PLATFORM_WORK)
            )


class TestOffsetDue:
    @pytest.fixture
    def due(self, services):
        return lambda: services.prepaid_offsets.offset_due(actor=SYSTEM)

    def test_finds_houses_with_money_and_bills(self, due, pay_ahead, add_bill, bill):
        pay_ahead(5000)
        bill_id = add_bill(3000)

        assert (due(), due()) == (1, 0)

        assert bill(bill_id) == ("paid", 3000, 3000)

    def test_leaves_communities_alone_that_do_not_want_it(
        self, due, pay_ahead, add_bill, database, services, scene
    ):
        database.do("UPDATE community SET offsets_prepaid = false")
        pay_ahead(5000)
        add_bill(3000)

        assert due() == 0
        done = services.prepaid_offsets.offset_community(
            actor=scene.manager, community_id=scene.community_id
        )
        assert (done.house_count, done.amount_fen) == (1, 3000)

    def test_leaves_communities_alone_that_were_switched_off(
        self, due, pay_ahead, add_bill, database
    ):
        pay_ahead(5000)
        add_bill(3000)
        database.do("UPDATE community SET is_active = false")

        assert due() == 0

    def test_one_house_that_fails_stops_no_other(
        self, due, pay_ahead, add_bill, take, database, scene, monkeypatch, bill, caplog
    ):
        with database.session() as session:
            building = session.get_one(factories.Building, 1)
            other = factories.make_house(session, building=building).id
        pay_ahead(5000)
        take(5000, house_id=other)
        add_bill(3000)
        good = add_bill(3000, house_id=other)
        real = offsetting.offset_house

        def offset_house(tx, actor, house_id):
            if house_id == scene.house_id:
                raise RuntimeError("broken")
            return real(tx, actor, house_id)

        monkeypatch.setattr(offsetting, "offset_house", offset_house)

        assert due() == 1

        assert bill(good) == ("paid", 3000, 3000)
        assert "a house's bills were not offset" in caplog.text

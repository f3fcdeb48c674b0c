import pytest

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.payment_states import PaymentChannel
from domain.prepaid import DepositMove
from services.deposits import DepositTooLow, MoreThanOwed, spend
from services.keys import KeyUsedForOther
from services.payments.money_in import MoneyIn
from services.payments.taking import BillAlreadyPaid
from tests import factories


@pytest.fixture
def take_deposit(services, scene):
    def take_deposit(amount_fen=200000, key="deposit-0001", **changes):
        values = {
            "actor": scene.cashier,
            "community_id": scene.community_id,
            "house_id": scene.house_id,
            "name": "装修押金",
            "money": MoneyIn(PaymentChannel.CASH, amount_fen, "王五"),
            "client_key": key,
        }
        return services.deposits.take(**(values | changes))

    return take_deposit


@pytest.fixture
def deposit_id(take_deposit, database):
    take_deposit()
    return database.value("SELECT id FROM deposit")


@pytest.fixture
def deduct(services, scene, deposit_id):
    def deduct(bill_id, amount_fen, key="deduct-0001", **changes):
        values = {
            "actor": scene.manager,
            "deposit_id": deposit_id,
            "bill_id": bill_id,
            "amount_fen": amount_fen,
            "reason": "拖欠物业费",
            "client_key": key,
        }
        return services.deposits.deduct(**(values | changes))

    return deduct


class TestTake:
    def test_is_held_and_receipted(self, take_deposit, services, scene, audit):
        receipt = take_deposit()

        [deposit] = services.deposits.list_of_house(actor=scene.cashier, house_id=scene.house_id)
        assert (deposit.name, deposit.left_fen, deposit.payer_name) == ("装修押金", 200000, "王五")
        assert [line["kind"] for line in receipt.snapshot["lines"]] == ["deposit"]
        assert receipt.amount_fen == 200000
        assert audit("deposit_taken")[0]["receipt_no"] == receipt.receipt_no

    def test_the_same_key_is_the_same_deposit(self, take_deposit, database):
        assert take_deposit() == take_deposit()

        assert database.value("SELECT count(*) FROM deposit") == 1

    def test_the_same_key_for_something_else_is_refused(self, take_deposit):
        take_deposit()

        with pytest.raises(KeyUsedForOther):
            take_deposit(name="门禁卡押金")

    @pytest.mark.parametrize(
        ("changes", "field"),
        [({"name": " "}, "name"), ({"name": "押" * 21}, "name"), ({"amount_fen": 0}, "amount_fen")],
    )
    def test_what_cannot_be_booked_is_named(self, take_deposit, changes, field):
        with pytest.raises(InvalidInput) as refused:
            take_deposit(**changes)

        assert set(refused.value.fields) == {field}

    def test_a_house_of_another_community_is_not_found(self, take_deposit, database):
        with database.session() as session:
            other = factories.make_house(session).id

        with pytest.raises(NotFound):
            take_deposit(house_id=other)

    def test_only_with_the_permission(self, take_deposit):
        with pytest.raises(NotAllowed):
            take_deposit(actor=factories.actor_without(Permission.TAKE_MONEY))


class TestDeduct:
    def test_pays_a_named_bill(self, deduct, add_bill, bill, database, audit):
        bill_id = add_bill(5000)

        deposit = deduct(bill_id, 5000)

        assert (deposit.deducted_fen, deposit.left_fen) == (5000, 195000)
        assert bill(bill_id) == ("paid", 5000, 5000)
        assert [one.kind_shown for one in deposit.entries] == ["收取押金", "押金抵扣"]
        assert database.value("SELECT amount_fen FROM payment WHERE channel = 'deposit'") == 5000
        assert audit("deposit_deducted")[0]["left_fen"] == 195000

    def test_a_part_of_it(self, deduct, add_bill, bill):
        bill_id = add_bill(5000)

        deduct(bill_id, 1000)

        assert bill(bill_id) == ("partially_paid", 5000, 1000)

    def test_with_its_late_fee(self, deduct, add_bill, bill, late_fee, charge_late):
        charge_late()
        bill_id = add_bill(126000, days_late=47)

        deduct(bill_id, 128961)

        assert bill(bill_id) == ("paid", 126000, 126000)
        assert late_fee(bill_id) == (2961, 0, 2961)

    def test_the_same_key_deducts_once(self, deduct, add_bill, bill):
        bill_id = add_bill(5000)

        assert deduct(bill_id, 1000) == deduct(bill_id, 1000)

        assert bill(bill_id) == ("partially_paid", 5000, 1000)

    def test_not_more_than_is_owed(self, deduct, add_bill, bill, database):
        bill_id = add_bill(5000)

        with pytest.raises(MoreThanOwed):
            deduct(bill_id, 5001)
        assert bill(bill_id) == ("published", 5000, 0)
        assert database.value("SELECT deducted_fen FROM deposit") == 0

    def test_not_more_than_is_left(self, deduct, add_bill, bill):
        bill_id = add_bill(300000)

        with pytest.raises(DepositTooLow):
            deduct(bill_id, 200001)
        assert bill(bill_id) == ("published", 300000, 0)

    def test_only_for_an_open_bill_of_the_same_house(self, deduct, add_bill, take, database):
        paid = add_bill(100)
        take(100)
        with database.session() as session:
            building = session.get_one(factories.Building, 1)
            other = factories.make_house(session, building=building).id
        foreign = add_bill(100, house_id=other)

        with pytest.raises(BillAlreadyPaid):
            deduct(paid, 100)
        with pytest.raises(NotFound):
            deduct(foreign, 100)
        with pytest.raises(NotFound):
            deduct(foreign, 100, deposit_id=10**6)

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"amount_fen": 0}, "amount_fen"),
            ({"reason": " "}, "reason"),
            ({"key": "x"}, "client_key"),
        ],
    )
    def test_what_makes_no_sense_is_named(self, deduct, add_bill, changes, field):
        values = {"bill_id": add_bill(100), "amount_fen": 100} | changes
        with pytest.raises(InvalidInput) as refused:
            deduct(values.pop("bill_id"), values.pop("amount_fen"), **values)

        assert set(refused.value.fields) == {field}

    def test_only_with_the_permission(self, deduct):
        with pytest.raises(NotAllowed):
            deduct(1, 1, actor=factories.actor_without(Permission.MOVE_PREPAID))


class TestSpend:
    @pytest.mark.parametrize(("kind", "amount_fen"), [("take", 5), ("deduct", 0), ("return", -5)])
    def test_only_spends(self, unit_of_work, deposit_id, kind, amount_fen):
        with pytest.raises(ValueError, match="spends"):
            unit_of_work.run(
                lambda tx: spend(
                    tx, deposit_id=deposit_id, kind=DepositMove(kind), amount_fen=amount_fen
                )
            )

    def test_never_more_than_was_taken(self, unit_of_work, deposit_id):
        with pytest.raises(DepositTooLow):
            unit_of_work.run(
                lambda tx: spend(
                    tx, deposit_id=deposit_id, kind=DepositMove.RETURN, amount_fen=200001
                )
            )


class TestShow:
    def test_one_and_those_of_which_something_is_left(
        self, services, scene, deposit_id, deduct, add_bill
    ):
        deduct(add_bill(200000), 200000)

        shown = services.deposits.show(actor=scene.cashier, deposit_id=deposit_id)

        assert shown.left_fen == 0
        assert (
            services.deposits.list_held(actor=scene.cashier, community_id=scene.community_id) == []
        )

    def test_none_that_is_not_there(self, services, scene):
        with pytest.raises(NotFound):
            services.deposits.show(actor=scene.cashier, deposit_id=10**6)

    def test_only_with_the_permission(self, services, app):
        nobody = factories.actor_without(Permission.VIEW_HOUSE_MONEY)
        for ask in (
            lambda: services.deposits.show(actor=nobody, deposit_id=1),
            lambda: services.deposits.list_of_house(actor=nobody, house_id=1),
            lambda: services.deposits.list_held(actor=nobody, community_id=1),
        ):
            with pytest.raises(NotAllowed):
                ask()

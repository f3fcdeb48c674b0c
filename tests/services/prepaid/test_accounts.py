import pytest

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.prepaid import PrepaidMove
from services.keys import KeyUsedForOther
from services.prepaid.ledger import BalanceTooLow, account_of, move
from tests import factories


@pytest.fixture
def account_id(take, database):
    """The general account of the house, with 100.00."""
    take(10000)
    return database.value("SELECT id FROM prepaid_account")


@pytest.fixture
def neighbour(database, scene):
    with database.session() as session:
        building = session.get_one(factories.Building, 1)
        return factories.make_house(session, building=building).id


@pytest.fixture
def transfer(services, scene, account_id, neighbour):
    def transfer(amount_fen=4000, key="transfer-0001", **changes):
        values = {
            "actor": scene.manager,
            "from_account_id": account_id,
            "to_house_id": neighbour,
            "amount_fen": amount_fen,
            "reason": "过户",
            "client_key": key,
        }
        return services.prepaid.transfer(**(values | changes))

    return transfer


class TestMove:
    @pytest.mark.breaks_promises  # no note stands behind the correction
    def test_adds_and_takes_and_tells_the_balance(self, unit_of_work, account_id):
        def work(tx):
            return move(
                tx,
                account_id=account_id,
                kind=PrepaidMove.CORRECTION,
                amount_fen=-2500,
                note="更正",
            )

        assert unit_of_work.run(work) == 7500

    def test_never_goes_below_zero(self, unit_of_work, account_id, balance):
        def work(tx):
            move(tx, account_id=account_id, kind=PrepaidMove.CORRECTION, amount_fen=-10001)

        with pytest.raises(BalanceTooLow):
            unit_of_work.run(work)
        assert balance() == {None: 10000}

    def test_an_account_is_opened_once(self, unit_of_work, scene):
        def work(tx):
            return account_of(tx, community_id=scene.community_id, house_id=scene.house_id)

        assert unit_of_work.run(work) == unit_of_work.run(work)


class TestTransfer:
    def test_both_entries_name_each_other(
        self, transfer, account_id, database, balance, neighbour, scene, audit
    ):
        other_id = transfer()

        assert balance() == {None: 6000}
        assert balance(neighbour) == {None: 4000}
        assert database.rows(
            "SELECT account_id, other_account_id, amount_fen, note, staff_id FROM prepaid_entry"
            " WHERE kind = 'transfer' ORDER BY id"
        ) == [
            {
                "account_id": one,
                "other_account_id": other,
                "amount_fen": amount_fen,
                "note": "过户",
                "staff_id": scene.manager.id,
            }
            for one, other, amount_fen in (
                (account_id, other_id, -4000),
                (other_id, account_id, 4000),
            )
        ]
        assert audit("prepaid_transferred")[0]["amount_fen"] == 4000

    def test_the_same_key_moves_it_once(self, transfer, balance):
        assert transfer() == transfer()

        assert balance() == {None: 6000}

    def test_the_same_key_for_something_else_is_refused(self, transfer):
        transfer()

        with pytest.raises(KeyUsedForOther):
            transfer(amount_fen=4001)

    def test_not_more_than_there_is(self, transfer, balance, neighbour):
        with pytest.raises(BalanceTooLow):
            transfer(amount_fen=10001)

        assert balance() == {None: 10000}
        assert balance(neighbour) == {}

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"amount_fen": 0}, "amount_fen"),
            ({"amount_fen": -1}, "amount_fen"),
            ({"reason": " "}, "reason"),
            ({"key": "x"}, "client_key"),
        ],
    )
    def test_what_makes_no_sense_is_named(self, transfer, changes, field):
        with pytest.raises(InvalidInput) as refused:
            transfer(**changes)

        assert set(refused.value.fields) == {field}

    def test_not_to_itself(self, transfer, scene):
        with pytest.raises(InvalidInput):
            transfer(to_house_id=scene.house_id)

    def test_not_out_of_the_community(self, transfer, database):
        with database.session() as session:
            house = factories.make_house(session).id
            item = factories.make_item(session).id

        with pytest.raises(NotFound):
            transfer(to_house_id=house)
        with pytest.raises(NotFound):
            transfer(to_fee_item_id=item)
        with pytest.raises(NotFound):
            transfer(from_account_id=10**6)

    def test_only_with_the_permission(self, transfer):
        with pytest.raises(NotAllowed):
            transfer(actor=factories.actor_without(Permission.MOVE_PREPAID))


class TestShow:
    def test_staff_see_every_move(self, services, scene, transfer):
        transfer(key="transfer-0001")

        [account] = services.prepaid.show(actor=scene.cashier, house_id=scene.house_id)

        assert account.balance_fen == 6000
        assert [(one.kind_shown, one.amount_fen, one.balance_fen) for one in account.entries] == [
            ("转移", -4000, 6000),
            ("预存", 10000, 10000),
        ]

    def test_owners_see_their_own_houses_and_the_last_moves(self, services, scene, database, take):
        for _ in range(12):
            take(100)
        with database.session() as session:
            house = session.get_one(factories.House, scene.house_id)
            owner = factories.make_owner(session, house=house)
            mine = factories.make_account(session, owner=owner, houses=[house])
            other = factories.make_account(session)

        [account] = services.prepaid.list_own(actor=factories.owner(mine))

        assert (account.house, account.balance_fen) == ("1栋1单元101", 1200)
        assert len(account.entries) == 10
        assert services.prepaid.list_own(actor=factories.owner(other)) == []

    def test_a_tenant_sees_none(self, services, scene, database, take):
        take(100)
        with database.session() as session:
            house = session.get_one(factories.House, scene.house_id)
            owner = factories.make_owner(session, house=house)
            tenant = factories.make_account(
                session, owner=owner, houses=[house], binding_role="tenant"
            )

        assert services.prepaid.list_own(actor=factories.owner(tenant)) == []

    def test_a_house_that_is_not_there(self, services, scene):
        with pytest.raises(NotFound):
            services.prepaid.show(actor=scene.cashier, house_id=10**6)

    def test_only_with_the_permission(self, services, app):
        with pytest.raises(NotAllowed):
            services.prepaid.show(
                actor=factories.actor_without(Permission.VIEW_HOUSE_MONEY), house_id=1
            )
        with pytest.raises(NotAllowed):
            services.prepaid.list_own(actor=factories.actor_without(Permission.VIEW_OWN_BILLS))

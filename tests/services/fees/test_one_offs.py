"""Charges that happen once: typed with their document, withdrawn while they have no bill."""

from datetime import date

import pytest

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.money import MAX_FEN
from services.fees.one_offs import ChargeBilled
from tests.factories import actor_without

NINTH = date(2026, 10, 9)


@pytest.fixture
def house_id(make_houses):
    (house_id,) = make_houses("50")
    return house_id


@pytest.fixture
def item_id(add_item):
    return add_item("one_off")


@pytest.fixture
def add(services, desk, house_id, item_id):
    def add(amount_fen=5000, source_document="维修单 BX1", **changes):
        values = {
            "actor": desk.maker,
            "community_id": desk.community_id,
            "house_id": house_id,
            "fee_item_id": item_id,
            "charged_on": NINTH,
        } | changes
        return services.one_offs.add(
            amount_fen=amount_fen, source_document=source_document, **values
        )

    return add


@pytest.fixture
def cancel(services, desk):
    def cancel(charge_id, reason="重复录入", actor=desk.maker):
        services.one_offs.cancel(actor=actor, charge_id=charge_id, reason=reason)

    return cancel


@pytest.fixture
def charges(services, desk):
    return lambda: services.one_offs.list_charges(actor=desk.maker, community_id=desk.community_id)


class TestAdd:
    def test_it_is_put_on_file(self, add, charges, audit):
        charge_id = add(source_document=" 维修单 BX1 ")

        [charge] = charges()
        assert (charge.id, charge.item, charge.amount_fen) == (charge_id, "项目", 5000)
        assert (charge.charged_on, charge.state) == (NINTH, "open")
        assert charge.source_document == "维修单 BX1"
        assert charge.house.endswith("1单元101")
        assert audit("one_off_added") == [{"amount_fen": 5000, "source_document": "维修单 BX1"}]

    def test_two_of_one_day_are_told_apart(self, add, database):
        add()
        add()
        add(charged_on=date(2026, 10, 10))

        rows = database.rows("SELECT charged_on, sequence FROM one_off_charge ORDER BY id")
        assert [tuple(row.values()) for row in rows] == [
            (NINTH, 1),
            (NINTH, 2),
            (date(2026, 10, 10), 1),
        ]

    def test_many_at_once_are_told_apart(self, add, database, together):
        results = together(*(add for _ in range(6)))

        assert sorted(results) == sorted(set(results))
        assert database.value("SELECT count(DISTINCT sequence) FROM one_off_charge") == 6

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"amount_fen": 0}, "amount_fen"),
            ({"amount_fen": -1}, "amount_fen"),
            ({"amount_fen": MAX_FEN + 1}, "amount_fen"),
            ({"source_document": " "}, "source_document"),
            ({"source_document": "长" * 101}, "source_document"),
        ],
    )
    def test_what_cannot_be_used_is_named(self, add, charges, changes, field):
        with pytest.raises(InvalidInput) as refusal:
            add(**changes)

        assert list(refusal.value.fields) == [field]
        assert charges() == []

    def test_everything_wrong_is_named_at_once(self, add):
        with pytest.raises(InvalidInput) as refusal:
            add(amount_fen=0, source_document="")

        assert set(refusal.value.fields) == {"amount_fen", "source_document"}

    def test_an_item_of_another_method_is_no_one_off_item(self, add, add_item):
        with pytest.raises(NotFound, match="临时收费"):
            add(fee_item_id=add_item("area", "1", code="WY"))

    def test_what_is_of_elsewhere(self, services, add, elsewhere, new_item, charges):
        strange = services.fees.add_item(
            actor=elsewhere.maker, community_id=elsewhere.community_id, item=new_item("one_off")
        )

        for changes in (
            {"house_id": 404},
            {"fee_item_id": 404},
            {"fee_item_id": strange},
            {"community_id": elsewhere.community_id},
            {"community_id": elsewhere.community_id, "fee_item_id": strange},
        ):
            with pytest.raises(NotFound):
                add(**changes)
        assert charges() == []

    def test_only_with_the_permission(self, add, charges):
        with pytest.raises(NotAllowed):
            add(actor=actor_without(Permission.MANAGE_FEES))

        assert charges() == []


class TestCancel:
    def test_it_is_not_billed(self, add, cancel, charges, generated, item_id, bills, audit):
        add(amount_fen=700)
        cancel(add(), reason=" 重复录入 ")

        generated(fee_item_ids=[item_id])

        assert [bill["amount_fen"] for bill in bills()] == [700]
        assert {charge.state for charge in charges()} == {"open", "cancelled"}
        assert audit("one_off_cancelled") == [{"amount_fen": 5000, "reason": "重复录入"}]

    def test_its_place_is_not_given_again(self, add, cancel, database):
        cancel(add())

        add()

        assert database.value("SELECT max(sequence) FROM one_off_charge") == 2

    def test_once(self, add, cancel):
        charge_id = add()
        cancel(charge_id)

        with pytest.raises(NotFound):
            cancel(charge_id)

    def test_no_such_charge(self, cancel):
        with pytest.raises(NotFound):
            cancel(404)

    def test_not_without_a_reason(self, add, cancel, charges):
        with pytest.raises(InvalidInput) as refusal:
            cancel(add(), reason=" ")

        assert list(refusal.value.fields) == ["reason"]
        assert charges()[0].state == "open"

    def test_not_once_it_has_a_bill(self, add, cancel, charges, generated, item_id):
        charge_id = add()
        generated(fee_item_ids=[item_id])

        with pytest.raises(ChargeBilled):
            cancel(charge_id)

        assert charges()[0].state == "open"

    def test_the_bill_of_another_charge_of_the_day_does_not_count(
        self, services, desk, add, cancel, charges, generated, item_id
    ):
        add()
        generated(fee_item_ids=[item_id])
        late = add(amount_fen=700)

        cancel(late)

        assert {charge.id: charge.state for charge in charges()}[late] == "cancelled"

    def test_again_once_its_bill_is_gone(self, services, desk, add, cancel, generated, item_id):
        charge_id = add()
        batch_id = generated(fee_item_ids=[item_id])
        services.batches.cancel(actor=desk.maker, batch_id=batch_id, reason="录错")

        cancel(charge_id)

    def test_only_with_the_permission(self, add, cancel):
        with pytest.raises(NotAllowed):
            cancel(add(), actor=actor_without(Permission.MANAGE_FEES))


class TestListCharges:
    def test_newest_day_first_and_only_of_the_community(self, services, add, charges, elsewhere):
        add(charged_on=date(2026, 10, 1))
        add(charged_on=date(2026, 10, 31))
        add()

        assert [charge.charged_on.day for charge in charges()] == [31, 9, 1]
        assert (
            services.one_offs.list_charges(
                actor=elsewhere.maker, community_id=elsewhere.community_id
            )
            == []
        )

    def test_only_with_the_permission(self, services, desk):
        with pytest.raises(NotAllowed):
            services.one_offs.list_charges(
                actor=actor_without(Permission.VIEW_ESTATE), community_id=desk.community_id
            )

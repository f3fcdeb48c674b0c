"""Correcting meters and closing those that nothing replaces."""

from datetime import date
from decimal import Decimal

import pytest

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from services.base_data.changes import ChangedMeanwhile
from services.meters.register import MeterNoTaken
from services.meters.timelines import MeterClosed
from tests import factories
from tests.factories import actor_without

CLOSED_ON = date(2026, 10, 31)


@pytest.fixture
def manager(database):
    with database.session() as session:
        return factories.staff(session)


@pytest.fixture
def meter(database):
    with database.session() as session:
        return factories.make_meter(session, house=factories.make_house(session), meter_no="W1")


@pytest.fixture
def edit(services, manager, meter):
    def edit(changes, seen, reason="抄错表号", **more):
        values = {"actor": manager, "meter_id": meter.id} | more
        services.meter_keeping.edit(changes=changes, seen=seen, reason=reason, **values)

    return edit


@pytest.fixture
def retire(services, manager, meter):
    def retire(closing_reading="130", closed_on=CLOSED_ON, reason="拆除", **more):
        values = {"actor": manager, "meter_id": meter.id} | more
        services.meter_keeping.retire(
            closing_reading=Decimal(closing_reading),
            closed_on=closed_on,
            reason=reason,
            **values,
        )

    return retire


class TestEdit:
    def test_its_number_and_where_it_ends(self, edit, database, audit):
        edit({"meter_no": " W2 ", "modulus": "100000"}, {"meter_no": "W1", "modulus": None})

        [row] = database.rows("SELECT meter_no, modulus FROM meter")
        assert (row["meter_no"], row["modulus"]) == ("W2", 100000)
        assert audit("meter_changed") == [
            {
                "before": {"meter_no": "W1", "modulus": None},
                "after": {"meter_no": "W2", "modulus": "100000"},
                "reason": "抄错表号",
            }
        ]

    def test_only_to_a_free_number(self, edit, database, meter):
        with database.session() as session:
            house = session.get_one(factories.House, meter.house_id)
            factories.make_meter(session, house=house, meter_no="W2")

        with pytest.raises(MeterNoTaken):
            edit({"meter_no": "W2"}, {"meter_no": "W1"})

    def test_not_over_what_somebody_changed_meanwhile(self, edit):
        edit({"meter_no": "W2"}, {"meter_no": "W1"})

        with pytest.raises(ChangedMeanwhile):
            edit({"meter_no": "W3"}, {"meter_no": "W1"})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("meter_no", ""),
            ("meter_no", 5),
            ("modulus", "0"),
            ("multiplier", "2"),
            ("opening_reading", "0"),
        ],
    )
    def test_what_cannot_be_is_named(self, edit, name, value):
        with pytest.raises(InvalidInput) as refusal:
            edit({name: value}, {name: None})

        assert list(refusal.value.fields) == [name]

    def test_not_without_a_reason_or_permission(self, edit):
        with pytest.raises(InvalidInput):
            edit({"meter_no": "W2"}, {"meter_no": "W1"}, reason="")
        with pytest.raises(NotAllowed):
            edit(
                {"meter_no": "W2"},
                {"meter_no": "W1"},
                actor=actor_without(Permission.MANAGE_METERS),
            )
        with pytest.raises(NotFound):
            edit({"meter_no": "W2"}, {"meter_no": "W1"}, meter_id=404)


class TestRetire:
    def test_with_its_last_reading(self, retire, edit, database, audit):
        retire()

        [row] = database.rows("SELECT closed_on, closing_reading FROM meter")
        assert (row["closed_on"], row["closing_reading"]) == (CLOSED_ON, 130)
        assert audit("meter_retired")[0]["after"] == {
            "closed_on": "2026-10-31",
            "closing_reading": "130",
        }
        with pytest.raises(MeterClosed):
            retire()
        with pytest.raises(MeterClosed):
            edit({"meter_no": "W2"}, {"meter_no": "W1"})

    def test_not_with_a_reading_that_cannot_be(self, retire, database):
        with pytest.raises(InvalidInput):
            retire("-1")
        with pytest.raises(InvalidInput):
            retire(closed_on=date(2030, 1, 1))

        assert database.value("SELECT closed_on FROM meter") is None

    def test_not_without_a_reason_or_permission(self, retire):
        with pytest.raises(InvalidInput):
            retire(reason="")
        with pytest.raises(NotAllowed):
            retire(actor=actor_without(Permission.MANAGE_METERS))
        with pytest.raises(NotFound):
            retire(meter_id=404)

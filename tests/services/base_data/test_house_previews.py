"""What a change will do, told before it is saved: held against what then is really billed."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from domain.actors import Permission
from domain.charges import ChargeMethod
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.periods import Span
from domain.shares import ShareBy
from services.base_data.changes import IsRetired
from services.base_data.house_rows import HouseNameTaken
from services.fees.pools import NewPool
from services.houses import ChangeNotLater
from tests import factories
from tests.factories import actor_without
from tests.services.base_data.conftest import RETIRED_ON

AREA = {"building_area": "92.10"}
DECEMBER = Span(date(2026, 12, 1), date(2027, 1, 1))


@pytest.fixture
def preview(services, manager, house):
    def preview(changes=None, **more):
        values = {"actor": manager, "house_id": house.id} | more
        return services.house_previews.preview(changes=changes or {}, **values)

    return preview


@pytest.fixture
def picture(database):
    """Every row of every table."""

    def picture():
        names = database.rows(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        )
        return {
            one["tablename"]: database.rows(f"SELECT t::text FROM {one['tablename']} t ORDER BY 1")
            for one in names
        }

    return picture


class TestFees:
    def test_the_next_full_period_before_and_after(self, preview, item):
        found = preview(AREA)

        assert found.house == "3栋1单元502"
        assert found.before == {"building_area": "89.37", "billing_area": "89.37"}
        assert found.after == {"building_area": "92.1", "billing_area": "92.1"}
        [fee] = found.fees
        assert (fee.fee_item_id, fee.name) == (item.id, "物业费")
        assert (fee.period_before, fee.before_fen) == (DECEMBER, 21002)
        assert (fee.period_after, fee.after_fen) == (DECEMBER, 21644)

    def test_it_is_what_the_run_then_bills(self, preview, item, edit, run_month, clock):
        [fee] = preview(AREA).fees
        edit(AREA, {"building_area": "89.37"})
        clock.set(datetime(2027, 1, 4, 2, 0, tzinfo=UTC))

        assert run_month(DECEMBER.starts_on)[1] == [(DECEMBER.starts_on, fee.after_fen)]

    def test_what_does_not_count_the_area_is_not_named(self, preview, database, house):
        with database.session() as session:
            community = session.get_one(factories.Community, house.community_id)
            factories.make_item(session, community=community, charge_method="fixed")

        assert preview(AREA).fees == ()

    def test_words_change_no_fee(self, preview, item):
        found = preview({"layout": "三室"})

        assert (found.after, found.fees, found.drafts) == ({"layout": "三室"}, (), ())

    def test_a_change_from_a_day_on_is_told_of_the_period_after_it(self, preview, item):
        [fee] = preview({"billing_area": "95"}, holds_from=date(2027, 3, 10)).fees

        assert fee.period_after == Span(date(2027, 4, 1), date(2027, 5, 1))
        assert (fee.before_fen, fee.after_fen) == (21002, 22325)

    def test_a_house_that_can_no_longer_be_charged_says_why(self, preview, item):
        [fee] = preview({"handover_date": None}).fees

        assert (fee.before_fen, fee.after_fen) == (21002, None)
        assert "交付日期" in fee.why_not

    def test_a_retirement_ends_all_of_them(self, preview, item):
        found = preview(retired_on=RETIRED_ON)

        [fee] = found.fees
        assert (fee.before_fen, fee.after_fen, fee.period_after) == (21002, None, None)
        assert found.after == {"retired_on": "2026-11-16"}


class TestDrafts:
    def test_a_batch_under_review_that_would_come_out_otherwise(self, preview, item, run_month):
        batch_id, [(_, fen)] = run_month()

        [draft] = preview(AREA).drafts

        assert (draft.batch_id, draft.bill_count) == (batch_id, 1)
        assert (draft.before_fen, draft.after_fen) == (fen, 21644)
        assert draft.month == Span(date(2026, 10, 1), date(2026, 11, 1))

    def test_a_bill_that_would_fall_away(self, preview, item, run_month):
        run_month()

        [draft] = preview(retired_on=date(2026, 10, 1)).drafts

        assert (draft.bill_count, draft.before_fen, draft.after_fen) == (1, 21002, 0)

    def test_shares_of_a_pool_are_split_anew(
        self, services, preview, database, manager, house, run_month
    ):
        with database.session() as session:
            community = session.get_one(factories.Community, house.community_id)
            building = session.get_one(factories.Building, house.building_id)
            factories.make_house(session, building=building)
            shared = factories.make_item(
                session,
                community=community,
                charge_method=ChargeMethod.SHARE,
                price=None,
                billing_timing="in_arrears",
            )
        services.share_pools.add(
            actor=manager,
            community_id=house.community_id,
            fee_item_id=shared.id,
            month=date(2026, 10, 1),
            pool=NewPool(ShareBy.AREA, amount_fen=1000),
        )
        run_month()

        [draft] = preview({"billing_area": str(Decimal("89.37") * 3)}).drafts

        assert (draft.before_fen, draft.after_fen) == (500, 750)

    def test_a_published_batch_is_none(self, preview, item, house, database):
        with database.session() as session:
            factories.make_bill(session, house=session.merge(house), item=session.merge(item))

        assert preview(AREA).drafts == ()


class TestBesides:
    def test_unpaid_bills_stay_as_they_are(self, preview, item, house, database):
        with database.session() as session:
            factories.make_bill(session, house=session.merge(house), item=session.merge(item))

        found = preview(AREA)

        assert (found.unpaid_count, found.unpaid_fen) == (1, 21002)
        assert found.blocks == ()

    def test_of_a_retirement_also_what_blocks_it_and_who_is_there(self, preview, house, database):
        with database.session() as session:
            owner = factories.make_owner(session, house=session.merge(house))
            factories.make_account(session, owner=owner, houses=[house])
            factories.make_bill(session, house=session.merge(house))

        found = preview(retired_on=RETIRED_ON)

        assert (found.people_count, found.binding_count) == (1, 1)
        assert found.blocks == ("未缴账单 1 张共 ¥210.02",)

    def test_nothing_is_changed_by_it(self, preview, item, run_month, picture):
        run_month()
        before = picture()

        preview(AREA | {"room_no": "503", "layout": "三室", "handover_date": "2026-01-01"})
        preview({"billing_area": "95"}, holds_from=date(2026, 11, 11))
        preview(retired_on=RETIRED_ON)

        assert picture() == before

    def test_it_is_refused_where_the_change_would_be(self, preview, database, house):
        with database.session() as session:
            building = session.get_one(factories.Building, house.building_id)
            factories.make_house(session, building=building, unit_no="1", room_no="503")
        database.do(
            "INSERT INTO house_measure SELECT :id, '2026-12-01', 80, 1 FROM house WHERE id = :id",
            id=house.id,
        )

        with pytest.raises(HouseNameTaken):
            preview({"room_no": "503"})
        with pytest.raises(ChangeNotLater):
            preview({"billing_area": "95"}, holds_from=date(2026, 11, 11))
        with pytest.raises(InvalidInput):
            preview({"building_area": "NaN"})
        with pytest.raises(InvalidInput):
            preview(retired_on=date(1800, 1, 1))

    def test_one_thing_at_a_time(self, preview):
        for values in ({}, {"changes": AREA, "retired_on": RETIRED_ON}):
            with pytest.raises(InvalidInput):
                preview(**values)

    def test_a_retired_house_has_none(self, preview, retire):
        retire()

        with pytest.raises(IsRetired):
            preview(AREA)

    def test_no_such_house(self, preview):
        with pytest.raises(NotFound):
            preview(AREA, house_id=404)

    def test_only_with_the_permission(self, preview):
        with pytest.raises(NotAllowed):
            preview(AREA, actor=actor_without(Permission.MANAGE_ESTATE))

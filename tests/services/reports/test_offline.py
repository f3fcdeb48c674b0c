"""The counter's statistics: every move once, reversals and refunds apart, net of both."""

from datetime import timedelta

import pytest

from domain.errors import InvalidInput
from domain.payment_states import PaymentChannel
from domain.periods import Span
from services.approvals.requests import Payout
from services.payments.money_in import MoneyIn
from services.reports.tables import OfflineBy
from tests import factories
from tests.histories import History
from tests.services.reports.asking import offline

FIGURES = (
    "payment_count",
    "receipt_count",
    "received_fen",
    "reversed_count",
    "reversed_fen",
    "refund_count",
    "refunded_fen",
    "net_fen",
)


def figures(row):
    return tuple(getattr(row, name) for name in FIGURES)


@pytest.fixture
def finance(database, scene):
    with database.session() as session:
        return factories.staff(session, role="finance")


@pytest.fixture
def other_house(database, scene):
    """A house of another building of the community."""
    with database.session() as session:
        community = session.get_one(factories.Community, scene.community_id)
        building = factories.make_building(session, community=community, name="9栋")
        return factories.make_house(session, building=building).id


@pytest.fixture
def story(services, scene, take, finance, other_house, clock, today):
    """Two days of two cashiers at two buildings, with a reversal and a refund."""
    first = today()
    wrong = take(700, channel=PaymentChannel.CARD)
    take(5000)
    services.reversals.reverse(
        actor=scene.manager,
        community_id=scene.community_id,
        receipt_no=wrong.receipt_no,
        reason="录错",
    )
    kept = services.counter.take(
        actor=finance,
        community_id=scene.community_id,
        house_id=other_house,
        money=MoneyIn(PaymentChannel.CASH, 9000, "赵六"),
        client_key="finance-0001",
    )
    clock.advance(days=1)
    services.counter.take(
        actor=finance,
        community_id=scene.community_id,
        house_id=other_house,
        money=MoneyIn(PaymentChannel.CASH, 300, "赵六", note="手工收据", received_on=first),
        client_key="finance-0002",
    )
    asked = services.payment_refund_requests.ask(
        actor=finance,
        community_id=scene.community_id,
        payment_id=kept.taken_id,
        amount_fen=1200,
        reason="多收",
        payout=Payout("cash", "赵六", "19900000001"),
    )
    services.money_decisions.approve(actor=scene.manager, request_id=asked.request_id)
    return first


def test_each_day_has_what_moved_on_it(reports, scene, story):
    report = offline(reports, scene, OfflineBy.DAY)

    assert {row.label: figures(row) for row in report.rows} == {
        str(story): (4, 4, 15000, 1, 700, 0, 0, 14300),
        str(story + timedelta(days=1)): (0, 0, 0, 0, 0, 1, 1200, -1200),
    }
    assert figures(report.totals) == (4, 4, 15000, 1, 700, 1, 1200, 13100)


def test_a_reversal_goes_out_of_the_drawer_of_the_cashier(reports, scene, story, finance, database):
    report = offline(reports, scene, OfflineBy.CASHIER)

    assert {row.label: figures(row) for row in report.rows} == {
        scene.cashier.name: (2, 2, 5700, 1, 700, 0, 0, 5000),
        finance.name: (2, 2, 9300, 0, 0, 1, 1200, 8100),
    }


def test_by_way_and_by_building(reports, scene, story, database):
    by_way = offline(reports, scene, OfflineBy.CHANNEL)
    by_building = offline(reports, scene, OfflineBy.BUILDING)

    assert {row.label: row.net_fen for row in by_way.rows} == {"现金": 13100, "刷卡": 0}
    assert {row.label: row.net_fen for row in by_building.rows} == {"1栋": 5000, "9栋": 8100}


def test_narrows_to_buildings_days_and_an_earlier_day(reports, scene, story):
    day = Span(story, story + timedelta(days=1))

    building = offline(reports, scene, OfflineBy.DAY, building_ids=(2,))

    assert building.totals.net_fen == 8100
    assert offline(reports, scene, OfflineBy.CASHIER, span=day).totals.net_fen == 14300
    assert offline(reports, scene, OfflineBy.CASHIER, as_of=story).totals.net_fen == 14300


def test_items_are_no_way_to_narrow(reports, scene):
    with pytest.raises(InvalidInput):
        offline(reports, scene, fee_item_ids=(scene.item_id,))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_summary_is_the_sum_of_the_details_however_it_is_cut(services, reports, database, seed):
    history = History(services, database, seed)
    history.live(90)

    [details] = database.rows(
        """
        SELECT (SELECT count(*) FROM payment WHERE shift_id IS NOT NULL) AS payments,
               (SELECT sum(amount_fen)::bigint FROM payment WHERE shift_id IS NOT NULL) AS came,
               (SELECT coalesce(sum(amount_fen), 0)::bigint FROM refund
                 WHERE state = 'succeeded' AND channel NOT IN ('wechat', 'alipay')) AS went
        """
    )
    assert details["went"] > 0
    for by in OfflineBy:
        report = offline(reports, history, by)
        total = report.totals
        assert (total.payment_count, total.received_fen) == (details["payments"], details["came"])
        assert total.reversed_fen + total.refunded_fen == details["went"]
        added = tuple(sum(column) for column in zip(*map(figures, report.rows), strict=True))
        assert added == figures(total)

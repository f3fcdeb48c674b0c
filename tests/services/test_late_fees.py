from datetime import timedelta
from decimal import Decimal

import pytest

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.late_fees import GraceMode
from domain.periods import Span
from services.late_fees import LateFeeRuleNotLater, NewLateFeeRule, read_accrued
from tests import factories


@pytest.fixture
def accrued(unit_of_work, today):
    def accrued(*bill_ids, days=0):
        with unit_of_work.reading() as session:
            return read_accrued(session, bill_ids, today() + timedelta(days=days))

    return accrued


class TestReadAccrued:
    def test_without_a_rule_nothing_accrues(self, accrued, add_bill):
        bill_id = add_bill(126000, days_late=47)

        assert accrued(bill_id)[bill_id].open_fen == 0

    def test_47_days_of_1260(self, accrued, add_bill, charge_late):
        charge_late()
        bill_id = add_bill(126000, days_late=47)

        found = accrued(bill_id)[bill_id]

        assert (found.total_fen, found.open_fen, found.is_frozen) == (2961, 2961, False)
        assert [segment.days for segment in found.fee.segments] == [47]

    def test_500_paid_after_20_days(
        self,
        accrued,
        add_bill,
        charge_late,
        take,
        clock,
    ):
        charge_late()
        bill_id = add_bill(126000, days_late=20)
        take(50000)
        clock.advance(days=27)

        found = accrued(bill_id)[bill_id]

        assert found.total_fen == 2286
        assert [one.principal_fen for one in found.fee.segments] == [126000, 76000]

    @pytest.mark.parametrize(
        ("cap_ratio", "amount_fen"), [(None, 189000), ("1", 126000), ("0.3", 37800)]
    )
    def test_500_days_at_3_per_mille(
        self,
        accrued,
        add_bill,
        charge_late,
        cap_ratio,
        amount_fen,
    ):
        charge_late(daily_rate="0.003", cap_ratio=cap_ratio)
        bill_id = add_bill(126000, days_late=500)

        assert accrued(bill_id)[bill_id].total_fen == amount_fen

    def test_what_was_paid_in_time_is_not_in_the_base_of_the_cap(
        self,
        accrued,
        add_bill,
        charge_late,
        take,
        clock,
    ):
        charge_late(daily_rate="0.01", cap_ratio="0.5")
        bill_id = add_bill(126000, days_late=0)
        take(26000)
        clock.advance(days=300)

        assert accrued(bill_id)[bill_id].total_fen == 50000

    @pytest.mark.parametrize(("days_late", "amount_fen"), [(0, 0), (1, 63), (-5, 0)])
    def test_the_due_date_itself_is_in_time(
        self,
        accrued,
        add_bill,
        charge_late,
        days_late,
        amount_fen,
    ):
        charge_late()
        bill_id = add_bill(126000, days_late=days_late)

        assert accrued(bill_id)[bill_id].total_fen == amount_fen

    def test_grace_days_count_or_not_as_the_rule_says(
        self,
        accrued,
        add_bill,
        database,
        scene,
        charge_late,
    ):
        charge_late(grace_days=10, grace_mode="exempt")
        bill_id = add_bill(126000, days_late=47)
        exempt = accrued(bill_id)[bill_id].total_fen
        database.do("UPDATE late_fee_rule SET grace_mode = 'retroactive'")

        assert (exempt, accrued(bill_id)[bill_id].total_fen) == (2331, 2961)

    def test_paused_days_do_not_count(
        self,
        accrued,
        add_bill,
        charge_late,
        services,
        scene,
        today,
    ):
        charge_late()
        one, other = add_bill(126000, days_late=47), add_bill(126000, days_late=47)
        pause = services.late_fees.pause
        first = today() - timedelta(days=9)
        pause(
            actor=scene.manager,
            community_id=scene.community_id,
            span=Span(first, first + timedelta(days=5)),
            reason="春节",
        )
        pause(
            actor=scene.manager,
            community_id=scene.community_id,
            bill_id=other,
            span=Span(first - timedelta(days=10), first + timedelta(days=2)),
            reason="对金额有异议",
        )

        found = accrued(one, other)

        assert sum(segment.days for segment in found[one].fee.segments) == 42
        assert sum(segment.days for segment in found[other].fee.segments) == 32

    def test_a_waiver_lowers_the_base_from_the_next_day(
        self,
        accrued,
        add_bill,
        charge_late,
        database,
        decided,
        today,
    ):
        charge_late()
        bill_id = add_bill(126000, days_late=10)
        database.do(
            "INSERT INTO bill_line (bill_id, line_no, kind, amount_fen, trace)"
            " VALUES (:id, 2,"
            " 'waiver', -26000,"
            " jsonb_build_object('method', 'waiver', 'taken_on', CAST(:day AS text),"
            " 'request_id', CAST(:request AS bigint)))",
            id=bill_id,
            request=decided("waiver", 26000),
            day=(today() - timedelta(days=4)).isoformat(),
        )
        database.do("UPDATE bill SET amount_fen = 100000")

        segments = accrued(bill_id)[bill_id].fee.segments

        assert [(one.days, one.principal_fen) for one in segments] == [(6, 126000), (4, 100000)]

    @pytest.mark.parametrize("state", ["voided", "written_off", "pending_review"])
    def test_what_is_not_payable_owes_none(
        self,
        accrued,
        add_bill,
        charge_late,
        database,
        put_bill,
        state,
    ):
        charge_late()
        bill_id = add_bill(126000, days_late=47)
        put_bill(state)
        if state == "pending_review":
            database.do("UPDATE bill SET published_at = NULL")

        assert accrued(bill_id)[bill_id].open_fen == 0

    def test_a_bill_paid_in_time_owes_none_and_leaves_no_row(
        self,
        accrued,
        add_bill,
        charge_late,
        take,
        late_fee,
        clock,
    ):
        charge_late()
        bill_id = add_bill(126000)
        take(126000)
        clock.advance(days=50)

        assert accrued(bill_id)[bill_id].open_fen == 0
        assert late_fee(bill_id) is None

    def test_once_the_principal_is_paid_it_grows_no_more(
        self,
        accrued,
        add_bill,
        charge_late,
        take,
        clock,
        services,
        scene,
        today,
    ):
        charge_late()
        bill_id = add_bill(126000, days_late=47)
        take(126000)
        clock.advance(days=50)
        services.late_fees.pause(
            actor=scene.manager,
            community_id=scene.community_id,
            span=Span(today() - timedelta(days=90), today()),
            reason="太晚了",
        )

        found = accrued(bill_id)[bill_id]

        assert (found.total_fen, found.is_frozen) == (2961, True)
        assert [segment.days for segment in found.fee.segments] == [47]

    def test_costs_the_same_statements_for_any_number_of_bills(
        self,
        accrued,
        add_bill,
        charge_late,
        statements,
    ):
        charge_late()
        ids = [add_bill(126000, days_late=47)]
        statements.clear()
        accrued(*ids)
        for_one = len(statements)
        ids += [add_bill(126000, days_late=number) for number in range(8)]
        statements.clear()

        accrued(*ids)

        assert len(statements) == for_one <= 5

    def test_costs_one_statement_while_nothing_is_late(
        self,
        accrued,
        add_bill,
        charge_late,
        statements,
    ):
        charge_late()
        bill_id = add_bill(126000)
        statements.clear()

        accrued(bill_id)

        assert len(statements) == 1


class TestRules:
    @pytest.fixture
    def set_rule(self, services, scene, today):
        def set_rule(days=0, actor=scene.manager, item_id=scene.item_id, **changes):
            terms = {"daily_rate": Decimal("0.0005"), "starts_on": today() + timedelta(days=days)}
            return services.late_fees.set_rule(
                actor=actor, fee_item_id=item_id, rule=NewLateFeeRule(**(terms | changes))
            )

        return set_rule

    @pytest.fixture
    def rules(self, services, scene):
        return lambda: services.late_fees.list_rules(
            actor=scene.manager, community_id=scene.community_id
        )

    def test_a_new_version_ends_the_one_before(self, set_rule, rules, today, audit):
        set_rule(days=-100)
        set_rule(daily_rate=Decimal("0.0003"), cap_ratio=None, grace_days=5)

        first, second = rules()

        assert first.terms.ends_before == second.terms.starts_on == today()
        assert second.terms.cap_ratio is None
        assert (second.item, second.terms.grace_mode) == ("物业费", GraceMode.EXEMPT)
        assert [facts["daily_rate"] for facts in audit("late_fee_rule_set")] == ["0.0005", "0.0003"]

    def test_each_day_has_the_rate_of_its_version(
        self,
        set_rule,
        accrued,
        add_bill,
        database,
    ):
        set_rule(days=-40)
        set_rule(days=-9, daily_rate=Decimal("0.001"))
        bill_id = add_bill(100000, days_late=20)

        segments = accrued(bill_id)[bill_id].fee.segments

        assert [(one.days, str(one.daily_rate)) for one in segments] == [
            (10, "0.00050000"),
            (10, "0.00100000"),
        ]

    @pytest.mark.parametrize("days", [0, -1])
    def test_history_is_not_rewritten(self, set_rule, days):
        set_rule()

        with pytest.raises(LateFeeRuleNotLater):
            set_rule(days=days)

    def test_an_ended_rule_charges_no_more(
        self,
        set_rule,
        services,
        scene,
        today,
        accrued,
        add_bill,
        rules,
        audit,
    ):
        set_rule(days=-40)
        services.late_fees.end_rule(
            actor=scene.manager,
            fee_item_id=scene.item_id,
            ends_on=today() - timedelta(days=9),
        )
        bill_id = add_bill(100000, days_late=20)

        assert sum(one.days for one in accrued(bill_id)[bill_id].fee.segments) == 10
        assert rules()[0].terms.ends_before == today() - timedelta(days=9)
        assert audit("late_fee_rule_ended") == [
            {"ends_on": (today() - timedelta(days=9)).isoformat()}
        ]

    def test_a_rule_cannot_end_before_it_begins(self, set_rule, services, scene, today):
        set_rule()

        with pytest.raises(LateFeeRuleNotLater):
            services.late_fees.end_rule(
                actor=scene.manager, fee_item_id=scene.item_id, ends_on=today()
            )

    def test_what_has_no_rule_cannot_end(self, services, scene, today):
        with pytest.raises(NotFound):
            services.late_fees.end_rule(
                actor=scene.manager, fee_item_id=scene.item_id, ends_on=today()
            )

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"daily_rate": Decimal(0)}, "daily_rate"),
            ({"daily_rate": Decimal("0.011")}, "daily_rate"),
            ({"daily_rate": Decimal("-0.1")}, "daily_rate"),
            ({"daily_rate": Decimal("NaN")}, "daily_rate"),
            ({"daily_rate": Decimal("0.000000001")}, "daily_rate"),
            ({"cap_ratio": Decimal(0)}, "cap_ratio"),
            ({"cap_ratio": Decimal("10.1")}, "cap_ratio"),
            ({"grace_days": -1}, "grace_days"),
            ({"grace_days": 366}, "grace_days"),
        ],
    )
    def test_terms_that_make_no_sense_are_named(self, set_rule, changes, field):
        with pytest.raises(InvalidInput) as refused:
            set_rule(**changes)

        assert set(refused.value.fields) == {field}

    def test_an_item_that_is_not_there(self, set_rule):
        with pytest.raises(NotFound):
            set_rule(item_id=10**6)

    def test_only_with_the_permission(self, set_rule, services, scene, today):
        nobody = factories.actor_without(Permission.MANAGE_FEES)
        with pytest.raises(NotAllowed):
            set_rule(actor=nobody)
        with pytest.raises(NotAllowed):
            services.late_fees.end_rule(actor=nobody, fee_item_id=1, ends_on=today())
        with pytest.raises(NotAllowed):
            services.late_fees.pause(
                actor=nobody, community_id=1, span=Span(today(), today()), reason="x"
            )
        nobody = factories.actor_without(Permission.VIEW_ESTATE)
        with pytest.raises(NotAllowed):
            services.late_fees.list_rules(actor=nobody, community_id=1)
        with pytest.raises(NotAllowed):
            services.late_fees.list_pauses(actor=nobody, community_id=1)


class TestPause:
    @pytest.fixture
    def pause(self, services, scene, today):
        def pause(days=5, **changes):
            values = {
                "actor": scene.manager,
                "community_id": scene.community_id,
                "span": Span(today(), today() + timedelta(days=days)),
                "reason": "对金额有异议",
            }
            return services.late_fees.pause(**(values | changes))

        return pause

    def test_is_listed_with_its_bill_and_reason(
        self,
        pause,
        services,
        scene,
        add_bill,
        audit,
    ):
        pause()
        pause(bill_id=add_bill(100))

        of_bill, of_all = services.late_fees.list_pauses(
            actor=scene.manager, community_id=scene.community_id
        )

        assert of_all.bill_no is None
        assert of_bill.bill_no.startswith("CH")
        assert of_bill.reason == "对金额有异议"
        assert len(audit("late_fee_paused")) == 2

    @pytest.mark.parametrize(
        ("changes", "field"),
        [({"days": 0}, "span"), ({"reason": " "}, "reason"), ({"reason": "因" * 201}, "reason")],
    )
    def test_what_makes_no_sense_is_named(self, pause, changes, field):
        with pytest.raises(InvalidInput) as refused:
            pause(**changes)

        assert set(refused.value.fields) == {field}

    def test_a_bill_of_another_community_is_not_found(self, pause, add_bill, database):
        with database.session() as session:
            other = factories.make_community(session).id
        bill_id = add_bill(100)

        with pytest.raises(NotFound):
            pause(community_id=other, bill_id=bill_id)
        with pytest.raises(NotFound):
            pause(community_id=10**6)


class TestPreview:
    def test_today_tomorrow_and_why(
        self,
        services,
        scene,
        add_bill,
        charge_late,
        today,
    ):
        charge_late()
        bill_id = add_bill(126000, days_late=47)

        shown = services.late_fees.preview(actor=scene.cashier, bill_id=bill_id)

        assert (shown.open_fen, shown.next_day_open_fen) == (2961, 3024)
        first = today() - timedelta(days=46)
        assert shown.explanation == (
            f"{first} 至 {today()} 欠 1260.00 元 × 每日 0.05% × 47 天 = 29.61 元"
        )

    def test_as_of_another_day(self, services, scene, add_bill, charge_late, today):
        charge_late()
        bill_id = add_bill(126000, days_late=47)

        shown = services.late_fees.preview(
            actor=scene.cashier, bill_id=bill_id, as_of=today() - timedelta(days=46)
        )

        assert shown.open_fen == 63

    def test_says_when_the_cap_cuts(self, services, scene, add_bill, charge_late):
        charge_late(cap_ratio="0.01")
        bill_id = add_bill(126000, days_late=47)

        shown = services.late_fees.preview(actor=scene.cashier, bill_id=bill_id)

        assert shown.explanation.endswith("= 29.61 元，超过封顶，按封顶 12.60 元")

    def test_an_owner_sees_it_of_their_own_bills_only(
        self,
        services,
        add_bill,
        charge_late,
        scene,
        database,
    ):
        charge_late()
        bill_id = add_bill(126000, days_late=47)
        with database.session() as session:
            house = session.get_one(factories.House, scene.house_id)
            owner = factories.make_owner(session, house=house)
            mine = factories.make_account(session, owner=owner, houses=[house])
            other = factories.make_account(session)

        shown = services.late_fees.preview_own(actor=factories.owner(mine), bill_id=bill_id)

        assert shown.open_fen == 2961
        with pytest.raises(NotFound):
            services.late_fees.preview_own(actor=factories.owner(other), bill_id=bill_id)

    def test_a_bill_that_is_not_there(self, services, scene):
        with pytest.raises(NotFound):
            services.late_fees.preview(actor=scene.cashier, bill_id=10**6)

    def test_only_with_the_permission(self, services, app):
        with pytest.raises(NotAllowed):
            services.late_fees.preview(
                actor=factories.actor_without(Permission.VIEW_HOUSE_MONEY), bill_id=1
            )
        with pytest.raises(NotAllowed):
            services.late_fees.preview_own(
                actor=factories.actor_without(Permission.VIEW_OWN_BILLS), bill_id=1
            )

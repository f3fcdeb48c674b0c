import pytest

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.payment_states import PaymentChannel
from services.reconciliation.cases import CaseSettled
from tests import factories
from tests.services.reconciliation.conftest import DAY


@pytest.fixture
def cases(services):
    return services.reconciliation_cases


@pytest.fixture
def case_id(days):
    """One open difference: our payment is not in the channel's statement."""
    days.pay()
    days.morning_after()
    days.spoil("missing_row")
    days.reconcile()
    return days.database.value("SELECT id FROM reconciliation_case")


def state_of(days):
    return days.cases()[0][2]


class TestList:
    def test_filters(self, cases, case_id, staff, days):
        community_id = days.database.value("SELECT community_id FROM payment")

        def count(**filters):
            return len(cases.list_cases(actor=staff, **filters))

        assert count() == count(is_unsettled=True) == count(day=DAY) == 1
        assert count(channel=PaymentChannel.WECHAT) == count(community_id=community_id) == 1
        assert count(channel=PaymentChannel.ALIPAY) == count(community_id=999) == 0
        assert [run.unsettled for run in cases.list_runs(actor=staff, day=DAY)] == [1]
        assert cases.list_runs(actor=staff, channel=PaymentChannel.ALIPAY) == []

        cases.handle(actor=staff, case_id=case_id, note="渠道确认漏行")
        assert (count(), count(is_unsettled=True)) == (1, 0)

    def test_shows_what_each_side_says(self, cases, case_id, staff):
        shown = cases.show(actor=staff, case_id=case_id)

        assert shown.kind_shown == "系统有、渠道无"
        assert (shown.ours_fen, shown.theirs_fen) == (1000, None)
        with pytest.raises(NotFound):
            cases.show(actor=staff, case_id=case_id + 1)


class TestSettle:
    def test_handled_with_words_it_stays_so_whatever_is_found_again(
        self, cases, case_id, staff, days, audit
    ):
        cases.handle(actor=staff, case_id=case_id, note=" 渠道确认漏行 ")

        assert state_of(days) == "handled"
        assert days.tasks() == []
        shown = cases.show(actor=staff, case_id=case_id)
        assert (shown.note, shown.owner) == ("渠道确认漏行", staff.name)
        assert audit("reconciliation_handled")[0]["note"] == "渠道确认漏行"

        days.spoil("missing_row")
        for _ in ("found again", "not found again"):
            assert days.reconcile().unsettled == 0
            assert state_of(days) == "handled"

    def test_escalated_it_waits_on_and_may_still_resolve_itself(self, cases, case_id, staff, days):
        cases.escalate(actor=staff, case_id=case_id, note="金额较大")

        assert state_of(days) == "escalated"
        assert days.tasks("reconciliation_differs") == 1

        days.reconcile()
        assert state_of(days) == "auto_resolved"
        assert days.tasks() == []

    def test_what_is_settled_is_settled(self, cases, case_id, staff):
        cases.handle(actor=staff, case_id=case_id, note="渠道确认漏行")

        for act in (cases.handle, cases.escalate):
            with pytest.raises(CaseSettled):
                act(actor=staff, case_id=case_id, note="再次处理")
        with pytest.raises(CaseSettled):
            cases.assign(actor=staff, case_id=case_id, login_name="wang")

    @pytest.mark.parametrize("note", ["", "  ", "长" * 501])
    def test_asks_for_words(self, cases, case_id, staff, note, days):
        with pytest.raises(InvalidInput):
            cases.handle(actor=staff, case_id=case_id, note=note)
        assert state_of(days) == "open"

    def test_no_such_difference(self, cases, staff):
        with pytest.raises(NotFound):
            cases.handle(actor=staff, case_id=1, note="处理")


class TestAssign:
    def test_gives_it_an_owner_who_stays(self, cases, case_id, staff, database, audit):
        with database.session() as session:
            boss = factories.staff(session, "manager", login_name="li", name="李经理")

        cases.assign(actor=staff, case_id=case_id, login_name="li")
        cases.handle(actor=staff, case_id=case_id, note="渠道确认漏行")

        assert cases.show(actor=staff, case_id=case_id).owner == boss.name
        assert audit("reconciliation_assigned")[0]["owner"] == "li"

    def test_only_to_somebody_who_works_here(self, cases, case_id, staff, database):
        database.do("UPDATE staff SET is_active = false")
        for login_name in ("wang", "nobody"):
            with pytest.raises(NotFound):
                cases.assign(actor=staff, case_id=case_id, login_name=login_name)


def test_is_not_for_everybody(services, app):
    nobody, cases = factories.actor_without(Permission.RECONCILE), services.reconciliation_cases
    for ask in (
        lambda: cases.list_runs(actor=nobody),
        lambda: cases.list_cases(actor=nobody),
        lambda: cases.show(actor=nobody, case_id=1),
        lambda: cases.assign(actor=nobody, case_id=1, login_name="wang"),
        lambda: cases.handle(actor=nobody, case_id=1, note="处理"),
        lambda: cases.escalate(actor=nobody, case_id=1, note="处理"),
    ):
        with pytest.raises(NotAllowed):
            ask()

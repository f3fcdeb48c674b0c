import pytest
from datetime import timedelta
from collections import Counter
from tests.histories import History, BEGAN
from tests.services.test_statements import TestAgainstTheLedger as T, labels, show, balances, openings
from tests.services.reports.test_reporting import TestOneTruth as R, reports
total=Counter()
@pytest.mark.parametrize("seed", range(100,125))
def test_many(services, database, show, labels, reports, seed):
    T().test_says_later_of_a_day_what_it_said_then(services, database, show, labels, seed)
@pytest.mark.parametrize("seed", range(200,230))
def test_ledger(services, database, show, labels, reports, seed):
    T().test_closes_today_with_what_the_ledger_holds(services, database, show, labels, seed)
@pytest.mark.parametrize("seed", range(300,325))
def test_reports(services, database, show, labels, reports, seed):
    h=History(services, database, seed)
    R().test_the_summary_equals_the_full_computation(reports, h)
    R().test_cash_adds_up_to_the_payments_however_it_is_cut
    total.update(h.done)
    print(total)

"""Reports as the tests ask for them: by the operator, over all years of a history."""

from datetime import date

from domain.actors import operator
from domain.periods import Span
from services.reports.tables import ArrearsBy, CashBy, CollectionBy, OfflineBy, ReportFilter

YEARS = Span(date(2025, 1, 1), date(2029, 1, 1))


def collection(reports, history, by=CollectionBy.MONTH, **changes):
    which = ReportFilter(**({"community_id": history.community_id, "span": YEARS} | changes))
    return reports.collection(actor=operator(), which=which, by=by)


def arrears(reports, history, by=ArrearsBy.BUILDING, *, limit=None, after_id=0, **changes):
    which = ReportFilter(**({"community_id": history.community_id} | changes))
    return reports.arrears(actor=operator(), which=which, by=by, limit=limit, after_id=after_id)


def cash(reports, history, by=CashBy.DAY, **changes):
    which = ReportFilter(**({"community_id": history.community_id, "span": YEARS} | changes))
    return reports.cash_in(actor=operator(), which=which, by=by)


def offline(reports, history, by=OfflineBy.DAY, **changes):
    which = ReportFilter(**({"community_id": history.community_id, "span": YEARS} | changes))
    return reports.offline(actor=operator(), which=which, by=by)

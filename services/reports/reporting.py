"""The reports that staff read, and the files of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import InvalidInput, NotFound
from domain.periods import Span, local_date
from models import Building, Community, FeeItem
from services.ports import DocumentWriter
from services.reports.billed import (
    names_of,
    read_arrears,
    read_arrears_page,
    read_collection,
    read_overdue_total,
    read_recovery,
)
from services.reports.cash import read_cash
from services.reports.facts import Scope
from services.reports.offline import read_offline
from services.reports.summary import fold
from services.reports.tables import (
    ArrearsBy,
    ArrearsRow,
    CashBy,
    CashRow,
    CollectionBy,
    CollectionRow,
    FileForm,
    OfflineBy,
    OfflineRow,
    R,
    RecoveryRow,
    Report,
    ReportFilter,
    as_document,
    columns_of,
    named,
)
from services.unit_of_work import UnitOfWork

PAGE_CAP = 200
"""Houses on one page."""

_COLLECTION = (
    "应收＝账期从所选月份开始、截至日已发布的账单本金，已扣除作废、优惠和减免；"
    "实收＝按付款日期截至该日收到的这些账单的本金，已扣除退回；"
    "未收＝应收−实收−核销；收缴率＝实收÷应收。"
)
_ARREARS = (
    "到期日早于截至日的账单在截至日结束时尚未收到的本金，不含滞纳金和已核销的部分；"
    "账龄＝截至日−到期日的天数。"
)
_RECOVERY = "在所选日期内收到的、到期日早于所选日期的账单的款项（含预存、押金抵扣），已扣除退回。"
_CASH = (
    "按付款日期统计收到的款项，不含预存抵扣和押金抵扣（没有新的款项进来）；"
    "合计＝账单本金＋滞纳金＋预存＋押金＋暂存；已退款是这些收款截至统计时原路退回、柜台退回和冲红的，"
    "不含退预存和退押金；净额＝合计−已退款。"
)
_OFFLINE = (
    "柜台收到的现金、刷卡、银行转账和支票，按收款日期（补录按实际收款日）计入收款人，含收取的预存和押金；"
    "冲红和退款（含退预存、退押金）按退出日期计入其钱箱的收款人，单独列示；"
    "净额＝收款−冲红−退款；收据数含已作废的收据。"
)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What every report stands on: one view of the data, the scope, and both in words."""

    session: Session
    scope: Scope
    community: str
    as_of: datetime
    words: tuple[tuple[str, str], ...]

    def report(
        self,
        *,
        title: str,
        definition: str,
        facts: Sequence[tuple[str, str]],
        by: CollectionBy | ArrearsBy | CashBy | OfflineBy,
        found: tuple[Sequence[R], R],
        next_after_id: int | None = None,
    ) -> Report[R]:
        rows, totals = found
        return Report(
            title=title,
            community=self.community,
            definition=definition,
            filter=(*facts, *self.words),
            as_of=self.as_of,
            columns=columns_of(by, type(totals)),
            rows=tuple(rows),
            totals=totals,
            next_after_id=next_after_id,
        )


@dataclass(frozen=True)
class Reports:
    """Figures over all bills and payments of a community, computed in SQL over the whole set."""

    unit_of_work: UnitOfWork
    documents: DocumentWriter

    def collection(
        self, *, actor: Actor, which: ReportFilter, by: CollectionBy
    ) -> Report[CollectionRow]:
        """Report what was asked for and what came, for bills of whole months.

        As of today it reads the maintained summary, as of an earlier day every bill.

        Raises:
            InvalidInput: no span or not whole months, or a day to come.
            NotFound: no such community, building or item.

        Source: domain.md D14.
        """
        actor.must(Permission.VIEW_REPORTS)
        span = _span_of(which, whole_months=True)
        with self._standing(actor, which, periods=span) as ground:
            return ground.report(
                title="收缴情况表",
                definition=_COLLECTION,
                facts=[("账期", _show_months(span))],
                by=by,
                found=read_collection(ground.session, ground.scope, by),
            )

    def arrears(
        self,
        *,
        actor: Actor,
        which: ReportFilter,
        by: ArrearsBy,
        after_id: int = 0,
        limit: int | None = PAGE_CAP,
    ) -> Report[ArrearsRow]:
        """Report what is overdue by age; without a span of all periods.

        By house it gives a page of at most 200 houses, by id from above ``after_id``; without a
        limit all of them. The totals are always over the whole set.

        Raises:
            InvalidInput: not whole months, a day to come, or too long a page.
            NotFound: no such community, building or item.

        Source: domain.md D14.
        """
        actor.must(Permission.VIEW_REPORTS)
        if limit is not None and not 1 <= limit <= PAGE_CAP:
            raise InvalidInput(fields={"limit": [f"应为 1 至 {PAGE_CAP}"]})
        span = _span_of(which, whole_months=True) if which.span else None
        with self._standing(actor, which, periods=span) as ground:
            session, scope = ground.session, ground.scope
            next_after_id = None
            if by is ArrearsBy.HOUSE and limit is not None:
                if scope.is_now:
                    rows = read_arrears_page(session, scope, after_id=after_id, limit=limit + 1)
                    totals = read_overdue_total(session, scope)
                else:
                    every, totals = read_arrears(session, scope, by)
                    rows = [row for row in every if (row.house_id or 0) > after_id]
                if len(rows) > limit:
                    rows = rows[:limit]
                    next_after_id = rows[-1].house_id
            else:
                rows, totals = read_arrears(session, scope, by)
            return ground.report(
                title="欠费账龄表",
                definition=_ARREARS,
                facts=[("账期", _show_months(span) if span else "全部")],
                by=by,
                found=(rows, totals),
                next_after_id=next_after_id,
            )

    def recovery(
        self, *, actor: Actor, which: ReportFilter, by: CollectionBy
    ) -> Report[RecoveryRow]:
        """Report what came in on the days of the span for bills that were due before it.

        By month is by the month of the due date.

        Raises:
            InvalidInput: no span, or a day to come.
            NotFound: no such community, building or item.

        Source: domain.md D14.
        """
        actor.must(Permission.VIEW_REPORTS)
        span = _span_of(which)
        with self._standing(actor, which) as ground:
            return ground.report(
                title="清欠情况表",
                definition=_RECOVERY,
                facts=[("收款日期", str(span))],
                by=by,
                found=read_recovery(ground.session, ground.scope, span, by),
            )

    def cash_in(self, *, actor: Actor, which: ReportFilter, by: CashBy) -> Report[CashRow]:
        """Report the payments of the days of the span and what they went to.

        Money whose order nobody knows belongs to no community and stands in no report; it waits in
        suspense.

        Raises:
            InvalidInput: no span, a day to come, or narrowed to buildings or items, which a
                payment does not have.
            NotFound: no such community.

        Source: domain.md D14.
        """
        actor.must(Permission.VIEW_REPORTS)
        span = _span_of(which)
        if which.building_ids or which.fee_item_ids:
            raise InvalidInput(fields={"filter": ["收款不能按楼栋或收费项目筛选"]})
        with self._standing(actor, which) as ground:
            return ground.report(
                title="收款汇总表",
                definition=_CASH,
                facts=[("收款日期", str(span))],
                by=by,
                found=read_cash(ground.session, ground.scope, span, by),
            )

    def offline(self, *, actor: Actor, which: ReportFilter, by: OfflineBy) -> Report[OfflineRow]:
        """Report the money over the counter on the days of the span, and what went out again.

        Raises:
            InvalidInput: no span, a day to come, or narrowed to items, which a payment does not
                have.
            NotFound: no such community or building.

        Source: features.md R3.5.
        """
        actor.must(Permission.VIEW_REPORTS)
        span = _span_of(which)
        if which.fee_item_ids:
            raise InvalidInput(fields={"filter": ["收款不能按收费项目筛选"]})
        with self._standing(actor, which) as ground:
            return ground.report(
                title="柜台收款统计表",
                definition=_OFFLINE,
                facts=[("收款日期", str(span))],
                by=by,
                found=read_offline(ground.session, ground.scope, span, by),
            )

    def write(self, *, actor: Actor, report: Report[R], form: FileForm) -> bytes:
        """Write a report as a file: the rows and totals that the screen shows."""
        actor.must(Permission.VIEW_REPORTS)
        document = as_document(report)
        if form is FileForm.PDF:
            return self.documents.write_pdf(document)
        return self.documents.write_workbook([document])

    def find_ids(
        self,
        *,
        actor: Actor,
        community_id: int,
        buildings: Sequence[str] = (),
        items: Sequence[str] = (),
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Tell the ids of buildings and items that are named.

        Raises:
            NotFound: the community has none of a name.
        """
        actor.must(Permission.VIEW_REPORTS)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            return (
                _find_named(names_of(session, Building, community_id), buildings, "楼栋"),
                _find_named(names_of(session, FeeItem, community_id), items, "收费项目"),
            )

    def fold_summary(self, *, actor: Actor) -> int:
        """Fold the changes of the maintained summary into its sums; return how many there were."""
        actor.must(Permission.RUN_PLATFORM_WORK)
        return self.unit_of_work.run(fold)

    @contextmanager
    def _standing(
        self, actor: Actor, which: ReportFilter, *, periods: Span | None = None
    ) -> Iterator[_Ground]:
        actor.must_cover(which.community_id)
        now = self.unit_of_work.clock.now()
        today = local_date(now)
        as_of = which.as_of or today
        if as_of > today:
            raise InvalidInput(fields={"as_of": ["截至日期不能晚于今天"]})
        scope = Scope(
            community_id=which.community_id,
            periods=periods,
            building_ids=which.building_ids,
            fee_item_ids=which.fee_item_ids,
            as_of=as_of,
            is_now=as_of == today,
        )
        with self.unit_of_work.snapshot() as session:
            community = session.get(Community, which.community_id)
            if community is None:
                raise NotFound
            yield _Ground(
                session=session,
                scope=scope,
                community=community.name,
                as_of=now if scope.is_now else scope.until,
                words=_name_chosen(session, which),
            )


def _span_of(which: ReportFilter, *, whole_months: bool = False) -> Span:
    span = which.span
    if not span:
        raise InvalidInput(fields={"span": ["请选择起止时间，结束不能早于开始"]})
    if whole_months and (span.starts_on.day, span.ends_before.day) != (1, 1):
        raise InvalidInput(fields={"span": ["应为整月"]})
    return span


def _show_months(span: Span) -> str:
    first, last = f"{span.starts_on:%Y-%m}", f"{span.last_day:%Y-%m}"
    return first if first == last else f"{first} 至 {last}"


def _name_chosen(session: Session, which: ReportFilter) -> tuple[tuple[str, str], ...]:
    """Say which buildings and items were chosen.

    Raises:
        NotFound: one of them is not of this community.
    """
    words = []
    for label, table, ids in (
        ("楼栋", Building, which.building_ids),
        ("收费项目", FeeItem, which.fee_item_ids),
    ):
        names = names_of(session, table, which.community_id) if ids else {}
        if not names.keys() >= set(ids):
            raise NotFound
        words.append((label, named([names[id_] for id_ in ids])))
    return tuple(words)


def _find_named(names: Mapping[int, str], wanted: Sequence[str], what: str) -> tuple[int, ...]:
    ids = {name: id_ for id_, name in names.items()}
    for name in wanted:
        if name not in ids:
            raise NotFound(f"没有名为 {name} 的{what}")
    return tuple(ids[name] for name in wanted)

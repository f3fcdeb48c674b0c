"""What the houses of a chunk owe for the items of a run: the rules of `domain` on facts on file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from domain.bill_states import LineKind
from domain.charges import ChargeMethod
from domain.cycles import BillingTiming, CycleAnchor, issue_and_due, periods_billed_in
from domain.discounts import discount
from domain.periods import LiableFromRule, Span, add_months, calendar_month, count_months
from domain.troubles import NotChargeable
from services.bills.house_facts import PLAIN, Adjustment, House, HouseFacts
from services.bills.methods import (
    Case,
    NotConcerned,
    RunFacts,
    charge_case,
    charge_plainly,
    recall_usage,
)
from services.bills.plans import Charged, Chunk, Line, MadeBill, Plan, make_charged
from services.bills.run_items import RunItem

NO_HANDOVER = "没有交付日期，无法确定起费日"
OVERLAPS = "账期与已有账单部分重叠，请先作废原账单"


@dataclass(frozen=True, slots=True)
class Charging:
    """Computes bills; the same for all chunks of one run."""

    month: Span
    items: Sequence[RunItem]
    liable_from_rule: LiableFromRule
    facts: RunFacts
    plans: dict[tuple[date | None, date | None], list[Plan]] = field(default_factory=dict)

    def charge(self, facts: HouseFacts) -> Chunk:
        """Compute what the houses owe for every item and period that they have no bill for."""
        chunk = Chunk(len(facts.houses))
        bills = chunk.bills
        unusual = facts.find_unusual()
        for house in facts.houses:
            house_id = house.id
            is_plain = house_id not in unusual
            for plan in self._plans_of(house.handover_date, house.retired_on):
                known = _recall(facts, house, plan) if is_plain and plan.is_quick else None
                if known is None:
                    self._bill(chunk, facts, house, plan)
                else:
                    bills.append(MadeBill(house_id, plan, known))
        return chunk

    def _bill(self, chunk: Chunk, facts: HouseFacts, house: House, plan: Plan) -> None:
        item = plan.item
        if item.method is ChargeMethod.ONE_OFF:
            self._bill_one_offs(chunk, facts, house, plan)
            return
        billed = facts.billed.get((house.id, item.id))
        if billed and (told := _is_billed(billed, plan.period)) is not None:
            if told:
                chunk.exceptions.append((house.id, item.id, told))
            return
        if plan.why_not:
            chunk.exceptions.append((house.id, item.id, plan.why_not))
            return
        try:
            charged = self._lines(facts, house, plan)
        except NotConcerned:
            return
        except NotChargeable as trouble:
            chunk.exceptions.append((house.id, item.id, trouble.why))
            return
        notes = facts.adjustments.get((house.id, item.id))
        if notes:
            charged = _adjust(charged, notes)
        chunk.bills.append(MadeBill(house.id, plan, charged))

    def _bill_one_offs(self, chunk: Chunk, facts: HouseFacts, house: House, plan: Plan) -> None:
        billed = {
            (since, sequence)
            for since, _, sequence in facts.billed.get((house.id, plan.item.id), ())
        }
        for charge in facts.one_offs.get(house.id, ()):
            day = charge.charged_on
            if charge.fee_item_id != plan.item.id or (day, charge.sequence) in billed:
                continue
            if house.retired_on is not None and day >= house.retired_on:
                continue
            trace = _json(
                {
                    "method": "one_off",
                    "charge_id": charge.id,
                    "charged_on": day.isoformat(),
                    "source_document": charge.source_document,
                }
            )
            line = Line(LineKind.PRINCIPAL, charge.amount_fen, trace)
            charged = make_charged(charge.amount_fen, (line,))
            period = Span(day, date.fromordinal(day.toordinal() + 1))
            chunk.bills.append(MadeBill(house.id, plan, charged, charge.sequence, period))

    def _lines(self, facts: HouseFacts, house: House, plan: Plan) -> Charged:
        """Compute the lines of a bill, discounts included."""
        item = plan.item
        rules = item.discounts.of(house.id)
        history = facts.histories.get(house.id)
        if item.is_plain and not rules and history is None:
            return charge_plainly(house, plan)
        since = facts.counted_from.get((house.id, item.id))
        chains = facts.chains[house.id] if item.meter_kind is not None else []
        charged = charge_case(Case(self.facts, house, history or PLAIN, chains, since, plan))
        lines = [Line(LineKind.PRINCIPAL, line.amount_fen, line.trace) for line in charged]
        principal_fen = sum(line.amount_fen for line in charged)
        if not rules:
            return make_charged(principal_fen, tuple(lines))
        off = discount(
            principal_fen=principal_fen,
            vacant_fen=sum(line.amount_fen for line in charged if line.is_vacant),
            months=count_months(plan.liable, item.charger.terms.proration, plan.anchor),
            period=plan.period,
            rules=rules,
        )
        for one in off:
            trace = _json(
                {
                    "method": "discount",
                    "rule_id": one.rule_id,
                    "name": one.name,
                    "kind": one.kind,
                    "basis_fen": one.basis_fen,
                    "note": one.note,
                }
            )
            lines.append(Line(LineKind.DISCOUNT, one.amount_fen, trace))
        return make_charged(principal_fen + sum(one.amount_fen for one in off), tuple(lines))

    def _plans_of(self, handover_date: date | None, retired_on: date | None) -> list[Plan]:
        """Tell for each item what houses of the same first and last day have to be billed for."""
        days = handover_date, retired_on
        plans = self.plans.get(days)
        if plans is None:
            plans = self.plans[days] = [
                plan for item in self.items for plan in self._plan(item, *days)
            ]
        return plans

    def _plan(
        self, item: RunItem, handover_date: date | None, retired_on: date | None
    ) -> list[Plan]:
        if item.method is ChargeMethod.ONE_OFF:
            return [self._make_plan(item, self.month, self.month, None)]
        if handover_date is None:
            if retired_on is not None:
                return []
            plan = self._make_plan(item, self.month, self.month, None)
            plan.why_not, plan.is_quick = NO_HANDOVER, False
            return [plan]
        liable_from = self.liable_from_rule.liable_from(handover_date)
        is_anniversary = item.cycle.anchor is CycleAnchor.ANNIVERSARY
        plans = []
        for period in self._periods(item, handover_date):
            liable = period.within(
                starts_on=item.row.starts_on, ends_before=item.row.ends_on
            ).within(starts_on=liable_from, ends_before=retired_on)
            begins = liable.starts_on
            if not liable or (
                item.cycle.timing is BillingTiming.IN_ADVANCE
                and not self.month.starts_on <= begins < self.month.ends_before
            ):
                continue
            plans.append(
                self._make_plan(item, period, liable, handover_date if is_anniversary else None)
            )
        return plans

    def _periods(self, item: RunItem, handover_date: date) -> list[Span]:
        """Tell the periods this month may bill: in advance also one that a house joins midway."""
        months = [self.month]
        if item.cycle.timing is BillingTiming.IN_ADVANCE:
            months = [
                calendar_month(add_months(self.month.starts_on, -back))
                for back in range(item.cycle.months + 1)
            ]
        found = {
            period
            for month in months
            for period in periods_billed_in(item.cycle, month, anchor_on=handover_date)
        }
        return sorted(found)

    def _make_plan(self, item: RunItem, period: Span, liable: Span, anchor: date | None) -> Plan:
        issue_date, due_date = issue_and_due(
            period=Span(liable.starts_on, period.ends_before),
            timing=item.cycle.timing,
            issue_offset_days=item.row.issue_offset_days,
            due_days=item.row.due_days,
            due_day=item.row.due_day,
        )
        is_quick = item.discounts.are_none and (item.is_plain or item.usage is not None)
        return Plan(item, period, liable, anchor, issue_date, due_date, is_quick)


def _is_billed(billed: Sequence[tuple[date, date, int]], period: Span) -> str | None:
    """Tell whether a period needs no bill: empty when it has one, else why it cannot have one."""
    overlapping = [
        (since, until)
        for since, until, _ in billed
        if since < period.ends_before and until > period.starts_on
    ]
    if not overlapping:
        return None
    return "" if (period.starts_on, period.ends_before) in overlapping else OVERLAPS


def _recall(facts: HouseFacts, house: House, plan: Plan) -> Charged | None:
    """Tell what a house of which nothing is unusual owes, if a house like it was charged before."""
    if plan.item.is_plain:
        return plan.known.get((house.area_units, house.coefficient_units))
    meter = facts.plain_meters.get((house.id, plan.item.row.meter_kind or ""))
    return recall_usage(meter, plan) if meter is not None else None


def _adjust(charged: Charged, notes: list[Adjustment]) -> Charged:
    """Add debit notes, then credit notes as far as the bill reaches; the rest becomes prepaid.

    Source: domain.md D1: a bill is never below 0, the excess goes to prepaid.
    """
    amount_fen = charged.amount_fen
    more = []
    for note in notes:
        applied_fen = max(note.amount_fen, -amount_fen)
        amount_fen += applied_fen
        trace = _json(
            {
                "method": "adjustment",
                "adjustment_id": note.id,
                "of_bill_no": note.of_bill_no,
                "reason": note.reason,
                "to_prepaid_fen": applied_fen - note.amount_fen,
            }
        )
        more.append(Line(LineKind.ADJUSTMENT, applied_fen, trace))
    return make_charged(amount_fen, (*charged.lines, *more))


def _json(trace: dict[str, object]) -> str:
    return json.dumps(trace, ensure_ascii=False)

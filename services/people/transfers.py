"""The transfer of a house (过户): what it will do, doing it, and undoing one made by mistake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from domain.actors import Actor, Permission, staff_id_of
from domain.errors import Conflict, InvalidInput, NotFound
from domain.houses import house_label
from domain.periods import local_date
from domain.transfers import PrepaidChoice, UnpaidChoice, check_shares
from models import Building, House, HouseTransfer
from services.approvals.requests import Payout, RequestPending, check_payout
from services.audit import record
from services.keys import check_key, claim_key, staff_subject
from services.people.part_rows import check_house_shares
from services.people.rows import run_with_phone
from services.people.transfer_facts import (
    TransferBill,
    TransferPerson,
    TransferPrepaid,
    count_bindings,
    is_owning,
    read_bills,
    read_people_on,
    read_prepaid,
    version_of,
)
from services.people.transfer_rows import (
    Buyer,
    ask_refunds,
    check_buyers,
    end_old_parts,
    find_buyers,
    transfer_facts,
    write_bills,
    write_buyers,
    write_sellers,
)
from services.reasons import check_reason
from services.retirement import hold_house
from services.scopes import houses_in_scope, lock_house
from services.unit_of_work import Transaction, UnitOfWork, violates

_ACTION = "house_transfer"


class TransferOutdated(Conflict):
    """The people of the house are others than in the preview."""

    code = "transfer_outdated"
    message = "该房屋的人员已有变化，请重新预览后再办理"


class NobodySells(Conflict):
    """The house has no owner on the cut day."""

    code = "nobody_sells"
    message = "该房屋在过户日没有登记业主，请直接添加业主"


@dataclass(frozen=True, slots=True)
class TransferPlan:
    """A transfer that is asked for; ``version`` is the preview's, ``kept_owner_ids`` stay."""

    house_id: int
    cut_on: date
    buyers: Sequence[Buyer]
    version: str
    unpaid: UnpaidChoice = UnpaidChoice.SELLER
    prepaid: PrepaidChoice = PrepaidChoice.STAYS
    kept_owner_ids: Sequence[int] = ()
    payout: Payout | None = None


@dataclass(frozen=True, slots=True)
class TransferPreview:
    """What a transfer on a day will find and do; ``version`` must come back with the act."""

    house_id: int
    house: str
    cut_on: date
    version: str
    sellers: Sequence[TransferPerson]
    others: Sequence[TransferPerson]
    bills: Sequence[TransferBill]
    open_fen: int
    prepaid: Sequence[TransferPrepaid]
    prepaid_fen: int
    binding_count: int
    warnings: Sequence[str]


@dataclass(frozen=True)
class Transfers:
    """Hands houses on."""

    unit_of_work: UnitOfWork

    def preview(self, *, actor: Actor, house_id: int, cut_on: date) -> TransferPreview:
        """Tell what a transfer will find and do; nothing is written.

        Raises:
            NotFound: no such house.
            NobodySells: it has no owner on that day.
            InvalidInput: the day is still to come.
        """
        actor.must(Permission.TRANSFER_HOUSES)
        self._check_day(cut_on)
        with self.unit_of_work.snapshot() as session:
            house = session.execute(
                select(Building.name, House.unit_no, House.room_no)
                .join(House, House.building_id == Building.id)
                .where(House.id == house_id, houses_in_scope(actor))
            ).one_or_none()
            if house is None:
                raise NotFound
            people = read_people_on(session, house_id, cut_on)
            bills = read_bills(session, house_id, cut_on)
            prepaid = read_prepaid(session, house_id)
            sellers = [person for person in people if is_owning(person)]
            if not sellers:
                raise NobodySells
            bindings = count_bindings(session, house_id, [one.owner_id for one in people])
        warnings = [
            f"账单 {bill.bill_no} 正在支付，支付成功后照常入账"
            for bill in bills
            if bill.is_in_payment
        ]
        return TransferPreview(
            house_id,
            house_label(*house),
            cut_on,
            version_of(house_id, people),
            tuple(sellers),
            tuple(person for person in people if not is_owning(person)),
            tuple(bills),
            sum(bill.open_fen for bill in bills),
            tuple(prepaid),
            sum(account.balance_fen for account in prepaid),
            bindings,
            tuple(warnings),
        )

    def carry_out(self, *, actor: Actor, plan: TransferPlan, reason: str, client_key: str) -> int:
        """Hand a house on, in one transaction, and return the transfer's id.

        The buyers own from the cut day. Bindings and sessions of sellers, family and tenants end,
        but for those who are kept; buyers are bound or told by SMS. Bills stay as they are: open
        ones of before the cut day are from now on the sellers' debt or the buyers', and for those
        that cover it a statement parts days and amounts. Prepaid money stays with the house, or a
        request to pay it back is opened. An open payment goes on and is booked. The same key with
        the same request hands it on once.

        Raises:
            NotFound: no such house, or no such owner in its community.
            TransferOutdated: the people are others than in the preview.
            NobodySells: it has no owner on that day.
            SharesDoNotAddUp: the buyers' shares are above 1, or all given and below it.
            PhoneTaken, KeyUsedForOther, RequestPending: as they say.
            InvalidInput: no reason, no buyer, the day is to come or not after the sellers' first,
                or money goes back to nobody in particular.

        Source: docs/adr/0023.
        """
        actor.must(Permission.TRANSFER_HOUSES)
        actor.must_be_fresh()
        self._check_plan(actor, plan, reason, client_key)
        staff_id = staff_id_of(actor)

        def work(tx: Transaction) -> int:
            claim = claim_key(
                tx,
                subject=staff_subject(actor),
                action=_ACTION,
                key=client_key,
                body=(replace(plan, version=""), reason),
            )
            if claim.is_known:
                return tx.session.execute(
                    select(HouseTransfer.id).where(HouseTransfer.key_id == claim.id)
                ).scalar_one()
            house = lock_house(tx, actor, plan.house_id)
            hold_house(tx, house.id)
            people = read_people_on(tx.session, house.id, plan.cut_on)
            if version_of(house.id, people) != plan.version:
                raise TransferOutdated
            transfer = HouseTransfer(
                community_id=house.community_id,
                house_id=house.id,
                cut_on=plan.cut_on,
                unpaid=plan.unpaid,
                prepaid=plan.prepaid,
                reason=reason.strip(),
                done={},
                key_id=claim.id,
                made_by_staff_id=staff_id,
                made_at=tx.now,
            )
            tx.session.add(transfer)
            tx.session.flush()
            _hand_on(tx, actor, house, transfer, plan, people)
            return transfer.id

        try:
            return run_with_phone(self.unit_of_work, work)
        except IntegrityError as error:
            if violates(error, "uq_approval_request_open"):
                raise RequestPending from error
            if violates(error, "uq_house_transfer_day"):
                raise TransferOutdated("该房屋在这一天已办理过户") from error
            raise

    def _check_day(self, cut_on: date) -> None:
        if cut_on > local_date(self.unit_of_work.clock.now()):
            raise InvalidInput(fields={"cut_on": ["过户日期不能晚于今天"]})

    def _check_plan(self, actor: Actor, plan: TransferPlan, reason: str, client_key: str) -> None:
        check_reason(reason)
        check_key(client_key)
        check_buyers(plan.buyers)
        check_shares([buyer.share_ratio for buyer in plan.buyers])
        self._check_day(plan.cut_on)
        if plan.prepaid is PrepaidChoice.REFUND:
            actor.must(Permission.REQUEST_MONEY_OUT)
            if plan.payout is None:
                raise InvalidInput(fields={"payout": ["请填写退款收款人"]})
            check_payout(plan.payout)


def _hand_on(
    tx: Transaction,
    actor: Actor,
    house: House,
    transfer: HouseTransfer,
    plan: TransferPlan,
    people: Sequence[TransferPerson],
) -> None:
    buyers = find_buyers(tx, actor, house, plan.buyers)
    buyer_ids = {owner.id for owner, _ in buyers}
    sellers = [one for one in people if is_owning(one) and one.owner_id not in buyer_ids]
    if not any(is_owning(one) for one in people):
        raise NobodySells
    bills = read_bills(tx.session, house.id, plan.cut_on)
    prepaid = read_prepaid(tx.session, house.id)
    done = end_old_parts(
        tx,
        actor,
        people,
        plan.cut_on,
        buyer_ids=buyer_ids,
        kept_ids=set(plan.kept_owner_ids),
    )
    write_sellers(tx, transfer, sellers)
    write_bills(tx, transfer, bills, stays=plan.unpaid is UnpaidChoice.SELLER and bool(sellers))
    write_buyers(tx, actor, transfer, buyers, done)
    check_house_shares(tx, house.id, plan.cut_on)
    requests: list[int] = []
    if plan.prepaid is PrepaidChoice.REFUND and plan.payout is not None:
        requests = ask_refunds(tx, actor, transfer, prepaid, plan.payout)
    transfer.done = done.as_json() | {"requests": requests}
    tx.session.flush()
    record(
        tx,
        actor,
        "house_transferred",
        subject_type="house",
        subject_id=house.id,
        community_id=house.community_id,
        facts=transfer_facts(transfer, sellers, buyers),
    )

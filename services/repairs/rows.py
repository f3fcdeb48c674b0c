"""Which repairs somebody may see and touch: asked in the query, in one place."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import NotFound
from domain.periods import local_date
from domain.repair_states import RepairState
from models import HouseBinding, RepairOrder
from services.bindings import bought_on, is_live_binding
from services.scopes import places_in_scope
from services.unit_of_work import Transaction


def reports_for() -> ColumnElement[bool]:
    """Hold rows of `HouseBinding` to those that may report; see `domain.house_roles.rights_of`."""
    return (HouseBinding.role == "owner") | func.coalesce(HouseBinding.may_report, True)


def own_repairs(actor: Actor, today: date) -> ColumnElement[bool]:
    """Hold rows of `RepairOrder` to those that are an owner's business.

    Of a house that is bound with the right to report, since it was bought; of public places, what
    they reported themselves.
    """
    is_bound = exists().where(
        HouseBinding.house_id == RepairOrder.house_id,
        HouseBinding.account_id == actor.account_id,
        is_live_binding(today),
        reports_for(),
        func.coalesce(RepairOrder.opened_on >= bought_on(), True),
    )
    return or_(
        is_bound,
        and_(RepairOrder.house_id.is_(None), RepairOrder.reporter_account_id == actor.account_id),
    )


def repairs_in_scope(actor: Actor) -> ColumnElement[bool]:
    """Hold rows of `RepairOrder` to the communities and buildings that a member of staff has."""
    return places_in_scope(RepairOrder.community_id, RepairOrder.building_id, actor)


def reading_permission(actor: Actor) -> Permission:
    """Tell by which permission somebody reads repairs: all of them, or those they work on."""
    if Permission.VIEW_REPAIRS in actor.permissions:
        return Permission.VIEW_REPAIRS
    return Permission.WORK_REPAIRS


def seen_by_staff(actor: Actor) -> ColumnElement[bool]:
    """Hold rows of `RepairOrder` to those that staff may see.

    Whoever only works on repairs sees their own and what they may grab.
    """
    if reading_permission(actor) is Permission.VIEW_REPAIRS:
        return repairs_in_scope(actor)
    return repairs_in_scope(actor) & or_(
        RepairOrder.assignee_staff_id == actor.id, RepairOrder.state == RepairState.GRABBABLE
    )


def find_own(tx: Transaction, actor: Actor, repair_id: int) -> RepairOrder:
    """Find a repair that is the owner's business.

    Raises:
        NotFound: there is none.
    """
    return _find(tx.session, repair_id, own_repairs(actor, local_date(tx.now)))


def find_scoped(tx: Transaction, actor: Actor, repair_id: int) -> RepairOrder:
    """Find a repair in a dispatcher's or manager's scope.

    Raises:
        NotFound: there is none.
    """
    return _find(tx.session, repair_id, repairs_in_scope(actor))


def find_assigned(tx: Transaction, actor: Actor, repair_id: int) -> RepairOrder:
    """Find a repair that is the engineer's now.

    Raises:
        NotFound: there is none, or it is another's.
    """
    return _find(
        tx.session,
        repair_id,
        repairs_in_scope(actor),
        RepairOrder.assignee_staff_id == actor.id,
    )


def _find(session: Session, repair_id: int, *where: ColumnElement[bool]) -> RepairOrder:
    row = session.execute(
        select(RepairOrder)
        .where(RepairOrder.id == repair_id, *where)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        raise NotFound
    return row

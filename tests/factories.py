"""Rows to set a scene with: valid by default, readable, changed by keyword."""

import hashlib
import secrets
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select

from domain.actors import (
    EVERYWHERE,
    Actor,
    ActorKind,
    DataScope,
    Permission,
    owner_actor,
    staff_actor,
)
from domain.equipment import new_code
from domain.tokens import hash_of_token, new_token
from models import (
    Account,
    ApprovalRequest,
    Bill,
    BillBatch,
    BillBatchItem,
    BillLine,
    Building,
    Community,
    DiscountItem,
    DiscountRule,
    Equipment,
    FeeItem,
    FeeStandard,
    House,
    HouseBinding,
    HousePerson,
    LateFeeRule,
    Meter,
    MeterReading,
    Owner,
    SessionToken,
    Staff,
    StaffSession,
    StaffToken,
    WechatIdentity,
)
from services.staff.sessions import TOKEN_PREFIX

LONG_AGO = date(2020, 1, 1)
MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)


def add(session, row):
    session.add(row)
    session.flush()
    return row


def _next(session, model):
    return (session.execute(select(func.max(model.id))).scalar_one() or 0) + 1


def make_community(session, **changes):
    number = _next(session, Community)
    values = {"code": f"CH{number}", "name": f"翠湖花园{number}期", "created_at": MADE_AT}
    return add(session, Community(**(values | changes)))


def make_building(session, *, community=None, **changes):
    community = community or make_community(session)
    number = _next(session, Building)
    values = {"community_id": community.id, "name": f"{number}栋"}
    return add(session, Building(**(values | changes)))


def make_house(session, *, building=None, **changes):
    building = building or make_building(session)
    values = {
        "community_id": building.community_id,
        "building_id": building.id,
        "unit_no": "1",
        "room_no": str(100 + _next(session, House)),
        "building_area": Decimal("89.37"),
        "billing_area": Decimal("89.37"),
        "fee_coefficient": Decimal(1),
        "handover_date": LONG_AGO,
    }
    return add(session, House(**(values | changes)))


def make_owner(session, *, house=None, role="title_holder", person_from=LONG_AGO, **changes):
    """An owner; with a house also their part in it."""
    number = _next(session, Owner)
    community_id = house.community_id if house else make_community(session).id
    values = {
        "community_id": community_id,
        "name": f"业主{number}",
        "phone": f"1990000{number:04d}",
        "created_at": MADE_AT,
    }
    owner = add(session, Owner(**(values | changes)))
    if house:
        add(
            session,
            HousePerson(house_id=house.id, owner_id=owner.id, role=role, person_from=person_from),
        )
    return owner


def make_account(session, *, owner=None, houses=(), binding_role="owner", **changes):
    """An account; with an owner it has their phone and is bound to the houses."""
    number = _next(session, Account)
    phone = owner.phone if owner else f"1980000{number:04d}"
    account = add(session, Account(**({"phone": phone, "created_at": MADE_AT} | changes)))
    for house in houses:
        add(
            session,
            HouseBinding(
                account_id=account.id,
                house_id=house.id,
                owner_id=owner.id,
                role=binding_role,
                status="active",
                created_at=MADE_AT,
            ),
        )
    return account


def make_identity(session, *, account=None, **changes):
    values = {"openid": f"openid{_next(session, WechatIdentity)}", "seen_at": MADE_AT}
    account_id = account.id if account else None
    return add(session, WechatIdentity(account_id=account_id, **(values | changes)))


def make_staff(session, **changes):
    number = _next(session, Staff)
    values = {
        "login_name": f"staff{number}",
        "name": f"员工{number}",
        "role": "manager",
        "created_at": MADE_AT,
    }
    return add(session, Staff(**(values | changes)))


def make_item(session, *, community=None, price="2.35", **changes):
    """A fee item with one price from its first day on."""
    community = community or make_community(session)
    letters = chr(ord("A") + _next(session, FeeItem) % 26)
    values = {
        "community_id": community.id,
        "code": f"W{letters}",
        "name": "物业费",
        "charge_method": "area",
        "starts_on": LONG_AGO,
        "created_at": MADE_AT,
    }
    item = add(session, FeeItem(**(values | changes)))
    if price:
        add(
            session,
            FeeStandard(fee_item_id=item.id, unit_price=Decimal(price), priced_from=item.starts_on),
        )
    return item


def make_bill(session, *, house, item=None, batch=None, lines=(21002,), **changes):
    """A published bill of a house for October 2026, with its lines."""
    community = session.get_one(Community, house.community_id)
    item = item or make_item(session, community=community)
    amount_fen = sum(lines)
    batch = batch or add(
        session,
        BillBatch(
            community_id=community.id,
            period_from=date(2026, 10, 1),
            period_until=date(2026, 11, 1),
            state="published",
            bill_count=1,
            amount_fen=amount_fen,
            made_by_staff_id=make_staff(session).id,
            created_at=MADE_AT,
        ),
    )
    if not session.get(BillBatchItem, (batch.id, item.id)):
        add(session, BillBatchItem(batch_id=batch.id, fee_item_id=item.id))
    values = {
        "community_id": community.id,
        "batch_id": batch.id,
        "house_id": house.id,
        "fee_item_id": item.id,
        "bill_no": f"{community.code}202610{item.code}{_next(session, Bill):06d}",
        "period_from": date(2026, 10, 1),
        "period_until": date(2026, 11, 1),
        "issue_date": date(2026, 11, 1),
        "due_date": date(2026, 12, 1),
        "state": "published",
        "amount_fen": amount_fen,
        "published_at": MADE_AT,
    }
    bill = add(session, Bill(**(values | changes)))
    for line_no, line_fen in enumerate(lines, start=1):
        add(
            session,
            BillLine(
                bill_id=bill.id,
                line_no=line_no,
                amount_fen=line_fen,
                trace={
                    "method": "area",
                    "unit_price": "2.35",
                    "months": "1",
                    "from": "2026-10-01",
                    "until": "2026-11-01",
                    "rounding": "fen",
                    "rounding_fen": 0,
                    "area": "89.37",
                    "coefficient": "1",
                },
            ),
        )
    return bill


def staff(session, role="manager", *, scope=EVERYWHERE, **changes):
    """A member of staff as somebody who acts."""
    row = make_staff(session, role=role, **changes)
    return staff_actor(staff_id=row.id, name=row.name, role=role, scope=scope)


def scope_of_community(*communities):
    """The data scope of whole communities."""
    return DataScope(frozenset(community.id for community in communities))


def scope_of_building(building):
    """The data scope of one building."""
    return DataScope(frozenset(), frozenset({building.community_id}), frozenset({building.id}))


def owner(account):
    """An account as somebody who acts."""
    return owner_actor(account_id=account.id)


def make_session(session, *, account, **changes):
    """A signed-in device of an account; returns its token, which is kept only as a hash."""
    token = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    values = {
        "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
        "account_id": account.id,
        "created_at": now,
        "expires_at": now + timedelta(days=30),
    }
    add(session, SessionToken(**(values | changes)))
    return token


def actor_without(permission):
    """Somebody who may do everything but one thing: only the right check refuses them."""
    may = frozenset(Permission) - {permission}
    return Actor(ActorKind.STAFF, 1, "少一项权限的人", may)


def make_staff_token(session, *, staff, **changes):
    """A key of a member of staff; returns the key, which is kept only as a hash."""
    token = secrets.token_urlsafe(32)
    values = {
        "staff_id": staff.id,
        "name": "抄表系统",
        "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
        "created_at": MADE_AT,
    }
    add(session, StaffToken(**(values | changes)))
    return token


def make_staff_session(session, *, staff, at, **changes):
    """A session whose password was given at an instant; returns the token."""
    token = TOKEN_PREFIX + new_token()
    values = {
        "staff_id": staff.id,
        "token_sha256": hash_of_token(token),
        "device": "Chrome",
        "ip": "10.0.0.2",
        "is_remembered": False,
        "created_at": at,
        "seen_at": at,
        "expires_at": at + timedelta(hours=8),
        "reauthenticated_at": at,
    }
    add(session, StaffSession(**(values | changes)))
    return token


def make_meter(session, *, house=None, community_id=None, **changes):
    """A cold water meter that began at 100 long ago; without a house a public one."""
    community_id = house.community_id if house else community_id or make_community(session).id
    values = {
        "community_id": community_id,
        "house_id": house.id if house else None,
        "meter_no": f"W{_next(session, Meter):04d}",
        "kind": "cold_water",
        "opening_reading": Decimal(100),
        "opened_on": LONG_AGO,
        "created_at": MADE_AT,
    }
    return add(session, Meter(**(values | changes)))


def make_reading(session, *, meter, read_on, reading, **changes):
    values = {
        "meter_id": meter.id,
        "read_on": read_on,
        "reading": Decimal(reading),
        "source": "manual",
        "created_at": MADE_AT,
    }
    return add(session, MeterReading(**(values | changes)))


def make_equipment(session, *, community=None, building=None, **changes):
    """Equipment in use since long ago; of a building, or of a community as a whole."""
    if building is None:
        community = community or make_community(session)
    number = _next(session, Equipment)
    values = {
        "community_id": building.community_id if building else community.id,
        "building_id": building.id if building else None,
        "code": new_code(),
        "name": f"{number}号电梯",
        "category": "lift",
        "created_at": MADE_AT,
    }
    return add(session, Equipment(**(values | changes)))


def make_late_fee_rule(session, *, item, daily_rate="0.0005", cap_ratio=None, **changes):
    """A late fee of an item since ever, without grace or cap."""
    values = {
        "fee_item_id": item.id,
        "daily_rate": Decimal(daily_rate),
        "cap_ratio": Decimal(cap_ratio) if cap_ratio else None,
        "starts_on": LONG_AGO,
        "created_at": MADE_AT,
    }
    return add(session, LateFeeRule(**(values | changes)))


def make_early_discount(session, *, item, percent="5", early_days=365, **changes):
    """Something off an item for whoever pays early."""
    values = {
        "community_id": item.community_id,
        "name": "提前缴费",
        "kind": "early_payment",
        "percent": Decimal(percent),
        "early_days": early_days,
        "starts_on": LONG_AGO,
        "created_at": MADE_AT,
    }
    rule = add(session, DiscountRule(**(values | changes)))
    add(session, DiscountItem(rule_id=rule.id, fee_item_id=item.id))
    return rule


def make_approval(session, *, bill, kind, amount_fen, **changes):
    """A decision about a bill, for tests that carry the act out by hand."""
    values = {
        "community_id": bill.community_id,
        "kind": kind,
        "subject": f"bill:{bill.id}",
        "house_id": bill.house_id,
        "bill_id": bill.id,
        "amount_fen": amount_fen,
        "reason": "业主申诉",
        "state": "approved",
        "requested_by_staff_id": make_staff(session).id,
        "requested_at": MADE_AT,
        "decided_by_staff_id": make_staff(session).id,
        "decided_at": MADE_AT,
    }
    return add(session, ApprovalRequest(**(values | changes)))

"""Accounts: which WeChat identities and houses belong to a phone that has signed in."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor, Permission, owner_actor, visitor
from domain.errors import PlatformRefused, PlatformUnavailable
from domain.periods import local_date
from models import Account, WechatIdentity
from services.audit import record
from services.ports import Follower, OfficialAccount
from services.unit_of_work import Transaction, UnitOfWork

log = logging.getLogger(__name__)

_FOLLOWERS_AT_ONCE = 100
_BIND = text(
    """
    INSERT INTO house_binding (account_id, house_id, owner_id, role, status, created_at,
                               may_see_bills, may_pay, may_report, live_until)
    SELECT DISTINCT ON (account.id, part.house_id)
           account.id, part.house_id, owner.id,
           CASE WHEN part.role IN ('title_holder', 'co_owner') THEN 'owner' ELSE part.role END,
           'active', :now, part.may_see_bills, part.may_pay, part.may_report, part.person_until
      FROM account
      JOIN owner_phone ON owner_phone.phone = account.phone AND owner_phone.opens_houses
      JOIN owner ON owner.id = owner_phone.owner_id
      JOIN house_person part ON part.owner_id = owner.id
       AND part.role <> 'contact'
       AND part.person_from <= :today
       AND (part.person_until IS NULL OR part.person_until > :today)
     WHERE account.is_active
       AND (CAST(:account_id AS bigint) IS NULL OR account.id = :account_id)
       AND (CAST(:community_id AS bigint) IS NULL OR owner.community_id = :community_id)
       AND (CAST(:owner_id AS bigint) IS NULL OR owner.id = :owner_id)
       AND NOT EXISTS (SELECT FROM house_binding gone
                        WHERE gone.account_id = account.id AND gone.house_id = part.house_id
                          AND gone.owner_id = owner.id
                          AND gone.ended_because IN ('self', 'owner', 'staff'))
     ORDER BY account.id, part.house_id, part.role = 'tenant', owner.id
    ON CONFLICT (account_id, house_id) WHERE status IN ('pending', 'active') DO NOTHING
    RETURNING house_id, account_id
    """
)


def bind_houses(
    tx: Transaction,
    actor: Actor,
    *,
    account_id: int | None = None,
    community_id: int | None = None,
    owner_id: int | None = None,
) -> int:
    """Bind houses to accounts by the phones on file, for one account, community or owner.

    Bindings that exist stay as they are, and what a person ended stays ended. Returns how many
    were made; each is audited.

    Source: domain.md D11.
    """
    made = tx.session.execute(
        _BIND,
        {
            "now": tx.now,
            "today": local_date(tx.now),
            "account_id": account_id,
            "community_id": community_id,
            "owner_id": owner_id,
        },
    ).all()
    for house_id, bound_account_id in made:
        record(
            tx,
            actor,
            "house_bound",
            subject_type="house",
            subject_id=house_id,
            facts={"account_id": bound_account_id, "because": "phone_on_file"},
        )
    return len(made)


def open_account(tx: Transaction, *, phone: str) -> Account:
    """Find the account of a proven phone or make it; locked until commit."""
    tx.session.execute(
        insert(Account).values(phone=phone, created_at=tx.now).on_conflict_do_nothing()
    )
    return tx.session.execute(
        select(Account).where(Account.phone == phone).with_for_update()
    ).scalar_one()


def bind_identity(
    tx: Transaction, actor: Actor, *, account_id: int, appid: str, openid: str, unionid: str | None
) -> None:
    """Make an openid belong to the account and with it the person's other known identities.

    An openid that belonged to another account moves: its holder has just proven this phone.
    """
    before = tx.session.execute(
        select(WechatIdentity.account_id).where(
            WechatIdentity.appid == appid, WechatIdentity.openid == openid
        )
    ).scalar_one_or_none()
    note_identity(tx, appid=appid, openid=openid, unionid=unionid, account_id=account_id)
    if before != account_id:
        record(
            tx,
            actor,
            "wechat_identity_bound",
            subject_type="account",
            subject_id=account_id,
            facts={"appid": appid, "moved_from_account_id": before},
        )
    if unionid:
        tx.session.execute(
            update(WechatIdentity)
            .where(WechatIdentity.unionid == unionid)
            .values(account_id=account_id)
        )


def note_identity(
    tx: Transaction,
    *,
    appid: str,
    openid: str,
    unionid: str | None = None,
    account_id: int | None = None,
    is_following: bool | None = None,
) -> None:
    """Write what was seen of an openid; facts that are not given keep their value."""
    seen = {
        key: value
        for key, value in (
            ("unionid", unionid),
            ("account_id", account_id),
            ("is_following", is_following),
        )
        if value is not None
    }
    tx.session.execute(
        insert(WechatIdentity)
        .values(appid=appid, openid=openid, seen_at=tx.now, **seen)
        .on_conflict_do_update(index_elements=["appid", "openid"], set_={"seen_at": tx.now, **seen})
    )


@dataclass(frozen=True)
class Accounts:
    """What the official account learns of people."""

    unit_of_work: UnitOfWork
    official_account: OfficialAccount

    def who(self, *, openid: str, request_id: str = "") -> Actor:
        """Tell who writes in the chat: an owner's account, or a visitor."""
        with self.unit_of_work.reading() as session:
            account_id = session.execute(
                select(Account.id)
                .join(WechatIdentity, WechatIdentity.account_id == Account.id)
                .where(
                    WechatIdentity.appid == self.official_account.appid,
                    WechatIdentity.openid == openid,
                    Account.is_active,
                )
            ).scalar_one_or_none()
        if account_id is None:
            return visitor(request_id)
        return owner_actor(account_id=account_id, request_id=request_id)

    def follow(self, *, actor: Actor, openid: str) -> None:
        """Note a follower at once; who they are is asked of WeChat after the answer is out."""
        actor.must(Permission.RUN_PLATFORM_WORK)

        def work(tx: Transaction) -> None:
            note_identity(tx, appid=self.official_account.appid, openid=openid, is_following=True)
            tx.wake("learn_followers")

        self.unit_of_work.run(work)

    def unfollow(self, *, actor: Actor, openid: str) -> None:
        """Note that messages no longer reach this follower."""
        actor.must(Permission.RUN_PLATFORM_WORK)
        self.unit_of_work.run(
            lambda tx: note_identity(
                tx, appid=self.official_account.appid, openid=openid, is_following=False
            )
        )

    def learn_followers(self, *, actor: Actor) -> int:
        """Ask WeChat who the new followers are, tie them to accounts by unionid; tell how many.

        One that WeChat does not tell of now is asked about again at the next sweep; the newest go
        first, so that old ones it never tells of hold nobody up.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        with self.unit_of_work.reading() as session:
            unknown = session.scalars(
                select(WechatIdentity.openid)
                .where(
                    WechatIdentity.appid == self.official_account.appid,
                    WechatIdentity.is_following,
                    WechatIdentity.asked_at.is_(None),
                )
                .order_by(WechatIdentity.seen_at.desc())
                .limit(_FOLLOWERS_AT_ONCE)
            ).all()
        learned = 0
        for openid in unknown:
            try:
                follower = self.official_account.show_follower(openid=openid)
            except PlatformRefused as refusal:
                log.warning("a follower is refused", extra={"vendor_code": refusal.vendor_code})
                continue
            except PlatformUnavailable:
                log.warning("WeChat does not tell who follows")
                break
            self.unit_of_work.run(partial(self._learn, follower=follower))
            learned += 1
        return learned

    def _learn(self, tx: Transaction, *, follower: Follower) -> None:
        account_id = None
        if follower.unionid:
            account_id = tx.session.execute(
                select(WechatIdentity.account_id)
                .where(
                    WechatIdentity.unionid == follower.unionid,
                    WechatIdentity.account_id.is_not(None),
                )
                .limit(1)
            ).scalar_one_or_none()
        note_identity(
            tx,
            appid=self.official_account.appid,
            openid=follower.openid,
            unionid=follower.unionid,
            account_id=account_id,
            is_following=follower.is_following,
        )
        if not follower.is_following:
            return  # WeChat says nothing of those who left: they are asked about when they return.
        tx.session.execute(
            update(WechatIdentity)
            .where(
                WechatIdentity.appid == self.official_account.appid,
                WechatIdentity.openid == follower.openid,
            )
            .values(asked_at=tx.now)
        )

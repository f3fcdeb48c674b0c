"""People who sign in: accounts, their WeChat identities, codes, sessions, bound houses; staff."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Role
from models.base import BigId, Instant, Model, Words, one_of

BINDING_STATES = ("pending", "active", "rejected", "revoked")
BINDING_ROLES = ("owner", "family", "tenant")
BINDING_REASONS = ("phone_on_file", "application", "invitation")
ENDED_BECAUSE = ("", "self", "owner", "staff", "phone", "part", "transfer")


class Account(Model):
    """Whoever signs in with this phone."""

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint(
            "phone ~ '^1[3-9][0-9]{9}$' OR (phone = 'deleted-'::text || id AND NOT is_active)",
            name="phone_form",
        ),
    )

    id: Mapped[BigId]
    phone: Mapped[Words] = mapped_column(unique=True)
    """Of an account that was closed, ``deleted-`` and its id: the number may be somebody else's."""
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[Instant]
    login_name: Mapped[str | None] = mapped_column(unique=True)
    """Handed out by staff, together with a password; most owners have none."""
    password_hash: Mapped[Words] = mapped_column(server_default="")
    must_change_password: Mapped[bool] = mapped_column(server_default=text("false"))
    one_time_until: Mapped[Instant | None]
    """When a password that was handed out, and not changed yet, opens nothing any more."""


class WechatIdentity(Model):
    """An openid of one of our WeChat apps; one openid belongs to at most one account.

    An official-account follower is known before they sign in, so ``account_id`` may be empty.
    """

    __tablename__ = "wechat_identity"
    __table_args__ = (
        UniqueConstraint("appid", "openid"),
        Index("ix_wechat_identity_account_id", "account_id"),
        Index("ix_wechat_identity_unionid", "unionid"),
        Index("ix_wechat_identity_staff_id", "staff_id"),
    )

    id: Mapped[BigId]
    appid: Mapped[Words]
    openid: Mapped[Words]
    unionid: Mapped[str | None]
    account_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("account.id"))
    staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    """The member of staff who proved that this is their WeChat; messages of work go there."""
    is_following: Mapped[bool] = mapped_column(server_default=text("false"))
    """Follows the official account; always false for the mini-program."""
    seen_at: Mapped[Instant]
    asked_at: Mapped[Instant | None]
    """When WeChat last told us who this follower is."""


class LoginCode(Model):
    """One code asked for a phone and a purpose; only its HMAC is kept.

    Rows for phones we do not know are written too: they carry the limits, and make the answer and
    the work the same. Source: domain.md D11.
    """

    __tablename__ = "login_code"
    __table_args__ = (
        Index("ix_login_code_phone", "phone", "purpose", "created_at"),
        Index("ix_login_code_ip", "ip", "created_at"),
        Index("ix_login_code_network", "network", "created_at"),
        Index("ix_login_code_device", "device_sha256", "created_at"),
        CheckConstraint("tries_left >= 0", name="tries_left_range"),
    )

    id: Mapped[BigId]
    phone: Mapped[Words]
    purpose: Mapped[Words]
    code_hmac: Mapped[Words]
    ip: Mapped[Words]
    """The address; of IPv6 the /64, which is one home."""
    network: Mapped[Words] = mapped_column(server_default="")
    """The /24 of IPv4, the /48 of IPv6."""
    device_sha256: Mapped[Words] = mapped_column(server_default="")
    """Of the nonce that the client sent, if it did: the code opens nothing elsewhere."""
    tries_left: Mapped[int]
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    used_at: Mapped[Instant | None]


class SessionToken(Model):
    """One signed-in device; only the token's hash is kept."""

    __tablename__ = "session_token"
    __table_args__ = (Index("ix_session_token_account_id", "account_id"),)

    id: Mapped[BigId]
    token_sha256: Mapped[Words] = mapped_column(unique=True)
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"))
    openid: Mapped[Words] = mapped_column(server_default="")
    """The mini-program's openid of the WeChat that opened it: payments go to that pay sheet."""
    by_password: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    revoked_at: Mapped[Instant | None]


class HouseBinding(Model):
    """What an account may see of a house; at most one live binding per pair.

    A right that is NULL is what the role gives (domain/house_roles.py). ``owner_id`` is the person
    on file as whom the account is bound.
    """

    __tablename__ = "house_binding"
    __table_args__ = (
        one_of("status", BINDING_STATES),
        one_of("role", BINDING_ROLES),
        one_of("because", BINDING_REASONS),
        one_of("ended_because", ENDED_BECAUSE),
        Index(
            "uq_house_binding_live",
            "account_id",
            "house_id",
            unique=True,
            postgresql_where=text("status IN ('pending', 'active')"),
        ),
        Index("ix_house_binding_house_id", "house_id"),
        Index("ix_house_binding_owner_id", "owner_id"),
    )

    id: Mapped[BigId]
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"))
    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"))
    owner_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("owner.id"))
    role: Mapped[Words]
    status: Mapped[Words]
    because: Mapped[Words] = mapped_column(server_default="phone_on_file")
    may_see_bills: Mapped[bool | None]
    may_pay: Mapped[bool | None]
    may_report: Mapped[bool | None]
    live_until: Mapped[date | None]
    """From this day on it gives nothing, such as after a lease."""
    created_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]
    ended_because: Mapped[Words] = mapped_column(server_default="")
    """Who or what ended it: what people ended is not bound again just by the phone on file."""


class Staff(Model):
    """A member of staff; without a password only the command line can name them."""

    __tablename__ = "staff"
    __table_args__ = (
        one_of("role", Role),
        CheckConstraint("phone ~ '^1[3-9][0-9]{9}$'", name="phone_form"),
    )

    id: Mapped[BigId]
    login_name: Mapped[Words] = mapped_column(unique=True)
    name: Mapped[Words]
    role: Mapped[Words]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    sees_all: Mapped[bool] = mapped_column(server_default=text("true"))
    """Whether the data scope is the whole company; otherwise it is what `StaffScope` lists."""
    created_at: Mapped[Instant]
    phone: Mapped[str | None]
    email: Mapped[str | None]
    password_hash: Mapped[Words] = mapped_column(server_default="")
    must_change_password: Mapped[bool] = mapped_column(server_default=text("false"))
    one_time_until: Mapped[Instant | None]
    """When a password that was handed out, and not changed yet, opens nothing any more."""
    totp_sealed: Mapped[Words] = mapped_column(server_default="")
    """The sealed secret of the second factor; empty while there is none."""
    totp_offered_sealed: Mapped[Words] = mapped_column(server_default="")
    """A secret that was shown and not yet proven."""
    totp_last_step: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The step of the newest code that was taken: each is taken once."""


class StaffScope(Model):
    """One piece of a data scope: a community, or one building of it."""

    __tablename__ = "staff_scope"
    __table_args__ = (
        Index(
            "uq_staff_scope_piece",
            "staff_id",
            "community_id",
            "building_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[BigId]
    staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    building_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("building.id"))


class StaffToken(Model):
    """A key by which a program of a member of staff calls the API, such as a meter reading system.

    Kept only as a hash; it may do what its owner's role may do.
    """

    __tablename__ = "staff_token"
    __table_args__ = (UniqueConstraint("token_sha256"),)

    id: Mapped[BigId]
    staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    name: Mapped[Words]
    token_sha256: Mapped[Words]
    created_at: Mapped[Instant]
    revoked_at: Mapped[Instant | None]

"""A new password for whoever forgot theirs: by a code to the phone or a link to the mail on file.

What is answered, and the work behind it, are the same whether there is such an account or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, true

from domain.actors import Actor, Permission
from domain.errors import InvalidInput
from domain.messages import Channel, MessageKind
from domain.tokens import hash_of_token, new_token
from models import PasswordReset, Staff
from services.audit import record
from services.outbox import queue_message
from services.passwords import Passwords
from services.phone_codes import STAFF_RESET, CodeTooSoon, PhoneCodes, WrongCode
from services.ports import MailSender
from services.sign_in_attempts import Visit, close_attempt, hmac_of_name, open_attempt
from services.staff.proofs import DOOR, StaffProofs
from services.staff.rows import actor_of, lock_staff, own_words_of, set_password
from services.unit_of_work import Transaction, UnitOfWork

LINK_LIFE = timedelta(minutes=30)
LINK_PAUSE = timedelta(seconds=60)
LINKS_PER_NAME_AND_DAY = 5
LINKS_PER_IP_AND_DAY = 20
LINKS_PER_DAY = 1000
"""For all names together: nobody makes our mail server a nuisance."""
_DAY = timedelta(days=1)
_NOBODY = "nobody"


class ResetNotValid(InvalidInput):
    """The link was used, is too old, was overtaken by a new password, or never was one of ours."""

    code = "reset_not_valid"
    message = "链接已失效，请重新申请"


@dataclass(frozen=True)
class StaffResets:
    """New passwords for members of staff who prove to have their phone or their mail.

    A second factor stays: whoever holds only the phone or the mailbox does not get in by it.
    """

    unit_of_work: UnitOfWork
    proofs: StaffProofs
    passwords: Passwords
    codes: PhoneCodes
    mail: MailSender
    base_url: str

    def ask_by_phone(self, *, actor: Actor, login_name: str, visit: Visit) -> None:
        """Send a code to the phone on file, if there is one.

        Codes are counted by login name, so that the limits tell nothing of the phone.

        Raises:
            CodeTooSoon: too many for this name, address or device, or all of us together.
        """
        actor.must(Permission.SIGN_IN)

        def work(tx: Transaction) -> CodeTooSoon | None:
            staff = _find(tx, login_name)
            return self.codes.send(
                tx,
                phone=self._counted_by(login_name),
                purpose=STAFF_RESET,
                visit=visit,
                recipient=staff.phone if staff else None,
            )

        too_soon = self.unit_of_work.run(work)
        if too_soon:
            raise too_soon

    def ask_by_mail(self, *, actor: Actor, login_name: str, visit: Visit) -> None:
        """Send a link to the mail on file, if there is one; it lives half an hour.

        Its address comes from the settings and never from the request.

        Raises:
            InvalidInput: we have no mail server.
            CodeTooSoon: too many for this name or address, or all of us together.
        """
        actor.must(Permission.SIGN_IN)
        if not self.mail.is_on:
            raise InvalidInput(fields={"by": ["没有开通邮件，请用手机找回"]})
        token = new_token()
        login_hmac = self.proofs.hmac_of(login_name)

        def work(tx: Transaction) -> None:
            tx.hold(f"reset:{login_hmac}", f"reset:{visit.home}")
            _check_limits(tx, login_hmac, visit.home)
            staff = _find(tx, login_name)
            email = staff.email if staff else None
            row = PasswordReset(
                staff_id=staff.id if staff and email else None,
                login_hmac=login_hmac,
                ip=visit.home,
                token_sha256=hash_of_token(token),
                created_at=tx.now,
                expires_at=tx.now + LINK_LIFE,
            )
            tx.session.add(row)
            tx.session.flush()
            queue_message(
                tx,
                kind=MessageKind.PASSWORD_RESET,
                channel=Channel.MAIL,
                recipient=email or _NOBODY,
                payload={
                    "name": staff.name if staff and email else "",
                    "minutes": str(LINK_LIFE // timedelta(minutes=1)),
                    "url": f"{self.base_url}/staff/reset#token={token}" if email else "",
                },
                dedup_key=f"password_reset:{row.id}",
                expires_at=row.expires_at if email else tx.now,
            )

        self.unit_of_work.run(work)

    def reset_by_code(
        self, *, actor: Actor, login_name: str, code: str, new_password: str, visit: Visit
    ) -> None:
        """Set a password with the newest code; every session ends.

        Raises:
            WrongCode: each wrong guess costs one of five tries.
            WeakPassword: the password can be guessed; the code is not used up.
        """
        actor.must(Permission.SIGN_IN)
        phone = self._counted_by(login_name)

        def look(tx: Transaction) -> Staff | None:
            is_right = self.codes.take(
                tx, phone=phone, purpose=STAFF_RESET, code=code, visit=visit, spends=False
            )
            return _find(tx, login_name) if is_right else None

        staff = self.unit_of_work.run(look)
        if staff is None:
            raise WrongCode
        new_hash, staff_id = self._hash_chosen(staff.id, new_password), staff.id

        def work(tx: Transaction) -> bool:
            staff = lock_staff(tx, staff_id)
            is_right = self.codes.take(
                tx, phone=phone, purpose=STAFF_RESET, code=code, visit=visit, spends=True
            )
            if is_right and staff.is_active:
                self._set(tx, actor, staff, new_hash, by="phone")
            return is_right and staff.is_active

        if not self.unit_of_work.run(work):
            raise WrongCode
        self._know_place(login_name, visit)

    def reset_by_link(self, *, actor: Actor, token: str, new_password: str, visit: Visit) -> None:
        """Set a password with a link; it is used up and every session ends.

        Raises:
            ResetNotValid: the link opens nothing.
            WeakPassword: the password can be guessed; the link is not used up.
        """
        actor.must(Permission.SIGN_IN)
        with self.unit_of_work.reading() as session:
            staff_id = session.execute(
                select(PasswordReset.staff_id).where(
                    *_is_open(token, self.unit_of_work.clock.now())
                )
            ).scalar_one_or_none()
        if staff_id is None:
            raise ResetNotValid
        new_hash = self._hash_chosen(staff_id, new_password)

        def work(tx: Transaction) -> str:
            staff = lock_staff(tx, staff_id)
            row = tx.session.execute(
                select(PasswordReset).where(*_is_open(token, tx.now)).with_for_update()
            ).scalar_one_or_none()
            if row is None or not staff.is_active:
                raise ResetNotValid
            self._set(tx, actor, staff, new_hash, by="mail")
            return staff.login_name

        self._know_place(self.unit_of_work.run(work), visit)

    def _hash_chosen(self, staff_id: int, new_password: str) -> str:
        with self.unit_of_work.reading() as session:
            staff = session.get_one(Staff, staff_id)
            words, has_factor = own_words_of(session, staff), bool(staff.totp_sealed)
        return self.passwords.hash_chosen(
            new_password, has_second_factor=has_factor, own_words=words
        )

    def _set(self, tx: Transaction, actor: Actor, staff: Staff, new_hash: str, *, by: str) -> None:
        set_password(tx, staff, new_hash, must_change=False)
        who = actor_of(tx.session, staff, request_id=actor.request_id)
        record(
            tx,
            who,
            "staff_password_forgotten",
            subject_type="staff",
            subject_id=staff.id,
            facts={"by": by},
        )

    def _know_place(self, login_name: str, visit: Visit) -> None:
        """Note that this place proved itself: wrong passwords of strangers do not count here."""

        def work(tx: Transaction) -> None:
            attempt_id = open_attempt(
                tx,
                door=DOOR,
                login_hmac=self.proofs.hmac_of(login_name),
                visit=visit,
                is_proven=True,
            )
            close_attempt(tx, attempt_id, "passed")

        self.unit_of_work.run(work)

    def _counted_by(self, login_name: str) -> str:
        return "reset:" + hmac_of_name(self.proofs.key, DOOR, login_name)


def _find(tx: Transaction, login_name: str) -> Staff | None:
    return tx.session.execute(
        select(Staff).where(Staff.login_name == login_name, Staff.is_active)
    ).scalar_one_or_none()


def _check_limits(tx: Transaction, login_hmac: str, home: str) -> None:
    by_name = PasswordReset.login_hmac == login_hmac
    for condition, span, limit in (
        (by_name, LINK_PAUSE, 1),
        (by_name, _DAY, LINKS_PER_NAME_AND_DAY),
        (PasswordReset.ip == home, _DAY, LINKS_PER_IP_AND_DAY),
        (true(), _DAY, LINKS_PER_DAY),
    ):
        asked = tx.session.execute(
            select(func.count())
            .select_from(PasswordReset)
            .where(condition, PasswordReset.created_at > tx.now - span)
        ).scalar_one()
        if asked >= limit:
            raise CodeTooSoon(retry_after_s=int(span.total_seconds()))


def _is_open(token: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        PasswordReset.token_sha256 == hash_of_token(token),
        PasswordReset.used_at.is_(None),
        PasswordReset.expires_at > now,
    )

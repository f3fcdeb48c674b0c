"""The owner's own change of phone, proven by a code to the old and one to the new number."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from domain.actors import Actor, Permission
from domain.errors import InvalidInput, NotSignedIn
from domain.phones import mask_phone, normalise_phone
from models import Account, Owner, OwnerPhone
from services.people.endings import end_sessions
from services.people.owners import note_owner
from services.people.phones import replace_phone
from services.people.rows import PhoneTaken, run_with_phone
from services.phone_codes import CodeTooSoon, PhoneCodes, WrongCode
from services.sign_in_attempts import Visit
from services.unit_of_work import Transaction, UnitOfWork

OLD_PHONE, NEW_PHONE = "own_old_phone", "own_new_phone"


@dataclass(frozen=True)
class OwnPhone:
    """Lets an owner who is signed in take another number."""

    unit_of_work: UnitOfWork
    codes: PhoneCodes

    def request(self, *, actor: Actor, new_phone: str, visit: Visit) -> None:
        """Send a code to the account's phone and one to the new one.

        Whether the new number is somebody's is not told here: only who can read it learns it.

        Raises:
            CodeTooSoon: too many codes; NotAPhone: not a mobile number.
            InvalidInput: it is the old one.
        """
        actor.must(Permission.MANAGE_OWN_BINDINGS)
        number = normalise_phone(new_phone)

        def work(tx: Transaction) -> CodeTooSoon | None:
            account = _lock_account(tx, actor)
            if account.phone == number:
                raise InvalidInput(fields={"phone": ["新手机号与原手机号相同"]})
            self.codes.hold(tx, account.phone, number, visit=visit)
            for phone, purpose in ((number, NEW_PHONE), (account.phone, OLD_PHONE)):
                too_soon = self.codes.send(
                    tx, phone=phone, purpose=purpose, visit=visit, recipient=phone
                )
                if too_soon:
                    return too_soon
            return None

        if too_soon := self.unit_of_work.run(work):
            raise too_soon

    def confirm(
        self, *, actor: Actor, new_phone: str, old_code: str, new_code: str, visit: Visit
    ) -> None:
        """Change the number in every community where the old one is on file.

        The account goes along, with its payments, unless the new number has one already; then the
        houses are bound to that one. Every device is signed out.

        Raises:
            WrongCode: one of the codes is wrong; each guess costs a try of both.
            PhoneTaken: another owner of one of the communities has the new number.
        """
        actor.must(Permission.MANAGE_OWN_BINDINGS)
        number = normalise_phone(new_phone)

        def work(tx: Transaction) -> bool:
            account = _lock_account(tx, actor)
            proven = [
                self.codes.take(
                    tx, phone=phone, purpose=purpose, code=code, visit=visit, spends=True
                )
                for phone, purpose, code in (
                    (account.phone, OLD_PHONE, old_code),
                    (number, NEW_PHONE, new_code),
                )
            ]
            if not all(proven):
                return False
            _change(tx, actor, account, number)
            return True

        # A wrong guess must be committed, so it is an answer and not an exception in there.
        if not run_with_phone(self.unit_of_work, work):
            raise WrongCode


def _change(tx: Transaction, actor: Actor, account: Account, number: str) -> None:
    old_number = account.phone
    phones = tx.session.scalars(
        select(OwnerPhone)
        .where(OwnerPhone.phone == old_number, OwnerPhone.opens_houses)
        .order_by(OwnerPhone.owner_id)
        .with_for_update()
    ).all()
    taken = tx.session.scalars(
        select(OwnerPhone.id).where(
            OwnerPhone.phone == number,
            OwnerPhone.community_id.in_([phone.community_id for phone in phones]),
        )
    ).first()
    if taken is not None:
        raise PhoneTaken
    has_account = tx.session.scalars(select(Account.id).where(Account.phone == number)).first()
    if has_account is None:
        account.phone = number
        tx.session.flush()
    for phone in phones:
        owner = tx.session.execute(
            select(Owner).where(Owner.id == phone.owner_id).with_for_update()
        ).scalar_one()
        replace_phone(tx, actor, owner, phone, number)
        note_owner(
            tx,
            actor,
            "owner_phone_changed",
            owner,
            before={"phone": mask_phone(old_number)},
            after={"phone": mask_phone(number), "proof": "codes"},
            reason="业主本人更换手机号",
        )
    end_sessions(tx, [account.id])


def _lock_account(tx: Transaction, actor: Actor) -> Account:
    account = tx.session.execute(
        select(Account).where(Account.id == actor.account_id, Account.is_active).with_for_update()
    ).scalar_one_or_none()
    if account is None:
        raise NotSignedIn
    return account

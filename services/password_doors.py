"""The step that every door by password takes: one counted look, then whatever it opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import select

from domain.errors import Conflict, InvalidInput, NotSignedIn, PropertyError
from models import Account, Staff
from services.passwords import Passwords
from services.sign_in_attempts import Visit, close_attempt, open_attempt
from services.unit_of_work import Transaction, UnitOfWork

Person = TypeVar("Person", Account, Staff)
T = TypeVar("T")

_NAME_LIMIT = 40


class WrongCredentials(NotSignedIn):
    """Login name or password is wrong, or the account is switched off: never told which."""

    code = "wrong_credentials"
    message = "登录名或密码不正确"


class LoginNameTaken(Conflict):
    """Another account has the login name."""

    code = "login_name_taken"
    message = "登录名已被使用"


def check_login_name(login_name: str) -> dict[str, list[str]]:
    """Tell what is wrong with a login name; nothing if it can be used."""
    if 1 <= len(login_name) <= _NAME_LIMIT and login_name.isprintable() and " " not in login_name:
        return {}
    return {"login_name": [f"请填写登录名，{_NAME_LIMIT} 字以内，不含空格"]}


def refuse_login_name(login_name: str) -> None:
    """Refuse a login name that cannot be used.

    Raises:
        InvalidInput: it is empty, too long, or has spaces or marks that cannot be seen.
    """
    if fields := check_login_name(login_name):
        raise InvalidInput(fields=fields)


def prove(
    unit_of_work: UnitOfWork,
    passwords: Passwords,
    people: type[Person],
    *,
    door: str,
    login_hmac: str,
    login_name: str,
    password: str,
    visit: Visit,
    second: Callable[[Transaction, Person, int], PropertyError | None] | None = None,
    then: Callable[[Transaction, Person], T],
) -> T:
    """Look at a password and, if it is right, do a step with the locked row of its owner.

    The attempt is counted before the look, known and unknown names take the same statements and
    one look at a hash, and the hash is made outside of transactions. ``second`` looks at a second
    factor; what it returns is a refusal whose traces stay.

    Raises:
        SignInTooSoon: too many wrong ones came before.
        WrongCredentials: it is not right, or was handed out too long ago.
        PropertyError: what ``second`` returned.
    """

    def begin(tx: Transaction) -> tuple[int, Person | None]:
        attempt_id = open_attempt(tx, door=door, login_hmac=login_hmac, visit=visit)
        found = select(people).where(people.login_name == login_name, people.is_active)
        return attempt_id, tx.session.execute(found).scalar_one_or_none()

    attempt_id, person = unit_of_work.run(begin)
    seen_hash = person.password_hash if person else ""
    if not passwords.is_right(seen_hash, password) or person is None:
        raise WrongCredentials
    kept_hash, person_id = passwords.renewed(seen_hash, password), person.id

    def finish(tx: Transaction) -> T | PropertyError:
        person = tx.session.execute(
            select(people).where(people.id == person_id).with_for_update()
        ).scalar_one()
        has_lapsed = person.one_time_until is not None and person.one_time_until <= tx.now
        if not person.is_active or person.password_hash != seen_hash or has_lapsed:
            return WrongCredentials()
        if second and (refusal := second(tx, person, attempt_id)):
            return refusal
        close_attempt(tx, attempt_id, "passed")
        person.password_hash = kept_hash
        return then(tx, person)

    proven = unit_of_work.run(finish)
    if isinstance(proven, PropertyError):
        raise proven
    return proven

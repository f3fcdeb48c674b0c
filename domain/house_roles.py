"""What each person of a house may do: the role gives it, the owner may decide otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PersonRole(StrEnum):
    """What a person is to a house: 产权人/共有人/家庭成员/租客/联系人."""

    TITLE_HOLDER = "title_holder"
    CO_OWNER = "co_owner"
    FAMILY = "family"
    TENANT = "tenant"
    CONTACT = "contact"


ROLE_SHOWN = {
    "title_holder": "产权人",
    "co_owner": "共有人",
    "owner": "业主",
    "family": "家庭成员",
    "tenant": "租客",
    "contact": "联系人",
}
OWNING_ROLES = ("title_holder", "co_owner")


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do about a house; None is what their role gives."""

    may_see_bills: bool | None = None
    may_pay: bool | None = None
    may_report: bool | None = None


NO_DECISION = Rights()


def rights_of(role: str, chosen: Rights) -> Rights:
    """Tell what a role with the owner's decisions comes to.

    Owners may do all, always; family sees, pays and reports unless an owner says otherwise; a
    tenant reports, and sees and pays only where an owner allows it; a contact has no account.
    Who may not see bills may not pay them either.

    Source: domain.md D11.
    """
    if role in ("owner", *OWNING_ROLES):
        return Rights(True, True, True)
    usual = role == "family"
    sees = usual if chosen.may_see_bills is None else chosen.may_see_bills
    pays = usual if chosen.may_pay is None else chosen.may_pay
    reports = role != "contact" if chosen.may_report is None else chosen.may_report
    return Rights(sees, sees and pays, reports)

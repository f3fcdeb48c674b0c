import pytest

from domain.house_roles import NO_DECISION, Rights, rights_of

ALL = Rights(True, True, True)


@pytest.mark.parametrize(
    ("role", "chosen", "rights"),
    [
        ("owner", NO_DECISION, ALL),
        ("title_holder", Rights(False, False, False), ALL),
        ("co_owner", NO_DECISION, ALL),
        ("family", NO_DECISION, ALL),
        ("family", Rights(may_pay=False), Rights(True, False, True)),
        ("family", Rights(may_see_bills=False), Rights(False, False, True)),
        ("tenant", NO_DECISION, Rights(False, False, True)),
        ("tenant", Rights(may_see_bills=True), Rights(True, False, True)),
        ("tenant", Rights(may_see_bills=True, may_pay=True), ALL),
        ("tenant", Rights(may_pay=True), Rights(False, False, True)),
        ("tenant", Rights(may_report=False), Rights(False, False, False)),
        ("contact", NO_DECISION, Rights(False, False, False)),
    ],
)
def test_the_role_gives_and_the_owner_decides(role, chosen, rights):
    """Source: domain.md D11."""
    assert rights_of(role, chosen) == rights

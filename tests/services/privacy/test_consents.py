import pytest

from domain.actors import Permission, visitor
from domain.consents import ConsentKind, still_needed
from domain.errors import NotAllowed
from services.privacy.consents import ConsentOutdated
from services.sign_in_attempts import Visit
from tests import factories
from tests.factories import actor_without

POLICY, TERMS, MARKETING = (
    ConsentKind.PRIVACY_POLICY,
    ConsentKind.TERMS,
    ConsentKind.MARKETING,
)
PHONE = "19900000001"


@pytest.fixture
def owner(database, app):
    with database.session() as session:
        return factories.owner(factories.make_account(session, phone=PHONE))


@pytest.fixture
def consents(services):
    return services.consents


@pytest.fixture
def version(consents):
    return consents.current[POLICY]


@pytest.fixture
def history(database):
    return lambda: [
        (row["kind"], row["act"], row["version"], row["channel"])
        for row in database.rows("SELECT * FROM consent ORDER BY id")
    ]


@pytest.fixture
def sign_in(services, last_code):
    def sign_in():
        services.login.request_code(actor=visitor(), phone=PHONE, visit=Visit("10.0.0.1"))
        return services.login.sign_in_by_code(
            actor=visitor(), phone=PHONE, code=last_code(PHONE), visit=Visit("10.0.0.1")
        )

    return sign_in


class TestStillNeeded:
    @pytest.mark.parametrize(
        ("held", "needed"),
        [
            ({}, (POLICY, TERMS)),
            ({POLICY: "2"}, (TERMS,)),
            ({POLICY: "1", TERMS: "2"}, (POLICY,)),
            ({POLICY: "2", TERMS: "2"}, ()),
        ],
    )
    def test_what_is_not_agreed_to_in_its_current_version(self, held, needed):
        assert still_needed(held, dict.fromkeys(ConsentKind, "2")) == needed


class TestGive:
    def test_is_on_record_with_version_and_way(self, consents, owner, version, history, audit):
        consents.give(actor=owner, kind=POLICY, version=version)

        assert history() == [("privacy_policy", "given", version, "web")]
        assert audit("consent_given") == [
            {"kind": "privacy_policy", "version": version, "channel": "web"}
        ]

    def test_twice_is_once(self, consents, owner, version, history):
        for _ in range(2):
            consents.give(actor=owner, kind=POLICY, version=version)

        assert len(history()) == 1

    def test_at_the_same_moment_is_once(self, consents, owner, version, history, together):
        give = lambda: consents.give(actor=owner, kind=POLICY, version=version)  # noqa: E731

        together(give, give, give)

        assert len(history()) == 1

    def test_only_the_version_of_now(self, consents, owner, history):
        with pytest.raises(ConsentOutdated):
            consents.give(actor=owner, kind=POLICY, version="2001-01-01")

        assert history() == []


class TestWithdraw:
    def test_adds_to_the_history(self, consents, owner, version, history):
        consents.give(actor=owner, kind=POLICY, version=version)

        consents.withdraw(actor=owner, kind=POLICY)

        assert [act for _, act, _, _ in history()] == ["given", "withdrawn"]

    def test_what_was_never_given_is_no_row(self, consents, owner, history):
        consents.withdraw(actor=owner, kind=MARKETING)

        assert history() == []

    def test_may_be_given_again(self, consents, owner, version, history):
        consents.give(actor=owner, kind=POLICY, version=version)
        consents.withdraw(actor=owner, kind=POLICY)

        consents.give(actor=owner, kind=POLICY, version=version)

        assert [act for _, act, _, _ in history()] == ["given", "withdrawn", "given"]


class TestListOwn:
    def test_tells_how_one_stands(self, consents, owner, version, clock):
        consents.give(actor=owner, kind=POLICY, version=version)

        policy, terms, marketing = consents.list_own(actor=owner)

        assert (policy.agreed_version, policy.given_at, policy.is_needed) == (
            version,
            clock.now(),
            False,
        )
        assert (terms.agreed_version, terms.given_at, terms.is_needed) == ("", None, True)
        assert not marketing.is_needed

    def test_tells_since_when_not(self, consents, owner, version, clock):
        consents.give(actor=owner, kind=POLICY, version=version)
        consents.withdraw(actor=owner, kind=POLICY)

        policy = consents.list_own(actor=owner)[0]

        assert (policy.agreed_version, policy.withdrawn_at) == ("", clock.now())
        assert policy.is_needed

    def test_is_ones_own(self, consents, owner, version, database):
        with database.session() as session:
            other = factories.owner(factories.make_account(session, phone="19900000002"))
        consents.give(actor=owner, kind=POLICY, version=version)

        assert consents.list_own(actor=other)[0].is_needed

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("list_own", {}),
            ("give", {"kind": POLICY, "version": "x"}),
            ("withdraw", {"kind": POLICY}),
        ],
        ids=["list_own", "give", "withdraw"],
    )
    def test_asks_for_the_permission(self, consents, name, values):
        with pytest.raises(NotAllowed):
            getattr(consents, name)(actor=actor_without(Permission.MANAGE_OWN_PRIVACY), **values)


class TestSigningIn:
    def test_tells_what_is_asked(self, sign_in):
        assert sign_in().consent_needed == (POLICY, TERMS)

    def test_after_withdrawing_it_is_asked_again(self, consents, sign_in, owner, version, clock):
        for kind in (POLICY, TERMS):
            consents.give(actor=owner, kind=kind, version=version)
        assert sign_in().consent_needed == ()
        consents.withdraw(actor=owner, kind=POLICY)
        clock.advance(minutes=2)

        assert sign_in().consent_needed == (POLICY,)

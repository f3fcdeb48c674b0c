from datetime import timedelta

import pytest

from domain.actors import DataScope, Permission, operator, visitor
from domain.errors import InvalidInput, NotAllowed, NotFound, NotSignedIn
from services.bills.own_bills import BillFilter
from services.people.phones import PhoneProof
from services.people.rows import PhoneTaken
from services.phone_codes import CodeTooSoon, WrongCode
from services.sign_in_attempts import Visit
from tests import factories
from tests.factories import actor_without

NEW = "18800000001"
HOME = Visit("10.0.0.1")
DESK = Visit("10.0.0.2")
PAPER = PhoneProof(paper="身份证原件及购房合同")


@pytest.fixture
def phones(services):
    return services.owner_phones


@pytest.fixture
def change(phones, place):
    def change(new_phone=NEW, proof=PAPER, actor=None, phone_id=None, owner_id=None, reason="换号"):
        phones.change(
            actor=actor or place.clerk,
            owner_id=owner_id or place.owner_id,
            phone_id=phone_id,
            new_phone=new_phone,
            proof=proof,
            reason=reason,
            visit=DESK,
        )

    return change


@pytest.fixture
def on_file(database):
    return lambda: [
        (row["phone"], row["is_primary"])
        for row in database.rows("SELECT * FROM owner_phone ORDER BY is_primary DESC, id")
    ]


@pytest.fixture
def device(services, database, place):
    """A signed-in device of the owner; says whether it still is."""
    with database.session() as session:
        account = session.get_one(factories.Account, place.account_id)
        token = factories.make_session(session, account=account)

    def is_in():
        try:
            services.login.authenticate(token=token)
        except NotSignedIn:
            return False
        return True

    return is_in


class TestMorePhones:
    def test_another_phone_opens_the_houses_too(self, phones, place, sign_up, services, on_file):
        wife = sign_up(NEW)

        phones.add(
            actor=place.clerk,
            owner_id=place.owner_id,
            phone=NEW,
            label="妻子",
            reason="业主要求",
        )

        assert on_file() == [(place.phone, True), (NEW, False)]
        [house] = services.estate.list_own_houses(actor=wife)
        assert house.id == place.house_id

    @pytest.mark.parametrize("whose", ["own", "other"])
    def test_a_phone_that_is_on_file_already(self, phones, place, database, whose):
        phone = place.phone
        if whose == "other":
            with database.session() as session:
                house = session.get_one(factories.House, place.house_id)
                phone = factories.make_owner(session, house=house, role="family").phone

        with pytest.raises(PhoneTaken):
            phones.add(actor=place.clerk, owner_id=place.owner_id, phone=phone, reason="x")

    def test_the_first_phone_of_an_owner_is_the_primary_one(self, phones, place, database):
        with database.session() as session:
            owner = factories.make_owner(session, community_id=place.community_id, phone=None)

        phones.add(actor=place.clerk, owner_id=owner.id, phone=NEW, label="本人", reason="x")

        [row] = database.rows("SELECT * FROM owner_phone WHERE owner_id = :id", id=owner.id)
        assert (row["is_primary"], row["label"]) == (True, "本人")
        assert database.value("SELECT phone FROM owner WHERE id = :id", id=owner.id) == NEW

    def test_what_rested_on_a_phone_goes_with_it(
        self, phones, place, services, device, bindings, on_file, audit
    ):
        [phone] = services.owners.show(actor=place.clerk, owner_id=place.owner_id).phones

        phones.remove(
            actor=place.clerk, owner_id=place.owner_id, phone_id=phone.id, reason="号码已注销"
        )

        assert on_file() == []
        assert bindings() == [(place.house_id, place.account_id, "owner", "revoked", "phone")]
        assert not device()
        assert audit("owner_phone_removed")[0]["after"] == {"binding_count": 1}

    def test_a_phone_of_somebody_else_is_not_there(self, phones, place, database):
        with database.session() as session:
            other = factories.make_owner(session, community_id=place.community_id)
        [phone] = database.rows("SELECT id FROM owner_phone WHERE owner_id = :id", id=other.id)

        with pytest.raises(NotFound):
            phones.remove(
                actor=place.clerk, owner_id=place.owner_id, phone_id=phone["id"], reason="x"
            )


class TestChange:
    def test_ends_what_rested_on_the_old_one_and_binds_the_new(
        self, change, place, sign_up, services, bindings, on_file, device, audit
    ):
        again = sign_up(NEW)

        change()

        assert on_file() == [(NEW, True)]
        assert bindings() == [
            (place.house_id, place.account_id, "owner", "revoked", "phone"),
            (place.house_id, again.account_id, "owner", "active", ""),
        ]
        assert not device()
        assert services.estate.list_own_houses(actor=place.owner) == []
        assert audit("owner_phone_changed") == [
            {
                "before": {"phone": f"{place.phone[:3]}****{place.phone[-4:]}"},
                "after": {
                    "phone": "188****0001",
                    "proof": "身份证原件及购房合同",
                    "binding_count": 1,
                },
                "reason": "换号",
            }
        ]

    def test_whoever_gets_the_old_number_gets_none_of_the_houses(
        self, change, place, services, simulator, queue, last_code
    ):
        change()

        services.login.request_code(actor=visitor(), phone=place.phone, visit=HOME)
        signed_in = services.login.sign_in_by_code(
            actor=visitor(), phone=place.phone, code=last_code(place.phone), visit=HOME
        )

        assert signed_in.house_count == 0
        stranger = services.login.authenticate(token=signed_in.token)
        assert services.estate.list_own_houses(actor=stranger) == []
        assert not services.own_bills.list_own(
            actor=stranger, which=BillFilter.ALL, house_id=None, before_id=None, limit=5
        )

    def test_the_new_phone_is_told(self, change, place, database):
        change()

        [message] = database.rows("SELECT * FROM outbox_message WHERE kind = 'house_registered'")
        assert message["recipient"] == NEW
        assert message["payload"]["house"] == "3栋1单元502"

    def test_no_wechat_opens_the_old_account_without_a_code(self, change, place, database):
        with database.session() as session:
            account = session.get_one(factories.Account, place.account_id)
            factories.make_identity(session, account=account, appid="wx1")

        change()

        assert database.value("SELECT account_id FROM wechat_identity") is None

    def test_a_wechat_stays_where_the_number_is_still_on_file(self, change, place, database):
        with database.session() as session:
            account = session.get_one(factories.Account, place.account_id)
            factories.make_identity(session, account=account, appid="wx1")
            elsewhere = factories.make_house(session)
            factories.make_owner(session, house=elsewhere, phone=place.phone)

        change()

        assert database.value("SELECT account_id FROM wechat_identity") == place.account_id

    def test_another_phone_may_be_the_one_that_changes(self, change, phones, place, on_file):
        phone_id = phones.add(
            actor=place.clerk, owner_id=place.owner_id, phone="18800000009", reason="x"
        )

        change(phone_id=phone_id)

        assert on_file() == [(place.phone, True), (NEW, False)]

    def test_a_number_of_another_owner_is_refused_and_nothing_changes(
        self, change, place, database, bindings, on_file
    ):
        with database.session() as session:
            factories.make_owner(session, community_id=place.community_id, phone=NEW)
        before = on_file(), bindings()

        with pytest.raises(PhoneTaken):
            change()

        assert (on_file(), bindings()) == before

    @pytest.mark.parametrize(
        "proof", [PhoneProof(), PhoneProof("123456", "证件"), PhoneProof("", "x")]
    )
    def test_only_with_one_proof(self, change, proof):
        with pytest.raises(InvalidInput) as refusal:
            change(proof=proof)

        assert "proof" in refusal.value.fields

    def test_the_same_number_is_no_change(self, change, place):
        with pytest.raises(InvalidInput):
            change(new_phone=place.phone)

    def test_by_the_code_that_was_sent_to_it(self, change, phones, place, last_code, on_file):
        phones.send_code(actor=place.clerk, owner_id=place.owner_id, phone=NEW, visit=DESK)

        change(proof=PhoneProof(code=last_code(NEW)))

        assert on_file() == [(NEW, True)]

    def test_five_wrong_guesses_use_the_code_up(self, change, phones, place, last_code, on_file):
        phones.send_code(actor=place.clerk, owner_id=place.owner_id, phone=NEW, visit=DESK)
        code = last_code(NEW)
        wrong = f"{(int(code) + 1) % 1_000_000:06d}"

        for guess in [wrong] * 5 + [code]:
            with pytest.raises(WrongCode):
                change(proof=PhoneProof(code=guess))

        assert on_file() == [(place.phone, True)]

    def test_a_code_for_signing_in_proves_nothing_here(self, change, services, last_code):
        services.login.request_code(actor=visitor(), phone=NEW, visit=HOME)

        with pytest.raises(WrongCode):
            change(proof=PhoneProof(code=last_code(NEW)))

    def test_codes_are_few(self, phones, place):
        phones.send_code(actor=place.clerk, owner_id=place.owner_id, phone=NEW, visit=DESK)

        with pytest.raises(CodeTooSoon):
            phones.send_code(actor=place.clerk, owner_id=place.owner_id, phone=NEW, visit=DESK)

    def test_two_at_once_for_one_number_leave_one(self, phones, place, database, together):
        with database.session() as session:
            other = factories.make_owner(session, community_id=place.community_id)

        def change(owner_id):
            phones.change(
                actor=place.clerk,
                owner_id=owner_id,
                phone_id=None,
                new_phone=NEW,
                proof=PAPER,
                reason="x",
                visit=DESK,
            )

        results = together(lambda: change(place.owner_id), lambda: change(other.id))

        assert sorted(type(result).__name__ for result in results) == ["NoneType", "PhoneTaken"]


class TestOwnChange:
    @pytest.fixture
    def confirm(self, services, place, last_code):
        def confirm(new_phone=NEW, visit=HOME, **codes):
            services.own_phone.request(actor=place.owner, new_phone=new_phone, visit=HOME)
            codes = {"old_code": last_code(place.phone), "new_code": last_code(new_phone)} | codes
            services.own_phone.confirm(actor=place.owner, new_phone=new_phone, visit=HOME, **codes)

        return confirm

    def test_the_account_goes_along(self, confirm, place, on_file, bindings, database, device):
        confirm()

        assert on_file() == [(NEW, True)]
        assert bindings() == [(place.house_id, place.account_id, "owner", "active", "")]
        assert database.value("SELECT phone FROM account") == NEW
        assert not device()

    def test_in_every_community(self, confirm, place, database, on_file):
        with database.session() as session:
            factories.make_owner(session, house=factories.make_house(session), phone=place.phone)

        confirm()

        assert on_file() == [(NEW, True), (NEW, True)]

    def test_to_a_number_that_has_an_account_the_houses_go_there(
        self, confirm, place, sign_up, bindings
    ):
        other = sign_up(NEW)

        confirm()

        assert bindings() == [
            (place.house_id, place.account_id, "owner", "revoked", "phone"),
            (place.house_id, other.account_id, "owner", "active", ""),
        ]

    @pytest.mark.parametrize("which", ["old_code", "new_code"])
    def test_both_codes_are_needed(self, confirm, place, on_file, which):
        with pytest.raises(WrongCode):
            confirm(**{which: "not it"})

        assert on_file() == [(place.phone, True)]

    def test_a_number_of_another_owner_of_a_community(self, confirm, place, database, on_file):
        with database.session() as session:
            factories.make_owner(session, community_id=place.community_id, phone=NEW)

        with pytest.raises(PhoneTaken):
            confirm()

    def test_asking_does_not_tell_whose_a_number_is(self, services, place, database):
        with database.session() as session:
            factories.make_owner(session, community_id=place.community_id, phone=NEW)

        services.own_phone.request(actor=place.owner, new_phone=NEW, visit=HOME)

    def test_the_old_number_is_no_new_one(self, services, place):
        with pytest.raises(InvalidInput):
            services.own_phone.request(actor=place.owner, new_phone=place.phone, visit=HOME)

    def test_codes_go_stale(self, services, place, clock, last_code):
        services.own_phone.request(actor=place.owner, new_phone=NEW, visit=HOME)
        codes = {"old_code": last_code(place.phone), "new_code": last_code(NEW)}
        clock.set(clock.now() + timedelta(minutes=5))

        with pytest.raises(WrongCode):
            services.own_phone.confirm(actor=place.owner, new_phone=NEW, visit=HOME, **codes)

    def test_only_owners(self, services, place):
        for refused in (
            lambda: services.own_phone.request(actor=visitor(), new_phone=NEW, visit=HOME),
            lambda: services.own_phone.confirm(
                actor=visitor(), new_phone=NEW, old_code="1", new_code="2", visit=HOME
            ),
        ):
            with pytest.raises(NotAllowed):
                refused()


class TestReveal:
    def test_who_looked_and_why_is_kept(self, phones, place, audit):
        assert phones.reveal(actor=place.clerk, owner_id=place.owner_id, reason="电话催缴") == [
            place.phone
        ]
        phones.reveal(actor=operator(), owner_id=place.owner_id, reason="核对")

        seen = phones.list_reveals(actor=place.cashier, owner_id=place.owner_id)
        assert [(one.who, one.reason) for one in seen] == [
            ("命令行", "核对"),
            (place.clerk.name, "电话催缴"),
        ]
        assert len(audit("owner_phone_revealed")) == 2
        assert place.phone not in str(audit("owner_phone_revealed"))

    def test_not_without_a_reason(self, phones, place, database):
        with pytest.raises(InvalidInput):
            phones.reveal(actor=place.clerk, owner_id=place.owner_id, reason=" ")

        assert database.value("SELECT count(*) FROM phone_reveal") == 0

    def test_not_out_of_scope(self, phones, place, database):
        with database.session() as session:
            stranger = factories.staff(session, scope=DataScope(frozenset({404})))

        for refused in (
            lambda: phones.reveal(actor=stranger, owner_id=place.owner_id, reason="x"),
            lambda: phones.list_reveals(actor=stranger, owner_id=place.owner_id),
        ):
            with pytest.raises(NotFound):
                refused()

    @pytest.mark.parametrize("actor", [visitor(), actor_without(Permission.REVEAL_PHONES)])
    def test_only_with_the_permission(self, phones, place, actor):
        with pytest.raises(NotAllowed):
            phones.reveal(actor=actor, owner_id=place.owner_id, reason="x")

    def test_a_cashier_may_not(self, phones, place):
        with pytest.raises(NotAllowed):
            phones.reveal(actor=place.cashier, owner_id=place.owner_id, reason="x")


@pytest.mark.parametrize("actor", [visitor(), actor_without(Permission.MANAGE_OWNERS)])
def test_only_with_the_permission(phones, place, actor):
    whose = {"actor": actor, "owner_id": place.owner_id}

    for refused in (
        lambda: phones.add(phone=NEW, reason="x", **whose),
        lambda: phones.remove(phone_id=1, reason="x", **whose),
        lambda: phones.send_code(phone=NEW, visit=DESK, **whose),
        lambda: phones.change(
            phone_id=None, new_phone=NEW, proof=PAPER, reason="x", visit=DESK, **whose
        ),
    ):
        with pytest.raises(NotAllowed):
            refused()

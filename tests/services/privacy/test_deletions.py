from datetime import timedelta
from functools import partial

import pytest

from domain.actors import Permission, visitor
from domain.consents import ConsentKind
from domain.errors import InvalidInput, NotAllowed, NotFound, NotSignedIn
from services.people.applications import WantedBinding
from services.people.invitations import Invited
from services.people.rows import PhoneTaken
from services.phone_codes import CodeTooSoon, WrongCode
from services.privacy.deletions import DeletionBlocked, DeletionUnderWay
from services.recipients import owner_openids
from tests import factories
from tests.factories import actor_without
from tests.services.privacy.conftest import HOME, SYSTEM

PHONE = "19900000001"
ON_FILE = {"owner.phone", "owner_phone.phone"}
"""The title register of the property company."""


@pytest.fixture
def deletions(services):
    return services.account_deletions


@pytest.fixture
def sign_in(services, last_code, clock):
    def sign_in(phone=PHONE):
        clock.advance(minutes=2)
        services.login.request_code(actor=visitor(), phone=phone, visit=HOME)
        return services.login.sign_in_by_code(
            actor=visitor(), phone=phone, code=last_code(phone), visit=HOME
        )

    return sign_in


@pytest.fixture
def standing(database):
    """Where in the whole database some words stand, as table.column."""

    def standing(words):
        columns = database.rows(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name NOT LIKE 'pg%'"
        )
        return {
            f"{one['table_name']}.{one['column_name']}"
            for one in columns
            if database.value(
                f"SELECT count(*) FROM {one['table_name']}"
                f" WHERE \"{one['column_name']}\"::text LIKE '%' || :words || '%'",
                words=words,
            )
        }

    return standing


class TestPreview:
    def test_tells_what_goes_and_what_stays_until_when(self, deletions, payer):
        told = deletions.preview(actor=payer.actor)

        goes = {line.title: line.fate for line in told.goes}
        stays = {line.title: line.fate for line in told.stays}
        assert goes["微信身份"] == "删除"
        assert "30 年" in stays["缴费"]
        assert "业主档案" in stays
        assert (told.blocked_by, told.due_at) == ((), None)

    def test_says_what_is_in_the_way(self, deletions, payer, pay):
        pay(payer)

        assert deletions.preview(actor=payer.actor).blocked_by == ("有未完成的支付",)

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("preview", {}),
            ("send_code", {"visit": HOME}),
            ("ask", {"code": "1", "visit": HOME}),
            ("cancel", {}),
        ],
    )
    def test_asks_for_the_permission(self, deletions, name, values):
        with pytest.raises(NotAllowed):
            getattr(deletions, name)(actor=actor_without(Permission.MANAGE_OWN_PRIVACY), **values)


class TestAsk:
    def test_takes_a_week(self, deletions, payer, ask_deletion, clock, audit):
        told = ask_deletion(payer)

        assert told.due_at == clock.now() + timedelta(days=7)
        assert audit("account_deletion_asked")

    def test_a_code_opens_it_once(self, deletions, payer, ask_deletion, last_code):
        ask_deletion(payer)
        code = last_code(PHONE)
        deletions.cancel(actor=payer.actor)

        with pytest.raises(WrongCode):
            deletions.ask(actor=payer.actor, code=code, visit=HOME)

    def test_a_code_to_sign_in_does_not(self, deletions, services, payer, last_code):
        services.login.request_code(actor=visitor(), phone=PHONE, visit=HOME)

        with pytest.raises(WrongCode):
            deletions.ask(actor=payer.actor, code=last_code(PHONE), visit=HOME)

    def test_codes_are_not_sent_at_will(self, deletions, payer):
        deletions.send_code(actor=payer.actor, visit=HOME)

        with pytest.raises(CodeTooSoon):
            deletions.send_code(actor=payer.actor, visit=HOME)

    def test_a_disabled_account_is_out(self, deletions, payer, database):
        database.do("UPDATE account SET is_active = false")

        with pytest.raises(NotSignedIn):
            deletions.ask(actor=payer.actor, code="x", visit=HOME)

    def test_each_wrong_guess_costs_a_try(self, deletions, payer, database):
        deletions.send_code(actor=payer.actor, visit=HOME)

        with pytest.raises(WrongCode):
            deletions.ask(actor=payer.actor, code="x", visit=HOME)

        assert database.value("SELECT tries_left FROM login_code") == 4

    def test_twice_is_refused(self, deletions, payer, ask_deletion):
        ask_deletion(payer)

        with pytest.raises(DeletionUnderWay):
            deletions.ask(actor=payer.actor, code="x", visit=HOME)

    def test_not_while_money_is_on_its_way(self, deletions, payer, pay, database):
        pay(payer)
        deletions.send_code(actor=payer.actor, visit=HOME)

        with pytest.raises(DeletionBlocked, match="有未完成的支付"):
            deletions.ask(actor=payer.actor, code="x", visit=HOME)

        assert database.value("SELECT tries_left FROM login_code") == 5

    @pytest.mark.breaks_promises
    def test_not_while_a_refund_is(self, deletions, paid, database):
        database.do(
            "INSERT INTO refund (community_id, refund_no, kind, state, payment_id, channel,"
            " amount_fen, created_at, query_at) SELECT community_id, 'R1', 'payment', 'abnormal',"
            " id, 'wechat', 5, now(), now() FROM payment"
        )

        assert deletions.preview(actor=paid.actor).blocked_by == ("有处理中的退款",)


class TestCancel:
    def test_keeps_the_account(self, deletions, payer, ask_deletion, clock, database):
        ask_deletion(payer)
        deletions.cancel(actor=payer.actor)
        clock.advance(days=8)

        assert deletions.carry_out_due(actor=SYSTEM) == 0
        assert database.value("SELECT phone FROM account") == PHONE

    def test_is_possible_after_signing_in_again(self, deletions, payer, ask_deletion, sign_in):
        ask_deletion(payer)

        assert sign_in().house_count == 1
        deletions.cancel(actor=payer.actor)
        assert deletions.preview(actor=payer.actor).due_at is None

    def test_of_nothing_is_refused(self, deletions, payer):
        with pytest.raises(NotFound):
            deletions.cancel(actor=payer.actor)

    def test_of_anothers_is_refused(self, deletions, payer, ask_deletion, database):
        ask_deletion(payer)
        with database.session() as session:
            other = factories.owner(factories.make_account(session, phone="19900000002"))

        with pytest.raises(NotFound):
            deletions.cancel(actor=other)
        assert deletions.preview(actor=payer.actor).due_at


class TestCarryOut:
    def test_is_for_the_machine(self, deletions):
        with pytest.raises(NotAllowed):
            deletions.carry_out_due(actor=actor_without(Permission.RUN_PLATFORM_WORK))

    def test_not_a_minute_early(self, deletions, payer, ask_deletion, clock):
        ask_deletion(payer)
        clock.advance(days=6, hours=23, minutes=59)

        assert deletions.carry_out_due(actor=SYSTEM) == 0

    def test_nothing_of_the_account_is_left_but_what_is_on_file(
        self, paid, services, close, standing, database, sign_in
    ):
        for kind in (ConsentKind.TERMS, ConsentKind.MARKETING):
            version = services.consents.current[kind]
            services.consents.give(actor=paid.actor, kind=kind, version=version)
        database.do("UPDATE account SET login_name = 'wang', password_hash = 'hash'")
        sign_in()
        services.privacy_exports.ask(actor=paid.actor)
        services.privacy_exports.make_due(actor=SYSTEM)

        assert close(paid) == 1

        assert standing(PHONE) == ON_FILE
        assert standing(paid.openid) == {"payment_order.openid"}
        assert database.rows("SELECT phone, is_active, login_name, password_hash FROM account") == [
            {
                "phone": f"deleted-{paid.account_id}",
                "is_active": False,
                "login_name": None,
                "password_hash": "",
            }
        ]
        assert database.value("SELECT count(*) FROM session_token WHERE revoked_at IS NULL") == 0
        assert database.value("SELECT count(*) FROM house_binding WHERE status = 'active'") == 0
        assert database.value("SELECT count(*) FROM privacy_export WHERE content IS NOT NULL") == 0
        assert database.rows(
            "SELECT kind FROM consent WHERE act = 'withdrawn' AND channel = 'deletion' ORDER BY 1"
        ) == [{"kind": "marketing"}, {"kind": "terms"}]

    def test_money_stays_to_the_fen(self, paid, close, money):
        before = money()

        close(paid)

        assert money() == before

    def test_a_session_of_before_opens_nothing(self, services, payer, close, sign_in):
        token = sign_in().token

        close(payer)

        with pytest.raises(NotSignedIn):
            services.login.authenticate(token=token)

    def test_whoever_has_the_number_next_finds_nothing(self, services, paid, close, sign_in):
        close(paid)

        newcomer = sign_in()

        assert newcomer.house_count == 0
        actor = services.login.authenticate(token=newcomer.token)
        assert actor.account_id != paid.account_id
        services.privacy_exports.ask(actor=actor)
        services.privacy_exports.make_due(actor=SYSTEM)
        assert services.consents.list_own(actor=actor)[0].is_needed

    def test_they_cannot_take_the_phone_on_file_along(
        self, services, paid, close, sign_in, last_code, database, clock
    ):
        """Changing one's own number changes the number on file, where the old one opens it."""
        close(paid)
        newcomer = services.login.authenticate(token=sign_in().token)
        clock.advance(minutes=2)
        services.own_phone.request(actor=newcomer, new_phone="19900000088", visit=HOME)

        services.own_phone.confirm(
            actor=newcomer,
            new_phone="19900000088",
            old_code=last_code(PHONE),
            new_code=last_code("19900000088"),
            visit=HOME,
        )

        assert database.rows("SELECT phone, opens_houses FROM owner_phone") == [
            {"phone": PHONE, "opens_houses": False}
        ]
        assert sign_in("19900000088").house_count == 0

    def test_bills_are_not_told_to_their_wechat(
        self, services, paid, close, sign_in, database, unit_of_work
    ):
        close(paid)
        account_id = services.login.authenticate(token=sign_in().token).account_id
        with database.session() as session:
            factories.make_identity(
                session,
                account=session.get_one(factories.Account, account_id),
                appid="official",
                openid="theirs",
                is_following=True,
            )

        told = unit_of_work.run(lambda tx: owner_openids(tx, house_id=paid.house_id))

        assert told == []

    def test_an_invitation_does_not_make_them_the_former_owner(
        self, services, paid, make_payer, close, sign_in
    ):
        other = make_payer(phone="19900000002", house_id=paid.house_id)
        close(paid)
        newcomer = services.login.authenticate(token=sign_in().token)
        invited = services.invitations.invite(
            actor=other.actor,
            house_id=paid.house_id,
            invited=Invited(phone=PHONE, name="保姆", role="family"),
        )

        with pytest.raises(PhoneTaken):
            services.invitations.accept(actor=newcomer, token=invited.token)

    def test_an_application_must_name_whose_phone_it_is(
        self, services, paid, close, sign_in, database
    ):
        close(paid)
        back = services.login.authenticate(token=sign_in().token)
        with database.session() as session:
            clerk = factories.staff(session, role="customer_service")
            community = session.get_one(factories.Community, paid.community_id).name
        application_id = services.binding_applications.apply(
            actor=back, wanted=WantedBinding(community, "1栋1单元101", "业主1", "owner", "房产证")
        )
        approve = partial(
            services.binding_applications.approve,
            actor=clerk,
            application_id=application_id,
            house_id=paid.house_id,
            reason="到场核实",
        )

        with pytest.raises(InvalidInput):
            approve()
        approve(owner_id=database.value("SELECT id FROM owner"))

        assert database.value("SELECT opens_houses FROM owner_phone")
        assert sign_in().house_count == 1

    def test_no_run_of_binding_gives_them_the_house(self, services, paid, close, sign_in, database):
        close(paid)
        sign_in()
        sign_in()

        assert database.value("SELECT count(*) FROM house_binding WHERE status = 'active'") == 0

    def test_staff_open_the_house_again_by_a_phone(self, services, paid, close, sign_in, database):
        close(paid)
        with database.session() as session:
            clerk = factories.staff(session, role="customer_service")
        owner_id = database.value("SELECT id FROM owner")

        services.owner_phones.add(
            actor=clerk, owner_id=owner_id, phone="19900000055", reason="本人到场核实"
        )

        assert sign_in("19900000055").house_count == 1

    def test_waits_while_money_is_on_its_way(self, deletions, payer, pay, ask_deletion, clock):
        ask_deletion(payer)
        pay(payer)
        clock.advance(days=7)

        assert deletions.carry_out_due(actor=SYSTEM) == 0
        assert deletions.preview(actor=payer.actor).blocked_by

    def test_money_that_comes_after_it_is_booked(
        self, services, payer, pay, settle, close, database
    ):
        """Its order was closed, and then the channel says that it was paid."""
        payment = pay(payer)
        services.payments.cancel(actor=payer.actor, payment_id=payment.id)
        close(payer)

        settle(payment)

        assert database.value("SELECT sum(amount_fen) FROM payment") == payment.amount_fen
        assert database.rows("SELECT snapshot ->> 'payer_phone' AS phone FROM receipt") == [
            {"phone": ""}
        ]
        assert database.value("SELECT count(*) FROM outbox_message WHERE state = 'pending'") == 0

    def test_twice_at_once_is_once(self, deletions, payer, ask_deletion, clock, together, audit):
        ask_deletion(payer)
        clock.advance(days=7)
        carry_out = lambda: deletions.carry_out_due(actor=SYSTEM)  # noqa: E731

        assert sorted(together(carry_out, carry_out)) == [0, 1]
        assert len(audit("account_deleted")) == 1

    def test_one_that_fails_does_not_hold_up_the_next(
        self, deletions, payer, make_payer, ask_deletion, clock, test_engine, database
    ):
        other = make_payer(phone="19900000002")
        ask_deletion(payer)
        ask_deletion(other, "19900000002")
        clock.advance(days=8)
        rule = "ALTER TABLE account {} CONSTRAINT ck_account_stays"
        with test_engine.begin() as connection:
            connection.exec_driver_sql(
                rule.format("ADD") + f" CHECK (id <> {payer.account_id} OR is_active)"
            )
        try:
            assert deletions.carry_out_due(actor=SYSTEM) == 1
        finally:
            with test_engine.begin() as connection:
                connection.exec_driver_sql(rule.format("DROP"))

        assert deletions.carry_out_due(actor=SYSTEM) == 1

    def test_a_neighbours_account_is_as_before(self, paid, make_payer, close, database):
        other = make_payer(300, phone="19900000002", house_id=paid.house_id)

        close(paid)

        assert database.value("SELECT phone FROM account WHERE id = :id", id=other.account_id)
        assert (
            database.value(
                "SELECT status FROM house_binding WHERE account_id = :id", id=other.account_id
            )
            == "active"
        )


class TestRequests:
    def test_managers_see_them_masked(self, services, payer, ask_deletion, database):
        ask_deletion(payer)
        services.privacy_exports.ask(actor=payer.actor)
        with database.session() as session:
            manager = factories.staff(session, role="manager")

        found = services.privacy_requests.list_requests(actor=manager)

        assert {(one.kind, one.state, one.phone_masked) for one in found} == {
            ("deletion", "cooling", "199****0001"),
            ("export", "asked", "199****0001"),
        }

    def test_of_a_closed_account_there_is_no_phone(self, services, payer, close, database):
        close(payer)
        with database.session() as session:
            manager = factories.staff(session, role="manager")

        [found] = services.privacy_requests.list_requests(actor=manager)

        assert (found.state, found.phone_masked) == ("done", "")

    def test_a_cashier_does_not(self, services, database, app):
        with database.session() as session:
            cashier = factories.staff(session, role="cashier")

        with pytest.raises(NotAllowed):
            services.privacy_requests.list_requests(actor=cashier)

import pytest

from domain.messages import MESSAGES, MessageKind
from models import House, HousePerson, MessageSetting, Owner, SubscribeQuota
from services.messages.telling import tell_house, tell_houses, tell_staff
from tests import factories

PROGRESS = {"title": "水管漏水", "state": "已派工", "at": "2026年11月25日 10:00", "note": "王师傅"}
BILL = {
    "house": "1栋101",
    "items": "物业费",
    "amount": "210.02",
    "due_on": "2026年12月1日 23:59",
}
WORK = {"title": "水管漏水", "place": "1栋101", "at": "2026年11月25日 10:00"}


@pytest.fixture
def place(database, app):
    """A house with one owner; their ids."""
    with database.session() as session:
        house = factories.make_house(session)
        owner = factories.make_owner(session, house=house)
        return {
            "house": house.id,
            "community": house.community_id,
            "owner": owner.id,
            "phone": owner.phone,
        }


@pytest.fixture
def bind(database, place):
    """Bind a new account to the house; give its id."""

    def bind(role="owner", *, follows=False, quota=0, as_owner=False, **changes):
        with database.session() as session:
            house = session.get_one(House, place["house"])
            owner = session.get_one(Owner, place["owner"])
            account = factories.make_account(
                session,
                owner=owner,
                houses=[house],
                binding_role=role,
                **({} if as_owner else {"phone": changes.pop("phone", "19811110001")}),
            )
            if follows:
                factories.make_identity(
                    session, account=account, appid="official", is_following=True
                )
            if quota:
                mini = factories.make_identity(session, account=account, appid="mini")
                session.add(
                    SubscribeQuota(
                        identity_id=mini.id,
                        template_id="t",
                        quota=quota,
                        changed_at=factories.MADE_AT,
                    )
                )
            return account.id

    return bind


@pytest.fixture
def tell(services, place):
    def tell(kind=MessageKind.REPAIR_PROGRESS, payload=PROGRESS, key="repair:1:assigned", **more):
        return services.outbox.unit_of_work.run(
            lambda tx: tell_house(
                tx,
                kind=kind,
                house_id=place["house"],
                payload=payload,
                event_key=key,
                community_id=place["community"],
                **more,
            )
        )

    return tell


@pytest.fixture
def rows(database):
    return lambda: database.rows("SELECT * FROM outbox_message ORDER BY id")


class TestWays:
    @pytest.mark.parametrize(
        ("quota", "follows", "channel"),
        [
            (1, True, "subscribe"),
            (1, False, "subscribe"),
            (0, True, "official_template"),
            (0, False, "sms"),
        ],
    )
    def test_the_cheapest_that_may_reach(self, bind, tell, rows, quota, follows, channel, database):
        bind(quota=quota, follows=follows, as_owner=True)
        database.do("UPDATE community SET sends_bill_sms = true")

        assert tell(MessageKind.BILL_DUE_SOON, BILL) == 1

        assert [row["channel"] for row in rows()] == [channel]

    def test_without_any_the_visit_list(self, tell, rows):
        tell()

        [row] = rows()
        assert (row["channel"], row["state"], row["recipient"]) == ("visit", "failed", "")

    def test_what_costs_nothing_to_tell_costs_no_sms(self, bind, tell, rows):
        bind(as_owner=True)
        tell()

        assert [row["channel"] for row in rows()] == ["visit"]

    def test_a_community_may_pay_for_it(self, bind, tell, rows, database, place):
        bind(as_owner=True)
        with database.session() as session:
            session.add(
                MessageSetting(
                    community_id=place["community"],
                    kind="repair_progress",
                    uses_wechat=True,
                    uses_sms=True,
                )
            )
        tell()

        assert [(row["channel"], row["recipient"]) for row in rows()] == [("sms", place["phone"])]

    def test_a_community_may_turn_wechat_off(self, bind, tell, rows, database, place):
        bind(as_owner=True, quota=1, follows=True)
        with database.session() as session:
            session.add(
                MessageSetting(
                    community_id=place["community"],
                    kind="repair_progress",
                    uses_wechat=False,
                    uses_sms=False,
                )
            )
        tell()

        assert [row["channel"] for row in rows()] == ["visit"]

    def test_a_community_that_pays_no_bill_sms_pays_none_for_reminders(self, tell, rows, database):
        database.do("UPDATE community SET sends_bill_sms = false")
        tell(MessageKind.BILL_DUE_SOON, BILL)

        assert [(row["channel"], row["fallback_phone"]) for row in rows()] == [("visit", None)]


class TestTellHouse:
    def test_twice_is_once(self, bind, tell, rows):
        bind(follows=True, as_owner=True)

        assert [tell(), tell()] == [1, 0]
        assert len(rows()) == 1

    def test_an_owner_with_an_account_is_one_person(self, bind, tell, rows):
        account_id = bind(follows=True, as_owner=True)

        tell()

        assert [(row["account_id"], row["owner_id"]) for row in rows()] == [(account_id, None)]

    @pytest.mark.parametrize(
        ("role", "kind", "payload", "count"),
        [
            ("tenant", MessageKind.BILL_DUE_SOON, BILL, 0),
            ("family", MessageKind.BILL_DUE_SOON, BILL, 1),
            ("tenant", MessageKind.REPAIR_PROGRESS, PROGRESS, 1),
        ],
    )
    def test_only_who_may_see_such_a_thing(self, bind, tell, rows, role, kind, payload, count):
        account_id = bind(role, follows=True)

        tell(kind, payload)

        assert len([row for row in rows() if row["account_id"] == account_id]) == count

    @pytest.mark.parametrize(
        "gone",
        [
            "UPDATE house_binding SET status = 'revoked'",
            "UPDATE house_binding SET live_until = '2020-01-02'",
            "UPDATE account SET is_active = false",
        ],
    )
    def test_nobody_who_has_left(self, bind, tell, rows, database, gone):
        account_id = bind("tenant", follows=True)
        database.do(gone)

        tell()

        assert account_id not in [row["account_id"] for row in rows()]

    def test_an_owner_of_before_is_not_told(self, tell, rows, database):
        database.do("UPDATE house_person SET person_until = '2020-02-01'")

        assert tell() == 0

    def test_one_account_alone(self, bind, tell, rows):
        first = bind(follows=True, as_owner=True)
        bind("family", follows=True)

        assert tell(only_account_id=first) == 1
        assert [row["account_id"] for row in rows()] == [first]

    def test_a_payload_that_lacks_a_key_fails_at_once(self, tell):
        with pytest.raises(KeyError, match="note"):
            tell(payload={"title": "水管漏水"})

    @pytest.mark.parametrize(
        ("kind", "waits"),
        [(MessageKind.BILL_DUE_SOON, True), (MessageKind.PAYMENT_RECEIVED, False)],
    )
    def test_what_is_not_urgent_waits_for_the_day(self, bind, tell, rows, kind, waits):
        bind(follows=True, as_owner=True)
        payload = dict.fromkeys(MESSAGES[kind].template_fields, "1")

        tell(kind, payload)

        assert [row["waits_for_day"] for row in rows()] == [waits]

    def test_a_worker_is_woken(self, tell, queue):
        tell()

        assert ("deliver_messages", {}) in queue.jobs

    def test_somebody_with_two_houses_is_told_once(self, services, database, place, rows):
        with database.session() as session:
            other = factories.make_house(session)
            session.add(
                HousePerson(
                    house_id=other.id,
                    owner_id=place["owner"],
                    role="title_holder",
                    person_from=factories.LONG_AGO,
                )
            )
            house_ids = [place["house"], other.id]
        services.outbox.unit_of_work.run(
            lambda tx: tell_houses(
                tx,
                kind=MessageKind.NOTICE,
                house_ids=house_ids,
                payload={"title": "停水", "community": "翠湖", "at": "2026-11-25"},
                event_key="notice:1",
                community_id=place["community"],
            )
        )

        assert len(rows()) == 1


class TestTellStaff:
    @pytest.fixture
    def staff(self, database, place):
        def staff(**changes):
            with database.session() as session:
                return factories.make_staff(session, **changes).id

        return staff

    @pytest.fixture
    def tell(self, services, place):
        def tell(*staff_ids):
            return services.outbox.unit_of_work.run(
                lambda tx: tell_staff(
                    tx,
                    kind=MessageKind.WORK_ORDER,
                    staff_ids=staff_ids,
                    payload=WORK,
                    event_key="repair:1:assigned",
                    community_id=place["community"],
                )
            )

        return tell

    def test_by_wechat_before_sms_before_mail(self, staff, tell, rows, database):
        followed = staff(phone="19822220001")
        with database.session() as session:
            factories.make_identity(session, appid="official", staff_id=followed, is_following=True)
        called = staff(phone="19822220002", email="b@anju.example")
        written = staff(email="c@anju.example")

        assert tell(followed, called, written) == 3

        assert {row["staff_id"]: row["channel"] for row in rows()} == {
            followed: "official_template",
            called: "sms",
            written: "mail",
        }

    def test_who_cannot_be_reached_or_has_left_is_no_visit(self, staff, tell, rows):
        assert tell(staff(), staff(phone="19822220003", is_active=False)) == 0
        assert rows() == []

    def test_names_the_staff_of_each_row(self, staff, tell, rows):
        one = staff(phone="19822220004")
        tell(one, one)

        assert [row["staff_id"] for row in rows()] == [one]
        assert rows()[0]["payload"] == WORK

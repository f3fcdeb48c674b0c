from datetime import date

import pytest
from sqlalchemy import text

from domain.actors import Permission
from domain.bill_states import BatchCannotMove
from domain.errors import NotAllowed, NotFound
from domain.houses import house_label
from domain.messages import MESSAGES, MessageKind
from domain.money import format_yuan
from models import HouseTransfer, IdempotencyKey, TransferParty
from services.bills.gates import BatchDoesNotAddUp
from services.bills.publication import ContentChanged, Published
from tests import factories
from tests.factories import actor_without

PHONE = "19900000001"
OTHER_PHONE = "19900000002"


@pytest.fixture
def put_owner(database):
    """Put an owner of a house on file; one who follows has an account and an openid."""

    def put_owner(house_id, phone=PHONE, openid=None, **changes):
        with database.session() as session:
            house = session.get_one(factories.House, house_id)
            owner = factories.make_owner(session, house=house, phone=phone, **changes)
            if openid:
                account = factories.make_account(session, owner=owner, houses=[house])
                factories.make_identity(
                    session, account=account, appid="official", openid=openid, is_following=True
                )
            return owner.id

    return put_owner


@pytest.fixture
def house_id(make_houses, make_item):
    """A house that owes 210.02."""
    make_item(code="WY", name="物业费")
    return make_houses("89.37")[0]


@pytest.fixture
def messages(database):
    return lambda: database.rows("SELECT * FROM outbox_message ORDER BY recipient")


@pytest.fixture
def told(messages):
    """Channel and recipient of each message."""
    return lambda: [(message["channel"], message["recipient"]) for message in messages()]


class TestPublish:
    def test_bills_become_payable(self, approved, publish, house_id, bills, state, clock):
        batch_id = approved()

        assert publish(batch_id) == Published(bill_count=1, amount_fen=21002, message_count=0)

        (bill,) = bills()
        assert (bill["state"], bill["published_at"]) == ("published", clock.now())
        assert state(batch_id) == "published"

    def test_it_is_on_record(self, approved, publish, house_id, put_owner, audit):
        put_owner(house_id)

        publish(approved())

        assert audit("batch_published") == [
            {"bill_count": 1, "amount_fen": 21002, "message_count": 1}
        ]

    def test_a_bill_of_zero_is_paid_and_nobody_is_told(
        self,
        generated,
        tick_all,
        approve,
        publish,
        make_houses,
        make_item,
        put_owner,
        bills,
        messages,
    ):
        make_item(price="0.000001")
        put_owner(make_houses("10")[0])
        batch_id = generated()
        tick_all(batch_id)
        approve(batch_id)

        publish(batch_id)

        assert [bill["state"] for bill in bills()] == ["paid"]
        assert messages() == []

    def test_bills_of_other_batches_stay_as_they_are(
        self, approved, generated, publish, house_id, bills
    ):
        batch_id = approved()
        generated(month=date(2026, 9, 1))

        publish(batch_id)

        assert sorted(bill["state"] for bill in bills()) == ["pending_review", "published"]

    def test_only_an_approved_batch(self, generated, publish, house_id, bills):
        batch_id = generated()

        with pytest.raises(BatchCannotMove):
            publish(batch_id)

        assert [bill["state"] for bill in bills()] == ["pending_review"]

    def test_a_second_time_is_refused_and_tells_nobody_again(
        self, approved, publish, house_id, put_owner, messages
    ):
        put_owner(house_id)
        batch_id = approved()
        publish(batch_id)

        with pytest.raises(BatchCannotMove):
            publish(batch_id)

        assert len(messages()) == 1

    def test_many_at_once_publish_it_once(
        self, approved, publish, house_id, put_owner, messages, together
    ):
        put_owner(house_id)
        batch_id = approved()

        results = together(*[lambda: publish(batch_id)] * 4)

        assert sum(isinstance(result, BatchCannotMove) for result in results) == 3
        assert len(messages()) == 1

    def test_no_such_batch(self, publish):
        with pytest.raises(NotFound):
            publish(404)

    def test_only_with_the_permission(self, approved, publish, house_id, bills):
        batch_id = approved()

        with pytest.raises(NotAllowed):
            publish(batch_id, actor=actor_without(Permission.PUBLISH_BILLS))

        assert [bill["state"] for bill in bills()] == ["pending_review"]


class TestContent:
    """What was approved is published and nothing else, whoever has the database's password."""

    @pytest.mark.parametrize(
        "change",
        [
            'UPDATE bill_line SET trace = (trace::jsonb || \'{"area": "99"}\')::json',
            "UPDATE bill SET due_date = due_date - 20",
            "UPDATE bill SET issue_date = issue_date - 1",
            "UPDATE bill SET bill_no = bill_no || '9'",
            "UPDATE bill SET period_until = period_until + 1",
        ],
    )
    def test_a_change_that_adds_up_is_still_seen(
        self, approved, publish, house_id, put_owner, tamper, bills, messages, change
    ):
        put_owner(house_id)
        batch_id = approved()
        tamper(change)

        with pytest.raises(ContentChanged):
            publish(batch_id)

        assert [bill["state"] for bill in bills()] == ["pending_review"]
        assert messages() == []

    def test_a_bill_moved_to_another_house_is_seen(
        self, approved, publish, house_id, make_houses, tamper
    ):
        batch_id = approved()
        (other,) = make_houses("10")
        tamper("UPDATE bill SET house_id = :other", other=other)

        with pytest.raises(ContentChanged):
            publish(batch_id)

    @pytest.mark.breaks_promises
    def test_a_line_that_was_made_smaller_is_seen(self, approved, publish, house_id, tamper):
        batch_id = approved()
        tamper("UPDATE bill_line SET amount_fen = 1")

        with pytest.raises(BatchDoesNotAddUp):
            publish(batch_id)

    @pytest.mark.breaks_promises
    def test_a_line_and_its_bill_made_smaller_are_seen(self, approved, publish, house_id, tamper):
        batch_id = approved()
        tamper("UPDATE bill_line SET amount_fen = 1")
        tamper("UPDATE bill SET amount_fen = 1")

        with pytest.raises(BatchDoesNotAddUp):
            publish(batch_id)

    def test_even_when_all_three_sums_were_changed(self, approved, publish, house_id, tamper):
        batch_id = approved()
        for table in ("bill_line", "bill", "bill_batch"):
            tamper(f"UPDATE {table} SET amount_fen = 1")

        with pytest.raises(ContentChanged):
            publish(batch_id)


class TestTell:
    def test_a_follower_is_told_by_template_with_the_phone_to_fall_back_on(
        self, approved, publish, house_id, put_owner, messages
    ):
        put_owner(house_id, openid="o-follower")

        publish(approved())

        (message,) = messages()
        assert (message["channel"], message["recipient"]) == ("official_template", "o-follower")
        assert message["fallback_phone"] == PHONE
        assert (message["kind"], message["state"]) == ("bill_published", "pending")

    def test_others_are_told_by_sms(self, approved, publish, house_id, put_owner, messages):
        put_owner(house_id)

        publish(approved())

        (message,) = messages()
        assert (message["channel"], message["recipient"]) == ("sms", PHONE)
        assert message["fallback_phone"] is None

    def test_whoever_left_the_account_is_told_by_sms(
        self, approved, publish, house_id, put_owner, database, told
    ):
        put_owner(house_id, openid="o-left")
        database.do("UPDATE wechat_identity SET is_following = false")

        publish(approved())

        assert told() == [("sms", PHONE)]

    def test_a_disabled_account_is_told_by_sms(
        self, approved, publish, house_id, put_owner, database, told
    ):
        put_owner(house_id, openid="o-disabled")
        database.do("UPDATE account SET is_active = false")

        publish(approved())

        assert told() == [("sms", PHONE)]

    def test_who_has_the_number_now_is_not_told_by_wechat(
        self, approved, publish, house_id, put_owner, database, told
    ):
        """The owner closed their account; another of the same number follows."""
        put_owner(house_id, openid="o-newcomer")
        database.do("UPDATE owner_phone SET opens_houses = false")

        publish(approved())

        assert told() == [("sms", PHONE)]

    def test_a_community_that_pays_for_no_sms(
        self, approved, publish, house_id, put_owner, database, messages
    ):
        database.do("UPDATE community SET sends_bill_sms = false")
        put_owner(house_id, openid="o-follower")
        put_owner(house_id, phone=OTHER_PHONE, role="co_owner")

        publish(approved())

        (message,) = messages()
        assert message["recipient"] == "o-follower"
        assert message["fallback_phone"] is None

    def test_every_co_owner_is_told_and_each_where_they_can_be_reached(
        self, approved, publish, house_id, put_owner, told
    ):
        put_owner(house_id, openid="o-follower")
        put_owner(house_id, phone=OTHER_PHONE, role="co_owner")
        put_owner(house_id, phone=None, role="co_owner")

        publish(approved())

        assert told() == [("sms", OTHER_PHONE), ("official_template", "o-follower")]

    @pytest.mark.parametrize("role", ["family", "tenant", "contact"])
    def test_those_who_hold_no_title_are_not_told(
        self, approved, publish, house_id, put_owner, messages, role
    ):
        put_owner(house_id, role=role)

        publish(approved())

        assert messages() == []

    @pytest.mark.parametrize(
        ("part", "is_told"),
        [
            ({"person_from": date(2026, 11, 3)}, False),
            ({"person_from": date(2026, 11, 2)}, True),
            ({"person_until": date(2026, 11, 2)}, False),
            ({"person_until": date(2026, 11, 3)}, True),
        ],
    )
    def test_only_those_who_hold_it_today(
        self, approved, publish, house_id, put_owner, database, messages, part, is_told
    ):
        put_owner(house_id)
        ((column, day),) = part.items()
        database.do(f"UPDATE house_person SET {column} = :day", day=day)

        publish(approved())

        assert bool(messages()) is is_told

    def test_all_items_of_a_house_are_one_message(
        self, approved, publish, house_id, make_item, put_owner, messages
    ):
        make_item(code="LJ", name="垃圾费", charge_method="fixed", price="12")
        put_owner(house_id)

        publish(approved())

        (message,) = messages()
        assert message["payload"]["items"] == "物业费、垃圾费"
        assert message["payload"]["amount"] == "222.02"

    def test_an_owner_of_two_houses_is_told_of_each(
        self, approved, publish, house_id, make_houses, put_owner, database, messages
    ):
        owner_id = put_owner(house_id)
        (other,) = make_houses("100")
        with database.session() as session:
            factories.add(
                session,
                factories.HousePerson(
                    house_id=other,
                    owner_id=owner_id,
                    role="title_holder",
                    person_from=factories.LONG_AGO,
                ),
            )

        publish(approved())

        assert sorted(message["payload"]["amount"] for message in messages()) == [
            "210.02",
            "235.00",
        ]

    def test_after_a_sale_the_seller_is_told_of_the_days_before_and_nobody_else(
        self, approved, publish, house_id, put_owner, database, messages
    ):
        """Source: docs/adr/0023."""
        seller_id, buyer_id = put_owner(house_id), put_owner(house_id, phone="18800000001")
        database.do(
            "UPDATE house_person SET person_until = '2026-11-10' WHERE owner_id = :id", id=seller_id
        )
        database.do(
            "UPDATE house_person SET person_from = '2026-11-10' WHERE owner_id = :id", id=buyer_id
        )
        with database.session() as session:
            key = factories.add(
                session,
                IdempotencyKey(
                    subject="s", action="a", key="k", body_sha256="", created_at=factories.MADE_AT
                ),
            )
            sale = factories.add(
                session,
                HouseTransfer(
                    community_id=session.get_one(factories.House, house_id).community_id,
                    house_id=house_id,
                    cut_on=date(2026, 11, 10),
                    unpaid="seller",
                    prepaid="stays",
                    reason="买卖",
                    done={},
                    key_id=key.id,
                    made_by_staff_id=factories.make_staff(session).id,
                    made_at=factories.MADE_AT,
                ),
            )
            for owner_id, side in ((seller_id, "seller"), (buyer_id, "buyer")):
                factories.add(
                    session, TransferParty(transfer_id=sale.id, owner_id=owner_id, side=side)
                )
            phone = session.get_one(factories.Owner, seller_id).phone

        publish(approved())

        (message,) = messages()
        assert message["recipient"] == phone

    def test_the_payload_is_complete_and_says_what_the_page_says(
        self, approved, publish, house_id, put_owner, messages
    ):
        put_owner(house_id)

        publish(approved())

        (message,) = messages()
        shape = MESSAGES[MessageKind.BILL_PUBLISHED]
        assert set(message["payload"]) == set(shape.sms_params) | set(shape.template_fields)
        assert message["payload"]["due_on"] == "2026年12月1日 23:59"

    def test_the_due_date_is_the_earliest(
        self, approved, publish, house_id, make_item, put_owner, messages
    ):
        make_item(code="LJ", charge_method="fixed", price="12", due_days=9)
        put_owner(house_id)

        publish(approved())

        assert messages()[0]["payload"]["due_on"] == "2026年11月10日 23:59"

    @pytest.mark.parametrize("amount_fen", [1, 9, 10, 99, 100, 101, 21002, 126000, 99999999])
    def test_an_amount_is_written_as_everywhere(
        self, approved, publish, make_houses, make_item, put_owner, messages, amount_fen
    ):
        make_item(charge_method="fixed", price=f"{amount_fen // 100}.{amount_fen % 100:02d}")
        put_owner(make_houses("10")[0])

        publish(approved())

        assert messages()[0]["payload"]["amount"] == format_yuan(amount_fen)

    @pytest.mark.parametrize("unit_no", ["", "2", "A座"])
    def test_a_house_is_called_as_everywhere(
        self, approved, publish, house_id, put_owner, database, messages, unit_no
    ):
        put_owner(house_id)
        database.do("UPDATE house SET unit_no = :unit_no", unit_no=unit_no)

        publish(approved())

        row = database.rows(
            "SELECT building.name, unit_no, room_no FROM house"
            " JOIN building ON building.id = building_id"
        )[0]
        assert messages()[0]["payload"]["house"] == house_label(*row.values())

    def test_an_event_that_is_told_already_is_not_told_again(
        self, approved, publish, house_id, put_owner, database, messages
    ):
        put_owner(house_id)
        batch_id = approved()
        database.do(
            "INSERT INTO outbox_message (kind, channel, recipient, payload, dedup_key, state,"
            " next_attempt_at, created_at) VALUES ('bill_published', 'sms', :phone, '{}', :key,"
            " 'pending', now(), now())",
            phone=PHONE,
            key=f"bill_published:{batch_id}:{house_id}:{PHONE}",
        )

        published = publish(batch_id)

        assert published.message_count == 0
        assert len(messages()) == 1

    def test_the_worker_is_woken_once_after_the_commit(
        self, approved, publish, house_id, put_owner, queue
    ):
        put_owner(house_id)
        batch_id = approved()
        queue.jobs.clear()

        publish(batch_id)

        assert queue.jobs == [("deliver_messages", {}), ("offset_prepaid", {})]


class TestScale:
    @pytest.fixture
    def fill(self, database, desk, make_item):
        """Put many houses with an owner each into the community, half of whom follow."""

        def fill(count):
            make_item(code="WY")
            with database.session() as session:
                building = factories.make_building(
                    session,
                    community=session.get_one(factories.Community, desk.community_id),
                )
                values = {
                    "count": count,
                    "community": desk.community_id,
                    "building": building.id,
                    "from": factories.LONG_AGO,
                    "at": factories.MADE_AT,
                }
                for sql in FILL:
                    session.execute(text(sql), values)

        return fill

    @pytest.fixture
    def statements_to_publish(self, fill, approved, publish, statements):
        def statements_to_publish(count):
            fill(count)
            batch_id = approved()
            statements.clear()
            assert publish(batch_id).message_count == count
            return list(statements)

        return statements_to_publish

    @pytest.mark.slow
    def test_five_thousand_houses_cost_as_many_statements_as_two(
        self, statements_to_publish, database, told
    ):
        for_two = statements_to_publish(2)
        database.empty()
        database.do(
            "INSERT INTO community (id, code, name, created_at) VALUES (1, 'CH', '翠湖', now())"
        )
        database.do(
            "INSERT INTO staff (login_name, name, role, created_at)"
            " VALUES ('a', 'a', 'manager', now()), ('b', 'b', 'manager', now())"
        )

        assert statements_to_publish(5000) == for_two

        assert len(for_two) < 20
        channels = [channel for channel, _ in told()]
        assert (channels.count("official_template"), channels.count("sms")) == (2500, 2500)


FILL = (
    (
        "INSERT INTO house (community_id, building_id, unit_no, room_no, building_area,"
        " billing_area, fee_coefficient, handover_date)"
        " SELECT :community, :building, '1', n::text, 89.37, 89.37, 1, :from"
        " FROM generate_series(1, :count) n"
    ),
    (
        "INSERT INTO owner (community_id, name, phone, created_at)"
        " SELECT :community, '业主' || n, (19900000000 + n)::text, :at"
        " FROM generate_series(1, :count) n"
    ),
    (
        "INSERT INTO house_person (house_id, owner_id, role, person_from)"
        " SELECT house.id, owner.id, 'title_holder', :from FROM house"
        " JOIN owner ON owner.phone = (19900000000 + room_no::int)::text"
    ),
    (
        "INSERT INTO account (phone, created_at)"
        " SELECT phone, :at FROM owner WHERE right(phone, 1)::int % 2 = 0"
    ),
    (
        "INSERT INTO wechat_identity (appid, openid, account_id, is_following, seen_at)"
        " SELECT 'official', 'o' || id, id, true, :at FROM account"
    ),
)

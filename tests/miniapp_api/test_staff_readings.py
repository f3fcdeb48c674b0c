from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from miniapp_api.limits import READING_METERS, WINDOW_S
from miniapp_api.schemas import READINGS_CAP
from models import Community
from tests import factories
from tests.miniapp_api.answers import refusal

PATH = "/api/v1/staff/meter-readings"
READING = {"meter_no": "W1", "read_on": "2026-10-31", "reading": "103.5"}


@pytest.fixture(autouse=True)
def today(clock):
    clock.set(datetime(2026, 11, 24, 4, tzinfo=UTC))


@pytest.fixture
def community(database):
    """A community with the meters W1 and W2, which began at 100."""
    with database.session() as session:
        community = factories.make_community(session, code="CH", name="翠湖花园")
        building = factories.make_building(session, community=community)
        for meter_no in ("W1", "W2"):
            house = factories.make_house(session, building=building)
            factories.make_meter(session, house=house, meter_no=meter_no)
        return community


@pytest.fixture
def post(client, staff_key):
    """Post readings, or a whole body."""

    def post(*readings, token=staff_key, **body):
        body = {"community": "CH", "readings": list(readings)} | body
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return client.post(PATH, json=body, headers=headers)

    return post


class TestEnter:
    def test_readings_go_on_file_in_the_name_of_the_key(self, post, community, database):
        answer = post(READING, READING | {"meter_no": "W2", "reading": "101"})

        assert answer.status_code == 200
        assert answer.json == {"taken": 2, "unchanged": 0, "warnings": [], "problems": []}
        first = database.rows("SELECT * FROM meter_reading ORDER BY id")[0]
        assert (first["read_on"], first["reading"]) == (date(2026, 10, 31), Decimal("103.5"))
        assert first["source"] == "api"
        assert first["read_by_staff_id"] == database.value("SELECT staff_id FROM staff_token")

    def test_the_same_list_again_changes_nothing(self, post, community, database):
        post(READING)

        assert post(READING).json["unchanged"] == 1
        assert database.value("SELECT count(*) FROM meter_reading") == 1

    def test_what_cannot_be_taken_is_told_and_the_rest_is_taken(self, post, community):
        answer = post(READING | {"reading": "99"}, READING | {"meter_no": "W9"}, READING)

        assert answer.status_code == 200
        assert answer.json["taken"] == 1
        assert [(one["row"], one["meter_no"]) for one in answer.json["problems"]] == [
            (1, "W1"),
            (2, "W9"),
        ]

    def test_a_rollover_is_declared(self, post, community, database):
        database.do("UPDATE meter SET modulus = 1000")
        post(READING | {"read_on": "2026-09-30", "reading": "990"})

        answer = post(READING | {"reading": "5", "is_rollover": True})

        assert answer.json["taken"] == 1

    def test_unusual_usage_is_told(self, post, community, database):
        database.do("UPDATE meter SET opened_on = '2026-05-31'")
        months = ("2026-06-30", "2026-07-31", "2026-08-31", "2026-09-30")
        post(
            *(
                READING | {"read_on": day, "reading": str(102 + 2 * number)}
                for number, day in enumerate(months)
            )
        )

        (warning,) = post(READING | {"reading": "130"}).json["warnings"]

        assert (warning["row"], warning["meter_no"]) == (1, "W1")
        assert warning["read_on"] == "2026-10-31"
        assert "3 倍" in warning["why"]

    def test_the_name_of_the_community_will_do(self, post, community):
        assert post(READING, community="翠湖花园").json["taken"] == 1

    def test_meters_of_another_community_are_unknown(self, post, community, database):
        with database.session() as session:
            session.add(Community(code="YY", name="云雅苑", created_at=factories.MADE_AT))

        (problem,) = post(READING, community="YY").json["problems"]

        assert problem["why"] == "没有这只表"

    def test_no_such_community(self, post):
        assert refusal(post(READING), 404)["code"] == "not_found"

    def test_a_full_list_fits_in_one_request(self, post, community):
        days = [f"20{year}-{month:02d}-28" for year in range(20, 26) for month in range(1, 13)]
        rows = [
            {"meter_no": "W011单0101", "read_on": day, "reading": "9603.3512", "is_rollover": False}
            for day in days
        ]

        answer = post(*(rows * 7)[:READINGS_CAP])

        assert len(answer.json["problems"]) == READINGS_CAP


class TestWhoMay:
    def test_an_owners_session_does_not_open_it(self, post, community, owner, database):
        assert refusal(post(READING, token=owner.token), 401)["code"] == "not_signed_in"
        assert database.rows("SELECT * FROM meter_reading") == []

    def test_a_key_opens_no_route_of_owners(self, client, staff_key):
        for path in ("houses", "bills", "payments"):
            answer = client.get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {staff_key}"})
            assert refusal(answer, 401)["code"] == "not_signed_in"

    def test_nobody_gets_in_without_a_key(self, post, community):
        for token in (None, "x" * 43, "x"):
            refusal(post(READING, token=token), 401)

    def test_a_revoked_key_and_one_of_somebody_who_left_open_nothing(
        self, post, community, database
    ):
        database.do("UPDATE staff SET is_active = false")
        refusal(post(READING), 401)
        database.do("UPDATE staff SET is_active = true")
        assert post(READING).status_code == 200
        database.do("UPDATE staff_token SET revoked_at = now()")

        refusal(post(READING), 401)

    def test_the_hash_of_a_key_is_no_key(self, post, community, database):
        stolen = database.value("SELECT token_sha256 FROM staff_token")

        refusal(post(READING, token=stolen), 401)

    @pytest.mark.parametrize("role", ["cashier", "administrator", "auditor"])
    def test_a_role_that_reads_no_meters_may_not(self, post, community, database, role):
        database.do("UPDATE staff SET role = :role", role=role)

        assert refusal(post(READING), 403)["code"] == "not_allowed"
        assert database.rows("SELECT * FROM meter_reading") == []

    def test_a_stranger_is_refused_before_anything_is_read(self, client):
        refusal(client.post(PATH, data=b"not JSON"), 401)


class TestBody:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("reading", 103.5),
            ("reading", 103),
            ("reading", "103,5"),
            ("reading", "-1"),
            ("reading", "1e3"),
            ("reading", "NaN"),
            ("reading", "1.00001"),
            ("reading", "12345678901"),
            ("reading", "１０３"),
            ("reading", "103\n"),
            ("reading", ""),
            ("reading", None),
            ("read_on", "2026-02-30"),
            ("read_on", "20261031"),
            ("read_on", "2026-W44-6"),
            ("read_on", "2026-10-31T00:00:00"),
            ("read_on", "２０２６-10-31"),
            ("read_on", 20261031),
            ("read_on", None),
            ("is_rollover", "true"),
            ("is_rollover", 1),
            ("is_rollover", None),
            ("meter_no", ""),
            ("meter_no", "W" * 41),
            ("meter_no", 1),
            ("source", "manual"),
        ],
        ids=repr,
    )
    def test_a_field_has_one_form(self, post, community, database, field, value):
        error = refusal(post(READING, READING | {field: value}), 422)

        assert list(error["fields"]) == [f"readings.1.{field}"]
        assert database.rows("SELECT * FROM meter_reading") == []

    @pytest.mark.parametrize("field", ["meter_no", "read_on", "reading"])
    def test_a_field_that_is_missing_is_told(self, post, community, field):
        reading = {name: value for name, value in READING.items() if name != field}

        assert refusal(post(reading), 422)["fields"] == {f"readings.0.{field}": ["必填"]}

    @pytest.mark.parametrize("readings", [[], [READING] * (READINGS_CAP + 1), ["x"], [None], {}])
    def test_a_list_has_a_length_and_objects(self, post, community, readings):
        refusal(post(readings=readings), 422)

    @pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
    def test_days_beyond_the_calendar_are_problems_and_no_mistakes(self, post, community, day):
        answer = post(READING | {"read_on": day})

        assert (answer.status_code, len(answer.json["problems"])) == (200, 1)


class TestLimit:
    def test_a_member_of_staff_has_a_rate_over_all_keys(self, post, community, database):
        with database.session() as session:
            (row,) = database.rows("SELECT * FROM staff")
            same = factories.make_staff_token(session, staff=factories.Staff(**row))
            other = factories.make_staff_token(
                session, staff=factories.make_staff(session, role="engineer")
            )
        for _ in range(READING_METERS.per_minute):
            assert post(READING).status_code == 200

        answer = post(READING, token=same)

        assert refusal(answer, 429)["code"] == "too_many"
        assert answer.headers["Retry-After"] == str(WINDOW_S)
        assert post(READING, token=other).status_code == 200

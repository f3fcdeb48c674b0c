"""The history of changes over HTTP: shapes, filters, strictness, and the file."""

import io
from datetime import UTC, datetime

import pytest
from python_calamine import CalamineWorkbook

from miniapp_api.limits import READING_HISTORY
from tests import factories
from tests.miniapp_api.answers import refusal


@pytest.fixture
def scene(database, services, clock):
    clock.set(datetime(2026, 11, 23, 2, tzinfo=UTC))
    with database.session() as session:
        building = factories.make_building(session, name="3栋")
        house = factories.make_house(session, building=building, unit_no="1", room_no="502")
        owner = factories.make_owner(session, house=house, name="王强", phone="13812341234")
        engineer = factories.staff(session, "manager", name="李工")
    for reason in ("漏水报修", "核对信息"):
        services.owner_phones.reveal(actor=engineer, owner_id=owner.id, reason=reason)
        clock.advance(days=1)
    return house, owner


@pytest.fixture
def ask(client, database, scene, clock):
    with database.session() as session:
        staff = factories.make_staff(session, role="auditor")
        token = factories.make_staff_session(session, staff=staff, at=clock.now())

    def ask(path="history", **query):
        return client.get(
            f"/api/v1/staff/{path}",
            query_string=query,
            headers={"Authorization": f"Bearer {token}"},
        )

    return ask


def test_tells_who_looked_at_a_phone_and_why(ask, scene):
    answer = ask(limit=1)

    assert answer.status_code == 200
    [line] = answer.json["items"]
    assert line["sentence"] == (
        "2026-11-24 李工 查看了业主 王强 的完整手机号：号码 138****1234，原因：核对信息"
    )
    assert set(line) == {
        "id",
        "at",
        "who",
        "action",
        "subject_type",
        "subject_id",
        "subject",
        "sentence",
    }
    rest = ask(before_id=answer.json["next_before_id"])
    assert "漏水报修" in rest.text
    assert rest.json["next_before_id"] is None
    assert "13812341234" not in answer.text + rest.text


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"community": "CH1"}, 2),
        ({"from": "2026-11-24"}, 1),
        ({"until": "2026-11-22"}, 0),
        ({"who": "李", "action": "owner_phone_revealed"}, 2),
        ({"subject_type": "owner", "subject_id": 1}, 2),
        ({"subject_type": "house"}, 0),
        ({"house_id": 1}, 0),
    ],
)
def test_narrows(ask, query, count):
    assert len(ask(**query).json["items"]) == count


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-11-24", "until": "2026-11-23"},
        {"from": "today"},
        {"subject_type": "x"},
        {"subject_id": "x"},
        {"action": "x'; --"},
        {"who": ""},
        {"text": "x"},
        {"who": "\0"},
        {"order_by": "at"},
    ],
)
@pytest.mark.parametrize("path", ["history", "history.xlsx"])
def test_refuses_what_it_does_not_know(ask, path, query):
    assert refusal(ask(path, **query), 422)["code"] == "invalid_input"


def test_a_file_has_no_pages(ask):
    assert refusal(ask("history.xlsx", limit=5), 422)["code"] == "invalid_input"


@pytest.mark.parametrize("query", [{"community": "NONE"}, {"house_id": 99}])
def test_what_is_not_there(ask, query):
    refusal(ask(**query), 404)


def test_the_file_equals_the_list(ask):
    answer = ask("history.xlsx", who="李")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-store"
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).get_sheet_by_index(0)
    told = [row[2] for row in sheet.to_python() if str(row[2]).startswith("2026-")]
    assert told == [line["sentence"] for line in ask(who="李").json["items"]]


def test_no_more_than_the_limit(ask):
    for _ in range(READING_HISTORY.per_minute):
        ask(limit=1)

    assert refusal(ask("history.xlsx"), 429)["code"] == "too_many"

"""The page behind the label of equipment."""

import pytest

from miniapp_api.limits import VERIFYING
from tests import factories


@pytest.fixture
def lift(database):
    with database.session() as session:
        community = factories.make_community(session, name="翠湖花园")
        building = factories.make_building(session, community=community, name="3栋")
        return factories.make_equipment(
            session,
            building=building,
            code="23456789ABCD",
            name="<b>1号电梯</b>",
            place="大堂左侧",
            serial_no="SECRET-77",
        )


class TestLabelPage:
    def test_tells_name_and_place_and_nothing_else(self, client, lift):
        answer = client.get("/e/23456789ABCD")

        assert answer.status_code == 200
        page = answer.get_data(as_text=True)
        for words in ("翠湖花园", "&lt;b&gt;1号电梯", "3栋", "大堂左侧", "23456789ABCD"):
            assert words in page
        assert "SECRET-77" not in page
        assert "script" not in answer.headers["Content-Security-Policy"]

    def test_a_code_that_is_none_and_what_was_scrapped_are_one(self, client, lift, database):
        missing = client.get("/e/ZZZZZZZZZZZZ")
        database.do("UPDATE equipment SET state = 'scrapped'")
        scrapped = client.get("/e/23456789ABCD")

        assert missing.status_code == scrapped.status_code == 404
        assert missing.data == scrapped.data
        assert "没有这个设备" in missing.get_data(as_text=True)

    def test_no_more_than_so_many_a_minute(self, client, lift):
        for _ in range(VERIFYING.per_minute):
            client.get("/e/23456789ABCD")

        assert client.get("/e/23456789ABCD").status_code == 429

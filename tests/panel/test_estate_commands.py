"""Communities, buildings, houses and parking spaces at the shell."""

import pytest

from tests import factories
from tests.panel.test_commands import ended

HERE = ["--community", "CH"]
HOUSE = ["--house", "1栋1单元101", *HERE]
WHY = ["--reason", "房产证更正"]


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


@pytest.fixture
def done(flask):
    """Run a command that must end well, or with another code; give what it said."""

    def done(*words, code=0):
        answer = flask(*words)
        ended(answer, code)
        return answer.output

    return done


@pytest.fixture
def here(database):
    with database.session() as session:
        community = factories.make_community(session, code="CH", name="翠湖花园")
        building = factories.make_building(session, community=community, name="1栋")
        factories.make_item(session, community=community, billing_timing="in_arrears")
        return factories.make_house(session, building=building, room_no="101")


@pytest.mark.usefixtures("here")
class TestHouses:
    def test_a_managers_morning(self, done, database):
        added = done(
            *["house", "add", "--building", "1栋", *HERE, "--set", "单元=1", "--set", "房号=102"],
            *["--set", "建筑面积=92.10"],
        )
        assert "已添加房屋 1栋1单元102，编号 2" in added
        assert "2  1栋1单元102  计费面积 92.1 ㎡" in done("house", "list", "102", *HERE)

        preview = done("house", "preview", *HOUSE, "--set", "建筑面积=92.10")
        assert "1栋1单元101（仅预览，未写入）" in preview
        assert "建筑面积 89.37 → 92.1" in preview
        assert "¥210.02 → ¥216.44" in preview
        assert str(database.value("SELECT building_area FROM house WHERE id = 1")) == "89.3700"

        done("house", "edit", *HOUSE, "--set", "building_area=92.10", *WHY)
        assert "  建筑面积：92.1" in done("house", "show", *HOUSE)

    def test_retired_taken_back_and_a_mistake_deleted(self, done):
        on = ["--on", "2026-11-16", *WHY]
        assert "此后只能看历史" not in done("house", "preview", *HOUSE, "--retire-on", "2026-11-16")
        assert "已停用 1栋1单元101，自 2026-11-16 起" in done("house", "retire", *HOUSE, *on)
        assert "已于 2026-11-16 停用" in done("house", "show", *HOUSE)
        assert "1栋1单元101" in done("house", "list", "--retired", *HERE)
        assert "没有找到房屋" in done("house", "list", "--kept", *HERE)
        assert "请先恢复" in done("house", "edit", *HOUSE, "--set", "户型=三室", *WHY, code=1)
        done("house", "restore", *HOUSE, *WHY)

        assert "已删除 1栋1单元101" in done("house", "delete", *HOUSE, *WHY)
        assert "没有房屋" in done("house", "show", *HOUSE, code=1)

    def test_what_stands_in_the_way_is_told(self, done, database, here):
        with database.session() as session:
            house = session.merge(here)
            factories.make_bill(session, house=house)
            owner = factories.make_owner(session, house=house)
            factories.make_account(session, owner=owner, houses=[house])

        preview = done("house", "preview", *HOUSE, "--retire-on", "2026-11-16")
        assert "不能停用：未缴账单 1 张共 ¥210.02" in preview
        assert "已发布未缴账单 1 张共 ¥210.02，不会改变" in preview
        assert "住户 1 人、绑定 1 个，此后只能看历史" in preview
        assert "未缴账单 1 张" in done(
            "house", "retire", *HOUSE, "--on", "2026-11-16", *WHY, code=1
        )
        assert "账单 1 条" in done("house", "delete", *HOUSE, *WHY, code=1)

    def test_what_cannot_be_read_is_told(self, done):
        for sets, told in (
            (["建筑面积"], "应为 列=值"),
            (["颜色=红"], "应为 列=值"),
            (["户型=三室", "layout=两室"], "写了两次"),
            (["建筑面积=NaN"], "建筑面积：不是数字"),
            (["建筑面积=0"], "建筑面积：应大于 0"),
        ):
            words = [word for pair in sets for word in ("--set", pair)]
            assert told in done("house", "edit", *HOUSE, *words, *WHY, code=1)
        assert "原因" in done("house", "edit", *HOUSE, "--set", "建筑面积=92", code=1)

    def test_a_change_from_a_day_on(self, done, database):
        done("house", "edit", *HOUSE, "--set", "计费面积=95", "--from", "2026-11-11", *WHY)

        assert database.value("SELECT count(*) FROM house_measure") == 1


@pytest.mark.usefixtures("here")
class TestCommunitiesAndBuildings:
    def test_shown_edited_retired_and_back(self, done, database):
        done("community", "edit", "CH", "--set", "开发商=翠湖置业")
        shown = done("community", "show", "CH")
        assert "CH：1 栋，1 户" in shown
        assert "  开发商：翠湖置业" in shown
        on = ["--on", "2026-12-01", *WHY]
        assert "未停用的楼栋 1 栋" in done("community", "retire", "CH", *on, code=1)

        assert "未停用的房屋 1 户" in done("building", "retire", "1栋", *HERE, *on, code=1)
        done("house", "retire", *HOUSE, *on)
        done("building", "retire", "1栋", *HERE, *on)
        assert "已于 2026-12-01 停用" in done("building", "list", *HERE)
        done("community", "retire", "CH", *on)
        assert "已于 2026-12-01 停用" in done("community", "show", "CH")
        assert "请先恢复小区" in done("building", "restore", "1栋", *HERE, *WHY, code=1)

        done("community", "restore", "CH", *WHY)
        done("building", "restore", "1栋", *HERE, *WHY)
        done("house", "restore", *HOUSE, *WHY)
        assert database.value("SELECT count(*) FROM house WHERE retired_on IS NULL") == 1

    def test_a_building_with_its_units(self, done):
        done("building", "add", "2", "--set", "层数=32", *HERE)
        done("building", "edit", "2栋", "--set", "备注=临街", *HERE)
        done("building", "edit", "2栋", "--unit", "1", "--set", "lift_count=2", *HERE)
        done("building", "edit", "2栋", "--unit", "1单元", "--set", "lift_count=3", *HERE)

        shown = done("building", "show", "2栋", *HERE)
        assert "层数：32" in shown
        assert "1：0 户" in shown
        assert "2栋：0 户" in done("building", "list", *HERE)


def test_a_community_without_buildings_says_how_to_begin(done, database):
    with database.session() as session:
        factories.make_community(session, code="CH")

    assert "flask building add" in done("building", "list", *HERE)


@pytest.mark.usefixtures("here")
def test_spaces(done, database):
    assert "没有找到车位" in done("space", "list", *HERE)
    done("space", "add", "B1-001", "--set", "权属=owned", "--set", "区域=地下", *HERE)
    done("space", "add", "B1-0011", "--set", "权属=rented", *HERE)
    done("space", "edit", "B1-001", "--set", "area=12.5", *WHY, *HERE)
    assert "1  B1-001  地下" in done("space", "list", "B1-001", *HERE)

    done("space", "retire", "B1-001", "--on", "2026-11-16", *WHY, *HERE)
    assert "B1-001（已于 2026-11-16 停用）" in done("space", "list", *HERE)
    done("space", "restore", "B1-001", *WHY, *HERE)
    assert "没有车位 B9" in done("space", "restore", "B9", *WHY, *HERE, code=1)
    assert database.value("SELECT count(*) FROM parking_space WHERE retired_on IS NULL") == 2

from datetime import date, timedelta
from decimal import Decimal

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import event

from domain.actors import DataScope, Permission, operator
from domain.errors import InvalidInput, NotAllowed, NotFound
from services.audit import record
from services.history import HistoryFilter, HistoryTooLong
from services.people.owners import OwnerWords
from tests import factories
from tests.factories import actor_without


@pytest.fixture
def homes(database):
    """Two buildings of one community and one of another, with a house each."""
    with database.session() as session:
        one = factories.make_house(
            session, building=factories.make_building(session, name="3栋"), room_no="502"
        )
        community = session.get_one(factories.Community, one.community_id)
        two = factories.make_house(
            session,
            building=factories.make_building(session, community=community, name="4栋"),
            room_no="101",
        )
        other = factories.make_house(
            session, building=factories.make_building(session, name="9栋"), room_no="901"
        )
        return one, two, other


@pytest.fixture
def lee(database):
    with database.session() as session:
        return factories.staff(session, role="manager", name="李工")


@pytest.fixture
def correct(services, lee):
    def correct(house, area="92.1", actor=None, reason="房产证更正"):
        services.houses.change_measure(
            actor=actor or lee,
            house_id=house.id,
            billing_area=Decimal(area),
            fee_coefficient=Decimal(1),
            holds_from=None,
            reason=reason,
        )

    return correct


@pytest.fixture
def told(services):
    def told(actor=None, limit=50, before_id=None, **which):
        return [
            line.sentence
            for line in services.history.list_changes(
                actor=actor or operator(),
                which=HistoryFilter(**which),
                limit=limit,
                before_id=before_id,
            )
        ]

    return told


class TestList:
    def test_tells_sentences_newest_first(self, correct, told, homes, services):
        correct(homes[0])
        correct(homes[1], "80")

        day = services.clock.now() + timedelta(hours=8)
        assert told() == [
            f"{day:%Y-%m-%d} 李工 将 4栋1单元101 计费面积 89.37 → 80.00，原因：房产证更正",
            f"{day:%Y-%m-%d} 李工 将 3栋1单元502 计费面积 89.37 → 92.10，原因：房产证更正",
        ]

    def test_by_house_with_what_was_done_to_its_bills(
        self, correct, told, homes, services, database
    ):
        with database.session() as session:
            bill = factories.make_bill(session, house=homes[0])
        services.history.unit_of_work.run(
            lambda tx: record(
                tx,
                operator(),
                "bill_waived",
                subject_type="bill",
                subject_id=bill.id,
                community_id=bill.community_id,
                facts={"amount_fen": 500, "reason": "漏水"},
            )
        )
        correct(homes[0])
        correct(homes[1])

        found = told(house_id=homes[0].id)

        assert len(found) == 2
        assert "计费面积" in found[0]
        assert found[1].endswith(f"减免了账单 {bill.bill_no}，金额 5.00 元，原因：漏水")

    def test_by_who_day_act_and_subject(self, correct, told, homes, services, database):
        with database.session() as session:
            wang = factories.staff(session, role="manager", name="王芳_100%")
        correct(homes[0])
        correct(homes[1], actor=wang)
        today = (services.clock.now() + timedelta(hours=8)).date()

        assert len(told(who="李")) == 1
        assert len(told(who="芳_1")) == 1
        assert told(who="芳x1") == []
        assert len(told(from_on=today, until_on=today)) == 2
        assert told(from_on=today + timedelta(days=1)) == []
        assert told(until_on=today - timedelta(days=1)) == []
        assert told(action="house_retired") == []
        assert len(told(subject_type="house", subject_id=homes[1].id)) == 1

    def test_by_community_with_what_owners_did_to_their_houses(
        self, correct, told, homes, services
    ):
        for house in homes:
            services.history.unit_of_work.run(
                lambda tx, house=house: record(
                    tx, operator(), "house_bound", subject_type="house", subject_id=house.id
                )
            )
        correct(homes[2])

        assert len(told(community_id=homes[0].community_id)) == 2
        assert len(told(community_id=homes[2].community_id)) == 2

    def test_pages_go_on_where_they_stopped(self, correct, told, homes, services):
        for number in range(5):
            correct(homes[0], str(50 + number))
        lines = services.history.list_changes(actor=operator(), which=HistoryFilter(), limit=3)

        assert len(told(before_id=lines[-1].id)) == 2

    def test_costs_few_queries_however_many_lines(self, correct, homes, services, database):
        for number in range(12):
            correct(homes[number % 3], str(60 + number))
        seen = []
        engine = services.history.unit_of_work.engine

        def listen(*args):
            seen.append(args[2])

        event.listen(engine, "before_cursor_execute", listen)
        try:
            services.history.list_changes(actor=operator(), which=HistoryFilter())
        finally:
            event.remove(engine, "before_cursor_execute", listen)

        assert len(seen) == 2

    def test_a_row_that_is_gone_has_its_number(self, told, services):
        services.history.unit_of_work.run(
            lambda tx: record(
                tx, operator(), "house_removed", subject_type="house", subject_id=4711
            )
        )

        assert told()[0].endswith("删除了房屋 房屋（编号 4711）")

    def test_a_row_that_is_gone_has_the_name_that_was_recorded(self, told, services, homes):
        owner_id = services.owners.add(
            actor=operator(),
            community_id=homes[0].community_id,
            words=OwnerWords(name="钱误"),
            phone="13900001111",
        )
        services.owners.remove(actor=operator(), owner_id=owner_id, reason="录错")

        removed, added = told()

        assert "命令行 删除了业主 钱误：" in removed
        assert "命令行 登记了业主 钱误：" in added

    def test_a_phone_that_somebody_typed_is_masked_and_a_line_stays_one(self, correct, told, homes):
        correct(homes[0], reason="回电 13812341234\n\x1b[2J2030-01-01 张三 \u202e将")

        [line] = told()

        assert line.endswith("原因：回电 138****1234 [2J2030-01-01 张三 将")
        assert line.isprintable()

    def test_who_looked_at_a_full_phone_is_told_and_the_phone_is_not(
        self, told, services, database, homes
    ):
        with database.session() as session:
            owner = factories.make_owner(session, house=homes[0], name="王强", phone="13812341234")
            clerk = factories.staff(session, role="customer_service", name="小赵")
        services.owner_phones.reveal(actor=clerk, owner_id=owner.id, reason="核对来电")

        [line] = told()

        assert line.endswith("小赵 查看了业主 王强 的完整手机号：号码 138****1234，原因：核对来电")

    def test_an_owner_is_told_by_their_masked_phone(self, told, services, database):
        with database.session() as session:
            account = factories.make_account(session, phone="13812341234")
        services.privacy_exports.ask(actor=factories.owner(account))

        [line] = told()

        assert line.endswith("业主 138****1234 申请了个人信息副本")

    @pytest.mark.parametrize(
        "which",
        [
            {"subject_type": "secret"},
            {"action": "x"},
            {"who": "x" * 51},
            {"from_on": date(2026, 2, 1), "until_on": date(2026, 1, 1)},
        ],
    )
    def test_a_filter_that_cannot_be(self, told, which):
        with pytest.raises(InvalidInput):
            told(**which)

    @pytest.mark.parametrize("limit", [0, 102])
    def test_a_page_is_of_limited_size(self, told, limit):
        with pytest.raises(InvalidInput):
            told(limit=limit)


class TestScope:
    def test_staff_of_a_community_are_told_of_it_alone(self, correct, told, homes, database):
        for house in homes:
            correct(house)
        with database.session() as session:
            community = session.get_one(factories.Community, homes[0].community_id)
            near = factories.staff(session, scope=factories.scope_of_community(community))

        found = told(actor=near)

        assert len(found) == 2
        assert not any("9栋" in line for line in found)

    def test_staff_of_a_building_are_told_of_its_houses_alone(self, correct, told, homes, database):
        for house in homes:
            correct(house)
        with database.session() as session:
            near = factories.staff(
                session,
                scope=DataScope(
                    frozenset(),
                    frozenset({homes[0].community_id}),
                    frozenset({homes[0].building_id}),
                ),
            )

        [line] = told(actor=near)

        assert "3栋1单元502" in line
        with pytest.raises(NotFound):
            told(actor=near, house_id=homes[1].id)

    def test_what_concerns_no_community_is_for_the_whole_company(
        self, told, homes, services, database
    ):
        services.history.unit_of_work.run(
            lambda tx: record(tx, operator(), "staff_disabled", subject_type="staff", subject_id=1)
        )
        with database.session() as session:
            community = session.get_one(factories.Community, homes[0].community_id)
            near = factories.staff(session, scope=factories.scope_of_community(community))

        assert told(actor=near) == []
        assert len(told()) == 1

    def test_takes_the_permission(self, services):
        for act in (services.history.list_changes, services.history.write):
            with pytest.raises(NotAllowed):
                act(actor=actor_without(Permission.VIEW_HISTORY), which=HistoryFilter())


class TestWrite:
    def test_the_file_tells_what_the_list_tells(self, correct, told, homes, services, tmp_path):
        correct(homes[0], reason="=1+1")
        correct(homes[1])

        content = services.history.write(actor=operator(), which=HistoryFilter())

        path = tmp_path / "x.xlsx"
        path.write_bytes(content)
        cells = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
        told_there = [row[2] for row in cells if len(row) > 2 and "李工 将" in str(row[2])]
        assert told_there == told()

    def test_no_more_than_a_file_may_hold(self, services, database):
        database.do(
            "INSERT INTO audit_entry (at, actor_kind, actor_name, action, subject_type, facts,"
            " request_id) SELECT now(), 'system', 'x', 'task_done', 'x', '{}', ''"
            " FROM generate_series(1, 20001)"
        )

        with pytest.raises(HistoryTooLong):
            services.history.write(actor=operator(), which=HistoryFilter())


def test_nothing_is_recorded_that_has_no_words(services):
    def work(tx):
        record(tx, operator(), "did_something", subject_type="house", subject_id=1)

    with pytest.raises(ValueError, match="did_something"):
        services.history.unit_of_work.run(work)


def test_the_shell_tells_it(app, correct, homes, tmp_path, database):
    def flask(*words):
        return app.test_cli_runner().invoke(args=("history", *words))

    assert "没有符合条件的记录" in flask().output
    correct(homes[0])
    correct(homes[1])
    code = database.value("SELECT code FROM community WHERE id = :id", id=homes[0].community_id)

    told = flask("--community", code, "--house", "3栋1单元502")
    assert told.exit_code == 0
    assert told.output.count("计费面积") == 1
    assert flask("--house", "3栋1单元502").exit_code == 1
    saved = flask("--xlsx", str(tmp_path / "记录.xlsx"))
    assert "已保存" in saved.output
    assert (tmp_path / "记录.xlsx").stat().st_size > 3000

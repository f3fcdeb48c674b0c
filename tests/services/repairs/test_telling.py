"""Who is told of what, once, and who sees the photos."""

import pytest

from domain.errors import NotFound
from domain.repairs import DispatchMode
from tests import factories
from tests.gateways.test_photos import photo


@pytest.fixture(autouse=True)
def phones(database, desk):
    """Staff can be reached: by SMS, as none has bound their WeChat."""
    database.do("UPDATE staff SET phone = '1990001' || lpad(id::text, 4, '0')")


@pytest.fixture
def told(database):
    """Whom messages of a kind went to, with what they say, in order."""

    def told(kind):
        rows = database.rows(
            "SELECT account_id, owner_id, staff_id, payload FROM outbox_message"
            " WHERE kind = :kind ORDER BY id",
            kind=kind,
        )
        return [
            (row["account_id"] or row["owner_id"] or row["staff_id"], row["payload"])
            for row in rows
        ]

    return told


@pytest.fixture
def take(services):
    return lambda actor: services.file_desk.take_photo(actor=actor, content=photo()).id


class TestTelling:
    def test_the_reporter_follows_their_repair(self, services, desk, at_work, finish, told, repair):
        repair_id = at_work()
        finish(repair_id)

        progress = told("repair_progress")
        assert {who for who, _ in progress} == {desk.owner.id}
        assert [payload["state"] for _, payload in progress] == ["已接单", "处理中", "待业主确认"]
        assert progress[0][1]["title"] == "给水报修"
        assert progress[0][1]["note"] == f"工单号 {repair(repair_id)['repair_no']}"

    def test_a_repair_of_the_desk_is_told_to_the_house(self, services, desk, at_work, told):
        at_work(actor=desk.clerk)

        assert {who for who, _ in told("repair_progress")} == {desk.owner.id, desk.family.id}

    def test_whoever_reports_a_public_place_is_told_and_nobody_else(
        self, services, desk, at_work, told
    ):
        repair_id = at_work(house_id=None, building_id=desk.building_id)
        services.repair_dispatch.tell(actor=desk.clerk, repair_id=repair_id, note="下午恢复")

        progress = told("repair_progress")
        assert {who for who, _ in progress} == {desk.owner.id}
        assert progress[-1][1]["note"] == "下午恢复"

    def test_an_internal_note_is_not_told(self, services, desk, at_work, told):
        repair_id = at_work()
        services.repair_dispatch.force_close(actor=desk.manager, repair_id=repair_id, reason="误报")

        assert told("repair_progress")[-1][1]["note"] == "误报"
        assert all("内部" not in payload["note"] for _, payload in told("repair_progress"))

    def test_the_engineer_is_told_of_their_order_and_not_of_their_own_acts(
        self, services, desk, at_work, told, repair
    ):
        repair_id = at_work()

        [(who, payload)] = told("work_order")
        assert who == desk.engineer.id
        assert payload["title"] == f"派单 {repair(repair_id)['repair_no']}"
        assert payload["place"] == "3栋1单元502"
        assert len(payload["title"]) <= 20

    def test_whoever_takes_over_is_told(self, services, desk, at_work, report, told):
        repair_id = report()
        services.repair_dispatch.assign(
            actor=desk.clerk, repair_id=repair_id, staff_id=desk.engineer.id
        )
        services.repair_work.transfer(
            actor=desk.engineer, repair_id=repair_id, staff_id=desk.colleague.id, reason="请假"
        )

        assert [who for who, _ in told("work_order")] == [desk.engineer.id, desk.colleague.id]

    def test_what_may_be_grabbed_is_told_to_those_who_may(
        self, services, desk, set_mode, report, told
    ):
        set_mode(DispatchMode.GRAB)
        report()

        assert {who for who, _ in told("work_order")} == {desk.engineer.id, desk.colleague.id}

    def test_managers_are_told_once_that_it_is_late(self, services, desk, report, told, clock):
        report()
        clock.advance(days=4)

        for _ in range(3):
            services.repair_watch.look(actor=desk.machine)
            clock.advance(minutes=1)

        titles = [payload["title"][:4] for who, payload in told("work_order")]
        assert sorted(titles) == ["已超时 ", "无人接单"]
        assert {who for who, _ in told("work_order")} == {desk.manager.id}

    def test_a_second_tap_tells_nobody_again(self, services, desk, at_work, told):
        repair_id = at_work()
        services.repair_work.arrive(actor=desk.engineer, repair_id=repair_id)

        assert len(told("repair_progress")) == 2


class TestPhotos:
    def test_of_what_is_broken_and_of_what_was_done(self, services, desk, at_work, finish, take):
        broken, mended = [take(desk.owner), take(desk.owner)], [take(desk.engineer)]
        repair_id = at_work(photo_ids=tuple(broken))
        finish(repair_id, photo_ids=mended)

        for view in (
            services.repair_lists.show_own(actor=desk.owner, repair_id=repair_id),
            services.repair_lists.show(actor=desk.manager, repair_id=repair_id),
        ):
            assert [one.id for one in view.photos] == broken
            [work] = [line for line in view.progress if line.act == "finish"]
            assert [one.id for one in work.photos] == mended

    def test_photos_of_others_open_nothing(self, services, desk, report, at_work, finish, take):
        foreign = take(desk.neighbour)
        with pytest.raises(NotFound):
            report(photo_ids=(foreign,))

        repair_id = at_work()
        with pytest.raises(NotFound):
            finish(repair_id, photo_ids=[foreign])

        assert services.repair_lists.show_own(actor=desk.owner, repair_id=repair_id).photos == []
        assert report(actor=desk.neighbour, house_id=desk.other_house_id, photo_ids=(foreign,))

    def test_outsiders_see_neither_repair_nor_photos(self, services, desk, report, take):
        repair_id = report(photo_ids=(take(desk.owner),))

        for actor in (desk.neighbour,):
            with pytest.raises(NotFound):
                services.repair_lists.show_own(actor=actor, repair_id=repair_id)
        for actor in (desk.stranger, desk.engineer):
            with pytest.raises(NotFound):
                services.repair_lists.show(actor=actor, repair_id=repair_id)


class TestLabels:
    @pytest.fixture
    def lift(self, database, desk):
        with database.session() as session:
            building = session.get_one(factories.Building, desk.building_id)
            return factories.make_equipment(session, building=building, code="23456789ABCD")

    def test_a_scanned_label_says_what_and_where(self, desk, report, repair, lift):
        for actor in (desk.owner, desk.clerk):
            row = repair(report(actor=actor, house_id=None, equipment_code="23456789abcd"))

            assert (row["equipment_id"], row["building_id"]) == (lift.id, desk.building_id)
            assert row["house_id"] is None

    @pytest.mark.parametrize("code", ["ZZZZZZZZZZZZ", "x", "2345-6789", "号" * 12])
    def test_a_code_that_is_none(self, report, code, lift):
        with pytest.raises(NotFound, match="重新扫描"):
            report(house_id=None, equipment_code=code)

    def test_what_was_scrapped_has_no_label_any_more(self, database, report, lift):
        database.do("UPDATE equipment SET state = 'scrapped'")

        with pytest.raises(NotFound):
            report(house_id=None, equipment_code="23456789ABCD")

    def test_a_label_of_another_community_is_as_none(self, database, report):
        with database.session() as session:
            factories.make_equipment(session, code="ABCD23456789")

        with pytest.raises(NotFound):
            report(house_id=None, equipment_code="ABCD23456789")

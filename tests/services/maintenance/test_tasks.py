"""Tasks are begun, handed in, verified; who may, and what is refused."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.checklists import ChecklistItem, Finding
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.maintenance_states import Verdict
from services.keys import KeyUsedForOther
from services.maintenance.task_lists import TaskFilter, TaskList
from services.maintenance.tasks import NotYourTask, OwnWork
from services.maintenance_moves import MaintenanceTaskMoved
from tests import factories
from tests.gateways.test_photos import photo
from tests.services.maintenance.conftest import GOOD, SYSTEM, TODAY, WORDS


@pytest.fixture
def tasks(services):
    return services.maintenance_tasks


@pytest.fixture
def task_id(make_plan, task_of):
    return task_of(make_plan())


@pytest.fixture
def show(services, scene):
    def show(task_id):
        return services.maintenance_task_lists.show(actor=scene.manager, task_id=task_id)

    return show


class TestLife:
    def test_from_begun_to_verified(self, task_id, do, show):
        do(task_id)

        detail = show(task_id)
        assert detail.task.state == "verified"
        assert detail.task.submitted_on == TODAY
        assert [(event.act, event.who) for event in detail.events] == [
            ("start", "李工"),
            ("submit", "李工"),
            ("verify", "王经理"),
        ]
        assert [(one.title, one.verdict_shown) for one in detail.results] == [
            ("机房", "正常"),
            ("轿厢", "正常"),
        ]

    def test_what_was_sent_back_is_handed_in_again(self, task_id, do, tasks, scene, key, show):
        do(task_id, upto="submitted")
        tasks.send_back(actor=scene.manager, task_id=task_id, reason="不清楚", client_key=key())
        assert show(task_id).task.submitted_on is None
        again = (replace(GOOD[0], note="已重拍"), GOOD[1])
        tasks.submit(actor=scene.colleague, task_id=task_id, findings=again, client_key=key())
        tasks.verify(actor=scene.manager, task_id=task_id, client_key=key())

        detail = show(task_id)
        assert detail.results[0].note == "已重拍"
        assert len(detail.results) == 2
        assert detail.events[2].reason == "不清楚"

    def test_every_act_is_on_record(self, task_id, do, audit):
        do(task_id)

        assert audit()[-3:] == ["maintenance_start", "maintenance_submit", "maintenance_verify"]

    @pytest.mark.parametrize("act", ["skip", "cancel", "send_back"])
    def test_decisions_need_a_reason(self, task_id, tasks, scene, key, act):
        with pytest.raises(InvalidInput):
            getattr(tasks, act)(actor=scene.manager, task_id=task_id, reason="  ", client_key=key())

    def test_what_was_skipped_has_its_approver(self, task_id, tasks, scene, key, show):
        tasks.skip(actor=scene.manager, task_id=task_id, reason="停梯大修", client_key=key())

        [event] = show(task_id).events
        assert (event.to_state, event.who, event.reason) == ("skipped", "王经理", "停梯大修")

    def test_what_people_cancelled_does_not_come_back(
        self, task_id, tasks, scene, key, show, generate
    ):
        tasks.cancel(actor=scene.manager, task_id=task_id, reason="重复", client_key=key())
        generate()

        assert show(task_id).task.state == "cancelled"


class TestWho:
    def test_anybody_of_the_role_may_begin(self, task_id, tasks, scene, key, show):
        tasks.start(actor=scene.colleague, task_id=task_id, client_key=key())

        assert show(task_id).task.state == "in_progress"

    def test_what_was_given_to_one_is_not_anothers(self, task_id, tasks, scene, key):
        tasks.assign(
            actor=scene.manager, task_id=task_id, assignee_id=scene.engineer.id, client_key=key()
        )

        with pytest.raises(NotYourTask):
            tasks.start(actor=scene.colleague, task_id=task_id, client_key=key())
        tasks.start(actor=scene.engineer, task_id=task_id, client_key=key())
        with pytest.raises(NotYourTask):
            tasks.submit(actor=scene.colleague, task_id=task_id, findings=GOOD, client_key=key())

    def test_nobody_without_the_work_is_given_it(self, task_id, tasks, scene, key):
        with pytest.raises(NotFound):
            tasks.assign(
                actor=scene.manager, task_id=task_id, assignee_id=scene.manager.id, client_key=key()
            )

    def test_what_is_over_is_given_to_nobody(self, task_id, tasks, scene, key, do):
        do(task_id)
        with pytest.raises(MaintenanceTaskMoved):
            tasks.assign(actor=scene.manager, task_id=task_id, assignee_id=None, client_key=key())

    def test_nobody_verifies_their_own_work(self, task_id, tasks, scene, key, do, database):
        do(task_id, upto="submitted")
        promoted = replace(scene.manager, id=scene.engineer.id)

        with pytest.raises(OwnWork):
            tasks.verify(actor=promoted, task_id=task_id, client_key=key())

    def test_each_has_their_own_acts(self, task_id, tasks, scene, key):
        for act, more in (("verify", {}), ("skip", {"reason": "x"}), ("cancel", {"reason": "x"})):
            with pytest.raises(NotAllowed):
                getattr(tasks, act)(actor=scene.engineer, task_id=task_id, client_key=key(), **more)
        with pytest.raises(NotAllowed):
            tasks.start(actor=scene.manager, task_id=task_id, client_key=key())


class TestFindings:
    @pytest.fixture
    def reading_id(self, make_plan, task_of, do):
        pressure = ChecklistItem(
            "p", "压力", needs_value=True, unit="MPa", low=Decimal("0.8"), high=Decimal(2)
        )
        task_id = task_of(make_plan(replace(WORDS, checklist=(pressure,))))
        do(task_id, upto="in_progress")
        return task_id

    @pytest.mark.parametrize(
        "finding",
        [
            Finding("p", Verdict.NORMAL),
            Finding("p", Verdict.NORMAL, Decimal("0.5")),
            Finding("p", Verdict.NORMAL, Decimal("NaN")),
            Finding("p", Verdict.ABNORMAL, Decimal("0.5")),
        ],
    )
    def test_without_what_the_item_asks_for_nothing_is_done(
        self, reading_id, tasks, scene, key, show, finding
    ):
        with pytest.raises(InvalidInput):
            tasks.submit(
                actor=scene.engineer, task_id=reading_id, findings=[finding], client_key=key()
            )

        assert show(reading_id).task.state == "in_progress"
        assert show(reading_id).results == []

    def test_values_are_kept_as_they_were_read(self, reading_id, tasks, scene, key, show):
        tasks.submit(
            actor=scene.engineer,
            task_id=reading_id,
            findings=[Finding("p", Verdict.NORMAL, Decimal("1.234567"))],
            note="换密封圈",
            client_key=key(),
        )

        detail = show(reading_id)
        assert detail.results[0].value == Decimal("1.234567")
        assert detail.note == "换密封圈"

    def test_a_note_is_short(self, reading_id, tasks, scene, key):
        with pytest.raises(InvalidInput):
            tasks.submit(
                actor=scene.engineer,
                task_id=reading_id,
                findings=[Finding("p", Verdict.NORMAL, Decimal(1))],
                note="长" * 300,
                client_key=key(),
            )


class TestKeys:
    def test_the_same_key_is_the_same_act(self, task_id, tasks, scene, show):
        for _ in range(2):
            tasks.start(actor=scene.engineer, task_id=task_id, client_key="same-key")
        for _ in range(2):
            tasks.submit(
                actor=scene.engineer, task_id=task_id, findings=GOOD, client_key="same-key"
            )

        assert [event.act for event in show(task_id).events] == ["start", "submit"]

    def test_for_something_else_it_is_refused(self, task_id, tasks, scene, key, do):
        do(task_id, upto="in_progress")
        tasks.submit(actor=scene.engineer, task_id=task_id, findings=GOOD, client_key="same-key")

        other = (replace(GOOD[0], note="不同"), GOOD[1])
        with pytest.raises(KeyUsedForOther):
            tasks.submit(
                actor=scene.engineer, task_id=task_id, findings=other, client_key="same-key"
            )

    def test_another_key_is_another_act(self, task_id, tasks, scene, key):
        tasks.start(actor=scene.engineer, task_id=task_id, client_key=key())
        with pytest.raises(MaintenanceTaskMoved):
            tasks.start(actor=scene.engineer, task_id=task_id, client_key=key())

    def test_a_key_has_eight_characters_at_least(self, task_id, tasks, scene):
        with pytest.raises(InvalidInput):
            tasks.start(actor=scene.engineer, task_id=task_id, client_key="short")


class TestLists:
    @pytest.fixture
    def find(self, services, scene):
        def find(which, actor=None, **more):
            found = services.maintenance_task_lists.find(
                actor=actor or scene.engineer, which=TaskFilter(which=which, **more)
            )
            return [one.id for one in found]

        return find

    def test_each_tells_its_own(self, make_plan, database, find, scene, clock, do, tasks, key):
        make_plan(replace(WORDS, window_days=1))
        ids = [row["id"] for row in database.rows("SELECT id FROM maintenance_task ORDER BY 1")]
        tasks.assign(
            actor=scene.manager, task_id=ids[4], assignee_id=scene.colleague.id, client_key=key()
        )
        do(ids[1], upto="submitted")

        assert find(TaskList.MINE) == [ids[0], ids[2], ids[3]]
        assert find(TaskList.MINE, scene.colleague) == [ids[0], *ids[2:]]
        assert find(TaskList.DUE) == [ids[0]]
        assert find(TaskList.SUBMITTED) == [ids[1]]
        assert find(TaskList.OPEN) == find(TaskList.ALL) == ids
        assert find(TaskList.OVERDUE) == []
        clock.advance(days=1)
        assert find(TaskList.OVERDUE) == []
        clock.advance(days=1)
        assert find(TaskList.OVERDUE) == [ids[0]]
        clock.advance(days=300)
        assert find(TaskList.OVERDUE) == [ids[0], *ids[2:]]

    def test_overdue_goes_when_it_is_handed_in(self, task_id, find, clock, do, show):
        clock.advance(days=2)
        assert show(task_id).task.is_overdue
        do(task_id, upto="submitted")

        assert not show(task_id).task.is_overdue
        assert find(TaskList.OVERDUE) == []

    def test_page_by_page_nothing_is_missed(self, make_plan, find, scene, services):
        make_plan(equipment_ids=[scene.lift_id, scene.other_lift_id])
        found, after = [], None
        while True:
            page = services.maintenance_task_lists.find(
                actor=scene.manager, which=TaskFilter(which=TaskList.ALL, after=after, limit=3)
            )
            found += [one.id for one in page]
            if len(page) < 3:
                break
            after = (page[-1].due_on, page[-1].id)

        assert found == find(TaskList.ALL)
        assert len(set(found)) == 10

    def test_by_equipment_plan_and_community(self, make_plan, find, scene):
        first = make_plan()
        make_plan(equipment_ids=[scene.pump_id])

        assert len(find(TaskList.ALL, equipment_id=scene.pump_id)) == 5
        assert len(find(TaskList.ALL, plan_id=first)) == 5
        assert find(TaskList.ALL, community_id=9_999_999) == []
        with pytest.raises(InvalidInput):
            find(TaskList.ALL, limit=0)

    def test_another_buildings_staff_sees_none(self, make_plan, find, scene, database, task_of):
        plan_id = make_plan(equipment_ids=[scene.lift_id, scene.pump_id])
        with database.session() as session:
            community = session.get_one(factories.Community, scene.community_id)
            other = factories.make_building(session, community=community)
            own = session.get_one(factories.Building, scene.building_id)
            stranger, local = (
                factories.staff(session, role="engineer", scope=factories.scope_of_building(one))
                for one in (other, own)
            )

        assert find(TaskList.ALL, stranger) == []
        assert len(find(TaskList.ALL, local)) == 5
        assert len(find(TaskList.ALL, plan_id=plan_id)) == 10


class TestAbnormal:
    BAD = (Finding("i1", Verdict.ABNORMAL, note="漏油"), GOOD[1])

    @pytest.fixture
    def submit(self, tasks, scene, key):
        def submit(task_id, findings=self.BAD):
            tasks.submit(actor=scene.engineer, task_id=task_id, findings=findings, client_key=key())

        return submit

    def test_opens_one_repair_linked_both_ways(self, task_id, do, submit, show, services, scene):
        do(task_id, upto="in_progress")
        submit(task_id)

        history = services.equipment_lists.show(actor=scene.manager, equipment_id=scene.lift_id)
        [repair] = history.repairs
        assert show(task_id).task.repair_id == repair.repair_id
        assert repair.description == "1号电梯 半月保养发现异常：机房：漏油"
        [line] = [line for line in history.maintenance if line.task_id == task_id]
        assert line.abnormal == ("机房：漏油",)

    def test_handed_in_again_it_opens_no_second(
        self, task_id, do, submit, tasks, scene, key, database
    ):
        do(task_id, upto="in_progress")
        submit(task_id)
        tasks.send_back(actor=scene.manager, task_id=task_id, reason="x", client_key=key())
        submit(task_id)

        assert database.rows("SELECT equipment_id, source, category FROM repair_order") == [
            {"equipment_id": scene.lift_id, "source": "maintenance", "category": "lift"}
        ]

    def test_what_is_refused_opens_none(self, task_id, do, submit, database):
        do(task_id, upto="in_progress")
        with pytest.raises(InvalidInput):
            submit(task_id, self.BAD[:1])

        assert database.value("SELECT count(*) FROM repair_order") == 0

    def test_what_is_normal_opens_none(self, task_id, do, submit, database):
        do(task_id, upto="in_progress")
        submit(task_id, GOOD)

        assert database.value("SELECT count(*) FROM repair_order") == 0

    def test_long_words_are_cut_to_what_a_repair_holds(
        self, make_plan, task_of, do, submit, database
    ):
        items = tuple(ChecklistItem(f"k{n}", "长" * 60) for n in range(20))
        task_id = task_of(make_plan(replace(WORDS, checklist=items)))
        do(task_id, upto="in_progress")
        submit(task_id, [Finding(one.key, Verdict.ABNORMAL, note="坏" * 200) for one in items])

        assert database.value("SELECT length(description) FROM repair_order") == 500


class TestFailing:
    @pytest.fixture
    def fail(self, make_plan, task_of, do, tasks, scene, key):
        """Find the lift abnormal so many times."""

        def fail(times):
            plan_id = make_plan()
            for number in range(times):
                task_id = task_of(plan_id, TODAY + timedelta(days=15 * number))
                do(task_id, upto="in_progress")
                tasks.submit(
                    actor=scene.engineer,
                    task_id=task_id,
                    findings=TestAbnormal.BAD,
                    client_key=key(),
                )
            return plan_id

        return fail

    def list_failing(self, services, scene, **which):
        return services.equipment_failures.list_failing(actor=scene.manager, **which)

    def test_three_within_ninety_days_propose_a_change(
        self, fail, services, scene, database, clock
    ):
        plan_id = fail(3)

        [found] = self.list_failing(services, scene)
        assert (found.equipment_id, found.failures, found.plan_ids) == (
            scene.lift_id,
            3,
            (plan_id,),
        )
        propose = services.equipment_failures.propose_changes
        assert (propose(actor=SYSTEM), propose(actor=SYSTEM)) == (1, 0)
        assert database.value("SELECT title FROM staff_task") == (
            "1号电梯：90 天内报修 3 次，建议调整维保计划"
        )
        assert self.list_failing(services, scene, community_id=9_999_999) == []
        clock.advance(days=91)
        assert self.list_failing(services, scene) == []
        with pytest.raises(NotAllowed):
            propose(actor=scene.manager)

    def test_two_do_not(self, fail, services, scene):
        fail(2)

        assert self.list_failing(services, scene) == []

    def test_what_was_cancelled_does_not_count(self, fail, services, scene, database):
        fail(3)
        database.do(
            "UPDATE repair_order SET state = 'cancelled', ended_at = now(),"
            " assignee_staff_id = NULL WHERE id = (SELECT min(id) FROM repair_order)"
        )

        assert self.list_failing(services, scene) == []

    def test_what_was_scrapped_is_not_told_of(self, fail, services, scene, database):
        fail(3)
        database.do("UPDATE equipment SET state = 'scrapped'")

        assert self.list_failing(services, scene) == []

    def test_is_told_to_staff_of_its_building_only(self, fail, services, scene, database):
        fail(3)
        with database.session() as session:
            community = session.get_one(factories.Community, scene.community_id)
            buildings = (
                session.get_one(factories.Building, scene.building_id),
                factories.make_building(session, community=community),
                factories.make_building(session),
            )
            people = [
                factories.staff(session, role="engineer", scope=factories.scope_of_building(one))
                for one in buildings
            ]

        found = [services.equipment_failures.list_failing(actor=one) for one in people]

        assert [len(one) for one in found] == [1, 0, 0]


class TestPhotos:
    @pytest.fixture
    def begun(self, make_plan, task_of, do):
        item = ChecklistItem("i1", "机房", needs_photo=True)
        task_id = task_of(make_plan(replace(WORDS, checklist=(item,))))
        do(task_id, upto="in_progress")
        return task_id

    @pytest.fixture
    def hand_in(self, services, scene):
        def hand_in(who="engineer"):
            return services.file_desk.take_photo(
                actor=getattr(scene, who), content=photo(size=(20, 20))
            ).id

        return hand_in

    @pytest.fixture
    def submit(self, tasks, scene, key, begun):
        def submit(*photo_ids):
            found = Finding("i1", Verdict.NORMAL, photo_ids=photo_ids)
            tasks.submit(actor=scene.engineer, task_id=begun, findings=[found], client_key=key())

        return submit

    def test_stand_with_their_item(self, submit, hand_in, show, begun):
        photo_id = hand_in()
        submit(photo_id)

        assert [one.id for one in show(begun).results[0].photos] == [photo_id]

    def test_without_one_nothing_is_done(self, submit, show, begun):
        with pytest.raises(InvalidInput):
            submit()

        assert show(begun).task.state == "in_progress"

    def test_anothers_photo_or_none_is_not_taken(self, submit, hand_in, show, begun):
        for photo_id in (hand_in("colleague"), 9_999_999):
            with pytest.raises(NotFound):
                submit(photo_id)

        assert show(begun).task.state == "in_progress"

    def test_sent_back_the_photo_from_before_stays(
        self, submit, hand_in, tasks, scene, key, show, begun
    ):
        first, second = hand_in(), hand_in()
        submit(first)
        tasks.send_back(actor=scene.manager, task_id=begun, reason="不清楚", client_key=key())
        submit()
        tasks.send_back(actor=scene.manager, task_id=begun, reason="还不清楚", client_key=key())
        submit(second)

        assert [one.id for one in show(begun).results[0].photos] == [first, second]

from datetime import timedelta

import pytest
from sqlalchemy import create_engine

from domain.actors import Permission, operator
from domain.errors import NotAllowed, PlatformUnavailable
from domain.messages import Channel, MessageKind
from services.doctor import Doctor, Finding
from services.outbox import queue_message
from services.tasks import open_task
from services.timetable import Entry
from services.unit_of_work import UnitOfWork
from tests.factories import actor_without


class WellProbe:
    name = "短信"

    def check(self):
        return "通"


class BrokenProbe:
    name = "微信支付"

    def check(self):
        raise PlatformUnavailable("没有回答")


@pytest.fixture
def doctor(services, unit_of_work):
    return Doctor(unit_of_work, (), services.doctor.migration_heads)


@pytest.fixture
def examine(doctor):
    return lambda: {finding.name: finding for finding in doctor.examine(actor=operator())}


@pytest.fixture
def message(unit_of_work):
    def work(tx):
        queue_message(
            tx,
            kind=MessageKind.BILL_PUBLISHED,
            channel=Channel.SMS,
            recipient="19900000001",
            payload={},
            dedup_key="one",
        )

    unit_of_work.run(work)


class TestDatabase:
    def test_a_migrated_database_is_well(self, doctor, examine):
        assert examine()["数据库"].is_well
        assert "PostgreSQL" in examine()["数据库"].sentence
        assert doctor.is_ready()

    def test_a_missing_migration_is_told(self, unit_of_work):
        doctor = Doctor(unit_of_work, (), frozenset({"9999"}))

        assert not doctor.is_ready()
        assert "flask db upgrade" in doctor.examine(actor=operator())[0].sentence

    def test_a_database_that_is_away_stops_no_probe(self, unit_of_work):
        engine = create_engine("postgresql+psycopg://anju@127.0.0.1:1/anju")
        away = UnitOfWork(engine, unit_of_work.queue, unit_of_work.clock)

        findings = Doctor(away, (WellProbe(),), frozenset()).examine(actor=operator())

        assert [(finding.name, finding.is_well) for finding in findings] == [
            ("数据库", False),
            ("短信", True),
        ]

    def test_another_isolation_level_is_told(self, services, unit_of_work, database_url):
        engine = create_engine(
            database_url,
            connect_args={"options": "-c default_transaction_isolation=serializable"},
        )
        strict = UnitOfWork(engine, unit_of_work.queue, unit_of_work.clock)

        finding = Doctor(strict, (), services.doctor.migration_heads).examine(actor=operator())[0]
        engine.dispose()

        assert not finding.is_well
        assert "serializable" in finding.sentence


class TestTicker:
    def test_a_ticker_that_never_ran_is_told(self, examine):
        assert not examine()["定时任务"].is_well

    @pytest.mark.parametrize(("minutes", "is_well"), [(3, True), (4, False)])
    def test_it_may_be_silent_for_three_minutes(self, services, clock, examine, minutes, is_well):
        services.timetable.tick(Entry("a", timedelta(seconds=60)), run=lambda: None)
        clock.advance(minutes=minutes)

        assert examine()["定时任务"].is_well is is_well


class TestMessages:
    @pytest.mark.parametrize(("minutes", "is_well"), [(10, True), (11, False)])
    def test_a_message_may_wait_for_ten_minutes(self, message, clock, examine, minutes, is_well):
        clock.advance(minutes=minutes)

        assert examine()["消息发送"].is_well is is_well


class TestTasks:
    def test_open_tasks_are_counted_with_an_example(self, unit_of_work, examine):
        unit_of_work.run(
            lambda tx: open_task(tx, kind="money_in_suspense", subject="1", title="请核对一笔款")
        )

        assert examine()["待人处理"] == Finding(
            "待人处理", False, "有 1 件待办，例如：请核对一笔款"
        )

    def test_without_any_all_is_well(self, examine):
        assert examine()["待人处理"].is_well


class TestExamine:
    def test_a_broken_link_stops_no_other(self, unit_of_work, services):
        doctor = Doctor(unit_of_work, (BrokenProbe(), WellProbe()), services.doctor.migration_heads)

        findings = doctor.examine(actor=operator())

        assert findings[-2:] == [
            Finding("微信支付", False, "没有回答"),
            Finding("短信", True, "通"),
        ]

    def test_the_links_to_the_simulator_are_well(self, services, simulator):
        findings = services.doctor.examine(actor=operator())

        seen = {finding.name: finding.sentence for finding in findings if not finding.is_well}
        assert set(seen) == {"定时任务"}, "nothing ticks in a test; the rest must be well"
        assert len(findings) > 4

    def test_only_with_the_permission(self, doctor):
        with pytest.raises(NotAllowed):
            doctor.examine(actor=actor_without(Permission.CHECK_LEDGER))


class TestCount:
    def test_an_empty_world_counts_nothing(self, doctor):
        assert doctor.count() == {
            "messages_waiting": 0,
            "messages_failed": 0,
            "orders_open": 0,
            "payments_in_suspense": 0,
            "tasks_open": 0,
            "payments_stuck": 0,
            "differences_open": 0,
        }

    def test_what_waits_is_counted(self, doctor, message, unit_of_work):
        unit_of_work.run(lambda tx: open_task(tx, kind="a", subject="1", title="请核对"))

        counts = doctor.count()

        assert (counts["messages_waiting"], counts["tasks_open"]) == (1, 1)

"""From a clerk's file to houses on file, and back again."""

import io
from datetime import UTC, datetime

import openpyxl
import pytest

from domain.actors import DataScope, Permission, system_actor
from domain.errors import NotAllowed, NotFound
from domain.import_templates import TEMPLATES
from domain.imports import IMPORT_MOVES, ImportCannotMove, ImportKind, ImportState
from models import House
from services.imports import house_owners
from services.imports.steps import Step, keep_step
from services.imports.undoing import ImportInUse
from services.imports.work import ATTEMPTS_CAP, FILES_KEPT
from services.imports.workbench import NoImportFile
from services.unit_of_work import UnitOfWork
from tests import factories
from tests.factories import actor_without
from tests.services.imports.conftest import HEADER, numbered, row, workbook
from tests.world import ROOT

SAMPLE = (ROOT / "sample/cuihu-garden.xlsx").read_bytes()
MESSY = (ROOT / "sample/clerk-list-messy.xlsx").read_bytes()
OWNERS, SPACES, READINGS = ImportKind.OWNERS, ImportKind.SPACES, ImportKind.READINGS


@pytest.fixture
def bench(services, clerk, community_id, queue):
    return Bench(services, clerk, community_id, queue)


class Bench:
    """A clerk at a screen, and a worker that does what is queued."""

    def __init__(self, services, clerk, community_id, queue):
        self.desk, self.work = services.import_workbench, services.import_work
        self.clerk, self.community_id, self.queue = clerk, community_id, queue

    def upload(self, *rows, content=None, kind=OWNERS, **more):
        values = {
            "actor": self.clerk,
            "community_id": self.community_id,
            "file_name": "业主.xlsx",
        } | more
        return self.desk.upload(content=content or workbook(*rows), kind=kind, **values)

    def show(self, batch_id):
        return self.desk.show(actor=self.clerk, batch_id=batch_id)

    def checked(self, *rows, **more):
        batch_id = self.upload(*rows, **more)
        self.queue.run()
        assert self.show(batch_id).state is ImportState.CHECKED, self.show(batch_id).failure
        return batch_id

    def commit(self, batch_id):
        self.desk.carry_out(actor=self.clerk, batch_id=batch_id)
        self.queue.run()
        return self.show(batch_id)

    def imported(self, *rows, **more):
        batch_id = self.checked(*rows, **more)
        assert self.commit(batch_id).state is ImportState.FINISHED
        return batch_id

    def undo(self, batch_id):
        self.desk.undo(actor=self.clerk, batch_id=batch_id)
        self.queue.run()
        return self.show(batch_id)

    def problems(self, batch_id, after=0, limit=100):
        return self.desk.list_problems(
            actor=self.clerk, batch_id=batch_id, after=after, limit=limit
        )

    def errors(self, batch_id):
        return self.desk.error_file(actor=self.clerk, batch_id=batch_id)


def cells(content):
    return [list(line) for line in openpyxl.load_workbook(io.BytesIO(content)).active.values]


def changed(content, change):
    """The workbook with the cells that somebody mended."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    change(book.active)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


class TestStory:
    def test_hand_in_check_commit_undo(self, bench, contents, database):
        before = contents()
        batch_id = bench.upload(content=SAMPLE)
        assert bench.show(batch_id).state is ImportState.UPLOADED

        bench.queue.run()

        seen = bench.show(batch_id)
        assert (seen.state, seen.problem_count, seen.has_errors) == (
            ImportState.CHECKED,
            0,
            False,
        )
        assert (seen.foreseen["new"], seen.foreseen["unchanged"], seen.rows_total) == (864, 0, 864)
        assert contents() == before

        done = bench.commit(batch_id)

        assert (done.state, done.rows_done, done.counts["houses_new"]) == (
            ImportState.FINISHED,
            864,
            864,
        )
        assert database.value("SELECT count(*) FROM owner") == 868

        assert bench.undo(batch_id).state is ImportState.UNDONE
        assert contents() == before

    def test_a_clerks_list_is_mended_in_its_error_file_and_handed_in_again(self, bench, counts):
        batch_id = bench.imported(content=MESSY)
        before = counts()["house"]
        errors = bench.errors(batch_id)
        assert errors.name == "业主-问题.xlsx"

        def mend(sheet):
            area = next(cell.column for cell in sheet[2] if cell.value == "面积")
            sheet.cell(row=49, column=area).value = 88.5

        again = bench.checked(content=changed(errors.content, mend))

        assert bench.show(again).problem_count == bench.show(batch_id).problem_count - 1
        assert bench.show(again).foreseen["new"] == 1
        bench.commit(again)
        assert counts()["house"] == before + 1

    def test_all_three_sheets_of_the_sample(self, bench, services, database):
        with database.session() as session:
            bench.clerk = factories.staff(session, role="manager")

        told = [
            bench.problems(bench.imported(content=SAMPLE, kind=kind))
            for kind in (OWNERS, SPACES, READINGS)
        ]

        assert [[one["row"] for one in problems] for problems in told] == [[], [321], []]
        assert told[1][0]["why"] == "车牌 粤B46791 已在第 222 行的车位上"
        assert database.value("SELECT count(*) FROM parking_space") == 319
        assert database.value("SELECT count(*) FROM car") > 100
        assert database.value("SELECT count(*) FROM meter_reading") == 1694


class TestUpload:
    @pytest.mark.parametrize("content", [b"x" * (10 * 1024 * 1024 + 1)], ids=["large"])
    def test_a_file_of_no_fitting_size_is_refused(self, bench, content):
        with pytest.raises(NoImportFile):
            bench.upload(content=content)

    def test_no_file_is_refused(self, bench):
        with pytest.raises(NoImportFile):
            bench.desk.upload(
                actor=bench.clerk,
                community_id=bench.community_id,
                kind=OWNERS,
                content=b"",
                file_name="",
            )

    def test_the_name_is_kept_without_its_folders(self, bench):
        batch_id = bench.upload(row(), file_name="C:\\Users\\li\\业\x00主.xlsx")

        assert bench.show(batch_id).file_name == "业主.xlsx"

    @pytest.mark.parametrize(
        ("kind", "permission"),
        [
            (OWNERS, Permission.IMPORT_OWNERS),
            (SPACES, Permission.IMPORT_OWNERS),
            (READINGS, Permission.READ_METERS),
        ],
    )
    def test_only_with_the_permission_of_the_sheet(self, bench, kind, permission):
        with pytest.raises(NotAllowed):
            bench.upload(row(), kind=kind, actor=actor_without(permission))

    def test_the_file_is_no_work_of_the_web(self, bench, queue):
        """Garbage is kept and told by the worker: nobody parses it where it is handed in."""
        batch_id = bench.upload(content=b"PDF")
        assert queue.jobs == [("work_imports", {})]

        queue.run()

        seen = bench.show(batch_id)
        assert seen.state is ImportState.FAILED
        assert "这不是 Excel 工作簿" in seen.failure

    def test_a_sheet_without_header_fails_with_its_reason(self, bench, queue):
        batch_id = bench.upload(content=workbook(header=["别的"]))

        queue.run()

        assert "没有找到表头" in bench.show(batch_id).failure


class TestScope:
    """What is not in the data scope of somebody is not there for them."""

    @pytest.fixture
    def stranger(self, database):
        with database.session() as session:
            other_id = factories.make_community(session).id
            return factories.staff(session, role="manager", scope=DataScope(frozenset({other_id})))

    def test_another_community_is_as_if_it_did_not_exist(self, bench, stranger):
        with pytest.raises(NotFound) as refused:
            bench.upload(row(), actor=stranger)
        with pytest.raises(NotFound) as missing:
            bench.upload(row(), actor=stranger, community_id=404)

        assert refused.value.message == missing.value.message

    def test_so_it_is_by_its_name(self, bench, stranger, database):
        code = database.value("SELECT code FROM community WHERE id = :id", id=bench.community_id)
        for name in (code, "XX"):
            with pytest.raises(NotFound, match=f"没有编号或名称为 {name} 的小区"):
                bench.desk.find_community(actor=stranger, code=name)

    @pytest.mark.parametrize("what", ["house_owner_import", "parking_space_import", "reading"])
    @pytest.mark.parametrize("how", ["check", "carry_out"])
    def test_so_it_is_at_the_shell(self, services, bench, stranger, what, how):
        name = "meter_reading_import" if what == "reading" else what
        more = {"file_name": "x.xlsx"} if how == "carry_out" else {}

        with pytest.raises(NotFound):
            getattr(getattr(services, name), how)(
                actor=stranger, community_id=bench.community_id, content=SAMPLE, **more
            )

    @pytest.mark.parametrize("call", ["show", "carry_out", "undo", "error_file"])
    def test_a_batch_of_another_community_is_not_there(self, bench, stranger, call):
        batch_id = bench.checked(row())

        with pytest.raises(NotFound):
            getattr(bench.desk, call)(actor=stranger, batch_id=batch_id)

    def test_nor_its_problems_nor_in_the_list(self, bench, stranger):
        batch_id = bench.checked(row(建筑面积=0))

        with pytest.raises(NotFound):
            bench.desk.list_problems(actor=stranger, batch_id=batch_id, after=0, limit=9)
        assert bench.desk.list_batches(actor=stranger, before_id=None, limit=9) == []

    def test_whoever_reads_meters_sees_no_batch_of_owners(self, bench, database):
        batch_id = bench.checked(row())
        with database.session() as session:
            engineer = factories.staff(session, role="engineer")

        with pytest.raises(NotFound):
            bench.desk.show(actor=engineer, batch_id=batch_id)

    def test_whoever_lost_the_community_imports_nothing(self, bench, database, counts):
        batch_id = bench.checked(row())
        bench.desk.carry_out(actor=bench.clerk, batch_id=batch_id)
        database.do("UPDATE staff SET sees_all = false")

        bench.queue.run()

        assert database.value("SELECT state FROM import_batch") == "failed"
        assert counts()["house"] == 0

    def test_whose_account_ended_imports_nothing(self, bench, database, counts):
        bench.upload(row())
        database.do("UPDATE staff SET is_active = false")

        bench.queue.run()

        assert database.value("SELECT failure FROM import_batch") == "提交人的账号已停用"

    @pytest.mark.parametrize("call", ["carry_out", "undo", "show", "error_file"])
    def test_whoever_may_import_nothing_is_refused(self, bench, database, call):
        with database.session() as session:
            auditor = factories.staff(session, role="auditor")

        with pytest.raises(NotAllowed):
            getattr(bench.desk, call)(actor=auditor, batch_id=1)


class TestProblems:
    def test_they_come_in_pages_by_row(self, bench):
        rows = [numbered(number, 建筑面积=0) for number in range(1, 6)]
        batch_id = bench.checked(*rows)

        assert [one["row"] for one in bench.problems(batch_id, limit=2)] == [2, 3]
        assert [one["row"] for one in bench.problems(batch_id, after=4, limit=9)] == [6]

    def test_the_error_file_is_the_sheet_with_one_more_column(self, bench):
        rows = [["登记表"], [], HEADER, numbered(1), numbered(2, 建筑面积=0, 手机号="199")]
        batch_id = bench.checked(content=workbook(*rows[1:], header=rows[0]))

        told = cells(bench.errors(batch_id).content)

        width = len(HEADER)
        assert told[0][0] == "登记表"
        assert told[2] == [*HEADER, "问题"]
        assert told[3][:width] == numbered(1)
        assert told[3][width] is None
        assert told[4][:width] == rows[4]
        assert "建筑面积：面积必须大于 0" in told[4][width]
        assert "手机号：" in told[4][width]

    def test_only_rows_in_trouble_are_coloured(self, bench):
        batch_id = bench.checked(row(), numbered(2, 建筑面积=0))

        sheet = openpyxl.load_workbook(io.BytesIO(bench.errors(batch_id).content)).active

        assert [sheet.cell(n, 1).fill.fill_type for n in (1, 2, 3)] == [None, None, "solid"]

    def test_a_second_error_file_has_one_column_of_problems(self, bench):
        first = bench.checked(row(建筑面积=0), numbered(2, 建筑面积=0))

        def mend(sheet):
            sheet.cell(row=2, column=HEADER.index("建筑面积") + 1).value = 80

        again = bench.checked(content=changed(bench.errors(first).content, mend))

        told = cells(bench.errors(again).content)
        assert told[0] == [*HEADER, "问题"]
        assert told[1][-1] is None
        assert told[2][-1]

    def test_a_formula_that_a_stranger_wrote_is_text_in_the_error_file(self, bench):
        batch_id = bench.checked(row(业主姓名="'=HYPERLINK(1)", 建筑面积=0))

        sheet = openpyxl.load_workbook(io.BytesIO(bench.errors(batch_id).content)).active

        assert {cell.data_type for line in sheet.iter_rows() for cell in line} <= {"s", "n"}

    def test_without_problems_there_is_no_error_file(self, bench):
        batch_id = bench.checked(row())

        with pytest.raises(NotFound):
            bench.errors(batch_id)


class TestStates:
    def test_every_move_of_the_table_leads_to_a_state(self):
        assert set(IMPORT_MOVES) == set(ImportState)

    def test_what_is_not_checked_cannot_be_committed(self, bench):
        batch_id = bench.upload(row())

        with pytest.raises(ImportCannotMove, match="等待检查"):
            bench.commit(batch_id)

    def test_what_is_not_imported_cannot_be_undone(self, bench):
        batch_id = bench.checked(row())

        with pytest.raises(ImportCannotMove):
            bench.undo(batch_id)

    def test_nothing_is_imported_or_undone_twice(self, bench):
        batch_id = bench.imported(row())
        with pytest.raises(ImportCannotMove):
            bench.commit(batch_id)
        bench.undo(batch_id)

        with pytest.raises(ImportCannotMove):
            bench.undo(batch_id)

    def test_the_same_file_again_is_another_batch_that_changes_nothing(self, bench, contents):
        bench.imported(row())
        before = contents()

        again = bench.imported(row())

        assert bench.show(again).foreseen["unchanged"] == 1
        assert contents() == before
        assert bench.undo(again).state is ImportState.UNDONE
        assert contents() == before


class TestWork:
    def test_a_batch_that_kills_its_workers_is_given_up_with_a_task(self, bench, database):
        batch_id = bench.checked(row())
        bench.desk.carry_out(actor=bench.clerk, batch_id=batch_id)
        database.do("UPDATE import_batch SET attempts = :cap", cap=ATTEMPTS_CAP)

        bench.queue.run()

        assert bench.show(batch_id).state is ImportState.FAILED
        assert database.value("SELECT kind FROM staff_task") == "import_failed"

        assert bench.commit(batch_id).state is ImportState.FINISHED

    def test_one_that_fails_holds_no_other_up(self, bench, monkeypatch, database, caplog):
        bad, good = bench.upload(row()), bench.upload(row())
        database.do(
            "UPDATE import_batch SET sheet = '没有这种表' WHERE id = :id",
            id=bad,
        )

        bench.queue.run()

        assert bench.show(good).state is ImportState.CHECKED
        assert database.value("SELECT attempts FROM import_batch WHERE id = :id", id=bad) >= 1
        assert "an import failed" in caplog.text

    def test_what_another_worker_is_on_is_left_to_it(self, bench, services):
        batch_id = bench.upload(row())
        unit_of_work: UnitOfWork = services.outbox.unit_of_work

        with unit_of_work.exclusive(f"import:{bench.community_id}"):
            bench.queue.run()

        assert bench.show(batch_id).state is ImportState.UPLOADED

    def test_an_import_at_the_shell_leaves_that_of_a_worker_alone(self, bench, commit):
        batch_id = bench.checked(row())
        bench.desk.carry_out(actor=bench.clerk, batch_id=batch_id)

        commit(numbered(2))

        assert bench.show(batch_id).state is ImportState.IMPORTING
        bench.queue.run()
        assert bench.show(batch_id).state is ImportState.FINISHED

    def test_what_died_at_the_shell_is_failed_and_can_be_taken_back(
        self, bench, commit, counts, contents, database, monkeypatch
    ):
        """Whoever stopped it there does not want it to go on by itself."""

        def die(done, total):
            raise KeyboardInterrupt

        monkeypatch.setattr(house_owners, "CHUNK_HOUSES", 1)
        with pytest.raises(KeyboardInterrupt):
            commit(row(), numbered(2), progress=die)
        assert counts()["house"] == 1

        bench.work.work_due(actor=system_actor("表格导入"))

        batch_id = database.value("SELECT id FROM import_batch")
        assert bench.show(batch_id).failure == "导入中断，没有留存文件，请重新导入"
        with pytest.raises(ImportCannotMove, match="没有留存文件"):
            bench.commit(batch_id)
        assert bench.undo(batch_id).state is ImportState.UNDONE
        assert not any(contents().values())

    def test_files_are_forgotten_after_a_month(self, bench, database, clock):
        bench.imported(row())
        clock.advance(days=FILES_KEPT.days + 1)

        bench.work.work_due(actor=system_actor("表格导入"))

        assert database.value("SELECT count(*) FROM import_file") == 0
        assert database.value("SELECT count(*) FROM import_step") == 1

    def test_the_work_is_no_ones_but_the_platforms(self, bench):
        for call in (
            lambda: bench.work.work_due(actor=bench.clerk),
            lambda: bench.work.go_on(actor=bench.clerk, batch_id=1),
        ):
            with pytest.raises(NotAllowed):
                call()


class TestSteps:
    def test_whose_batch_was_ended_by_another_writes_no_chunk(self, bench, services, database):
        """A worker that lost its lock and lives on must not write beside the next one."""
        batch_id = bench.imported(row())

        with pytest.raises(ImportCannotMove):
            services.outbox.unit_of_work.run(
                lambda tx: keep_step(tx, batch_id, Step(made={"house": [1]}), rows_done=5)
            )

        assert database.value("SELECT count(*) FROM import_step") == 1


class TestUndo:
    def test_what_was_changed_is_exactly_as_it_was(self, bench, contents, database):
        bench.imported(row(), numbered(2))
        database.do("UPDATE house SET billing_area = 80 WHERE room_no = '101'")
        before = contents()
        batch_id = bench.imported(
            row(
                建筑面积=99.37,
                交付日期="2021-06-01",
                业主姓名="陈建、李涵",
                手机号="19900000001、19900000009",
            ),
            numbered(3),
        )
        assert contents() != before

        assert bench.undo(batch_id).state is ImportState.UNDONE

        assert contents() == before

    @pytest.mark.parametrize(
        ("make", "told"),
        [
            (lambda session, house: factories.make_bill(session, house=house), "账单"),
            (lambda session, house: factories.make_meter(session, house=house), "表具"),
        ],
        ids=["bill", "meter"],
    )
    def test_not_while_something_depends_on_it(self, bench, database, contents, make, told):
        batch_id = bench.imported(row())
        with database.session() as session:
            make(session, session.query(House).one())
        before = contents()

        with pytest.raises(ImportInUse, match=told):
            bench.undo(batch_id)

        assert contents() == before
        assert bench.show(batch_id).state is ImportState.FINISHED

    def test_not_while_an_owner_who_signed_in_sees_the_house(self, bench, database):
        with database.session() as session:
            factories.make_account(session, phone="19900000001")
        batch_id = bench.imported(row())

        with pytest.raises(ImportInUse, match="业主绑定 1 条"):
            bench.undo(batch_id)

    def test_not_after_somebody_changed_the_same_house_again(self, bench, database):
        bench.imported(row())
        batch_id = bench.imported(row(建筑面积=99))
        database.do("UPDATE house SET building_area = 98")

        with pytest.raises(ImportInUse, match="后续修改 1 条"):
            bench.undo(batch_id)

    def test_not_before_a_later_batch_that_changed_what_it_made(self, bench, contents):
        first = bench.imported(row())
        later = bench.imported(row(建筑面积=99))
        with pytest.raises(ImportInUse, match="其他导入批次"):
            bench.undo(first)

        bench.undo(later)

        assert bench.undo(first).state is ImportState.UNDONE
        assert not any(contents().values())

    @pytest.mark.parametrize(
        "bill",
        [
            {"state": "published", "published_at": datetime(2099, 1, 1, tzinfo=UTC)},
            {"state": "pending_review", "published_at": None},
        ],
        ids=["published", "pending"],
    )
    def test_not_after_the_changed_house_was_billed(self, bench, database, bill):
        bench.imported(row())
        batch_id = bench.imported(row(建筑面积=99))
        with database.session() as session:
            factories.make_bill(session, house=session.query(House).one(), **bill)

        with pytest.raises(ImportInUse, match="账单 1 条"):
            bench.undo(batch_id)

    def test_what_was_billed_before_the_change_is_no_hindrance(self, bench, database):
        bench.imported(row())
        with database.session() as session:
            factories.make_bill(
                session,
                house=session.query(House).one(),
                published_at=datetime(2020, 1, 1, tzinfo=UTC),
            )

        assert bench.undo(bench.imported(row(建筑面积=99))).state is ImportState.UNDONE

    def test_what_came_to_depend_on_it_meanwhile_stops_the_worker(self, bench, database):
        batch_id = bench.imported(row())
        bench.desk.undo(actor=bench.clerk, batch_id=batch_id)
        with database.session() as session:
            factories.make_meter(session, house=session.query(House).one())

        bench.queue.run()

        seen = bench.show(batch_id)
        assert seen.state is ImportState.FINISHED
        assert "表具 1 条" in seen.failure

    def test_spaces_and_cars_go_and_come_back_as_they_were(self, bench, database):
        tables = ("parking_space", "car")

        def look():
            return {name: database.rows(f"SELECT * FROM {name} ORDER BY id") for name in tables}

        header = ["车位号", "区域", "性质", "使用人", "手机号", "车牌号"]
        bench.imported(row())
        first = workbook(["A1", "地下", "产权", None, None, None], header=header, title="车位")
        bench.imported(content=first, kind=SPACES)
        before = look()
        second = workbook(
            ["A1", "地面", "租赁", "陈建", "19900000001", "粤B96741"],
            ["A2", None, "公共", None, None, None],
            header=header,
            title="车位",
        )
        batch_id = bench.imported(content=second, kind=SPACES)
        assert look() != before

        bench.undo(batch_id)

        assert look() == before

    def test_a_retired_space_is_a_problem_of_its_row(self, bench, database):
        header = ["车位号", "区域", "性质"]
        content = workbook(["A1", "地下", "产权"], header=header, title="车位")
        bench.imported(content=content, kind=SPACES)
        database.do("UPDATE parking_space SET retired_on = '2026-06-01'")

        content = workbook(["A1", "地面", "租赁"], ["A2", "", "公共"], header=header, title="车位")
        batch_id = bench.imported(content=content, kind=SPACES)

        assert database.rows("SELECT space_no, zone FROM parking_space ORDER BY id") == [
            {"space_no": "A1", "zone": "地下"},
            {"space_no": "A2", "zone": ""},
        ]
        [problem] = bench.problems(batch_id)
        assert (problem["row"], problem["why"]) == (2, "该车位已于 2026-06-01 停用")

    def test_readings_and_their_meters_go(self, bench, database):
        with database.session() as session:
            bench.clerk = factories.staff(session, role="manager")
        bench.imported(row())
        header = ["楼栋", "单元", "房号", "表号", "表类型", "抄表日期", "读数"]
        rows = [["1栋", "1", "101", "W1", "冷水", f"2026-0{n}-28", 10 * n] for n in (7, 8)]
        content = workbook(*rows, header=header, title="水表读数")
        batch_id = bench.imported(content=content, kind=READINGS)
        assert database.value("SELECT count(*) FROM meter_reading") == 1

        bench.undo(batch_id)

        assert database.value("SELECT count(*) FROM meter") == 0

    def test_not_readings_that_were_corrected(self, bench, database):
        with database.session() as session:
            bench.clerk = factories.staff(session, role="manager")
        bench.imported(row())
        header = ["楼栋", "单元", "房号", "表号", "表类型", "抄表日期", "读数"]
        rows = [["1栋", "1", "101", "W1", "冷水", f"2026-0{n}-28", 10 * n] for n in (7, 8)]
        content = workbook(*rows, header=header, title="水表读数")
        batch_id = bench.imported(content=content, kind=READINGS)
        database.do("UPDATE meter_reading SET superseded_at = now()")

        with pytest.raises(ImportInUse, match="读数的更正 1 条"):
            bench.undo(batch_id)

    def test_an_import_of_the_shell_can_be_undone_too(self, bench, commit, contents):
        report = commit(row())

        assert bench.undo(report.batch_id).state is ImportState.UNDONE
        assert not any(contents().values())

    def test_it_is_on_record(self, bench, audit):
        bench.undo(bench.imported(row()))

        assert [entry for entry in audit() if entry.startswith("import_")] == [
            "import_uploaded",
            "import_checked",
            "import_started",
            "import_finished",
            "import_undoing",
            "import_undone",
        ]


class TestMergedCells:
    def test_a_building_beside_all_its_houses_is_that_of_each(self, bench, database):
        def merge(sheet):
            sheet.merge_cells("A2:A4")

        content = changed(workbook(*(numbered(n, 楼栋="8栋") for n in (1, 2, 3))), merge)
        batch_id = bench.imported(content=content)

        assert bench.show(batch_id).counts["houses_new"] == 3
        assert database.value("SELECT string_agg(name, '') FROM building") == "8栋"

    def test_the_error_file_has_it_in_each_row(self, bench):
        def merge(sheet):
            sheet.merge_cells("A2:A4")

        rows = [numbered(n, 楼栋="8栋", 建筑面积=0) for n in (1, 2, 3)]
        batch_id = bench.checked(content=changed(workbook(*rows), merge))

        told = cells(bench.errors(batch_id).content)

        assert [line[0] for line in told[1:]] == ["8栋"] * 3


class TestTemplate:
    def test_as_it_comes_it_imports_without_a_problem(self, bench, database):
        with database.session() as session:
            bench.clerk = factories.staff(session, role="manager")
        content = bench.desk.write_template(actor=bench.clerk)

        for kind in ImportKind:
            seen = bench.show(bench.checked(content=content, kind=kind))
            assert (seen.problem_count, seen.foreseen["rows"]) == (0, 0)

    def test_filled_in_with_its_own_examples_it_imports(self, bench, database):
        with database.session() as session:
            bench.clerk = factories.staff(session, role="manager")
        book = openpyxl.load_workbook(io.BytesIO(bench.desk.write_template(actor=bench.clerk)))
        for template in TEMPLATES:
            for number, column in enumerate(template.columns, start=1):
                cell = book[template.name].cell(row=2, column=number)
                cell.value = column.example or None
        # The example of the spaces uses one of the two owners of the example of the houses.
        out = io.BytesIO()
        book.save(out)

        for kind in ImportKind:
            batch_id = bench.checked(content=out.getvalue(), kind=kind)
            assert bench.problems(batch_id) == []
            assert bench.show(batch_id).foreseen["new"] == 1
            bench.commit(batch_id)

        assert database.value("SELECT count(*) FROM owner") == 2
        assert database.value("SELECT count(*) FROM car") == 2

    def test_its_sheets_hold_lists_and_text_cells(self, bench):
        content = bench.desk.write_template(actor=bench.clerk)

        book = openpyxl.load_workbook(io.BytesIO(content))

        assert book.sheetnames == ["房屋业主", "车位", "水表读数", "说明"]
        houses = book["房屋业主"]
        (states,) = houses.data_validations.dataValidation
        assert states.formula1 == '"未售,已交付,空置,装修,自住,出租"'
        phone = next(cell for cell in houses[1] if cell.value == "手机号")
        assert houses.column_dimensions[phone.column_letter].number_format == "@"
        assert "11 位手机号" in phone.comment.text

    def test_only_for_those_who_may_import(self, bench, database):
        with database.session() as session:
            auditor = factories.staff(session, role="auditor")

        with pytest.raises(NotAllowed):
            bench.desk.write_template(actor=auditor)

"""The commands of the import workbench."""

import openpyxl
import pytest

from models import House
from tests import factories
from tests.panel.test_commands import ended
from tests.services.imports.conftest import HEADER, numbered, row, workbook

WHERE = ["--community", "CH"]


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=[str(word) for word in words])


@pytest.fixture(autouse=True)
def community(database):
    with database.session() as session:
        return factories.make_community(session, code="CH")


@pytest.fixture
def file(tmp_path):
    def file(*rows, **more):
        path = tmp_path / "in.xlsx"
        path.write_bytes(workbook(*rows, **more))
        return path

    return file


class TestTemplate:
    def test_it_is_written_and_imports_as_it_is(self, flask, tmp_path):
        path = tmp_path / "模板.xlsx"

        ended(flask("import", "template", path), 0, "已写出导入模板")

        for kind in ("owners", "spaces", "readings"):
            ended(
                flask("import", kind, path, *WHERE, "--dry-run"), 0, "检查完成：0 行", "问题 0 处"
            )

    def test_not_into_a_folder_that_is_not_there(self, flask, tmp_path):
        ended(flask("import", "template", tmp_path / "no" / "x.xlsx"), 2, "没有文件夹")


class TestErrors:
    def test_the_mended_error_file_imports(self, flask, file, tmp_path, database):
        out = tmp_path / "问题.xlsx"
        words = ("import", "owners", file(row(), numbered(2, 建筑面积=0)), *WHERE)
        ended(flask(*words, "--errors", out), 2, "问题 1 处", f"问题已写入 {out}")
        book = openpyxl.load_workbook(out)
        assert book.active.cell(1, len(HEADER) + 1).value == "问题"
        book.active.cell(3, HEADER.index("建筑面积") + 1).value = 80
        book.save(out)

        ended(flask("import", "owners", out, *WHERE, "--errors", out), 0, "新增 1", "问题 0 处")

        assert database.value("SELECT count(*) FROM house") == 2

    def test_a_dry_run_writes_it_too(self, flask, file, tmp_path):
        out = tmp_path / "问题.xlsx"
        words = ("import", "owners", file(row(建筑面积=0)), *WHERE, "--dry-run")

        ended(flask(*words, "--errors", out), 2)

        assert out.exists()

    def test_without_problems_there_is_none(self, flask, file, tmp_path):
        out = tmp_path / "问题.xlsx"

        ended(flask("import", "owners", file(row()), *WHERE, "--errors", out), 0)

        assert not out.exists()


class TestSpaces:
    HEADER = ("车位号", "性质", "使用人", "手机号", "车牌号")

    def test_a_sheet_goes_in(self, flask, file, database):
        ended(flask("import", "owners", file(row()), *WHERE), 0)
        path = file(
            ["A1", "产权", "陈建", "19900000001", "粤B96741"],
            ["A2", "产权", "李四", "19900000009", None],
            header=self.HEADER,
            title="车位",
        )

        answer = flask("import", "spaces", path, *WHERE)

        ended(
            answer,
            2,
            "第 3 行 手机号",
            "业主档案中没有这个手机号",
            "新增车位 1 个",
            "新增车辆 1 辆",
        )
        owner_id = database.value("SELECT owner_id FROM parking_space")
        assert owner_id == database.value("SELECT id FROM owner")
        assert database.value("SELECT owner_id FROM car") == owner_id


class TestUndo:
    def test_a_batch_is_listed_and_undone(self, flask, file, database):
        ended(flask("import", "list"), 0, "还没有导入过表格")
        ended(flask("import", "owners", file(row()), *WHERE), 0, "批次 1", "flask import undo 1")
        ended(flask("import", "list"), 0, "1 ", "in.xlsx 已导入（命令行）")

        ended(flask("import", "undo", "1"), 0, "已撤销导入批次 1（in.xlsx）")

        assert database.value("SELECT count(*) FROM house") == 0
        ended(flask("import", "list"), 0, "in.xlsx 已撤销")
        ended(flask("import", "undo", "1"), 1, "已撤销，现在不能这样操作")

    def test_not_while_something_depends_on_it(self, flask, file, database):
        ended(flask("import", "owners", file(row()), *WHERE), 0)
        with database.session() as session:
            factories.make_meter(session, house=session.query(House).one())

        ended(flask("import", "undo", "1"), 1, "不能撤销：导入之后已有 表具 1 条")

    def test_one_that_is_not_there(self, flask):
        ended(flask("import", "undo", "404"), 1, "没有找到")

    def test_whoever_may_not(self, flask, database):
        with database.session() as session:
            factories.make_staff(session, login_name="zhao", role="cashier")

        for words in (("undo", "1"), ("list",), ("template", "x.xlsx")):
            ended(flask("import", *words, "--as", "zhao"), 1, "没有权限")

"""Workbooks made on the spot, and the clerk who hands them in."""

import io

import openpyxl
import pytest

from domain.house_sheet import SHEET_NAME
from tests import factories

HEADER = [
    "楼栋",
    "单元",
    "楼层",
    "房号",
    "户型",
    "建筑面积",
    "套内面积",
    "交付日期",
    "业主姓名",
    "手机号",
    "产权份额",
]
ROW = ["1栋", "1", 1, "101", "两室", 89.37, 72.38, "2020-06-01", "陈建", "19900000001", None]


def row(**changes):
    values = dict(zip(HEADER, ROW, strict=True)) | changes
    return [values[title] for title in HEADER]


def numbered(number, **changes):
    """The row of a house and owner of their own."""
    mine = {
        "房号": str(100 + number),
        "业主姓名": f"业主{number}",
        "手机号": f"1990000{number:04d}",
    }
    return row(**(mine | changes))


def workbook(*rows, header=HEADER, title=SHEET_NAME, others=()):
    book = openpyxl.Workbook()
    book.active.title = title
    for name in others:
        book.create_sheet(name)
    for cells in (header, *rows):
        book.active.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.fixture
def community_id(database):
    with database.session() as session:
        return factories.make_community(session).id


@pytest.fixture
def clerk(database):
    with database.session() as session:
        return factories.staff(session, role="customer_service")


@pytest.fixture
def check(services, clerk, community_id):
    """Try a workbook, or one of these rows."""

    def check(*rows, content=None, **more):
        values = {"actor": clerk, "community_id": community_id} | more
        return services.house_owner_import.check(content=content or workbook(*rows), **values)

    return check


@pytest.fixture
def commit(services, clerk, community_id):
    """Import a workbook, or one of these rows."""

    def commit(*rows, content=None, **more):
        values = {"actor": clerk, "community_id": community_id, "file_name": "业主.xlsx"} | more
        return services.house_owner_import.carry_out(content=content or workbook(*rows), **values)

    return commit


@pytest.fixture
def contents(database):
    """Everything that an import may write about houses and people, for comparing."""
    return lambda: {
        table: database.rows(f"SELECT * FROM {table} ORDER BY id")
        for table in ("building", "house", "occupancy", "owner", "house_person", "house_binding")
    }


@pytest.fixture
def counts(database):
    return lambda: {
        table: database.value(f"SELECT count(*) FROM {table}")
        for table in ("building", "house", "occupancy", "owner", "house_person")
    }

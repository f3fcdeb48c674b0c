"""The import workbench over HTTP, from the template to the undo."""

import io
from datetime import UTC, datetime

import openpyxl
import pytest

from domain.actors import ROLE_PERMISSIONS, Permission
from domain.imports import FILE_LIMIT
from miniapp_api.limits import HANDING_IN
from tests import factories
from tests.miniapp_api.answers import refusal as refused
from tests.miniapp_api.forms import CONTENT_TYPE, form
from tests.services.imports.conftest import numbered, row, workbook

PATH = "/api/v1/staff/imports"


def refusal(answer):
    """Status and code of a refusal in our shape."""
    return answer.status_code, refused(answer, answer.status_code)["code"]


@pytest.fixture(autouse=True)
def today(clock):
    clock.set(datetime(2026, 11, 24, 4, tzinfo=UTC))


@pytest.fixture
def community(database):
    with database.session() as session:
        return factories.make_community(session, code="CH", name="翠湖花园")


@pytest.fixture
def counts(database):
    return lambda: {"house": database.value("SELECT count(*) FROM house")}


@pytest.fixture
def key_of(database):
    """Hand out the key of somebody with a role."""

    def key_of(role, **changes):
        with database.session() as session:
            staff = factories.make_staff(session, role=role, **changes)
            return factories.make_staff_token(session, staff=staff)

    return key_of


@pytest.fixture
def key(key_of):
    return key_of("customer_service")


@pytest.fixture
def call(client, key):
    def call(method, path="", token=key, **more):
        headers = {"Authorization": f"Bearer {token}"}
        return client.open(PATH + path, method=method, headers=headers, **more)

    return call


@pytest.fixture
def upload(call, community):
    def upload(*rows, content=None, kind="owners", code="CH", **more):
        content = workbook(*rows) if content is None else content
        return call(
            "POST",
            data=form(content, "业主.xlsx"),
            content_type=CONTENT_TYPE,
            query_string={"community": code, "kind": kind},
            **more,
        )

    return upload


class TestStory:
    def test_upload_check_commit_undo(self, upload, call, queue, counts):
        answer = upload(row(), numbered(2, 建筑面积=0))

        assert answer.status_code == 201
        batch = answer.json
        assert (batch["state"], batch["kind"], batch["file_name"]) == (
            "uploaded",
            "owners",
            "业主.xlsx",
        )
        assert (batch["community"], batch["finished_at"]) == ("翠湖花园", None)
        path = f"/{batch['id']}"
        queue.run()
        checked = call("GET", path).json
        assert (checked["state"], checked["problem_count"], checked["has_errors"]) == (
            "checked",
            1,
            True,
        )
        assert checked["foreseen"]["new"] == 1

        assert call("POST", f"{path}/commit").json["state"] == "importing"
        queue.run()
        done = call("GET", path).json
        assert (done["state"], done["rows_done"], done["rows_total"]) == ("finished", 1, 1)
        assert done["counts"]["houses_new"] == 1
        assert counts()["house"] == 1

        assert call("POST", f"{path}/undo").json["state"] == "undoing"
        queue.run()
        assert call("GET", path).json["state"] == "undone"
        assert counts()["house"] == 0

    def test_the_error_file_comes_as_an_attachment(self, upload, call, queue):
        path = f"/{upload(row(建筑面积=0)).json['id']}/errors.xlsx"
        queue.run()

        answer = call("GET", path)

        assert answer.status_code == 200
        assert answer.mimetype.endswith("spreadsheetml.sheet")
        assert "attachment" in answer.headers["Content-Disposition"]
        assert openpyxl.load_workbook(io.BytesIO(answer.data)).active["L1"].value == "问题"

    def test_the_template(self, call):
        answer = call("GET", "/template.xlsx")

        assert answer.status_code == 200
        assert "房屋业主" in openpyxl.load_workbook(io.BytesIO(answer.data)).sheetnames


class TestPages:
    def test_problems_page_by_page(self, upload, call, queue):
        rows = [numbered(number, 建筑面积=0) for number in range(1, 4)]
        path = f"/{upload(*rows).json['id']}/problems"
        queue.run()

        first = call("GET", path, query_string={"limit": 2}).json
        last = call("GET", path, query_string={"limit": 2, "after": first["next_after"]}).json

        assert [one["row"] for one in first["items"]] == [2, 3]
        assert [one["row"] for one in last["items"]] == [4]
        assert last["next_after"] is None
        assert first["items"][0] == {
            "row": 2,
            "column": "建筑面积",
            "value": "0",
            "why": "面积必须大于 0",
            "suggestion": "例如 89.37",
        }

    def test_batches_page_by_page_newest_first(self, upload, call):
        ids = [upload(row()).json["id"] for _ in range(3)]

        first = call("GET", query_string={"limit": 2, "community": "CH"}).json
        last = call("GET", query_string={"limit": 2, "before_id": first["next_before_id"]}).json

        assert [one["id"] for one in first["items"] + last["items"]] == ids[::-1]
        assert last["next_before_id"] is None


class TestRefusals:
    def test_a_file_above_ten_megabytes(self, upload, database):
        answer = upload(content=bytes(FILE_LIMIT + 1))

        assert refusal(answer) == (422, "no_import_file")
        assert database.value("SELECT count(*) FROM import_batch") == 0

    def test_a_body_far_above_it_is_not_even_read(self, upload):
        assert upload(content=bytes(FILE_LIMIT + 200_000)).status_code == 413

    def test_ten_megabytes_are_taken(self, upload):
        assert upload(content=bytes(FILE_LIMIT)).status_code == 201

    def test_a_large_body_elsewhere_is_still_refused(self, call):
        assert call("POST", "/1/commit", data=bytes(200_000)).status_code in (404, 413)

    def test_no_file(self, call, community):
        query = {"community": "CH", "kind": "owners"}

        assert refusal(call("POST", query_string=query, data={})) == (422, "no_import_file")

    @pytest.mark.parametrize("kind", ["", "owner", "房屋业主"])
    def test_an_unknown_sheet(self, upload, kind):
        assert refusal(upload(row(), kind=kind)) == (422, "invalid_input")

    def test_an_unknown_community(self, upload):
        assert refusal(upload(row(), code="XX")) == (404, "not_found")

    def test_one_out_of_scope_is_as_unknown(self, upload, key_of, database):
        stranger = key_of("manager", sees_all=False)

        hidden = upload(row(), token=stranger)
        missing = upload(row(), token=stranger, code="XX")

        assert refusal(hidden) == refusal(missing) == (404, "not_found")
        words = [answer.json["error"]["message"] for answer in (hidden, missing)]
        assert words[0].replace("CH", "XX") == words[1]

    def test_a_batch_that_is_not_there(self, call):
        for method, path in (("GET", ""), ("GET", "/problems"), ("POST", "/commit")):
            assert refusal(call(method, f"/404{path}")) == (404, "not_found")

    def test_what_is_not_checked(self, upload, call):
        path = f"/{upload(row()).json['id']}/commit"

        assert refusal(call("POST", path)) == (409, "import_cannot_move")

    def test_only_with_the_permission_of_the_sheet(self, upload, key_of):
        engineer = key_of("engineer")
        assert Permission.IMPORT_OWNERS not in ROLE_PERMISSIONS["engineer"]

        assert refusal(upload(row(), token=engineer)) == (403, "not_allowed")
        assert upload(row(), token=engineer, kind="readings").status_code == 201

    def test_too_many_files(self, upload):
        for _ in range(HANDING_IN.per_minute):
            assert upload(row()).status_code == 201

        assert refusal(upload(row())) == (429, "too_many")

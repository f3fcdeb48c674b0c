import hashlib
import json
import threading
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.periods import local_date
from domain.sheets import HeaderMissing
from services.imports import house_owners
from services.imports.batches import ImportRunning
from services.people.names import letters_of
from tests import factories
from tests.factories import actor_without
from tests.services.imports.conftest import numbered, row, workbook
from tests.world import ROOT

SAMPLE = ROOT / "sample"


def changes(report):
    return (
        report.houses_new,
        report.houses_changed,
        report.owners_new,
        report.people_new,
    )


class TestSampleCommunity:
    """The workbook of a whole community imports in full, and again without a trace."""

    @pytest.fixture
    def content(self):
        return (SAMPLE / "cuihu-garden.xlsx").read_bytes()

    def test_it_imports_in_full_and_again_changes_nothing(
        self, content, check, commit, counts, contents
    ):
        foretold = check(content=content)

        report = commit(content=content)

        assert report.problems == ()
        assert changes(report) == changes(foretold)
        assert counts()["house"] == counts()["occupancy"] == report.houses_new == 864
        assert counts()["owner"] == report.owners_new == 868
        before = contents()

        again = commit(content=content)

        assert changes(again) == (0, 0, 0, 0)
        assert contents() == before


class TestMessyList:
    """A clerk's list: exactly the rows with a problem are named, all others import."""

    @pytest.fixture
    def content(self):
        return (SAMPLE / "clerk-list-messy.xlsx").read_bytes()

    def test_exactly_the_bad_rows_are_named(self, content, check):
        bad = json.loads((SAMPLE / "clerk-list-messy.json").read_text())

        report = check(content=content)

        assert [str(problem.row) for problem in report.problems] == list(bad)
        assert all(problem.why and problem.suggestion for problem in report.problems)

    def test_all_other_rows_import(self, content, commit, database):
        report = commit(content=content)

        rooms = {house["room_no"] for house in database.rows("SELECT room_no FROM house")}
        assert len(rooms) == report.houses_new == report.row_count - 17
        assert {"101", "4101", "4104", "4105", "4199"} <= rooms
        assert not rooms & {f"{number}" for number in range(4106, 4121)}

    def test_two_owners_in_a_cell_are_two_owners(self, content, commit, database):
        commit(content=content)

        people = database.rows(
            "SELECT owner.name, phone, role, share_ratio FROM house_person part"
            " JOIN owner ON owner.id = owner_id JOIN house ON house.id = house_id"
            " WHERE room_no = '4105' ORDER BY owner.id"
        )
        assert [tuple(person.values()) for person in people] == [
            ("胡红英", "19900010045", "title_holder", Decimal("0.5")),
            ("李涵", "19900010046", "co_owner", Decimal("0.5")),
        ]


class TestCheck:
    def test_it_writes_nothing(self, check, counts, database):
        report = check(row(), numbered(2))

        assert changes(report) == (2, 0, 2, 2)
        assert report.batch_id is None
        assert set(counts().values()) == {0}
        assert database.rows("SELECT * FROM import_batch") == []

    def test_no_such_community(self, check):
        with pytest.raises(NotFound):
            check(row(), community_id=404)

    def test_what_is_no_workbook_is_refused(self, check):
        with pytest.raises(InvalidInput):
            check(content=b"PDF")

    @pytest.mark.parametrize("name", ["房屋业主", "Sheet1"])
    def test_the_sheet_is_found_beside_others_also_when_nobody_named_it(self, check, name):
        content = workbook(row(), title=name, others=("说明", "车位"))

        assert check(content=content).house_count == 1

    def test_a_workbook_of_other_sheets_is_told_which_is_wanted(self, check):
        with pytest.raises(InvalidInput, match="房屋业主"):
            check(content=workbook(row(), title="车位", others=("说明",)))

    def test_a_sheet_without_header_is_refused(self, check):
        with pytest.raises(HeaderMissing):
            check(content=workbook(header=["别的"]))

    def test_only_with_the_permission(self, check):
        with pytest.raises(NotAllowed):
            check(row(), actor=actor_without(Permission.IMPORT_OWNERS))


class TestCommit:
    def test_a_house_with_its_owner(self, commit, contents):
        commit(row())

        kept = {table: rows[0] for table, rows in contents().items() if rows}
        house = kept["house"]
        assert kept["building"]["name"] == "1栋"
        assert (house["unit_no"], house["floor_no"], house["room_no"]) == ("1", 1, "101")
        assert house["building_area"] == house["billing_area"] == Decimal("89.37")
        assert (house["inner_area"], house["fee_coefficient"]) == (Decimal("72.38"), 1)
        assert house["handover_date"] == date(2020, 6, 1)
        assert (kept["occupancy"]["state"], kept["occupancy"]["occupied_from"]) == (
            "delivered",
            date(2020, 6, 1),
        )
        assert (kept["owner"]["name"], kept["owner"]["phone"]) == ("陈建", "19900000001")
        part = kept["house_person"]
        assert (part["role"], part["person_from"]) == ("title_holder", date(2020, 6, 1))

    def test_without_a_handover_date_a_part_begins_today(self, commit, database, clock):
        commit(row(交付日期=None))

        today = local_date(clock.now())
        assert database.value("SELECT person_from FROM house_person") == today
        assert database.value("SELECT occupied_from FROM occupancy") == today

    def test_the_file_the_counts_and_the_problems_are_kept(self, commit, database, audit):
        content = workbook(row(), numbered(2, 建筑面积=0))

        report = commit(content=content, file_name="x" * 300 + "业主.xlsx")

        batch = database.rows("SELECT * FROM import_batch")[0]
        assert batch["id"] == report.batch_id
        assert batch["state"] == "finished"
        assert batch["file_sha256"] == hashlib.sha256(content).hexdigest()
        assert batch["file_name"].endswith("业主.xlsx")
        assert len(batch["file_name"]) == 200
        assert (batch["rows_total"], batch["rows_done"]) == (1, 1)
        assert batch["counts"] == {
            "houses_new": 1,
            "houses_changed": 0,
            "owners_new": 1,
            "people_new": 1,
            "accounts_bound": 0,
        }
        (problem,) = batch["problems"]
        assert (problem["row"], problem["column"]) == (3, "建筑面积")
        assert audit() == ["import_started", "import_finished"]
        assert audit("import_finished")[0]["problems"] == 1

    def test_a_corrected_area_is_billed_from_now_on_and_on_record(self, commit, database, audit):
        commit(row())

        report = commit(row(建筑面积=99.37, 交付日期="2021-06-01"))

        assert changes(report) == (0, 1, 0, 0)
        house = database.rows("SELECT building_area, billing_area, handover_date FROM house")[0]
        assert set(house.values()) == {Decimal("99.37"), date(2021, 6, 1)}
        assert audit("house_changed") == [
            {
                "before": {"building_area": "89.3700", "handover_date": "2020-06-01"},
                "after": {"building_area": "99.3700", "handover_date": "2021-06-01"},
            }
        ]

    def test_a_change_of_something_else_leaves_the_billing_area(self, commit, database):
        commit(row())
        database.do("UPDATE house SET billing_area = 80")

        commit(row(户型="三室"))

        assert database.value("SELECT billing_area FROM house") == 80

    def test_a_first_handover_date_is_on_record_as_from_nothing(self, commit, audit):
        commit(row(交付日期=None))

        commit(row())

        assert audit("house_changed") == [
            {"before": {"handover_date": None}, "after": {"handover_date": "2020-06-01"}}
        ]

    def test_a_co_owner_is_added_to_a_house_on_file(self, commit, database):
        commit(row())

        report = commit(row(业主姓名="陈建、李涵", 手机号="19900000001、19900000002"))

        assert changes(report) == (0, 0, 1, 1)
        roles = database.rows("SELECT role FROM house_person ORDER BY id")
        assert [part["role"] for part in roles] == ["title_holder", "co_owner"]

    def test_one_owner_of_houses_in_different_chunks_is_one_owner(
        self, commit, counts, monkeypatch
    ):
        monkeypatch.setattr(house_owners, "CHUNK_HOUSES", 1)

        commit(row(), row(房号="102"), row(房号="103"))

        assert (counts()["house"], counts()["owner"], counts()["house_person"]) == (3, 1, 3)

    def test_whoever_left_may_come_back(self, commit, database, clock):
        """Their new part must not overlap the one that ended."""
        commit(row())
        database.do("UPDATE house_person SET person_until = '2024-01-01'")

        report = commit(row())

        assert report.people_new == 1
        parts = database.rows("SELECT person_from, person_until FROM house_person ORDER BY id")
        assert parts[1] == {"person_from": local_date(clock.now()), "person_until": None}
        assert commit(row()).people_new == 0

    def test_whoever_comes_later_is_known(self, commit, database):
        commit(row())
        database.do("UPDATE house_person SET person_from = '2099-01-01'")

        assert commit(row()).people_new == 0

    def test_owners_get_the_letters_of_their_names(self, commit, database):
        commit(row())

        [owner] = database.rows("SELECT name, pinyin, initials FROM owner")
        assert letters_of(owner["name"]) == {
            "pinyin": owner["pinyin"],
            "initials": owner["initials"],
        }
        assert owner["pinyin"]

    def test_an_owner_is_known_by_every_phone(self, commit, database):
        commit(row())
        database.do(
            "INSERT INTO owner_phone (owner_id, community_id, phone, is_primary, created_at)"
            " SELECT id, community_id, '18800000001', false, now() FROM owner"
        )
        database.do("UPDATE owner_phone SET phone = '18800000002' WHERE is_primary")
        database.do("UPDATE owner_phone SET phone = '19900000001' WHERE NOT is_primary")

        report = commit(row())

        assert (report.owners_new, report.people_new) == (0, 0)

    def test_accounts_that_signed_in_earlier_are_bound(self, commit, database, audit):
        with database.session() as session:
            factories.make_account(session, phone="19900000001")

        commit(row())

        assert database.value("SELECT status FROM house_binding") == "active"
        assert database.value("SELECT counts->>'accounts_bound' FROM import_batch") == "1"
        assert "house_bound" in audit()

    def test_progress_is_told_and_kept_after_each_chunk(self, commit, database, monkeypatch):
        monkeypatch.setattr(house_owners, "CHUNK_HOUSES", 2)
        told = []

        commit(
            *(numbered(number) for number in range(1, 6)),
            progress=lambda done, total: told.append(
                (done, total, database.value("SELECT rows_done FROM import_batch"))
            ),
        )

        assert told == [(2, 5, 2), (4, 5, 4), (5, 5, 5)]

    def test_a_sheet_of_problems_only_imports_nothing_and_says_so(self, commit, counts):
        report = commit(row(建筑面积=0))

        assert len(report.problems) == 1
        assert counts()["house"] == 0

    def test_no_such_community(self, commit):
        with pytest.raises(NotFound):
            commit(row(), community_id=404)

    def test_what_is_no_workbook_is_refused(self, commit, database):
        with pytest.raises(InvalidInput):
            commit(content=b"PDF")

        assert database.rows("SELECT * FROM import_batch") == []

    def test_only_with_the_permission(self, commit, counts):
        with pytest.raises(NotAllowed):
            commit(row(), actor=actor_without(Permission.IMPORT_OWNERS))

        assert counts()["house"] == 0


class TestCutOff:
    @pytest.fixture(autouse=True)
    def small_chunks(self, monkeypatch):
        monkeypatch.setattr(house_owners, "CHUNK_HOUSES", 2)

    ROWS = (
        numbered(1),
        numbered(2, 手机号=None),
        numbered(3, 手机号="19900000001", 业主姓名="业主1"),
        numbered(4, 手机号=None),
        numbered(5),
    )

    def test_an_import_that_died_between_chunks_is_simply_started_again(
        self, commit, counts, database
    ):
        def die(done, total):
            if done == 4:
                raise MemoryError

        with pytest.raises(MemoryError):
            commit(*self.ROWS, progress=die)
        assert counts()["house"] == 4

        report = commit(*self.ROWS)

        assert changes(report) == (1, 0, 1, 1)
        assert counts() == {
            "building": 1,
            "house": 5,
            "occupancy": 5,
            "owner": 4,
            "house_person": 5,
        }
        states = database.rows("SELECT state FROM import_batch ORDER BY id")
        assert [batch["state"] for batch in states] == ["failed", "finished"]

    def test_a_death_inside_a_chunk_undoes_that_chunk(self, commit, counts, monkeypatch):
        write = house_owners.write_people
        chunks = []

        def die_in_the_second(*args):
            chunks.append(args)
            if len(chunks) == 2:
                raise MemoryError
            return write(*args)

        monkeypatch.setattr(house_owners, "write_people", die_in_the_second)
        with pytest.raises(MemoryError):
            commit(*self.ROWS)
        monkeypatch.setattr(house_owners, "write_people", write)

        assert (counts()["house"], counts()["house_person"]) == (2, 2)
        commit(*self.ROWS)
        assert (counts()["house"], counts()["house_person"]) == (5, 5)

    def test_a_chunk_that_ran_into_a_deadlock_is_written_once(self, commit, counts, monkeypatch):
        """The second try starts from what was on file before the first."""
        write = house_owners.write_people
        tries = []

        def restless(tx, *args):
            made = write(tx, *args)
            tries.append(args)
            if len(tries) == 1:
                tx.session.connection().exec_driver_sql(
                    "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40P01'; END $$"
                )
            return made

        monkeypatch.setattr(house_owners, "write_people", restless)

        commit(*self.ROWS)

        assert len(tries) == 4
        assert (counts()["owner"], counts()["house_person"]) == (4, 5)


class TestAtOnce:
    def test_a_second_import_of_the_community_is_refused(self, commit, check, counts):
        refused = []

        def try_too():
            try:
                commit(row())
            except ImportRunning:
                refused.append("import")
            check(row())

        def look(done, total):
            thread = threading.Thread(target=try_too)
            thread.start()
            thread.join()

        commit(row(), progress=look)

        assert refused == ["import"]
        assert counts()["house"] == 1

    def test_two_communities_may_import_at_once(self, commit, database, together, community_id):
        with database.session() as session:
            other_id = factories.make_community(session).id

        results = together(lambda: commit(row()), lambda: commit(row(), community_id=other_id))

        assert [changes(report) for report in results] == [(1, 0, 1, 1)] * 2


@st.composite
def sheets(draw):
    """Rows of houses with none to three owners, phones shared by name, some cells empty."""
    names = ["陈建", "李涵", "王芳", "赵庆"]
    rooms = draw(st.sets(st.integers(101, 130), min_size=1, max_size=8))
    rows = []
    for room in sorted(rooms):
        owners = draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
        has_phones = draw(st.booleans())
        phones = [f"1990000000{names.index(owner)}" for owner in owners] if has_phones else []
        rows.append(
            row(
                楼栋=draw(st.sampled_from(["1栋", 2, "商业街"])),
                单元=draw(st.sampled_from(["1", 2, None])),
                房号=draw(st.sampled_from([str(room), room])),
                建筑面积=draw(st.integers(50_0000, 200_0000)) / 10000,
                套内面积=draw(st.none() | st.integers(40, 180)),
                楼层=draw(st.none() | st.integers(-2, 40)),
                户型=draw(st.sampled_from([None, "两室"])),
                交付日期=draw(st.none() | st.sampled_from(["2020-06-01", "2024.2.29"])),
                业主姓名="、".join(owners) or None,
                手机号="、".join(phones) or None,
            )
        )
    return rows


class TestIdempotence:
    @settings(
        max_examples=20,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(rows=sheets())
    def test_any_sheet_again_in_any_order_changes_nothing(self, rows, commit, contents, database):
        with database.session() as session:
            community_id = factories.make_community(session).id
        first = commit(content=workbook(*rows), community_id=community_id)
        before = contents()

        again = commit(content=workbook(*reversed(rows)), community_id=community_id)

        assert first.problems == again.problems == ()
        assert first.houses_new == len(rows)
        assert changes(again) == (0, 0, 0, 0)
        assert contents() == before

"""Documents of equipment: versions, the day they run out, and whose file it is."""

from datetime import UTC, date, datetime, timedelta

import pytest

from domain.actors import system_actor
from domain.equipment import DocumentType
from domain.errors import InvalidInput, NotAllowed, NotFound
from services.equipment.documents import NewDocument
from tests import factories

TODAY = date(2026, 11, 2)


@pytest.fixture
def manager(database, clock):
    clock.set(datetime(2026, 11, 2, 2, 0, tzinfo=UTC))
    with database.session() as session:
        return factories.staff(session, name="王经理")


@pytest.fixture
def lift_id(database):
    with database.session() as session:
        building = factories.make_building(session)
        return factories.make_equipment(session, building=building, name="1号电梯").id


@pytest.fixture
def hand_in(services, manager):
    def hand_in(actor=None, name="报告.pdf"):
        return services.file_desk.take_document(
            actor=actor or manager, content=b"%PDF-1.7 x", file_name=name
        ).id

    return hand_in


@pytest.fixture
def add(services, manager, lift_id, hand_in):
    def add(title="年检报告", expires_on=None, document_id=None, **more):
        values = {"actor": manager, "equipment_id": lift_id} | more
        new = NewDocument(
            DocumentType.INSPECTION, title, document_id or hand_in(), expires_on=expires_on
        )
        return services.equipment_documents.add(new=new, **values)

    return add


@pytest.fixture
def shown(services, manager, lift_id):
    def shown():
        found = services.equipment_documents.list_documents(actor=manager, equipment_id=lift_id)
        history = services.equipment_lists.show(actor=manager, equipment_id=lift_id)
        assert list(history.documents) == list(found)
        return found

    return shown


class TestAdd:
    def test_the_same_name_is_a_new_version(self, add, shown, audit):
        add()
        add("说明书")
        add()

        assert [(one.title, one.version, one.is_newest) for one in shown()] == [
            ("年检报告", 2, True),
            ("说明书", 1, True),
            ("年检报告", 1, False),
        ]
        assert shown()[0].file.file_name == "报告.pdf"
        assert (shown()[0].who, shown()[0].doc_type_shown) == ("王经理", "检验报告")
        assert audit("equipment_document_added")[-1] == {"title": "年检报告", "version": 2}

    def test_versions_have_each_their_number(self, add, hand_in, together, shown):
        files = [hand_in() for _ in range(4)]
        together(*[lambda file_id=file_id: add(document_id=file_id) for file_id in files])

        assert sorted(one.version for one in shown()) == [1, 2, 3, 4]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"title": ""}, "title"),
            ({"title": "长" * 300}, "title"),
            ({"title": "报\x00告"}, "title"),
            ({"expires_on": date(1800, 1, 1)}, "expires_on"),
            ({"expires_on": date(9999, 12, 31)}, "expires_on"),
        ],
    )
    def test_refuses_what_cannot_be_meant(self, add, database, changes, field):
        with pytest.raises(InvalidInput) as refused:
            add(**changes)

        assert list(refused.value.fields) == [field]
        assert database.value("SELECT count(*) FROM equipment_document") == 0

    def test_a_file_is_ones_own_and_used_once(self, add, hand_in, database, shown):
        with database.session() as session:
            other = factories.staff(session)
        used = hand_in()
        add(document_id=used)
        for file_id in (used, hand_in(other), 9_999_999):
            with pytest.raises(NotFound):
                add(document_id=file_id)

        assert len(shown()) == 1

    def test_is_for_managers_of_its_place(self, add, lift_id, database, services):
        with database.session() as session:
            engineer = factories.staff(session, role="engineer")
            elsewhere = factories.make_building(session)
            stranger = factories.staff(session, scope=factories.scope_of_building(elsewhere))
        with pytest.raises(NotAllowed):
            add(actor=engineer)
        with pytest.raises(NotFound):
            add(actor=stranger)
        with pytest.raises(NotFound):
            services.equipment_documents.list_documents(actor=stranger, equipment_id=lift_id)


class TestExpiry:
    @pytest.fixture
    def titles(self, services, manager):
        def titles(**which):
            found = services.equipment_lists.list_expiring(actor=manager, **which)
            return [(one.kind, one.kind_shown, one.days_left) for one in found]

        return titles

    def test_only_the_newest_version_counts(self, add, titles):
        add(expires_on=TODAY + timedelta(days=5))
        assert titles() == [("document", "年检报告", 5)]
        add(expires_on=TODAY + timedelta(days=400))

        assert titles() == []
        assert titles(within_days=400) == [("document", "年检报告", 400)]
        assert titles(within_days=400, community_id=9_999_999) == []

    def test_what_never_ends_is_not_told(self, add, titles):
        add()

        assert titles(within_days=3660) == []

    def test_a_task_is_opened_once(self, add, services, database):
        add(expires_on=TODAY + timedelta(days=5))
        look = services.equipment_watch.look
        actor = system_actor("测试")

        assert (look(actor=actor), look(actor=actor)) == (1, 0)
        assert database.value("SELECT title FROM staff_task") == (
            "1号电梯：年检报告于 2026-11-07 到期"
        )

    def test_nothing_is_told_of_what_was_scrapped(self, add, titles, services, database):
        add(expires_on=TODAY)
        database.do("UPDATE equipment SET state = 'scrapped'")

        assert titles() == []
        assert services.equipment_watch.look(actor=system_actor("测试")) == 0

import re
from datetime import timedelta

import pytest

from domain.actors import DataScope, Permission, operator
from domain.errors import InvalidInput, NotAllowed
from domain.houses import HouseState
from domain.owner_search import BindingFilter
from models import Owner, OwnerPhone
from services.people import search
from services.people.names import letters_of
from services.people.search import OwnerFilter, find_query
from tests import factories


@pytest.fixture
def found(services, place):
    """Names of the owners that a search finds, newest first."""

    def found(text="", actor=None, limit=50, **which):
        return [
            owner.name
            for owner in services.owner_search.find(
                actor=actor or place.clerk, which=OwnerFilter(text=text, **which), limit=limit
            )
        ]

    return found


@pytest.fixture
def neighbours(database, place):
    """李四 in 5栋2单元1201, 欧阳小明 in 3栋101, 王五 with two phones and no house."""
    with database.session() as session:
        community = session.get_one(factories.Community, place.community_id)
        five = factories.make_building(session, community=community, name="5栋")
        three = session.get_one(factories.Building, place.building_id)
        homes = [
            factories.make_house(session, building=five, unit_no="2", room_no="1201"),
            factories.make_house(session, building=three, unit_no="", room_no="101"),
        ]
        for name, house, phone in (
            ("李四", homes[0], "13912345678"),
            ("欧阳小明", homes[1], "13700000000"),
        ):
            factories.make_owner(session, house=house, name=name, phone=phone, **letters_of(name))
        wang = factories.make_owner(
            session,
            community_id=community.id,
            name="王五",
            phone="15011112222",
            **letters_of("王五"),
        )
        factories.add(
            session,
            OwnerPhone(
                owner_id=wang.id,
                community_id=community.id,
                phone="13888886666",
                is_primary=False,
                created_at=factories.MADE_AT,
            ),
        )
        return homes


class TestWords:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("", ["王五", "欧阳小明", "李四", "王小明"]),
            ("王", ["王五", "王小明"]),
            ("小明", ["欧阳小明", "王小明"]),
            ("欧阳小", ["欧阳小明"]),
            ("明小", []),
            ("xiaoming", ["欧阳小明", "王小明"]),
            ("wang", ["王五", "王小明"]),
            ("wxm", ["王小明"]),
            ("ls", ["李四"]),
            ("w", ["王五", "王小明"]),
            ("1391234", ["李四"]),
            ("5678", ["李四"]),
            ("8888", ["王五"]),
            ("138-8888-6666", ["王五"]),
            ("王 １３８", ["王五"]),
            ("王 139", []),
            ("5-2-1201", ["李四"]),
            ("5栋2单元1201室", ["李四"]),
            ("3-101", ["欧阳小明"]),
            ("李四 5栋1201", ["李四"]),
            ("李%", ["李四"]),
            ("'; DROP TABLE owner", []),
        ],
    )
    def test_find_by_name_letters_phone_and_house(self, found, neighbours, text, names):
        assert found(text) == names

    @pytest.mark.parametrize(("house", "names"), [("12", ["李四"]), ("502", ["王小明"]), ("9", [])])
    def test_a_room_by_its_beginning(self, found, neighbours, house, names):
        assert found(house=house) == names

    @pytest.mark.parametrize(
        "which", [{"text": "12"}, {"house": "1-2-3-4"}, {"arrears_from_fen": 0}]
    )
    def test_what_cannot_be_read(self, found, which):
        with pytest.raises(InvalidInput):
            found(**which)


class TestFilters:
    def test_building(self, found, neighbours, place):
        assert found(building_id=place.building_id) == ["欧阳小明", "王小明"]

    def test_state_of_use(self, found, neighbours, database):
        database.do(
            "INSERT INTO occupancy (house_id, state, occupied_from, occupied_until)"
            " VALUES (:id, 'rented', '2020-01-01', '2026-01-01'),"
            " (:id, 'vacant', '2026-01-01', NULL)",
            id=neighbours[0].id,
        )

        assert found(state=HouseState.VACANT) == ["李四"]
        assert found(state=HouseState.RENTED) == []

    def test_arrears(self, found, neighbours, database, services, today):
        with database.session() as session:
            house = session.get_one(factories.House, neighbours[0].id)
            late = today() - timedelta(days=1)
            factories.make_bill(session, house=house, lines=(5000,), due_date=late)
            other = session.get_one(factories.House, neighbours[1].id)
            factories.make_bill(session, house=other, lines=(900,), due_date=late)
            factories.make_bill(session, house=other, lines=(99900,), due_date=today(), sequence=2)

        assert found(has_arrears=True) == ["欧阳小明", "李四"]
        assert found(has_arrears=False) == ["王五", "王小明"]
        assert found(arrears_from_fen=901) == ["李四"]
        assert found(arrears_from_fen=900) == ["欧阳小明", "李四"]
        assert found("李", has_arrears=True, arrears_from_fen=5000, building_id=1) == []

    def test_a_sum_that_few_owe_is_found_page_by_page_as_if_each_was_asked(
        self, found, neighbours, database, today, monkeypatch
    ):
        with database.session() as session:
            late = today() - timedelta(days=1)
            for one in neighbours[:2]:
                house = session.get_one(factories.House, one.id)
                factories.make_bill(session, house=house, lines=(900,), due_date=late)
        asked = found(arrears_from_fen=900)

        monkeypatch.setattr(search, "_LOOKED_UP", 1)

        assert found(arrears_from_fen=900) == asked == ["欧阳小明", "李四"]
        assert found(arrears_from_fen=900, limit=1) == ["欧阳小明"]
        assert found(arrears_from_fen=901) == []

    def test_binding(self, found, neighbours, database, services, place):
        with database.session() as session:
            account = factories.make_account(session, phone="18800000001")
        database.do(
            "INSERT INTO binding_application (account_id, community_id, house_text, house_id, name,"
            " role, proof, state, created_at) VALUES (:account, :community, 'x', :house, 'x',"
            " 'family', 'x', 'pending', now())",
            account=account.id,
            community=place.community_id,
            house=neighbours[0].id,
        )

        assert found(binding=BindingFilter.BOUND) == ["王小明"]
        assert found(binding=BindingFilter.NOT_BOUND) == ["王五", "欧阳小明", "李四"]
        assert found(binding=BindingFilter.PENDING) == ["李四"]

    def test_all_of_one_and_the_same_house(self, found, neighbours, database, place):
        database.do(
            "INSERT INTO house_person (house_id, owner_id, role, person_from)"
            " SELECT :house, :owner, 'co_owner', '2020-01-01'",
            house=neighbours[0].id,
            owner=place.owner_id,
        )

        assert found("王", house="1201") == ["王小明"]
        assert found(house="1201", building_id=place.building_id) == []

    def test_who_has_left_is_not_of_the_house(self, found, database, place):
        database.do("UPDATE house_person SET person_until = '2021-01-01'")

        assert found(house="502") == []
        assert found("王小明") == ["王小明"]

    def test_ended_owners_only_when_asked_for(self, found, neighbours, database):
        database.do("UPDATE owner SET phone = NULL, ended_on = '2026-01-01' WHERE name = '王五'")

        assert found("王五") == []
        assert found("王五", with_ended=True) == ["王五"]


class TestResults:
    def test_tell_houses_and_arrears_and_mask_phones(self, services, place, database, today):
        with database.session() as session:
            house = session.get_one(factories.House, place.house_id)
            factories.make_bill(
                session, house=house, lines=(777,), due_date=today() - timedelta(days=3)
            )

        [owner] = services.owner_search.find(actor=place.cashier, which=OwnerFilter())

        assert owner.phones_masked == (f"{place.phone[:3]}****{place.phone[-4:]}",)
        assert (owner.arrears_fen, owner.binding) == (777, BindingFilter.BOUND)
        assert [(home.label, home.arrears_fen) for home in owner.houses] == [("3栋1单元502", 777)]
        assert place.phone not in repr(owner)

    def test_page_by_page(self, services, place, neighbours):
        def page(before_id):
            return services.owner_search.find(
                actor=place.clerk, which=OwnerFilter(), before_id=before_id, limit=3
            )

        first = page(None)
        second = page(first[-1].id)

        assert [owner.name for owner in (*first, *second)] == ["王五", "欧阳小明", "李四", "王小明"]

    @pytest.mark.parametrize("limit", [0, 102])
    def test_pages_are_of_limited_size(self, services, place, limit):
        with pytest.raises(InvalidInput):
            services.owner_search.find(actor=place.clerk, which=OwnerFilter(), limit=limit)

    def test_out_of_scope_is_not_there(self, found, neighbours, database, place):
        with database.session() as session:
            far = factories.staff(session, scope=DataScope(frozenset({404})))
            five = factories.staff(
                session,
                scope=DataScope(
                    frozenset(),
                    frozenset({place.community_id}),
                    frozenset({neighbours[0].building_id}),
                ),
            )
            elsewhere = factories.make_owner(session, house=factories.make_house(session))

        assert found(actor=far) == []
        assert found(actor=five) == ["李四"]
        assert elsewhere.name in found()
        assert elsewhere.name not in found(community_id=place.community_id)

    def test_houses_out_of_scope_are_not_told(self, services, neighbours, database, place):
        database.do(
            "INSERT INTO house_person (house_id, owner_id, role, person_from)"
            " VALUES (:house, :owner, 'co_owner', '2020-01-01')",
            house=neighbours[0].id,
            owner=place.owner_id,
        )
        with database.session() as session:
            near = factories.staff(
                session,
                scope=DataScope(
                    frozenset(), frozenset({place.community_id}), frozenset({place.building_id})
                ),
            )

        [wang] = services.owner_search.find(actor=near, which=OwnerFilter(text="王小明"))

        assert [home.label for home in wang.houses] == ["3栋1单元502"]

    def test_only_with_the_permission(self, services):
        with pytest.raises(NotAllowed):
            services.owner_search.find(
                actor=factories.actor_without(Permission.VIEW_OWNERS), which=OwnerFilter()
            )


_FILL = """
INSERT INTO community (id, code, name, created_at) VALUES (900, 'BIG', '大', now());
INSERT INTO building (id, community_id, name)
SELECT 9000 + n, 900, n || '栋' FROM generate_series(1, 100) n;
INSERT INTO house (id, community_id, building_id, unit_no, room_no, building_area, billing_area,
                   fee_coefficient)
SELECT 100000 + n, 900, 9001 + n % 100, '1', (n / 100)::text, 89, 89, 1
  FROM generate_series(1, 20000) n;
INSERT INTO owner (id, community_id, name, phone, pinyin, initials, created_at)
SELECT 100000 + n, 900, chr(19968 + n % 700) || chr(20000 + n % 997) || chr(21000 + n % 1009),
       '139' || lpad((n * 4999)::text, 8, '0'), letters, substr(letters, 1, 3),
       now()
  FROM generate_series(1, 20000) n,
       LATERAL (SELECT translate(md5(n::text), '0123456789', 'ghijklmnop') AS letters) named;
INSERT INTO house_person (house_id, owner_id, role, person_from)
SELECT 100000 + n, 100000 + n, 'title_holder', '2020-01-01' FROM generate_series(1, 20000) n;
INSERT INTO occupancy (house_id, state, occupied_from)
SELECT 100000 + n, CASE n % 50 WHEN 0 THEN 'vacant' ELSE 'occupied' END, '2020-01-01'
  FROM generate_series(1, 20000) n;
INSERT INTO staff (id, login_name, name, role, created_at)
VALUES (900, 'big', '大', 'finance', now());
INSERT INTO fee_item (id, community_id, code, name, charge_method, starts_on, created_at)
VALUES (900, 900, 'WY', '物业费', 'area', '2020-01-01', now());
INSERT INTO bill_batch (id, community_id, period_from, period_until, state, made_by_staff_id,
                        created_at)
VALUES (900, 900, '2026-01-01', '2026-02-01', 'published', 900, now());
INSERT INTO bill_batch_item VALUES (900, 900);
INSERT INTO bill (community_id, batch_id, house_id, fee_item_id, bill_no, period_from, period_until,
                  issue_date, due_date, state, amount_fen, paid_fen, published_at)
SELECT 900, 900, 100000 + n, 900, 'B' || n, '2026-01-01', '2026-02-01', '2026-02-01', '2026-03-01',
       CASE n % 50 WHEN 0 THEN 'published' ELSE 'paid' END, 100,
       CASE n % 50 WHEN 0 THEN 0 ELSE 100 END, now()
  FROM generate_series(1, 20000) n;
"""
_BIG_TABLES = ("owner", "owner_phone", "house", "house_person", "bill", "occupancy")


SEARCHES = [
    OwnerFilter(),
    OwnerFilter(community_id=900),
    OwnerFilter(text="一"),
    OwnerFilter(text="丁上"),
    OwnerFilter(text="wang"),
    OwnerFilter(text="wa"),
    OwnerFilter(text="wangcaca"),
    OwnerFilter(text="13900004999"),
    OwnerFilter(text="0004999"),
    OwnerFilter(text="丁 139"),
    OwnerFilter(house="17"),
    OwnerFilter(house="3-1-17"),
    OwnerFilter(building_id=9005),
    OwnerFilter(state=HouseState.VACANT),
    OwnerFilter(has_arrears=True),
    OwnerFilter(has_arrears=False),
    OwnerFilter(arrears_from_fen=50),
    OwnerFilter(community_id=900, has_arrears=True, building_id=9005),
    OwnerFilter(binding=BindingFilter.BOUND),
    OwnerFilter(binding=BindingFilter.NOT_BOUND),
    OwnerFilter(binding=BindingFilter.PENDING),
]


@pytest.mark.slow
class TestPlans:
    """With 20,000 owners no search reads all of the owners, houses or bills."""

    @pytest.fixture
    def explain(self, services, database):
        with database.engine.begin() as connection:
            for statement in filter(str.strip, _FILL.split(";")):
                connection.exec_driver_sql(statement.replace("%", "%%"))
        with database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("ANALYZE")
            # As docs/production.md asks for: random reads cost little more on a solid-state disk.
            connection.exec_driver_sql("SET random_page_cost = 1.1")
            today = services.clock.now().date()

            def explain(which):
                with database.session() as session:
                    query = find_query(session, operator(), which, today)
                query = query.order_by(Owner.id.desc()).limit(51)
                compiled = query.compile(
                    dialect=connection.dialect, compile_kwargs={"literal_binds": True}
                )
                return "\n".join(connection.exec_driver_sql(f"EXPLAIN {compiled}").scalars())

            yield explain
            database.empty()
            connection.exec_driver_sql("ANALYZE")

    def test_read_no_table_as_a_whole(self, explain):
        plans = {which: explain(which) for which in SEARCHES}

        whole = {
            which: plan
            for which, plan in plans.items()
            if set(re.findall(r"Seq Scan on (\w+)", plan)) & set(_BIG_TABLES)
        }
        assert not whole, "\n".join(f"{which}\n{plan}" for which, plan in whole.items())

"""P8a: the first page of an owner search at 200,000 owners, by what is searched for.

One database: 200,000 owners with a phone and a house each, two bills a house, every fiftieth open
and past due, every third owner bound. Names are of 700 surnames and a million given names.
"""

from __future__ import annotations

import json
import time
from statistics import quantiles

from benchmarks.figures import Figure
from benchmarks.world import World, make_world

OWNERS = 200_000
ROUNDS = 5
_PAGES = 20
_PAGE_MS = 50.0

_FILL = """
INSERT INTO community (id, code, name, created_at) VALUES (1, 'BENCH', '基准小区', now());
INSERT INTO building (id, community_id, name)
SELECT n, 1, n || '栋' FROM generate_series(1, 400) n;
INSERT INTO house (id, community_id, building_id, unit_no, room_no, building_area, billing_area,
                   fee_coefficient)
SELECT n, 1, n % 400 + 1, (n / 400 % 2 + 1)::text, (100 + n / 800)::text, 89, 89, 1
  FROM generate_series(1, {owners}) n;
INSERT INTO owner (id, community_id, name, phone, pinyin, initials, created_at)
SELECT n, 1, chr(19968 + n % 700) || chr(20000 + n % 997) || chr(21000 + n % 1009),
       '1' || 3 + n % 7 || lpad((n::bigint * 7919 % 1000000000)::text, 9, '0'), letters,
       substr(letters, 1, 3), now()
  FROM generate_series(1, {owners}) n,
       LATERAL (SELECT translate(substr(md5(n::text), 1, 12), '0123456789', 'ghijklmnop')) AS
           named(letters);
INSERT INTO house_person (house_id, owner_id, role, person_from)
SELECT n, n, 'title_holder', '2020-01-01' FROM generate_series(1, {owners}) n;
INSERT INTO occupancy (house_id, state, occupied_from)
SELECT n, CASE n % 50 WHEN 0 THEN 'vacant' ELSE 'occupied' END, '2020-01-01'
  FROM generate_series(1, {owners}) n;
INSERT INTO account (id, phone, created_at)
SELECT id, phone, now() FROM owner WHERE id % 3 = 0;
INSERT INTO house_binding (account_id, house_id, owner_id, role, status, created_at)
SELECT id, id, id, 'owner', 'active', now() FROM account;
INSERT INTO staff (id, login_name, name, role, created_at)
VALUES (1, 'bench', '基准', 'finance', now());
INSERT INTO fee_item (id, community_id, code, name, charge_method, starts_on, created_at)
VALUES (1, 1, 'WY', '物业费', 'area', '2020-01-01', now());
INSERT INTO bill_batch (id, community_id, period_from, period_until, state, made_by_staff_id,
                        created_at)
VALUES (1, 1, '2026-01-01', '2026-02-01', 'published', 1, now()),
       (2, 1, '2026-02-01', '2026-03-01', 'published', 1, now());
INSERT INTO bill_batch_item VALUES (1, 1), (2, 1);
INSERT INTO bill (community_id, batch_id, house_id, fee_item_id, bill_no, period_from, period_until,
                  issue_date, due_date, state, amount_fen, paid_fen, published_at)
SELECT 1, batch.id, house.id, 1, batch.id || '-' || house.id, period_from, period_until,
       period_until, period_until + 30,
       CASE house.id % 50 WHEN 7 THEN 'published' ELSE 'paid' END, 10000 + house.id,
       CASE house.id % 50 WHEN 7 THEN 0 ELSE 10000 + house.id END, now()
  FROM bill_batch batch, house;
"""


def measure(*, large: bool) -> list[Figure]:
    """Measure each kind of search beside 50 ms; ``large`` changes nothing."""
    del large
    with make_world() as world:
        _fill(world)
        told = world.run("benchmarks.owner_search")
    limit = [_PAGE_MS] * ROUNDS
    conditions = f"{OWNERS:,} owners, {2 * OWNERS:,} bills, PostgreSQL 18, random_page_cost 1.1"
    return [
        Figure(
            "P8a", f"owner search, {name}, p95", ours, limit, "ms", 1.0, conditions, is_most=True
        )
        for name, ours in told.items()
    ]


def _fill(world: World) -> None:
    with world.connect() as connection:
        connection.execute(_FILL.format(owners=OWNERS))
        connection.execute("VACUUM ANALYZE")
        connection.execute("ALTER SYSTEM SET random_page_cost = 1.1")
        connection.execute("SELECT pg_reload_conf()")


def _run() -> None:
    """Time first pages of each kind of search; print milliseconds as JSON."""
    from domain.actors import operator
    from domain.houses import HouseState
    from domain.owner_search import BindingFilter
    from services import assembly
    from services.people.search import OwnerFilter
    from wsgi import create_app

    search = assembly.of(create_app()).owner_search
    actor = operator()
    name = chr(19968 + 77) + chr(20000 + 77)
    searches = {
        "nothing": OwnerFilter(community_id=1),
        "surname": OwnerFilter(text=name[0]),
        "name": OwnerFilter(text=name),
        "initials": OwnerFilter(text="ab"),
        "pinyin": OwnerFilter(text="abcd"),
        "part of a phone": OwnerFilter(text="4791"),
        "house": OwnerFilter(house="78-1-200"),
        "room": OwnerFilter(house="20"),
        "building": OwnerFilter(building_id=78),
        "vacant": OwnerFilter(state=HouseState.VACANT),
        "arrears": OwnerFilter(has_arrears=True),
        "arrears above 2,000": OwnerFilter(arrears_from_fen=200_000),
        "arrears of nobody": OwnerFilter(arrears_from_fen=100_000_000),
        "bound": OwnerFilter(binding=BindingFilter.BOUND),
        "not bound": OwnerFilter(binding=BindingFilter.NOT_BOUND),
        "surname, building, arrears": OwnerFilter(text=name[0], building_id=78, has_arrears=True),
    }
    told: dict[str, list[float]] = {name: [] for name in searches}
    for _ in range(ROUNDS):
        for name, which in searches.items():
            taken = []
            for _ in range(_PAGES):
                began = time.perf_counter()
                search.find(actor=actor, which=which)
                taken.append((time.perf_counter() - began) * 1000)
                if sum(taken) > 5_000:
                    break
            told[name].append(quantiles(taken, n=20)[-1] if len(taken) > 1 else taken[0])
    print(json.dumps(told, ensure_ascii=False))


if __name__ == "__main__":
    _run()

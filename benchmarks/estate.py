"""A community of any size with what a month of bills needs, filled by set-based SQL."""

from __future__ import annotations

from benchmarks.world import World

ITEMS = 3
"""Property fee by area, waste at a fixed price, water by tiers."""

_FILL = """
INSERT INTO community (id, code, name, created_at) VALUES (1, 'BENCH', '基准小区', now());
INSERT INTO building (id, community_id, name)
SELECT n, 1, n || '栋' FROM generate_series(1, 1000) n;
INSERT INTO house (community_id, building_id, unit_no, room_no, building_area, billing_area,
                   fee_coefficient, handover_date)
SELECT 1, n % 1000 + 1, '1', n::text, 50 + n % 10000 / 100.0, 50 + n % 10000 / 100.0, 1,
       '2020-01-01'
  FROM generate_series(1, {houses}) n;
INSERT INTO owner (community_id, name, phone, created_at)
SELECT 1, '业主' || id, '1' || (3000000000 + id), now() FROM house;
INSERT INTO house_person (house_id, owner_id, role, person_from)
SELECT house.id, owner.id, 'title_holder', '2020-01-01'
  FROM house JOIN owner ON owner.phone = '1' || (3000000000 + house.id);
INSERT INTO staff (id, login_name, name, role, created_at)
VALUES (1, 'bench', '基准', 'finance', now()), (2, 'boss', '经理', 'manager', now());
INSERT INTO fee_item (id, community_id, code, name, charge_method, starts_on, created_at,
                      meter_kind)
VALUES (1, 1, 'WY', '物业费', 'area', '2020-01-01', now(), NULL),
       (2, 1, 'LJ', '垃圾清运费', 'fixed', '2020-01-01', now(), NULL),
       (3, 1, 'SF', '水费', 'meter', '2020-01-01', now(), 'cold_water');
INSERT INTO fee_standard (fee_item_id, unit_price, tiers, priced_from)
VALUES (1, 2.35, NULL, '2020-01-01'), (2, 12, NULL, '2020-01-01'),
       (3, NULL, '[["12", "3"], ["25", "4.45"], [null, "6.9"]]', '2020-01-01');
INSERT INTO meter (community_id, house_id, meter_no, kind, opening_reading, opened_on, created_at)
SELECT 1, id, 'W' || id, 'cold_water', id % 900, '2026-08-31', now() FROM house;
INSERT INTO meter_reading (meter_id, read_on, reading, source, created_at)
SELECT meter.id, day, opening_reading + (day - date '2026-08-31') * (meter.id % 127) / 100.0,
       'excel', now()
  FROM meter, unnest(ARRAY[date '2026-09-30', date '2026-10-31']) day;
"""


def fill(world: World, houses: int) -> None:
    """Put so many houses on file, each with an owner, a meter and two readings."""
    with world.connect() as connection:
        connection.execute(_FILL.format(houses=houses))
        connection.execute("VACUUM ANALYZE")

"""Keep all base data of communities, buildings, units, spaces and cars; data scopes of staff

Lock: ACCESS EXCLUSIVE on community, building, house and staff for the instant in which columns are
added; constants fill them, so nothing is rewritten. Code of before goes on working.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BUILDING_TYPES = "('', 'high_rise', 'mid_rise', 'multi_storey', 'villa', 'commercial', 'mixed')"
COMMUNITY_WORDS = (
    "province",
    "city",
    "district",
    "street",
    "street_no",
    "building_type",
    "developer",
    "service_phone",
    "note",
)
COMMUNITY_NUMBERS = (
    ("land_area", sa.Numeric(14, 4)),
    ("built_area", sa.Numeric(14, 4)),
    ("green_percent", sa.Numeric(5, 2)),
    ("completed_on", sa.Date()),
    ("retired_on", sa.Date()),
)
CHECKS = (
    ("community", "building_type_known", f"building_type IN {BUILDING_TYPES}"),
    ("community", "land_area_positive", "land_area > 0"),
    ("community", "built_area_positive", "built_area > 0"),
    ("community", "green_percent_range", "green_percent BETWEEN 0 AND 100"),
    ("community", "retired_is_inactive", "retired_on IS NULL OR NOT is_active"),
    ("building", "building_type_known", f"building_type IN {BUILDING_TYPES}"),
    ("building", "floor_count_range", "floor_count BETWEEN 1 AND 200"),
)


def upgrade() -> None:
    for name in COMMUNITY_WORDS:
        op.add_column("community", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    for name, kind in COMMUNITY_NUMBERS:
        op.add_column("community", sa.Column(name, kind))
    op.add_column(
        "building", sa.Column("building_type", sa.Text(), nullable=False, server_default="")
    )
    op.add_column("building", sa.Column("floor_count", sa.Integer()))
    op.add_column("building", sa.Column("note", sa.Text(), nullable=False, server_default=""))
    op.add_column("building", sa.Column("retired_on", sa.Date()))
    op.add_column("house", sa.Column("retired_on", sa.Date()))
    for table, name, rule in CHECKS:
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, rule)
    _create_units()
    _create_parking()
    _create_scopes()


def _create_units() -> None:
    op.create_table(
        "building_unit",
        sa.Column("building_id", sa.BigInteger(), nullable=False),
        sa.Column("unit_no", sa.Text(), nullable=False),
        sa.Column("floor_count", sa.Integer()),
        sa.Column("lift_count", sa.Integer()),
        sa.Column("note", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("building_id", "unit_no", name=op.f("pk_building_unit")),
        sa.ForeignKeyConstraint(
            ["building_id"], ["building.id"], name=op.f("fk_building_unit_building_id_building")
        ),
        sa.CheckConstraint(
            "floor_count BETWEEN 1 AND 200", name=op.f("ck_building_unit_floor_count_range")
        ),
        sa.CheckConstraint(
            "lift_count BETWEEN 0 AND 20", name=op.f("ck_building_unit_lift_count_range")
        ),
    )


def _create_parking() -> None:
    op.create_table(
        "parking_space",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("space_no", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False, server_default=""),
        sa.Column("area", sa.Numeric(10, 4)),
        sa.Column("right_kind", sa.Text(), nullable=False),
        sa.Column("house_id", sa.BigInteger()),
        sa.Column("owner_id", sa.BigInteger()),
        sa.Column("note", sa.Text(), nullable=False, server_default=""),
        sa.Column("retired_on", sa.Date()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parking_space")),
        sa.UniqueConstraint(
            "community_id", "space_no", name=op.f("uq_parking_space_community_id")
        ),
        sa.CheckConstraint(
            "right_kind IN ('owned', 'rented', 'public', 'civil_defence')",
            name=op.f("ck_parking_space_right_kind_known"),
        ),
        sa.CheckConstraint("area > 0", name=op.f("ck_parking_space_area_positive")),
        *_references("parking_space", "community", "house", "owner"),
    )
    op.create_index("ix_parking_space_house_id", "parking_space", ["house_id"])
    op.create_index("ix_parking_space_owner_id", "parking_space", ["owner_id"])
    op.create_table(
        "car",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("plate_no", sa.Text(), nullable=False),
        sa.Column("space_id", sa.BigInteger()),
        sa.Column("owner_id", sa.BigInteger()),
        sa.Column("note", sa.Text(), nullable=False, server_default=""),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_car")),
        sa.UniqueConstraint("community_id", "plate_no", name=op.f("uq_car_community_id")),
        *_references("car", "community", "owner"),
        sa.ForeignKeyConstraint(
            ["space_id"], ["parking_space.id"], name=op.f("fk_car_space_id_parking_space")
        ),
    )
    op.create_index("ix_car_space_id", "car", ["space_id"])
    op.create_index("ix_car_owner_id", "car", ["owner_id"])


def _references(table: str, *others: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint(
            [f"{other}_id"], [f"{other}.id"], name=op.f(f"fk_{table}_{other}_id_{other}")
        )
        for other in others
    ]


def _create_scopes() -> None:
    op.add_column(
        "staff", sa.Column("sees_all", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.create_table(
        "staff_scope",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("building_id", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_scope")),
        *_references("staff_scope", "staff", "community", "building"),
    )
    op.create_index(
        "uq_staff_scope_piece",
        "staff_scope",
        ["staff_id", "community_id", "building_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )


def downgrade() -> None:
    op.drop_table("staff_scope")
    op.drop_column("staff", "sees_all")
    op.drop_table("car")
    op.drop_table("parking_space")
    op.drop_table("building_unit")
    for table, name, _ in reversed(CHECKS):
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    op.drop_column("house", "retired_on")
    for name in ("retired_on", "note", "floor_count", "building_type"):
        op.drop_column("building", name)
    for name, _ in reversed(COMMUNITY_NUMBERS):
        op.drop_column("community", name)
    for name in reversed(COMMUNITY_WORDS):
        op.drop_column("community", name)

"""Equipment on file, the states it went through, and its documents."""

from __future__ import annotations

from datetime import date

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.equipment import (
    CODE_PATTERN,
    DocumentType,
    EquipmentCategory,
    EquipmentState,
    Importance,
)
from models.base import BigId, Instant, Model, Words, one_of


class Equipment(Model):
    """One 设备; ``code`` is on its QR label, ``asset_no`` is what the people call it by."""

    __tablename__ = "equipment"
    __table_args__ = (
        one_of("state", EquipmentState),
        one_of("category", EquipmentCategory),
        one_of("importance", Importance),
        CheckConstraint(f"code ~ '{CODE_PATTERN}'", name="code_form"),
        CheckConstraint("name <> ''", name="name_given"),
        Index("ix_equipment_community_id", "community_id", "id"),
        Index("ix_equipment_building_id", "building_id"),
        Index(
            "uq_equipment_asset_no",
            "community_id",
            "asset_no",
            unique=True,
            postgresql_where=text("asset_no <> ''"),
        ),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    building_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("building.id"))
    """None for what serves the whole community."""
    code: Mapped[Words] = mapped_column(unique=True)
    asset_no: Mapped[Words] = mapped_column(server_default="")
    name: Mapped[Words]
    category: Mapped[Words]
    importance: Mapped[Words] = mapped_column(server_default=Importance.ORDINARY)
    brand: Mapped[Words] = mapped_column(server_default="")
    model_no: Mapped[Words] = mapped_column(server_default="")
    serial_no: Mapped[Words] = mapped_column(server_default="")
    floor: Mapped[Words] = mapped_column(server_default="")
    place: Mapped[Words] = mapped_column(server_default="")
    purchased_on: Mapped[date | None]
    installed_on: Mapped[date | None]
    warranty_until: Mapped[date | None]
    """The last day of the warranty."""
    statutory_until: Mapped[date | None]
    """The last day on which the newest statutory inspection or certificate holds."""
    supplier: Mapped[Words] = mapped_column(server_default="")
    maintainer: Mapped[Words] = mapped_column(server_default="")
    """The firm that maintains it by contract, if one does."""
    maintainer_phone: Mapped[Words] = mapped_column(server_default="")
    contract_until: Mapped[date | None]
    custodian_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    specs: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    """Such as ``{"载重": "1000 kg"}``."""
    note: Mapped[Words] = mapped_column(server_default="")
    state: Mapped[Words] = mapped_column(server_default=EquipmentState.IN_USE)
    created_at: Mapped[Instant]


class EquipmentStateChange(Model):
    """Equipment came into a state on a day; the first has no state before. Append-only."""

    __tablename__ = "equipment_state_change"
    __table_args__ = (
        one_of("from_state", ("", *EquipmentState)),
        one_of("to_state", EquipmentState),
        CheckConstraint("from_state <> to_state", name="moves"),
        Index("ix_equipment_state_change_equipment_id", "equipment_id", "id"),
    )

    id: Mapped[BigId]
    equipment_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("equipment.id"))
    from_state: Mapped[Words]
    to_state: Mapped[Words]
    changed_on: Mapped[date]
    reason: Mapped[Words]
    staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    at: Mapped[Instant]


class EquipmentDocument(Model):
    """One version of a document of equipment; its bytes are the `StoredFile` of this row."""

    __tablename__ = "equipment_document"
    __table_args__ = (
        one_of("doc_type", DocumentType),
        UniqueConstraint("equipment_id", "doc_type", "title", "version"),
        CheckConstraint("version > 0", name="version_positive"),
        CheckConstraint("title <> ''", name="title_given"),
        Index(
            "ix_equipment_document_expires_on",
            "expires_on",
            postgresql_where=text("expires_on IS NOT NULL"),
        ),
    )

    id: Mapped[BigId]
    equipment_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("equipment.id"))
    doc_type: Mapped[Words]
    title: Mapped[Words]
    version: Mapped[int]
    expires_on: Mapped[date | None]
    staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    at: Mapped[Instant]

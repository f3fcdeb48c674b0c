"""The database handle, the naming of constraints, and column types that rows share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, CheckConstraint, DateTime, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, mapped_column

NAMING = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

BigId = Annotated[int, mapped_column(BigInteger, primary_key=True)]
Fen = Annotated[int, mapped_column(BigInteger)]
"""Money: whole fen."""
Instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]
"""An aware instant, UTC."""
Words = Annotated[str, mapped_column(Text)]


class Base(DeclarativeBase):
    """The declarative base of all tables."""

    metadata = MetaData(naming_convention=NAMING)


db = SQLAlchemy(
    model_class=Base,
    session_options={"expire_on_commit": False},
)

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


def one_of(column: str, values: type[StrEnum] | Sequence[str]) -> CheckConstraint:
    """Make the CHECK that holds a column to a closed list of words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")

"""What every table is made of."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, cast

from sqlalchemy import BigInteger, DateTime, Enum, Identity, MetaData, Numeric, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

Key = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Money = Annotated[Decimal, mapped_column(Numeric(14, 8))]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Created = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        str: Text,
        # The values as text, so that adding a member is an ordinary migration.
        StrEnum: Enum(StrEnum, native_enum=False, length=32, values_callable=lambda members: [member.value for member in members]),
    }


def table_of(model: type[Base]) -> Table:
    """The table itself, for writes on the hot path that need none of the ORM's bookkeeping."""
    return cast(Table, model.__table__)

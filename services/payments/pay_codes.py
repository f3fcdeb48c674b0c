"""Door codes (收款码): made for houses, printed, revoked, and found by their token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import Conflict, NotFound
from domain.houses import house_label
from domain.pay_codes import TOKEN_LENGTH, derive_token
from domain.tokens import hash_of_token
from models import Building, Community, House, PayCode
from services.audit import record
from services.printing import DoorCode, SlipWriter
from services.unit_of_work import Transaction, UnitOfWork

SHEET_CAP = 3000


class CodesOfAnotherKey(Conflict):
    """The codes were made with another secret key: they work, but cannot be printed again."""

    code = "codes_of_another_key"
    message = "系统密钥已更换，旧收款码仍可使用但不能重印，请为这些房屋换发新码"


class NothingToPrint(Conflict):
    """There are no houses to print codes for."""

    code = "nothing_to_print"
    message = "没有可打印的收款码"


@dataclass(frozen=True, slots=True)
class CodesMade:
    """How many codes a community or building has now, and how many of them are new."""

    live_count: int
    new_count: int


def find_live(session: Session, token: str) -> PayCode:
    """Find the code of a token whose community still takes money.

    Raises:
        NotFound: no such code, it was revoked, or its community was switched off.
    """
    if len(token) != TOKEN_LENGTH:
        raise NotFound("收款码无效，请向物业索取新的收款码")
    found = session.execute(
        select(PayCode)
        .join(Community, Community.id == PayCode.community_id)
        .where(
            PayCode.token_sha256 == hash_of_token(token),
            PayCode.revoked_at.is_(None),
            Community.is_active,
        )
    ).scalar_one_or_none()
    if found is None:
        raise NotFound("收款码无效，请向物业索取新的收款码")
    return found


@dataclass(frozen=True)
class PayCodes:
    """The codes of houses, whose tokens open a page to pay what the house owes."""

    unit_of_work: UnitOfWork
    slips: SlipWriter
    key: bytes

    def make(
        self,
        *,
        actor: Actor,
        community_id: int,
        building: str | None = None,
        house_id: int | None = None,
    ) -> CodesMade:
        """Give a house, or every one of a community or building, a code where it has no live one.

        Retired houses get none.

        Raises:
            NotFound: there are no such houses.
        """
        actor.must(Permission.MANAGE_ESTATE)
        actor.must_cover(community_id)

        def work(tx: Transaction) -> CodesMade:
            houses = _read_houses(
                tx.session, community_id, building, house_id, House.retired_on.is_(None)
            )
            if not houses:
                raise NotFound("没有这样的房屋")
            ids = [one.id for one in houses]
            live = set(
                tx.session.scalars(
                    select(PayCode.house_id).where(
                        PayCode.house_id.in_(ids), PayCode.revoked_at.is_(None)
                    )
                )
            )
            missing = [house_id for house_id in ids if house_id not in live]
            self._add(tx, community_id, missing)
            if missing:
                self._record(tx, actor, community_id, "pay_codes_made", len(missing))
            return CodesMade(len(ids), len(missing))

        return self.unit_of_work.run(work)

    def replace(self, *, actor: Actor, community_id: int, house_id: int) -> None:
        """Revoke the code of a house and give it a new one: the printed one works no more.

        Raises:
            NotFound: no such house.
        """
        self._revoke(actor, community_id, house_id, and_replace=True)

    def revoke(self, *, actor: Actor, community_id: int, house_id: int) -> None:
        """Revoke the code of a house, which has none then.

        Raises:
            NotFound: no such house, or it has no code.
        """
        self._revoke(actor, community_id, house_id, and_replace=False)

    def show_token(self, *, actor: Actor, community_id: int, house_id: int) -> str:
        """Tell the token of a house's live code.

        Raises:
            NotFound: no such house, or it has no code.
            CodesOfAnotherKey: it was made with another secret key.
        """
        actor.must(Permission.MANAGE_ESTATE)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            if not _read_houses(session, community_id, None, house_id):
                raise NotFound("没有这样的房屋")
            found = self._read_codes(session, community_id, None, house_id)
        if not found:
            raise NotFound("这处房屋没有收款码")
        return found[0][1]

    def write_sheet(
        self, *, actor: Actor, community_id: int, base_url: str, building: str | None = None
    ) -> bytes:
        """Write an A4 sheet of the live codes of a community or building, as PDF.

        Raises:
            NothingToPrint: there are none, or more than 3,000.
            CodesOfAnotherKey: some were made with another secret key.
        """
        actor.must(Permission.MANAGE_ESTATE)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            community = session.get(Community, community_id)
            if community is None:
                raise NotFound
            found = self._read_codes(session, community_id, building, None)
        if not found or len(found) > SHEET_CAP:
            raise NothingToPrint
        return self.slips.write_door_codes(
            [
                DoorCode(community=community.name, house=label, url=f"{base_url}/p/{token}")
                for label, token in found
            ]
        )

    def _read_codes(
        self, session: Session, community_id: int, building: str | None, house_id: int | None
    ) -> list[tuple[str, str]]:
        houses = {one.id: one for one in _read_houses(session, community_id, building, house_id)}
        codes = session.scalars(
            select(PayCode).where(
                PayCode.community_id == community_id,
                PayCode.house_id.in_(houses),
                PayCode.revoked_at.is_(None),
            )
        )
        live = {code.house_id: code for code in codes}
        found = []
        for house_id, one in houses.items():
            if house_id not in live:
                continue
            code = live[house_id]
            token = derive_token(self.key, house_id=house_id, version=code.version)
            if hash_of_token(token) != code.token_sha256:
                raise CodesOfAnotherKey
            found.append((one.label, token))
        return found

    def _revoke(self, actor: Actor, community_id: int, house_id: int, *, and_replace: bool) -> None:
        actor.must(Permission.MANAGE_ESTATE)
        actor.must_cover(community_id)

        def work(tx: Transaction) -> None:
            houses = _read_houses(tx.session, community_id, None, house_id)
            if not houses:
                raise NotFound("没有这样的房屋")
            revoked = tx.session.scalars(
                update(PayCode)
                .where(PayCode.house_id == house_id, PayCode.revoked_at.is_(None))
                .values(revoked_at=tx.now)
                .returning(PayCode.id)
            ).all()
            if and_replace:
                self._add(tx, community_id, [house_id])
            elif not revoked:
                raise NotFound("这处房屋没有收款码")
            action = "pay_code_replaced" if and_replace else "pay_code_revoked"
            self._record(tx, actor, community_id, action, 1, house_id=house_id)

        self.unit_of_work.run(work)

    def _add(self, tx: Transaction, community_id: int, house_ids: Sequence[int]) -> None:
        versions: dict[int, int] = {
            row.house_id: row.version
            for row in tx.session.execute(
                select(PayCode.house_id, func.max(PayCode.version).label("version"))
                .where(PayCode.house_id.in_(house_ids))
                .group_by(PayCode.house_id)
            )
        }
        for house_id in house_ids:
            version = versions.get(house_id, 0) + 1
            token = derive_token(self.key, house_id=house_id, version=version)
            tx.session.add(
                PayCode(
                    community_id=community_id,
                    house_id=house_id,
                    version=version,
                    token_sha256=hash_of_token(token),
                    created_at=tx.now,
                )
            )
        tx.session.flush()

    def _record(
        self,
        tx: Transaction,
        actor: Actor,
        community_id: int,
        action: str,
        count: int,
        **more: object,
    ) -> None:
        record(
            tx,
            actor,
            action,
            subject_type="community",
            subject_id=community_id,
            community_id=community_id,
            facts={"count": count, **more},
        )


@dataclass(frozen=True, slots=True)
class _HouseRow:
    id: int
    label: str


def _read_houses(
    session: Session,
    community_id: int,
    building: str | None,
    house_id: int | None,
    *which: ColumnElement[bool],
) -> list[_HouseRow]:
    query = (
        select(House.id, Building.name, House.unit_no, House.room_no)
        .join(Building, Building.id == House.building_id)
        .where(House.community_id == community_id, *which)
        .order_by(Building.id, House.unit_no, House.id)
    )
    if building is not None:
        query = query.where(Building.name == building.strip())
    if house_id is not None:
        query = query.where(House.id == house_id)
    return [
        _HouseRow(found_id, house_label(name, unit_no, room_no))
        for found_id, name, unit_no, room_no in session.execute(query)
    ]

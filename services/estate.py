"""Communities and their houses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import Conflict, InvalidInput, NotFound
from domain.houses import house_label
from domain.periods import LiableFromRule, local_date
from models import Building, Community, House, HouseBinding
from services.audit import record
from services.bindings import is_live_binding
from services.scopes import buildings_in_scope, communities_reached, houses_in_scope
from services.unit_of_work import Transaction, UnitOfWork, violates


class CommunityCodeTaken(Conflict):
    """Another community has the code."""

    code = "community_code_taken"
    message = "小区编号已被使用"


@dataclass(frozen=True, slots=True)
class CommunityView:
    """A community on file."""

    id: int
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class OwnHouse:
    """A house of the signed-in owner."""

    id: int
    community_id: int
    community: str
    label: str
    role: str


@dataclass(frozen=True)
class Estate:
    """Base data that everything else hangs on."""

    unit_of_work: UnitOfWork

    def add_community(
        self,
        *,
        actor: Actor,
        code: str,
        name: str,
        address: str = "",
        liable_from_rule: LiableFromRule = LiableFromRule.HANDOVER_DATE,
    ) -> int:
        """Put a community on file and return its id; the code opens its bill numbers.

        Raises:
            CommunityCodeTaken: the code is in use.
            InvalidInput: the code is not 2 to 8 capitals and digits, or the name is empty.
        """
        actor.must(Permission.MANAGE_ESTATE)
        actor.must_cover(None)
        fields: dict[str, list[str]] = {}
        if not (2 <= len(code) <= 8 and code.isascii() and code.isalnum() and code == code.upper()):
            fields["code"] = ["应为 2 至 8 位大写字母或数字，例如 CH"]
        if not 1 <= len(name.strip()) <= 50:
            fields["name"] = ["请填写小区名称，50 字以内"]
        if fields:
            raise InvalidInput(fields=fields)

        def work(tx: Transaction) -> int:
            community = Community(
                code=code,
                name=name.strip(),
                address=address.strip(),
                liable_from_rule=liable_from_rule,
                created_at=tx.now,
            )
            tx.session.add(community)
            tx.session.flush()
            record(
                tx,
                actor,
                "community_added",
                subject_type="community",
                subject_id=community.id,
                community_id=community.id,
                facts={"code": code, "name": community.name},
            )
            return community.id

        try:
            return self.unit_of_work.run(work)
        except IntegrityError as error:
            if violates(error, "uq_community_code"):
                raise CommunityCodeTaken from error
            raise

    def show_community(self, *, actor: Actor, code: str) -> CommunityView:
        """Find a community by its code or its name.

        Raises:
            NotFound: none has it.
        """
        actor.must(Permission.VIEW_ESTATE)
        with self.unit_of_work.reading() as session:
            return find_community(session, actor, code)

    def list_communities(self, *, actor: Actor) -> Sequence[CommunityView]:
        """List the communities on file, by their code."""
        actor.must(Permission.VIEW_ESTATE)
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                select(Community.id, Community.code, Community.name)
                .where(communities_reached(actor))
                .order_by(Community.code)
            ).all()
        return [CommunityView(*row) for row in rows]

    def find_house(self, *, actor: Actor, community_id: int, label: str) -> int:
        """Tell the id of a house by its name, such as ``1栋1单元101``.

        Raises:
            NotFound: the community has none of this name.
        """
        actor.must(Permission.VIEW_ESTATE)
        actor.must_reach(community_id)
        with self.unit_of_work.reading() as session:
            return find_house(session, actor, community_id, label)

    def find_building(self, *, actor: Actor, community_id: int, name: str) -> int:
        """Tell the id of a building by its name, such as ``1栋``.

        Raises:
            NotFound: the community has none of this name.
        """
        actor.must(Permission.VIEW_ESTATE)
        actor.must_reach(community_id)
        with self.unit_of_work.reading() as session:
            found = session.execute(
                select(Building.id).where(
                    Building.community_id == community_id,
                    Building.name == name.strip(),
                    buildings_in_scope(actor),
                )
            ).scalar_one_or_none()
        if found is None:
            raise NotFound(f"没有楼栋 {name}")
        return found

    def list_own_houses(self, *, actor: Actor) -> Sequence[OwnHouse]:
        """List the houses bound to the signed-in owner."""
        actor.must(Permission.VIEW_OWN_BILLS)
        today = local_date(self.unit_of_work.clock.now())
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                select(
                    House.id,
                    House.community_id,
                    Community.name,
                    Building.name,
                    House.unit_no,
                    House.room_no,
                    HouseBinding.role,
                )
                .join(HouseBinding, HouseBinding.house_id == House.id)
                .join(Building, Building.id == House.building_id)
                .join(Community, Community.id == House.community_id)
                .where(HouseBinding.account_id == actor.account_id, is_live_binding(today))
                .order_by(House.id)
            ).all()
        return [
            OwnHouse(id_, community_id, community, house_label(building, unit_no, room_no), role)
            for id_, community_id, community, building, unit_no, room_no, role in rows
        ]


def find_community(session: Session, actor: Actor, code: str) -> CommunityView:
    """Find a community of which the actor may see something, by its code or its name.

    Raises:
        NotFound: none has it.
    """
    found = session.execute(
        select(Community.id, Community.code, Community.name)
        .where((Community.code == code) | (Community.name == code), communities_reached(actor))
        .order_by(Community.code != code, Community.id)
        .limit(1)
    ).one_or_none()
    if found is None:
        raise NotFound(f"没有编号或名称为 {code} 的小区")
    return CommunityView(*found)


def find_house(session: Session, actor: Actor, community_id: int, label: str) -> int:
    """Find a house of the actor's scope by its name.

    Raises:
        NotFound: there is none.
    """
    found = session.execute(
        select(House.id)
        .join(Building, Building.id == House.building_id)
        .where(
            House.community_id == community_id,
            house_label_column() == label.strip(),
            houses_in_scope(actor),
        )
        .order_by(House.id)
        .limit(1)
    ).scalar_one_or_none()
    if found is None:
        raise NotFound(f"没有房屋 {label}，请写全，例如 1栋1单元101")
    return found


def house_label_column() -> ColumnElement[str]:
    """Name a house in SQL as `house_label` does; the query joins its building."""
    unit = case((House.unit_no != "", func.concat(House.unit_no, "单元")), else_="")
    return func.concat(Building.name, unit, House.room_no)

"""Three places with one row of everything that a route may be asked for, and who asks.

``own`` and ``neighbour`` are two buildings of one community, ``elsewhere`` is another community;
``nobody`` has ids and names that nothing has.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from domain.actors import system_actor
from domain.checklists import ChecklistItem
from domain.equipment import EquipmentCategory
from domain.maintenance_rules import Basis, DueRule, PlanUnit
from domain.maintenance_states import MaintenanceKind
from domain.periods import local_date
from domain.phones import mask_phone
from domain.repairs import RepairCategory
from models import Account, Community, StaffScope
from services.maintenance.plan_rows import PlanWords
from services.maintenance.templates import TemplateWords
from services.people.applications import WantedBinding
from services.people.invitations import Invited
from services.repairs.opening import NewRepair
from tests import factories

NAMES = {"own": "王自己", "neighbour": "李邻居", "elsewhere": "赵别处"}
PHONES = {"own": "13500000001", "neighbour": "13500000002", "elsewhere": "13500000003"}
_BUILDINGS = {"own": "1栋", "neighbour": "2栋", "elsewhere": "9栋"}
_PLATES = {"own": "粤B10001", "neighbour": "粤B10002", "elsewhere": "粤B10003"}
_GUESTS = {"own": "13500000011", "neighbour": "13500000012", "elsewhere": "13500000013"}
_WORDS_OF_NOBODY = {
    "community_code": "NONE",
    "community_name": "没有的小区",
    "phone": "13500000099",
    "kind": "marketing",
    "receipt_no": "CH9-2026-9999999",
    "number": "CH9-2026-9999999",
}
_NO_ID = 9_999_999


class _Nothing(dict[str, Any]):
    def __missing__(self, name):
        return _WORDS_OF_NOBODY.get(name, _NO_ID)


@dataclass
class Place:
    """Ids and names of one place's rows, by what a path or body calls them."""

    rows: dict[str, Any] = field(default_factory=_Nothing)
    token: str = ""
    """The session of the owner."""


class Maker:
    """Makes places; what the world has no use-case for in a step is written as a row."""

    def __init__(self, database, services, make_signed_in, craft, notify):
        self.database = database
        self.services = services
        self.make_signed_in = make_signed_in
        self.craft = craft
        self.notify = notify

    def make(self, whose, *, beside=None):
        """Make the place of one of `NAMES`, in the community of another place or a new one."""
        place = Place(
            {
                "phone": PHONES[whose],
                "phone_masked": mask_phone(PHONES[whose]),
                "name": NAMES[whose],
                "kind": "marketing",
            }
        )
        self._build(place, whose, beside)
        self._ask_for_bindings(place, whose)
        self._report(place, whose)
        self._keep_estate(place, whose)
        self._write_rows(place, whose)
        self._keep_equipment(place, whose)
        self._make_staff(place, whose)
        self._publish_notice(place, whose)
        self._ask_for_copy(place)
        return place

    def _build(self, place, whose, beside):
        with self.database.session() as session:
            community = session.get(Community, beside.rows["community_id"]) if beside else None
            building = factories.make_building(session, community=community, name=_BUILDINGS[whose])
            community = session.get_one(Community, building.community_id)
        person = self.make_signed_in(
            100, 200, 300, phone=PHONES[whose], building_id=building.id, owner_name=NAMES[whose]
        )
        paid = person.started(person.bill_ids[:1], key=f"{whose}-key-0001")
        self.notify(self.craft(paid["out_trade_no"]))
        opened = person.started(person.bill_ids[1:2], key=f"{whose}-key-0002")
        [house] = person.get("/houses").json["items"]
        [binding] = person.get("/bindings").json["items"]
        place.token = person.token
        place.rows |= {
            "community_id": community.id,
            "community_code": community.code,
            "building_id": building.id,
            "house_id": person.house_id,
            "house_label": house["label"],
            "account_id": person.account_id,
            "bill_id": person.bill_ids[2],
            "payment_id": paid["id"],
            "open_payment_id": opened["id"],
            "receipt_no": self._value("SELECT receipt_no FROM receipt ORDER BY id DESC LIMIT 1"),
            "number": paid["out_trade_no"],
            "binding_id": binding["id"],
        }
        for name, sql in {
            "owner_id": "SELECT id FROM owner WHERE name = :name",
            "phone_id": "SELECT max(id) FROM owner_phone",
            "person_id": "SELECT max(id) FROM house_person",
        }.items():
            place.rows[name] = self._value(sql, **({"name": NAMES[whose]} if ":" in sql else {}))

    def _ask_for_bindings(self, place, whose):
        with self.database.session() as session:
            guest = factories.owner(factories.make_account(session, phone=_GUESTS[whose]))
            owner = factories.owner(session.get_one(Account, place.rows["account_id"]))
        code, label = place.rows["community_code"], place.rows["house_label"]
        applications, invitations = self.services.binding_applications, self.services.invitations
        place.rows["application_id"] = applications.apply(
            actor=guest, wanted=WantedBinding(code, label, NAMES[whose], "family", "户口本")
        )
        place.rows["own_application_id"] = applications.apply(
            actor=owner, wanted=WantedBinding(code, "没有的房", "王", "owner", "证")
        )
        place.rows["invitation_id"] = invitations.invite(
            actor=owner,
            house_id=place.rows["house_id"],
            invited=Invited("13600000001", "家人", "family"),
        ).id

    def _report(self, place, whose):
        """Two repairs of one outage."""
        with self.database.session() as session:
            owner = factories.owner(session.get_one(Account, place.rows["account_id"]))
            manager = factories.staff(session, role="manager")
        words = f"{NAMES[whose]}家漏水"
        ids = [
            self.services.repair_desk.report(
                actor=owner,
                new=NewRepair(RepairCategory.WATER, words, house_id=place.rows["house_id"]),
                client_key=f"repair-key-{number}",
            )
            for number in range(2)
        ]
        place.rows |= {
            "repair_id": ids[0],
            "repair_words": words,
            "incident_id": self.services.repair_incidents.merge(
                actor=manager, repair_ids=ids, title="停水"
            ),
        }

    def _ask_for_copy(self, place):
        with self.database.session() as session:
            owner = factories.owner(session.get_one(Account, place.rows["account_id"]))
        exports = self.services.privacy_exports
        place.rows["export_id"] = exports.ask(actor=owner).id
        exports.make_due(actor=system_actor("测试"))

    def _keep_estate(self, place, whose):
        """A meter, and a parking space with a car."""
        space_no, meter_no = f"B1-{whose}", f"W-{whose}"
        with self.database.session() as session:
            house = session.get_one(factories.House, place.rows["house_id"])
            meter_id = factories.make_meter(session, house=house, meter_no=meter_no).id
        space_id = self._value(
            "INSERT INTO parking_space (community_id, space_no, right_kind, created_at)"
            " VALUES (:community_id, :space_no, 'owned', now()) RETURNING id",
            community_id=place.rows["community_id"],
            space_no=space_no,
        )
        car_id = self._value(
            "INSERT INTO car (community_id, plate_no, space_id, created_at)"
            " VALUES (:community_id, :plate_no, :space_id, now()) RETURNING id",
            community_id=place.rows["community_id"],
            plate_no=_PLATES[whose],
            space_id=space_id,
        )
        place.rows |= {
            "building_name": _BUILDINGS[whose],
            "meter_id": meter_id,
            "meter_no": meter_no,
            "space_id": space_id,
            "space_no": space_no,
            "car_id": car_id,
            "plate_no": _PLATES[whose],
        }

    def _keep_equipment(self, place, whose):
        """A lift with a plan by a template, and the tasks of the plan."""
        today = local_date(self.services.clock.now())
        with self.database.session() as session:
            building = session.get_one(factories.Building, place.rows["building_id"])
            name = f"{NAMES[whose]}的电梯"
            lift = factories.make_equipment(
                session, building=building, name=name, statutory_until=today
            )
            planner = factories.staff(session)
        community_id = place.rows["community_id"]
        items = (ChecklistItem("i1", "外观"),)
        kind, unit, code = MaintenanceKind.ROUTINE, PlanUnit.MONTH, f"T-{whose}".upper()
        template_id = self.services.maintenance_templates.add(
            actor=planner,
            community_id=community_id,
            words=TemplateWords(code, "模板", EquipmentCategory.LIFT, kind, 1, unit, items),
        )
        plan_name = f"{NAMES[whose]}的计划"
        plan_id = self.services.maintenance_plans.add(
            actor=planner,
            community_id=community_id,
            words=PlanWords(plan_name, kind, Basis.FIXED_CALENDAR, DueRule(1, unit), today, items),
            equipment_ids=[lift.id],
        )
        place.rows |= {
            "equipment_id": lift.id,
            "equipment_name": name,
            "template_id": template_id,
            "template_code": code,
            "plan_id": plan_id,
            "plan_name": plan_name,
            "task_id": self._value(
                "SELECT min(id) FROM maintenance_task WHERE plan_id = :id", id=plan_id
            ),
        }

    def _write_rows(self, place, whose):
        ids = {name: place.rows[name] for name in ("community_id", "house_id")}
        place.rows["file_name"] = f"名册{NAMES[whose]}.xlsx"
        place.rows["batch_id"] = self._value(
            "INSERT INTO import_batch (community_id, sheet, file_name, file_sha256, state,"
            " rows_total, created_at) VALUES (:community_id, '房屋业主', :name, '', 'finished', 0,"
            " now()) RETURNING id",
            community_id=ids["community_id"],
            name=f"名册{NAMES[whose]}.xlsx",
        )
        self._value(
            "INSERT INTO import_file (batch_id, content, errors) VALUES (:id, 'x', 'x')"
            " RETURNING batch_id",
            id=place.rows["batch_id"],
        )
        key_id = self._value(
            "INSERT INTO idempotency_key (subject, action, key, body_sha256, created_at)"
            " VALUES ('staff:1', 'x', :key, '', now()) RETURNING id",
            key=f"key-{ids['house_id']:08d}",
        )
        place.rows["transfer_id"] = self._value(
            "INSERT INTO house_transfer (community_id, house_id, cut_on, unpaid, prepaid, reason,"
            " done, key_id, made_by_staff_id, made_at) SELECT :community_id, :house_id,"
            " '2026-10-15', 'seller', 'stays', 'x', '{}', :key_id, min(id), now() FROM staff"
            " RETURNING id",
            key_id=key_id,
            **ids,
        )

    def _make_staff(self, place, whose):
        community_id = place.rows["community_id"]
        with self.database.session() as session:
            here = [
                factories.make_staff(
                    session, role="engineer", name=f"员工{NAMES[whose]}", sees_all=False
                )
                for _ in range(2)
            ]
            session.add_all(StaffScope(staff_id=one.id, community_id=community_id) for one in here)
            factories.make_staff_session(session, staff=here[1], at=self.services.clock.now())
        place.rows["staff_id"] = here[0].id
        place.rows["session_id"] = self._value("SELECT max(id) FROM staff_session")
        place.rows["grant_id"] = self._value(
            "INSERT INTO role_grant (staff_id, role, state, opens_account, requested_by_staff_id,"
            " requested_at) VALUES (:staff_id, 'finance', 'requested', false, :by, now())"
            " RETURNING id",
            staff_id=here[0].id,
            by=here[1].id,
        )

    def _publish_notice(self, place, whose):
        """A notice for the place's own building."""
        place.rows["notice_title"] = f"{NAMES[whose]}的公告"
        place.rows["notice_id"] = self._value(
            "INSERT INTO notice (community_id, title, body, is_pinned, state, written_by_staff_id,"
            " written_at, published_at) VALUES (:community_id, :title, 'x', false, 'published',"
            " :staff_id, now(), now()) RETURNING id",
            community_id=place.rows["community_id"],
            title=place.rows["notice_title"],
            staff_id=place.rows["staff_id"],
        )
        self._value(
            "INSERT INTO notice_building VALUES (:notice_id, :building_id) RETURNING notice_id",
            notice_id=place.rows["notice_id"],
            building_id=place.rows["building_id"],
        )

    def make_asker(self, own, role, scope):
        """Make a member of staff of the own ``house``'s building, ``community`` or ``company``.

        Returns the token of a fresh session and the id of another session of theirs.
        """
        with self.database.session() as session:
            staff = factories.make_staff(session, role=role, sees_all=scope == "company")
            if scope != "company":
                session.add(
                    StaffScope(
                        staff_id=staff.id,
                        community_id=own.rows["community_id"],
                        building_id=own.rows["building_id"] if scope == "house" else None,
                    )
                )
            now = self.services.clock.now()
            factories.make_staff_session(session, staff=staff, at=now)
            token = factories.make_staff_session(session, staff=staff, at=now)
        spare_id = self._value(
            "SELECT min(id) FROM staff_session WHERE staff_id = :id", id=staff.id
        )
        return token, spare_id

    def _value(self, sql, **values):
        with self.database.session() as session:
            return session.execute(text(sql), values).scalar_one()

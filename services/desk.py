"""The capabilities of the service desk, wired once per process; `services.assembly` takes them."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from services.files.handing_in import FileDesk
from services.files.links import FileLinks
from services.messages.reminders import BillReminders
from services.messages.subscriptions import Subscriptions
from services.notices.board import NoticeBoard
from services.notices.own import OwnNotices
from services.repairs.analysis import RepairAnalysis
from services.repairs.dispatching import RepairDispatch
from services.repairs.incidents import RepairIncidents
from services.repairs.opening import RepairDesk
from services.repairs.owner_acts import OwnerRepairActs
from services.repairs.rules import RepairRules
from services.repairs.views import RepairLists
from services.repairs.watch import RepairWatch
from services.repairs.working import RepairWork
from services.unit_of_work import UnitOfWork
from services.upkeep import UpkeepServices, build_upkeep
from services.world import Policy, World


@dataclass(frozen=True, kw_only=True)
class DeskServices(UpkeepServices):
    """Files, repairs, equipment, maintenance, complaints and notices."""

    file_desk: FileDesk
    file_links: FileLinks
    repair_dispatch: RepairDispatch
    repair_incidents: RepairIncidents
    repair_desk: RepairDesk
    owner_repair_acts: OwnerRepairActs
    repair_rules: RepairRules
    repair_lists: RepairLists
    repair_watch: RepairWatch
    repair_work: RepairWork
    bill_reminders: BillReminders
    subscriptions: Subscriptions
    notice_board: NoticeBoard
    own_notices: OwnNotices
    repair_analysis: RepairAnalysis


def build_desk(unit_of_work: UnitOfWork, world: World, policy: Policy) -> DeskServices:
    """Wire every capability of the desk."""
    link_key = hmac.digest(policy.code_key, b"file links", hashlib.sha256)
    return DeskServices(
        **vars(build_upkeep(unit_of_work, world, policy)),
        file_desk=FileDesk(unit_of_work, world.file_store, world.photo_maker),
        repair_analysis=RepairAnalysis(unit_of_work),
        repair_dispatch=RepairDispatch(unit_of_work),
        repair_incidents=RepairIncidents(unit_of_work),
        repair_desk=RepairDesk(unit_of_work),
        owner_repair_acts=OwnerRepairActs(unit_of_work),
        repair_rules=RepairRules(unit_of_work),
        repair_lists=RepairLists(unit_of_work),
        repair_watch=RepairWatch(unit_of_work),
        repair_work=RepairWork(unit_of_work),
        bill_reminders=BillReminders(unit_of_work),
        subscriptions=Subscriptions(unit_of_work, world.subscribe),
        notice_board=NoticeBoard(unit_of_work),
        own_notices=OwnNotices(unit_of_work),
        file_links=FileLinks(unit_of_work, world.file_store, link_key),
    )

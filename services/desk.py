"""The capabilities of the service desk, wired once per process; `services.assembly` takes them."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from services.files.handing_in import FileDesk
from services.files.links import FileLinks
from services.repairs.analysis import RepairAnalysis
from services.unit_of_work import UnitOfWork
from services.upkeep import UpkeepServices, build_upkeep
from services.world import Policy, World


@dataclass(frozen=True, kw_only=True)
class DeskServices(UpkeepServices):
    """Files, repairs, equipment, maintenance, complaints and notices."""

    file_desk: FileDesk
    file_links: FileLinks
    repair_analysis: RepairAnalysis


def build_desk(unit_of_work: UnitOfWork, world: World, policy: Policy) -> DeskServices:
    """Wire every capability of the desk."""
    link_key = hmac.digest(policy.code_key, b"file links", hashlib.sha256)
    return DeskServices(
        **vars(build_upkeep(unit_of_work, world, policy)),
        file_desk=FileDesk(unit_of_work, world.file_store, world.photo_maker),
        repair_analysis=RepairAnalysis(unit_of_work),
        file_links=FileLinks(unit_of_work, world.file_store, link_key),
    )

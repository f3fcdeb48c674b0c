"""Every use-case takes an actor and asks for a permission, or stands on the reviewed list."""

import ast
import inspect
import textwrap
from dataclasses import fields, is_dataclass
from typing import get_type_hints

import pytest

from services import assembly

REVIEWED = {
    "Login.authenticate": "turns a token into an actor",
    "Accounts.who": "turns a WeChat identity into an actor",
    "StaffAccounts.act_as": "turns a login name into an actor, at the machine's own shell",
    "StaffTokens.authenticate": "turns a key into an actor",
    "StaffSessions.authenticate": "turns a token into an actor",
    "Inbox.keep": "evidence is kept whoever sends it",
    "Inbox.judge": "part of keeping evidence",
    "Inbox.take_once": "part of keeping evidence",
    "Inbox.give_back": "part of keeping evidence",
    "Inbox.name_order": "part of keeping evidence",
    "PaymentNotices.take_wechat": "the platform's signature is the permission",
    "PaymentNotices.take_alipay": "the platform's signature is the permission",
    "Refunds.push": "carries out what was approved",
    "Refunds.take_word": "called for a notice or an answer that was verified",
    "FileLinks.sign": "makes a link for whoever was just shown what the file belongs to",
    "DoorPayers.openid": "opens what we sealed into the payer's own cookie",
    "PaymentSweep.ask": "called by use-cases that have asked",
    "PaymentSweep.clear_door": "called by use-cases that have asked",
    "HouseOwnerImport.read": "reads the rows of a sheet in hand; nothing on file is asked",
    "ParkingSpaceImport.read": "reads the rows of a sheet in hand; nothing on file is asked",
    "MeterReadingImport.read": "reads the rows of a sheet in hand; nothing on file is asked",
    "Timetable.tick": "the clock is nobody; each job asks for itself",
    "Timetable.drop_old_slots": "the clock's own housekeeping",
    "Doctor.is_ready": "tells the load balancer yes or no",
    "Doctor.count": "behind the token of the metrics",
}


def use_cases():
    """All public methods of all capabilities, as (name, class, function)."""
    kinds = get_type_hints(assembly.Services)
    for capability in fields(assembly.Services):
        kind = kinds[capability.name]
        if not is_dataclass(kind):
            continue
        for name, function in inspect.getmembers(kind, inspect.isfunction):
            if not name.startswith("_"):
                yield f"{kind.__name__}.{name}", kind, function


USE_CASES = list(use_cases())
GIVES_AWAY = {
    "REQUEST_MONEY_OUT",
    "APPROVE_MONEY_OUT",
    "REVERSE_MONEY",
    "MANAGE_STAFF",
    "APPROVE_ROLES",
    "HAND_OUT_OWNER_ACCOUNTS",
}
"""Permissions to give money or power away: their use-cases ask for a fresh proof (V7)."""
NEEDS_NO_PROOF = {
    "PaymentRefundRequests.look": "only looks",
    "RoleGrants.list_open": "only looks",
    "StaffAccounts.find_id": "only looks",
    "StaffAccounts.list_all": "only looks",
    "StaffTokens.list_tokens": "only looks",
    "StaffTokens.revoke": "takes power away, and must not wait",
}


def asks(kind, function, seen=()):
    """Whether a method calls ``actor.must``, itself or through its own private methods."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner, name = node.func.value, node.func.attr
            if name == "must" and isinstance(owner, ast.Name) and owner.id == "actor":
                return True
            if isinstance(owner, ast.Name) and owner.id == "self" and name not in seen:
                other = getattr(kind, name, None)
                if inspect.isfunction(other) and asks(kind, other, (*seen, name)):
                    return True
    return False


def calls_of(kind, function, seen=()):
    """What a method calls on the actor, itself or through its own private methods, as written."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner, name = node.func.value, node.func.attr
            if isinstance(owner, ast.Name) and owner.id == "actor":
                yield ast.unparse(node)
            if isinstance(owner, ast.Name) and owner.id == "self" and name not in seen:
                other = getattr(kind, name, None)
                if inspect.isfunction(other):
                    yield from calls_of(kind, other, (*seen, name))


class TestFreshness:
    def test_whatever_gives_money_or_power_away_asks_for_a_fresh_proof(self):
        found = {}
        for name, kind, function in USE_CASES:
            calls = set(calls_of(kind, function))
            if any(f"actor.must(Permission.{one})" in calls for one in GIVES_AWAY):
                found[name] = "actor.must_be_fresh()" in calls

        assert len(found) > 20
        assert {name for name, asks in found.items() if not asks} == set(NEEDS_NO_PROOF)


class TestPermissions:
    def test_there_are_use_cases_to_look_at(self):
        assert len(USE_CASES) > 30

    @pytest.mark.parametrize(
        ("name", "kind", "function"), USE_CASES, ids=[name for name, _, _ in USE_CASES]
    )
    def test_every_use_case_asks_or_is_reviewed(self, name, kind, function):
        takes_actor = "actor" in inspect.signature(function).parameters

        assert (takes_actor and asks(kind, function)) != (name in REVIEWED)

    def test_the_reviewed_list_names_only_what_exists(self):
        assert set(REVIEWED) <= {name for name, _, _ in USE_CASES}

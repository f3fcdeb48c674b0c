"""Erases by itself what is held longer than the register says; what the law keeps is not here.

Source: PIPL arts. 19 and 47.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, text

from domain.actors import Actor, Permission
from domain.periods import add_months, local_date, start_of_local_day
from domain.personal_data import CLAIM_YEARS, LOG_KEPT
from services.audit import record
from services.unit_of_work import Transaction, UnitOfWork

ERASED_NAME = "已删除"
_OLD_BATCHES = """
    batch_id IN (SELECT id FROM import_batch
                  WHERE coalesce(finished_at, created_at) < :log
                    AND state NOT IN ('uploaded', 'checking', 'importing', 'undoing'))
"""
_OF_ERASED = "owner_id IN (SELECT id FROM owner WHERE name = :erased AND phone IS NULL)"


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of a table that are due, and what is set in them; without that they go."""

    table: str
    title: str
    due: str
    sets: str = ""

    @property
    def counting(self) -> str:
        """Count what is due."""
        return f"SELECT count(*) FROM {self.table} t WHERE {self.due}"  # noqa: S608 - ours

    @property
    def erasing(self) -> str:
        """Erase what is due."""
        if self.sets:
            return f"UPDATE {self.table} t SET {self.sets} WHERE {self.due}"  # noqa: S608 - ours
        return f"DELETE FROM {self.table} t WHERE {self.due}"  # noqa: S608 - ours


RULES = (
    Rule(
        "privacy_export",
        "过期的个人信息副本",
        "state = 'ready' AND expires_at <= :now",
        "content = NULL, state = 'erased'",
    ),
    Rule("login_code", "验证码记录", "created_at < :log"),
    Rule("session_token", "登录记录", "least(revoked_at, expires_at) < :log"),
    Rule(
        "house_invitation",
        "过期的邀请",
        "phone <> '' AND coalesce(ended_at, expires_at) < :log",
        "phone = '', name = '', ended_at = coalesce(ended_at, :now),"
        " state = CASE state WHEN 'open' THEN 'revoked' ELSE state END",
    ),
    Rule("import_file", "导入的表格", _OLD_BATCHES),
    Rule("import_step", "导入步骤", _OLD_BATCHES),
    Rule(
        "import_batch",
        "导入批次中的问题与文件名",
        "coalesce(finished_at, created_at) < :log AND (problems <> '[]' OR file_name <> '')"
        " AND state NOT IN ('uploaded', 'checking', 'importing', 'undoing')",
        "problems = '[]', file_name = ''",
    ),
    Rule(
        "binding_application",
        "绑定申请",
        "state <> 'pending' AND name <> '' AND coalesce(decided_at, created_at) < :claim",
        "name = '', house_text = '', proof = '', decision_note = ''",
    ),
    Rule(
        # What belongs to nothing is removed with its bytes by the next sweep.
        "stored_file",
        "业主的旧照片",
        "account_id IS NOT NULL AND attached_at < :claim",
        "subject_type = NULL, subject_id = NULL, community_id = NULL, attached_at = NULL",
    ),
    Rule(
        "outbox_message",
        "发过的消息",
        "state IN ('sent', 'failed', 'cancelled') AND (recipient <> '' OR payload <> '{}')"
        " AND created_at < :claim",
        "recipient = '', fallback_phone = NULL, payload = '{}', last_error = '',"
        " dedup_key = 'erased:' || id",
    ),
    Rule(
        "owner",
        "早已不是业主或住户的人",
        """
        name <> :erased
        AND (ended_on < :claim_day OR ended_on IS NULL AND created_at < :claim)
        AND NOT EXISTS (SELECT FROM house_person part WHERE part.owner_id = t.id
                         AND (part.person_until IS NULL OR part.person_until > :claim_day))
        AND NOT EXISTS (SELECT FROM house_binding bound
                         WHERE bound.owner_id = t.id AND bound.status IN ('pending', 'active'))
        AND NOT EXISTS (SELECT FROM bill JOIN house_person part ON part.house_id = bill.house_id
                         WHERE part.owner_id = t.id AND bill.is_live
                           AND bill.state IN ('published', 'partially_paid')
                           AND bill.period_until > part.person_from
                           AND bill.period_from < part.person_until)
        AND NOT EXISTS (SELECT FROM transfer_debt debt
                          JOIN transfer_party party ON party.transfer_id = debt.transfer_id
                          JOIN bill ON bill.id = debt.bill_id
                         WHERE party.owner_id = t.id AND party.side = 'seller'
                           AND bill.state IN ('published', 'partially_paid'))
        """,
        "name = :erased, pinyin = '', initials = '', email = '', wechat_note = '',"
        " note = '', phone = NULL, ended_on = coalesce(ended_on, :today)",
    ),
    Rule(
        "owner_phone",
        "他们的手机号",
        _OF_ERASED,
    ),
    Rule(
        "car",
        "他们的车辆",
        _OF_ERASED,
    ),
    Rule(
        "parking_space",
        "他们与车位的关系",
        _OF_ERASED,
        "owner_id = NULL, note = ''",
    ),
)


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows of a kind were erased, or are due."""

    table: str
    title: str
    count: int


@dataclass(frozen=True)
class Retention:
    """The standing job that keeps the register's word."""

    unit_of_work: UnitOfWork

    def count_due(self, *, actor: Actor) -> tuple[Erased, ...]:
        """Count what is due and erase nothing."""
        actor.must(Permission.VIEW_PRIVACY_REQUESTS)
        actor.must_cover(None)
        now = self.unit_of_work.clock.now()
        with self.unit_of_work.snapshot() as session:
            return tuple(
                Erased(
                    rule.table,
                    rule.title,
                    session.execute(text(rule.counting), _spans(now, rule.counting)).scalar_one(),
                )
                for rule in RULES
            )

    def erase_outdated(self, *, actor: Actor) -> int:
        """Erase what is due, each kind in a transaction of its own, and return how many rows.

        Amounts never change. What was erased is on record by kind and number.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        return sum(self.unit_of_work.run(_eraser(actor, rule)) for rule in RULES)


def _eraser(actor: Actor, rule: Rule) -> Any:
    def work(tx: Transaction) -> int:
        done: CursorResult[Any] = tx.session.execute(  # type: ignore[assignment]
            text(rule.erasing), _spans(tx.now, rule.erasing)
        )
        if done.rowcount:
            record(
                tx,
                actor,
                "personal_data_erased",
                subject_type=rule.table,
                subject_id=None,
                facts={"count": done.rowcount, "what": rule.title},
            )
        return done.rowcount

    return work


def _spans(now: datetime, sql: str) -> dict[str, Any]:
    """Tell what a statement asks for."""
    today = local_date(now)
    claim_day = add_months(today, -12 * CLAIM_YEARS)
    values = {
        "now": now,
        "today": today,
        "log": now - LOG_KEPT,
        "claim": start_of_local_day(claim_day),
        "claim_day": claim_day,
        "erased": ERASED_NAME,
    }
    asked = set(re.findall(r":(\w+)", sql))
    return {name: value for name, value in values.items() if name in asked}

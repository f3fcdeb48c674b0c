"""One function per job; each only calls a use-case and may run twice."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

from flask import current_app

from domain.actors import Actor, system_actor
from domain.errors import Conflict, NotFound
from services import assembly
from services.logs import request_id

log = logging.getLogger(__name__)


def _services() -> assembly.Services:
    return assembly.of(cast("assembly.HasExtensions", current_app))


def _actor(name: str) -> Actor:
    return system_actor(name, request_id.get())


def deliver_messages() -> int:
    """Send every message that is due."""
    return _services().outbox.deliver_due(actor=_actor("消息发送"))


def learn_followers() -> int:
    """Ask WeChat who the new followers are."""
    return _services().accounts.learn_followers(actor=_actor("关注者识别"))


def sweep_payments() -> int:
    """Ask the channel about silent orders."""
    return _services().sweep.sweep(actor=_actor("支付查询"))


def send_refunds() -> int:
    """Send approved refunds and ask what became of those that were sent."""
    return _services().refunds.send_due(actor=_actor("退款"))


def sweep_files() -> int:
    """Remove photos and documents that nobody used within a day."""
    return _services().file_desk.sweep(actor=_actor("文件清理"))


def sweep_messages() -> int:
    """Do what jobs would have done if Redis had not lost them."""
    return learn_followers() + deliver_messages()


def resume_generation() -> int:
    """Go on with bill runs that were cut off."""
    return _services().generation.resume(actor=_actor("账单生成"))


def work_imports() -> int:
    """Check, import and undo what was handed in, and go on with what was cut off."""
    return _services().import_work.work_due(actor=_actor("表格导入"))


def fold_summary() -> int:
    """Fold what changed into the sums that report pages read."""
    return _services().reports.fold_summary(actor=_actor("报表汇总"))


def offset_prepaid() -> int:
    """Pay published bills from what their houses have paid ahead."""
    return _services().prepaid_offsets.offset_due(actor=_actor("预存抵扣"))


def reconcile_cash() -> int:
    """Compare the days of counters that are over with what their cashiers counted."""
    return _services().cash_reconciliation.run_due(actor=_actor("现金对账"))


def watch_payments() -> int:
    """Tell people of money that was paid and is not booked."""
    return _services().payment_watch.look(actor=_actor("支付监测"))


def reconcile_channels() -> int:
    """Compare the days that are due with the channels' statements."""
    return _services().reconciliation.run_due(actor=_actor("渠道对账"))


def verify_ledger() -> int:
    """Check the promises of the ledger and tell people of those that are broken."""
    return _services().ledger.check_and_tell(actor=_actor("账目核对"))


def seal_audit() -> int:
    """Link the audit rows of the last minute."""
    return _services().audit_chain.seal(actor=_actor("操作记录"))


def verify_audit() -> int:
    """Check the chain of audit rows and write its head to the log."""
    return _services().audit_chain.check_and_tell(actor=_actor("操作记录核对"))


def make_privacy_exports() -> int:
    """Make the copies of their data that owners asked for."""
    return _services().privacy_exports.make_due(actor=_actor("个人信息副本"))


def close_accounts() -> int:
    """Close the accounts whose owners asked for it a week ago."""
    return _services().account_deletions.carry_out_due(actor=_actor("账号注销"))


def erase_outdated() -> int:
    """Erase personal data that is held longer than the register says."""
    return _services().retention.erase_outdated(actor=_actor("个人信息到期删除"))


def generate_maintenance() -> int:
    """Make the maintenance tasks of the next sixty days, and tell people of those that are due."""
    services = _services()
    return services.maintenance_generation.generate_due(
        actor=_actor("维保计划")
    ) + services.maintenance_reminders.remind_due(actor=_actor("维保提醒"))


def watch_equipment() -> int:
    """Tell people of equipment that something runs out of, or that fails often."""
    services = _services()
    return services.equipment_watch.look(
        actor=_actor("设备到期提醒")
    ) + services.equipment_failures.propose_changes(actor=_actor("设备故障提醒"))


def watch_repairs() -> int:
    """Tell of late repairs and close those that nobody answered for."""
    return _services().repair_watch.look(actor=_actor("报修监测"))


def publish_notices() -> int:
    """Publish the notices that are due."""
    return _services().notice_board.publish_due(actor=_actor("公告发布"))


def remind_of_bills() -> int:
    """Remind people of bills that are due soon, today, or overdue."""
    return _services().bill_reminders.remind_due(actor=_actor("缴费提醒"))


def drop_old_slots() -> int:
    """Forget old slots of the timetable."""
    return _services().timetable.drop_old_slots()


def drop_old_doors() -> int:
    """Forget old attempts to sign in, sessions of staff and links for new passwords."""
    return _services().staff_sessions.drop_old(actor=_actor("清理登录记录"))


def _forgiving(job: Callable[..., Any]) -> Callable[..., Any]:
    """End a job quietly when there is nothing left to do.

    Source: architecture.md, table of errors: a job logs NotFound and Conflict and is done.
    """

    def run(**ids: int) -> Any:
        try:
            return job(**ids)
        except (NotFound, Conflict) as refusal:
            log.info("nothing to do", extra={"job": job.__name__, "reason": refusal.code})
            return None

    return run


JOBS: dict[str, Callable[..., Any]] = {
    job.__name__: _forgiving(job)
    for job in (
        deliver_messages,
        learn_followers,
        sweep_payments,
        send_refunds,
        sweep_files,
        sweep_messages,
        resume_generation,
        offset_prepaid,
        work_imports,
        fold_summary,
        reconcile_cash,
        watch_payments,
        reconcile_channels,
        verify_ledger,
        seal_audit,
        verify_audit,
        make_privacy_exports,
        close_accounts,
        erase_outdated,
        generate_maintenance,
        watch_equipment,
        watch_repairs,
        publish_notices,
        remind_of_bills,
        drop_old_slots,
        drop_old_doors,
    )
}
"""Every job by the name it has on the queue and in the timetable."""

"""``flask verify`` and ``flask doctor``: does the money add up, does every link work."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup, with_appcontext

from domain.actors import operator
from panel.commands.acting import find_services, give_up, telling

verify_cli = AppGroup("verify", help="核对。")


@verify_cli.command("ledger", help="逐条核对账目承诺；有一条不成立则退出码为 1。")
@telling
def verify_ledger() -> None:
    """Check every promise of the ledger against the live data."""
    checks = find_services().ledger.verify(actor=operator())
    for check in checks:
        mark = click.style("成立", fg="green") if check.holds else click.style("不成立", fg="red")
        click.echo(f"{check.promise:<4}{mark} {check.title}（{check.looked_at} 条）")
        for row in check.broken:
            click.echo(f"      {row}")
    if not all(check.holds for check in checks):
        give_up("有承诺不成立，请立即停止收款并联系维护人员")
    click.echo(f"{len(checks)} 条承诺全部成立")


@verify_cli.command("audit", help="核对操作记录的哈希链；被改动过则退出码为 1。")
@click.option("--head", default="", metavar="哈希", help="以前日志中记下的链头，应仍在链中。")
@telling
def verify_audit(head: str) -> None:
    """Check the chain over audit rows from its first link on."""
    report = find_services().audit_chain.verify(actor=operator(), head=head.strip().lower())
    for problem in report.problems:
        click.echo(problem)
    if not report.holds:
        give_up("操作记录被改动过，请立即联系维护人员")
    click.echo(f"{report.looked_at} 条操作记录与哈希链相符")
    click.echo(f"链头（第 {report.head.number} 环）：{report.head.sha256}")


@click.command("doctor", help="逐项检查配置与连接；有一项不通则退出码为 1。")
@with_appcontext
@telling
def doctor() -> None:
    """Say of every link whether it works."""
    findings = find_services().doctor.examine(actor=operator())
    for finding in findings:
        mark = click.style("正常", fg="green") if finding.is_well else click.style("异常", fg="red")
        click.echo(f"{mark} {finding.name}：{finding.sentence}")
    if not all(finding.is_well for finding in findings):
        sys.exit(1)

"""``flask history``: who did what, when and why."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click
from flask.cli import with_appcontext

from panel.commands.acting import (
    DAY,
    NEW_FILE,
    act_as,
    as_staff_or_operator,
    find_services,
    give_up,
    save_file,
    telling,
)
from services.history import HistoryFilter


@click.command("history", help="列出操作记录：谁在何时做了什么、改前改后、原因；最新的在前。")
@click.option(
    "--community", "code", default=None, metavar="小区", help="只看某小区（编号或名称）。"
)
@click.option("--house", default=None, metavar="房屋", help="只看某房屋及其账单，须同时写小区。")
@click.option("--who", default="", metavar="姓名", help="只看某人，可只写一部分。")
@click.option("--from", "first", type=DAY, help="从（含）。")
@click.option("--until", "last", type=DAY, help="至（含）。")
@click.option("--limit", type=click.IntRange(1, 100), default=50, show_default=True, help="条数。")
@click.option("--xlsx", type=NEW_FILE, help="全部另存为 Excel 文件。")
@as_staff_or_operator
@with_appcontext
@telling
def history(
    code: str | None,
    house: str | None,
    who: str,
    first: datetime | None,
    last: datetime | None,
    limit: int,
    xlsx: Path | None,
    login_name: str | None,
) -> None:
    """Print what is on record as sentences, and write the file that was asked for."""
    found, actor = find_services(), act_as(login_name)
    if house and not code:
        give_up("请同时用 --community 写明小区")
    community_id = found.estate.show_community(actor=actor, code=code).id if code else None
    house_id = (
        found.estate.find_house(actor=actor, community_id=community_id, label=house)
        if house and community_id
        else None
    )
    which = HistoryFilter(
        community_id=None if house_id else community_id,
        house_id=house_id,
        who=who,
        from_on=first.date() if first else None,
        until_on=last.date() if last else None,
    )
    lines = found.history.list_changes(actor=actor, which=which, limit=limit)
    for line in lines:
        click.echo(line.sentence)
    if not lines:
        click.echo("没有符合条件的记录")
    if xlsx:
        save_file(xlsx, found.history.write(actor=actor, which=which))

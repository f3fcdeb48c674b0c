"""The letters of Chinese names, by which people are found; the one place that writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pypinyin import Style, lazy_pinyin
from sqlalchemy import select, update

from domain.actors import Actor, Permission
from models import Owner
from services.audit import record
from services.unit_of_work import Transaction, UnitOfWork

_CHUNK = 2_000
_LETTERS = re.compile(r"[a-z0-9]+")


def letters_of(name: str) -> dict[str, str]:
    """Tell the columns that hold a name's letters: ``pinyin`` and ``initials``.

    Of 王小明 they are ``wangxiaoming`` and ``wxm``; of a name in letters they are the name itself
    and its words' first letters. Signs are left out.
    """
    syllables = [
        part
        for syllable in lazy_pinyin(name.lower(), style=Style.NORMAL)
        for part in _LETTERS.findall(syllable)
    ]
    return {
        "pinyin": "".join(syllables),
        "initials": "".join(syllable[0] for syllable in syllables),
    }


@dataclass(frozen=True)
class NameLetters:
    """Fills the letters of names that came without them."""

    unit_of_work: UnitOfWork

    def fill(self, *, actor: Actor) -> int:
        """Write the letters of every owner that has none; return how many there were.

        May be repeated and cut off: each chunk is a transaction of its own.
        """
        actor.must(Permission.MANAGE_OWNERS)
        filled, after_id = 0, 0
        while found := self._fill_chunk(after_id):
            filled, after_id = filled + found[0], found[1]
        self.unit_of_work.run(
            lambda tx: record(
                tx,
                actor,
                "owner_letters_filled",
                subject_type="owner",
                subject_id=None,
                facts={"owner_count": filled},
            )
        )
        return filled

    def _fill_chunk(self, after_id: int) -> tuple[int, int] | None:
        def work(tx: Transaction) -> tuple[int, int] | None:
            rows = tx.session.execute(
                select(Owner.id, Owner.name)
                .where(Owner.pinyin == "", Owner.id > after_id)
                .order_by(Owner.id)
                .limit(_CHUNK)
            ).all()
            if not rows:
                return None
            tx.session.execute(
                update(Owner), [{"id": id_, **letters_of(name)} for id_, name in rows]
            )
            return len(rows), rows[-1].id

        return self.unit_of_work.run(work)

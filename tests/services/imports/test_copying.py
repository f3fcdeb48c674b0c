from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.imports.copying import copy_line, take_ids

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)


@pytest.fixture
def unit_of_work(services):
    return services.outbox.unit_of_work


class TestCopyLine:
    @settings(
        max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
    )
    @given(words=st.lists(WORDS, min_size=1, max_size=20))
    def test_whatever_stands_in_a_cell_arrives_as_it_is(self, words, unit_of_work):
        """Also what would end a column or a row, or mean NULL or the end of the data."""

        def work(tx):
            tx.session.connection().exec_driver_sql(
                "CREATE TEMPORARY TABLE words (n int, word text) ON COMMIT DROP"
            )
            words_with_traps = [*words, "\\N", "\\.", "\t", "\n\\.\n", "a\\"]
            tx.copy_text(
                "words", "n word", [copy_line(line) for line in enumerate(words_with_traps)]
            )
            told = tx.session.connection().exec_driver_sql("SELECT word FROM words ORDER BY n")
            assert [word for (word,) in told] == words_with_traps

        unit_of_work.run(work)

    def test_values_of_other_kinds(self):
        line = copy_line((None, 5, Decimal("1.50"), date(2026, 11, 25), ""))

        assert line == "\\N\t5\t1.50\t2026-11-25\t\n"


class TestTakeIds:
    def test_each_is_given_once(self, unit_of_work):
        first = unit_of_work.run(lambda tx: take_ids(tx, "house", 3))
        second = unit_of_work.run(lambda tx: take_ids(tx, "house", 2))

        assert len({*first, *second}) == 5

    def test_none_is_none(self, unit_of_work):
        assert unit_of_work.run(lambda tx: take_ids(tx, "house", 0)) == []

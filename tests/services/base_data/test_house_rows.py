"""What a change of a house keeps others from doing meanwhile."""

import pytest
from sqlalchemy.exc import OperationalError

from services.base_data.house_rows import hold_building, lock_house


@pytest.mark.usefixtures("item")
class TestLocks:
    @pytest.fixture
    def can_lock(self, test_engine):
        """Tell whether somebody else may lock a row right now."""

        def can_lock(table, row_id):
            with test_engine.connect() as other:
                try:
                    other.exec_driver_sql(
                        f"SELECT 1 FROM {table} WHERE id = {row_id} FOR UPDATE NOWAIT"
                    )
                except OperationalError:
                    return False
            return True

        return can_lock

    def test_nobody_approves_bills_while_a_house_changes(
        self, unit_of_work, manager, house, run_month, can_lock
    ):
        batch_id, _ = run_month()

        def change(tx):
            lock_house(tx, manager, house.id)
            return can_lock("house", house.id), can_lock("bill_batch", batch_id)

        assert unit_of_work.run(change) == (False, False)
        assert can_lock("bill_batch", batch_id)

    def test_nobody_retires_a_building_while_a_house_comes_into_it(
        self, unit_of_work, manager, house, can_lock
    ):
        def add(tx):
            hold_building(tx, manager, house.building_id)
            return can_lock("building", house.building_id)

        assert not unit_of_work.run(add)
        assert can_lock("building", house.building_id)

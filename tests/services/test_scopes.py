"""Reading a data scope, and its pieces in the database."""

import pytest
from sqlalchemy.exc import IntegrityError

from domain.actors import EVERYWHERE, DataScope
from models import StaffScope
from services.scopes import scope_of
from tests import factories


@pytest.fixture
def pieces(database):
    """Somebody with a whole community, a building of it, and one building of another."""
    with database.session() as session:
        staff = factories.make_staff(session, sees_all=False)
        whole = factories.make_building(session)
        part = factories.make_building(session, community=factories.make_community(session))
        factories.make_building(session, community=factories.make_community(session))
        for building, building_id in ((whole, None), (whole, whole.id), (part, part.id)):
            session.add(
                StaffScope(
                    staff_id=staff.id,
                    community_id=building.community_id,
                    building_id=building_id,
                )
            )
    return staff, whole, part


class TestScopeOf:
    def test_the_whole_company_needs_no_pieces(self, database):
        with database.session() as session:
            assert scope_of(session, staff_id=1, sees_all=True) == EVERYWHERE

    def test_without_pieces_nothing_is_in_scope(self, database):
        with database.session() as session:
            scope = scope_of(session, staff_id=1, sees_all=False)

        assert scope == DataScope(frozenset())
        assert not scope.covers(1)
        assert not scope.reaches(1)
        assert not scope.covers(None)

    def test_a_building_is_a_part_and_a_community_a_whole(self, database, pieces):
        staff, whole, part = pieces

        with database.session() as session:
            scope = scope_of(session, staff_id=staff.id, sees_all=False)

        assert scope == DataScope(
            frozenset({whole.community_id}),
            frozenset({part.community_id}),
            frozenset({part.id}),
        )
        assert scope.covers(whole.community_id)
        assert scope.reaches(part.community_id)
        assert not scope.covers(part.community_id)

    def test_a_piece_is_on_file_once(self, database, pieces):
        staff, whole, _ = pieces

        with pytest.raises(IntegrityError, match="uq_staff_scope_piece"):
            database.do(
                "INSERT INTO staff_scope (staff_id, community_id) VALUES (:staff, :community)",
                staff=staff.id,
                community=whole.community_id,
            )

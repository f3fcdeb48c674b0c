"""One outage, many repairs: suggested, merged, told to all, ended."""

import pytest

from domain.actors import DataScope
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.repairs import RepairCategory
from services.repairs.incidents import IncidentEnded, NotOneOutage
from tests import factories


@pytest.fixture
def reports(report, desk):
    """The same outage, by two houses."""
    return [report(), report(desk.neighbour, house_id=desk.other_house_id)]


@pytest.fixture
def merge(services, desk):
    def merge(ids, actor=None, title="3栋停水"):
        return services.repair_incidents.merge(
            actor=actor or desk.clerk, repair_ids=ids, title=title
        )

    return merge


class TestSuggest:
    def test_what_came_together(self, services, desk, reports, report):
        report(category=RepairCategory.LIFT)

        [found] = services.repair_incidents.suggest(
            actor=desk.clerk, community_id=desk.community_id
        )

        assert found.repair_ids == tuple(reports)
        assert (found.building_id, found.category) == (desk.building_id, "water")

    def test_not_what_is_long_ago_or_merged(self, services, desk, reports, merge, clock):
        def suggest():
            return services.repair_incidents.suggest(
                actor=desk.clerk, community_id=desk.community_id
            )

        clock.advance(hours=13)
        assert suggest() == []
        clock.advance(hours=-13)
        merge(reports)
        assert suggest() == []


class TestMerge:
    def test_all_are_of_it(self, reports, merge, repair, desk, services):
        incident_id = merge(reports)

        assert {repair(one)["incident_id"] for one in reports} == {incident_id}
        [view] = services.repair_incidents.list_incidents(
            actor=desk.auditor, community_id=desk.community_id
        )
        assert (view.id, view.repair_count, view.title) == (incident_id, 2, "3栋停水")

    def test_not_of_other_kinds(self, report, merge):
        with pytest.raises(NotOneOutage):
            merge([report(), report(category=RepairCategory.LIFT)])

    def test_not_twice(self, reports, merge):
        merge(reports)

        with pytest.raises(NotOneOutage):
            merge(reports)

    def test_not_what_is_over(self, services, desk, reports, merge):
        services.owner_repair_acts.cancel(actor=desk.owner, repair_id=reports[0], reason="好了")

        with pytest.raises(NotOneOutage):
            merge(reports)

    def test_not_one_alone(self, reports, merge):
        with pytest.raises(InvalidInput):
            merge(reports[:1])

    def test_what_is_not_in_scope_is_missing(self, reports, merge, database):
        with database.session() as session:
            clerk = factories.staff(
                session, role="customer_service", scope=DataScope(frozenset({999}))
            )

        with pytest.raises(NotFound):
            merge(reports, actor=clerk)

    def test_an_engineer_may_not(self, reports, merge, desk):
        with pytest.raises(NotAllowed):
            merge(reports, actor=desk.engineer)


class TestTell:
    def test_one_update_is_on_all_pages(self, services, desk, reports, merge):
        incident_id = merge(reports)

        told = services.repair_incidents.tell(
            actor=desk.clerk, incident_id=incident_id, note="水泵已更换，预计 18 点恢复"
        )

        assert told == 2
        for actor, repair_id in ((desk.owner, reports[0]), (desk.neighbour, reports[1])):
            view = services.repair_lists.show_own(actor=actor, repair_id=repair_id)
            assert view.progress[-1].note == "水泵已更换，预计 18 点恢复"

    def test_not_those_that_are_over(self, services, desk, reports, merge):
        incident_id = merge(reports)
        services.owner_repair_acts.cancel(actor=desk.owner, repair_id=reports[0], reason="好了")

        told = services.repair_incidents.tell(
            actor=desk.clerk, incident_id=incident_id, note="恢复供水"
        )

        assert told == 1

    def test_the_end_is_told_and_final(self, services, desk, reports, merge, state):
        incident_id = merge(reports)
        services.repair_incidents.end(actor=desk.clerk, incident_id=incident_id, note="已恢复")

        with pytest.raises(IncidentEnded):
            services.repair_incidents.tell(actor=desk.clerk, incident_id=incident_id, note="再说")

        assert state(reports[0]) == "pending_dispatch"

    def test_out_of_scope_is_missing(self, services, desk, reports, merge, database):
        incident_id = merge(reports)
        with database.session() as session:
            clerk = factories.staff(
                session, role="customer_service", scope=DataScope(frozenset({999}))
            )

        for act in (services.repair_incidents.tell, services.repair_incidents.end):
            with pytest.raises(NotFound):
                act(actor=clerk, incident_id=incident_id, note="不该看到")

"""Every route × every role × {own, same community but another's, another community, nobody}.

The rule, for every line of the table:

* without a session, and with a session of the other kind (owner, staff): 401;
* a role that may not: 403, the same whether the row is there or not;
* a role that may, for what is not in its scope: exactly the answer for what does not exist;
* a role that may, for its own row: the status of the line, and no other's name in it;
* and after all refusals no row of any table has changed.
"""

import re
from dataclasses import dataclass, field

import pytest

from domain.actors import Role
from tests.access import table
from tests.access.places import Maker, Place
from tests.architecture import test_routes
from tests.miniapp_api.answers import facts, refusal

OTHERS = ("neighbour", "elsewhere")
LINES = {**table.OWNERS, **table.STAFF}
_NOTED = {"staff_session", "sign_in_attempt"}
"""Tables that note who came, whatever they asked."""


@dataclass
class World:
    """Whose rows there are."""

    maker: Maker
    own: Place
    neighbour: Place
    elsewhere: Place
    nobody: Place = field(default_factory=Place)

    @property
    def all(self):
        return (self.own, self.neighbour, self.elsewhere, self.nobody)


@pytest.fixture
def world(database, services, make_signed_in, craft, notify):
    maker = Maker(database, services, make_signed_in, craft, notify)
    own = maker.make("own")
    return World(maker, own, maker.make("neighbour", beside=own), maker.make("elsewhere"))


@pytest.fixture
def picture(database):
    """Every row of every table, as one number for each table."""

    def picture():
        names = database.rows(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            " AND tablename <> 'alembic_version' ORDER BY 1"
        )
        return {
            one["tablename"]: database.value(
                "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"
                f" FROM {one['tablename']} t"
            )
            for one in names
            if one["tablename"] not in _NOTED
        }

    return picture


@pytest.fixture
def ask(client):
    """Ask one route for the rows of a place."""
    number = iter(range(10_000))

    def ask(route, place, token, **others):
        method, rule = route
        line = LINES[route]
        rows = place.rows | others if others else place.rows

        def fill(match):
            name = match[1]
            return str(rows[line.ids.get(name, name)])

        return client.open(
            re.sub(r"<[^:>]+:(\w+)>", fill, rule),
            method=method,
            json=line.body(rows) if line.body else None,
            query_string=line.query(rows) if line.query else None,
            headers={
                "Idempotency-Key": f"key-{next(number):08d}",
                **({"Authorization": f"Bearer {token}"} if token else {}),
            },
        )

    return ask


def test_every_route_has_its_line():
    assert set(table.OWNERS) == test_routes.OWNER
    assert set(table.STAFF) == test_routes.STAFF


@pytest.mark.parametrize("route", sorted(test_routes.REVIEWED | test_routes.PLATFORM), ids=" ".join)
def test_open_routes_do_not_ask_who_somebody_is(route, world, client):
    method, rule = route
    path = re.sub(r"<any\(\W*([\w.]+).*?>", r"\1", rule)
    path = re.sub(r"<[^>]+>", "x" * 43, path)
    staff_token, _ = world.maker.make_asker(world.own, Role.MANAGER, "company")

    answers = []
    for token in (None, world.own.token, staff_token):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with client.open(path, method=method, headers=headers) as answer:
            answers.append(facts(answer))

    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] != 500


@pytest.mark.parametrize("route", sorted(table.OWNERS), ids=" ".join)
def test_owners(route, world, ask, picture):
    line, own = table.OWNERS[route], world.own
    staff_token, _ = world.maker.make_asker(own, Role.MANAGER, "company")
    before = picture()

    for token in (None, staff_token):
        nobody_is_signed_in(ask, route, world, token)
    if line.of == "house":
        what_is_anothers_is_not_there(ask, route, world, own.token, OTHERS)
    assert picture() == before

    answer = ask(route, own, own.token)

    assert answer.status_code == line.own, told(answer)
    holds_nothing_of(answer, world, OTHERS)
    assert not line.tells or own.rows[line.tells] in told(answer)


@pytest.mark.parametrize("route", sorted(table.STAFF), ids=" ".join)
def test_staff(route, world, ask, picture):
    line, own = table.STAFF[route], world.own
    scope = line.scope or ("house" if line.of in ("house", "list") else "community")
    others = OTHERS if scope == "house" else ("elsewhere",)
    askers = {role: world.maker.make_asker(own, role, scope) for role in Role}
    before = picture()

    for token in (None, own.token):
        nobody_is_signed_in(ask, route, world, token)
    for role in set(Role) - {*line.roles, *line.blind}:
        may_not(ask, route, world, askers[role][0])
    for role in line.blind:
        is_blind(ask, route, world, askers[role][0])
    if line.of in ("house", "community"):
        for role in line.roles:
            what_is_anothers_is_not_there(ask, route, world, askers[role][0], others)
    assert picture() == before

    for number, role in enumerate(line.roles):
        token, spare_id = askers[role]
        answer = ask(route, own, token, session_id=spare_id)
        # The first one's act may leave nothing for the others to do.
        found = {line.own} if number == 0 else {line.own, 404, 409, 422, 429}
        assert answer.status_code in found, (role, told(answer))
        holds_nothing_of(answer, world, others)
        assert not line.tells or own.rows[line.tells] in told(answer), role


def nobody_is_signed_in(ask, route, world, token):
    for place in world.all:
        assert refusal(ask(route, place, token), 401)["code"] == "not_signed_in"


def may_not(ask, route, world, token):
    own, *answers, missing = [heard(ask, route, place, token) for place in world.all]
    assert own[0] == 403
    # Where a community is named, one out of scope is unknown before it is asked who asks.
    assert missing == own or (missing[0] == 404 and answers[-1] == missing)
    assert all(answer in (own, missing) for answer in answers)


def is_blind(ask, route, world, token):
    if LINES[route].of == "list":
        assert world.own.rows[LINES[route].tells] not in told(ask(route, world.own, token))
    else:
        what_is_anothers_is_not_there(ask, route, world, token, ("own", *OTHERS))


def what_is_anothers_is_not_there(ask, route, world, token, others):
    missing = heard(ask, route, world.nobody, token)
    assert missing[0] == 404, missing
    for whose in others:
        assert heard(ask, route, getattr(world, whose), token) == missing, whose


def heard(ask, route, place, token):
    """What somebody is answered, but for the name they asked for."""
    status, headers, body = facts(ask(route, place, token))
    return status, headers, body.replace(place.rows["community_code"].encode(), b"...")


def holds_nothing_of(answer, world, others):
    for whose in others:
        for name in ("name", "phone", "house_label", "number", "receipt_no"):
            assert getattr(world, whose).rows[name] not in told(answer)


def told(answer):
    """All words of an answer."""
    return f"{answer.headers.get('Content-Disposition', '')}{answer.data.decode(errors='replace')}"

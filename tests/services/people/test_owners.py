import pytest

from domain.actors import DataScope, Permission, operator, visitor
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.phones import NotAPhone
from services.people.names import letters_of
from services.people.owners import OwnerHasHistory, OwnerHasHouses, OwnerWords
from services.people.rows import PhoneTaken
from tests import factories
from tests.factories import actor_without


@pytest.fixture
def owners(services):
    return services.owners


def add(owners, place, name="李四", phone=None, actor=None, community_id=None, **words):
    return owners.add(
        actor=actor or place.clerk,
        community_id=community_id or place.community_id,
        words=OwnerWords(name=name, **words),
        phone=phone,
    )


class TestLetters:
    @pytest.mark.parametrize(
        ("name", "pinyin", "initials"),
        [
            ("王小明", "wangxiaoming", "wxm"),
            ("吕布", "lvbu", "lb"),
            ("Tom Lee", "tomlee", "tl"),
            ("张三（商铺）", "zhangsanshangpu", "zssp"),
            ("★", "", ""),
        ],
    )
    def test_of_names(self, name, pinyin, initials):
        assert letters_of(name) == {"pinyin": pinyin, "initials": initials}

    def test_names_without_letters_get_them(self, services, place, database, audit):
        database.do("UPDATE owner SET pinyin = '', initials = '', name = '王小明'")

        assert services.name_letters.fill(actor=place.clerk) == 1
        assert services.name_letters.fill(actor=place.clerk) == 0

        [row] = database.rows("SELECT pinyin, initials FROM owner")
        assert tuple(row.values()) == ("wangxiaoming", "wxm")

    def test_a_name_that_has_none_ends_the_work_too(self, services, place, database):
        database.do("UPDATE owner SET pinyin = '', name = '★'")

        assert services.name_letters.fill(actor=place.clerk) == 1


class TestAdd:
    def test_is_on_file_with_letters_and_phone(self, owners, place, database, audit):
        owner_id = add(owners, place, " 李四 ", "+86 188-0000 0001", email="a@b.cn", note="x")

        [row] = database.rows("SELECT * FROM owner WHERE id = :id", id=owner_id)
        assert (row["name"], row["phone"], row["initials"]) == ("李四", "18800000001", "ls")
        assert audit("owner_added") == [
            {"before": None, "after": {"name": "李四", "phone": "188****0001"}, "reason": ""}
        ]

    @pytest.mark.parametrize("name", ["", "  ", "长" * 51, "长" * 100, "王\x07", None])
    def test_a_name_that_is_none(self, owners, place, name):
        with pytest.raises(InvalidInput) as refusal:
            add(owners, place, name)

        assert "name" in refusal.value.fields

    def test_fifty_characters_are_a_name(self, owners, place):
        assert add(owners, place, "长" * 50)

    def test_what_is_no_phone(self, owners, place):
        with pytest.raises(NotAPhone):
            add(owners, place, phone="12345")

    @pytest.mark.parametrize("email", ["nobody", "@", "a" * 201 + "@b.cn"])
    def test_what_is_no_mail(self, owners, place, email):
        with pytest.raises(InvalidInput) as refusal:
            add(owners, place, email=email)

        assert "email" in refusal.value.fields

    def test_a_phone_is_one_owners_of_a_community(self, owners, place):
        with pytest.raises(PhoneTaken):
            add(owners, place, phone=place.phone)

    def test_in_another_community_it_may_be_anybodys(self, owners, place, database):
        with database.session() as session:
            other = factories.make_community(session)

        assert add(owners, place, phone=place.phone, community_id=other.id)

    def test_another_community_is_not_there(self, owners, place, database):
        with database.session() as session:
            other = factories.make_community(session)
            clerk = factories.staff(
                session, role="customer_service", scope=DataScope(frozenset({other.id}))
            )

        with pytest.raises(NotFound):
            add(owners, place, actor=clerk)
        with pytest.raises(NotFound):
            add(owners, place, community_id=404)


class TestEdit:
    def test_tells_before_and_after(self, owners, place, database, audit):
        owners.edit(
            actor=place.clerk,
            owner_id=place.owner_id,
            words=OwnerWords(name="王晓明", note="老人"),
            reason="身份证更正",
        )

        [row] = database.rows("SELECT name, pinyin, note FROM owner")
        assert tuple(row.values()) == ("王晓明", "wangxiaoming", "老人")
        assert audit("owner_changed") == [
            {
                "before": {"name": "王小明", "note": ""},
                "after": {"name": "王晓明", "note": "老人"},
                "reason": "身份证更正",
            }
        ]

    def test_what_is_the_same_is_no_change(self, owners, place, audit):
        words = OwnerWords(name="王小明")

        owners.edit(actor=place.clerk, owner_id=place.owner_id, words=words, reason="x")

        assert audit("owner_changed") == []

    def test_only_with_a_reason(self, owners, place):
        with pytest.raises(InvalidInput) as refusal:
            owners.edit(
                actor=place.clerk, owner_id=place.owner_id, words=OwnerWords(note="x"), reason=" "
            )

        assert "reason" in refusal.value.fields

    def test_out_of_scope_is_not_there(self, owners, place, database):
        with database.session() as session:
            other = factories.make_building(session)
            stranger = factories.staff(
                session,
                role="customer_service",
                scope=factories.scope_of_building(other),
            )
            neighbour = factories.staff(
                session,
                role="customer_service",
                scope=DataScope(
                    frozenset(), frozenset({place.community_id}), frozenset({place.building_id})
                ),
            )
        change = {"owner_id": place.owner_id, "words": OwnerWords(note="x"), "reason": "y"}

        for refused in (
            lambda: owners.edit(actor=stranger, **change),
            lambda: owners.show(actor=stranger, owner_id=place.owner_id),
            lambda: owners.end(actor=stranger, owner_id=place.owner_id, reason="x"),
            lambda: owners.remove(actor=stranger, owner_id=place.owner_id, reason="x"),
        ):
            with pytest.raises(NotFound):
                refused()
        owners.edit(actor=neighbour, **change)
        assert owners.show(actor=neighbour, owner_id=place.owner_id).note == "x"


class TestEnd:
    def test_frees_the_phone_and_keeps_the_rest(self, owners, place, database, audit, services):
        owner_id = add(owners, place, phone="18800000001")

        owners.end(actor=place.clerk, owner_id=owner_id, reason="重复登记")

        assert add(owners, place, "赵六", "18800000001")
        view = owners.show(actor=place.clerk, owner_id=owner_id)
        assert view.phones == ()
        assert view.ended_on is not None
        assert audit("owner_ended")[0]["before"]["phone"] == "188****0001"

    def test_whoever_has_a_house_stays(self, owners, place):
        with pytest.raises(OwnerHasHouses):
            owners.end(actor=place.clerk, owner_id=place.owner_id, reason="x")

    def test_twice_is_once(self, owners, place, audit):
        owner_id = add(owners, place)
        for _ in range(2):
            owners.end(actor=place.clerk, owner_id=owner_id, reason="x")

        assert len(audit("owner_ended")) == 1


class TestRemove:
    def test_what_was_just_typed_in_may_go(self, owners, place, database, audit):
        owner_id = add(owners, place, phone="18800000001")

        owners.remove(actor=place.clerk, owner_id=owner_id, reason="录错")

        assert database.value("SELECT count(*) FROM owner") == 1
        assert audit("owner_removed")[0]["before"] == {"name": "李四", "phone": "188****0001"}

    def test_whoever_has_history_stays(self, owners, place, database, audit):
        database.do("UPDATE house_person SET person_until = '2020-06-01'")

        with pytest.raises(OwnerHasHistory):
            owners.remove(actor=place.clerk, owner_id=place.owner_id, reason="x")

        assert audit("owner_removed") == []


class TestShow:
    def test_phones_are_masked_and_houses_told(self, owners, place):
        view = owners.show(actor=place.cashier, owner_id=place.owner_id)

        assert [phone.phone_masked for phone in view.phones] == [
            f"{place.phone[:3]}****{place.phone[-4:]}"
        ]
        [part] = view.parts
        assert (part.house, part.role_shown, part.is_bound) == ("3栋1单元502", "产权人", True)
        assert place.phone not in repr(view)

    def test_nobody(self, owners, place):
        with pytest.raises(NotFound):
            owners.show(actor=place.cashier, owner_id=404)


@pytest.mark.parametrize("actor", [visitor(), actor_without(Permission.MANAGE_OWNERS)])
def test_only_with_the_permission(owners, services, place, actor):
    of_owner = {"actor": actor, "owner_id": place.owner_id, "reason": "x"}

    for refused in (
        lambda: add(owners, place, actor=actor),
        lambda: owners.edit(words=OwnerWords(note="x"), **of_owner),
        lambda: owners.end(**of_owner),
        lambda: owners.remove(**of_owner),
        lambda: services.name_letters.fill(actor=actor),
    ):
        with pytest.raises(NotAllowed):
            refused()


def test_seeing_is_a_permission_of_its_own(owners, place):
    with pytest.raises(NotAllowed):
        owners.show(actor=actor_without(Permission.VIEW_OWNERS), owner_id=place.owner_id)
    assert owners.show(actor=operator(), owner_id=place.owner_id)

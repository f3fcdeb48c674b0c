"""Photos and documents: handed in, used once, seen by link, cleared away."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from domain.actors import owner_actor, system_actor, visitor
from domain.errors import NotAllowed, NotFound, PlatformUnavailable
from domain.files import LOOSE_LIMIT, FileSize, FileSubject
from gateways.file_stores import open_store
from models import Account
from services.files.attaching import attach_document, attach_photos, files_of
from services.files.refusals import (
    DocumentRefused,
    DocumentTooLarge,
    FileMissing,
    PhotoTooLarge,
    TooManyFiles,
    TooManyLooseFiles,
)
from services.privacy.erasing import erase_account
from tests import factories
from tests.gateways.test_photos import photo
from tests.world import free_port

SYSTEM = system_actor("测试")
PDF = b"%PDF-1.7\n%%EOF"


@pytest.fixture
def scene(database, app):
    with database.session() as session:
        community = factories.make_community(session)
        accounts = [factories.make_account(session) for _ in range(2)]
        return community.id, [owner_actor(account_id=account.id) for account in accounts]


@pytest.fixture
def community_id(scene):
    return scene[0]


@pytest.fixture
def owner(scene):
    return scene[1][0]


@pytest.fixture
def other(scene):
    return scene[1][1]


@pytest.fixture
def engineer(database, app):
    with database.session() as session:
        return factories.staff(session, role="engineer")


@pytest.fixture
def take(services, owner):
    return lambda actor=owner: services.file_desk.take_photo(actor=actor, content=photo())


@pytest.fixture
def attach(services, owner, community_id):
    def attach(ids, actor=owner, subject_id=7):
        services.file_desk.unit_of_work.run(
            lambda tx: attach_photos(
                tx,
                actor=actor,
                photo_ids=ids,
                subject_type=FileSubject.REPAIR,
                subject_id=subject_id,
                community_id=community_id,
            )
        )

    return attach


@pytest.fixture
def attached(services):
    def attached(subject_id=7):
        with services.file_desk.unit_of_work.reading() as session:
            found = files_of(session, subject_type=FileSubject.REPAIR, subject_ids=[subject_id])
            return [view.id for view in found[subject_id]]

    return attached


@pytest.fixture
def kept(settings):
    """How many files lie in the store."""
    return lambda: sum(path.is_file() for path in Path(settings.files_dir).rglob("*"))


class TestHandingIn:
    def test_a_photo_is_kept_in_two_sizes(self, services, take, database, kept):
        before = kept()

        view = take()

        assert (view.kind, view.width, view.height) == ("photo", 60, 40)
        assert kept() == before + 2
        [row] = database.rows("SELECT * FROM stored_file")
        assert (row["id"], row["subject_type"], row["content_type"]) == (
            view.id,
            None,
            "image/jpeg",
        )

    @pytest.mark.parametrize(
        ("content", "refusal"), [(b"", FileMissing), (b"x" * (10 * 1024 * 1024 + 1), PhotoTooLarge)]
    )
    def test_what_is_refused_leaves_nothing(
        self, services, owner, database, kept, content, refusal
    ):
        before = kept()

        with pytest.raises(refusal):
            services.file_desk.take_photo(actor=owner, content=content)

        assert kept() == before
        assert database.value("SELECT count(*) FROM stored_file") == 0

    def test_only_so_many_wait_for_their_use(self, services, owner, other, database, take):
        first = take()
        database.do(
            "INSERT INTO stored_file (kind, key, small_key, content_type, size, sha256, account_id,"
            " created_at) SELECT 'photo', 'k' || n, 's' || n, 'image/jpeg', 1, '', :id,"
            " now() FROM generate_series(2, :most) n",
            id=owner.id,
            most=LOOSE_LIMIT,
        )

        with pytest.raises(TooManyLooseFiles):
            take()
        assert take(other).id > first.id

    def test_visitors_hand_nothing_in(self, services):
        with pytest.raises(NotAllowed):
            services.file_desk.take_photo(actor=visitor(), content=photo())

    def test_owners_hand_no_documents_in(self, services, owner):
        with pytest.raises(NotAllowed):
            services.file_desk.take_document(actor=owner, content=PDF, file_name="a.pdf")

    def test_a_document_keeps_its_bytes_and_the_end_of_its_name(self, services, engineer):
        view = services.file_desk.take_document(
            actor=engineer, content=PDF, file_name="C:\\电梯\\年检\x07报告.PDF"
        )

        assert (view.kind, view.file_name, view.size) == ("document", "年检报告.PDF", len(PDF))

    @pytest.mark.parametrize(
        ("content", "name"),
        [
            (PDF, "a.exe"),
            (PDF, "a"),
            (b"MZ\x90", "a.pdf"),
            (b"<html>", "a.jpg"),
            (PDF, "a.docx"),
            (PDF, ""),
        ],
    )
    def test_a_document_that_is_not_what_its_name_says(self, services, engineer, content, name):
        with pytest.raises(DocumentRefused):
            services.file_desk.take_document(actor=engineer, content=content, file_name=name)

    def test_a_document_that_is_too_large(self, services, engineer):
        with pytest.raises(DocumentTooLarge):
            services.file_desk.take_document(
                actor=engineer, content=PDF + b" " * 20 * 1024 * 1024, file_name="a.pdf"
            )


class TestAttaching:
    def test_photos_go_to_what_they_tell_of_in_their_order(self, take, attach, attached):
        ids = [take().id, take().id]

        attach(ids)

        assert attached() == ids
        assert attached(8) == []

    def test_a_photo_is_used_once(self, take, attach, attached):
        one, two = take().id, take().id
        attach([one])

        with pytest.raises(NotFound):
            attach([one, two], subject_id=8)

        assert attached(8) == []
        attach([two], subject_id=8)

    def test_nobody_uses_photos_of_others(self, take, attach, other, engineer, attached):
        own = take().id

        for somebody in (other, engineer, SYSTEM, visitor()):
            with pytest.raises(NotFound):
                attach([own], actor=somebody)
        assert attached() == []

    def test_an_account_and_a_member_of_staff_with_one_number_are_two(self, database, take, attach):
        with database.session() as session:
            twin = owner_actor(account_id=factories.make_account(session, id=5000).id)
            staff = factories.staff(session, role="engineer", id=5000)
        taken = take(twin).id

        with pytest.raises(NotFound):
            attach([taken], actor=staff)

    def test_ten_are_too_many(self, attach):
        with pytest.raises(TooManyFiles):
            attach(list(range(1, 11)))

    def test_no_document_passes_for_a_photo(self, services, engineer, attach):
        view = services.file_desk.take_document(actor=engineer, content=PDF, file_name="a.pdf")

        with pytest.raises(NotFound):
            attach([view.id], actor=engineer)

    def test_a_document(self, services, engineer, community_id, database):
        view = services.file_desk.take_document(actor=engineer, content=PDF, file_name="a.pdf")

        services.file_desk.unit_of_work.run(
            lambda tx: attach_document(
                tx,
                actor=engineer,
                document_id=view.id,
                subject_type=FileSubject.EQUIPMENT_DOCUMENT,
                subject_id=3,
                community_id=community_id,
            )
        )

        assert database.value("SELECT subject_id FROM stored_file") == 3

    def test_two_at_once_use_it_once(self, take, attach, attached):
        taken = take().id
        refused = []

        def work(subject_id):
            try:
                attach([taken], subject_id=subject_id)
            except NotFound:
                refused.append(subject_id)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(refused) == 5
        assert [attached(number) for number in range(6)].count([taken]) == 1


class TestLinks:
    @pytest.fixture
    def follow(self, services):
        def follow(query, file_id, **changes):
            words = query | changes
            return services.file_links.open(
                actor=visitor(),
                file_id=file_id,
                size=FileSize(words["size"]),
                until=int(words["until"]),
                sign=words["sign"],
            )

        return follow

    def test_opens_the_file_in_its_size(self, services, take, follow):
        view = take()

        full = follow(services.file_links.sign(file_id=view.id), view.id)
        small = follow(services.file_links.sign(file_id=view.id, size=FileSize.SMALL), view.id)

        assert full.content[:3] == small.content[:3] == b"\xff\xd8\xff"
        assert full.content_type == "image/jpeg"

    def test_holds_for_minutes(self, services, take, follow, clock):
        view = take()
        query = services.file_links.sign(file_id=view.id)

        clock.advance(minutes=5)
        follow(query, view.id)
        clock.advance(minutes=5, seconds=1)
        with pytest.raises(NotFound):
            follow(query, view.id)

    def test_is_the_same_for_a_while_so_that_phones_keep_it(self, services, take, clock):
        view = take()
        clock.set(clock.now().replace(minute=0, second=1, microsecond=0))
        first = services.file_links.sign(file_id=view.id)
        clock.advance(minutes=4)

        assert services.file_links.sign(file_id=view.id) == first

    def test_a_changed_link_opens_nothing(self, services, take, follow):
        view, another = take(), take()
        query = services.file_links.sign(file_id=view.id)

        for changes in (
            {"until": int(query["until"]) + 300},
            {"size": "small"},
            {"sign": "0" * 32},
            {"sign": "号" * 10},
        ):
            with pytest.raises(NotFound):
                follow(query, view.id, **changes)
        with pytest.raises(NotFound):
            follow(query, another.id)

    def test_a_file_that_is_gone(self, services, take, follow, database):
        view = take()
        database.do("DELETE FROM stored_file")

        with pytest.raises(NotFound):
            follow(services.file_links.sign(file_id=view.id), view.id)


class TestSweeping:
    def test_what_nobody_used_within_a_day_is_gone_with_its_bytes(
        self, services, take, attach, attached, clock, kept, database
    ):
        used, loose = take().id, take().id
        attach([used])
        before = kept()

        assert services.file_desk.sweep(actor=SYSTEM) == 0
        clock.advance(hours=24, seconds=1)
        assert services.file_desk.sweep(actor=SYSTEM) == 1

        assert kept() == before - 2
        assert attached() == [used]
        assert database.value("SELECT count(*) FROM stored_file WHERE id = :id", id=loose) == 0

    def test_a_store_that_is_away_loses_nothing_and_is_asked_again(
        self, services, owner, take, clock, kept, database
    ):
        away = open_store(directory="", url=f"http://key:secret@127.0.0.1:{free_port()}/anju")
        desk = replace(services.file_desk, store=away)
        with pytest.raises(PlatformUnavailable):
            desk.take_photo(actor=owner, content=photo())
        take()
        before = kept()
        clock.advance(hours=24, seconds=1)

        assert desk.sweep(actor=SYSTEM) == 0
        assert kept() == before

        assert services.file_desk.sweep(actor=SYSTEM) == 2
        assert (kept(), database.value("SELECT count(*) FROM stored_file")) == (before - 2, 0)

    def test_what_waits_to_be_swept_cannot_be_attached(self, take, attach, clock):
        taken = take().id
        clock.advance(hours=24, seconds=1)

        with pytest.raises(NotFound):
            attach([taken])

    def test_what_an_owner_handed_in_years_ago_goes(
        self, services, take, attach, attached, clock, database, engineer
    ):
        own, of_staff = take().id, take(engineer).id
        attach([own])
        attach([of_staff], actor=engineer, subject_id=8)

        clock.advance(days=3 * 366)
        services.retention.erase_outdated(actor=SYSTEM)
        services.file_desk.sweep(actor=SYSTEM)

        assert (attached(), attached(8)) == ([], [of_staff])

    def test_files_of_a_closed_account_go_with_it(
        self, services, owner, take, attach, attached, clock, database
    ):
        attach([take().id])

        services.file_desk.unit_of_work.run(
            lambda tx: erase_account(tx, SYSTEM, tx.session.get_one(Account, owner.id))
        )
        assert attached() == []
        clock.advance(hours=24, seconds=1)
        services.file_desk.sweep(actor=SYSTEM)

        assert database.value("SELECT count(*) FROM stored_file") == 0

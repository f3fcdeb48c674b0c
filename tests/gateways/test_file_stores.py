"""Both places for files keep the same promises: a folder, and a bucket over real HTTP."""

import socket
import threading
from urllib.parse import quote

import pytest
from moto.server import ThreadedMotoServer

from domain.errors import NotFound, PlatformUnavailable
from gateways.file_stores import FileStoreProbe, open_store
from settings import SettingsMissing
from tests.world import free_port

SECRET = "sec/ret+key"


@pytest.fixture(scope="module")
def bucket():
    """The address of a bucket of an S3 server, which listens on a real port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://key:{quote(SECRET, safe='')}@{host}:{port}/anju?region=us-east-1"
    open_store(directory="", url=url)._client.make_bucket("anju")
    yield url
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def store(request, tmp_path):
    if request.param == "folder":
        return open_store(directory=str(tmp_path / "files"), url="")
    return open_store(directory="", url=request.getfixturevalue("bucket"))


class TestStore:
    def test_what_was_kept_comes_back(self, store):
        content = bytes(range(256)) * 1000

        store.put("2026/11/abc", content, content_type="image/jpeg")
        store.put("2026/11/abc-small", b"small", content_type="image/jpeg")

        assert store.get("2026/11/abc") == content
        assert store.get("2026/11/abc-small") == b"small"

    def test_the_same_key_again_takes_its_place(self, store):
        store.put("2026/11/again", b"1", content_type="image/jpeg")
        store.put("2026/11/again", b"2", content_type="image/jpeg")

        assert store.get("2026/11/again") == b"2"

    def test_what_is_removed_is_gone_and_may_be_removed_again(self, store):
        store.put("2026/11/gone", b"1", content_type="image/jpeg")

        store.delete("2026/11/gone")
        store.delete("2026/11/gone")

        with pytest.raises(NotFound):
            store.get("2026/11/gone")

    @pytest.mark.parametrize(
        "key", ["", "../secret", "/etc/passwd", "a//b", "a/../b", "a\0b", "A", "a b", "a/", "键"]
    )
    def test_no_key_leads_elsewhere(self, store, key):
        for call in (
            lambda: store.get(key),
            lambda: store.delete(key),
            lambda: store.put(key, b"1", content_type="image/jpeg"),
        ):
            with pytest.raises(NotFound):
                call()

    def test_many_at_once(self, store):
        def work(number):
            store.put(f"many/{number}", str(number).encode(), content_type="image/jpeg")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [store.get(f"many/{number}") for number in range(16)] == [
            str(number).encode() for number in range(16)
        ]

    def test_the_doctor_tries_it(self, store):
        assert "可以写入、读取和删除" in FileStoreProbe(store).check()


class TestTrouble:
    def test_a_folder_that_cannot_be_written(self, tmp_path):
        (tmp_path / "files").write_text("a file, no folder")
        store = open_store(directory=str(tmp_path / "files"), url="")

        with pytest.raises(PlatformUnavailable):
            store.put("a/b", b"1", content_type="image/jpeg")
        with pytest.raises(PlatformUnavailable):
            FileStoreProbe(store).check()

    def test_half_a_file_never_stands_under_its_key(self, tmp_path, monkeypatch):
        store = open_store(directory=str(tmp_path), url="")
        monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("full")))

        with pytest.raises(PlatformUnavailable):
            store.put("a/b", b"1", content_type="image/jpeg")

        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    def test_a_server_that_is_away(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
            store = open_store(directory="", url=f"http://key:secret@127.0.0.1:{port}/anju")

            with pytest.raises(PlatformUnavailable):
                store.put("a/b", b"1", content_type="image/jpeg")
            with pytest.raises(PlatformUnavailable):
                store.get("a/b")

    def test_a_bucket_that_is_not_there(self, bucket):
        store = open_store(directory="", url=bucket.replace("/anju", "/other"))

        with pytest.raises(PlatformUnavailable):
            store.put("a/b", b"1", content_type="image/jpeg")

    @pytest.mark.parametrize(
        "url",
        ["ftp://a:b@c/d", "https://c/d", "https://a:b@c", "https://a@c/d", "x", "https://a:b@c/"],
    )
    def test_an_address_that_cannot_be_read(self, url):
        with pytest.raises(SettingsMissing):
            open_store(directory="", url=url)

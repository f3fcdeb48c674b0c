"""What may stand where in the source."""

import ast
import re
from dataclasses import fields
from itertools import pairwise

import pytest

from jobs.tasks import JOBS
from models import db
from services.timetable import TIMETABLE
from settings import Settings, SettingsMissing
from tests.architecture.source import (
    ROOMS,
    ROOT,
    TOOLS,
    calls,
    imports,
    modules,
    name,
    tracked,
    tree,
)

LINES_LIMIT = 400
OURS = {*ROOMS, "localstack", "settings", "wsgi"}
_ENVIRONMENT = ("os.environ", "os.getenv", "os.putenv", "environb")
_README = ROOT / "README.md"


def attributes(path):
    """Dotted names of all attributes that a module touches."""
    return {ast.unparse(node) for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}


class TestTransactions:
    def test_only_the_unit_of_work_commits(self):
        ending = re.compile(r"\.(commit|rollback)$|(^|\.)db\.session\b|scoped_session")

        found = {
            name(path)
            for path in modules()
            if any(ending.search(word) for word in attributes(path) | calls(path))
        }

        assert found == {"services/unit_of_work.py"}

    def test_only_the_unit_of_work_opens_a_session(self):
        found = {name(path) for path in modules() if {"Session", "sessionmaker"} & calls(path)}

        assert found == {"services/unit_of_work.py"}


class TestMoney:
    def test_no_float_is_ever_made(self):
        rooms = tuple(room for room in ROOMS if room != "gateways")

        assert [name(path) for path in modules(*rooms) if "float" in calls(path)] == []

    def test_no_column_is_a_float(self):
        kinds = {"Float", "REAL", "DOUBLE_PRECISION", "Double"}

        for path in modules("models"):
            used = {node.id for node in ast.walk(tree(path)) if isinstance(node, ast.Name)}
            assert not used & (kinds | {"float"}), name(path)

    def test_every_column_of_fen_is_a_whole_number(self, app):
        money = [
            column
            for table in db.metadata.tables.values()
            for column in table.columns
            if column.name.endswith("_fen")
        ]

        assert money
        for column in money:
            assert column.type.python_type is int, column


class TestEnvironment:
    def test_only_wsgi_reads_it(self):
        found = {
            name(path)
            for path in modules()
            if any(word.startswith(_ENVIRONMENT) for word in attributes(path) | calls(path))
        }

        assert found == {"wsgi.py"}

    def test_every_setting_is_in_the_example_with_a_word_in_chinese(self):
        lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
        explained = {}
        for before, line in pairwise(lines):
            if found := re.match(r"#?([A-Z][A-Z0-9_]+)=", line):
                explained[found[1]] = before

        assert set(explained) == {field.name.upper() for field in fields(Settings)}
        for setting, comment in explained.items():
            assert re.match(r"# .*[一-鿿]", comment), setting

    def test_the_example_holds_no_secret(self):
        for line in (ROOT / ".env.example").read_text("utf-8").splitlines():
            if line.startswith("#"):
                continue
            value = line.partition("=")[2]
            assert not re.search(r"[A-Za-z0-9+/]{24,}|BEGIN", value), line

    def test_the_example_alone_starts_no_production(self):
        environ = dict(
            line.split("=", 1)
            for line in (ROOT / ".env.example").read_text("utf-8").splitlines()
            if line and not line.startswith("#")
        )

        with pytest.raises(SettingsMissing) as refused:
            Settings.from_env(environ)

        secrets = {
            field.name.upper()
            for field in fields(Settings)
            if field.metadata.get("secret")
            and not field.name.startswith(("metrics_", "alipay_", "mail_", "files_"))
        }
        assert secrets - {"DATABASE_URL", "REDIS_URL"} <= set(refused.value.names)

    def test_no_file_of_secrets_is_in_the_repository(self):
        assert [path for path in tracked() if re.search(r"(^|/)\.env$|\.pem$|\.key$", path)] == []


class TestForm:
    def test_every_silenced_check_says_which(self):
        silenced = re.compile(
            r"#\s*type:\s*ignore(?!\[[a-z-]+(, ?[a-z-]+)*\])|#\s*noqa(?!: [A-Z]+\d+)"
        )
        ours = [*modules(), *modules(*TOOLS)]

        assert [name(path) for path in ours if silenced.search(path.read_text("utf-8"))] == []

    def test_no_module_is_too_long(self):
        long = {
            name(path)
            for path in [*modules(), *modules(*TOOLS)]
            if len(path.read_text("utf-8").splitlines()) > LINES_LIMIT
        }

        assert long == set()

    def test_every_module_opens_with_a_sentence(self):
        for path in [*modules(), *modules(*TOOLS)]:
            sentence = ast.get_docstring(tree(path))
            assert sentence, name(path)
            assert sentence.split("\n\n")[0].endswith("."), name(path)

    def test_no_drawer_for_odds_and_ends(self):
        drawers = {"utils", "helpers", "common", "manager", "misc", "util", "helper"}

        assert [name(path) for path in modules() if path.stem in drawers] == []


class TestTools:
    def test_the_simulator_shares_nothing_with_us(self):
        for path in modules("simulator"):
            assert not imports(path) & (OURS | {"wechatpy", "wechatpayv3"}), name(path)

    def test_the_local_stack_knows_the_product_only_from_outside(self):
        allowed = {"localstack", "psycopg", "redis", "requests", "python_calamine"}
        for path in modules("localstack"):
            known = imports(path) - allowed
            assert not known & (OURS | {"flask", "sqlalchemy", "rq"} | {"simulator"}), name(path)

    def test_settings_are_plain_python(self):
        assert imports(ROOT / "settings.py") <= {
            "__future__",
            "collections",
            "dataclasses",
            "typing",
        }

    def test_nothing_imports_wsgi_but_servers_and_tests(self):
        for path in [*modules(*ROOMS), *modules(*TOOLS[:2]), ROOT / "settings.py"]:
            assert "wsgi" not in imports(path), name(path)


class TestJobs:
    def test_every_entry_of_the_timetable_has_a_job(self):
        assert [entry.job for entry in TIMETABLE if entry.job not in JOBS] == []

    def test_no_job_stands_twice_in_the_timetable(self):
        names = [entry.job for entry in TIMETABLE]

        assert len(names) == len(set(names))

    def test_every_job_that_a_use_case_wakes_exists(self):
        woken = {
            node.args[0].value
            for path in modules("services")
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "wake"
            and isinstance(node.args[0], ast.Constant)
        }

        assert woken
        assert woken <= set(JOBS)

    def test_every_woken_job_is_also_swept(self):
        """What Redis loses, a sweep finds."""
        source = (ROOT / "jobs" / "tasks.py").read_text("utf-8")
        sweep = source.partition("def sweep_messages")[2].partition("\n\n\n")[0]
        swept = {entry.job for entry in TIMETABLE} | set(re.findall(r"(\w+)\(\)", sweep))

        for path in modules("services"):
            for job in re.findall(r'wake\("(\w+)"', path.read_text("utf-8")):
                assert job in swept, job


@pytest.mark.skipif(not _README.exists(), reason="there is no README.md yet")
class TestReadme:
    def test_its_tree_names_every_folder_and_nothing_else(self):
        blocks = re.findall(r"^```[a-z]*\n(.*?)^```", _README.read_text("utf-8"), re.S | re.M)
        trees = [block for block in blocks if re.search(r"\b(domain|services)/", block)]
        assert trees, "README.md has no tree of the folders"

        named = set(re.findall(r"^[ │├└─]*([a-z_]+)/", trees[0], re.M))
        top = {path.partition("/")[0] for path in tracked() if "/" in path}
        assert named & top == {folder for folder in top if not folder.startswith(".")}

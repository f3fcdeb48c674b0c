"""The migrations make the tables that the models describe, forwards and back."""

import logging
import re
from dataclasses import replace

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

import models
from tests.architecture.source import ROOT
from wsgi import create_app

_SHAPE = """
    SELECT table_name, column_name, data_type, is_nullable, column_default
      FROM information_schema.columns
     WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2;
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
     WHERE connamespace = 'public'::regnamespace
       AND conrelid::regclass::text <> 'alembic_version' ORDER BY 1, 2;
    SELECT indexdef FROM pg_indexes
     WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1;
    SELECT tgrelid::regclass::text, tgname FROM pg_trigger
     WHERE NOT tgisinternal ORDER BY 1, 2;
    SELECT proname FROM pg_proc
     WHERE pronamespace = 'public'::regnamespace AND prokind = 'f' AND probin IS NULL
     ORDER BY 1
"""


@pytest.fixture(scope="module")
def scripts():
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return ScriptDirectory.from_config(config)


@pytest.fixture
def scratch(settings, test_engine):
    """An app over an empty database of its own."""
    with test_engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("DROP DATABASE IF EXISTS scratch"))
        connection.execute(text("CREATE DATABASE scratch"))
    url = make_url(settings.database_url).set(database="scratch")
    handlers, level = logging.root.handlers[:], logging.root.level
    app = create_app(replace(settings, database_url=url.render_as_string(hide_password=False)))
    logging.root.handlers[:], logging.root.level = handlers, level
    engine = create_engine(url)
    with app.app_context():
        yield engine
        models.db.engine.dispose()
    engine.dispose()
    with test_engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("DROP DATABASE scratch WITH (FORCE)"))


def shape(engine):
    """Everything that migrations make, in words."""
    with engine.connect() as connection:
        return [connection.execute(text(query)).all() for query in _SHAPE.split(";")]


class TestScripts:
    def test_have_one_head_and_one_root(self, scripts):
        assert len(scripts.get_heads()) == len(scripts.get_bases()) == 1

    def test_are_numbered_in_order(self, scripts):
        numbers = [script.revision for script in scripts.walk_revisions()][::-1]

        assert numbers == [f"{number:04d}" for number in range(1, len(numbers) + 1)]

    def test_say_what_they_do(self, scripts):
        for script in scripts.walk_revisions():
            assert script.doc, script.revision
            assert re.fullmatch(rf"{script.revision}_[a-z0-9_]+\.py", script.path.rsplit("/")[-1])


@pytest.mark.slow
class TestRunning:
    def test_makes_what_the_models_describe(self, scratch):
        upgrade()

        check()

    def test_goes_back_to_nothing_and_forward_again(self, scratch):
        upgrade()
        made = shape(scratch)
        assert len(made[0]) > 50

        downgrade(revision="base")
        assert shape(scratch) == [[], [], [], [], []]

        upgrade()
        assert shape(scratch) == made

    def test_twice_is_once(self, scratch):
        upgrade()
        made = shape(scratch)

        upgrade()

        assert shape(scratch) == made

"""How one would take notices without thinking: look, insert, then pay the bill. For controls."""

import json
import os
import threading

import psycopg

from tests.faults.rig import libpq

TABLES = """
CREATE TABLE naive_payment (id bigserial PRIMARY KEY, transaction_id text, amount_fen bigint);
CREATE TABLE naive_bill (bill_id bigint PRIMARY KEY, paid_fen bigint NOT NULL DEFAULT 0);
"""
DROP = "DROP TABLE IF EXISTS naive_payment, naive_bill"


def create_app():
    """Make a WSGI app over the scratch tables."""
    url, local = libpq(os.environ["DATABASE_URL"]), threading.local()

    def book(connection, told):
        with connection.transaction():
            known = connection.execute(
                "SELECT id FROM naive_payment WHERE transaction_id = %s", [told["transaction_id"]]
            ).fetchone()
        if known:
            return
        with connection.transaction():
            connection.execute(
                "INSERT INTO naive_payment (transaction_id, amount_fen) VALUES (%s, %s)",
                [told["transaction_id"], told["amount_fen"]],
            )
        with connection.transaction():
            connection.execute(
                "UPDATE naive_bill SET paid_fen = paid_fen + %s WHERE bill_id = %s",
                [told["amount_fen"], told["bill_id"]],
            )

    def app(environ, start_response):
        if environ["REQUEST_METHOD"] == "POST":
            if not hasattr(local, "connection"):
                local.connection = psycopg.connect(url, autocommit=True)
            length = int(environ["CONTENT_LENGTH"])
            book(local.connection, json.loads(environ["wsgi.input"].read(length)))
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]

    return app

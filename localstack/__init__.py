"""The local stack: PostgreSQL, Redis and our own processes on one machine, nothing left behind.

Only people's commands (`make demo`, `make dev`) and the tests start it; the product itself knows
nothing of it but `DATABASE_URL` and `REDIS_URL`.
"""

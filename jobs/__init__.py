"""RQ: the queue adapter, one function per job, the worker and the ticker."""

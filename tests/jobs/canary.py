"""A function that nobody may run: it leaves a file where the environment says."""

import os
from pathlib import Path


def sing(*_args, **_kwargs):
    """Leave the file; also fits where RQ expects a callback."""
    Path(os.environ["CANARY_FILE"]).touch()

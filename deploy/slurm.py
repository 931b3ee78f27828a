"""A Dask cluster on SLURM: ``python slurm.py [WORKERS]`` on a login node, and a batch beside it.

    python slurm.py 100 &
    medrestore batch /project/studies /project/restored --scheduler scheduler.json

It asks SLURM for workers as deploy/slurm.yaml says, and for others where some are lost, until it is stopped.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from dask_jobqueue import SLURMCluster


def main(most: int) -> None:
    """Keep a cluster of at most so many workers."""
    with SLURMCluster() as cluster:
        cluster.adapt(minimum_jobs=1, maximum_jobs=most)
        Path("scheduler.json").write_text(json.dumps({"address": cluster.scheduler_address}))
        print(f"scheduler.json; dashboard: {cluster.dashboard_link}", flush=True)
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)

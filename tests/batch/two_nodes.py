"""A batch on a Ray cluster of two nodes on this machine, one of which is killed in the middle; run as a program."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from ray.cluster_utils import Cluster

from emodetect.batch.listing import find_inputs
from emodetect.batch.run import Run
from emodetect.batch.schedule import Totals
from emodetect.batch.settings import BatchSettings
from emodetect.settings.batch import BATCH
from emodetect.settings.pipeline import CLIPS, PHOTOS


def main(inputs: str, output: str) -> None:
    """Read the inputs; the second node is gone once something is done."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = [cluster.add_node(num_cpus=1)]
    cluster.wait_for_nodes()

    def on_progress(totals: Totals) -> None:
        if second and totals.frames:
            print(f"killed with {totals.left} left", flush=True)
            cluster.remove_node(second.pop(), allow_graceful=False)

    settings = BatchSettings(PHOTOS, CLIPS)
    options = replace(BATCH, engine="ray", address=cluster.address, jobs=2)
    with Run.create(Path(output), find_inputs([inputs]), settings, named=[inputs], arguments=[], results=BATCH.format) as run:
        outcome = run.read(options, on_progress=on_progress, note=lambda path, line: None)
    print(f"{outcome.totals.done} done, {outcome.totals.failed} failed", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])

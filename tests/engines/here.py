"""An engine without processes: the work is done here, one job after the other."""

import torch

from wslbench.engines import Engine


class Here(Engine):
    """Does the jobs in this process, in one thread as every worker does: more would add up in another order."""

    def run(self, jobs, work, folder, progress):
        done = 0.0

        def report(amount):
            nonlocal done
            done += amount
            progress(done)

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for job in jobs:
                work(job.payload, report)
        finally:
            torch.set_num_threads(threads)

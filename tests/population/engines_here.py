"""An engine without processes: the work is done here, one job after the other."""

from wslbench.population.engines import Engine


class Here(Engine):
    """Does the jobs in this process."""

    def run(self, jobs, work, folder, progress):
        done = 0.0

        def report(amount):
            nonlocal done
            done += amount
            progress(done)

        for job in jobs:
            work(job.payload, report)

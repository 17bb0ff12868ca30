"""The board as a site of static pages: works from a folder, needs nothing from elsewhere."""

from wslbench.leaderboard.site.writing import write_site

__all__ = ["write_site"]

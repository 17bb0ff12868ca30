"""``python -m wslbench``: the command line."""

from wslbench.cli import main

if __name__ == "__main__":
    main()

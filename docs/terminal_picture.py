"""Draw what a command printed.

``FORCE_COLOR=1 COLUMNS=110 wslbench ... | python docs/terminal_picture.py TITLE OUT.svg``
"""

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text


def main() -> None:
    title, out = sys.argv[1:]
    lines = [Text.from_ansi(line.rstrip()) for line in sys.stdin.read().rstrip().splitlines()]
    console = Console(record=True, width=max(line.cell_len for line in lines), file=io.StringIO())
    for line in lines:
        console.print(line, soft_wrap=True)
    svg = console.export_svg(title=title, theme=DIMMED_MONOKAI)
    # The picture must load nothing: no font from elsewhere, the reader's own monospaced one.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    Path(out).write_text(svg.replace("Fira Code,", ""), encoding="utf-8")


if __name__ == "__main__":
    main()

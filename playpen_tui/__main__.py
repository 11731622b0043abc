"""`python -m playpen_tui` is `playpen-tui`."""

from playpen_tui.cli import main

main()

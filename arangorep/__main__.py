"""`python -m arangorep`."""

from arangorep.cli.main import main

if __name__ == "__main__":
    main()

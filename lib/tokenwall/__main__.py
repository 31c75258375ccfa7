"""`python -m tokenwall`: the same as the command `tokenwall`."""

import sys

if __name__ == "__main__":
    from tokenwall.cli import main

    sys.exit(main())

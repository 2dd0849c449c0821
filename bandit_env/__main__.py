"""`python -m bandit_env` is `bandit-env`."""

import sys

from bandit_env.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""`python -m bandit_env` is `bandit-env`."""

from bandit_env.cli import process

if __name__ == "__main__":
    process()

"""The text of an experiment file, from a file that may be anything."""

import re
import tomllib
from pathlib import Path
from typing import Any

from bandit_env.errors import ExperimentError

MAX_BYTES = 10_000_000  # of an experiment file; 100,000 rates take one million
PART = r"(?:[\w-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+"
LONG_KEY = re.compile(rf"(?<![\w-]){PART}(?:\.[ \t]*+{PART}){{200}}")  # tomllib's memory grows with its square


def read(path: Path) -> dict[str, Any]:
    """The table in an experiment file, also in one that begins with a byte order mark.

    Raises:
        ExperimentError: the file cannot be read, is no TOML, or is larger than anybody's.
    """
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ExperimentError(f"{path}: has {size:,} bytes; expected at most {MAX_BYTES:,}")
        text = path.read_text(encoding="utf-8-sig")
        if LONG_KEY.search(text):
            raise ExperimentError(f"{path}: has a key of more than 200 parts")
        return tomllib.loads(text)
    except FileNotFoundError:
        raise ExperimentError(f"{path}: no such file") from None
    except OSError as error:
        raise ExperimentError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:  # ValueError also for numbers of thousands of digits
        raise ExperimentError(f"{path}: not TOML: {error}") from error

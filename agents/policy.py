"""A small permutation-equivariant network over arms, and its weights file. NumPy only, and no pickle."""

import hashlib
import json
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit_env import plugins
from bandit_env.stats.features import arm_features, check_names

Floats = NDArray[np.float64]

FORMAT = "bandit_env policy 1"
SHIPPED = Path(__file__).parent / "weights"
KINDS = ("per-visit", "daily")
RANGES = ("num_arms", "visits_per_day", "max_days", "updates_per_day", "prior_mean", "prior_strength")
BLOCK = 1024  # rows at a time: their hidden units stay in the cache


@dataclass(frozen=True)
class Policy:
    """A network that gives every arm a score, and what it was trained for.

    hidden_i = softsign(bias + inner x_i + pooled mean_j x_j): one layer, shared by the arms, with the mean
    over the arms as context. Three heads are linear in it: the arm's bonus u_i, and, averaged over the arms,
    the sharpness t and the stop score. score_i = exp(t) (mean_i + sd_i u_i) / s, s the root mean square of
    the posterior standard deviations. With all heads zero this is greedy play on the posterior mean.

    Attributes:
        kind: "per-visit" serves the arm with the largest score; "daily" splits the traffic by the softmax of
            the scores.
        features: names of the features x_i, shape (F,), see `arm_features`.
        inner, pooled: shape (F, H).
        bias: shape (H,).
        heads: shape (H + 1, 3), the last row the constants; columns: bonus, sharpness, stop.
        stops: whether the stop score is used (stop where it is above 0).
        trained: what it was trained or checked for, as [least, most] of the names in `RANGES` (the last two of a told
            prior's mean and its strength a + b), and remarks ("prior", "command").
    """

    kind: str
    features: tuple[str, ...]
    inner: Floats
    pooled: Floats
    bias: Floats
    heads: Floats
    stops: bool = False
    trained: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}; expected one of {', '.join(KINDS)}")
        check_names(self.features)
        size, width = len(self.features), self.bias.shape[0] if self.bias.ndim == 1 else -1
        expected = {"inner": (size, width), "pooled": (size, width), "bias": (width,), "heads": (width + 1, 3)}
        for name, shape in expected.items():
            found: Floats = getattr(self, name)
            if found.shape != shape:
                raise ValueError(f"{name} has shape {found.shape}; expected {shape} for {size} features")
            if not np.isfinite(found).all():
                raise ValueError(f"{name} holds a number that is not finite")
        if not isinstance(self.trained, dict):
            raise ValueError(f"trained is {self.trained!r}; expected a table")
        for name in RANGES:
            ends = self.trained.get(name, [0, 0])
            if not (isinstance(ends, list) and len(ends) == 2 and all(isinstance(e, int | float) for e in ends)):
                raise ValueError(f"trained holds {name} = {ends!r}; expected [least, most]")

    @property
    def digest(self) -> str:
        """The SHA-256 digest of all that decides what the policy does."""
        arrays = (self.inner, self.pooled, self.bias, self.heads)
        words = repr((self.kind, self.features, self.stops))
        return hashlib.sha256(b"".join([words.encode(), *(array.tobytes() for array in arrays)])).hexdigest()

    def scores(
        self,
        conversions: Floats,
        visits: Floats,
        day: Floats,
        max_days: float,
        visits_per_day: float,
        prior: tuple[float, float] = (1.0, 1.0),
        updates_per_day: float = 1,
    ) -> tuple[Floats, Floats]:
        """Scores of the arms, shape (n, K), and the stop score, shape (n,); arguments as `arm_features` takes them.

        A row's scores depend on that row alone, to the last bit: sums over features and units are written
        out, since a matrix product may round differently in a batch of another size.
        """
        rows = np.arange(len(visits))
        parts = [
            self._scores(
                conversions[block], visits[block], day[block], max_days, visits_per_day, prior, updates_per_day
            )
            for block in np.array_split(rows, len(rows) // BLOCK + 1)
        ]
        return np.concatenate([scores for scores, _ in parts]), np.concatenate([stop for _, stop in parts])

    def _scores(
        self,
        conversions: Floats,
        visits: Floats,
        day: Floats,
        max_days: float,
        visits_per_day: float,
        prior: tuple[float, float],
        updates_per_day: float,
    ) -> tuple[Floats, Floats]:
        names = (*self.features, "mean", "sd")
        x = arm_features(
            conversions, visits, day, max_days, visits_per_day, prior, names, updates_per_day=updates_per_day
        )
        x, mean, sd = x[..., :-2], x[..., -2], x[..., -1]
        context = x.mean(axis=1)
        hidden = np.empty((*mean.shape, self.bias.size))  # (n, K, H)
        hidden[:] = self.bias
        for f in range(len(self.features)):
            hidden += x[..., f, None] * self.inner[f]
            hidden += (context[:, f, None] * self.pooled[f])[:, None]
        hidden /= 1 + np.abs(hidden)
        bonus, sharpness, stop = (self._head(hidden, head) for head in range(3))
        scale = np.exp(sharpness.mean(axis=1)) / np.sqrt((sd**2).mean(axis=1))
        return (mean + sd * bonus) * scale[:, None], stop.mean(axis=1)

    def _head(self, hidden: Floats, head: int) -> Floats:
        out = np.full(hidden.shape[:-1], self.heads[-1, head], dtype=np.float64)
        for h in range(self.bias.size):
            out += hidden[..., h] * self.heads[h, head]
        return out

    def weights(self, scores: Floats) -> Floats:
        """Serving weights, shape (n, K): one arm (ties shared) per visit, the softmax of the scores for a day."""
        peak = scores.max(axis=-1, keepdims=True)
        powers = (scores == peak).astype(np.float64) if self.kind == "per-visit" else np.exp(scores - peak)
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))

    def save(self, path: Path) -> None:
        """Write the weights file: an .npz of plain arrays, float32."""
        np.savez(
            path,
            format=np.array(FORMAT),
            kind=np.array(self.kind),
            features=np.array(self.features),
            stops=np.array(self.stops),
            trained=np.array(json.dumps(self.trained)),
            **{name: getattr(self, name).astype(np.float32) for name in ("inner", "pooled", "bias", "heads")},
        )

    @classmethod
    def load(cls, path: str | Path) -> "Policy":
        """Read a weights file, or shipped weights by their name.

        Raises:
            ValueError: no such file or name; not a weights file of ours, or damaged; features that this
                version does not know.
        """
        where = _find(path)
        try:
            if not zipfile.is_zipfile(where):
                raise zipfile.BadZipFile("no .npz archive")
            with np.load(where, allow_pickle=False) as stored:
                if "format" not in stored or str(stored["format"]) != FORMAT:
                    raise ValueError(f"not a weights file of bandit_env: it lacks the mark {FORMAT!r}")
                arrays = {n: stored[n].astype(np.float64) for n in ("inner", "pooled", "bias", "heads")}
                names = tuple(str(name) for name in stored["features"])
                trained = json.loads(str(stored["trained"]))
                return cls(str(stored["kind"]), names, stops=bool(stored["stops"]), trained=trained, **arrays)
        except (OSError, EOFError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"{where}: not a readable weights file, or a truncated one ({reason})") from error
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"{where}: {error}") from error


def shipped() -> list[str]:
    """Names of the weights that come with the package."""
    return sorted(file.stem for file in SHIPPED.glob("*.npz"))


def _find(path: str | Path) -> Path:
    if not isinstance(path, str | Path):
        raise ValueError(f"path is {path!r}; expected a file's name, or one of {', '.join(shipped())}")
    if str(path) in shipped():
        return SHIPPED / f"{path}.npz"
    try:
        there = Path(path).is_file()
    except OSError:  # a name that no file can have
        there = False
    if not there:
        raise ValueError(f"no weights file {str(path)!r}{plugins.suggest(str(path), shipped())}")
    return Path(path)

"""The rules of quadrature that the posterior's kernels know: nodes, weights, and indefinite integration as a matrix.

All but the last are sinc rules: equally spaced nodes for a whole row. With t(d) = Si(pi d)/pi, the integral of f above
node k is sum_m f_m (1/2 + t(m - k)) (Stenger 1993, section 4.5). The last is Gauss-Legendre, for one panel of many:
there it is sum_m w_m f_m (1/2 + t(k, m)) with weights w and w_m (1/2 - t(k, m)) the integral of m's Lagrange polynomial
from -1 to node k. Either t changes its sign when both nodes are mirrored, so it maps even functions to odd ones and
back: two matrices of half the size do.
"""

from functools import cache
from math import erfc, pi

import numpy as np
from numpy.polynomial import chebyshev, legendre
from numpy.typing import NDArray

# No matrix product here, and no inverse, is left to BLAS: its last digit depends on how many threads there are.
COUNTS = (*range(16, 97, 4), 104, 112, 120, 128, 144, 160, 176, 192)  # nodes of the sinc rules
PANEL = 16  # nodes of a panel
GAUSS = len(COUNTS)  # the index of the Gauss-Legendre rule
NODES = (*COUNTS, PANEL)
CHEBYSHEV = 3 * len(NODES)  # where the last table starts: from values in a panel to Chebyshev coefficients
MARGIN, POINTS = len(NODES), len(NODES) + 1  # where, behind the node counts, these stand (see `tables`)
SOFT = 24  # nodes, at most, that the taper touches
CROWD = 24  # arms, beyond which the errors of tapered ones, added up, ask for the longer taper
TAPERS = ((5, 4.0, 2.0), (8, 6.5, 2.5))  # the nodes below the window, where the taper is 1/2, and its width

Rules = tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]


def _sine_integral(count: int) -> NDArray[np.float64]:
    """Si(pi d)/pi for d = 0 .. count - 1, by Gauss-Legendre on each half-wave."""
    nodes, weights = legendre.leggauss(20)
    x = pi * (np.arange(count - 1)[:, None] + 0.5 * (nodes + 1))
    return np.concatenate([[0.0], np.cumsum(np.einsum("ij,j->i", np.sin(x) / x, weights) * 0.5)])


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse, by Gauss-Jordan elimination with pivots."""
    size = len(matrix)
    both = np.concatenate([matrix, np.eye(size)], axis=1)
    for column in range(size):
        pivot = column + int(np.argmax(np.abs(both[column:, column])))
        both[[column, pivot]] = both[[pivot, column]]
        both[column] /= both[column, column]
        others = np.arange(size) != column
        both[others] -= both[others, column, None] * both[column]
    return both[:, size:]


def _gauss() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Nodes, weights and t of Gauss-Legendre on [-1, 1]."""
    nodes, weights = legendre.leggauss(PANEL)
    degrees = np.arange(PANEL)
    # the Lagrange polynomial of node m is sum_d (2 d + 1)/2 w_m P_d(x_m) P_d(x): Gauss's discrete orthogonality
    basis = (degrees + 0.5) * legendre.legvander(nodes, PANEL - 1)
    integrals = np.stack([legendre.legval(nodes, legendre.legint(np.eye(PANEL)[d], lbnd=-1)) for d in degrees])
    return nodes, weights, 0.5 - np.einsum("ij,jk->ki", basis, integrals)


def _folded(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """The halves of a matrix t, in the order in which the kernels read them: (k // 4, m, even or odd, k % 4)."""
    half = len(t) // 2
    columns = -(-half // 4) * 4
    blocks = np.zeros((2, columns, half))
    near, far = t[:half, :half], t[:half, ::-1][:, :half]
    blocks[:, :half] = 0.5 * np.stack([near + far, near - far])
    return blocks.reshape(2, -1, 4, half).transpose(1, 3, 0, 2).ravel()


@cache
def tables(arms: int) -> Rules:
    """What the kernels read, for so many arms.

    Returns:
        All rules' nodes, weights (beside each other) and matrices; where those start; the taper; and the rules' node
        counts, behind which stand how many nodes of a sinc rule lie below its window, and at how many points
        `_plan.begin` looks: no constant, for LLVM would unroll its loops.
    """
    sine = _sine_integral(COUNTS[-1])
    parts, starts, at = [], [], 0
    for count in COUNTS:
        k = np.arange(count)
        distance = k[None, :] - k[:, None]
        t = np.sign(distance) * sine[np.abs(distance)]
        parts.append((k - count // 2.0, np.ones(count), _folded(t)))
    nodes, weights, t = _gauss()
    parts.append((nodes, weights, _folded(t)))
    for x, w, matrix in parts:
        starts += [at, at + x.size, at + x.size + w.size]
        at += x.size + w.size + matrix.size
    starts.append(at)
    series = _inverse(np.asarray(chebyshev.chebvander(nodes, PANEL - 1), np.float64))
    flat = np.concatenate([piece for part in parts for piece in part] + [series.ravel()])
    margin, middle, width = TAPERS[arms > CROWD]
    taper = [0.5 * erfc((middle - m) / width) for m in range(SOFT)]
    return flat, np.array(starts, np.intp), np.array(taper), np.array([*NODES, margin, 12], np.intp)

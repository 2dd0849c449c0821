"""Eight float64 lanes as one Numba value, so that kernels say their SIMD instructions instead of hoping for them.

A lane never sees its neighbours: what is computed in it has the same bits whatever stands in the other seven. On
narrower machines LLVM splits the vectors; fused multiply-adds are written as such, so the bits do not depend on that.
"""

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import NDArray

WIDTH = 8

# for what only other kernels call; editing this file does not renew what is cached of those in others
kernel = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)

_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)
_INTEGERS = ir.VectorType(ir.IntType(64), WIDTH)
_BITS = ir.VectorType(ir.IntType(1), WIDTH)


class _Lanes(types.Type):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="lanes")


class _Mask(types.Type):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="mask")


LANES, MASK = _Lanes(), _Mask()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


@register_model(_Mask)
class _MaskModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _BITS)


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_VECTOR, [value] * WIDTH)


def _spread(builder: Any, value: Any) -> Any:
    vector = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(vector, ir.Constant(_VECTOR, ir.Undefined), zeros)


def _call(builder: Any, name: str, *arguments: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(arguments))
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, arguments)


def _arithmetic(operation: Any, build: str) -> None:
    """Teach Numba x + y and so on for lanes with lanes and with plain numbers, which are spread over the lanes."""
    numbers = (LANES, types.float64)
    pairs = [(x, y) for x in numbers for y in numbers if LANES in (x, y)]

    @infer_global(operation)
    class _Typing(ConcreteTemplate):  # type: ignore[misc]
        cases = [signature(LANES, x, y) for x, y in pairs]  # noqa: RUF012

    for x, y in pairs:

        @lower_builtin(operation, x, y)
        def _lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            vectors = [
                value if kind == LANES else _spread(builder, value) for kind, value in zip(sig.args, args, strict=True)
            ]
            return getattr(builder, build)(*vectors)


for _operation, _build in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_operation, _build)


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """Eight neighbours of a contiguous float64 array, from `index` on."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = builder.load(_address(context, builder, sig.args[0], *args))
        value.align = 8
        return value

    return LANES(array, types.intp), generate


@intrinsic
def store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write eight neighbours of a contiguous float64 array, from `index` on."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        instruction = builder.store(args[2], _address(context, builder, sig.args[0], *args[:2]))
        instruction.align = 8
        return context.get_dummy_value()

    return types.void(array, types.intp, LANES), generate


@intrinsic
def peek(typing: Any, array: Any, index: Any) -> Any:
    """One element of a contiguous array; several times quicker to compile than array[index]."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        return builder.load(builder.gep(data, [args[1]]))

    return array.dtype(array, types.intp), generate


@intrinsic
def poke(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Set one element of a contiguous array."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        builder.store(args[2], builder.gep(data, [args[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), generate


@intrinsic
def spread(typing: Any, value: Any) -> Any:
    """The same number in all lanes."""
    return LANES(types.float64), lambda context, builder, sig, args: _spread(builder, args[0])


@intrinsic
def fma(typing: Any, x: Any, y: Any, z: Any) -> Any:
    """The sum x y + z, rounded once."""
    kinds = [LANES if kind == LANES else types.float64 for kind in (x, y, z)]

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = [v if k == LANES else _spread(builder, v) for k, v in zip(sig.args, args, strict=True)]
        return _call(builder, "llvm.fma.v8f64", *vectors)

    return LANES(*kinds), generate


@intrinsic
def root(typing: Any, x: Any) -> Any:
    """The square root."""
    return LANES(LANES), lambda context, builder, sig, args: _call(builder, "llvm.sqrt.v8f64", args[0])


@intrinsic
def less(typing: Any, x: Any, y: Any) -> Any:
    """Where x < y: false for NaN."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.fcmp_ordered("<", *args)

    return MASK(LANES, LANES), generate


@intrinsic
def select(typing: Any, mask: Any, x: Any, y: Any) -> Any:
    """Take x where the mask holds, y elsewhere."""
    return LANES(MASK, LANES, LANES), lambda context, builder, sig, args: builder.select(*args)


@intrinsic
def anywhere(typing: Any, mask: Any) -> Any:
    """Whether the mask holds in any lane: decides what is worth computing, never what comes out."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], ir.IntType(WIDTH))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(WIDTH), 0))

    return types.boolean(MASK), generate


@intrinsic
def _scale(typing: Any, x: Any, shifter: Any) -> Any:
    """Scale to x 2^k, where `shifter` is 1.5 2^52 + k: k stands in its lowest bits."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        shift = ir.Constant(_INTEGERS, [52] * WIDTH)
        exponent = builder.shl(builder.bitcast(args[1], _INTEGERS), shift)
        return builder.bitcast(builder.add(builder.bitcast(args[0], _INTEGERS), exponent), _VECTOR)

    return LANES(LANES, LANES), generate


@intrinsic
def _exponent(typing: Any, x: Any) -> Any:
    """The k where x = m 2^k with m in [sqrt(1/2), sqrt(2)), as a float; x positive and normal."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        root_half = int(np.sqrt(0.5).view(np.int64))
        bits = builder.sub(builder.bitcast(args[0], _INTEGERS), ir.Constant(_INTEGERS, [root_half] * WIDTH))
        whole = builder.ashr(bits, ir.Constant(_INTEGERS, [52] * WIDTH))
        return builder.sitofp(whole, _VECTOR)

    return LANES(LANES), generate


_MAGIC = 1.5 * 2.0**52  # adding it rounds to an integer, left in the lowest bits
_LOG2 = float(np.log(2))
_LOG2_LOW = 2.3190468138462996e-17  # log 2 minus its double, so that k log 2 is right to the last digit


def _fit(function: Any, low: float, high: float, degree: int) -> tuple[float, ...]:
    """Coefficients, ascending, of the interpolant in Chebyshev points, near the best polynomial."""
    fitted = Chebyshev.interpolate(function, degree, domain=[low, high])
    return tuple(float(c) for c in fitted.convert(kind=Polynomial).coef)


def _expm1_ratio(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sum(x**k / float(np.prod(np.arange(1.0, k + 3))) for k in range(18)))  # (e^x - 1 - x)/x^2


def _atanh_ratio(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sum(2 * z**k / (2 * k + 3) for k in range(30)))  # (2 atanh(s) - 2 s)/s^3, z = s^2


_E = _fit(_expm1_ratio, -0.5 * _LOG2, 0.5 * _LOG2, 9)
_L = _fit(_atanh_ratio, 0.0, 0.02944, 7)


@kernel
def _reduced(x: Any) -> Any:
    """(e^r - 1, 1.5 2^52 + k) where x = k log 2 + r, |r| <= log(2)/2."""
    shifter = fma(x, 1 / _LOG2, _MAGIC)
    k = shifter - _MAGIC
    r = fma(k, -_LOG2_LOW, fma(k, -_LOG2, x))
    y = fma(fma(fma(fma(spread(_E[9]), r, _E[8]), r, _E[7]), r, _E[6]), r, _E[5])
    y = fma(fma(fma(fma(fma(y, r, _E[4]), r, _E[3]), r, _E[2]), r, _E[1]), r, _E[0])
    return fma(r * r, y, r), shifter


@kernel
def vexp(x: Any) -> Any:
    """e^x to 4e-16 relative; 0 below e^-700."""
    tiny = less(x, spread(-700.0))
    y, shifter = _reduced(select(tiny, spread(0.0), x))
    return select(tiny, spread(0.0), _scale(y + 1.0, shifter))


@kernel
def vexpm1(x: Any) -> Any:
    """e^x - 1 to 4e-16 relative."""
    x = select(less(x, spread(-700.0)), spread(-700.0), x)
    y, shifter = _reduced(x)
    power = _scale(spread(1.0), shifter)
    return fma(power, y, power - 1.0)


@kernel
def vlog1p(y: Any) -> Any:
    """log(1 + y) for y > -1: to 4e-16, relative to y where 1 + y lies in [sqrt(1/2), sqrt(2))."""
    w = 1.0 + y
    k = _exponent(w)
    f = select(less(k * k, spread(0.5)), y, _scale(w, _MAGIC - k) - 1.0)
    s = f / (2.0 + f)
    z = s * s
    p = fma(fma(fma(fma(spread(_L[7]), z, _L[6]), z, _L[5]), z, _L[4]), z, _L[3])
    p = fma(fma(fma(p, z, _L[2]), z, _L[1]), z, _L[0])
    return fma(k, _LOG2, fma(s * z, p, s + s))


@kernel
def vlog(x: Any) -> Any:
    """log(x) for x positive and normal, to 4e-16."""
    k = _exponent(x)
    f = _scale(x, _MAGIC - k) - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = fma(fma(fma(fma(spread(_L[7]), z, _L[6]), z, _L[5]), z, _L[4]), z, _L[3])
    p = fma(fma(fma(p, z, _L[2]), z, _L[1]), z, _L[0])
    return fma(k, _LOG2, fma(s * z, p, s + s))

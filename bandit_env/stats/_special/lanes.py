"""Eight float64 lanes as one Numba value, so that kernels say their SIMD instructions instead of hoping for them.

A lane never sees its neighbours: what is computed in it has the same bits whatever stands in the other seven. On
narrower machines LLVM splits the vectors; fused multiply-adds are written as such, so the bits do not depend on that.

Formulas are `@formula`s: plain Python on `Lanes`, run once while Numba compiles the kernel that calls them, which
writes their instructions down. Numba compiles the loops and branches between them; for formulas it would need a hundred
times as long.
"""

import inspect
import operator
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.typing.templates import ConcreteTemplate, infer_global, make_intrinsic_template, signature
from numba.extending import intrinsic, lower_builtin, models, register_model
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import NDArray

WIDTH = 8

# `kernel` is for functions that only compiled ones call, `part` for those that become part of their one caller
kernel = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
part = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, inline="always")

_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)
_INTEGERS = ir.VectorType(ir.IntType(64), WIDTH)
_BITS = ir.VectorType(ir.IntType(1), WIDTH)


class _LanesType(types.Type):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="lanes")


class _MaskType(types.Type):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="mask")


LANES, MASK = _LanesType(), _MaskType()


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


@register_model(_MaskType)
class _MaskModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _BITS)


def _spread(builder: Any, value: Any) -> Any:
    vector = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(vector, ir.Constant(_VECTOR, ir.Undefined), zeros)


class Mask:
    """One truth value per lane, in a formula."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def __and__(self, other: "Mask") -> "Mask":
        return Mask(self.builder, self.builder.and_(self.value, other.value))


class Lanes:
    """Eight numbers, in a formula: every operation adds one instruction to the kernel."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def like(self, other: "Lanes | float") -> Any:
        """The vector of another value; of a number, that number in all lanes."""
        return other.value if isinstance(other, Lanes) else ir.Constant(_VECTOR, [float(other)] * WIDTH)

    def _do(self, build: str, first: "Lanes | float", second: "Lanes | float") -> "Lanes":
        return Lanes(self.builder, getattr(self.builder, build)(self.like(first), self.like(second)))

    def __add__(self, other: "Lanes | float") -> "Lanes":
        return self._do("fadd", self, other)

    def __radd__(self, other: float) -> "Lanes":
        return self._do("fadd", other, self)

    def __sub__(self, other: "Lanes | float") -> "Lanes":
        return self._do("fsub", self, other)

    def __rsub__(self, other: float) -> "Lanes":
        return self._do("fsub", other, self)

    def __mul__(self, other: "Lanes | float") -> "Lanes":
        return self._do("fmul", self, other)

    def __rmul__(self, other: float) -> "Lanes":
        return self._do("fmul", other, self)

    def __truediv__(self, other: "Lanes | float") -> "Lanes":
        return self._do("fdiv", self, other)

    def __rtruediv__(self, other: float) -> "Lanes":
        return self._do("fdiv", other, self)

    def __neg__(self) -> "Lanes":
        return Lanes(self.builder, self.builder.fneg(self.value))

    def __lt__(self, other: "Lanes | float") -> Mask:
        return Mask(self.builder, self.builder.fcmp_ordered("<", self.value, self.like(other)))

    def __gt__(self, other: "Lanes | float") -> Mask:
        return Mask(self.builder, self.builder.fcmp_ordered(">", self.value, self.like(other)))

    def __abs__(self) -> "Lanes":
        return self.call("llvm.fabs.v8f64")

    def call(self, name: str, *others: "Lanes | float") -> "Lanes":
        """The result of an LLVM function of vectors."""
        arguments = [self.value, *map(self.like, others)]
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(arguments))
        function = self.builder.module.globals.get(name) or ir.Function(self.builder.module, kind, name)
        return Lanes(self.builder, self.builder.call(function, arguments))

    def bits(self) -> Any:
        """The vector's bits as integers."""
        return self.builder.bitcast(self.value, _INTEGERS)


class Formula:
    """What `formula` makes: plain Python to other formulas, one instruction to Numba."""

    def __init__(self, function: Callable[..., Any], define: Any) -> None:
        self.function, self.__name__, self.__doc__ = function, function.__name__, function.__doc__
        template = make_intrinsic_template(self, define, self.__name__, prefer_literal=False, kwargs={})
        self._numba_type_ = types.Function(template)

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


def _wrap(builder: Any, kind: Any, value: Any) -> Any:
    """A value of Numba's as one of a formula's."""
    if kind == MASK:
        return Mask(builder, value)
    return Lanes(builder, value if kind == LANES else _spread(builder, value))


def formula(function: Callable[..., Any]) -> Any:
    """Let kernels call a function of lanes and masks; numbers are spread over the lanes.

    What it returns, lanes, a mask or a tuple of them, is read from its annotation.
    """
    declared = inspect.signature(function)
    results = [MASK if kind is Mask else LANES for kind in get_args(declared.return_annotation)]
    single = MASK if declared.return_annotation is Mask else LANES
    result = types.BaseTuple.from_types(results) if results else single

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        out = function(*(_wrap(builder, kind, value) for kind, value in zip(sig.args, args, strict=True)))
        return context.make_tuple(builder, result, [x.value for x in out]) if results else out.value

    def define(typing: Any, *arguments: Any) -> Any:
        exact = [given if given in (LANES, MASK) else types.float64 for given in arguments]
        return result(*exact), generate

    first = inspect.Parameter("typing", inspect.Parameter.POSITIONAL_ONLY)
    define.__signature__ = declared.replace(parameters=[first, *declared.parameters.values()])  # type: ignore[attr-defined]
    return Formula(function, define)


@formula
def spread(value: Lanes) -> Lanes:
    """The same number in all lanes."""
    return value


@formula
def fma(x: Lanes, y: Lanes, z: Lanes) -> Lanes:
    """The sum x y + z, rounded once."""
    return x.call("llvm.fma.v8f64", y, z)


@formula
def root(x: Lanes) -> Lanes:
    """The square root."""
    return x.call("llvm.sqrt.v8f64")


@formula
def where(mask: Mask, x: Lanes, y: Lanes) -> Lanes:
    """Take x where the mask holds, y elsewhere."""
    lanes = x if isinstance(x, Lanes) else y
    return Lanes(lanes.builder, lanes.builder.select(mask.value, lanes.like(x), lanes.like(y)))


@formula
def less(x: Lanes, y: Lanes) -> Mask:
    """Where x < y: false for NaN."""
    return x < y


@formula
def larger(x: Lanes, y: Lanes) -> Lanes:
    """The larger of two; y where x is NaN."""
    return where(x > y, x, y)


@formula
def smaller(x: Lanes, y: Lanes) -> Lanes:
    """The smaller of two; y where x is NaN."""
    return where(x < y, x, y)


@intrinsic
def anywhere(typing: Any, mask: Any) -> Any:
    """Whether the mask holds in any lane: decides what is worth computing, never what comes out."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], ir.IntType(WIDTH))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(WIDTH), 0))

    return types.boolean(MASK), generate


def _arithmetic(operation: Any) -> None:
    """Teach Numba x + y and so on for lanes with lanes and with plain numbers."""
    numbers = (LANES, types.float64)
    pairs = [(x, y) for x in numbers for y in numbers if LANES in (x, y)]

    @infer_global(operation)
    class _Typing(ConcreteTemplate):  # type: ignore[misc]
        cases = [signature(LANES, x, y) for x, y in pairs]  # noqa: RUF012

    for x, y in pairs:

        @lower_builtin(operation, x, y)
        def _lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return operation(*(_wrap(builder, kind, value) for kind, value in zip(sig.args, args, strict=True))).value


for _operation in (operator.add, operator.sub, operator.mul, operator.truediv):
    _arithmetic(_operation)


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(builder.bitcast(data, _VECTOR.as_pointer()), [index])


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """The eight neighbours from 8 `index` on, of a contiguous float64 array."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = builder.load(_address(context, builder, sig.args[0], *args))
        value.align = 8
        return value

    return LANES(array, types.intp), generate


@intrinsic
def store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write the eight neighbours from 8 `index` on, of a contiguous float64 array."""

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


def horner(x: Lanes, coefficients: tuple[float, ...]) -> Any:
    """The polynomial with these coefficients, ascending."""
    value: Any = coefficients[-1]
    for c in coefficients[-2::-1]:
        value = fma(x, value, c)
    return value


def _scale(x: Lanes, shifter: Lanes) -> Lanes:
    """Scale to x 2^k, where `shifter` is 1.5 2^52 + k: k stands in its lowest bits."""
    exponent = x.builder.shl(shifter.bits(), ir.Constant(_INTEGERS, [52] * WIDTH))
    return Lanes(x.builder, x.builder.bitcast(x.builder.add(x.bits(), exponent), _VECTOR))


def _exponent(x: Lanes) -> Lanes:
    """The k where x = m 2^k with m in [sqrt(1/2), sqrt(2)); x positive and normal."""
    root_half = int(np.sqrt(0.5).view(np.int64))
    bits = x.builder.sub(x.bits(), ir.Constant(_INTEGERS, [root_half] * WIDTH))
    whole = x.builder.ashr(bits, ir.Constant(_INTEGERS, [52] * WIDTH))
    return Lanes(x.builder, x.builder.sitofp(whole, _VECTOR))


def _reduced(x: Lanes) -> tuple[Lanes, Lanes]:
    """(e^r - 1, 1.5 2^52 + k) where x = k log 2 + r, |r| <= log(2)/2."""
    shifter = fma(x, 1 / _LOG2, _MAGIC)
    k = shifter - _MAGIC
    r = fma(k, -_LOG2_LOW, fma(k, -_LOG2, x))
    return fma(r * r, horner(r, _E), r), shifter


@formula
def vexp(x: Lanes) -> Lanes:
    """e^x to 4e-16 relative; 0 below e^-700."""
    tiny = x < -700.0
    y, shifter = _reduced(where(tiny, 0.0, x))
    return where(tiny, 0.0, _scale(y + 1.0, shifter))


@formula
def vexpm1(x: Lanes) -> Lanes:
    """e^x - 1 to 4e-16 relative."""
    y, shifter = _reduced(where(x < -700.0, -700.0, x))
    power = _scale(Lanes(x.builder, x.like(1.0)), shifter)
    return fma(power, y, power - 1.0)


def _log(f: Lanes, k: Lanes) -> Lanes:
    """log((1 + f) 2^k)."""
    s = f / (2.0 + f)
    z = s * s
    return fma(k, _LOG2, fma(s * z, horner(z, _L), s + s))


@formula
def vlog1p(y: Lanes) -> Lanes:
    """log(1 + y) for y > -1: to 4e-16, relative to y where 1 + y lies in [sqrt(1/2), sqrt(2))."""
    w = 1.0 + y
    k = _exponent(w)
    return _log(where(k * k < 0.5, y, _scale(w, _MAGIC - k) - 1.0), k)


@formula
def vlog(x: Lanes) -> Lanes:
    """log(x) for x positive and normal, to 4e-16."""
    k = _exponent(x)
    return _log(_scale(x, _MAGIC - k) - 1.0, k)

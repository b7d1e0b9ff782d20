// SPDX-License-Identifier: Apache-2.0
// numpy_types - what NumPy 2.4.6 says about dtypes, one letter per dtype in the order of NUMPY_LETTERS: t bool, b int8, h int16,
// i int32, q int64, capitals unsigned, e float16, f float32, d float64, F complex64, D complex128, - refused.
#ifndef NUMPY_TYPES_H
#define NUMPY_TYPES_H

#define NUMPY_LETTERS "tbhiqBHIQefdFD"

// Row: first operand; column: second; np.promote_types.
static const char *const numpy_promote[] = {
    "tbhiqBHIQefdFD", "bbhiqhiqdefdFD", "hhhiqhiqdffdFD", "iiiiqiiqddddDD", "qqqqqqqqddddDD",
    "BhhiqBHIQefdFD", "HiiiqHHIQffdFD", "IqqqqIIIQdddDD", "QddddQQQQdddDD", "eefddefddefdFD",
    "fffddffddffdFD", "ddddddddddddDD", "FFFDDFFDDFFDFD", "DDDDDDDDDDDDDD",
};

// Row: from; column: to; np.can_cast(casting="safe").
static const char *const numpy_safe[] = {
    "yyyyyyyyyyyyyy", "nyyyynnnnyyyyy", "nnyyynnnnnyyyy", "nnnyynnnnnnyny", "nnnnynnnnnnyny",
    "nnyyyyyyyyyyyy", "nnnyynyyynyyyy", "nnnnynnyynnyny", "nnnnnnnnynnyny", "nnnnnnnnnyyyyy",
    "nnnnnnnnnnyyyy", "nnnnnnnnnnnyny", "nnnnnnnnnnnnyy", "nnnnnnnnnnnnny",
};

static const struct {
    const char *name, *result;
} numpy_unary[] = {
    { "abs", "tbhiqBHIQefdfd" },
    { "negative", "-bhiqBHIQefdFD" },
    { "positive", "-bhiqBHIQefdFD" },
    { "sign", "-bhiqBHIQefdFD" },
    { "square", "bbhiqBHIQefdFD" },
    { "sqrt", "eefddefddefdFD" },
    { "cbrt", "eefddefddefd--" },
    { "reciprocal", "bbhiqBHIQefdFD" },
    { "exp", "eefddefddefdFD" },
    { "exp2", "eefddefddefdFD" },
    { "expm1", "eefddefddefdFD" },
    { "log", "eefddefddefdFD" },
    { "log2", "eefddefddefdFD" },
    { "log10", "eefddefddefdFD" },
    { "log1p", "eefddefddefdFD" },
    { "sin", "eefddefddefdFD" },
    { "cos", "eefddefddefdFD" },
    { "tan", "eefddefddefdFD" },
    { "asin", "eefddefddefdFD" },
    { "acos", "eefddefddefdFD" },
    { "atan", "eefddefddefdFD" },
    { "sinh", "eefddefddefdFD" },
    { "cosh", "eefddefddefdFD" },
    { "tanh", "eefddefddefdFD" },
    { "asinh", "eefddefddefdFD" },
    { "acosh", "eefddefddefdFD" },
    { "atanh", "eefddefddefdFD" },
    { "floor", "tbhiqBHIQefd--" },
    { "ceil", "tbhiqBHIQefd--" },
    { "trunc", "tbhiqBHIQefd--" },
    { "round", "ebhiqBHIQefdFD" },
    { "isnan", "tttttttttttttt" },
    { "isinf", "tttttttttttttt" },
    { "isfinite", "tttttttttttttt" },
    { "signbit", "tttttttttttt--" },
    { "logical_not", "tttttttttttttt" },
    { "bitwise_invert", "tbhiqBHIQ-----" },
    { "conj", "bbhiqBHIQefdFD" },
    { "real", "tbhiqBHIQefdfd" },
    { "imag", "tbhiqBHIQefdfd" },
};

// Rows one after another: first operand; columns: second.
static const struct {
    const char *name, *result;
} numpy_binary[] = {
    { "add",
      "tbhiqBHIQefdFDbbhiqhiqdefdFDhhhiqhiqdffdFDiiiiqiiqddddDDqqqqqqqqddddDDBhhiqBHIQefdFDHiiiqHHIQffdFD"
      "IqqqqIIIQdddDDQddddQQQQdddDDeefddefddefdFDfffddffddffdFDddddddddddddDDFFFDDFFDDFFDFDDDDDDDDDDDDDDD" },
    { "subtract",
      "-bhiqBHIQefdFDbbhiqhiqdefdFDhhhiqhiqdffdFDiiiiqiiqddddDDqqqqqqqqddddDDBhhiqBHIQefdFDHiiiqHHIQffdFD"
      "IqqqqIIIQdddDDQddddQQQQdddDDeefddefddefdFDfffddffddffdFDddddddddddddDDFFFDDFFDDFFDFDDDDDDDDDDDDDDD" },
    { "multiply",
      "tbhiqBHIQefdFDbbhiqhiqdefdFDhhhiqhiqdffdFDiiiiqiiqddddDDqqqqqqqqddddDDBhhiqBHIQefdFDHiiiqHHIQffdFD"
      "IqqqqIIIQdddDDQddddQQQQdddDDeefddefddefdFDfffddffddffdFDddddddddddddDDFFFDDFFDDFFDFDDDDDDDDDDDDDDD" },
    { "divide",
      "dddddddddefdFDdddddddddefdFDdddddddddffdFDddddddddddddDDddddddddddddDDdddddddddefdFDdddddddddffdFD"
      "ddddddddddddDDddddddddddddDDeefddefddefdFDfffddffddffdFDddddddddddddDDFFFDDFFDDFFDFDDDDDDDDDDDDDDD" },
    { "floor_divide",
      "bbhiqBHIQefd--bbhiqhiqdefd--hhhiqhiqdffd--iiiiqiiqdddd--qqqqqqqqdddd--BhhiqBHIQefd--HiiiqHHIQffd--"
      "IqqqqIIIQddd--QddddQQQQddd--eefddefddefd--fffddffddffd--dddddddddddd------------------------------" },
    { "remainder",
      "bbhiqBHIQefd--bbhiqhiqdefd--hhhiqhiqdffd--iiiiqiiqdddd--qqqqqqqqdddd--BhhiqBHIQefd--HiiiqHHIQffd--"
      "IqqqqIIIQddd--QddddQQQQddd--eefddefddefd--fffddffddffd--dddddddddddd------------------------------" },
    { "fmod",
      "bbhiqBHIQefd--bbhiqhiqdefd--hhhiqhiqdffd--iiiiqiiqdddd--qqqqqqqqdddd--BhhiqBHIQefd--HiiiqHHIQffd--"
      "IqqqqIIIQddd--QddddQQQQddd--eefddefddefd--fffddffddffd--dddddddddddd------------------------------" },
    { "pow",
      "bbhiqBHIQefdFDbbhiqhiqdefdFDhhhiqhiqdffdFDiiiiqiiqddddDDqqqqqqqqddddDDBhhiqBHIQefdFDHiiiqHHIQffdFD"
      "IqqqqIIIQdddDDQddddQQQQdddDDeefddefddefdFDfffddffddffdFDddddddddddddDDFFFDDFFDDFFDFDDDDDDDDDDDDDDD" },
    { "maximum",
      "tbhiqBHIQefdFDbbhiqhiqdefdFDhhhiqhiqdffdFDiiiiqiiqddddDDqqqqqqqqddddDDBhhiqBHIQefdFDHiiiqHHIQffdFD"
      "IqqqqIIIQdddDDQddddQQQQdddDDeefddefddefdFDfffddffddffdFDddddddddddddDDFFFDDFFDDFFDFDDDDDDDDDDDDDDD" },
    { "minimum",
      "tbhiqBHIQefdFDbbhiqhiqdefdFDhhhiqhiqdffdFDiiiiqiiqddddDDqqqqqqqqddddDDBhhiqBHIQefdFDHiiiqHHIQffdFD"
      "IqqqqIIIQdddDDQddddQQQQdddDDeefddefddefdFDfffddffddffdFDddddddddddddDDFFFDDFFDDFFDFDDDDDDDDDDDDDDD" },
    { "fmax",
      "tbhiqBHIQefdFDbbhiqhiqdefdFDhhhiqhiqdffdFDiiiiqiiqddddDDqqqqqqqqddddDDBhhiqBHIQefdFDHiiiqHHIQffdFD"
      "IqqqqIIIQdddDDQddddQQQQdddDDeefddefddefdFDfffddffddffdFDddddddddddddDDFFFDDFFDDFFDFDDDDDDDDDDDDDDD" },
    { "fmin",
      "tbhiqBHIQefdFDbbhiqhiqdefdFDhhhiqhiqdffdFDiiiiqiiqddddDDqqqqqqqqddddDDBhhiqBHIQefdFDHiiiqHHIQffdFD"
      "IqqqqIIIQdddDDQddddQQQQdddDDeefddefddefdFDfffddffddffdFDddddddddddddDDFFFDDFFDDFFDFDDDDDDDDDDDDDDD" },
    { "atan2",
      "eefddefddefd--eefddefddefd--fffddffddffd--dddddddddddd--dddddddddddd--eefddefddefd--fffddffddffd--"
      "dddddddddddd--dddddddddddd--eefddefddefd--fffddffddffd--dddddddddddd------------------------------" },
    { "hypot",
      "eefddefddefd--eefddefddefd--fffddffddffd--dddddddddddd--dddddddddddd--eefddefddefd--fffddffddffd--"
      "dddddddddddd--dddddddddddd--eefddefddefd--fffddffddffd--dddddddddddd------------------------------" },
    { "copysign",
      "eefddefddefd--eefddefddefd--fffddffddffd--dddddddddddd--dddddddddddd--eefddefddefd--fffddffddffd--"
      "dddddddddddd--dddddddddddd--eefddefddefd--fffddffddffd--dddddddddddd------------------------------" },
    { "nextafter",
      "eefddefddefd--eefddefddefd--fffddffddffd--dddddddddddd--dddddddddddd--eefddefddefd--fffddffddffd--"
      "dddddddddddd--dddddddddddd--eefddefddefd--fffddffddffd--dddddddddddd------------------------------" },
    { "logaddexp",
      "eefddefddefd--eefddefddefd--fffddffddffd--dddddddddddd--dddddddddddd--eefddefddefd--fffddffddffd--"
      "dddddddddddd--dddddddddddd--eefddefddefd--fffddffddffd--dddddddddddd------------------------------" },
    { "equal",
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" },
    { "not_equal",
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" },
    { "less",
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" },
    { "less_equal",
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" },
    { "greater",
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" },
    { "greater_equal",
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" },
    { "logical_and",
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" },
    { "logical_or",
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" },
    { "logical_xor",
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" },
    { "bitwise_and",
      "tbhiqBHIQ-----bbhiqhiq------hhhiqhiq------iiiiqiiq------qqqqqqqq------BhhiqBHIQ-----HiiiqHHIQ-----"
      "IqqqqIIIQ-----Q----QQQQ---------------------------------------------------------------------------" },
    { "bitwise_or",
      "tbhiqBHIQ-----bbhiqhiq------hhhiqhiq------iiiiqiiq------qqqqqqqq------BhhiqBHIQ-----HiiiqHHIQ-----"
      "IqqqqIIIQ-----Q----QQQQ---------------------------------------------------------------------------" },
    { "bitwise_xor",
      "tbhiqBHIQ-----bbhiqhiq------hhhiqhiq------iiiiqiiq------qqqqqqqq------BhhiqBHIQ-----HiiiqHHIQ-----"
      "IqqqqIIIQ-----Q----QQQQ---------------------------------------------------------------------------" },
    { "bitwise_left_shift",
      "bbhiqBHIQ-----bbhiqhiq------hhhiqhiq------iiiiqiiq------qqqqqqqq------BhhiqBHIQ-----HiiiqHHIQ-----"
      "IqqqqIIIQ-----Q----QQQQ---------------------------------------------------------------------------" },
    { "bitwise_right_shift",
      "bbhiqBHIQ-----bbhiqhiq------hhhiqhiq------iiiiqiiq------qqqqqqqq------BhhiqBHIQ-----HiiiqHHIQ-----"
      "IqqqqIIIQ-----Q----QQQQ---------------------------------------------------------------------------" },
};

#endif

// SPDX-License-Identifier: Apache-2.0
// dtype_test - names, promotion and the dtype rules of every operation, held against tables that
// NumPy made.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "array/numpy_types.h"

extern "C" {
#include "array/dtype.h"
#include "array/program.h"
}

namespace {

constexpr int count = 14;  // dtypes that NumPy has
const weft_dtype dtypes[count] = {WEFT_BOOL,    WEFT_INT8,    WEFT_INT16,     WEFT_INT32,     WEFT_INT64,
                                  WEFT_UINT8,   WEFT_UINT16,  WEFT_UINT32,    WEFT_UINT64,    WEFT_FLOAT16,
                                  WEFT_FLOAT32, WEFT_FLOAT64, WEFT_COMPLEX64, WEFT_COMPLEX128};

weft_dtype from_letter(char letter) {
    const char *at = strchr(NUMPY_LETTERS, letter);
    return at ? dtypes[at - NUMPY_LETTERS] : WEFT_DTYPE_DEFAULT;
}

bool is_complex(weft_dtype d) { return wf_dtype_kind(d) == 'c'; }

TEST(Dtype, PromotesAsNumpyDoes) {
    for (int a = 0; a < count; a++)
        for (int b = 0; b < count; b++)
            EXPECT_EQ(wf_dtype_promote(dtypes[a], dtypes[b]), from_letter(numpy_promote[a][b]))
                << wf_dtype_name(dtypes[a]) << " with " << wf_dtype_name(dtypes[b]);
}

TEST(Dtype, CastsSafelyAsNumpyDoes) {
    for (int a = 0; a < count; a++)
        for (int b = 0; b < count; b++)
            EXPECT_EQ(wf_dtype_can_cast(dtypes[a], dtypes[b]), numpy_safe[a][b] == 'y')
                << wf_dtype_name(dtypes[a]) << " to " << wf_dtype_name(dtypes[b]);
}

TEST(Dtype, Bfloat16FollowsFloat16ButForBytesAndFloat16) {
    for (weft_dtype d : dtypes) {
        weft_dtype expected = wf_dtype_promote(WEFT_FLOAT16, d);
        if (d == WEFT_FLOAT16)
            expected = WEFT_FLOAT32;
        else if (expected == WEFT_FLOAT16)
            expected = WEFT_BFLOAT16;
        EXPECT_EQ(wf_dtype_promote(WEFT_BFLOAT16, d), expected) << wf_dtype_name(d);
        EXPECT_EQ(wf_dtype_promote(d, WEFT_BFLOAT16), expected) << wf_dtype_name(d);
    }
    EXPECT_EQ(wf_dtype_promote(WEFT_BFLOAT16, WEFT_BFLOAT16), WEFT_BFLOAT16);
    EXPECT_TRUE(wf_dtype_can_cast(WEFT_UINT8, WEFT_BFLOAT16));
    EXPECT_FALSE(wf_dtype_can_cast(WEFT_INT16, WEFT_BFLOAT16));
    EXPECT_FALSE(wf_dtype_can_cast(WEFT_FLOAT16, WEFT_BFLOAT16));
    EXPECT_TRUE(wf_dtype_can_cast(WEFT_BFLOAT16, WEFT_FLOAT32));
}

TEST(Dtype, KnowsSizesKindsAndRelatives) {
    EXPECT_EQ(wf_dtype_size(WEFT_COMPLEX128), 16u);
    EXPECT_EQ(wf_dtype_size((weft_dtype)0), 0u);
    EXPECT_EQ(wf_dtype_size((weft_dtype)77), 0u);
    EXPECT_EQ(wf_dtype_size((weft_dtype)-1), 0u);
    EXPECT_EQ(wf_dtype_kind(WEFT_BFLOAT16), 'f');
    EXPECT_STREQ(wf_dtype_name((weft_dtype)77), "?");
    EXPECT_EQ(wf_dtype_real(WEFT_COMPLEX64), WEFT_FLOAT32);
    EXPECT_EQ(wf_dtype_real(WEFT_INT8), WEFT_INT8);
    EXPECT_EQ(wf_dtype_complex(WEFT_BFLOAT16), WEFT_COMPLEX64);
    EXPECT_EQ(wf_dtype_complex(WEFT_INT8), WEFT_COMPLEX128);
    EXPECT_EQ(wf_dtype_float(WEFT_BOOL), WEFT_FLOAT16);
    EXPECT_EQ(wf_dtype_float(WEFT_UINT16), WEFT_FLOAT32);
    EXPECT_EQ(wf_dtype_float(WEFT_INT32), WEFT_FLOAT64);
    EXPECT_EQ(wf_dtype_float(WEFT_COMPLEX64), WEFT_COMPLEX64);
    EXPECT_EQ(wf_dtype_compute(WEFT_FLOAT16), WEFT_FLOAT32);
}

TEST(Dtype, ReadsNamesAndCodes) {
    const struct {
        const char *text;
        weft_dtype dtype;
    } cases[] = {{"float32", WEFT_FLOAT32},
                 {"bfloat16", WEFT_BFLOAT16},
                 {"bool", WEFT_BOOL},
                 {"bool_", WEFT_BOOL},
                 {"?", WEFT_BOOL},
                 {"|b1", WEFT_BOOL},
                 {"f4", WEFT_FLOAT32},
                 {"<f8", WEFT_FLOAT64},
                 {"=i8", WEFT_INT64},
                 {"|u1", WEFT_UINT8},
                 {">i1", WEFT_INT8},
                 {"c16", WEFT_COMPLEX128},
                 {"<c8", WEFT_COMPLEX64},
                 {"f2", WEFT_FLOAT16},
                 {"float", WEFT_FLOAT64},
                 {"int", WEFT_INT64},
                 {"complex", WEFT_COMPLEX128}};

    for (auto &c : cases) {
        weft_dtype out = WEFT_DTYPE_DEFAULT;
        EXPECT_EQ(wf_dtype_parse(c.text, &out), WEFT_OK) << c.text;
        EXPECT_EQ(out, c.dtype) << c.text;
    }
    for (int d = 1; d < WEFT_NDTYPES; d++) {
        weft_dtype out = WEFT_DTYPE_DEFAULT;
        EXPECT_EQ(wf_dtype_parse(wf_dtype_name((weft_dtype)d), &out), WEFT_OK);
        EXPECT_EQ(out, (weft_dtype)d);
    }
}

TEST(Dtype, RejectsOtherTexts) {
    weft_dtype out = WEFT_INT8;

    for (const char *text :
         {"", "flot32", ">f8", "<", "f", "f16", "c4", "float32 ", "<float32", "b2", "U3", "<M8[ns]"}) {
        EXPECT_EQ(wf_dtype_parse(text, &out), WEFT_INVALID) << text;
        EXPECT_EQ(wf_last_error(), "dtype: expected a name such as float32, got '" + std::string(text) + "'");
    }
    EXPECT_EQ(out, WEFT_INT8);
}

// What op.def decides otherwise than NumPy: what is refused, and round(bool), which stays bool.
bool differs_on_purpose(const std::string &name, weft_dtype promoted, weft_dtype *expected) {
    bool refused = (name == "reciprocal" && promoted == WEFT_BOOL) ||
                   (name == "exp2" && is_complex(promoted)) ||
                   (is_complex(promoted) &&
                    (name == "less" || name == "less_equal" || name == "greater" || name == "greater_equal" ||
                     name == "maximum" || name == "minimum" || name == "fmax" || name == "fmin"));
    if (refused) *expected = WEFT_DTYPE_DEFAULT;
    if (name == "round" && promoted == WEFT_BOOL) *expected = WEFT_BOOL;
    return refused || (name == "round" && promoted == WEFT_BOOL);
}

void check_types(const char *name, const weft_dtype *in, weft_dtype promoted, weft_dtype expected) {
    weft_dtype compute = WEFT_DTYPE_DEFAULT, result = WEFT_DTYPE_DEFAULT;
    wf_op op;
    ASSERT_TRUE(wf_op_find(name, &op)) << name;
    differs_on_purpose(name, promoted, &expected);

    weft_status st = wf_op_types(op, in, &compute, &result);

    EXPECT_EQ(st, expected ? WEFT_OK : WEFT_INVALID)
        << name << " of " << wf_dtype_name(in[0]) << " " << wf_dtype_name(in[1]);
    EXPECT_EQ(wf_dtype_name(result), wf_dtype_name(expected))
        << name << " of " << wf_dtype_name(in[0]) << " " << wf_dtype_name(in[1]);
}

TEST(OpTypes, OfOneOperandAreNumpys) {
    for (auto &row : numpy_unary)
        for (int a = 0; a < count; a++) {
            const weft_dtype in[2] = {dtypes[a], dtypes[a]};
            check_types(row.name, in, in[0], from_letter(row.result[a]));
        }
}

TEST(OpTypes, OfTwoOperandsAreNumpys) {
    for (auto &row : numpy_binary)
        for (int a = 0; a < count; a++)
            for (int b = 0; b < count; b++) {
                const weft_dtype in[2] = {dtypes[a], dtypes[b]};
                check_types(row.name, in, wf_dtype_promote(in[0], in[1]),
                            from_letter(row.result[a * count + b]));
            }
}

struct Types {
    weft_status status;
    weft_dtype compute, result;
};

Types types(wf_op op, weft_dtype a, weft_dtype b = WEFT_BOOL, weft_dtype c = WEFT_BOOL) {
    const weft_dtype in[3] = {a, b, c};
    Types t = {};
    t.status = wf_op_types(op, in, &t.compute, &t.result);
    return t;
}

TEST(OpTypes, SayWhatIsComputedIn) {
    EXPECT_EQ(types(WF_OP_LESS, WEFT_INT32, WEFT_FLOAT32).compute, WEFT_FLOAT64);
    EXPECT_EQ(types(WF_OP_LOGICAL_AND, WEFT_FLOAT64, WEFT_INT8).compute, WEFT_BOOL);
    EXPECT_EQ(types(WF_OP_ABS, WEFT_COMPLEX128).compute, WEFT_COMPLEX128);
    EXPECT_EQ(types(WF_OP_ABS, WEFT_COMPLEX128).result, WEFT_FLOAT64);
    EXPECT_EQ(types(WF_OP_ADD, WEFT_BOOL, WEFT_BOOL).compute, WEFT_BOOL);
    EXPECT_EQ(types(WF_OP_POW, WEFT_BOOL, WEFT_BOOL).compute, WEFT_INT8);
    EXPECT_EQ(types(WF_OP_SIN, WEFT_INT8).compute, WEFT_FLOAT16);
    EXPECT_EQ(types(WF_OP_SIN, WEFT_BFLOAT16).result, WEFT_BFLOAT16);
    EXPECT_EQ(types(WF_OP_DIVIDE, WEFT_BFLOAT16, WEFT_INT8).compute, WEFT_BFLOAT16);
    EXPECT_EQ(types(WF_OP_DIVIDE, WEFT_INT64, WEFT_UINT64).compute, WEFT_FLOAT64);
    EXPECT_EQ(types(WF_OP_ISNAN, WEFT_FLOAT16).compute, WEFT_FLOAT16);
    EXPECT_EQ(types(WF_OP_WHERE, WEFT_INT8, WEFT_FLOAT32, WEFT_INT16).result, WEFT_FLOAT32);
    EXPECT_EQ(types(WF_OP_WHERE, WEFT_BOOL, WEFT_BOOL, WEFT_BOOL).result, WEFT_BOOL);
    EXPECT_EQ(types(WF_OP_ERF, WEFT_UINT16).result, WEFT_FLOAT32);
}

TEST(OpTypes, SayWhatIsWrong) {
    const struct {
        wf_op op;
        weft_dtype a, b;
        const char *text;
    } cases[] = {
        {WF_OP_SUBTRACT, WEFT_BOOL, WEFT_BOOL, "subtract: expected a numeric dtype, got bool"},
        {WF_OP_LESS, WEFT_COMPLEX64, WEFT_BOOL, "less: complex64 has no order"},
        {WF_OP_FLOOR_DIVIDE, WEFT_INT8, WEFT_COMPLEX64, "floor_divide: expected a real dtype, got complex64"},
        {WF_OP_CBRT, WEFT_COMPLEX64, WEFT_BOOL, "cbrt: expected a real dtype, got complex64"},
        {WF_OP_SIGNBIT, WEFT_COMPLEX64, WEFT_BOOL, "signbit: expected a real dtype, got complex64"},
        {WF_OP_FLOOR, WEFT_COMPLEX64, WEFT_BOOL, "floor: expected a real dtype, got complex64"},
        {WF_OP_BITWISE_AND, WEFT_INT8, WEFT_FLOAT32, "bitwise_and: expected integers or bool, got float32"},
        {WF_OP_BITWISE_LEFT_SHIFT, WEFT_INT8, WEFT_FLOAT32,
         "bitwise_left_shift: expected integers, got float32"},
        {WF_OP_BITWISE_XOR, WEFT_INT64, WEFT_UINT64,
         "bitwise_xor: int64 and uint64 have no common integer dtype"},
        {WF_OP_ADD, WEFT_INT8, WEFT_DTYPE_DEFAULT, "add: expected a dtype for operand 2, got the number 0"},
    };

    for (auto &c : cases) {
        Types t = types(c.op, c.a, c.b);
        EXPECT_EQ(t.status, WEFT_INVALID);
        EXPECT_STREQ(wf_last_error(), c.text);
        EXPECT_EQ(t.compute, WEFT_DTYPE_DEFAULT);
        EXPECT_EQ(t.result, WEFT_DTYPE_DEFAULT);
    }
}

TEST(Op, IsFoundByItsName) {
    wf_op op = WF_OP_ADD;

    for (int i = 0; i < WF_OP_COUNT; i++) {
        ASSERT_TRUE(wf_op_find(wf_op_name((wf_op)i), &op));
        EXPECT_EQ(op, (wf_op)i);
        EXPECT_GE(wf_op_arity(op), 1);
        EXPECT_LE(wf_op_arity(op), 3);
        EXPECT_GT(wf_op_cost(op), 0);
    }
    EXPECT_FALSE(wf_op_find("sine", &op));
    EXPECT_STREQ(wf_op_name(WF_OP_COUNT), "?");
}

}  // namespace

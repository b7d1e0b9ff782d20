// SPDX-License-Identifier: Apache-2.0
// make_create_test - arrays from no array: values, dtypes, lengths, and the numbers that are refused.
#include "graph/interpret.h"

namespace {

using Ints = std::vector<int64_t>;
using Reals = std::vector<double>;
const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();

TEST(Full, IsAViewOfAScalarWithItsGrid) {
    wf_shape s = shape_of({2, 3}), none = shape_of({});
    int64_t block[] = {1, 2};
    wf_scalar v = {};
    wf_grid grid;
    v.i = 7;
    ASSERT_EQ(wf_grid_init(&grid, &s, block), WEFT_OK);

    Node x = made([&](wf_node **out) { return wf_make_full(WEFT_INT16, &s, &v, &grid, out); });
    EXPECT_EQ(x->kind, WF_NODE_VIEW);
    EXPECT_TRUE(wf_grid_equal(x->grid, &grid));
    EXPECT_EQ(ints(x), Ints(6, 7));
    Node y = made([&](wf_node **out) { return wf_make_full(WEFT_INT16, &none, &v, &grid, out); });
    EXPECT_EQ(y->kind, WF_NODE_SCALAR);
    EXPECT_FALSE(y->weak);
}

TEST(Full, RefusesShapes) {
    wf_shape minus = shape_of({-1}), huge = shape_of({INT64_MAX, 2});
    wf_scalar v = {};

    refused(WEFT_INVALID, "full: extent of axis 0 must be >= 0, got -1",
            [&](wf_node **out) { return wf_make_full(WEFT_INT8, &minus, &v, nullptr, out); });
    refused(WEFT_OVERFLOW, "full: the number of elements does not fit in 64 bits",
            [&](wf_node **out) { return wf_make_full(WEFT_INT8, &huge, &v, nullptr, out); });
}

Node arange(double start, double stop, double step, weft_dtype dtype)
{
    return made([&](wf_node **out) { return wf_make_arange(start, stop, step, dtype, out); });
}

TEST(Arange, StepsFromStartToStop) {
    EXPECT_EQ(reals(arange(0, 5, 1, WEFT_DTYPE_DEFAULT)), (Reals{0, 1, 2, 3, 4}));
    EXPECT_EQ(reals(arange(5, 0, -2, WEFT_FLOAT32)), (Reals{5, 3, 1}));
    EXPECT_EQ(reals(arange(0.5, 2, 0.25, WEFT_FLOAT64)), (Reals{0.5, 0.75, 1, 1.25, 1.5, 1.75}));
    EXPECT_EQ(reals(arange(1, 1, 1, WEFT_FLOAT64)), Reals());
    EXPECT_EQ(reals(arange(1, 0, 1, WEFT_FLOAT64)), Reals());
    EXPECT_EQ(ints(arange(-3, 3, 2, WEFT_INT8)), (Ints{-3, -1, 1}));
    EXPECT_EQ(arange(0, 3, 1, WEFT_COMPLEX64)->dtype, WEFT_COMPLEX64);
    EXPECT_EQ(arange(0, 3, 1, WEFT_DTYPE_DEFAULT)->dtype, WEFT_FLOAT64);
}

TEST(Arange, ComputesEachElementFromItsIndex) {
    Reals got = reals(arange(0.1, 2, 0.1, WEFT_FLOAT64));

    ASSERT_EQ(got.size(), 19u);
    for (size_t i = 0; i < got.size(); i++) EXPECT_EQ(got[i], 0.1 + static_cast<double>(i) * 0.1);
}

TEST(Arange, OfWholeNumbersIsACounter) {
    EXPECT_EQ(arange(3, 10, 2, WEFT_INT64)->kind, WF_NODE_COUNTER);
    EXPECT_EQ(ints(arange(0x1p53, 0x1p53 + 8, 2, WEFT_INT64)), (Ints{1LL << 53, (1LL << 53) + 2, (1LL << 53) + 4, (1LL << 53) + 6}));
}

TEST(Arange, RefusesBadNumbers) {
    auto bad = [](double a, double b, double c) {
        return [=](wf_node **out) { return wf_make_arange(a, b, c, WEFT_FLOAT64, out); };
    };

    refused(WEFT_INVALID, "arange: step must not be 0", bad(0, 1, 0));
    refused(WEFT_INVALID, "arange: start, stop and step must be finite, got nan", bad(nan, 1, 1));
    refused(WEFT_INVALID, "arange: start, stop and step must be finite, got inf", bad(0, inf, 1));
    refused(WEFT_OVERFLOW, "arange: the number of elements does not fit in 64 bits", bad(0, 1e300, 1));
    refused(WEFT_INVALID, "arange: expected a dtype, got the number 99",
            [](wf_node **out) { return wf_make_arange(0, 1, 1, static_cast<weft_dtype>(99), out); });
}

Node linspace(double start, double stop, int64_t num, bool endpoint, weft_dtype dtype)
{
    return made([&](wf_node **out) { return wf_make_linspace(start, stop, num, endpoint, dtype, out); });
}

TEST(Linspace, HasBothEndsExactly) {
    Reals x = reals(linspace(0.1, 0.7, 7, true, WEFT_FLOAT64));

    EXPECT_EQ(x.front(), 0.1);
    EXPECT_EQ(x.back(), 0.7);
    EXPECT_EQ(x[3], 0.1 + 3 * ((0.7 - 0.1) / 6));
    EXPECT_EQ(reals(linspace(0, 1, 4, false, WEFT_FLOAT64)), (Reals{0, 0.25, 0.5, 0.75}));
    EXPECT_EQ(reals(linspace(3, 9, 1, true, WEFT_FLOAT64)), Reals{3});
    EXPECT_EQ(reals(linspace(3, 9, 0, true, WEFT_FLOAT64)), Reals());
    EXPECT_EQ(reals(linspace(2, 2, 3, true, WEFT_FLOAT64)), (Reals{2, 2, 2}));
    EXPECT_EQ(ints(linspace(-1, 1, 4, true, WEFT_INT32)), (Ints{-1, -1, 0, 1}));  // floor, as NumPy
    Reals wide = reals(linspace(-1.7e308, 1.7e308, 3, true, WEFT_FLOAT64));
    EXPECT_EQ(wide[1], 0);
}

TEST(Linspace, RefusesBadNumbers) {
    refused(WEFT_INVALID, "linspace: the number of points must be >= 0, got -1",
            [](wf_node **out) { return wf_make_linspace(0, 1, -1, true, WEFT_FLOAT64, out); });
    refused(WEFT_INVALID, "linspace: both ends must be finite, got inf",
            [](wf_node **out) { return wf_make_linspace(0, inf, 2, true, WEFT_FLOAT64, out); });
    refused(WEFT_OVERFLOW, "linspace: the number of elements does not fit in 64 bits",
            [](wf_node **out) { return wf_make_linspace(0, 1, INT64_MAX, true, WEFT_FLOAT64, out); });
}

TEST(Eye, HasOnesOnADiagonal) {
    auto eye = [](int64_t r, int64_t c, int64_t k) { return made([&](wf_node **out) { return wf_make_eye(r, c, k, WEFT_INT8, out); }); };

    EXPECT_EQ(ints(eye(2, 3, 0)), (Ints{1, 0, 0, 0, 1, 0}));
    EXPECT_EQ(ints(eye(2, 3, 1)), (Ints{0, 1, 0, 0, 0, 1}));
    EXPECT_EQ(ints(eye(3, 2, -1)), (Ints{0, 0, 1, 0, 0, 1}));
    EXPECT_EQ(ints(eye(2, 2, INT64_MIN)), Ints(4, 0));
    EXPECT_EQ(ints(eye(2, 2, INT64_MAX)), Ints(4, 0));
    EXPECT_EQ(dims(eye(0, 3, 0)), (Ints{0, 3}));
    refused(WEFT_INVALID, "eye: extent of axis 1 must be >= 0, got -2",
            [](wf_node **out) { return wf_make_eye(1, -2, 0, WEFT_INT8, out); });
}

TEST(Random, HoldsItsKeyAndScales) {
    wf_shape s = shape_of({4});
    auto uniform = [&](weft_dtype d, double a, double b) {
        return made([&](wf_node **out) { return wf_make_random(WF_INSTR_UNIFORM, d, &s, 5, 6, a, b, 0, 0, out); });
    };

    Node x = uniform(WEFT_DTYPE_DEFAULT, 0, 1);
    EXPECT_EQ(x->kind, WF_NODE_RANDOM);
    EXPECT_EQ(x->dtype, WEFT_FLOAT64);
    EXPECT_EQ(static_cast<wf_scalar *>(x->extra)[0].u, 5u);
    EXPECT_EQ(static_cast<wf_scalar *>(x->extra)[1].u, 6u);
    Node y = uniform(WEFT_FLOAT32, 10, 30);  // the interpreter draws 0, 1, 2, ...
    EXPECT_EQ(y->dtype, WEFT_FLOAT32);
    EXPECT_EQ(reals(y), (Reals{10, 30, 50, 70}));
    Node z = uniform(WEFT_FLOAT16, 0, 1);
    EXPECT_EQ(z->kind, WF_NODE_CAST);
    EXPECT_EQ(z->in[0]->dtype, WEFT_FLOAT32);
}

TEST(Random, DrawsIntegersAsInt64) {
    wf_shape s = shape_of({4});
    Node x = made([&](wf_node **out) { return wf_make_random(WF_INSTR_INTEGERS, WEFT_UINT8, &s, 1, 2, 0, 0, -3, 7, out); });

    EXPECT_EQ(x->kind, WF_NODE_CAST);
    EXPECT_EQ(x->in[0]->dtype, WEFT_INT64);
    EXPECT_EQ(static_cast<wf_scalar *>(x->in[0]->extra)[2].i, -3);
    EXPECT_EQ(static_cast<wf_scalar *>(x->in[0]->extra)[3].u, 7u);
}

TEST(Random, RefusesOtherDtypes) {
    wf_shape s = shape_of({4});
    auto draw = [&](wf_instr_kind k, weft_dtype d) { return [&s, k, d](wf_node **out) { return wf_make_random(k, d, &s, 1, 1, 0, 1, 0, 1, out); }; };

    refused(WEFT_INVALID, "random_uniform: expected a float dtype, got int32", draw(WF_INSTR_UNIFORM, WEFT_INT32));
    refused(WEFT_INVALID, "random_normal: expected a float dtype, got complex64", draw(WF_INSTR_NORMAL, WEFT_COMPLEX64));
    refused(WEFT_INVALID, "random_integers: expected an integer dtype, got float32", draw(WF_INSTR_INTEGERS, WEFT_FLOAT32));
}

}  // namespace

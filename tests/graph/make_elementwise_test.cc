// SPDX-License-Identifier: Apache-2.0
// make_elementwise_test - promotion, weak scalars, broadcasting, and what is written in terms of other operations.
#include "graph/interpret.h"
#include "graph/numpy_cases.h"

namespace {

const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
using Reals = std::vector<double>;

void expect_reals(const Node &n, const Reals &want)
{
    Reals got = reals(n);
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < want.size(); i++)
        if (std::isnan(want[i])) {
            EXPECT_TRUE(std::isnan(got[i])) << "element " << i << " is " << got[i];
        } else {
            EXPECT_EQ(got[i], want[i]) << "element " << i;
        }
}

TEST(Map, OfEqualOperandsIsOneNode) {
    Node x = leaf(WEFT_FLOAT32, {3}), y = leaf(WEFT_FLOAT32, {3});
    wf_alloc_fail_at(0);
    Node z = op(WF_OP_ADD, x, y);

    EXPECT_EQ(wf_alloc_fail_at(0), 1);
    EXPECT_EQ(z->in[0], x.get());
    EXPECT_EQ(z->in[1], y.get());
    EXPECT_EQ(x->refs, 2);
    EXPECT_FALSE(z->weak);
    EXPECT_EQ(reals(z), (Reals{2, 4, 6}));
}

TEST(Map, OfAWeakScalarOfTheSameDtypeSharesIt) {
    Node x = leaf(WEFT_FLOAT64, {3}), two = num(2);
    Node z = op(WF_OP_MULTIPLY, two, x);

    EXPECT_EQ(z->in[0], two.get());
    EXPECT_EQ(reals(z), (Reals{2, 4, 6}));
}

TEST(Map, BesidePythonScalarsHasNumPysDtype) {
    const wf_op ops[] = {WF_OP_ADD, WF_OP_DIVIDE, WF_OP_HYPOT, WF_OP_POW};
    Node weak[3] = {num_int(1), num(1), num_complex(0, 1)};
    for (const WeakCase &c : numpy_weak) {
        Node x = leaf(c.array, {2});
        const weft_dtype *want[] = {c.add, c.divide, c.hypot, c.pow};
        for (int o = 0; o < 4; o++)
            for (int k = 0; k < 3; k++) {
                wf_node *in[] = {x.get(), weak[k].get()}, *n = nullptr;
                weft_status st = wf_make_map(ops[o], in, &n);
                SCOPED_TRACE(testing::Message() << wf_op_name(ops[o]) << " " << wf_dtype_name(c.array) << " with scalar " << k);
                EXPECT_EQ(st == WEFT_OK ? n->dtype : 0, want[o][k]);
                if (n) Checker().check(n);
                wf_node_release(n);
            }
    }
}

TEST(Map, BesidePythonScalarsKeepsBfloat16) {
    Node x = leaf(WEFT_BFLOAT16, {2});

    EXPECT_EQ(op(WF_OP_ADD, x, num(1.5))->dtype, WEFT_BFLOAT16);
    EXPECT_EQ(op(WF_OP_ADD, num_int(1), x)->dtype, WEFT_BFLOAT16);
    EXPECT_EQ(op(WF_OP_ADD, num_complex(0, 1), x)->dtype, WEFT_COMPLEX64);
}

TEST(Map, OfTwoWeakScalarsIsWeak) {
    Node x = leaf(WEFT_FLOAT32, {2});
    Node three = op(WF_OP_ADD, num_int(1), num(2));

    EXPECT_EQ(three->dtype, WEFT_FLOAT64);
    EXPECT_TRUE(three->weak);
    EXPECT_EQ(three->shape.ndim, 0);
    Node y = op(WF_OP_MULTIPLY, x, three);
    EXPECT_EQ(y->dtype, WEFT_FLOAT32);
    EXPECT_EQ(reals(y), (Reals{3, 6}));
    EXPECT_FALSE(op(WF_OP_LESS, num(1), num(2))->weak);
    EXPECT_EQ(op(WF_OP_DIVIDE, num_int(1), num_int(2))->dtype, WEFT_FLOAT64);
    EXPECT_EQ(op(WF_OP_ADD, num(1), num_complex(0, 1))->dtype, WEFT_COMPLEX128);
}

TEST(Map, RefusesAPythonIntegerThatDoesNotFit) {
    Node bytes = leaf(WEFT_UINT8, {2}), large = num_int(300), minus = num_int(-1), wide = leaf(WEFT_UINT64, {2});
    wf_node *in[] = {bytes.get(), large.get()}, *down[] = {minus.get(), wide.get()};

    refused(WEFT_OVERFLOW, "add: 300 does not fit in uint8", [&](wf_node **out) { return wf_make_map(WF_OP_ADD, in, out); });
    refused(WEFT_OVERFLOW, "maximum: -1 does not fit in uint64", [&](wf_node **out) { return wf_make_map(WF_OP_MAXIMUM, down, out); });
    Node q = op(WF_OP_DIVIDE, bytes, large);  // a float by then
    EXPECT_EQ(q->dtype, WEFT_FLOAT64);
    EXPECT_EQ(reals(q)[1], 2.0 / 300);
}

TEST(Map, ComparesWithIntegersThatDoNotFit) {
    Node x = leaf(WEFT_INT8, {2}), large = num_int(300), small = num_int(-300);

    EXPECT_EQ(ints(op(WF_OP_LESS, x, large)), (Ints{1, 1}));
    EXPECT_EQ(ints(op(WF_OP_LESS, large, x)), (Ints{0, 0}));
    EXPECT_EQ(ints(op(WF_OP_LESS, small, x)), (Ints{1, 1}));
    EXPECT_EQ(ints(op(WF_OP_GREATER, x, large)), (Ints{0, 0}));
    EXPECT_EQ(ints(op(WF_OP_GREATER_EQUAL, x, small)), (Ints{1, 1}));
    EXPECT_EQ(ints(op(WF_OP_LESS_EQUAL, x, small)), (Ints{0, 0}));
    EXPECT_EQ(ints(op(WF_OP_EQUAL, x, large)), (Ints{0, 0}));
    EXPECT_EQ(ints(op(WF_OP_NOT_EQUAL, x, large)), (Ints{1, 1}));
    EXPECT_EQ(ints(op(WF_OP_EQUAL, x, num_int(2))), (Ints{0, 1}));
}

TEST(Map, BroadcastsThroughViews) {
    Node column = leaf(WEFT_INT32, {2, 1}), row = leaf(WEFT_INT64, {3}), one = leaf(WEFT_INT64, {});
    Node y = op(WF_OP_ADD, column, row);

    EXPECT_EQ(y->dtype, WEFT_INT64);
    EXPECT_EQ(y->in[0]->kind, WF_NODE_VIEW);
    EXPECT_EQ(y->in[0]->in[0]->kind, WF_NODE_CAST);
    EXPECT_EQ(ints(y), (Ints{2, 3, 4, 3, 4, 5}));
    EXPECT_EQ(ints(op(WF_OP_ADD, row, one)), (Ints{2, 3, 4}));
    EXPECT_EQ(dims(op(WF_OP_ADD, leaf(WEFT_INT64, {0, 1}), row)), (Ints{0, 3}));
}

TEST(Map, RefusesShapesThatDoNotBroadcastAndDtypesItHasNot) {
    Node a = leaf(WEFT_FLOAT32, {3, 4}), b = leaf(WEFT_FLOAT32, {5}), c = leaf(WEFT_COMPLEX64, {5}), t = leaf(WEFT_BOOL, {5});
    wf_node *in[] = {a.get(), b.get()}, *ordered[] = {b.get(), c.get()}, *negated[] = {t.get()};

    refused(WEFT_INVALID, "add: shapes (3, 4) and (5,) do not broadcast: axis -1 has 4 and 5", [&](wf_node **out) { return wf_make_map(WF_OP_ADD, in, out); });
    refused(WEFT_INVALID, "less: complex64 has no order", [&](wf_node **out) { return wf_make_map(WF_OP_LESS, ordered, out); });
    refused(WEFT_INVALID, "negative: expected a numeric dtype, got bool", [&](wf_node **out) { return wf_make_map(WF_OP_NEGATIVE, negated, out); });
}

TEST(Map, ReturnsTheOperandWhereNothingChanges) {
    Node i = leaf(WEFT_INT32, {2}), f = leaf(WEFT_FLOAT32, {2}), t = leaf(WEFT_BOOL, {2});

    EXPECT_EQ(op(WF_OP_FLOOR, i).get(), i.get());
    EXPECT_EQ(op(WF_OP_ROUND, t).get(), t.get());
    EXPECT_EQ(op(WF_OP_CONJ, f).get(), f.get());
    EXPECT_EQ(op(WF_OP_POSITIVE, f).get(), f.get());
    EXPECT_NE(op(WF_OP_FLOOR, f).get(), f.get());
    EXPECT_EQ(op(WF_OP_CONJ, t)->dtype, WEFT_INT8);
}

TEST(Map, SquaresWhereThePowerIsTwo) {
    Node f = leaf(WEFT_FLOAT32, {3}), i = leaf(WEFT_INT16, {3});

    Node y = op(WF_OP_POW, f, num_int(2));
    EXPECT_EQ(y->op, WF_OP_SQUARE);
    EXPECT_EQ(y->in[0], f.get());
    EXPECT_EQ(op(WF_OP_POW, i, num_int(2))->op, WF_OP_SQUARE);
    Node z = op(WF_OP_POW, i, num(2));
    EXPECT_EQ(z->op, WF_OP_SQUARE);
    EXPECT_EQ(z->dtype, WEFT_FLOAT64);
    EXPECT_EQ(reals(z), (Reals{1, 4, 9}));
    EXPECT_EQ(op(WF_OP_POW, f, num(0.5))->op, WF_OP_POW);
    EXPECT_EQ(op(WF_OP_POW, num(2), f)->op, WF_OP_POW);
    Node minus = num_int(-1);
    wf_node *in[] = {i.get(), minus.get()};
    refused(WEFT_INVALID, "pow: an integer to a negative power is no integer, got -1",
            [&](wf_node **out) { return wf_make_map(WF_OP_POW, in, out); });
}

TEST(Where, PromotesItsChoicesAndNotItsCondition) {
    Node c = leaf(WEFT_FLOAT64, {3, 1}, {0, nan, 2}), a = leaf(WEFT_INT8, {2}), b = num(0.5);
    wf_node *in[] = {c.get(), a.get(), b.get()}, *weak[] = {c.get(), b.get(), b.get()};

    Node y = made([&](wf_node **out) { return wf_make_map(WF_OP_WHERE, in, out); });
    EXPECT_EQ(y->dtype, WEFT_FLOAT64);
    EXPECT_EQ(reals(y), (Reals{0.5, 0.5, 1, 2, 1, 2}));
    Node z = made([&](wf_node **out) { return wf_make_map(WF_OP_WHERE, weak, out); });
    EXPECT_FALSE(z->weak);
}

TEST(Cast, SharesAnArrayThatHasTheDtype) {
    Node x = leaf(WEFT_FLOAT32, {2}), two = num(2.75);
    auto cast = [](const Node &n, weft_dtype d) { return made([&](wf_node **out) { return wf_make_cast(n.get(), d, out); }); };

    EXPECT_EQ(cast(x, WEFT_FLOAT32).get(), x.get());
    EXPECT_EQ(cast(x, WEFT_INT8)->kind, WF_NODE_CAST);
    Node strong = cast(two, WEFT_FLOAT64);
    EXPECT_FALSE(strong->weak);
    EXPECT_EQ(cast(two, WEFT_INT8)->scalar.i, 2);
    refused(WEFT_INVALID, "astype: expected a dtype, got the number 77",
            [&](wf_node **out) { return wf_make_cast(x.get(), static_cast<weft_dtype>(77), out); });
}

TEST(Scalar, RoundsToSixteenBits) {
    auto rounded = [](double v, weft_dtype d) {
        wf_node *n = nullptr;
        Node from = num(v);
        EXPECT_EQ(wf_make_scalar_as(from.get(), d, &n), WEFT_OK);
        return Node(n)->scalar.f32;
    };

    EXPECT_EQ(rounded(0.1, WEFT_FLOAT16), 0.0999755859375f);
    EXPECT_EQ(rounded(65519, WEFT_FLOAT16), 65504.f);
    EXPECT_EQ(rounded(65520, WEFT_FLOAT16), INFINITY);
    EXPECT_EQ(rounded(-1e9, WEFT_FLOAT16), -INFINITY);
    EXPECT_EQ(rounded(0x1p-24, WEFT_FLOAT16), 0x1p-24f);
    EXPECT_EQ(rounded(0x1p-25, WEFT_FLOAT16), 0.f);
    EXPECT_EQ(rounded(0x1.8p-25, WEFT_FLOAT16), 0x1p-24f);
    EXPECT_EQ(rounded(2049, WEFT_FLOAT16), 2048.f);
    EXPECT_EQ(rounded(0.1, WEFT_BFLOAT16), 0.10009765625f);
    EXPECT_EQ(rounded(1e39, WEFT_BFLOAT16), INFINITY);
    EXPECT_EQ(rounded(3.3895313892515355e38, WEFT_BFLOAT16), 3.3895313892515355e38f);
    EXPECT_EQ(rounded(0x1p-133, WEFT_BFLOAT16), 0x1p-133f);
    EXPECT_TRUE(std::isnan(rounded(nan, WEFT_FLOAT16)));
}

TEST(Scalar, ConvertsEveryKind) {
    auto as = [](const Node &from, weft_dtype d) {
        wf_node *n = nullptr;
        EXPECT_EQ(wf_make_scalar_as(from.get(), d, &n), WEFT_OK);
        wf_scalar s = n->scalar;
        wf_node_release(n);
        return s;
    };

    EXPECT_EQ(as(num(-3.7), WEFT_INT32).i, -3);
    EXPECT_EQ(as(num_int(300), WEFT_UINT8).u, 44u);
    EXPECT_EQ(as(num_int(-1), WEFT_UINT64).u, UINT64_MAX);
    EXPECT_EQ(as(num_int(200), WEFT_INT8).i, -56);
    EXPECT_TRUE(as(num(nan), WEFT_BOOL).b);
    EXPECT_FALSE(as(num_int(0), WEFT_BOOL).b);
    EXPECT_EQ(as(num_complex(2, 3), WEFT_FLOAT64).f64, 2);
    EXPECT_EQ(as(num_complex(2, 3), WEFT_COMPLEX64).c64[1], 3.f);
    EXPECT_EQ(as(num_int(INT64_MAX), WEFT_FLOAT32).f32, 0x1p63f);
    EXPECT_EQ(as(num(1e300), WEFT_INT64).i, INT64_MIN);
    EXPECT_EQ(as(num(0x1p63), WEFT_UINT64).u, (uint64_t)1 << 63);
    wf_node *n = nullptr;
    wf_scalar s = {};
    EXPECT_EQ(wf_make_scalar(WEFT_DTYPE_DEFAULT, &s, false, &n), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "scalar: expected a dtype, got the number 0");
}

TEST(Clip, LimitsToARange) {
    Node x = leaf(WEFT_FLOAT32, {4}, {-5, 0.5, nan, 7}), lo = num_int(0), hi = leaf(WEFT_FLOAT32, {2, 1}, {1, 2});
    auto clip = [](const Node &v, const Node &a, const Node &b) {
        return made([&](wf_node **out) { return wf_make_clip(v.get(), a.get(), b.get(), out); });
    };

    Node y = clip(x, lo, hi);
    EXPECT_EQ(y->dtype, WEFT_FLOAT32);
    expect_reals(y, {0, 0.5, nan, 1, 0, 0.5, nan, 2});
    expect_reals(clip(x, Node(), num(1)), {-5, 0.5, nan, 1});
    EXPECT_EQ(clip(x, Node(), Node()).get(), x.get());
    EXPECT_EQ(clip(leaf(WEFT_INT8, {2}), num(0.5), Node())->dtype, WEFT_FLOAT64);
    EXPECT_TRUE(clip(num(3), num(0), num(1))->weak);
}

TEST(Clip, RefusesWhatHasNoOrderOrDoesNotFit) {
    Node c = leaf(WEFT_COMPLEX64, {2}), x = leaf(WEFT_UINT8, {2}), three = leaf(WEFT_UINT8, {3}), large = num_int(300);
    auto clip = [&](const Node &v, const Node &a) {
        return [&](wf_node **out) { return wf_make_clip(v.get(), a.get(), nullptr, out); };
    };

    refused(WEFT_INVALID, "clip: expected a real dtype, got complex64", clip(c, x));
    refused(WEFT_INVALID, "clip: shapes (2,) and (3,) do not broadcast: axis 0 has 2 and 3", clip(x, three));
    refused(WEFT_OVERFLOW, "clip: 300 does not fit in uint8", clip(x, large));
}

TEST(Isclose, IsNumPys) {
    Node a = leaf(WEFT_FLOAT64, {7}, {1, 1, inf, inf, nan, 0, -inf}), b = leaf(WEFT_FLOAT64, {7}, {1.000009, 1.1, inf, 1, nan, 1e-9, inf});
    auto close = [](const Node &x, const Node &y, bool equal_nan) {
        return made([&](wf_node **out) { return wf_make_isclose(x.get(), y.get(), 1e-5, 1e-8, equal_nan, out); });
    };

    EXPECT_EQ(ints(close(a, b, false)), (Ints{1, 0, 1, 0, 0, 1, 0}));
    EXPECT_EQ(ints(close(a, b, true)), (Ints{1, 0, 1, 0, 1, 1, 0}));
    EXPECT_EQ(ints(close(leaf(WEFT_BOOL, {2}), leaf(WEFT_INT8, {2}), false)), (Ints{1, 0}));
    EXPECT_EQ(close(leaf(WEFT_COMPLEX64, {2}), num(1), false)->dtype, WEFT_BOOL);
    refused(WEFT_INVALID, "isclose: a tolerance must be >= 0, got -1",
            [&](wf_node **out) { return wf_make_isclose(a.get(), b.get(), -1, 0, false, out); });
    refused(WEFT_INVALID, "isclose: a tolerance must be >= 0, got nan",
            [&](wf_node **out) { return wf_make_isclose(a.get(), b.get(), 0, nan, false, out); });
    Node two = leaf(WEFT_INT8, {2});
    refused(WEFT_INVALID, "isclose: shapes (7,) and (2,) do not broadcast: axis 0 has 7 and 2",
            [&](wf_node **out) { return wf_make_isclose(a.get(), two.get(), 0, 0, false, out); });
}

TEST(NanToNum, ReplacesWhatIsNotFinite) {
    Node x = leaf(WEFT_FLOAT16, {4}, {1, nan, inf, -inf}), i = leaf(WEFT_INT8, {2});
    double nine = 9, zero = 0;

    Node y = made([&](wf_node **out) { return wf_make_nan_to_num(x.get(), 0, nullptr, nullptr, out); });
    EXPECT_EQ(y->dtype, WEFT_FLOAT16);
    expect_reals(y, {1, 0, 65504, -65504});
    expect_reals(made([&](wf_node **out) { return wf_make_nan_to_num(x.get(), 5, &nine, &zero, out); }), {1, 5, 9, 0});
    EXPECT_EQ(made([&](wf_node **out) { return wf_make_nan_to_num(i.get(), 0, nullptr, nullptr, out); }).get(), i.get());
}

TEST(NanToNum, ReplacesBothPartsOfAComplexNumber) {
    Node x = leaf(WEFT_COMPLEX128, {2}, {{nan, 3}, {1, inf}});
    Node y = made([&](wf_node **out) { return wf_make_nan_to_num(x.get(), 7, nullptr, nullptr, out); });

    std::vector<Value> v = Interpreter().all(y.get());
    EXPECT_EQ(v[0].c, std::complex<double>(7, 3));
    EXPECT_EQ(v[1].c, std::complex<double>(1, std::numeric_limits<double>::max()));
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
// make_reduce_test - reductions and running sums: dtypes, shapes, values, canonical cells, and what is empty or not a number.
#include "graph/interpret.h"

namespace {

using Ints = std::vector<int64_t>;
using Reals = std::vector<double>;
const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();

struct Options {
    weft_dtype dtype = WEFT_DTYPE_DEFAULT;
    bool keepdims = false;
    double correction = 0;
};

Node reduced(wf_reduction kind, const Node &x, const std::vector<int> &axes, Options o = {})
{
    const int none = 0;  // no axes are not all axes: the pointer tells
    return made([&](wf_node **out) {
        return wf_make_reduction(kind, x.get(), static_cast<int>(axes.size()), axes.empty() ? &none : axes.data(), o.dtype, o.keepdims,
                                 o.correction, out);
    });
}

Node reduced_all(wf_reduction kind, const Node &x, Options o = {})
{
    return made([&](wf_node **out) { return wf_make_reduction(kind, x.get(), 0, nullptr, o.dtype, o.keepdims, o.correction, out); });
}

void expect_reals(const Node &n, const Reals &want)
{
    Reals got = reals(n);
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < want.size(); i++) {
        if (std::isnan(want[i])) {
            EXPECT_TRUE(std::isnan(got[i])) << "element " << i << " is " << got[i];
        } else {
            EXPECT_DOUBLE_EQ(got[i], want[i]) << "element " << i;
        }
    }
}

struct Cells {
    std::vector<int64_t> cell;
    bool inner;
};

Cells cells(const std::vector<int64_t> &dims, const std::vector<int> &axes, int level)
{
    wf_shape s = shape_of(dims);
    bool reduced[WEFT_MAX_NDIM] = {};
    int64_t cell[WEFT_MAX_NDIM];
    Cells c;
    for (int a : axes) reduced[a] = true;
    wf_reduce_cells(&s, reduced, level, cell, &c.inner);
    c.cell.assign(cell, cell + s.ndim);
    return c;
}

TEST(ReduceCells, AreAFunctionOfTheShape) {
    EXPECT_EQ(cells({100000}, {0}, 0).cell, (Ints{4096}));
    EXPECT_TRUE(cells({100000}, {0}, 0).inner);
    EXPECT_EQ(cells({1000, 300}, {0}, 0).cell, (Ints{64, 1}));
    EXPECT_FALSE(cells({1000, 300}, {0}, 0).inner);
    EXPECT_EQ(cells({1000, 300}, {0}, 1).cell, (Ints{256, 1}));
    EXPECT_EQ(cells({1000, 300}, {1}, 0).cell, (Ints{1, 300}));
    EXPECT_EQ(cells({1000, 300}, {0, 1}, 0).cell, (Ints{13, 300}));
    EXPECT_EQ(cells({3000, 3000}, {0, 1}, 0).cell, (Ints{1, 3000}));
    EXPECT_EQ(cells({5000, 1}, {0}, 0).cell, (Ints{4096, 1}));
    EXPECT_TRUE(cells({5000, 1}, {0}, 0).inner);
    EXPECT_EQ(cells({50, 7, 9}, {0, 1}, 0).cell, (Ints{9, 7, 1}));
    EXPECT_EQ(cells({7, 5000, 2}, {1, 2}, 0).cell, (Ints{1, 2048, 2}));
}

TEST(Reduce, BuildsLevelsUntilOneIsLeft) {
    Node x = leaf(WEFT_FLOAT64, {20000, 3});
    Node y = reduced(WF_REDUCTION_SUM, x, {0});
    int levels = 0;

    for (const wf_node *n = y.get(); n != x.get(); n = n->in[0]) levels += n->kind == WF_NODE_REDUCE;
    EXPECT_EQ(levels, 3);  // 20000 -> 313 -> 2 -> 1
    EXPECT_EQ(dims(y), (Ints{3}));
    EXPECT_EQ(reals(y)[0], 20000.0 + 3 * (19999.0 * 20000 / 2));
}

TEST(Reduce, SumsOverAnyAxes) {
    const std::vector<std::vector<int64_t>> shapes = {{5}, {4, 5}, {130, 3}, {3, 70, 2}, {5000}, {2, 4100}, {9, 9, 9}};
    for (const auto &shape : shapes)
        for (int mask = 0; mask < 1 << shape.size(); mask++)
            for (bool keep : {false, true}) {
                std::vector<int> axes;
                std::vector<int64_t> want_dims;
                for (size_t a = 0; a < shape.size(); a++) {
                    if (mask >> a & 1) axes.push_back(static_cast<int>(a));
                    if (!(mask >> a & 1)) want_dims.push_back(shape[a]);
                    else if (keep) want_dims.push_back(1);
                }
                Node x = leaf(WEFT_INT64, shape);
                Node y = reduced(WF_REDUCTION_SUM, x, axes, {WEFT_DTYPE_DEFAULT, keep, 0});
                EXPECT_EQ(dims(y), want_dims);
                wf_shape s = shape_of(shape), t = shape_of(want_dims);
                Ints want(static_cast<size_t>(wf_shape_size(&t)), 0);
                for (int64_t i = 0; i < wf_shape_size(&s); i++) {
                    int64_t rest = i, at = 0, run = 1;
                    for (int a = s.ndim - 1; a >= 0; a--) {
                        int64_t c = rest % s.dim[a];
                        rest /= s.dim[a];
                        if (mask >> a & 1) continue;
                        at += c * run;
                        run *= s.dim[a];
                    }
                    want[static_cast<size_t>(at)] += i + 1;
                }
                EXPECT_EQ(ints(y), want);
            }
}

TEST(Reduce, HasNumPysDtypes) {
    auto dtype = [](wf_reduction k, weft_dtype d) { return reduced_all(k, leaf(d, {4}))->dtype; };

    EXPECT_EQ(dtype(WF_REDUCTION_SUM, WEFT_BOOL), WEFT_INT64);
    EXPECT_EQ(dtype(WF_REDUCTION_SUM, WEFT_INT8), WEFT_INT64);
    EXPECT_EQ(dtype(WF_REDUCTION_PROD, WEFT_UINT16), WEFT_UINT64);
    EXPECT_EQ(dtype(WF_REDUCTION_SUM, WEFT_FLOAT16), WEFT_FLOAT16);
    EXPECT_EQ(dtype(WF_REDUCTION_SUM, WEFT_COMPLEX64), WEFT_COMPLEX64);
    EXPECT_EQ(dtype(WF_REDUCTION_MIN, WEFT_BFLOAT16), WEFT_BFLOAT16);
    EXPECT_EQ(dtype(WF_REDUCTION_MAX, WEFT_BOOL), WEFT_BOOL);
    EXPECT_EQ(dtype(WF_REDUCTION_MEAN, WEFT_INT8), WEFT_FLOAT64);
    EXPECT_EQ(dtype(WF_REDUCTION_MEAN, WEFT_FLOAT32), WEFT_FLOAT32);
    EXPECT_EQ(dtype(WF_REDUCTION_MEAN, WEFT_COMPLEX128), WEFT_COMPLEX128);
    EXPECT_EQ(dtype(WF_REDUCTION_VAR, WEFT_COMPLEX64), WEFT_FLOAT32);
    EXPECT_EQ(dtype(WF_REDUCTION_STD, WEFT_UINT64), WEFT_FLOAT64);
    EXPECT_EQ(dtype(WF_REDUCTION_ANY, WEFT_FLOAT32), WEFT_BOOL);
    EXPECT_EQ(dtype(WF_REDUCTION_COUNT_NONZERO, WEFT_FLOAT32), WEFT_INT64);
    EXPECT_EQ(dtype(WF_REDUCTION_ARGMAX, WEFT_FLOAT16), WEFT_INT64);
    EXPECT_EQ(dtype(WF_REDUCTION_NANMEAN, WEFT_FLOAT16), WEFT_FLOAT16);
    EXPECT_EQ(dtype(WF_REDUCTION_NANVAR, WEFT_COMPLEX64), WEFT_FLOAT32);
    Node x = leaf(WEFT_FLOAT64, {2}, {1.5, 1.5});
    EXPECT_EQ(ints(reduced_all(WF_REDUCTION_SUM, x, {WEFT_INT32, false, 0})), Ints{2});  // each is truncated first
    EXPECT_EQ(reduced_all(WF_REDUCTION_MEAN, x, {WEFT_FLOAT16, false, 0})->dtype, WEFT_FLOAT16);
    EXPECT_EQ(ints(reduced_all(WF_REDUCTION_SUM, x, {WEFT_BOOL, false, 0})), Ints{1});
}

TEST(Reduce, FindsMeansAndVariances) {
    Node x = leaf(WEFT_FLOAT64, {2, 3}, {1, 2, 6, 4, 4, 7}), i = leaf(WEFT_INT8, {3});

    expect_reals(reduced(WF_REDUCTION_MEAN, x, {1}), {3, 5});
    expect_reals(reduced(WF_REDUCTION_VAR, x, {1}), {14.0 / 3, 2});
    expect_reals(reduced(WF_REDUCTION_VAR, x, {1}, {WEFT_DTYPE_DEFAULT, false, 1}), {7, 3});
    expect_reals(reduced(WF_REDUCTION_STD, x, {0}), {1.5, 1, 0.5});
    expect_reals(reduced(WF_REDUCTION_VAR, x, {1}, {WEFT_DTYPE_DEFAULT, false, 3}), {inf, inf});
    expect_reals(reduced_all(WF_REDUCTION_MEAN, i), {2});
    Node c = leaf(WEFT_COMPLEX128, {2}, {{0, 1}, {0, -1}});
    expect_reals(reduced_all(WF_REDUCTION_VAR, c), {1});
}

TEST(Reduce, LooksForTruth) {
    Node x = leaf(WEFT_FLOAT64, {2, 3}, {0, nan, 0, 0, 0, 0});

    EXPECT_EQ(ints(reduced(WF_REDUCTION_ANY, x, {1})), (Ints{1, 0}));
    EXPECT_EQ(ints(reduced(WF_REDUCTION_ALL, x, {0})), (Ints{0, 0, 0}));
    EXPECT_EQ(ints(reduced(WF_REDUCTION_COUNT_NONZERO, x, {1})), (Ints{1, 0}));
    EXPECT_EQ(ints(reduced_all(WF_REDUCTION_COUNT_NONZERO, leaf(WEFT_BOOL, {2, 2}, {1, 0, 1, 1}))), Ints{3});
}

TEST(Reduce, LeavesOutNaNWhereAsked) {
    Node x = leaf(WEFT_FLOAT64, {3, 3}, {1, nan, 3, nan, nan, nan, 5, 5, 5});

    expect_reals(reduced(WF_REDUCTION_NANSUM, x, {1}), {4, 0, 15});
    expect_reals(reduced(WF_REDUCTION_NANPROD, x, {1}), {3, 1, 125});
    expect_reals(reduced(WF_REDUCTION_NANMIN, x, {1}), {1, nan, 5});
    expect_reals(reduced(WF_REDUCTION_NANMAX, x, {1}), {3, nan, 5});
    expect_reals(reduced(WF_REDUCTION_NANMEAN, x, {1}), {2, nan, 5});
    expect_reals(reduced(WF_REDUCTION_NANVAR, x, {1}), {1, nan, 0});
    expect_reals(reduced(WF_REDUCTION_NANVAR, x, {1}, {WEFT_DTYPE_DEFAULT, false, 2}), {nan, nan, 0});
    expect_reals(reduced(WF_REDUCTION_NANSTD, x, {1}), {1, nan, 0});
    expect_reals(reduced(WF_REDUCTION_NANARGMIN, x, {1}), {0, -1, 0});
    expect_reals(reduced(WF_REDUCTION_NANARGMAX, x, {1}), {2, -1, 0});
    expect_reals(reduced(WF_REDUCTION_SUM, x, {1}), {nan, nan, 15});
    expect_reals(reduced(WF_REDUCTION_MAX, x, {1}), {nan, nan, 5});
    expect_reals(reduced(WF_REDUCTION_ARGMAX, x, {1}), {1, 0, 0});
}

TEST(Reduce, OfIntegersHasNoNaNForm) {
    Node x = leaf(WEFT_INT32, {4});
    Node y = reduced_all(WF_REDUCTION_NANMAX, x);

    EXPECT_EQ(y->in[0]->in[0]->op, WF_REDUCE_MAX);
    EXPECT_EQ(reduced_all(WF_REDUCTION_NANSUM, x)->dtype, WEFT_INT64);
    EXPECT_EQ(ints(reduced_all(WF_REDUCTION_NANARGMAX, x)), Ints{3});
}

TEST(Reduce, FindsPositionsInTheFlattenedArray) {
    Node x = leaf(WEFT_FLOAT64, {2, 3}, {3, 1, 2, 1, 9, 9});

    EXPECT_EQ(ints(reduced_all(WF_REDUCTION_ARGMIN, x)), Ints{1});
    EXPECT_EQ(ints(reduced_all(WF_REDUCTION_ARGMAX, x)), Ints{4});
    EXPECT_EQ(ints(reduced(WF_REDUCTION_ARGMIN, x, {0})), (Ints{1, 0, 0}));
    EXPECT_EQ(ints(reduced(WF_REDUCTION_ARGMIN, x, {1})), (Ints{1, 0}));
    Node kept = reduced_all(WF_REDUCTION_ARGMAX, x, {WEFT_DTYPE_DEFAULT, true, 0});
    EXPECT_EQ(dims(kept), (Ints{1, 1}));
}

TEST(Reduce, FindsPositionsAcrossLevels) {
    std::vector<std::complex<double>> values(3 * 5000, 5.0), holes(3 * 5000, nan);
    values[2 * 5000 + 4999] = 7;
    values[5000 + 17] = values[5000 + 4500] = 1;
    holes[2 * 5000 + 4321] = 0;
    Node x = leaf(WEFT_FLOAT64, {3, 5000}, values), h = leaf(WEFT_FLOAT64, {3, 5000}, holes);

    EXPECT_EQ(ints(reduced_all(WF_REDUCTION_ARGMAX, x)), Ints{14999});
    EXPECT_EQ(ints(reduced_all(WF_REDUCTION_ARGMIN, x)), Ints{5017});
    EXPECT_EQ(ints(reduced(WF_REDUCTION_ARGMIN, x, {1})), (Ints{0, 17, 0}));
    EXPECT_EQ(ints(reduced_all(WF_REDUCTION_NANARGMIN, h)), Ints{14321});
    EXPECT_EQ(ints(reduced(WF_REDUCTION_NANARGMIN, h, {1})), (Ints{-1, -1, 4321}));
    Node none = leaf(WEFT_FLOAT64, {3, 5000}, std::vector<std::complex<double>>(3 * 5000, nan));
    EXPECT_EQ(ints(reduced_all(WF_REDUCTION_NANARGMAX, none)), Ints{-1});
}

TEST(Reduce, OfOneElementNeedsNoReduction) {
    Node x = leaf(WEFT_FLOAT64, {3, 1}, {2, nan, inf});
    auto one = [&](wf_reduction k, double correction = 0) { return reduced(k, x, {1}, {WEFT_DTYPE_DEFAULT, false, correction}); };

    expect_reals(one(WF_REDUCTION_SUM), {2, nan, inf});
    expect_reals(one(WF_REDUCTION_MEAN), {2, nan, inf});
    expect_reals(one(WF_REDUCTION_VAR), {0, nan, nan});
    expect_reals(one(WF_REDUCTION_VAR, 1), {nan, nan, nan});
    expect_reals(one(WF_REDUCTION_ANY), {1, 1, 1});
    expect_reals(one(WF_REDUCTION_COUNT_NONZERO), {1, 1, 1});
    expect_reals(one(WF_REDUCTION_ARGMIN), {0, 0, 0});
    expect_reals(one(WF_REDUCTION_NANARGMIN), {0, -1, 0});
    expect_reals(one(WF_REDUCTION_NANSUM), {2, 0, inf});
    expect_reals(one(WF_REDUCTION_NANMEAN), {2, nan, inf});
    expect_reals(one(WF_REDUCTION_NANMIN), {2, nan, inf});
    expect_reals(one(WF_REDUCTION_NANVAR), {0, nan, nan});
    EXPECT_EQ(reduced(WF_REDUCTION_SUM, x, std::vector<int>{}).get(), x.get());
    Node weak = reduced_all(WF_REDUCTION_MEAN, num(3));
    EXPECT_FALSE(weak->weak);
}

TEST(Reduce, OfNothingIsTheIdentity) {
    Node x = leaf(WEFT_FLOAT32, {2, 0}), none = leaf(WEFT_INT32, {0, 0});

    expect_reals(reduced(WF_REDUCTION_SUM, x, {1}), {0, 0});
    expect_reals(reduced(WF_REDUCTION_PROD, x, {1}), {1, 1});
    expect_reals(reduced(WF_REDUCTION_ANY, x, {1}), {0, 0});
    expect_reals(reduced(WF_REDUCTION_ALL, x, {1}), {1, 1});
    expect_reals(reduced(WF_REDUCTION_COUNT_NONZERO, x, {1}), {0, 0});
    expect_reals(reduced(WF_REDUCTION_MEAN, x, {1}), {nan, nan});
    expect_reals(reduced(WF_REDUCTION_STD, x, {1}), {nan, nan});
    expect_reals(reduced(WF_REDUCTION_NANMAX, x, {1}), {nan, nan});
    expect_reals(reduced(WF_REDUCTION_NANARGMAX, x, {1}), {-1, -1});
    EXPECT_EQ(dims(reduced(WF_REDUCTION_SUM, x, {0})), (Ints{0}));
    EXPECT_EQ(dims(reduced(WF_REDUCTION_MIN, none, {0})), (Ints{0}));
}

TEST(Reduce, RefusesWhatHasNoAnswer) {
    Node none = leaf(WEFT_FLOAT32, {2, 0}), empty = leaf(WEFT_INT8, {0}), c = leaf(WEFT_COMPLEX64, {3}), x = leaf(WEFT_FLOAT32, {2, 3});
    auto of = [](wf_reduction k, const Node &n, std::vector<int> axes, int d = 0) {  // int: one test passes no dtype at all
        return [=, &n](wf_node **out) {
            return wf_make_reduction(k, n.get(), static_cast<int>(axes.size()), axes.data(), static_cast<weft_dtype>(d), false, 0, out);
        };
    };

    refused(WEFT_INVALID, "min: an empty axis has no smallest element", of(WF_REDUCTION_MIN, none, {1}));
    refused(WEFT_INVALID, "argmax: an empty axis has no largest element", of(WF_REDUCTION_ARGMAX, none, {1}));
    refused(WEFT_INVALID, "nanmin: an empty axis has no smallest element", of(WF_REDUCTION_NANMIN, empty, {0}));
    refused(WEFT_INVALID, "max: complex64 has no order", of(WF_REDUCTION_MAX, c, {0}));
    refused(WEFT_INVALID, "nanargmin: complex64 has no order", of(WF_REDUCTION_NANARGMIN, c, {0}));
    refused(WEFT_INVALID, "sum: axis 2 is out of bounds for an array of 2 axes", of(WF_REDUCTION_SUM, x, {2}));
    refused(WEFT_INVALID, "sum: axis 1 is given twice", of(WF_REDUCTION_SUM, x, {1, -1}));
    refused(WEFT_INVALID, "argmin: expected one axis or all, got 2", of(WF_REDUCTION_ARGMIN, x, {0, 1}));
    refused(WEFT_INVALID, "min: takes no dtype, got float32", of(WF_REDUCTION_MIN, x, {0}, WEFT_FLOAT32));
    refused(WEFT_INVALID, "mean: expected a float or complex dtype, got int32", of(WF_REDUCTION_MEAN, x, {0}, WEFT_INT32));
    refused(WEFT_INVALID, "sum: expected a dtype, got the number 50", of(WF_REDUCTION_SUM, x, {0}, 50));
}

TEST(Reduce, SharesThePassOfItsTwoSums) {
    Node x = leaf(WEFT_FLOAT32, {300});
    Node y = reduced(WF_REDUCTION_NANMEAN, x, {0}, {WEFT_DTYPE_DEFAULT, true, 0});

    ASSERT_EQ(y->op, WF_OP_DIVIDE);
    const wf_node *sum = y->in[0]->in[0], *count = y->in[1]->in[0]->in[0];
    ASSERT_EQ(sum->kind, WF_NODE_REDUCE);
    ASSERT_EQ(count->kind, WF_NODE_REDUCE);
    EXPECT_EQ(sum->inner, count->inner);
    EXPECT_EQ(sum->cell[0], count->cell[0]);
}

Node scanned(wf_scan_op o, const Node &x, int axis, weft_dtype dtype = WEFT_DTYPE_DEFAULT, bool initial = false)
{
    return made([&](wf_node **out) { return wf_make_scan(o, x.get(), axis, dtype, initial, out); });
}

TEST(Scan, RunsAlongAnAxis) {
    Node x = leaf(WEFT_INT8, {2, 3});

    EXPECT_EQ(ints(scanned(WF_SCAN_SUM, x, 1)), (Ints{1, 3, 6, 4, 9, 15}));
    EXPECT_EQ(ints(scanned(WF_SCAN_PROD, x, -2)), (Ints{1, 2, 3, 4, 10, 18}));
    EXPECT_EQ(scanned(WF_SCAN_SUM, x, 1)->dtype, WEFT_INT64);
    EXPECT_EQ(ints(scanned(WF_SCAN_SUM, x, 1, WEFT_DTYPE_DEFAULT, true)), (Ints{0, 1, 3, 6, 0, 4, 9, 15}));
    EXPECT_EQ(ints(scanned(WF_SCAN_PROD, x, 0, WEFT_DTYPE_DEFAULT, true)), (Ints{1, 1, 1, 1, 2, 3, 4, 10, 18}));
}

TEST(Scan, OfHalvesRunsInFloat32) {
    Node y = scanned(WF_SCAN_SUM, leaf(WEFT_FLOAT16, {3}), 0);

    EXPECT_EQ(y->dtype, WEFT_FLOAT16);
    EXPECT_EQ(y->in[0]->kind, WF_NODE_SCAN);
    EXPECT_EQ(y->in[0]->dtype, WEFT_FLOAT32);
    EXPECT_EQ(ints(y), (Ints{1, 3, 6}));
}

TEST(Scan, OfNothingAndOfOne) {
    Node none = leaf(WEFT_FLOAT64, {0, 2}), one = leaf(WEFT_FLOAT64, {1, 2});

    EXPECT_EQ(dims(scanned(WF_SCAN_SUM, none, 0)), (Ints{0, 2}));
    EXPECT_EQ(ints(scanned(WF_SCAN_SUM, none, 0, WEFT_DTYPE_DEFAULT, true)), (Ints{0, 0}));
    EXPECT_EQ(scanned(WF_SCAN_SUM, one, 0).get(), one.get());
    Node flat = leaf(WEFT_FLOAT64, {});
    refused(WEFT_INVALID, "cumulative_sum: axis 0 is out of bounds for an array of 0 axes",
            [&](wf_node **out) { return wf_make_scan(WF_SCAN_SUM, flat.get(), 0, WEFT_DTYPE_DEFAULT, false, out); });
    refused(WEFT_INVALID, "cumulative_prod: expected a numeric dtype, got bool",
            [&](wf_node **out) { return wf_make_scan(WF_SCAN_PROD, one.get(), 0, WEFT_BOOL, false, out); });
}

}  // namespace

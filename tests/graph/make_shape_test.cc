// SPDX-License-Identifier: Apache-2.0
// make_shape_test - views and parts: which element of the operand each element of the result is, compared with NumPy.
#include "graph/interpret.h"
#include "graph/numpy_cases.h"
#include "weft.h"

extern "C" {
#include "array/cut.h"
}

namespace {

Node arange_of(const Ints &dims) { return leaf(WEFT_INT64, dims); }

TEST(View, OfAViewIsOneView) {
    Node x = arange_of({4, 5});
    int swap[] = {1, 0}, first[] = {0};
    Node t = made([&](wf_node **out) { return wf_make_permute("permute_dims", x.get(), 2, swap, out); });
    Node f = made([&](wf_node **out) { return wf_make_flip(t.get(), 1, first, out); });

    EXPECT_EQ(f->in[0], x.get());
    EXPECT_EQ(ints(f), (Ints{5, 10, 15, 20, 4, 9, 14, 19, 3, 8, 13, 18, 2, 7, 12, 17, 1, 6, 11, 16}));
}

TEST(View, ThatChangesNothingIsTheArrayItself) {
    Node x = arange_of({4, 5});
    Node f = made([&](wf_node **out) { return wf_make_flip(x.get(), 0, nullptr, out); });
    Node g = made([&](wf_node **out) { return wf_make_flip(f.get(), 0, nullptr, out); });

    EXPECT_NE(f.get(), x.get());
    EXPECT_EQ(g.get(), x.get());
}

TEST(View, OfAnArrayThatHasForgottenItsInputsReadsTheArray) {
    Node x = arange_of({4});
    Node f = made([&](wf_node **out) { return wf_make_flip(x.get(), 0, nullptr, out); });
    wf_node_forget_inputs(f.get());
    Node g = Node();
    wf_node *n = nullptr;

    ASSERT_EQ(wf_make_expand_dims(f.get(), 0, &n), WEFT_OK);
    EXPECT_EQ(n->in[0], f.get());
    wf_node_release(n);
}

TEST(Permute, RefusesAxesThatAreNoPermutation) {
    Node x = arange_of({2, 3, 4});
    int few[] = {0, 1}, twice[] = {0, 1, 1}, far[] = {0, 1, 3};

    refused(WEFT_INVALID, "permute_dims: expected 3 axes, got 2",
            [&](wf_node **out) { return wf_make_permute("permute_dims", x.get(), 2, few, out); });
    refused(WEFT_INVALID, "permute_dims: axis 1 is given twice",
            [&](wf_node **out) { return wf_make_permute("permute_dims", x.get(), 3, twice, out); });
    refused(WEFT_INVALID, "permute_dims: axis 3 is out of bounds for an array of 3 axes",
            [&](wf_node **out) { return wf_make_permute("permute_dims", x.get(), 3, far, out); });
}

TEST(Permute, WithoutAxesReverses) {
    Node x = arange_of({2, 3, 4});
    Node t = made([&](wf_node **out) { return wf_make_permute("permute_dims", x.get(), 0, nullptr, out); });

    EXPECT_EQ(dims(t), (Ints{4, 3, 2}));
    EXPECT_EQ(ints(t)[1], 13);
}

TEST(BroadcastTo, StretchesAndRefuses) {
    Node x = arange_of({3, 1});
    wf_shape good = shape_of({2, 3, 2}), bad = shape_of({2, 4, 2}), few = shape_of({3});

    Node y = made([&](wf_node **out) { return wf_make_broadcast_to(x.get(), &good, out); });
    EXPECT_EQ(ints(y), (Ints{1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3}));
    refused(WEFT_INVALID, "broadcast_to: shape (3, 1) does not broadcast to (2, 4, 2)",
            [&](wf_node **out) { return wf_make_broadcast_to(x.get(), &bad, out); });
    refused(WEFT_INVALID, "broadcast_to: shape (3, 1) does not broadcast to (3,)",
            [&](wf_node **out) { return wf_make_broadcast_to(x.get(), &few, out); });
    wf_shape huge = shape_of({INT64_MAX / 4, 3, 2});
    refused(WEFT_OVERFLOW, "broadcast_to: the number of elements does not fit in 64 bits",
            [&](wf_node **out) { return wf_make_broadcast_to(x.get(), &huge, out); });
}

TEST(Squeeze, DropsOnlyAxesOfOneElement) {
    Node x = arange_of({1, 3, 1});
    int first[] = {0}, middle[] = {1};

    EXPECT_EQ(dims(made([&](wf_node **out) { return wf_make_squeeze(x.get(), 0, nullptr, out); })), (Ints{3}));
    EXPECT_EQ(dims(made([&](wf_node **out) { return wf_make_squeeze(x.get(), 1, first, out); })), (Ints{3, 1}));
    refused(WEFT_INVALID, "squeeze: axis 1 must have 1 element, got 3",
            [&](wf_node **out) { return wf_make_squeeze(x.get(), 1, middle, out); });
}

TEST(ExpandDims, InsertsAnAxisAnywhere) {
    Node x = arange_of({2, 3});

    EXPECT_EQ(dims(made([&](wf_node **out) { return wf_make_expand_dims(x.get(), 0, out); })), (Ints{1, 2, 3}));
    EXPECT_EQ(dims(made([&](wf_node **out) { return wf_make_expand_dims(x.get(), -1, out); })), (Ints{2, 3, 1}));
    refused(WEFT_INVALID, "expand_dims: axis 3 is out of bounds for an array of 3 axes",
            [&](wf_node **out) { return wf_make_expand_dims(x.get(), 3, out); });
    Node wide = arange_of(Ints(16, 1));
    refused(WEFT_INVALID, "expand_dims: number of axes must be 0..16, got 17",
            [&](wf_node **out) { return wf_make_expand_dims(wide.get(), 0, out); });
}

Node reshaped(const Node &x, const Ints &to)
{
    return made([&](wf_node **out) { return wf_make_reshape(x.get(), static_cast<int>(to.size()), to.data(), out); });
}

TEST(Reshape, IsAViewWhereOnlyAxesOfOneElementChange) {
    Node x = arange_of({2, 1, 3});

    EXPECT_EQ(reshaped(x, {2, 3})->kind, WF_NODE_VIEW);
    EXPECT_EQ(reshaped(x, {1, 2, 3, 1})->kind, WF_NODE_VIEW);
    EXPECT_EQ(reshaped(x, {2, 1, -1}).get(), x.get());
    EXPECT_EQ(ints(reshaped(x, {1, 2, 3, 1})), ints(x));
    Node flat = reshaped(x, {-1});
    EXPECT_EQ(flat->kind, WF_NODE_RESHAPE);
    EXPECT_EQ(dims(flat), (Ints{6}));
    EXPECT_EQ(ints(flat), ints(x));
}

TEST(Reshape, OfAReshapeForgetsTheOneBetween) {
    Node x = arange_of({2, 3, 4});
    Node y = reshaped(reshaped(x, {24}), {4, 6});

    EXPECT_EQ(y->in[0], x.get());
    EXPECT_EQ(reshaped(y, {2, 3, 4}).get(), x.get());
}

TEST(Reshape, OfAConstantIsAConstant) {
    wf_shape s = shape_of({4, 6});
    wf_scalar seven = {};
    seven.i = 7;
    Node x = made([&](wf_node **out) { return wf_make_full(WEFT_INT32, &s, &seven, nullptr, out); });
    Node y = reshaped(x, {2, -1});

    EXPECT_EQ(y->kind, WF_NODE_VIEW);
    EXPECT_EQ(dims(y), (Ints{2, 12}));
    EXPECT_EQ(ints(y), Ints(24, 7));
}

TEST(Reshape, OfNothingHasNothing) {
    Node x = arange_of({0, 3});

    EXPECT_EQ(dims(reshaped(x, {3, 0, 5})), (Ints{3, 0, 5}));
    EXPECT_EQ(dims(reshaped(x, {-1})), (Ints{0}));
}

TEST(Reshape, RefusesOtherCounts) {
    Node x = arange_of({3, 4}), none = arange_of({0});
    int64_t five[] = {5, -1}, ten[] = {2, 5}, two[] = {-1, -1}, bad[] = {-2, 6}, vague[] = {0, -1};

    refused(WEFT_INVALID, "reshape: 12 elements of shape (3, 4) do not make (5, -1)",
            [&](wf_node **out) { return wf_make_reshape(x.get(), 2, five, out); });
    refused(WEFT_INVALID, "reshape: 12 elements of shape (3, 4) do not make (2, 5)",
            [&](wf_node **out) { return wf_make_reshape(x.get(), 2, ten, out); });
    refused(WEFT_INVALID, "reshape: at most one extent may be -1, got (-1, -1)",
            [&](wf_node **out) { return wf_make_reshape(x.get(), 2, two, out); });
    refused(WEFT_INVALID, "reshape: extent of axis 0 must be >= 0, got -2",
            [&](wf_node **out) { return wf_make_reshape(x.get(), 2, bad, out); });
    refused(WEFT_INVALID, "reshape: 0 elements of shape (0,) do not make (0, -1)",
            [&](wf_node **out) { return wf_make_reshape(none.get(), 2, vague, out); });
    refused(WEFT_INVALID, "reshape: number of axes must be 0..16, got 17",
            [&](wf_node **out) { return wf_make_reshape(x.get(), 17, five, out); });
}

TEST(Flip, ReversesTheAxesGiven) {
    Node x = arange_of({2, 3});
    int last[] = {-1}, twice[] = {0, 0};

    EXPECT_EQ(ints(made([&](wf_node **out) { return wf_make_flip(x.get(), 1, last, out); })), (Ints{3, 2, 1, 6, 5, 4}));
    EXPECT_EQ(ints(made([&](wf_node **out) { return wf_make_flip(x.get(), 0, nullptr, out); })), (Ints{6, 5, 4, 3, 2, 1}));
    EXPECT_EQ(dims(made([&](wf_node **out) { return wf_make_flip(arange_of({0, 2}).get(), 0, nullptr, out); })), (Ints{0, 2}));
    refused(WEFT_INVALID, "flip: axis 0 is given twice", [&](wf_node **out) { return wf_make_flip(x.get(), 2, twice, out); });
}

TEST(Repeat, RepeatsEachElement) {
    Node x = arange_of({2, 2}), row = arange_of({1, 3});

    Node y = made([&](wf_node **out) { return wf_make_repeat(x.get(), 2, 0, out); });
    EXPECT_EQ(ints(y), (Ints{1, 2, 1, 2, 3, 4, 3, 4}));
    Node z = made([&](wf_node **out) { return wf_make_repeat(x.get(), 3, -1, out); });
    EXPECT_EQ(ints(z), (Ints{1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4}));
    EXPECT_EQ(made([&](wf_node **out) { return wf_make_repeat(row.get(), 5, 0, out); })->kind, WF_NODE_VIEW);
    EXPECT_EQ(dims(made([&](wf_node **out) { return wf_make_repeat(x.get(), 0, 0, out); })), (Ints{0, 2}));
    refused(WEFT_INVALID, "repeat: count must be >= 0, got -1", [&](wf_node **out) { return wf_make_repeat(x.get(), -1, 0, out); });
    refused(WEFT_OVERFLOW, "repeat: the number of elements does not fit in 64 bits",
            [&](wf_node **out) { return wf_make_repeat(x.get(), INT64_MAX, 0, out); });
}

TEST(Rechunk, CarriesTheGridOfItsShape) {
    Node x = arange_of({4, 4});
    wf_grid grid, other;
    wf_shape s = shape_of({4, 4}), wrong = shape_of({4});
    int64_t block[] = {2, 3};
    ASSERT_EQ(wf_grid_init(&grid, &s, block), WEFT_OK);
    ASSERT_EQ(wf_grid_init(&other, &wrong, block), WEFT_OK);

    Node y = made([&](wf_node **out) { return wf_make_rechunk(x.get(), &grid, out); });
    EXPECT_TRUE(wf_grid_equal(y->grid, &grid));
    EXPECT_EQ(ints(y), ints(x));
    refused(WEFT_INVALID, "rechunk: expected a grid over shape (4, 4), got one over (4,)",
            [&](wf_node **out) { return wf_make_rechunk(x.get(), &other, out); });
}

TEST(Concat, JoinsAndPromotes) {
    Node a = leaf(WEFT_INT8, {2, 2}), b = leaf(WEFT_FLOAT32, {2, 1}), none = leaf(WEFT_FLOAT32, {2, 0});
    wf_node *in[] = {a.get(), none.get(), b.get()};

    Node y = made([&](wf_node **out) { return wf_make_concat("concat", 3, in, -1, out); });
    EXPECT_EQ(y->dtype, WEFT_FLOAT32);
    EXPECT_EQ(dims(y), (Ints{2, 3}));
    EXPECT_EQ(ints(y), (Ints{1, 2, 1, 3, 4, 2}));
    EXPECT_EQ(y->npart, 2);
}

TEST(Concat, OfOneIsThatOne) {
    Node a = arange_of({2, 2}), none = arange_of({0, 2});
    wf_node *in[] = {none.get(), a.get()};

    EXPECT_EQ(made([&](wf_node **out) { return wf_make_concat("concat", 1, in + 1, 0, out); }).get(), a.get());
    EXPECT_EQ(made([&](wf_node **out) { return wf_make_concat("concat", 2, in, 0, out); }).get(), a.get());
    EXPECT_EQ(dims(made([&](wf_node **out) { return wf_make_concat("concat", 1, in, 0, out); })), (Ints{0, 2}));
}

TEST(Concat, RefusesWhatDoesNotFit) {
    Node a = arange_of({2, 2}), b = arange_of({2, 3}), c = arange_of({2}), d = arange_of({});
    wf_node *in[] = {a.get(), b.get()}, *other[] = {a.get(), c.get()}, *flat[] = {d.get()};

    refused(WEFT_INVALID, "concat: expected shape (2, 2), except along axis 0, got (2, 3) for array 1",
            [&](wf_node **out) { return wf_make_concat("concat", 2, in, 0, out); });
    refused(WEFT_INVALID, "concat: expected shape (2, 2), except along axis 0, got (2,) for array 1",
            [&](wf_node **out) { return wf_make_concat("concat", 2, other, 0, out); });
    refused(WEFT_INVALID, "concat: expected arrays with axes, got one of none",
            [&](wf_node **out) { return wf_make_concat("concat", 1, flat, 0, out); });
    refused(WEFT_INVALID, "concat: expected at least one array, got 0",
            [&](wf_node **out) { return wf_make_concat("concat", 0, in, 0, out); });
    refused(WEFT_INVALID, "concat: axis 2 is out of bounds for an array of 2 axes",
            [&](wf_node **out) { return wf_make_concat("concat", 2, in, 2, out); });
    refused(WEFT_UNSUPPORTED, "concat: at most 32767 arrays, got 40000",
            [&](wf_node **out) { return wf_make_concat("concat", 40000, in, 0, out); });
}

TEST(Stack, JoinsAlongANewAxis) {
    Node a = arange_of({2}), b = leaf(WEFT_FLOAT64, {2}), c = arange_of({3});
    wf_node *in[] = {a.get(), b.get()}, *other[] = {a.get(), c.get()};

    Node rows = made([&](wf_node **out) { return wf_make_stack(2, in, 0, out); });
    Node cols = made([&](wf_node **out) { return wf_make_stack(2, in, -1, out); });
    EXPECT_EQ(rows->dtype, WEFT_FLOAT64);
    EXPECT_EQ(ints(rows), (Ints{1, 2, 1, 2}));
    EXPECT_EQ(ints(cols), (Ints{1, 1, 2, 2}));
    refused(WEFT_INVALID, "stack: expected shape (2,), got (3,) for array 1",
            [&](wf_node **out) { return wf_make_stack(2, other, 0, out); });
}

TEST(Stack, TakesScalars) {
    Node a = num_int(1), b = num(2.5);
    wf_node *in[] = {a.get(), b.get()};

    Node y = made([&](wf_node **out) { return wf_make_stack(2, in, 0, out); });
    EXPECT_EQ(y->dtype, WEFT_FLOAT64);
    EXPECT_EQ(reals(y), (std::vector<double>{1, 2.5}));
}

TEST(Tile, IsNumPys) {
    for (const TileCase &c : numpy_tile) {
        Node x = arange_of(c.shape);
        Node y = made([&](wf_node **out) { return wf_make_tile(x.get(), static_cast<int>(c.reps.size()), c.reps.data(), out); });
        EXPECT_EQ(dims(y), c.out_shape);
        EXPECT_EQ(ints(y), c.elements);
    }
}

TEST(Tile, RefusesBadRepetitions) {
    Node x = arange_of({3});
    int64_t minus[] = {-1}, huge[] = {INT64_MAX}, many[17] = {};

    refused(WEFT_INVALID, "tile: a repetition must be >= 0, got -1", [&](wf_node **out) { return wf_make_tile(x.get(), 1, minus, out); });
    refused(WEFT_OVERFLOW, "tile: the number of elements does not fit in 64 bits",
            [&](wf_node **out) { return wf_make_tile(x.get(), 1, huge, out); });
    refused(WEFT_INVALID, "tile: number of axes must be 0..16, got 17",
            [&](wf_node **out) { return wf_make_tile(x.get(), 17, many, out); });
}

TEST(Roll, IsNumPys) {
    for (const RollCase &c : numpy_roll) {
        Node x = arange_of(c.shape);
        std::vector<int> axes(c.axes.begin(), c.axes.end());
        Node y = made([&](wf_node **out) {
            return wf_make_roll(x.get(), static_cast<int>(c.shifts.size()), c.shifts.data(), axes.empty() ? nullptr : axes.data(), out);
        });
        EXPECT_EQ(dims(y), c.shape);
        EXPECT_EQ(ints(y), c.elements);
    }
}

TEST(Roll, OfNothingAndOfLargeShifts) {
    int64_t shift[] = {INT64_MIN, INT64_MIN};
    int axes[] = {0, 0};
    Node none = arange_of({0, 2}), x = arange_of({3});

    EXPECT_EQ(made([&](wf_node **out) { return wf_make_roll(none.get(), 1, shift, axes, out); }).get(), none.get());
    EXPECT_EQ(ints(made([&](wf_node **out) { return wf_make_roll(x.get(), 2, shift, axes, out); })), (Ints{2, 3, 1}));
    refused(WEFT_INVALID, "roll: expected 1 shift of the flattened array, got 2",
            [&](wf_node **out) { return wf_make_roll(x.get(), 2, shift, nullptr, out); });
}

TEST(Pad, IsNumPys) {
    for (const PadCase &c : numpy_pad) {
        SCOPED_TRACE(testing::Message() << "mode " << c.mode << ", first element of " << c.out_shape[0]);
        Node x = arange_of(c.shape);
        Node y = made([&](wf_node **out) {
            return wf_make_pad(x.get(), c.before.data(), c.after.data(), static_cast<wf_pad_mode>(c.mode), nullptr, out);
        });
        EXPECT_EQ(dims(y), c.out_shape);
        EXPECT_EQ(ints(y), c.elements);
    }
}

TEST(Pad, FillsWithAValueOfItsDtype) {
    Node x = leaf(WEFT_UINT8, {2}), seven = num_int(7), large = num_int(300), array = leaf(WEFT_INT64, {}), none = leaf(WEFT_UINT8, {0});
    int64_t one[] = {1};
    auto pad = [&](const Node &what, const Node &value) {
        return [&](wf_node **out) { return wf_make_pad(what.get(), one, one, WF_PAD_CONSTANT, value.get(), out); };
    };

    EXPECT_EQ(ints(made(pad(x, seven))), (Ints{7, 1, 2, 7}));
    EXPECT_EQ(ints(made(pad(x, array))), (Ints{1, 1, 2, 1}));
    EXPECT_EQ(ints(made(pad(none, seven))), (Ints{7, 7}));
    refused(WEFT_OVERFLOW, "pad: 300 does not fit in uint8", pad(x, large));
    refused(WEFT_INVALID, "pad: the value must have no axes, got 1", pad(x, x));
}

TEST(Pad, RefusesWhatCannotBePadded) {
    Node x = arange_of({2}), none = arange_of({0});
    int64_t one[] = {1}, minus[] = {-1}, huge[] = {INT64_MAX}, many[] = {100000};
    auto pad = [&](const Node &what, const int64_t *before, int mode) {
        return [=, &what](wf_node **out) { return wf_make_pad(what.get(), before, before, static_cast<wf_pad_mode>(mode), nullptr, out); };
    };

    refused(WEFT_INVALID, "pad: a width must be >= 0, got -1 on axis 0", pad(x, minus, WF_PAD_EDGE));
    refused(WEFT_INVALID, "pad: axis 0 is empty: there is nothing to repeat", pad(none, one, WF_PAD_WRAP));
    refused(WEFT_OVERFLOW, "pad: the number of elements does not fit in 64 bits", pad(x, huge, WF_PAD_CONSTANT));
    refused(WEFT_UNSUPPORTED, "pad: axis 0 of 2 elements would be repeated 100000 times, the limit is 4096", pad(x, many, WF_PAD_WRAP));
    refused(WEFT_INVALID, "pad: expected a mode, got the number 9", pad(x, one, 9));
}

// The region that cuts select, as the API makes it.
void select(const Node &x, const char *text, wf_shape *region, wf_map *map)
{
    weft_cut cuts[WF_CUTS_MAX];
    wf_selection s;
    int n;
    ASSERT_EQ(wf_cuts_parse("setitem", text, &n, cuts), WEFT_OK);
    ASSERT_EQ(wf_cuts_resolve("setitem", x->shape.ndim, x->shape.dim, n, cuts, &s), WEFT_OK);
    *region = {};
    *map = {};
    region->ndim = s.ndim;
    map->ndim = x->shape.ndim;
    for (int i = 0; i < map->ndim; i++) {
        map->axis[i] = -1;
        map->start[i] = s.index[i];
    }
    for (int r = 0; r < s.ndim; r++) {
        region->dim[r] = s.axis[r].count;
        if (s.axis[r].input < 0) continue;
        map->axis[s.axis[r].input] = static_cast<int8_t>(r);
        map->start[s.axis[r].input] = s.axis[r].start;
        map->step[s.axis[r].input] = s.axis[r].step;
    }
}

Node minus(const Ints &dims)
{
    std::vector<std::complex<double>> values;
    wf_shape s = shape_of(dims);
    for (int64_t i = 0; i < wf_shape_size(&s); i++) values.push_back(static_cast<double>(-1 - i));
    return leaf(WEFT_INT64, dims, values);
}

TEST(Setitem, IsNumPys) {
    for (const SetCase &c : numpy_setitem) {
        SCOPED_TRACE(c.cuts);
        Node x = arange_of(c.shape), value = minus(c.value_shape);
        wf_shape region;
        wf_map map;
        select(x, c.cuts, &region, &map);
        Node y = made([&](wf_node **out) { return wf_make_setitem(x.get(), &region, &map, value.get(), out); });
        EXPECT_EQ(dims(y), c.shape);
        EXPECT_EQ(ints(y), c.elements);
    }
}

TEST(Setitem, OfABoxIsTwoParts) {
    Node x = leaf(WEFT_FLOAT32, {5, 5}), value = num(3);
    wf_shape region;
    wf_map map;
    select(x, "1:-1, 1:-1", &region, &map);

    Node y = made([&](wf_node **out) { return wf_make_setitem(x.get(), &region, &map, value.get(), out); });
    EXPECT_EQ(y->kind, WF_NODE_PARTS);
    EXPECT_EQ(y->npart, 2);
    EXPECT_EQ(y->dtype, WEFT_FLOAT32);
    EXPECT_EQ(ints(y), (Ints{1, 2, 3, 4, 5, 6, 3, 3, 3, 10, 11, 3, 3, 3, 15, 16, 3, 3, 3, 20, 21, 22, 23, 24, 25}));
}

TEST(Setitem, RefusesValuesThatDoNotFit) {
    Node x = leaf(WEFT_UINT8, {4}), pair = leaf(WEFT_UINT8, {2}), real = num(1), large = num_int(300), c = num_complex(0, 1);
    Node y = leaf(WEFT_FLOAT32, {4});
    wf_shape region;
    wf_map map;
    select(x, "1:", &region, &map);
    auto set = [&](const Node &to, const Node &value) {
        return [&](wf_node **out) { return wf_make_setitem(to.get(), &region, &map, value.get(), out); };
    };

    refused(WEFT_INVALID, "setitem: a value of shape (2,) does not broadcast to the region (3,)", set(x, pair));
    refused(WEFT_INVALID, "setitem: expected a value that converts to uint8, got float64", set(x, real));
    refused(WEFT_INVALID, "setitem: expected a value that converts to float32, got complex128", set(y, c));
    refused(WEFT_OVERFLOW, "setitem: 300 does not fit in uint8", set(x, large));
}

}  // namespace

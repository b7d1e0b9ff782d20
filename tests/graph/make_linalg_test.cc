// SPDX-License-Identifier: Apache-2.0
// make_linalg_test - products, selections by lists, groups and histograms.
#include "graph/interpret.h"

namespace {

using Ints = std::vector<int64_t>;

Node matmul(const Node &a, const Node &b)
{
    return made([&](wf_node **out) { return wf_make_matmul(a.get(), b.get(), out); });
}

TEST(Matmul, MultipliesMatrices) {
    Node a = leaf(WEFT_FLOAT64, {2, 3}), b = leaf(WEFT_FLOAT64, {3, 2});
    Node y = matmul(a, b);

    EXPECT_EQ(y->kind, WF_NODE_CONTRACT);
    EXPECT_EQ(y->in[0], a.get());
    EXPECT_EQ(y->in[1], b.get());
    EXPECT_EQ(ints(y), (Ints{22, 28, 49, 64}));
}

TEST(Matmul, TakesVectorsAsRowAndColumn) {
    Node m = leaf(WEFT_INT32, {2, 3}), v = leaf(WEFT_INT32, {3}), w = leaf(WEFT_INT32, {2}), batch = leaf(WEFT_INT32, {2, 2, 3});

    Node column = matmul(m, v);
    EXPECT_EQ(dims(column), (Ints{2}));
    EXPECT_EQ(ints(column), (Ints{14, 32}));
    EXPECT_EQ(ints(matmul(w, m)), (Ints{9, 12, 15}));
    Node dot = matmul(v, v);
    EXPECT_EQ(dims(dot), Ints());
    EXPECT_EQ(ints(dot), Ints{14});
    EXPECT_EQ(dot->dtype, WEFT_INT32);
    EXPECT_EQ(ints(matmul(batch, v)), (Ints{14, 32, 50, 68}));
    EXPECT_EQ(ints(matmul(w, batch)), (Ints{9, 12, 15, 27, 30, 33}));
}

TEST(Matmul, BroadcastsTheAxesInFront) {
    Node a = leaf(WEFT_INT64, {2, 1, 1, 2}), b = leaf(WEFT_INT64, {3, 2, 1});
    Node y = matmul(a, b);

    EXPECT_EQ(dims(y), (Ints{2, 3, 1, 1}));
    EXPECT_EQ(ints(y), (Ints{5, 11, 17, 11, 25, 39}));
}

TEST(Matmul, PromotesAndAccumulatesHalvesInFloat32) {
    Node h = leaf(WEFT_FLOAT16, {2, 2}), i = leaf(WEFT_INT8, {2, 2}), t = leaf(WEFT_BOOL, {2, 2}, {1, 0, 0, 0});
    Node y = matmul(h, i), z = matmul(t, t);

    EXPECT_EQ(y->dtype, WEFT_FLOAT16);
    EXPECT_EQ(y->in[0]->dtype, WEFT_FLOAT32);
    EXPECT_EQ(z->dtype, WEFT_BOOL);
    EXPECT_EQ(ints(z), (Ints{1, 0, 0, 0}));
    EXPECT_EQ(ints(matmul(leaf(WEFT_BOOL, {2}, {1, 0}), leaf(WEFT_BOOL, {2}, {0, 1}))), Ints{0});
}

TEST(Matmul, OfNothingIsZero) {
    EXPECT_EQ(ints(matmul(leaf(WEFT_FLOAT32, {2, 0}), leaf(WEFT_FLOAT32, {0, 2}))), Ints(4, 0));
    EXPECT_EQ(dims(matmul(leaf(WEFT_FLOAT32, {0, 3}), leaf(WEFT_FLOAT32, {3, 2}))), (Ints{0, 2}));
    EXPECT_EQ(ints(matmul(leaf(WEFT_FLOAT32, {0}), leaf(WEFT_FLOAT32, {0}))), Ints{0});
}

TEST(Matmul, RefusesWhatDoesNotAgree) {
    Node a = leaf(WEFT_FLOAT32, {2, 300}), b = leaf(WEFT_FLOAT32, {400, 2}), s = leaf(WEFT_FLOAT32, {});
    Node c = leaf(WEFT_FLOAT32, {2, 1, 3}), d = leaf(WEFT_FLOAT32, {5, 3, 1});

    refused(WEFT_INVALID, "matmul: inner dimensions must agree, got 300 and 400 of shapes (2, 300) and (400, 2)",
            [&](wf_node **out) { return wf_make_matmul(a.get(), b.get(), out); });
    refused(WEFT_INVALID, "matmul: expected arrays with at least one axis, got one of none",
            [&](wf_node **out) { return wf_make_matmul(a.get(), s.get(), out); });
    refused(WEFT_INVALID, "matmul: shapes (2,) and (5,) do not broadcast: axis 0 has 2 and 5",
            [&](wf_node **out) { return wf_make_matmul(c.get(), d.get(), out); });
}

TEST(Tensordot, SumsPairsOfAxes) {
    Node a = leaf(WEFT_INT64, {2, 3, 2}), b = leaf(WEFT_INT64, {3, 2, 2});
    int axes_a[] = {1, 2}, axes_b[] = {0, -1};

    Node y = made([&](wf_node **out) { return wf_make_tensordot(a.get(), b.get(), 2, axes_a, axes_b, out); });
    EXPECT_EQ(dims(y), (Ints{2, 2}));
    EXPECT_EQ(ints(y), (Ints{149, 191, 347, 461}));
    Node z = made([&](wf_node **out) { return wf_make_tensordot(a.get(), b.get(), 0, nullptr, nullptr, out); });
    EXPECT_EQ(dims(z), (Ints{2, 3, 2, 3, 2, 2}));
    EXPECT_EQ(ints(z)[13], 4);
    Node m = leaf(WEFT_FLOAT64, {2, 3});
    Node plain = made([&](wf_node **out) { return wf_make_tensordot(a.get(), m.get(), 1, nullptr, nullptr, out); });
    EXPECT_EQ(dims(plain), (Ints{2, 3, 3}));
    EXPECT_EQ(ints(plain)[0], 9);
}

TEST(Tensordot, OfMatricesCopiesNothing) {
    Node a = leaf(WEFT_FLOAT64, {2, 3}), b = leaf(WEFT_FLOAT64, {4, 3});
    int last[] = {1};

    Node y = made([&](wf_node **out) { return wf_make_tensordot(a.get(), b.get(), 1, last, last, out); });
    EXPECT_EQ(y->kind, WF_NODE_CONTRACT);
    EXPECT_EQ(y->in[0], a.get());
    EXPECT_EQ(y->in[1]->kind, WF_NODE_VIEW);
}

TEST(Tensordot, RefusesWhatDoesNotAgree) {
    Node a = leaf(WEFT_INT64, {2, 3}), b = leaf(WEFT_INT64, {4, 3}), wide = leaf(WEFT_INT64, Ints(10, 1));
    int first[] = {0}, twice[] = {0, 0}, both[] = {0, 1};

    refused(WEFT_INVALID, "tensordot: paired axes must agree, got 2 on axis 0 and 4 on axis 0",
            [&](wf_node **out) { return wf_make_tensordot(a.get(), b.get(), 1, first, first, out); });
    refused(WEFT_INVALID, "tensordot: 3 axes cannot be summed over arrays of 2 and 2",
            [&](wf_node **out) { return wf_make_tensordot(a.get(), b.get(), 3, nullptr, nullptr, out); });
    refused(WEFT_INVALID, "tensordot: axis 0 is given twice",
            [&](wf_node **out) { return wf_make_tensordot(a.get(), b.get(), 2, twice, both, out); });
    refused(WEFT_INVALID, "tensordot: number of axes must be 0..16, got 20",
            [&](wf_node **out) { return wf_make_tensordot(wide.get(), wide.get(), 0, nullptr, nullptr, out); });
}

TEST(Vecdot, ConjugatesTheFirst) {
    Node a = leaf(WEFT_COMPLEX128, {2}, {{0, 1}, 2}), b = leaf(WEFT_COMPLEX128, {2}, {{0, 1}, {0, 3}});

    Node y = made([&](wf_node **out) { return wf_make_vecdot(a.get(), b.get(), -1, out); });
    EXPECT_EQ(Interpreter().at(y.get(), {}).c, std::complex<double>(1, 6));
}

TEST(Vecdot, BroadcastsAndKeepsTheDtype) {
    Node a = leaf(WEFT_INT8, {2, 3}), b = leaf(WEFT_INT8, {3}), c = leaf(WEFT_INT8, {2}), h = leaf(WEFT_FLOAT16, {3});

    Node y = made([&](wf_node **out) { return wf_make_vecdot(a.get(), b.get(), -1, out); });
    EXPECT_EQ(y->dtype, WEFT_INT8);
    EXPECT_EQ(ints(y), (Ints{14, 32}));
    EXPECT_EQ(made([&](wf_node **out) { return wf_make_vecdot(h.get(), b.get(), -1, out); })->dtype, WEFT_FLOAT16);
    refused(WEFT_INVALID, "vecdot: the summed axes must agree, got 3 and 2",
            [&](wf_node **out) { return wf_make_vecdot(a.get(), c.get(), -1, out); });
    Node s = leaf(WEFT_INT8, {});
    refused(WEFT_INVALID, "vecdot: expected arrays with at least one axis, got one of none",
            [&](wf_node **out) { return wf_make_vecdot(a.get(), s.get(), -1, out); });
}

TEST(Outer, HasAllProducts) {
    Node a = leaf(WEFT_INT64, {2}), b = leaf(WEFT_INT64, {3});

    EXPECT_EQ(ints(made([&](wf_node **out) { return wf_make_outer(a.get(), b.get(), out); })), (Ints{1, 2, 3, 2, 4, 6}));
    Node m = leaf(WEFT_INT64, {2, 2});
    refused(WEFT_INVALID, "outer: expected arrays of one axis, got 1 and 2", [&](wf_node **out) { return wf_make_outer(a.get(), m.get(), out); });
}

struct ListReleaser {
    void operator()(wf_list *l) const { wf_list_release(l); }
};
using List = std::unique_ptr<wf_list, ListReleaser>;

List list(const Ints &items)
{
    wf_list *l = nullptr;
    EXPECT_EQ(wf_list_create(static_cast<int64_t>(items.size()), &l), WEFT_OK);
    for (size_t i = 0; i < items.size(); i++) l->item[i] = items[i];
    return List(l);
}

TEST(Take, ReadsByIndex) {
    Node x = leaf(WEFT_INT32, {2, 3});
    List some = list({2, 0, 2, 1}), none = list({});

    Node y = made([&](wf_node **out) { return wf_make_take(x.get(), some.get(), 1, out); });
    EXPECT_EQ(dims(y), (Ints{2, 4}));
    EXPECT_EQ(ints(y), (Ints{3, 1, 3, 2, 6, 4, 6, 5}));
    EXPECT_EQ(some->refs, 2);
    EXPECT_EQ(dims(made([&](wf_node **out) { return wf_make_take(x.get(), none.get(), 0, out); })), (Ints{0, 3}));
    refused(WEFT_INVALID, "take: axis 2 is out of bounds for an array of 2 axes",
            [&](wf_node **out) { return wf_make_take(x.get(), some.get(), 2, out); });
}

TEST(Compact, KeepsWhatIsTrue) {
    Node x = leaf(WEFT_INT32, {5}), mask = leaf(WEFT_BOOL, {5}, {0, 1, 1, 0, 1}), none = leaf(WEFT_BOOL, {5}, {0, 0, 0, 0, 0});
    List counts = list({1, 1, 1}), zero = list({0, 0, 0});

    Node y = made([&](wf_node **out) { return wf_make_compact(x.get(), mask.get(), counts.get(), 2, out); });
    EXPECT_EQ(ints(y), (Ints{2, 3, 5}));
    EXPECT_EQ(y->cell[0], 2);
    EXPECT_EQ(dims(made([&](wf_node **out) { return wf_make_compact(x.get(), none.get(), zero.get(), 2, out); })), (Ints{0}));
}

TEST(GroupSum, SumsByLabel) {
    Node x = leaf(WEFT_INT8, {2, 4}), h = leaf(WEFT_FLOAT16, {4}), none = leaf(WEFT_FLOAT32, {0});
    List labels = list({1, 0, -1, 1}), empty = list({});

    Node y = made([&](wf_node **out) { return wf_make_group_sum(x.get(), labels.get(), 3, 1, out); });
    EXPECT_EQ(y->dtype, WEFT_INT64);
    EXPECT_EQ(dims(y), (Ints{2, 3}));
    EXPECT_EQ(ints(y), (Ints{2, 5, 0, 6, 13, 0}));
    EXPECT_EQ(made([&](wf_node **out) { return wf_make_group_sum(h.get(), labels.get(), 2, 0, out); })->dtype, WEFT_FLOAT16);
    EXPECT_EQ(ints(made([&](wf_node **out) { return wf_make_group_sum(none.get(), empty.get(), 2, 0, out); })), (Ints{0, 0}));
    refused(WEFT_INVALID, "group_sum: expected 2 labels, as many as axis 0 has elements, got 4",
            [&](wf_node **out) { return wf_make_group_sum(x.get(), labels.get(), 3, 0, out); });
    refused(WEFT_INVALID, "group_sum: extent of axis 1 must be >= 0, got -1",
            [&](wf_node **out) { return wf_make_group_sum(x.get(), labels.get(), -1, 1, out); });
}

TEST(Bincount, CountsAndWeighs) {
    Node x = leaf(WEFT_UINT8, {5}, {0, 2, 2, 1, 2}), w = leaf(WEFT_FLOAT32, {5}, {1, 2, 3, 4, 5}), none = leaf(WEFT_INT64, {0});
    auto count = [](const Node &n, const Node &weights, int64_t bins) {
        return made([&](wf_node **out) { return wf_make_bincount(n.get(), weights.get(), bins, out); });
    };

    Node y = count(x, Node(), 4);
    EXPECT_EQ(y->dtype, WEFT_INT64);
    EXPECT_EQ(ints(y), (Ints{1, 1, 3, 0}));
    Node z = count(x, w, 3);
    EXPECT_EQ(z->dtype, WEFT_FLOAT64);
    EXPECT_EQ(ints(z), (Ints{1, 4, 10}));
    EXPECT_EQ(ints(count(none, Node(), 2)), (Ints{0, 0}));
    EXPECT_EQ(dims(count(none, Node(), 0)), (Ints{0}));
}

TEST(Bincount, AddsUpTheHistogramsOfItsCells) {
    std::vector<std::complex<double>> labels(70000);
    for (size_t i = 0; i < labels.size(); i++) labels[i] = static_cast<double>(i % 3);
    Node x = leaf(WEFT_INT64, {70000}, labels);

    Node y = made([&](wf_node **out) { return wf_make_bincount(x.get(), nullptr, 3, out); });
    EXPECT_EQ(ints(y), (Ints{23334, 23333, 23333}));
}

TEST(Bincount, RefusesOtherArrays) {
    Node m = leaf(WEFT_INT64, {2, 2}), f = leaf(WEFT_FLOAT64, {2}), x = leaf(WEFT_INT64, {2}), w = leaf(WEFT_FLOAT64, {3}), c = leaf(WEFT_COMPLEX64, {2});
    auto count = [](const Node &n, const Node &weights, int64_t bins) {
        return [&n, &weights, bins](wf_node **out) { return wf_make_bincount(n.get(), weights.get(), bins, out); };
    };
    Node null;

    refused(WEFT_INVALID, "bincount: expected an array of one axis, got 2", count(m, null, 1));
    refused(WEFT_INVALID, "bincount: expected integers, got float64", count(f, null, 1));
    refused(WEFT_INVALID, "bincount: expected weights of shape (2,), got (3,)", count(x, w, 1));
    refused(WEFT_INVALID, "bincount: expected real weights, got complex64", count(x, c, 1));
    refused(WEFT_INVALID, "bincount: the number of bins must be >= 0, got -1", count(x, null, -1));
}

}  // namespace

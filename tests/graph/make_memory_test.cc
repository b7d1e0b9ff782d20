// SPDX-License-Identifier: Apache-2.0
// make_memory_test - every constructor when memory runs out at each of its allocations, and what the CPU's kernel tables hold for
// what constructors let through.
#include <functional>

#include "graph/interpret.h"

extern "C" {
#include "kernel.h"
}

namespace {

using Make = std::function<weft_status(wf_node **)>;

struct Case {
    const char *name;
    Make make;
};

// Fails the n-th allocation for every n until the constructor gets by without the n-th.
void sweep(const Case &c)
{
    SCOPED_TRACE(c.name);
    for (int64_t n = 1;; n++) {
        ASSERT_LT(n, 1000);
        wf_node *out = nullptr;
        int64_t live = wf_alloc_live();
        wf_alloc_fail_at(n);
        weft_status st = c.make(&out);
        wf_alloc_fail_at(0);
        if (st == WEFT_OK) {
            ASSERT_NE(out, nullptr);
            wf_node_release(out);
            EXPECT_EQ(wf_alloc_live(), live);
            return;
        }
        EXPECT_EQ(st, WEFT_NO_MEMORY) << "allocation " << n << ": " << wf_last_error();
        EXPECT_EQ(out, nullptr) << "allocation " << n;
        EXPECT_EQ(wf_alloc_live(), live) << "allocation " << n;
        if (testing::Test::HasFailure()) return;
    }
}

TEST(Make, LosesNothingWhenMemoryRunsOut) {
    Node f = leaf(WEFT_FLOAT32, {3, 4}), h = leaf(WEFT_FLOAT16, {4, 3}), i = leaf(WEFT_INT8, {4}), c = leaf(WEFT_COMPLEX64, {3, 4});
    Node large = leaf(WEFT_FLOAT32, {3, 9000}), labels = leaf(WEFT_INT32, {5}), two = num(2), small = num_int(300), mask = leaf(WEFT_BOOL, {4});
    wf_node *fi[] = {f.get(), i.get()}, *compare[] = {i.get(), small.get()}, *where[] = {i.get(), f.get(), two.get()};
    wf_node *same[] = {f.get(), f.get(), f.get()};
    wf_shape s = shape_of({3, 4}), wide = shape_of({2, 3, 4}), region = shape_of({2, 2});
    int64_t one[] = {1, 1}, block[] = {2, 2}, flat[] = {-1}, twenty[] = {20, 2}, shifts[] = {1, 1}, three[] = {3, 9};
    int axes[] = {0, 1}, last[] = {-1};
    wf_scalar v = {};
    wf_grid grid;
    wf_list *list = nullptr;
    wf_map stepped = {};
    stepped.ndim = 2;
    for (int a = 0; a < 2; a++) {
        stepped.axis[a] = static_cast<int8_t>(a);
        stepped.step[a] = 2;
    }
    ASSERT_EQ(wf_grid_init(&grid, &s, block), WEFT_OK);
    ASSERT_EQ(wf_list_create(4, &list), WEFT_OK);

    auto reduce = [&](wf_reduction k, const Node &x) {
        return Make([&, k, n = x.get()](wf_node **o) { return wf_make_reduction(k, n, 0, nullptr, WEFT_DTYPE_DEFAULT, false, 0, o); });
    };
    const std::vector<Case> cases = {
        {"scalar", [&](wf_node **o) { return wf_make_scalar(WEFT_INT8, &v, true, o); }},
        {"map", [&](wf_node **o) { return wf_make_map(WF_OP_DIVIDE, fi, o); }},
        {"compare", [&](wf_node **o) { return wf_make_map(WF_OP_LESS, compare, o); }},
        {"where", [&](wf_node **o) { return wf_make_map(WF_OP_WHERE, where, o); }},
        {"cast", [&](wf_node **o) { return wf_make_cast(f.get(), WEFT_INT8, o); }},
        {"clip", [&](wf_node **o) { return wf_make_clip(f.get(), two.get(), i.get(), o); }},
        {"isclose", [&](wf_node **o) { return wf_make_isclose(f.get(), i.get(), 1e-5, 1e-8, true, o); }},
        {"nan_to_num", [&](wf_node **o) { return wf_make_nan_to_num(c.get(), 0, nullptr, nullptr, o); }},
        {"full", [&](wf_node **o) { return wf_make_full(WEFT_INT8, &s, &v, &grid, o); }},
        {"arange", [&](wf_node **o) { return wf_make_arange(0.5, 9, 0.25, WEFT_FLOAT16, o); }},
        {"linspace", [&](wf_node **o) { return wf_make_linspace(0.5, 9, 7, true, WEFT_INT8, o); }},
        {"eye", [&](wf_node **o) { return wf_make_eye(3, 3, 0, WEFT_INT8, o); }},
        {"random", [&](wf_node **o) { return wf_make_random(WF_INSTR_UNIFORM, WEFT_FLOAT16, &s, 1, 2, 3, 4, 0, 0, o); }},
        {"broadcast_to", [&](wf_node **o) { return wf_make_broadcast_to(f.get(), &wide, o); }},
        {"permute_dims", [&](wf_node **o) { return wf_make_permute("permute_dims", f.get(), 0, nullptr, o); }},
        {"reshape", [&](wf_node **o) { return wf_make_reshape(f.get(), 1, flat, o); }},
        {"repeat", [&](wf_node **o) { return wf_make_repeat(f.get(), 3, 0, o); }},
        {"rechunk", [&](wf_node **o) { return wf_make_rechunk(f.get(), &grid, o); }},
        {"concat", [&](wf_node **o) { return wf_make_concat("concat", 3, same, 0, o); }},
        {"stack", [&](wf_node **o) { return wf_make_stack(3, same, 1, o); }},
        {"tile", [&](wf_node **o) { return wf_make_tile(f.get(), 2, twenty, o); }},
        {"roll", [&](wf_node **o) { return wf_make_roll(f.get(), 2, shifts, axes, o); }},
        {"roll flat", [&](wf_node **o) { return wf_make_roll(f.get(), 1, shifts, nullptr, o); }},
        {"pad", [&](wf_node **o) { return wf_make_pad(f.get(), one, one, WF_PAD_CONSTANT, two.get(), o); }},
        {"pad reflect", [&](wf_node **o) { return wf_make_pad(f.get(), three, one, WF_PAD_REFLECT, nullptr, o); }},
        {"setitem", [&](wf_node **o) { return wf_make_setitem(f.get(), &region, &stepped, two.get(), o); }},
        {"sum", reduce(WF_REDUCTION_SUM, large)},
        {"sum of halves", reduce(WF_REDUCTION_SUM, h)},
        {"mean", reduce(WF_REDUCTION_MEAN, large)},
        {"std", reduce(WF_REDUCTION_STD, large)},
        {"nanmean", reduce(WF_REDUCTION_NANMEAN, large)},
        {"nanvar", reduce(WF_REDUCTION_NANVAR, large)},
        {"argmin", reduce(WF_REDUCTION_ARGMIN, large)},
        {"nanargmax", reduce(WF_REDUCTION_NANARGMAX, large)},
        {"count_nonzero", reduce(WF_REDUCTION_COUNT_NONZERO, large)},
        {"any", reduce(WF_REDUCTION_ANY, large)},
        {"var of one", reduce(WF_REDUCTION_VAR, two)},
        {"cumulative_sum", [&](wf_node **o) { return wf_make_scan(WF_SCAN_SUM, h.get(), 0, WEFT_DTYPE_DEFAULT, true, o); }},
        {"matmul", [&](wf_node **o) { return wf_make_matmul(f.get(), h.get(), o); }},
        {"matmul of a vector", [&](wf_node **o) { return wf_make_matmul(f.get(), i.get(), o); }},
        {"dot", [&](wf_node **o) { return wf_make_matmul(i.get(), i.get(), o); }},
        {"tensordot", [&](wf_node **o) { return wf_make_tensordot(f.get(), h.get(), 1, last, axes, o); }},
        {"vecdot", [&](wf_node **o) { return wf_make_vecdot(c.get(), i.get(), -1, o); }},
        {"outer", [&](wf_node **o) { return wf_make_outer(i.get(), i.get(), o); }},
        {"take", [&](wf_node **o) { return wf_make_take(f.get(), list, 0, o); }},
        {"group_sum", [&](wf_node **o) { return wf_make_group_sum(f.get(), list, 2, 1, o); }},
        {"bincount", [&](wf_node **o) { return wf_make_bincount(labels.get(), labels.get(), 3, o); }},
    };
    for (const Case &each : cases) sweep(each);

    Node value = leaf(WEFT_INT8, {2, 2});
    sweep({"setitem of an array", [&](wf_node **o) { return wf_make_setitem(f.get(), &region, &stepped, value.get(), o); }});
    list->item[0] = 1;
    Node data = leaf(WEFT_INT8, {4});
    sweep({"mask", [&](wf_node **o) { return wf_make_compact(data.get(), mask.get(), list, 1, o); }});
    wf_list_release(list);
}

// What the plan will ask the CPU for: every reduction kernel and elementwise kernel that some constructor can lead to.
TEST(Make, LeadsOnlyToKernelsThatExist) {
    const wf_kernel_table *table = wf_kernels("baseline");
    for (int o = 0; o < WF_OP_COUNT; o++)
        for (int d = 1; d < WEFT_NDTYPES; d++) {
            weft_dtype dtype = static_cast<weft_dtype>(d), in[3] = {dtype, dtype, dtype}, compute, result;
            if (wf_op_types(static_cast<wf_op>(o), in, &compute, &result) != WEFT_OK) continue;
            EXPECT_NE(table->map[o][wf_dtype_compute(compute)], nullptr)
                << wf_op_name(static_cast<wf_op>(o)) << " " << wf_dtype_name(dtype);
        }
    for (int k = 0; k < WF_REDUCTION_COUNT; k++)
        for (int d = 1; d < WEFT_NDTYPES; d++) {
            Node x = leaf(static_cast<weft_dtype>(d), {3});
            wf_node *n = nullptr;
            if (wf_make_reduction(static_cast<wf_reduction>(k), x.get(), 0, nullptr, WEFT_DTYPE_DEFAULT, false, 0, &n) != WEFT_OK) continue;
            for (const wf_node *at = n; at->nin > 0; at = at->in[0]) {
                if (at->kind != WF_NODE_REDUCE) continue;
                EXPECT_NE(table->reduce[at->op][at->dtype].rows, nullptr) << "op " << at->op << " " << wf_dtype_name(static_cast<weft_dtype>(at->dtype));
            }
            wf_node_release(n);
        }
    for (int d = 1; d < WEFT_NDTYPES; d++) {
        weft_dtype dtype = static_cast<weft_dtype>(d);
        if (wf_dtype_is_half(dtype)) continue;
        EXPECT_NE(table->reduce[WF_REDUCE_SUM][d].cols, nullptr) << wf_dtype_name(dtype);
        EXPECT_NE(table->reduce[WF_REDUCE_PROD][d].cols, nullptr) << wf_dtype_name(dtype);
        EXPECT_NE(table->gemm[d], nullptr) << wf_dtype_name(dtype);
        if (dtype != WEFT_BOOL) {
            EXPECT_NE(table->scan[WF_SCAN_SUM][d].row, nullptr) << wf_dtype_name(dtype);
        }
    }
}

}  // namespace

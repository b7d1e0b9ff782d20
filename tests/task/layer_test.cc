// SPDX-License-Identifier: Apache-2.0
// layer_test - the arithmetic of symbolic layers: what a task reads and how many tasks read a block are inverses of each other.
#include <gtest/gtest.h>

#include <map>
#include <random>

extern "C" {
#include "task/layer.h"
}

namespace {

struct Space {
    wf_layer layer = {};
    wf_value values[2] = {};
    ~Space()
    {
        wf_free(layer.read);
        wf_grid_fini(&layer.tasks);
        wf_grid_fini(&values[0].grid);
    }
};

wf_grid grid_of(std::vector<int64_t> dims, std::vector<int64_t> block)
{
    wf_shape shape = {};
    shape.ndim = (int)dims.size();
    for (size_t i = 0; i < dims.size(); i++) shape.dim[i] = dims[i];
    wf_grid grid = {};
    EXPECT_EQ(wf_grid_init(&grid, &shape, block.data()), WEFT_OK);
    return grid;
}

void add_read(Space &s, const wf_map &map)
{
    s.layer.read = static_cast<wf_read *>(wf_realloc(s.layer.read, (s.layer.nread + 1) * sizeof(wf_read)));
    s.layer.read[s.layer.nread] = {};
    s.layer.read[s.layer.nread].map = map;
    s.layer.nread++;
}

void fill(Space &s, wf_grid tasks, wf_grid value)
{
    s.layer.kind = WF_LAYER_MAP;
    s.layer.step_axis = -1;
    s.layer.tasks = tasks;
    s.layer.shape = wf_grid_shape(&tasks);
    s.layer.ntask = wf_grid_nblock(&tasks);
    s.values[0].dtype = WEFT_FLOAT64;
    s.values[0].grid = value;
    s.values[0].shape = wf_grid_shape(&value);
}

// Walks every task and compares with the count by arithmetic, block by block.
void expect_inverse(Space &s)
{
    std::map<int64_t, int64_t> walked;
    wf_block_refs refs = {};
    for (int64_t t = 0; t < s.layer.ntask; t++) {
        refs.count = 0;
        ASSERT_EQ(wf_layer_reads(&s.layer, s.values, t, &refs), WEFT_OK);
        for (int64_t i = 0; i < refs.count; i++) walked[refs.item[i].block]++;
    }
    wf_free(refs.item);
    for (int64_t b = 0; b < wf_grid_nblock(&s.values[0].grid); b++)
        EXPECT_EQ(wf_layer_reader_count(&s.layer, s.values, 0, b), walked[b]) << "block " << b;
}

// An empty array may have an axis as long as there are integers: blocks times extent do not fit then. The sanitizers watch.
TEST(Grid, EndsWhereALongAxisEnds) {
    wf_grid g = grid_of({INT64_MAX, 0}, {INT64_C(1) << 23, 1});

    EXPECT_EQ(g.axis[0].nblock, INT64_C(1) << 40);
    EXPECT_EQ(wf_axis_start(&g.axis[0], g.axis[0].nblock - 1), INT64_MAX - (INT64_C(1) << 23) + 1);
    EXPECT_EQ(wf_axis_start(&g.axis[0], g.axis[0].nblock), INT64_MAX);
    EXPECT_EQ(wf_axis_start(&g.axis[1], 0), 0);
    wf_grid_fini(&g);
}

TEST(Layer, ReadsAndReaderCountsAreInverse) {
    std::mt19937 rng(7);
    auto pick = [&](int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(rng); };
    for (int round = 0; round < 300; round++) {
        Space s;
        int64_t a = pick(1, 40), b = pick(1, 30);
        wf_map map = wf_map_identity(2);
        std::vector<int64_t> source(2);
        bool swap = pick(0, 1);
        for (int i = 0; i < 2; i++) {
            int64_t dim = (i == 0) != swap ? a : b, step = pick(1, 4) * (pick(0, 1) ? 1 : -1), lead = pick(0, 5);
            map.axis[i] = (int8_t)(swap ? 1 - i : i);
            map.step[i] = step;
            map.start[i] = lead + (step < 0 ? -step * (dim - 1) : 0);
            source[i] = lead + std::abs(step) * (dim - 1) + 1 + pick(0, 5);
            if (pick(0, 5) == 0) map.axis[i] = -1, map.step[i] = 0, map.start[i] = pick(0, source[i] - 1);
        }
        fill(s, grid_of({a, b}, {pick(1, a), pick(1, b)}), grid_of(source, {pick(1, source[0]), pick(1, source[1])}));
        add_read(s, map);
        if (pick(0, 2) == 0) {
            s.layer.read[0].bounded = true;
            s.layer.read[0].box = {2, {pick(0, a - 1), pick(0, b - 1)}, {}};
            s.layer.read[0].box.count[0] = pick(1, a - s.layer.read[0].box.start[0]);
            s.layer.read[0].box.count[1] = pick(1, b - s.layer.read[0].box.start[1]);
        }
        expect_inverse(s);
        if (HasFailure()) FAIL() << "round " << round;
    }
}

TEST(Layer, AShiftedSliceReadsTwoBlocksPerAxisAndNotMore) {
    Space s;
    fill(s, grid_of({99, 99}, {10, 10}), grid_of({100, 100}, {10, 10}));
    wf_map map = wf_map_identity(2);
    map.start[0] = map.start[1] = 1;
    add_read(s, map);
    wf_block_refs refs = {};

    ASSERT_EQ(wf_layer_reads(&s.layer, s.values, 0, &refs), WEFT_OK);

    EXPECT_EQ(refs.count, 4);
    wf_free(refs.item);
}

TEST(Map, ComposeIsApplyingOneAfterTheOther) {
    std::mt19937 rng(3);
    auto pick = [&](int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(rng); };
    for (int round = 0; round < 200; round++) {
        wf_map outer = wf_map_identity(3), inner = wf_map_identity(3);
        int8_t perm[2][3] = {{2, 0, 1}, {1, 2, 0}};
        for (int i = 0; i < 3; i++) {
            outer.axis[i] = perm[round & 1][i];
            inner.axis[i] = pick(0, 4) ? perm[(round >> 1) & 1][i] : (int8_t)-1;
            outer.start[i] = pick(-5, 5), inner.start[i] = pick(-5, 5);
            outer.step[i] = pick(-3, 3), inner.step[i] = inner.axis[i] < 0 ? 0 : pick(-3, 3);
        }
        wf_map both = wf_map_compose(&outer, &inner);
        int64_t c[3] = {pick(0, 9), pick(0, 9), pick(0, 9)}, mid[3], want, got;
        for (int i = 0; i < 3; i++) mid[i] = outer.start[i] + outer.step[i] * c[outer.axis[i]];
        for (int i = 0; i < 3; i++) {
            want = inner.start[i] + (inner.axis[i] < 0 ? 0 : inner.step[i] * mid[inner.axis[i]]);
            got = both.start[i] + (both.axis[i] < 0 ? 0 : both.step[i] * c[both.axis[i]]);
            EXPECT_EQ(got, want);
        }
    }
}

TEST(Grid, RejectsZeroBlockAndLeavesOutputUntouched) {
    const wf_shape shape = {2, {10, 10}};
    const int64_t block[] = {5, 0};
    wf_grid grid = {};

    EXPECT_EQ(wf_grid_init(&grid, &shape, block), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "grid: block size on axis 1 must be >= 1, got 0");
    EXPECT_EQ(grid.ndim, 0);
}

TEST(Grid, IrregularAxesFindTheirBlocks) {
    const wf_shape shape = {1, {10}};
    const int64_t block[] = {10}, extents[] = {3, 1, 6};
    wf_grid grid = {};
    ASSERT_EQ(wf_grid_init(&grid, &shape, block), WEFT_OK);

    ASSERT_EQ(wf_grid_set_axis(&grid, 0, 3, extents), WEFT_OK);

    const int64_t want[] = {0, 0, 0, 1, 2, 2, 2, 2, 2, 2};
    for (int64_t i = 0; i < 10; i++) EXPECT_EQ(wf_axis_find(&grid.axis[0], i), want[i]);
    const int64_t wrong[] = {3, 3};
    EXPECT_EQ(wf_grid_set_axis(&grid, 0, 2, wrong), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "grid: block sizes on axis 0 must add up to 10, got 6");
    EXPECT_EQ(grid.axis[0].nblock, 3);
    wf_grid_fini(&grid);
}

}  // namespace

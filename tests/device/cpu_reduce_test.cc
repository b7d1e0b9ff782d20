// SPDX-License-Identifier: Apache-2.0
// cpu_reduce_test - programs that end in reductions: every cell is compared to the bit with the kernels' own result for the whole
// cell, which the kernels' tests compare with naive sums; and some with naive sums here.
#include <cmath>

#include "device/cpu_tile.h"
extern "C" {
#include "base/text.h"
}

using namespace cpu_tile;

namespace {

struct Field {
    Bytes memory;
    int64_t size;
};

bool is_arg(int op) { return op >= WF_REDUCE_ARGMIN && op <= WF_REDUCE_NANARGMAX; }
bool is_moments(int op) { return op == WF_REDUCE_MOMENTS || op == WF_REDUCE_NANMOMENTS; }

std::vector<int64_t> field_sizes(int op, weft_dtype dtype)
{
    int64_t item = int64_t(wf_dtype_size(dtype)), real = int64_t(wf_dtype_size(wf_dtype_real(dtype)));
    if (is_arg(op)) return {item, 8};
    if (is_moments(op)) return {real, item, real};
    return {item};
}

weft_dtype field_dtype(int op, weft_dtype dtype, int f)
{
    if (is_arg(op)) return f == 1 ? WEFT_INT64 : dtype;
    return is_moments(op) && f != 1 ? wf_dtype_real(dtype) : dtype;
}

// A tile, its reducers, and contiguous memory for their results.
struct Reduction {
    Tile tile;
    std::vector<bool> reduced;
    std::vector<int64_t> cell, cells;  // CELLS: per axis, results
    std::vector<int64_t> position_stride;
    int64_t position = 0;
    bool inner = false;
    std::vector<wf_reducer> reducer;
    std::vector<std::vector<Field>> field;

    void cut(const std::vector<bool> &axes, const std::vector<int64_t> &cell_extents)
    {
        int64_t step = 1;
        reduced = axes;
        cell = cell_extents;
        cells.assign(cell.size(), 0);
        position_stride.assign(cell.size(), 0);
        for (size_t a = cell.size(); a-- > 0;) {
            if (!reduced[a]) cell[a] = 1;
            cells[a] = (tile.count[a] + cell[a] - 1) / cell[a];
            if (!reduced[a]) continue;
            position_stride[a] = step;
            step *= tile.count[a] + 3;  // the tile is a piece of a larger array
        }
    }

    void add(int op, weft_dtype dtype, int output)
    {
        wf_reducer r = {};
        int64_t n = 1;
        for (int64_t c : cells) n *= c;
        r.op = uint8_t(op);
        r.dtype = uint8_t(dtype);
        r.output = int16_t(output);
        field.emplace_back();
        for (int64_t size : field_sizes(op, dtype)) field.back().push_back({Bytes(size_t(n * size), 0xA5), size});
        for (size_t f = 0; f < field.back().size(); f++) {
            int64_t step = field.back()[f].size;
            for (size_t a = cells.size(); a-- > 0; step *= cells[a]) r.field[f].stride[a] = step;
        }
        reducer.push_back(r);
    }

    // The launch of the part of the tile from START on, COUNT elements; START lies on cells.
    wf_reduce_launch launch(const std::vector<int64_t> &start, const std::vector<int64_t> &count)
    {
        wf_reduce_launch l = {};
        l.map = tile.launch();
        l.inner = inner;
        l.position = position;
        for (size_t a = 0; a < cell.size(); a++) {
            l.map.count[a] = count[a];
            l.reduced[a] = reduced[a];
            l.cell[a] = cell[a];
            l.position_stride[a] = position_stride[a];
            l.position += start[a] * position_stride[a];
            for (wf_operand &in : tile.in_operand) {
                if (in.data) in.data = static_cast<char *>(in.data) + start[a] * in.stride[a];
                in.origin += start[a] * in.stride[a];
            }
        }
        for (size_t k = 0; k < reducer.size(); k++)
            for (size_t f = 0; f < field[k].size(); f++) {
                unsigned char *p = field[k][f].memory.data();
                for (size_t a = 0; a < cell.size(); a++) p += start[a] / cell[a] * reducer[k].field[f].stride[a];
                reducer[k].field[f].data = p;
            }
        l.nreducer = int(reducer.size());
        l.reducer = reducer.data();
        return l;
    }
};

// All reductions that the kernels define, with the dtype they are accumulated in.
std::vector<std::pair<int, weft_dtype>> all_reductions()
{
    std::vector<std::pair<int, weft_dtype>> list;
    for (int op = 0; op < WF_REDUCE_COUNT_; op++)
        for (weft_dtype d : all_dtypes())
            if (wf_kernels(nullptr)->reduce[op][d].rows) list.emplace_back(op, d);
    return list;
}

class CpuReduce : public CpuDevice {
protected:
    // The bits that reducer K must leave for the cell at CELL_COORD.
    std::vector<Value> expect(Reduction &r, size_t k, const std::vector<int64_t> &cell_coord)
    {
        const wf_reducer &spec = r.reducer[k];
        weft_dtype dtype = weft_dtype(spec.dtype);
        int64_t item = int64_t(wf_dtype_size(dtype));
        wf_reduce_kernels kernel = wf_kernels(nullptr)->reduce[spec.op][dtype];
        std::vector<int64_t> extent(r.cell.size()), positions;
        Bytes elements;

        for (size_t a = 0; a < r.cell.size(); a++)
            extent[a] = std::min(r.cell[a], r.tile.count[a] - cell_coord[a] * r.cell[a]);
        each(extent, [&](const std::vector<int64_t> &inside) {
            std::vector<int64_t> coord(inside);
            int64_t position = r.position;
            for (size_t a = 0; a < coord.size(); a++) {
                coord[a] += cell_coord[a] * r.cell[a];
                position += coord[a] * r.position_stride[a];
            }
            Value v = stored(r.tile, evaluate(r.tile, coord), spec.output), as = v;
            weft_dtype from = weft_dtype(r.tile.program->output[spec.output].dtype);
            if (from != dtype) wf_kernels(nullptr)->cast[from][dtype](1, as.bytes, v.bytes);
            elements.insert(elements.end(), as.bytes, as.bytes + item);
            positions.push_back(position);
        });
        int64_t n = int64_t(positions.size());
        std::vector<Value> result(3), next(3);
        void *out[3] = {result[0].bytes, result[1].bytes, result[2].bytes};
        void *other[3] = {next[0].bytes, next[1].bytes, next[2].bytes};
        if (is_arg(spec.op)) {  // one at a time: only this needs no regular positions
            for (int64_t i = 0; i < n; i++) {
                kernel.rows(1, 1, elements.data() + i * item, 0, positions[size_t(i)], 0, i ? other : out);
                if (i) kernel.combine(1, out, other);
            }
        } else if (r.inner) {
            kernel.rows(1, n, elements.data(), 0, 0, 0, out);
        } else {
            kernel.cols(n, 1, elements.data(), item, 0, 0, out);
        }
        return result;
    }

    void check(Reduction &r)
    {
        for (size_t k = 0; k < r.reducer.size(); k++) {
            weft_dtype dtype = weft_dtype(r.reducer[k].dtype);
            each(r.cells, [&](const std::vector<int64_t> &c) {
                if (HasFailure()) return;
                std::vector<Value> want = expect(r, k, c);
                for (size_t f = 0; f < r.field[k].size(); f++) {
                    const unsigned char *got = r.field[k][f].memory.data();
                    for (size_t a = 0; a < c.size(); a++) got += c[a] * r.reducer[k].field[f].stride[a];
                    weft_dtype d = field_dtype(r.reducer[k].op, dtype, int(f));
                    EXPECT_TRUE(same(d, got, want[f].bytes))
                        << "op " << int(r.reducer[k].op) << " field " << f << ": " << shown(d, got) << ", expected "
                        << shown(d, want[f].bytes) << describe(r, c);
                }
            });
        }
    }

    static std::string describe(const Reduction &r, const std::vector<int64_t> &c)
    {
        wf_text t = {};
        wf_program_print(r.tile.program, &t);
        std::string s = std::string("\n") + (t.data ? t.data : "") + (r.inner ? "inner; count" : "count");
        wf_text_fini(&t);
        for (size_t a = 0; a < r.cell.size(); a++)
            s += " " + std::to_string(r.tile.count[a]) + (r.reduced[a] ? "/" + std::to_string(r.cell[a]) : "");
        s += "; cell";
        for (int64_t i : c) s += " " + std::to_string(i);
        return s;
    }

    // Fills R with a random program (or, COPIES, one that only loads), shape, cells, and up to 3 reducers.
    void make(Reduction &r, Random &random, bool copies, const std::vector<std::pair<int, weft_dtype>> &reductions)
    {
        if (copies)
            make_loads(r.tile, random);
        else
            random_program(r.tile, random, int(pick(random, 1, 3)), int(pick(random, 0, 5)), 2);
        std::vector<bool> axes;
        std::vector<int64_t> cell;
        switch (pick(random, 0, 7)) {
        case 0: r.tile.count = {pick(random, 1, 3000)}; break;
        case 1: r.tile.count = {pick(random, 1, 20), pick(random, 60, 200)}; break;
        case 2: r.tile.count = {pick(random, 60, 400), pick(random, 1, 7)}; break;
        case 3: r.tile.count = {pick(random, 1, 9), pick(random, 1, 40), pick(random, 1, 9)}; break;
        case 4: r.tile.count = {pick(random, 1, 4), pick(random, 1, 5), pick(random, 1, 5), pick(random, 1, 20)}; break;
        case 5: r.tile.count = {pick(random, 33, 50), pick(random, 300, 600)}; break;
        case 6: r.tile.count = {pick(random, 1, 8), pick(random, 64, 70), pick(random, 2, 10)}; break;
        default: r.tile.count = {pick(random, 100, 300), pick(random, 33, 70)};
        }
        for (int64_t c : r.tile.count) {
            axes.push_back(pick(random, 0, 1));
            cell.push_back(pick(random, 0, 2) ? c + pick(random, 0, 1) : pick(random, 1, c));
        }
        r.tile.bind(random, Layout(pick(random, CONTIGUOUS, ANY_WITH_BROADCAST)), CONTIGUOUS, true);
        r.inner = pick(random, 0, 1);
        r.position = pick(random, 0, 50);
        r.cut(axes, cell);
        for (int64_t n = pick(random, 1, 3); n > 0; n--) {
            auto [op, dtype] = reductions[size_t(pick(random, 0, int64_t(reductions.size()) - 1))];
            int output = int(pick(random, 0, 1));
            if (copies) dtype = weft_dtype(r.tile.program->output[output].dtype);
            if (wf_kernels(nullptr)->reduce[op][dtype].rows) r.add(op, dtype, output);
        }
    }

    static void make_loads(Tile &tile, Random &random)
    {
        wf_program_builder *b = nullptr;
        ASSERT_EQ(wf_program_builder_create(&b), WEFT_OK);
        for (int i = 0; i < 2; i++) {
            weft_dtype dtype = all_dtypes()[size_t(pick(random, 0, 14))];
            ASSERT_EQ(wf_program_store(b, wf_program_load(b, wf_program_add_input(b, false, dtype)), dtype), WEFT_OK);
        }
        ASSERT_EQ(wf_program_build(b, &tile.program), WEFT_OK);
    }
};

TEST_F(CpuReduce, EveryCellOfAnyProgramEqualsTheKernelsOfTheWholeCell)
{
    auto reductions = all_reductions();
    for (unsigned seed = 0; seed < 500 && !HasFailure(); seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        Reduction r;
        make(r, random, seed % 3 == 0, reductions);
        std::vector<int64_t> start(r.cell.size(), 0);
        wf_reduce_launch launch = r.launch(start, r.tile.count);

        ASSERT_EQ(ops->launch_reduce(stream, &launch), WEFT_OK) << wf_last_error();

        check(r);
    }
}

// Cuts the tile's axis A where cells begin, at random.
std::vector<int64_t> random_edges(Random &random, int64_t count, int64_t cell)
{
    std::vector<int64_t> edges = {0};
    while (edges.back() < count) {
        int64_t next = edges.back() + cell * pick(random, 1, 1 + count / cell / 2);
        edges.push_back(std::min(next, count));
    }
    return edges;
}

TEST_F(CpuReduce, TheCutIntoTilesChangesNoBit)
{
    auto reductions = all_reductions();
    for (unsigned seed = 0; seed < 200 && !HasFailure(); seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed + 10000);
        Reduction r;
        make(r, random, seed % 3 == 0, reductions);
        std::vector<int64_t> start(r.cell.size(), 0);
        wf_reduce_launch launch = r.launch(start, r.tile.count);
        ASSERT_EQ(ops->launch_reduce(stream, &launch), WEFT_OK) << wf_last_error();
        auto whole = r.field;
        for (auto &fields : r.field)
            for (Field &f : fields) std::fill(f.memory.begin(), f.memory.end(), 0x5A);

        std::vector<std::vector<int64_t>> edges;
        std::vector<int64_t> tiles;
        for (size_t a = 0; a < r.cell.size(); a++) {
            edges.push_back(random_edges(random, r.tile.count[a], r.cell[a]));
            tiles.push_back(int64_t(edges[a].size()) - 1);
        }
        each(tiles, [&](const std::vector<int64_t> &t) {
            std::vector<int64_t> from, count;
            for (size_t a = 0; a < t.size(); a++) {
                from.push_back(edges[a][size_t(t[a])]);
                count.push_back(edges[a][size_t(t[a]) + 1] - from[a]);
            }
            r.tile.collect();
            wf_reduce_launch part = r.launch(from, count);
            EXPECT_EQ(ops->launch_reduce(stream, &part), WEFT_OK);
        });

        for (size_t k = 0; k < r.field.size(); k++)
            for (size_t f = 0; f < r.field[k].size(); f++)
                EXPECT_TRUE(r.field[k][f].memory == whole[k][f].memory)
                    << "op " << int(r.reducer[k].op) << " field " << f << describe(r, {});
    }
}

// Long cells, every way of reaching them: contiguous, transposed, broken rows, short rows.
TEST_F(CpuReduce, LongCellsAreTheSameHoweverTheirMemoryLies)
{
    for (int program = 0; program < 2; program++)
        for (const std::vector<int64_t> &count : {std::vector<int64_t>{40, 1500}, {1500, 40}, {70, 200, 3}, {1, 9000}, {5, 2100}})
            for (int inner = 0; inner < 2; inner++) {
                std::vector<Bytes> first;
                for (Layout layout : {CONTIGUOUS, FORTRAN, ANY, ANY}) {
                    Random random(unsigned(layout) + 7);
                    Reduction r;
                    wf_program_builder *b = nullptr;
                    ASSERT_EQ(wf_program_builder_create(&b), WEFT_OK);
                    int x = wf_program_load(b, wf_program_add_input(b, false, WEFT_FLOAT64));
                    int y = program ? wf_program_map(b, WF_OP_SQUARE, WEFT_FLOAT64, &x) : x;
                    ASSERT_EQ(wf_program_store(b, y, WEFT_FLOAT64), WEFT_OK);
                    ASSERT_EQ(wf_program_build(b, &r.tile.program), WEFT_OK);
                    r.tile.count = count;
                    r.tile.bind(random, layout, CONTIGUOUS, false);
                    int64_t i = 0;
                    each(count, [&](const std::vector<int64_t> &c) {
                        double v = std::sin(double(++i) * 1e-3);
                        memcpy(r.tile.in[0].element(c), &v, 8);
                    });
                    r.inner = inner;
                    std::vector<bool> axes(count.size(), false);
                    if (inner)
                        axes[1] = axes[count.size() - 1] = true;
                    else
                        axes[0] = true;
                    r.cut(axes, count);
                    r.add(WF_REDUCE_SUM, WEFT_FLOAT64, 0);
                    r.add(WF_REDUCE_MOMENTS, WEFT_FLOAT64, 0);
                    r.add(WF_REDUCE_ARGMAX, WEFT_FLOAT64, 0);
                    wf_reduce_launch launch = r.launch(std::vector<int64_t>(count.size(), 0), count);

                    ASSERT_EQ(ops->launch_reduce(stream, &launch), WEFT_OK);

                    std::vector<Bytes> got;
                    for (auto &fields : r.field)
                        for (Field &f : fields) got.push_back(f.memory);
                    if (first.empty()) {
                        first = got;
                        check(r);
                    }
                    EXPECT_TRUE(got == first) << "layout " << layout << describe(r, {});
                }
            }
}

TEST_F(CpuReduce, SumMeanAndSpreadAgreeWithANaiveLoop)
{
    Random random(3);
    Reduction r;
    wf_program_builder *b = nullptr;
    ASSERT_EQ(wf_program_builder_create(&b), WEFT_OK);
    int u = wf_program_load(b, wf_program_add_input(b, false, WEFT_FLOAT32));
    int v = wf_program_load(b, wf_program_add_input(b, false, WEFT_FLOAT32));
    int both[2] = {u, v};
    ASSERT_EQ(wf_program_store(b, u, WEFT_FLOAT32), WEFT_OK);
    ASSERT_EQ(wf_program_store(b, v, WEFT_FLOAT32), WEFT_OK);
    ASSERT_EQ(wf_program_store(b, wf_program_map(b, WF_OP_MULTIPLY, WEFT_FLOAT32, both), WEFT_FLOAT32), WEFT_OK);
    ASSERT_EQ(wf_program_build(b, &r.tile.program), WEFT_OK);
    r.tile.count = {50, 1000};
    r.tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
    r.inner = true;
    r.cut({true, true}, {50, 1000});
    for (int i = 0; i < 3; i++) r.add(WF_REDUCE_SUM, WEFT_FLOAT64, i);
    r.add(WF_REDUCE_MOMENTS, WEFT_FLOAT64, 2);
    wf_reduce_launch launch = r.launch({0, 0}, r.tile.count);
    double sum[3] = {}, squares = 0;
    const float *x = static_cast<const float *>(r.tile.in[0].operand.data);
    const float *y = static_cast<const float *>(r.tile.in[1].operand.data);
    for (int i = 0; i < 50000; i++) sum[0] += x[i], sum[1] += y[i], sum[2] += double(x[i] * y[i]);
    for (int i = 0; i < 50000; i++) squares += std::pow(double(x[i] * y[i]) - sum[2] / 50000, 2);

    ASSERT_EQ(ops->launch_reduce(stream, &launch), WEFT_OK);

    auto result = [&](size_t k, size_t f) { return *reinterpret_cast<double *>(r.field[k][f].memory.data()); };
    for (size_t i = 0; i < 3; i++) EXPECT_NEAR(result(i, 0), sum[i], 1e-8 * std::abs(sum[i]) + 1e-8);
    EXPECT_EQ(result(3, 0), 50000);
    EXPECT_NEAR(result(3, 1), sum[2] / 50000, 1e-10);
    EXPECT_NEAR(result(3, 2), squares, 1e-9 * squares);
}

TEST_F(CpuReduce, MoreReducersThanOnePassHoldsAreAllServed)
{
    Random random(4);
    Reduction r;
    make_loads(r.tile, random);
    r.tile.count = {9, 30};
    r.tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
    r.inner = true;
    r.cut({false, true}, {1, 30});
    for (int i = 0; i < 37; i++) r.add(WF_REDUCE_COUNT_ - 1 == i ? 0 : i % 2 ? WF_REDUCE_ANY : WF_REDUCE_ALL, WEFT_BOOL, i % 2);
    wf_reduce_launch launch = r.launch({0, 0}, r.tile.count);

    ASSERT_EQ(ops->launch_reduce(stream, &launch), WEFT_OK);

    check(r);
}

TEST_F(CpuReduce, AReductionThatIsNotDefinedIsRefusedByName)
{
    Random random(5);
    Reduction r;
    make_loads(r.tile, random);
    r.tile.count = {4};
    r.tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
    r.cut({true}, {4});
    r.add(WF_REDUCE_MIN, WEFT_COMPLEX64, 0);
    wf_reduce_launch launch = r.launch({0}, r.tile.count);

    EXPECT_EQ(ops->launch_reduce(stream, &launch), WEFT_UNSUPPORTED);
    EXPECT_STREQ(wf_last_error(), "cpu: min is not defined for complex64");
    EXPECT_EQ(r.field[0][0].memory, Bytes(8, 0xA5));
}

TEST_F(CpuReduce, TilesWithoutElementsWriteNothing)
{
    Random random(6);
    Reduction r;
    make_loads(r.tile, random);
    r.tile.count = {3, 0};
    r.tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
    r.cut({false, true}, {1, 5});
    r.cells = {3, 1};
    r.add(WF_REDUCE_ANY, WEFT_BOOL, 0);
    wf_reduce_launch launch = r.launch({0, 0}, r.tile.count);

    EXPECT_EQ(ops->launch_reduce(stream, &launch), WEFT_OK);
    EXPECT_EQ(r.field[0][0].memory, Bytes(3, 0xA5));
}

}  // namespace

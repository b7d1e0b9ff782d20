// SPDX-License-Identifier: Apache-2.0
// reduce_test - reductions on a CUDA device, and the combining of their partial results, have the CPU device's bits: every kind and dtype, by
// rows and by columns, cells short and long.
#include "cuda/bound.h"

using namespace programs;

namespace {

bool is_arg(int op) { return op >= WF_REDUCE_ARGMIN && op <= WF_REDUCE_NANARGMAX; }
bool is_moments(int op) { return op == WF_REDUCE_MOMENTS || op == WF_REDUCE_NANMOMENTS; }

std::vector<weft_dtype> field_dtypes(int op, weft_dtype dtype)
{
    if (is_arg(op)) return { dtype, WEFT_INT64 };
    if (is_moments(op)) return { wf_dtype_real(dtype), dtype, wf_dtype_real(dtype) };
    return { dtype };
}

std::vector<std::pair<int, weft_dtype>> all_reductions()
{
    std::vector<std::pair<int, weft_dtype>> list;
    for (int op = 0; op < WF_REDUCE_COUNT_; op++)
        for (weft_dtype d : all_dtypes())
            if (wf_kernels(nullptr)->reduce[op][d].rows) list.emplace_back(op, d);
    return list;
}

// A tile whose program ends in reducers; results lie contiguous, one element per cell.
struct Reduction {
    Tile tile;
    bool inner = false;
    std::vector<bool> reduced;
    std::vector<int64_t> cell, cells, position_stride;
    int64_t position = 17;
    struct Reducer {
        int op;
        weft_dtype dtype;
        int output;
    };
    std::vector<Reducer> reducer;

    void cut(const std::vector<bool> &axes, const std::vector<int64_t> &extents)
    {
        int64_t step = 1;
        reduced = axes;
        cell = extents;
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
    int64_t ncells() const
    {
        int64_t n = 1;
        for (int64_t c : cells) n *= c;
        return n;
    }

    // The fields of all reducers, as PLACE computes them.
    std::vector<Bytes> run(gpu::Place &place) const
    {
        Bound bound(place, tile);
        std::vector<wf_reducer> spec;
        std::vector<std::pair<char *, size_t>> memory;
        for (const Reducer &r : reducer) {
            wf_reducer s = {};
            s.op = uint8_t(r.op), s.dtype = uint8_t(r.dtype), s.output = int16_t(r.output);
            int f = 0;
            for (weft_dtype d : field_dtypes(r.op, r.dtype)) {
                int64_t step = int64_t(wf_dtype_size(d));
                memory.emplace_back(place.room(ncells() * step), size_t(ncells() * step));
                s.field[f].data = memory.back().first;
                for (size_t a = cells.size(); a-- > 0; step *= cells[a]) s.field[f].stride[a] = step;
                f++;
            }
            spec.push_back(s);
        }
        wf_reduce_launch l = {};
        l.map = bound.launch(tile);
        l.inner = inner;
        l.position = position;
        for (size_t a = 0; a < cell.size(); a++) l.reduced[a] = reduced[a], l.cell[a] = cell[a], l.position_stride[a] = position_stride[a];
        l.nreducer = int(spec.size());
        l.reducer = spec.data();
        EXPECT_EQ(place.ops->launch_reduce(place.stream, &l), WEFT_OK) << weft_last_error();
        std::vector<Bytes> all;
        for (auto &[p, n] : memory) all.push_back(place.get<unsigned char>(p, n));
        return all;
    }
};

class Reductions : public gpu::Gpu {
  protected:
    void SetUp() override
    {
        gpu::Gpu::SetUp();
        if (IsSkipped()) return;
        cuda = std::make_unique<gpu::Place>(gpu::module());
        cpu = std::make_unique<gpu::Place>(wf_cpu_device_ops());
    }

    void check(const Reduction &r)
    {
        const std::vector<Bytes> got = r.run(*cuda), want = r.run(*cpu);
        size_t at = 0;
        for (const Reduction::Reducer &k : r.reducer)
            for (weft_dtype d : field_dtypes(k.op, k.dtype)) {
                const size_t size = wf_dtype_size(d);
                for (size_t i = 0; i * size < got[at].size(); i++)
                    if (!same(d, &got[at][i * size], &want[at][i * size]) && !HasFailure())
                        ADD_FAILURE() << "reduction " << k.op << " of " << wf_dtype_name(k.dtype) << ", cell " << i << ": " << shown(d, &got[at][i * size])
                                      << ", the CPU has " << shown(d, &want[at][i * size]) << (r.inner ? "; rows" : "; columns") << describe(r);
                at++;
            }
    }

    static std::string describe(const Reduction &r)
    {
        std::string s;
        for (size_t a = 0; a < r.cell.size(); a++) s += " " + std::to_string(r.tile.count[a]) + (r.reduced[a] ? "/" + std::to_string(r.cell[a]) : "");
        return s;
    }

    std::unique_ptr<gpu::Place> cuda, cpu;
};

struct Shape {
    bool inner;
    std::vector<int64_t> count;
    std::vector<bool> reduced;
    std::vector<int64_t> cell;
};

// All that can be done with DTYPE, at once, over one operand.
void reduce_all_ways(Reduction &r, weft_dtype dtype)
{
    Builder b;
    b.store(b.load(dtype));
    r.tile.program = b.build();
    for (auto &[op, d] : all_reductions())
        if (d == dtype) r.reducer.push_back({ op, d, 0 });
}

TEST_F(Reductions, EveryKindOfEveryDtypeHasTheCpusBits)
{
    const Shape shapes[] = {
        { true, { 3, 2600 }, { false, true }, { 1, 1100 } },    // long rows, the last cell short
        { true, { 100, 7 }, { false, true }, { 1, 7 } },        // short ones
        { false, { 150, 70 }, { true, false }, { 64, 1 } },     // columns
        { true, { 4, 9, 33 }, { true, false, true }, { 3, 1, 33 } },
    };
    Random random(1);
    for (weft_dtype dtype : all_dtypes()) {
        if (wf_dtype_is_half(dtype)) continue;
        const bool often = dtype == WEFT_FLOAT32 || dtype == WEFT_COMPLEX128 || dtype == WEFT_INT8;
        for (const Shape &s : shapes) {
            if (!often && &s != &shapes[dtype % 2 * 2]) continue;
            Reduction r;
            reduce_all_ways(r, dtype);
            r.inner = s.inner;
            r.tile.count = s.count;
            r.tile.bind(random, CONTIGUOUS, CONTIGUOUS, true);
            r.cut(s.reduced, s.cell);
            check(r);
        }
    }
}

TEST_F(Reductions, RowsOfManyPiecesAreJoinedInOrder)
{
    Random random(2);
    for (auto [rows, length] : { std::pair<int64_t, int64_t>{ 2, 511 }, { 2, 512 }, { 2, 513 }, { 2, 16384 }, { 2, 16385 }, { 2, 70000 }, { 200, 1100 } }) {
        Reduction r;
        Builder b;
        b.store(b.load(WEFT_FLOAT32));
        r.tile.program = b.build();
        r.reducer = { { WF_REDUCE_SUM, WEFT_FLOAT32, 0 }, { WF_REDUCE_MOMENTS, WEFT_FLOAT64, 0 }, { WF_REDUCE_ARGMAX, WEFT_FLOAT32, 0 } };
        r.inner = true;
        r.tile.count = { rows, length };  // many rows are a warp's each, few a block's
        r.tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
        r.cut({ false, true }, { 1, length });
        check(r);
    }
}

// Rows of x + y where y's neighbours lie across the rows; blocks of rows and rows end short.
TEST_F(Reductions, RowsOfTurnedOperandsHaveTheCpusBits)
{
    Random random(3);
    const std::pair<int, weft_dtype> kinds[] = { { WF_REDUCE_SUM, WEFT_FLOAT32 },    { WF_REDUCE_ARGMAX, WEFT_INT16 }, { WF_REDUCE_MAX, WEFT_BOOL },
                                                 { WF_REDUCE_MOMENTS, WEFT_FLOAT64 }, { WF_REDUCE_SUM, WEFT_COMPLEX128 } };
    for (auto &[op, dtype] : kinds)
        for (const Shape &s : { Shape{ true, { 71, 1100 }, { false, true }, { 1, 1100 } }, { true, { 33, 3, 600 }, { false, false, true }, { 1, 1, 250 } } }) {
            Reduction r;
            Builder b;
            const int x = b.load(dtype), y = b.load(dtype);
            b.store(b.map(WF_OP_ADD, dtype, { x, y }));
            if (dtype == WEFT_FLOAT32) b.store(b.map(WF_OP_MULTIPLY, dtype, { y, b.cast(b.counter(), dtype) }));
            r.tile.program = b.build();
            r.reducer = { { op, dtype, 0 } };
            if (dtype == WEFT_FLOAT32) r.reducer.push_back({ WF_REDUCE_PROD, WEFT_FLOAT64, 1 });
            r.inner = s.inner;
            r.tile.count = s.count;
            r.tile.bind(random, CONTIGUOUS, CONTIGUOUS, true);
            r.tile.bind_input(random, 1, FORTRAN, true);
            r.tile.collect();
            r.cut(s.reduced, s.cell);
            check(r);
        }
}

// Rows of random numbers, which warps make together where rows begin with a whole block of them.
TEST_F(Reductions, RowsOfRandomNumbersHaveTheCpusBits)
{
    Random random(5);
    for (weft_dtype dtype : { WEFT_FLOAT32, WEFT_FLOAT64 })
        for (auto [rows, origin] : { std::pair<int64_t, int64_t>{ 3, 0 }, { 100, 0 }, { 3, 1 } }) {
            Reduction r;
            Builder b;
            const int c = b.counter();
            for (uint64_t word : { 99, 3 }) {
                wf_scalar s = {};
                s.u = word;
                r.tile.param.push_back(s);
                wf_program_add_param(b.b);
            }
            b.store(wf_program_random(b.b, WF_INSTR_NORMAL, dtype, c, 0));
            r.tile.program = b.build();
            r.reducer = { { WF_REDUCE_SUM, dtype, 0 } };
            r.inner = true;
            r.tile.count = { rows, 1300 };
            r.tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
            r.tile.in[0].operand.origin = origin;
            r.tile.in[0].operand.stride[0] = 1304;
            r.tile.in[0].operand.stride[1] = 1;
            r.tile.collect();
            r.cut({ false, true }, { 1, 1300 });
            check(r);
        }
}

TEST_F(Reductions, CoordinatesBeyondThirtyTwoBitsAreCounted)
{
    Random random(4);
    for (bool inner : { true, false })
        for (int64_t length : { 5, 700 }) {
            Reduction r;
            Builder b;
            b.store(b.map(WF_OP_ADD, WEFT_INT64, { b.counter(), b.load(WEFT_INT64) }));
            r.tile.program = b.build();
            r.reducer = { { WF_REDUCE_SUM, WEFT_INT64, 0 }, { WF_REDUCE_ARGMIN, WEFT_INT64, 0 } };
            r.inner = inner;
            r.tile.count = { 3, length, 7 };
            r.tile.bind(random, CONTIGUOUS, ANY, false);
            for (int a = 0; a < 3; a++) r.tile.in[0].operand.stride[a] = (int64_t(1) << (33 + a)) - a;
            r.tile.collect();
            r.cut({ false, true, false }, { 1, length, 1 });
            check(r);
        }
}

TEST_F(Reductions, MoreReducersThanOneKernelHoldsAreAllServed)
{
    Random random(6);
    Reduction r;
    Builder b;
    b.store(b.load(WEFT_INT32));
    r.tile.program = b.build();
    for (int k = 0; k < 18; k++) r.reducer.push_back({ k % 2 ? WF_REDUCE_MAX : WF_REDUCE_SUM, k % 3 ? WEFT_INT64 : WEFT_INT32, 0 });
    r.tile.count = { 40, 33 };
    r.tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
    r.cut({ true, false }, { 40, 1 });
    check(r);
}

// Cells that no plan makes: the CPU device takes them.
TEST_F(Reductions, RowsBeyondTheLongestAreRefused)
{
    Reduction r;
    Builder b;
    const int c = b.counter();
    b.store(c);
    r.tile.program = b.build();
    wf_operand in = {}, *field;
    in.stride[0] = 1;
    wf_reducer k = {};
    k.op = WF_REDUCE_SUM, k.dtype = WEFT_INT64;
    field = k.field;
    field->data = cuda->room(8);
    wf_reduce_launch l = {};
    l.map.program = r.tile.program;
    l.map.ndim = 1;
    l.map.in = &in;
    l.map.count[0] = l.cell[0] = 1024 * WF_STRIP + 1;
    l.inner = l.reduced[0] = true;
    l.nreducer = 1;
    l.reducer = &k;

    EXPECT_EQ(cuda->ops->launch_reduce(cuda->stream, &l), WEFT_UNSUPPORTED);
    EXPECT_STREQ(weft_last_error(), "cuda: a cell may have 524288 elements, not 524289");
}

// Fills R with a random program, shape, cells, and up to 3 reducers.
void make_any(Reduction &r, Random &random)
{
    random_program(r.tile, random, int(pick(random, 1, 3)), int(pick(random, 0, 4)), int(pick(random, 1, 2)));
    const int ndim = int(pick(random, 1, 4));
    for (int a = 0; a < ndim; a++) r.tile.count.push_back(pick(random, 1, ndim == 1 ? 9000 : ndim == 2 ? 90 : 12));
    if (ndim == 2 && pick(random, 0, 1)) r.tile.count[size_t(pick(random, 0, 1))] = pick(random, 500, 2500);
    r.tile.bind(random, Layout(pick(random, CONTIGUOUS, ANY_WITH_BROADCAST)), CONTIGUOUS, true);
    std::vector<bool> reduced;
    std::vector<int64_t> cell;
    for (int64_t n : r.tile.count) {
        reduced.push_back(pick(random, 0, 1));
        cell.push_back(pick(random, 0, 1) ? n + pick(random, 0, 3) : pick(random, 1, n));
    }
    r.cut(reduced, cell);
    r.inner = pick(random, 0, 1);
    for (int64_t k = pick(random, 1, 3); k > 0; k--) {
        const int output = int(pick(random, 0, r.tile.program->noutput - 1));
        const weft_dtype own = wf_dtype_compute(weft_dtype(r.tile.program->output[output].dtype));
        std::vector<std::pair<int, weft_dtype>> fitting;
        for (auto &spec : all_reductions())
            if (spec.second == own || (pick(random, 0, 9) == 0 && wf_dtype_kind(own) != 'c')) fitting.push_back(spec);
        const auto &spec = fitting[size_t(pick(random, 0, int64_t(fitting.size()) - 1))];
        r.reducer.push_back({ spec.first, spec.second, output });
    }
}

TEST_F(Reductions, AnyProgramOverAnyStridesIsReducedAsTheCpuDoes)
{
    int checked = 0;
    for (unsigned seed = 0; checked < 40 && !HasFailure(); seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        Reduction r;
        make_any(r, random);
        if (!is_exact(r.tile.program)) continue;
        check(r);
        checked++;
    }
}

// --- partial results combined ---

struct Combination {
    weft_combine c = {};
    std::vector<weft_dtype> dtype;
    std::vector<Bytes> in;
    int64_t nout = 1;
};

// Values of field F: positions may be missing, counts may be 0.
void put_field(Random &random, const Combination &k, int f, char *p)
{
    put_random(random, k.dtype[size_t(f)], p, true);
    if (is_arg(k.c.op) && f == 1) {
        const int64_t position = pick(random, 0, 9) ? pick(random, 0, 100000) : -1;
        memcpy(p, &position, 8);
    }
    if (is_moments(k.c.op) && f == 0) {
        const double count[2] = { double(pick(random, 0, 3) ? pick(random, 1, 512) : 0), 0 };
        wf_kernels(nullptr)->cast[WEFT_COMPLEX128][k.dtype[0]](1, p, count);
    }
}

void make_combination(Combination &k, Random &random)
{
    const auto all = all_reductions();
    const auto [op, dtype] = all[size_t(pick(random, 0, int64_t(all.size()) - 1))];
    int64_t n = 1;
    k.c.op = op;
    k.c.dtype = dtype;
    k.c.ndim = int(pick(random, 1, 3));
    k.dtype = field_dtypes(op, dtype);
    k.c.nfield = int(k.dtype.size());
    std::vector<int> order;
    for (int a = 0; a < k.c.ndim; a++) {
        k.c.count[a] = pick(random, 1, k.c.ndim == 1 ? 2000 : k.c.ndim == 2 ? 90 : 12);
        k.c.cell[a] = pick(random, 0, 1) ? 1 : pick(random, 1, k.c.count[a] + 2);
        n *= k.c.count[a];
        k.nout *= (k.c.count[a] + k.c.cell[a] - 1) / k.c.cell[a];
        order.push_back(k.c.ndim - 1 - a);
    }
    if (pick(random, 0, 1)) std::shuffle(order.begin(), order.end(), random);
    for (int f = 0; f < k.c.nfield; f++) {
        const int64_t size = int64_t(wf_dtype_size(k.dtype[size_t(f)]));
        int64_t step = size;
        k.in.emplace_back(size_t(n * size));
        for (int64_t i = 0; i < n; i++) put_field(random, k, f, reinterpret_cast<char *>(&k.in.back()[size_t(i * size)]));
        for (int a : order) k.c.in_stride[f][a] = step, step *= k.c.count[a];
        step = size;
        for (int a = k.c.ndim - 1; a >= 0; a--) k.c.out_stride[f][a] = step, step *= (k.c.count[a] + k.c.cell[a] - 1) / k.c.cell[a];
    }
}

std::vector<Bytes> combined(gpu::Place &place, const Combination &k)
{
    weft_combine c = k.c;
    std::vector<Bytes> all;
    for (int f = 0; f < c.nfield; f++) {
        c.in[f] = place.put(k.in[size_t(f)]);
        c.out[f] = place.room(k.nout * int64_t(wf_dtype_size(k.dtype[size_t(f)])));
    }
    EXPECT_EQ(place.ops->combine(place.stream, &c), WEFT_OK) << weft_last_error();
    for (int f = 0; f < c.nfield; f++) all.push_back(place.get<unsigned char>(c.out[f], size_t(k.nout) * wf_dtype_size(k.dtype[size_t(f)])));
    place.clear();
    return all;
}

TEST_F(Reductions, PartialResultsAreCombinedAsTheCpuDoes)
{
    for (unsigned seed = 0; seed < 40 && !HasFailure(); seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        Combination k;
        make_combination(k, random);
        const std::vector<Bytes> got = combined(*cuda, k), want = combined(*cpu, k);
        for (size_t f = 0; f < got.size(); f++) {
            const size_t size = wf_dtype_size(k.dtype[f]);
            for (size_t i = 0; i * size < got[f].size() && !HasFailure(); i++)
                EXPECT_TRUE(same(k.dtype[f], &got[f][i * size], &want[f][i * size]))
                    << "reduction " << k.c.op << " of " << wf_dtype_name(k.c.dtype) << ", field " << f << " of cell " << i << ": "
                    << shown(k.dtype[f], &got[f][i * size]) << ", the CPU has " << shown(k.dtype[f], &want[f][i * size]);
        }
    }
}

}  // namespace

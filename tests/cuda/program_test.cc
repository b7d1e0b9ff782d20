// SPDX-License-Identifier: Apache-2.0
// program_test - programs on a CUDA device give what the CPU device gives: the same bits for everything that IEEE 754 or integers define, and
// for transcendental functions what the table of ulps below says.
#include <limits>

#include "cuda/bound.h"
extern "C" {
#include "base/text.h"
}

using namespace programs;

namespace {

// Ulps of the result (complex: of the larger part), of either library's worst case and a little; and an absolute slack in epsilons where the
// function has zeros that no library meets to the bit.
struct Tolerance {
    double ulps, epsilons;
};

Tolerance tolerance(int op, bool complex)
{
    if (complex && op == WF_OP_POW) return { 0x1p24, 4 };  // exponents up to 1e4 magnify what their product with a logarithm lost
    if (complex) return { 32, 4 };
    switch (op) {
    case WF_OP_LGAMMA: return { 10, 16 };
    case WF_OP_LOGADDEXP: return { 6, 4 };
    case WF_OP_TGAMMA: return { 14, 0 };
    case WF_OP_ERFC: return { 8, 0 };
    case WF_OP_POW:
    case WF_OP_ACOSH: return { 6, 0 };
    default: return { 5, 0 };
    }
}

struct Span {
    double epsilon, smallest;
};
Span span_of(weft_dtype dtype)
{
    return wf_dtype_real(dtype) == WEFT_FLOAT32 ? Span{ 0x1p-23, 0x1p-149 } : Span{ 0x1p-52, 0x1p-1074 };
}

// Whether numbers A and B of DTYPE are near enough; NaN and infinities must be the same.
bool near(weft_dtype dtype, const void *a, const void *b, Tolerance t)
{
    double x[2], y[2];
    if (same(dtype, a, b)) return true;
    const char kind = wf_dtype_kind(dtype);
    if (kind != 'f' && kind != 'c') return false;
    wf_kernels(nullptr)->cast[dtype][WEFT_COMPLEX128](1, x, a);
    wf_kernels(nullptr)->cast[dtype][WEFT_COMPLEX128](1, y, b);
    const Span s = span_of(dtype);
    double size = std::max(std::isfinite(y[0]) ? std::fabs(y[0]) : 0, std::isfinite(y[1]) ? std::fabs(y[1]) : 0);
    const double room = std::max(size * s.epsilon, s.smallest) * t.ulps + t.epsilons * s.epsilon;
    for (int i = 0; i < (kind == 'c' ? 2 : 1); i++) {
        if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
        if (!(std::fabs(x[i] - y[i]) <= room)) return false;
    }
    return true;
}

// What operations may stumble over, and some that are nothing special.
std::vector<double> numbers_of(weft_dtype dtype)
{
    const double inf = INFINITY;
    switch (wf_dtype_kind(dtype)) {
    case 'b': return { 0, 1 };
    case 'f':
    case 'c': {
        std::vector<double> v = { 0.0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 1.5, -3, 7, 10, -10.25, 0.1, -0.3, 1e-3, 100, 1234.5, -1e4, 12, 1e-30, -1e30, inf, -inf, NAN };
        const bool single = wf_dtype_real(wf_dtype_compute(dtype)) == WEFT_FLOAT32;
        for (double x : { single ? 0x1p-126 : 0x1p-1022, single ? 0x1p-149 : 0x1p-1074, single ? -0x1.fffffep127 : -0x1.fffffffffffffp1023, single ? 80.0 : 700.0, single ? 0x1.fffffep-1 : 0x1.fffffffffffffp-1 })
            v.push_back(x);
        return v;
    }
    default: {
        const bool is_signed = wf_dtype_kind(dtype) == 'i';
        const int bits = int(8 * wf_dtype_size(dtype));
        std::vector<double> v = { 0, 1, 2, 3, 5, 7, 8, 10, 31, 100, double(bits), double(bits - 1) };
        if (is_signed) v.insert(v.end(), { -1, -2, -3, -7, -8, -100, -std::ldexp(1, bits - 1), std::ldexp(1, bits - 1) - (bits == 64 ? 1024 : 1) });
        else v.insert(v.end(), { std::ldexp(1, bits) - (bits == 64 ? 2048 : 1), std::ldexp(1, bits - 1) });
        return v;
    }
    }
}

class Programs : public gpu::Gpu {
  protected:
    void SetUp() override
    {
        gpu::Gpu::SetUp();
        if (IsSkipped()) return;
        cuda = std::make_unique<gpu::Place>(gpu::module());
        cpu = std::make_unique<gpu::Place>(wf_cpu_device_ops());
    }

    std::vector<Bytes> run(gpu::Place &place, const Tile &tile)
    {
        Bound bound(place, tile);
        const wf_launch launch = bound.launch(tile);
        EXPECT_EQ(place.ops->launch(place.stream, &launch), WEFT_OK) << weft_last_error();
        return bound.results();
    }

    // Compares all elements of every output, and the gaps between them. OPS: the operation of each output; none: exact.
    void check(Tile &tile, const std::vector<wf_op> &ops = {})
    {
        std::vector<Bytes> got = run(*cuda, tile), want = run(*cpu, tile);
        for (size_t i = 0; i < got.size() && !HasFailure(); i++) {
            const weft_dtype dtype = weft_dtype(tile.program->output[i].dtype);
            Strided &s = tile.out[i];
            each(tile.count, [&](const std::vector<int64_t> &coord) {
                const size_t at = size_t(reinterpret_cast<unsigned char *>(s.element(coord)) - s.memory.data());
                const bool inexact = !ops.empty() && is_inexact(ops[i], tile, int(i));
                const bool complex = wf_dtype_kind(dtype) == 'c';
                const bool good = inexact ? near(dtype, &got[i][at], &want[i][at], tolerance(ops[i], complex)) : same(dtype, &got[i][at], &want[i][at]);
                if (!good && !HasFailure())
                    ADD_FAILURE() << (ops.empty() ? "output " + std::to_string(i) : wf_op_name(ops[i])) << ": " << shown(dtype, &got[i][at]) << ", the CPU has "
                                  << shown(dtype, &want[i][at]) << "\n"
                                  << describe(tile, coord);
                memcpy(&want[i][at], &got[i][at], size_t(s.item));
            });
            if (!HasFailure()) {
                EXPECT_TRUE(got[i] == want[i]) << "bytes between elements were written\n" << describe(tile, {});
            }
        }
    }

    static bool is_inexact(wf_op op, const Tile &tile, int output)
    {
        const wf_instr &in = tile.program->instr[tile.program->output[output].value];
        const char kind = wf_dtype_kind(weft_dtype(in.dtype));
        const bool modulus = kind == 'c' && (op == WF_OP_ABS || op == WF_OP_SIGN || op == WF_OP_SQRT);
        return (kind == 'f' || kind == 'c') && (is_transcendental(op) || modulus);
    }

    static std::string describe(const Tile &tile, const std::vector<int64_t> &coord)
    {
        wf_text t = {};
        wf_program_print(tile.program, &t);
        std::string s = t.data ? t.data : "";
        wf_text_fini(&t);
        s += "count";
        for (int64_t c : tile.count) s += " " + std::to_string(c);
        s += "; at";
        for (int64_t c : coord) s += " " + std::to_string(c);
        for (const Strided &in : tile.in)
            if (in.operand.data && coord.size() == tile.count.size()) {
                s += "; operand";
                for (int64_t b = 0; b < in.item; b++) s += " " + std::to_string(int(static_cast<unsigned char>(in.element(coord)[b])));
            }
        return s;
    }

    std::unique_ptr<gpu::Place> cuda, cpu;
};

// Every pair of special numbers: the first operand varies along axis 0, the second along axis 1.
void bind_pairs(Tile &tile, weft_dtype dtype, Random &random)
{
    const std::vector<double> numbers = numbers_of(dtype);
    const int64_t n = int64_t(numbers.size());
    const bool complex = wf_dtype_kind(dtype) == 'c';  // the first operand has every pair of parts
    tile.count = { n, n };
    tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
    each(tile.count, [&](const std::vector<int64_t> &c) {
        const double first[2] = { numbers[size_t(c[0])], complex ? numbers[size_t(c[1])] : 0 };
        const double second[2] = { numbers[size_t(c[1])], complex ? numbers[size_t((c[0] + 3 * c[1]) % n)] : 0 };
        const wf_kernel_table *t = wf_kernels(nullptr);
        if (tile.in.size() == 1) t->cast[WEFT_COMPLEX128][dtype](1, tile.in[0].element(c), c[0] % 2 ? second : first);
        if (tile.in.size() < 3) return;
        t->cast[WEFT_COMPLEX128][dtype](1, tile.in[1].element(c), first);
        t->cast[WEFT_COMPLEX128][dtype](1, tile.in[2].element(c), second);
        *tile.in[0].element(c) = char((c[0] + c[1]) % 2);
    });
}

TEST_F(Programs, EveryOperationOfEveryDtypeIsTheCpus)
{
    Random random(1);
    for (Operations &o : all_operations()) {
        Tile tile;
        tile.program = o.program;
        bind_pairs(tile, o.dtype, random);
        check(tile, o.op);
    }
}

TEST_F(Programs, EveryCastIsTheCpus)
{
    Random random(2);
    for (weft_dtype from : all_dtypes()) {
        Tile tile;
        tile.program = all_casts(from);
        bind_pairs(tile, from, random);
        check(tile);
    }
}

TEST_F(Programs, RandomNumbersHaveTheCpusBits)
{
    Random random(3);
    for (int64_t step : { 1, 3, 0 })
        for (int64_t origin : { int64_t(0), int64_t(1), int64_t(4294967295), int64_t(1) << 40 }) {
            Tile tile;
            tile.program = all_random(tile.param);
            tile.count = { 3, 1001 };
            tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
            tile.in[0].operand.origin = origin;
            tile.in[0].operand.stride[0] = 2000;
            tile.in[0].operand.stride[1] = step;
            tile.collect();
            check(tile);
        }
}

std::vector<int64_t> random_shape(Random &random)
{
    switch (pick(random, 0, 6)) {
    case 0: return { pick(random, 1, 9000) };
    case 1: return { pick(random, 1, 40), pick(random, 60, 200) };
    case 2: return { pick(random, 60, 600), pick(random, 1, 7) };
    case 3: return { pick(random, 1, 9), pick(random, 1, 70), pick(random, 1, 9) };
    case 4: return { pick(random, 1, 5), pick(random, 1, 6), pick(random, 1, 5), pick(random, 1, 40) };
    case 5: return {};
    default: return { pick(random, 33, 70), pick(random, 64, 90) };
    }
}

TEST_F(Programs, AnyProgramOverAnyStridesIsTheCpus)
{
    int checked = 0;
    for (unsigned seed = 0; checked < 50 && !HasFailure(); seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        Tile tile;
        random_program(tile, random, int(pick(random, 1, 5)), int(pick(random, 0, 6)), int(pick(random, 1, 3)));
        if (!is_exact(tile.program)) continue;
        tile.count = random_shape(random);
        tile.bind(random, Layout(pick(random, CONTIGUOUS, ANY_WITH_BROADCAST)), Layout(pick(random, CONTIGUOUS, ANY)), true);
        check(tile);
        checked++;
    }
}

// x + y * z of DTYPE, each operand a view that begins LEAD elements into its memory.
void sum_of_product(Tile &tile, Random &random, weft_dtype dtype, std::vector<int64_t> count, std::vector<int64_t> lead)
{
    Builder b;
    const int x = b.load(dtype), y = b.load(dtype), z = b.load(dtype);
    b.store(b.map(WF_OP_ADD, dtype, { x, b.map(WF_OP_MULTIPLY, dtype, { y, z }) }));
    tile.program = b.build();
    tile.count = count;
    tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
    for (size_t i = 0; i < 4; i++) {
        Strided &s = i < 3 ? tile.in[i] : tile.out[0];
        const int64_t item = s.item, row = (count[1] + lead[i] + 3) / 4 * 4 * item;
        s.memory.assign(size_t(row * (count[0] + 1) + 64), 0);
        const int64_t first = 32 - int64_t(reinterpret_cast<uintptr_t>(s.memory.data()) % 16) + lead[i] * item;
        s.operand.data = s.memory.data() + first;
        s.operand.stride[0] = row;
        if (i < 3) each(tile.count, [&](const std::vector<int64_t> &c) { put_random(random, dtype, s.element(c), true); });
    }
    tile.collect();
}

TEST_F(Programs, RowsAlignedOrNotAndEndsOfRowsAreTheCpus)
{
    Random random(4);
    for (weft_dtype dtype : { WEFT_INT8, WEFT_BFLOAT16, WEFT_FLOAT32, WEFT_COMPLEX128 })
        for (int64_t cols : { 256, 333 })
            for (const std::vector<int64_t> &lead : { std::vector<int64_t>{ 0, 0, 0, 0 }, { 1, 0, 0, 0 }, { 1, 2, 3, 0 }, { 0, 0, 0, 1 } }) {
                Tile tile;
                sum_of_product(tile, random, dtype, { 7, cols }, lead);
                check(tile);
            }
}

// x + y, y's neighbours along another axis than x's, tiles that end short; every element size.
TEST_F(Programs, TurnedOperandsAreTheCpus)
{
    Random random(7);
    for (weft_dtype dtype : { WEFT_BOOL, WEFT_INT16, WEFT_FLOAT16, WEFT_FLOAT32, WEFT_INT64, WEFT_COMPLEX128 })
        for (const std::vector<int64_t> &count : { std::vector<int64_t>{ 32, 32 }, { 71, 95 }, { 40, 3, 65 } }) {
            Tile tile;
            Builder b;
            const wf_op op = dtype == WEFT_COMPLEX128 ? WF_OP_ADD : WF_OP_MAXIMUM;
            const int x = b.load(dtype), y = b.load(dtype), z = b.load(dtype), c = b.counter();
            b.store(b.map(op, dtype, { x, b.map(op, dtype, { y, z }) }), dtype);
            b.store(c);
            tile.program = b.build();
            tile.count = count;
            tile.bind(random, CONTIGUOUS, CONTIGUOUS, true);
            tile.bind_input(random, 1, FORTRAN, true);
            if (count.size() == 2) tile.bind_input(random, 2, FORTRAN, true);
            tile.collect();
            check(tile);
        }
}

// Five views of one array, one step apart.
TEST_F(Programs, StencilsAreTheCpus)
{
    Random random(8);
    for (weft_dtype dtype : { WEFT_INT8, WEFT_FLOAT32, WEFT_FLOAT64 })
        for (const std::vector<int64_t> &count : { std::vector<int64_t>{ 40, 300 }, { 3, 70, 37 } }) {
            Tile tile;
            Builder b;
            int sum = b.load(dtype);
            for (int i = 0; i < 4; i++) sum = b.map(WF_OP_ADD, dtype, { sum, b.load(dtype) });
            b.store(sum);
            tile.program = b.build();
            tile.count = count;
            for (int64_t &n : tile.count) n += 2;
            tile.bind(random, CONTIGUOUS, CONTIGUOUS, true);
            tile.count = count;
            const int64_t item = tile.in[0].item;
            const std::vector<int64_t> stride(tile.in[0].operand.stride, tile.in[0].operand.stride + count.size());
            const int64_t row = stride[count.size() - 2], steps[] = { row + item, item, 2 * row + item, row, row + 2 * item };
            const Bytes whole = tile.in[0].memory;
            const int64_t first = static_cast<unsigned char *>(tile.in[0].operand.data) - tile.in[0].memory.data();
            for (int i = 0; i < 5; i++) {  // one memory for all five: that is what makes a stencil
                tile.in[size_t(i)].memory = i == 0 ? whole : Bytes();
                tile.in[size_t(i)].operand.data = tile.in[0].memory.data() + first + steps[i];
            }
            tile.collect();
            check(tile);
        }
}

TEST_F(Programs, CoordinatesBeyondThirtyTwoBitsAreCounted)
{
    Random random(5);
    Tile tile;
    Builder b;
    const int c = b.counter();
    b.store(b.map(WF_OP_MULTIPLY, WEFT_INT64, { c, b.load(WEFT_INT64) }));
    tile.program = b.build();
    tile.count = { 5, 6, 7, 100 };
    tile.bind(random, CONTIGUOUS, ANY, false);
    for (int a = 0; a < 4; a++) tile.in[0].operand.stride[a] = (int64_t(1) << 33) + a;
    tile.collect();
    check(tile);
}

TEST_F(Programs, ArgumentsMayBeLongerThanAPage)
{
    Random random(6);
    Tile tile;
    Builder b;
    int v = b.load(WEFT_INT64);
    for (int i = 0; i < 300; i++) wf_program_add_param(b.b);
    for (int i = 0; i < 120; i++) {
        wf_scalar s = {};
        s.i = i * 7919;
        tile.param.push_back(s);
        v = b.map(i % 2 ? WF_OP_BITWISE_XOR : WF_OP_ADD, WEFT_INT64, { v, wf_program_param(b.b, i, WEFT_INT64) });
    }
    tile.param.resize(300);
    b.store(v);
    tile.program = b.build();
    tile.count = { 1000 };
    tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
    check(tile);
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
// cpu_tile - for the CPU device's tests: operands with random strides in guarded memory, random programs, and the oracle: every
// element by itself, each instruction by its kernel with n = 1.
#ifndef CPU_TILE_H
#define CPU_TILE_H

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "array/dtype.h"
#include "array/program.h"
#include "device/device.h"
#include "kernel.h"
}

namespace cpu_tile {

using Bytes = std::vector<unsigned char>;
using Random = std::mt19937;

inline int64_t pick(Random &random, int64_t low, int64_t high)
{
    return std::uniform_int_distribution<int64_t>(low, high)(random);
}

inline const std::vector<weft_dtype> &all_dtypes()
{
    static const std::vector<weft_dtype> list = { WEFT_BOOL,    WEFT_INT8,      WEFT_INT16,
                                                  WEFT_INT32,   WEFT_INT64,     WEFT_UINT8,
                                                  WEFT_UINT16,  WEFT_UINT32,    WEFT_UINT64,
                                                  WEFT_FLOAT16, WEFT_BFLOAT16,  WEFT_FLOAT32,
                                                  WEFT_FLOAT64, WEFT_COMPLEX64, WEFT_COMPLEX128 };
    return list;
}

// A tame value of any dtype, with special ones now and then.
inline void put_random(Random &random, weft_dtype dtype, void *out, bool special)
{
    const wf_kernel_table *table = wf_kernels(nullptr);
    double value[2] = { double(pick(random, -40, 40)) / 8, double(pick(random, -40, 40)) / 8 };

    if (special && pick(random, 0, 15) == 0) value[0] = pick(random, 0, 1) ? NAN : -0.0;
    if (wf_dtype_kind(dtype) == 'u' || dtype == WEFT_BOOL)
        value[0] = double(pick(random, 0, dtype == WEFT_BOOL ? 1 : 40));
    if (wf_dtype_kind(dtype) == 'i') value[0] = double(pick(random, -40, 40));
    table->cast[WEFT_COMPLEX128][dtype](1, out, value);
}

// Memory of one operand over COUNT: axes in random order, steps of 1 to 3 elements, some walked backward, some broadcast.
struct Strided {
    Bytes memory;
    wf_operand operand = {};
    int64_t item = 0;
    std::vector<int64_t> count;

    char *element(const std::vector<int64_t> &coord) const
    {
        char *p = static_cast<char *>(operand.data);
        for (size_t a = 0; a < coord.size(); a++) p += coord[a] * operand.stride[a];
        return p;
    }
};

enum Layout { CONTIGUOUS, FORTRAN, ANY, ANY_WITH_BROADCAST };

inline void make_strided(Strided &s, Random &random, const std::vector<int64_t> &count,
                         int64_t item, Layout layout)
{
    size_t ndim = count.size();
    std::vector<size_t> order(ndim);
    int64_t step = item, offset = 0;

    for (size_t a = 0; a < ndim; a++) order[a] = layout == FORTRAN ? a : ndim - 1 - a;
    if (layout >= ANY) std::shuffle(order.begin(), order.end(), random);
    s.item = item;
    s.count = count;
    for (size_t a : order) {
        bool wild = layout >= ANY && pick(random, 0, 3) == 0;
        if (layout == ANY_WITH_BROADCAST && pick(random, 0, 3) == 0) {
            s.operand.stride[a] = 0;
            continue;
        }
        if (wild) step *= pick(random, 1, 3);
        s.operand.stride[a] = step;
        if (wild && pick(random, 0, 1)) {
            s.operand.stride[a] = -step;
            offset += step * (count[a] > 0 ? count[a] - 1 : 0);
        }
        step *= count[a] > 0 ? count[a] : 1;
    }
    s.memory.assign(static_cast<size_t>(step + 64), 0xA5);
    s.operand.data = s.memory.data() + 32 + offset;
    s.operand.data =
        static_cast<char *>(s.operand.data) - reinterpret_cast<uintptr_t>(s.memory.data()) % 16;
}

// Calls FN with every coordinate of COUNT in C order.
template <class Fn> void each(const std::vector<int64_t> &count, Fn fn)
{
    std::vector<int64_t> coord(count.size(), 0);
    for (int64_t c : count)
        if (c == 0) return;
    for (;;) {
        fn(coord);
        size_t a = count.size();
        while (a > 0 && ++coord[a - 1] == count[a - 1]) coord[--a] = 0;
        if (a == 0) return;
    }
}

// A program and everything it is bound to.
struct Tile {
    wf_program *program = nullptr;
    std::vector<int64_t> count;
    std::vector<Strided> in, out;
    std::vector<wf_scalar> param;
    std::vector<wf_operand> in_operand, out_operand;

    Tile() = default;
    Tile(const Tile &) = delete;
    ~Tile() { wf_program_destroy(program); }

    // Memory for all operands of PROGRAM, filled at random.
    void bind(Random &random, Layout inputs, Layout outputs, bool special)
    {
        in.resize(program->ninput);
        out.resize(program->noutput);
        for (int i = 0; i < program->ninput; i++) bind_input(random, i, inputs, special);
        for (int i = 0; i < program->noutput; i++)
            make_strided(out[i], random, count,
                         int64_t(wf_dtype_size(weft_dtype(program->output[i].dtype))), outputs);
        collect();
    }

    void bind_input(Random &random, int i, Layout layout, bool special)
    {
        weft_dtype dtype = weft_dtype(program->input[i].dtype);
        make_strided(in[i], random, count, int64_t(wf_dtype_size(dtype)), layout);
        if (program->input[i].counter) {
            in[i].operand.data = nullptr;
            in[i].operand.origin =
                pick(random, 1000000, 2000000);  // element numbers are never negative
            for (size_t a = 0; a < count.size(); a++)
                in[i].operand.stride[a] = in[i].operand.stride[a] / 8;
            return;
        }
        each(count, [&](const std::vector<int64_t> &coord) {
            put_random(random, dtype, in[i].element(coord), special);
        });
    }

    void collect()
    {
        in_operand.clear();
        out_operand.clear();
        for (const Strided &s : in) in_operand.push_back(s.operand);
        for (const Strided &s : out) out_operand.push_back(s.operand);
    }

    wf_launch launch() const
    {
        wf_launch l = {};
        l.program = program;
        l.ndim = int(count.size());
        for (size_t a = 0; a < count.size(); a++) l.count[a] = count[a];
        l.in = in_operand.data();
        l.out = out_operand.data();
        l.param = param.data();
        return l;
    }
};

struct Value {
    alignas(16) unsigned char bytes[16];
};

// The oracle: all instructions of TILE's program at COORD.
inline std::vector<Value> evaluate(const Tile &tile, const std::vector<int64_t> &coord)
{
    const wf_kernel_table *table = wf_kernels(nullptr);
    const wf_program *p = tile.program;
    std::vector<Value> value(p->ninstr);

    for (int v = 0; v < p->ninstr; v++) {
        const wf_instr &in = p->instr[v];
        const wf_scalar *param =
            in.index >= 0 && !tile.param.empty() ? &tile.param[in.index] : nullptr;
        void *out = value[v].bytes;
        int64_t counter = 0;
        if (in.kind == WF_INSTR_COUNTER ||
            (in.kind >= WF_INSTR_UNIFORM && in.kind <= WF_INSTR_INTEGERS)) {
            int op = in.kind == WF_INSTR_COUNTER ? in.index : p->instr[in.arg[0]].index;
            counter = tile.in[op].operand.origin;
            for (size_t a = 0; a < coord.size(); a++)
                counter += coord[a] * tile.in[op].operand.stride[a];
        }
        switch (in.kind) {
        case WF_INSTR_LOAD: {
            weft_dtype from = weft_dtype(p->input[in.index].dtype);
            if (from == weft_dtype(in.result))
                memcpy(out, tile.in[in.index].element(coord), wf_dtype_size(from));
            else table->cast[from][in.result](1, out, tile.in[in.index].element(coord));
            break;
        }
        case WF_INSTR_PARAM: memcpy(out, param->bytes, 16); break;
        case WF_INSTR_COUNTER: memcpy(out, &counter, 8); break;
        case WF_INSTR_UNIFORM:
            table->random_uniform[in.dtype](1, out, counter, param[0].u, param[1].u);
            break;
        case WF_INSTR_NORMAL:
            table->random_normal[in.dtype](1, out, counter, param[0].u, param[1].u);
            break;
        case WF_INSTR_INTEGERS:
            table->random_integers(1, reinterpret_cast<int64_t *>(out), counter, param[0].u,
                                   param[1].u, param[2].u, param[3].u);
            break;
        case WF_INSTR_MAP: {
            const void *args[3] = { nullptr, nullptr, nullptr };
            for (int i = 0; i < wf_op_arity(wf_op(in.op)); i++) args[i] = value[in.arg[i]].bytes;
            table->map[in.op][in.dtype](1, out, args);
            break;
        }
        case WF_INSTR_CAST:
            table->cast[p->instr[in.arg[0]].result][in.dtype](1, out, value[in.arg[0]].bytes);
            break;
        default: table->round16[in.from](1, out, value[in.arg[0]].bytes);
        }
    }
    return value;
}

// The element of output I as it is stored.
inline Value stored(const Tile &tile, const std::vector<Value> &value, int i)
{
    const wf_program_output &out = tile.program->output[i];
    weft_dtype from = weft_dtype(tile.program->instr[out.value].result);
    Value v = {};

    if (from == weft_dtype(out.dtype)) memcpy(v.bytes, value[out.value].bytes, wf_dtype_size(from));
    else wf_kernels(nullptr)->cast[from][out.dtype](1, v.bytes, value[out.value].bytes);
    return v;
}

// A program of LENGTH random operations over NINPUT random inputs, counters, random numbers and parameters; the last NOUTPUT values
// are stored. TILE gets the parameters.
inline void random_program(Tile &tile, Random &random, int ninput, int length, int noutput)
{
    wf_program_builder *b = nullptr;
    std::vector<int> values;
    const auto &dtypes = all_dtypes();

    ASSERT_EQ(wf_program_builder_create(&b), WEFT_OK);
    for (int i = 0; i < ninput; i++) {
        bool counter = pick(random, 0, 4) == 0;
        values.push_back(wf_program_load(
            b, wf_program_add_input(b, counter, dtypes[pick(random, 0, dtypes.size() - 1)])));
        if (counter && pick(random, 0, 1)) {
            wf_instr_kind kind = wf_instr_kind(pick(random, WF_INSTR_UNIFORM, WF_INSTR_INTEGERS));
            int first = wf_program_add_param(b);
            for (int k = 0; k < 3; k++) wf_program_add_param(b);
            for (uint64_t word : { 7u, 3u, 10u, 100u }) {
                wf_scalar s = {};
                s.u = word;
                tile.param.push_back(s);
            }
            weft_dtype dtype = kind == WF_INSTR_INTEGERS ? WEFT_INT64
                               : pick(random, 0, 1)      ? WEFT_FLOAT32
                                                         : WEFT_FLOAT64;
            values.push_back(wf_program_random(b, kind, dtype, values.back(), first));
        }
    }
    if (pick(random, 0, 1)) {
        weft_dtype dtype = wf_dtype_compute(dtypes[pick(random, 0, dtypes.size() - 1)]);
        wf_scalar s = {};
        put_random(random, dtype, s.bytes, false);
        tile.param.push_back(s);
        values.push_back(wf_program_param(b, wf_program_add_param(b), dtype));
    }
    for (int tries = 0; length > 0 && tries < 1000; tries++) {
        wf_op op = wf_op(pick(random, 0, WF_OP_COUNT - 1));
        int arity = wf_op_arity(op), args[3];
        weft_dtype dtype[3], compute, result;
        for (int i = 0; i < arity; i++) {
            args[i] = values[pick(random, 0, values.size() - 1)];
            dtype[i] = wf_program_value_dtype(b, args[i]);
        }
        if (wf_op_types(op, dtype, &compute, &result) != WEFT_OK) continue;
        for (int i = 0; i < arity; i++)
            args[i] =
                wf_program_cast(b, args[i], op == WF_OP_WHERE && i == 0 ? WEFT_BOOL : compute);
        values.push_back(wf_program_map(b, op, compute, args));
        length--;
    }
    for (int i = 0; i < noutput; i++) {
        int v = values[values.size() - 1 - size_t(i) % values.size()];
        weft_dtype dtype = wf_program_value_dtype(b, v);
        if (dtype == WEFT_FLOAT32 && pick(random, 0, 2) == 0)
            dtype = pick(random, 0, 1) ? WEFT_FLOAT16 : WEFT_BFLOAT16;
        ASSERT_EQ(wf_program_store(b, v, dtype), WEFT_OK);
    }
    ASSERT_EQ(wf_program_build(b, &tile.program), WEFT_OK);
}

// One NaN is as good as another: only that it is one counts.
inline bool same(weft_dtype dtype, const void *a, const void *b)
{
    size_t bytes = wf_dtype_size(dtype);
    double x[2], y[2];

    if (memcmp(a, b, bytes) == 0) return true;
    if (wf_dtype_kind(dtype) != 'f' && wf_dtype_kind(dtype) != 'c') return false;
    wf_kernels(nullptr)->cast[dtype][WEFT_COMPLEX128](1, x, a);
    wf_kernels(nullptr)->cast[dtype][WEFT_COMPLEX128](1, y, b);
    for (int i = 0; i < 2; i++)
        if (memcmp(&x[i], &y[i], 8) != 0 && !(std::isnan(x[i]) && std::isnan(y[i]))) return false;
    return true;
}

inline std::string shown(weft_dtype dtype, const void *p)
{
    double x[2];
    wf_kernels(nullptr)->cast[dtype][WEFT_COMPLEX128](1, x, p);
    char text[128];
    snprintf(text, sizeof text, "%s %.17g %.17g (%a)", wf_dtype_name(dtype), x[0], x[1], x[0]);
    return text;
}

// An open CPU device and a stream on it.
class CpuDevice : public ::testing::Test {
  protected:
    void SetUp() override
    {
        ops = wf_cpu_device_ops();
        ASSERT_EQ(ops->open(0, int64_t(64) << 20, 2, &device), WEFT_OK);
        ASSERT_EQ(ops->stream_open(device, &stream), WEFT_OK);
    }
    void TearDown() override
    {
        ops->stream_close(stream);
        ops->close(device);
    }

    const weft_device_ops *ops = nullptr;
    weft_device *device = nullptr;
    weft_stream *stream = nullptr;
};

}  // namespace cpu_tile

#endif

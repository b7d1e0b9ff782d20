// SPDX-License-Identifier: Apache-2.0
// programs - for the tests of devices other than the CPU: programs that between them contain every operation, cast and generator of every
// dtype.
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include <cmath>

#include "device/cpu_tile.h"

namespace programs {

using namespace cpu_tile;

// An operation that other libraries round differently.
inline bool is_transcendental(int op)
{
    switch (op) {
    case WF_OP_POW:
    case WF_OP_ATAN2:
    case WF_OP_HYPOT:
    case WF_OP_LOGADDEXP: return true;
    default: return op >= WF_OP_CBRT && op <= WF_OP_TGAMMA && op != WF_OP_RECIPROCAL;
    }
}

// Whether two devices must agree about PROGRAM to the bit.
inline bool is_exact(const wf_program *p)
{
    for (int v = 0; v < p->ninstr; v++) {
        const wf_instr &in = p->instr[v];
        const char kind = wf_dtype_kind(weft_dtype(in.dtype));
        if (in.kind != WF_INSTR_MAP || kind == 'i' || kind == 'u') continue;
        const bool modulus =
            kind == 'c' && (in.op == WF_OP_ABS || in.op == WF_OP_SIGN || in.op == WF_OP_SQRT);
        if (is_transcendental(in.op) || modulus) return false;
    }
    return true;
}

struct Builder {
    wf_program_builder *b = nullptr;
    Builder() { EXPECT_EQ(wf_program_builder_create(&b), WEFT_OK); }
    ~Builder() { wf_program_builder_destroy(b); }
    int load(weft_dtype dtype) { return wf_program_load(b, wf_program_add_input(b, false, dtype)); }
    int counter() { return wf_program_load(b, wf_program_add_input(b, true, WEFT_INT64)); }
    int map(wf_op op, weft_dtype dtype, std::vector<int> args)
    {
        return wf_program_map(b, op, dtype, args.data());
    }
    int cast(int v, weft_dtype to) { return wf_program_cast(b, v, to); }
    weft_dtype dtype(int v) { return wf_program_value_dtype(b, v); }
    void store(int v) { store(v, dtype(v)); }
    void store(int v, weft_dtype storage) { EXPECT_EQ(wf_program_store(b, v, storage), WEFT_OK); }
    wf_program *build()
    {
        wf_program *p = nullptr;
        EXPECT_EQ(wf_program_build(b, &p), WEFT_OK);
        b = nullptr;
        return p;
    }
};

// A program whose output i is one operation, on two operands of DTYPE and one of bool.
struct Operations {
    weft_dtype dtype;
    std::vector<wf_op> op;  // by output
    wf_program *program;
};

inline std::vector<Operations> all_operations()
{
    std::vector<Operations> all;
    for (weft_dtype dtype : all_dtypes()) {
        std::vector<wf_op> ops;
        for (int op = 0; op < WF_OP_COUNT; op++)
            if (wf_kernels(nullptr)->map[op][wf_dtype_compute(dtype)]) ops.push_back(wf_op(op));
        for (size_t first = 0; first < ops.size(); first += WF_PROGRAM_MAX_OUTPUTS) {
            Builder b;
            Operations o = { dtype, {}, nullptr };
            const int mask = b.load(WEFT_BOOL), x = b.load(dtype), y = b.load(dtype);
            for (size_t i = first; i < ops.size() && i < first + WF_PROGRAM_MAX_OUTPUTS; i++) {
                const int arity = wf_op_arity(ops[i]);
                const int v = b.map(ops[i], dtype,
                                    arity == 3   ? std::vector<int>{ mask, x, y }
                                    : arity == 2 ? std::vector<int>{ x, y }
                                                 : std::vector<int>{ x });
                b.store(v,
                        wf_dtype_is_half(dtype) && b.dtype(v) == WEFT_FLOAT32 ? dtype : b.dtype(v));
                o.op.push_back(ops[i]);
            }
            o.program = b.build();
            all.push_back(o);
        }
    }
    return all;
}

// DTYPE to every other; 16-bit floats as they are stored.
inline wf_program *all_casts(weft_dtype from)
{
    Builder b;
    const int x = b.load(from);
    for (weft_dtype to : all_dtypes()) b.store(b.cast(x, wf_dtype_compute(to)), to);
    return b.build();
}

// All kinds of random numbers for one counter.
inline wf_program *all_random(std::vector<wf_scalar> &param)
{
    Builder b;
    const int c = b.counter();
    for (uint64_t word :
         { uint64_t(0x123456789abcdefu), uint64_t(77), uint64_t(-1000), uint64_t(3) << 62 }) {
        wf_scalar s = {};
        s.u = word;
        param.push_back(s);
        wf_program_add_param(b.b);
    }
    for (weft_dtype dtype : { WEFT_FLOAT32, WEFT_FLOAT64 })
        for (wf_instr_kind kind : { WF_INSTR_UNIFORM, WF_INSTR_NORMAL })
            b.store(wf_program_random(b.b, kind, dtype, c, 0));
    b.store(wf_program_random(b.b, WF_INSTR_INTEGERS, WEFT_INT64, c, 0));
    b.store(c);
    return b.build();
}

}  // namespace programs
#endif

// SPDX-License-Identifier: Apache-2.0
// dispatch_test - the choice of a table, and that every table has exactly the kernels it must have.

#include "kernels/tables.h"

namespace {

bool is_int(int d) { return d >= WEFT_INT8 && d <= WEFT_UINT64; }
bool is_float(int d) { return d == WEFT_FLOAT32 || d == WEFT_FLOAT64; }
bool is_complex(int d) { return d == WEFT_COMPLEX64 || d == WEFT_COMPLEX128; }

// The dtypes computed in, from the type rule of op.def and the exceptions its documentation names.
bool expects_kernel(int op, const std::string &rule, int d) {
    if (d == WEFT_FLOAT16 || d == WEFT_BFLOAT16) return false;  // computed as float32
    const bool b = d == WEFT_BOOL, i = is_int(d), f = is_float(d), c = is_complex(d);
    if (b && (op == WF_OP_POW || op == WF_OP_SQUARE || op == WF_OP_FLOOR_DIVIDE || op == WF_OP_REMAINDER || op == WF_OP_FMOD))
        return false;  // computed as int8
    if (op == WF_OP_SIGNBIT) return b || i || f;
    if (op == WF_OP_ROUND) return b || i || f || c;
    if (rule == "NUMERIC" || rule == "COMPARE" || rule == "TEST" || rule == "ABS" || rule == "PARTS" || rule == "SELECT")
        return b || i || f || c;
    if (rule == "NOBOOL") return i || f || c;
    if (rule == "REAL" || rule == "ORDER" || rule == "INTROUND") return b || i || f;
    if (rule == "FLOAT") return f || c;
    if (rule == "REALFLOAT") return f;
    if (rule == "LOGICAL") return b;
    if (rule == "BITS") return b || i;
    if (rule == "SHIFT") return i;
    ADD_FAILURE() << "unknown rule " << rule;
    return false;
}

TEST(KernelTable, HasExactlyTheMapKernelsThatTypeRulesAllow) {
    struct Op {
        int op;
        const char *rule;
    };
    static const Op ops[] = {
#define WEFT_OP(NAME, name, arity, types, cost, doc) {WF_OP_##NAME, #types},
#include "weft/op.def"
    };

    for (const wf_kernel_table *table : all_tables())
        for (const Op &op : ops)
            for (int d = 1; d < WEFT_NDTYPES; d++)
                EXPECT_EQ(table->map[op.op][d] != nullptr, expects_kernel(op.op, op.rule, d))
                    << table->name << " " << op_name(op.op) << " dtype " << d;
}

TEST(KernelTable, CastsBetweenAllPairs) {
    for (const wf_kernel_table *table : all_tables())
        for (int from = 1; from < WEFT_NDTYPES; from++)
            for (int to = 1; to < WEFT_NDTYPES; to++) EXPECT_NE(table->cast[from][to], nullptr) << from << " " << to;
}

bool expects_reduction(int op, int d) {
    const bool b = d == WEFT_BOOL, i = is_int(d), f = is_float(d), c = is_complex(d);
    switch (op) {
    case WF_REDUCE_SUM:
    case WF_REDUCE_PROD: return b || i || f || c;
    case WF_REDUCE_FMIN:
    case WF_REDUCE_FMAX: return f;
    case WF_REDUCE_ANY:
    case WF_REDUCE_ALL: return b;
    case WF_REDUCE_MOMENTS:
    case WF_REDUCE_NANMOMENTS: return f || c;
    default: return b || i || f;
    }
}

TEST(KernelTable, HasAllReductionsScansAndMoves) {
    for (const wf_kernel_table *table : all_tables()) {
        for (int op = 0; op < WF_REDUCE_COUNT_; op++)
            for (int d = 1; d < WEFT_NDTYPES; d++) {
                const wf_reduce_kernels &k = table->reduce[op][d];
                const bool want = expects_reduction(op, d);
                EXPECT_EQ(k.rows != nullptr, want) << op << " " << d;
                EXPECT_EQ(k.cols != nullptr, want) << op << " " << d;
                EXPECT_EQ(k.combine != nullptr, want) << op << " " << d;
                EXPECT_EQ(k.identity != nullptr, want) << op << " " << d;
            }
        for (int op = 0; op < WF_SCAN_OPS; op++)
            for (int d = 1; d < WEFT_NDTYPES; d++)
                EXPECT_EQ(table->scan[op][d].row && table->scan[op][d].cols, is_int(d) || is_float(d) || is_complex(d));
        for (int d = 1; d < WEFT_NDTYPES; d++)
            EXPECT_EQ(table->gemm[d] != nullptr, d != WEFT_FLOAT16 && d != WEFT_BFLOAT16);
        for (int size : {1, 2, 4, 8, 16}) EXPECT_TRUE(table->gather[size] && table->scatter[size] && table->transpose[size]);
        EXPECT_TRUE(table->random_uniform[WEFT_FLOAT32] && table->random_uniform[WEFT_FLOAT64]);
        EXPECT_TRUE(table->random_normal[WEFT_FLOAT32] && table->random_normal[WEFT_FLOAT64] && table->random_integers);
        EXPECT_TRUE(table->round16[WEFT_FLOAT16] && table->round16[WEFT_BFLOAT16]);
    }
}

TEST(KernelTable, IsLimitedByName) {
    EXPECT_STREQ(wf_kernels("baseline")->name, "baseline");
    EXPECT_EQ(wf_kernels(nullptr), wf_kernels("avx512"));
    EXPECT_NE(std::string(wf_kernels("avx2")->name).substr(0, 6), "avx512");
}

}  // namespace

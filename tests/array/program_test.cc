// SPDX-License-Identifier: Apache-2.0
// program_test - builds programs and reads them back: sharing, dropping, order, registers, 16-bit
// floats, the hash.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

extern "C" {
#include "array/dtype.h"
#include "array/program.h"
#include "base/text.h"
}

namespace {

std::string print(const wf_program *program) {
    wf_text text = {};
    wf_program_print(program, &text);
    std::string result = text.data ? text.data : "";
    wf_text_fini(&text);
    return result;
}

int arguments(const wf_instr &instr) {
    switch (instr.kind) {
        case WF_INSTR_LOAD:
        case WF_INSTR_PARAM:
        case WF_INSTR_COUNTER:
            return 0;
        case WF_INSTR_MAP:
            return wf_op_arity((wf_op)instr.op);
        default:
            return 1;
    }
}

struct Program : testing::Test {
    wf_program_builder *b = nullptr;
    std::vector<wf_program *> built;
    void SetUp() override { fresh(); }
    void fresh() {
        wf_program_builder_destroy(b);
        b = nullptr;
        ASSERT_EQ(wf_program_builder_create(&b), WEFT_OK);
    }
    ~Program() override {
        wf_program_builder_destroy(b);
        for (auto *p : built) wf_program_destroy(p);
    }

    int load(weft_dtype dtype) { return wf_program_load(b, wf_program_add_input(b, false, dtype)); }
    int param(weft_dtype dtype) { return wf_program_param(b, wf_program_add_param(b), dtype); }
    int map(wf_op op, weft_dtype dtype, int x, int y = -1, int z = -1) {
        const int args[3] = {x, y, z};
        return wf_program_map(b, op, dtype, args);
    }
    void store(int value, weft_dtype dtype) { ASSERT_EQ(wf_program_store(b, value, dtype), WEFT_OK); }
    const wf_program *build() {
        wf_program *p = nullptr;
        EXPECT_EQ(wf_program_build(b, &p), WEFT_OK) << wf_last_error();
        b = nullptr;
        built.push_back(p);
        return p;
    }
};

TEST_F(Program, PrintsOneLinePerInstruction) {
    int x = load(WEFT_FLOAT32), s = param(WEFT_FLOAT64);
    int wide = wf_program_cast(b, x, WEFT_FLOAT64);
    int sum = map(WF_OP_ADD, WEFT_FLOAT64, s, wide);
    store(map(WF_OP_LESS, WEFT_FLOAT64, sum, s), WEFT_BOOL);
    store(sum, WEFT_FLOAT64);

    EXPECT_EQ(print(build()),
              "%0 = param.f64 p0\n"
              "%1 = load.f32 in0\n"
              "%2 = cast.f64 %1\n"
              "%3 = add.f64 %0, %2\n"
              "%4 = less.f64 %3, %0\n"
              "store.bool out0, %4\n"
              "store.f64 out1, %3\n");
}

TEST_F(Program, SharesEqualInstructions) {
    int x = load(WEFT_FLOAT64), y = load(WEFT_FLOAT64);

    EXPECT_EQ(wf_program_load(b, 0), x);
    EXPECT_EQ(map(WF_OP_ADD, WEFT_FLOAT64, x, y), map(WF_OP_ADD, WEFT_FLOAT64, y, x));
    EXPECT_EQ(map(WF_OP_EXP, WEFT_FLOAT64, x), map(WF_OP_EXP, WEFT_FLOAT64, x));
    EXPECT_NE(map(WF_OP_SUBTRACT, WEFT_FLOAT64, x, y), map(WF_OP_SUBTRACT, WEFT_FLOAT64, y, x));
    EXPECT_NE(map(WF_OP_EXP, WEFT_FLOAT64, x), map(WF_OP_EXP, WEFT_FLOAT64, y));
    EXPECT_EQ(wf_program_cast(b, x, WEFT_FLOAT64), x);
    int ninput = 0, noutput = -1;
    EXPECT_EQ(wf_program_counts(b, &ninput, &noutput), 7);
    EXPECT_EQ(ninput, 2);
    EXPECT_EQ(noutput, 0);
}

TEST_F(Program, KeepsTheOrderOfComplexProducts) {  // with fma, a*b and b*a differ in the last bit
    int x = load(WEFT_COMPLEX128), y = load(WEFT_COMPLEX128);

    EXPECT_NE(map(WF_OP_MULTIPLY, WEFT_COMPLEX128, x, y), map(WF_OP_MULTIPLY, WEFT_COMPLEX128, y, x));
}

TEST_F(Program, DropsWhatNoOutputNeedsButKeepsOperandNumbers) {
    int x = load(WEFT_FLOAT64), y = load(WEFT_FLOAT64);
    map(WF_OP_EXP, WEFT_FLOAT64, x);
    store(map(WF_OP_SQRT, WEFT_FLOAT64, y), WEFT_FLOAT64);

    const wf_program *p = build();

    EXPECT_EQ(print(p), "%0 = load.f64 in1\n%1 = sqrt.f64 %0\nstore.f64 out0, %1\n");
    EXPECT_EQ(p->ninput, 2);
    EXPECT_EQ(p->nregister, 1);
}

TEST_F(Program, SixteenBitMapsAreComputedInFloat32AndRounded) {
    int x = load(WEFT_FLOAT16), y = load(WEFT_FLOAT16);
    int sum = map(WF_OP_ADD, WEFT_FLOAT16, x, y);
    store(map(WF_OP_MULTIPLY, WEFT_FLOAT16, sum, x), WEFT_FLOAT16);

    EXPECT_EQ(print(build()),
              "%0 = load.f32 in0\n"
              "%1 = load.f32 in1\n"
              "%2 = add.f32 %0, %1\n"
              "%3 = round16.f16 %2\n"
              "%4 = multiply.f32 %0, %3\n"  // storing rounds
              "store.f16 out0, %4\n");
}

TEST_F(Program, RoundsOnlyWhatNeedsIt) {
    int x = load(WEFT_FLOAT16), y = load(WEFT_INT8), z = load(WEFT_BFLOAT16), w = load(WEFT_INT16);

    EXPECT_EQ(wf_program_cast(b, x, WEFT_FLOAT16), x);
    int most = map(WF_OP_MAXIMUM, WEFT_FLOAT16, x, wf_program_cast(b, y, WEFT_FLOAT16));
    EXPECT_EQ(wf_program_cast(b, most, WEFT_FLOAT16), most);
    int crossed = wf_program_cast(b, z, WEFT_FLOAT16);
    EXPECT_NE(crossed, z);
    EXPECT_EQ(wf_program_cast(b, crossed, WEFT_FLOAT16), crossed);
    EXPECT_NE(map(WF_OP_MAXIMUM, WEFT_FLOAT16, x, z),
              wf_program_cast(b, map(WF_OP_MAXIMUM, WEFT_FLOAT32, x, z), WEFT_FLOAT32));
    int shortened = wf_program_cast(b, w, WEFT_FLOAT16);
    EXPECT_NE(shortened, wf_program_cast(b, w, WEFT_FLOAT32));
    EXPECT_EQ(wf_program_value_dtype(b, shortened), WEFT_FLOAT32);
    EXPECT_EQ(wf_program_value_dtype(b, map(WF_OP_LESS, WEFT_FLOAT16, x, crossed)), WEFT_BOOL);
    int before = wf_program_counts(b, nullptr, nullptr);
    param(WEFT_BFLOAT16);
    EXPECT_EQ(wf_program_counts(b, nullptr, nullptr), before + 2);
}

TEST_F(Program, IdentitiesCostNothing) {
    int i = load(WEFT_INT32), u = load(WEFT_UINT8), f = load(WEFT_FLOAT64), t = load(WEFT_BOOL),
        c = load(WEFT_COMPLEX64);

    EXPECT_EQ(map(WF_OP_FLOOR, WEFT_INT32, i), i);
    EXPECT_NE(map(WF_OP_FLOOR, WEFT_FLOAT64, f), f);
    EXPECT_EQ(map(WF_OP_ABS, WEFT_UINT8, u), u);
    EXPECT_EQ(map(WF_OP_ABS, WEFT_BOOL, t), t);
    EXPECT_NE(map(WF_OP_ABS, WEFT_INT32, i), i);
    EXPECT_EQ(map(WF_OP_POSITIVE, WEFT_COMPLEX64, c), c);
    EXPECT_EQ(map(WF_OP_REAL, WEFT_FLOAT64, f), f);
    EXPECT_EQ(map(WF_OP_CONJ, WEFT_FLOAT64, f), f);
    EXPECT_EQ(wf_program_value_dtype(b, map(WF_OP_REAL, WEFT_COMPLEX64, c)), WEFT_FLOAT32);
}

TEST_F(Program, PutsUniformValuesFirstInRegistersOfTheirOwn) {
    int x = load(WEFT_FLOAT64), a = param(WEFT_FLOAT64), c = param(WEFT_FLOAT64);
    int scaled = map(WF_OP_MULTIPLY, WEFT_FLOAT64, x, a);
    int both = map(WF_OP_ADD, WEFT_FLOAT64, a, c);
    store(map(WF_OP_SUBTRACT, WEFT_FLOAT64, scaled, both), WEFT_FLOAT64);

    const wf_program *p = build();

    EXPECT_EQ(print(p),
              "%0 = param.f64 p0\n%1 = param.f64 p1\n%2 = add.f64 %0, %1\n%3 = load.f64 in0\n"
              "%4 = multiply.f64 %0, %3\n%5 = subtract.f64 %4, %2\nstore.f64 out0, %5\n");
    EXPECT_EQ(p->nregister, 4);
    std::set<int> uniform = {p->instr_register[0], p->instr_register[1], p->instr_register[2]};
    EXPECT_EQ(uniform.size(), 3u);
    for (int v = 3; v < p->ninstr; v++) EXPECT_EQ(uniform.count(p->instr_register[v]), 0u);
}

TEST_F(Program, ReusesARegisterInPlaceOnlyForEqualSizes) {
    int x = load(WEFT_FLOAT64);
    int wide = map(WF_OP_EXP, WEFT_FLOAT64, x);
    int test = map(WF_OP_ISNAN, WEFT_FLOAT64, wide);
    store(test, WEFT_BOOL);

    const wf_program *p = build();

    EXPECT_EQ(p->instr_register[1], p->instr_register[0]);
    EXPECT_NE(p->instr_register[2], p->instr_register[1]);
}

TEST_F(Program, ALongChainNeedsFewRegisters) {
    int value = load(WEFT_FLOAT64);
    for (int i = 0; i < 100; i++) value = map(i % 2 ? WF_OP_EXP : WF_OP_SIN, WEFT_FLOAT64, value);
    store(value, WEFT_FLOAT64);

    EXPECT_EQ(build()->nregister, 1);
}

TEST_F(Program, LoadsStandBeforeTheirUse) {  // all loads first would take nine registers
    int values[8];
    for (int &v : values) v = load(WEFT_FLOAT64);
    int sum = values[0];
    for (int i = 1; i < 8; i++) sum = map(WF_OP_ADD, WEFT_FLOAT64, sum, values[i]);
    store(sum, WEFT_FLOAT64);

    EXPECT_EQ(build()->nregister, 2);
}

// Runs a program on numbers that stand for what each value is, and fails where a register was
// overwritten too early.
void check_registers(const wf_program *p) {
    std::map<int, int> holds;  // register -> instruction
    for (int v = 0; v < p->ninstr; v++) {
        const wf_instr &instr = p->instr[v];
        int reg = p->instr_register[v];
        ASSERT_GE(reg, 0);
        ASSERT_LT(reg, p->nregister);
        for (int i = 0; i < arguments(instr); i++) {
            ASSERT_LT(instr.arg[i], v);
            ASSERT_EQ(holds.at(p->instr_register[instr.arg[i]]), instr.arg[i]) << print(p);
            if (p->instr_register[instr.arg[i]] != reg) continue;
            ASSERT_EQ(instr.kind, WF_INSTR_MAP);
            ASSERT_EQ(wf_dtype_size((weft_dtype)p->instr[instr.arg[i]].result),
                      wf_dtype_size((weft_dtype)instr.result));
        }
        holds[reg] = v;
    }
    for (int i = 0; i < p->noutput; i++)
        ASSERT_EQ(holds.at(p->instr_register[p->output[i].value]), p->output[i].value) << print(p);
    bool prefix = true;  // uniform values stay from the first strip to the last
    for (int v = 0; v < p->ninstr; v++) {
        const wf_instr &instr = p->instr[v];
        bool uniform = arguments(instr) > 0 || instr.kind == WF_INSTR_PARAM;
        for (int i = 0; i < arguments(instr); i++)
            uniform = uniform && instr.arg[i] < v && holds.count(-1 - instr.arg[i]);
        if (uniform) {
            holds[-1 - v] = v;
            ASSERT_TRUE(prefix) << print(p);
            ASSERT_EQ(holds.at(p->instr_register[v]), v) << print(p);
        }
        prefix = uniform;
    }
}

TEST_F(Program, RandomProgramsKeepEachValueUntilItsLastUse) {
    std::mt19937 random(3);
    const weft_dtype kinds[] = {WEFT_FLOAT64, WEFT_FLOAT32, WEFT_FLOAT16,
                                WEFT_INT8,    WEFT_BOOL,    WEFT_COMPLEX128};

    for (int round = 0; round < 300; round++) {
        fresh();
        std::vector<int> values;
        for (int i = 0; i < 6; i++)
            values.push_back(random() % 3 ? load(kinds[random() % 6]) : param(kinds[random() % 6]));
        for (int i = 0; i < 60; i++) {
            weft_dtype d = kinds[random() % 6];
            int args[3];
            for (int &arg : args)
                arg = wf_program_cast(b, values[random() % values.size()], wf_dtype_compute(d));
            int condition = wf_program_cast(b, args[2], WEFT_BOOL);
            switch (random() % 4) {
                case 0:
                    values.push_back(map(WF_OP_ADD, d, args[0], args[1]));
                    break;
                case 1:
                    values.push_back(map(WF_OP_EQUAL, d, args[0], args[1]));
                    break;
                case 2:
                    values.push_back(map(WF_OP_WHERE, d, condition, args[0], args[1]));
                    break;
                default:
                    values.push_back(map(WF_OP_ABS, d, args[0]));
                    break;
            }
        }
        for (int i = 0; i < 3; i++) {
            int value = values[random() % values.size()];
            store(value, wf_program_value_dtype(b, value));
        }
        check_registers(build());
    }
}

TEST_F(Program, AChainOfSharedSquaresIsBuiltInLinearTime) {
    int value = load(WEFT_FLOAT64);
    for (int i = 0; i < 200; i++) value = map(WF_OP_MULTIPLY, WEFT_FLOAT64, value, value);
    store(value, WEFT_FLOAT64);

    EXPECT_EQ(build()->ninstr, 201);
}

TEST_F(Program, HashTellsProgramsApartAndNotTheWayTheyWereBuilt) {
    std::map<std::string, uint64_t> seen;
    auto add = [&](const char *name) {
        seen[name] = build()->hash;
        fresh();
    };
    int x = load(WEFT_FLOAT64), y = load(WEFT_FLOAT64);
    store(map(WF_OP_SUBTRACT, WEFT_FLOAT64, x, y), WEFT_FLOAT64), add("x-y");
    x = load(WEFT_FLOAT64), y = load(WEFT_FLOAT64);
    store(map(WF_OP_SUBTRACT, WEFT_FLOAT64, y, x), WEFT_FLOAT64), add("y-x");
    x = load(WEFT_FLOAT32), y = load(WEFT_FLOAT32);
    store(map(WF_OP_SUBTRACT, WEFT_FLOAT32, x, y), WEFT_FLOAT32), add("float32");
    x = load(WEFT_FLOAT32), y = load(WEFT_FLOAT32);
    store(map(WF_OP_SUBTRACT, WEFT_FLOAT32, x, y), WEFT_FLOAT16), add("stored as float16");
    x = load(WEFT_FLOAT64), y = load(WEFT_FLOAT64), load(WEFT_FLOAT64);
    store(map(WF_OP_SUBTRACT, WEFT_FLOAT64, x, y), WEFT_FLOAT64), add("a third operand");
    std::set<uint64_t> different;
    for (auto &each : seen) different.insert(each.second);
    EXPECT_EQ(different.size(), seen.size());

    int a = wf_program_add_input(b, false, WEFT_FLOAT64), c = wf_program_add_input(b, false, WEFT_FLOAT64);
    y = wf_program_load(b, c), map(WF_OP_EXP, WEFT_FLOAT64, y), x = wf_program_load(b, a);
    store(map(WF_OP_SUBTRACT, WEFT_FLOAT64, x, y), WEFT_FLOAT64);
    EXPECT_EQ(build()->hash, seen["x-y"]);
}

TEST_F(Program, MakesRandomNumbersFromCounters) {
    int counter = wf_program_load(b, wf_program_add_input(b, true, WEFT_DTYPE_DEFAULT));
    int seed = wf_program_add_param(b);
    wf_program_add_param(b);
    store(wf_program_random(b, WF_INSTR_NORMAL, WEFT_FLOAT32, counter, seed), WEFT_FLOAT32);

    const wf_program *p = build();

    EXPECT_EQ(print(p), "%0 = counter.i64 in0\n%1 = normal.f32 %0, p0\nstore.f32 out0, %1\n");
    EXPECT_NE(p->instr_register[0], p->instr_register[1]);
    EXPECT_EQ(p->input[0].dtype, WEFT_INT64);
    EXPECT_EQ(p->nparam, 2);
}

TEST_F(Program, SaysWhichLimitIsReached) {
    for (int i = 0; i < WF_PROGRAM_MAX_INPUTS; i++)
        ASSERT_EQ(wf_program_add_input(b, false, WEFT_FLOAT64), i);
    EXPECT_EQ(wf_program_add_input(b, false, WEFT_FLOAT64), -1);
    EXPECT_EQ(wf_last_status(), WEFT_OVERFLOW);
    EXPECT_STREQ(wf_last_error(), "program: more than 32 operands");

    int value = wf_program_load(b, 0);
    for (int i = 1; i < WF_PROGRAM_MAX_INSTRS; i++) ASSERT_GE(value = map(WF_OP_EXP, WEFT_FLOAT64, value), 0);
    EXPECT_EQ(map(WF_OP_EXP, WEFT_FLOAT64, value), -1);
    EXPECT_STREQ(wf_last_error(), "program: more than 256 instructions");
    EXPECT_EQ(map(WF_OP_EXP, WEFT_FLOAT64, 0), 1);  // what is there is still found

    for (int i = 0; i < WF_PROGRAM_MAX_OUTPUTS; i++) store(0, WEFT_FLOAT64);
    EXPECT_EQ(wf_program_store(b, 0, WEFT_FLOAT64), WEFT_OVERFLOW);
    EXPECT_STREQ(wf_last_error(), "program: more than 16 outputs");
}

TEST_F(Program, FailsCleanlyWithoutMemoryAndSpendsItsBuilder) {
    int64_t live = wf_alloc_live();
    store(load(WEFT_FLOAT64), WEFT_FLOAT64);
    wf_program *p = nullptr;
    wf_program_builder *none = nullptr;

    wf_alloc_fail_at(1);
    EXPECT_EQ(wf_program_build(b, &p), WEFT_NO_MEMORY);
    b = nullptr;
    wf_alloc_fail_at(1);
    EXPECT_EQ(wf_program_builder_create(&none), WEFT_NO_MEMORY);
    wf_alloc_fail_at(0);

    EXPECT_EQ(p, nullptr);
    EXPECT_EQ(none, nullptr);
    EXPECT_EQ(wf_alloc_live(), live - 1);
}

}  // namespace

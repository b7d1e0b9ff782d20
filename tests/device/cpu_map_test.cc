// SPDX-License-Identifier: Apache-2.0
// cpu_map_test - programs over tiles of the CPU device, compared with the oracle to the bit.
#include <algorithm>
#include <cmath>

#include "device/cpu_tile.h"
extern "C" {
#include "base/text.h"
}

using namespace cpu_tile;

namespace {

class CpuMap : public CpuDevice {
protected:
    // Runs TILE and compares every element of every output, and the gaps between them.
    void check(Tile &tile)
    {
        std::vector<Bytes> expected;
        for (const Strided &s : tile.out) expected.push_back(s.memory);
        each(tile.count, [&](const std::vector<int64_t> &coord) {
            std::vector<Value> value = evaluate(tile, coord);
            for (size_t i = 0; i < tile.out.size(); i++) {
                Value v = stored(tile, value, int(i));
                size_t at = size_t(reinterpret_cast<unsigned char *>(tile.out[i].element(coord)) - tile.out[i].memory.data());
                memcpy(expected[i].data() + at, v.bytes, size_t(tile.out[i].item));
            }
        });

        wf_launch launch = tile.launch();
        ASSERT_EQ(ops->launch(stream, &launch), WEFT_OK) << wf_last_error();

        for (size_t i = 0; i < tile.out.size(); i++) {
            if (tile.out[i].memory == expected[i]) continue;
            compare_elements(tile, int(i), expected[i]);
        }
    }

    void compare_elements(Tile &tile, int i, Bytes &expected)
    {
        weft_dtype dtype = weft_dtype(tile.program->output[i].dtype);
        Strided &out = tile.out[size_t(i)];
        each(tile.count, [&](const std::vector<int64_t> &coord) {
            unsigned char *got = reinterpret_cast<unsigned char *>(out.element(coord));
            unsigned char *want = expected.data() + (got - out.memory.data());
            if (same(dtype, got, want))
                memcpy(want, got, size_t(out.item));
            else if (!HasFailure())
                ADD_FAILURE() << "output " << i << ": " << shown(dtype, got) << ", expected " << shown(dtype, want) << "\n"
                              << text(tile, coord);
        });
        if (!HasFailure()) {
            EXPECT_TRUE(out.memory == expected) << "bytes between elements were written\n" << text(tile, {});
        }
    }

    static std::string text(const Tile &tile, const std::vector<int64_t> &coord)
    {
        wf_text t = {};
        wf_program_print(tile.program, &t);
        std::string s = t.data ? t.data : "";
        wf_text_fini(&t);
        s += "count";
        for (int64_t c : tile.count) s += " " + std::to_string(c);
        s += "; at";
        for (int64_t c : coord) s += " " + std::to_string(c);
        return s;
    }
};

std::vector<int64_t> random_shape(Random &random)
{
    switch (pick(random, 0, 7)) {
    case 0: return {pick(random, 1, 1500)};
    case 1: return {pick(random, 1, 40), pick(random, 60, 200)};
    case 2: return {pick(random, 60, 600), pick(random, 1, 7)};
    case 3: return {pick(random, 1, 9), pick(random, 1, 70), pick(random, 1, 9)};
    case 4: return {pick(random, 1, 5), pick(random, 1, 6), pick(random, 1, 5), pick(random, 1, 40)};
    case 5: return {pick(random, 33, 70), pick(random, 64, 90)};
    case 6: return {};
    default: return {pick(random, 1, 3), pick(random, 0, 40), pick(random, 1, 40)};
    }
}

TEST_F(CpuMap, AnyProgramOverAnyStridesEqualsTheOracle)
{
    for (unsigned seed = 0; seed < 400 && !HasFailure(); seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        Tile tile;
        random_program(tile, random, int(pick(random, 1, 5)), int(pick(random, 0, 12)), int(pick(random, 1, 3)));
        tile.count = random_shape(random);
        Layout inputs = Layout(pick(random, CONTIGUOUS, ANY_WITH_BROADCAST));
        tile.bind(random, inputs, Layout(pick(random, CONTIGUOUS, ANY)), true);
        check(tile);
    }
}

TEST_F(CpuMap, SixteenAxesWithBothOrdersAreWalked)
{
    for (unsigned seed = 0; seed < 10 && !HasFailure(); seed++) {
        Random random(seed);
        Tile tile;
        random_program(tile, random, 3, 4, 2);
        tile.count = {2, 1, 2, 2, 1, 2, 1, 3, 1, 2, 2, 1, 1, 2, 1, 2};
        tile.bind(random, ANY_WITH_BROADCAST, ANY, false);
        check(tile);
    }
}

// x + x.T and copies of x.T, large enough that panels repeat and end short, for every element size.
TEST_F(CpuMap, TransposedOperandsAreBroughtInByPanels)
{
    for (weft_dtype dtype : all_dtypes()) {
        Random random(dtype);
        Tile tile;
        wf_program_builder *b = nullptr;
        ASSERT_EQ(wf_program_builder_create(&b), WEFT_OK);
        int args[2] = {wf_program_load(b, wf_program_add_input(b, false, dtype)),
                       wf_program_load(b, wf_program_add_input(b, false, dtype))};
        ASSERT_EQ(wf_program_store(b, wf_program_map(b, WF_OP_ADD, dtype, args), dtype), WEFT_OK);
        ASSERT_EQ(wf_program_build(b, &tile.program), WEFT_OK);
        tile.count = {71, 3, 530};
        tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
        tile.bind_input(random, 1, FORTRAN, false);
        tile.collect();
        check(tile);
    }
}

// A program of cheap operations on float32 or float64, mostly each on the result of the one before.
void chain_program(Tile &tile, Random &random)
{
    static const wf_op ops[] = {WF_OP_ADD,    WF_OP_SUBTRACT, WF_OP_MULTIPLY, WF_OP_DIVIDE,
                                WF_OP_SQUARE, WF_OP_NEGATIVE, WF_OP_ABS,      WF_OP_SQRT};
    weft_dtype dtype = pick(random, 0, 1) ? WEFT_FLOAT32 : WEFT_FLOAT64;
    wf_program_builder *b = nullptr;
    std::vector<int> values;

    ASSERT_EQ(wf_program_builder_create(&b), WEFT_OK);
    for (int i = 0; i < 3; i++) values.push_back(wf_program_load(b, wf_program_add_input(b, false, dtype)));
    for (int i = 0; i < 2; i++) {
        wf_scalar s = {};
        put_random(random, dtype, s.bytes, true);
        tile.param.push_back(s);
        values.push_back(wf_program_param(b, wf_program_add_param(b), dtype));
    }
    for (int64_t n = pick(random, 2, 40); n > 0; n--) {
        wf_op op = ops[pick(random, 0, 7)];
        int args[2];
        for (int &arg : args) arg = pick(random, 0, 1) ? values.back() : values[size_t(pick(random, 0, int64_t(values.size()) - 1))];
        if (pick(random, 0, 1)) args[pick(random, 0, 1)] = values.back();
        values.push_back(wf_program_map(b, op, dtype, args));
    }
    for (int i = 0; i < 2; i++) ASSERT_EQ(wf_program_store(b, values[values.size() - 1 - size_t(i) * 3], dtype), WEFT_OK);
    ASSERT_EQ(wf_program_build(b, &tile.program), WEFT_OK);
}

TEST_F(CpuMap, ChainsGiveTheBitsOfTheirOperationsOnEveryInstructionSet)
{
    weft_stream *best = stream;
    for (const char *isa : {"baseline", "avx2", "avx512"}) {
        weft_device *limited = nullptr;
        wf_cpu_device_limit_isa(isa);
        ASSERT_EQ(ops->open(1, 1 << 20, 1, &limited), WEFT_OK);
        wf_cpu_device_limit_isa(nullptr);
        ASSERT_EQ(ops->stream_open(limited, &stream), WEFT_OK);
        for (unsigned seed = 0; seed < 60 && !HasFailure(); seed++) {
            SCOPED_TRACE(isa + (" seed " + std::to_string(seed)));
            Random random(seed);
            Tile tile;
            chain_program(tile, random);
            tile.count = {pick(random, 1, 3), pick(random, 64, 700)};
            tile.bind(random, Layout(pick(random, 0, 1) ? CONTIGUOUS : ANY_WITH_BROADCAST), CONTIGUOUS, true);
            check(tile);
        }
        ops->stream_close(stream);
        ops->close(limited);
    }
    stream = best;
}

TEST_F(CpuMap, EmptyTilesAreLeftAlone)
{
    Random random(1);
    Tile tile;
    random_program(tile, random, 2, 3, 1);
    tile.count = {4, 0, 3};
    tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
    Bytes before = tile.out[0].memory;

    wf_launch launch = tile.launch();

    EXPECT_EQ(ops->launch(stream, &launch), WEFT_OK);
    EXPECT_TRUE(tile.out[0].memory == before);
}

// y = (x*x + x) and z = x, with y in the place of x: both uses of x must come before.
TEST_F(CpuMap, AnOutputMayTakeThePlaceOfAnInput)
{
    for (int stores_input = 0; stores_input < 2; stores_input++) {
        Random random(5);
        Tile tile;
        wf_program_builder *b = nullptr;
        ASSERT_EQ(wf_program_builder_create(&b), WEFT_OK);
        int x = wf_program_load(b, wf_program_add_input(b, false, WEFT_FLOAT64));
        int squares[2] = {x, x}, sum[2] = {wf_program_map(b, WF_OP_MULTIPLY, WEFT_FLOAT64, squares), x};
        int root = wf_program_map(b, WF_OP_EXP, WEFT_FLOAT64, &x);
        ASSERT_EQ(wf_program_store(b, sum[0], WEFT_FLOAT64), WEFT_OK);
        ASSERT_EQ(wf_program_store(b, stores_input ? x : wf_program_map(b, WF_OP_ADD, WEFT_FLOAT64, sum), WEFT_FLOAT64), WEFT_OK);
        ASSERT_EQ(wf_program_store(b, root, WEFT_FLOAT64), WEFT_OK);
        ASSERT_EQ(wf_program_build(b, &tile.program), WEFT_OK);
        tile.count = {3, 700};
        tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
        Bytes kept = tile.in[0].memory;
        double *in = static_cast<double *>(tile.in[0].operand.data);
        tile.out[0].operand = tile.in[0].operand;
        tile.collect();

        wf_launch launch = tile.launch();
        ASSERT_EQ(ops->launch(stream, &launch), WEFT_OK);

        const double *old = reinterpret_cast<const double *>(kept.data() + (reinterpret_cast<unsigned char *>(in) - tile.in[0].memory.data()));
        for (int i = 0; i < 2100; i++) {
            ASSERT_EQ(in[i], old[i] * old[i]);
            ASSERT_EQ(static_cast<double *>(tile.out[1].operand.data)[i], stores_input ? old[i] : old[i] * old[i] + old[i]);
            ASSERT_NEAR(static_cast<double *>(tile.out[2].operand.data)[i], std::exp(old[i]), 1e-12 * std::exp(old[i]));
        }
    }
}

TEST_F(CpuMap, AProgramWithoutKernelIsRefusedByName)
{
    wf_instr instr[2] = {};
    instr[0].kind = WF_INSTR_LOAD;
    instr[0].dtype = instr[0].result = WEFT_COMPLEX64;
    instr[1].kind = WF_INSTR_MAP;
    instr[1].op = WF_OP_FLOOR_DIVIDE;
    instr[1].dtype = instr[1].result = WEFT_COMPLEX64;
    wf_program_input in[1] = {{0, WEFT_COMPLEX64}};
    wf_program_output out[1] = {{1, WEFT_COMPLEX64}};
    int16_t reg[2] = {0, 1};
    wf_program program = {};
    program.ninstr = 2;
    program.ninput = program.noutput = 1;
    program.instr = instr;
    program.input = in;
    program.output = out;
    program.nregister = 2;
    program.instr_register = reg;
    float memory[4] = {}, result[4] = {7, 7, 7, 7};
    wf_operand from = {}, to = {};
    from.data = memory;
    to.data = result;
    from.stride[0] = to.stride[0] = 8;
    wf_launch launch = {};
    launch.program = &program;
    launch.ndim = 1;
    launch.count[0] = 2;
    launch.in = &from;
    launch.out = &to;

    EXPECT_EQ(ops->launch(stream, &launch), WEFT_UNSUPPORTED);
    EXPECT_STREQ(wf_last_error(), "cpu: floor_divide is not defined for complex64");
    EXPECT_EQ(result[0], 7);
}

TEST_F(CpuMap, CopiesOfBoxesMoveEveryElementAndNothingElse)
{
    for (unsigned seed = 0; seed < 300 && !HasFailure(); seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        static const int64_t items[] = {1, 2, 4, 8, 16, 3, 12, 24};
        std::vector<int64_t> count = random_shape(random);
        int64_t item = items[pick(random, 0, 7)];
        Strided in, out;
        make_strided(in, random, count, item, Layout(pick(random, CONTIGUOUS, ANY_WITH_BROADCAST)));
        make_strided(out, random, count, item, Layout(pick(random, CONTIGUOUS, ANY)));
        for (unsigned char &byte : in.memory) byte = static_cast<unsigned char>(random());
        Bytes expected = out.memory;
        weft_copy_box copy = {};
        copy.ndim = int(count.size());
        copy.item = item;
        copy.in = in.operand.data;
        copy.out = out.operand.data;
        for (size_t a = 0; a < count.size(); a++) {
            copy.count[a] = count[a];
            copy.in_stride[a] = in.operand.stride[a];
            copy.out_stride[a] = out.operand.stride[a];
        }
        each(count, [&](const std::vector<int64_t> &c) {
            memcpy(expected.data() + (reinterpret_cast<unsigned char *>(out.element(c)) - out.memory.data()), in.element(c),
                   size_t(item));
        });

        ASSERT_EQ(ops->copy_box(stream, &copy), WEFT_OK);

        EXPECT_TRUE(out.memory == expected) << "item " << item;
    }
}

TEST_F(CpuMap, ACopyOfTooManyAxesIsRefused)
{
    weft_copy_box copy = {};
    copy.ndim = 17;
    copy.item = 8;

    EXPECT_EQ(ops->copy_box(stream, &copy), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "cpu: a copy has 0 to 16 axes of elements of at least 1 byte, got 17 and 8");
}

}  // namespace

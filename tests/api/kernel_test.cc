// SPDX-License-Identifier: Apache-2.0
// kernel_test - operations of the user's own: bodies of statements, neighbours, C functions.
#include <cmath>
#include <string>
#include <vector>

#include "api/fixture.h"

class Kernel : public Api {
  protected:
    weft_kernel *create(const char *params, const char *body, weft_cpu_kernel_fn *cpu = nullptr,
                        weft_dtype result = WEFT_DTYPE_DEFAULT,
                        int boundary = WEFT_BOUNDARY_NEAREST)
    {
        weft_kernel_desc d = {};
        d.name = "mine";
        d.params = params;
        d.body = body;
        d.cpu = cpu;
        d.result = result;
        d.boundary = boundary;
        return weft_kernel_create(s, &d);
    }
    static weft_array *map(weft_kernel *k, const std::vector<weft_array *> &in,
                           const std::vector<double> &params = {})
    {
        return weft_kernel_map(k, (int)in.size(), in.data(), (int)params.size(), params.data());
    }
};

using Doubles = std::vector<double>;

TEST_F(Kernel, BodyComputesWithLocalsAndScalars)
{
    weft_kernel *k = create("spot, vol; strike, rate",
                            "d = log(spot/strike) + rate\n"
                            "result = where(d > 0, spot - strike*exp(-rate), 0*vol)\n");

    Doubles v = values(map(k, { doubles({ 90, 120 }), doubles({ 1, 1 }) }, { 100, 0.03 }));

    EXPECT_EQ(v[0], 0);
    EXPECT_DOUBLE_EQ(v[1], 120 - 100 * std::exp(-0.03));
}

TEST_F(Kernel, OperandsBroadcastEvenThoseNotUsed)
{
    weft_kernel *k = create("a, b", "result = a + 1");

    weft_array *y = map(k, { doubles({ 1, 2 }), weft_zeros(s, WEFT_FLOAT64, WEFT_SHAPE(3, 1)) });

    ASSERT_EQ(weft_array_ndim(y), 2);
    EXPECT_EQ(values(y), (Doubles{ 2, 3, 2, 3, 2, 3 }));
    EXPECT_EQ(values(map(create("a", "result = 7.0"), { doubles({ 1, 2 }) })), (Doubles{ 7, 7 }));
}

TEST_F(Kernel, ResultDtypeIsTheBodysUnlessSaid)
{
    weft_array *x = weft_ones(s, WEFT_FLOAT32, WEFT_SHAPE(2));

    EXPECT_EQ(weft_array_dtype(map(create("x; a", "result = a*x"), { x }, { 2 })), WEFT_FLOAT32);
    EXPECT_EQ(
        weft_array_dtype(map(create("x; a", "result = a*x", nullptr, WEFT_INT16), { x }, { 2 })),
        WEFT_INT16);
}

TEST_F(Kernel, BracketsNameNeighbours)
{
    weft_array *u = weft_reshape(count_to(12), WEFT_SHAPE(3, 4));
    weft_kernel *k =
        create("u", "lap = u[-1, 0] + u[1, 0] + u[0, -1] + u[0, 1] - 4*u\nresult = lap");

    Doubles v = values(map(k, { u }));

    EXPECT_EQ(v, (Doubles{ 5, 4, 4, 3, 1, 0, 0, -1, -3, -4, -4, -5 }));
}

struct Edge {
    int boundary;
    Doubles left, right;
};

class KernelBoundary : public Kernel, public ::testing::WithParamInterface<Edge> {};

TEST_P(KernelBoundary, SaysWhatLiesOutside)
{
    weft_array *u = doubles({ 1, 2, 3, 4 });

    EXPECT_EQ(
        values(map(create("u", "result = u[-2]", nullptr, WEFT_DTYPE_DEFAULT, GetParam().boundary),
                   { u })),
        GetParam().left);
    EXPECT_EQ(
        values(map(create("u", "result = u[1]", nullptr, WEFT_DTYPE_DEFAULT, GetParam().boundary),
                   { u })),
        GetParam().right);
}

INSTANTIATE_TEST_SUITE_P(
    All, KernelBoundary,
    ::testing::Values(Edge{ WEFT_BOUNDARY_NEAREST, { 1, 1, 1, 2 }, { 2, 3, 4, 4 } },
                      Edge{ WEFT_BOUNDARY_ZERO, { 0, 0, 1, 2 }, { 2, 3, 4, 0 } },
                      Edge{ WEFT_BOUNDARY_WRAP, { 3, 4, 1, 2 }, { 2, 3, 4, 1 } },
                      Edge{ WEFT_BOUNDARY_REFLECT, { 3, 2, 1, 2 }, { 2, 3, 4, 3 } }));

TEST_F(Kernel, BodyIsOnePlanWithWhatSurroundsIt)
{
    weft_array *x = count_to(1000);
    weft_array *sum = weft_sum(weft_sqrt(map(create("x", "result = x*x"), { weft_add(x, x) })),
                               WEFT_ALL_AXES, nullptr);

    EXPECT_EQ(value(sum), 999.0 * 1000);
}

// --- C functions ---

static weft_status weighted(const weft_kernel_call *call)
{
    for (int64_t j = 0; j < call->count; j++) {
        double sum = 0;
        for (int i = 0; i < call->nin; i++) {
            const char *at = (const char *)call->in[i] + j * call->in_stride[i];
            sum += call->params[i] * (call->in_dtype[i] == WEFT_FLOAT64
                                          ? *(const double *)at
                                          : (double)*(const int32_t *)at);
        }
        *(double *)((char *)call->out + j * call->out_stride) = sum;
    }
    return WEFT_OK;
}

TEST_F(Kernel, FunctionSeesEveryElementOfOperandsOfAnyDtype)
{
    weft_array *i = weft_arange(s, 0, 1000, 1, WEFT_INT32), *y;

    y = map(create("x, i; a, b", nullptr, weighted),
            { weft_rechunk(count_to(1000), WEFT_SHAPE(17)), i }, { 2, 3 });

    EXPECT_EQ(weft_array_dtype(y), WEFT_FLOAT64);
    Doubles v = values(y);
    for (int k = 0; k < 1000; k++) ASSERT_EQ(v[k], 5.0 * k);
}

TEST_F(Kernel, FunctionSeesBroadcastAndTransposedOperands)
{
    weft_array *x = weft_permute_dims(weft_reshape(count_to(6), WEFT_SHAPE(2, 3)), 0, nullptr);

    weft_array *y =
        map(create("x, y; a, b", nullptr, weighted), { x, doubles({ 10, 20 }) }, { 1, 1 });

    EXPECT_EQ(values(y), (Doubles{ 10, 23, 11, 24, 12, 25 }));
    EXPECT_EQ(values(map(create("x, y; a, b", nullptr, weighted),
                         { doubles({ 1, 2 }), weft_num(s, 5) }, { 1, 1 })),
              (Doubles{ 6, 7 }));
}

static weft_status refuse(const weft_kernel_call *call)
{
    (void)call;
    return weft_error_set(WEFT_IO, "tape 7 is not mounted");
}

TEST_F(Kernel, FunctionsStatusFailsTheRequestAndItsSentenceStays)
{
    weft_status st =
        weft_compute(WEFT_ARRAYS(map(create("x", nullptr, refuse), { count_to(5) })), nullptr);

    EXPECT_EQ(st, WEFT_IO);
    EXPECT_NE(std::string(weft_last_error()).find("tape 7 is not mounted"), std::string::npos)
        << weft_last_error();
}

TEST_F(Kernel, HandleMayGoBeforeItsArrays)
{
    weft_kernel *k = create("x, i; a, b", nullptr, weighted);
    weft_array *y = map(k, { doubles({ 1 }), doubles({ 2 }) }, { 1, 1 });

    weft_kernel_free(k);
    weft_kernel_free(nullptr);

    EXPECT_EQ(values(y), (Doubles{ 3 }));
}

// --- mistakes ---

struct Mistake {
    const char *params, *body, *sentence;
};

class KernelMistake : public Kernel, public ::testing::WithParamInterface<Mistake> {};

TEST_P(KernelMistake, IsFoundWhenTheKernelIsMade)
{
    EXPECT_PENDS(create(GetParam().params, GetParam().body), WEFT_INVALID, GetParam().sentence);
}

INSTANTIATE_TEST_SUITE_P(
    All, KernelMistake,
    ::testing::Values(
        Mistake{
            "x", "result = y",
            "kernel 'mine', column 10: unknown name 'y': neither in .params nor assigned before" },
        Mistake{
            "x", "a = x\nresult = b",
            "kernel 'mine', line 2, column 10: unknown name 'b': neither in .params nor assigned before" },
        Mistake{ "x", "x + 1",
                 "kernel 'mine', column 3: the last statement must be 'result = ...'" },
        Mistake{
            "x", "result = sum(x)",
            "kernel 'mine', column 10: 'sum' is not elementwise, and a kernel's body has elementwise operations only" },
        Mistake{
            "x", "result = x @ x",
            "kernel 'mine', column 12: '@' is not elementwise, and a kernel's body has elementwise operations only" },
        Mistake{
            "x", "result = x[1:]",
            "kernel 'mine', column 12: expected an integer offset: in a kernel's body brackets name a neighbour" },
        Mistake{ "x", "result = sqr(x)",
                 "kernel 'mine', column 10: unknown function 'sqr'; did you mean 'sqrt'?" },
        Mistake{
            "x", "result = (x",
            "kernel 'mine', column 12: expected ')' to match '(' at column 10, got end of text" },
        Mistake{ "x, x", "result = x", "kernel 'mine': .params: 'x' is named twice" },
        Mistake{ "x, 2y", "result = x", "kernel 'mine': .params: expected a name, got '2y'" },
        Mistake{ "x; a; b", "result = x", "kernel 'mine': .params: expected at most one ';'" },
        Mistake{ "x", nullptr,
                 "kernel 'mine': expected a .body or a .cpu function, got neither" }));

TEST_F(Kernel, MapChecksItsOperands)
{
    weft_kernel *k = create("u; a", "result = a*u[0, 1]");
    weft_array *x = count_to(4);

    EXPECT_PENDS(map(k, {}, { 1 }), WEFT_INVALID, "kernel 'mine': expected 1 array (u), got 0");
    EXPECT_PENDS(map(k, { x }, {}), WEFT_INVALID, "kernel 'mine': expected 1 scalar (a), got 0");
    EXPECT_PENDS(
        map(k, { x }, { 1 }), WEFT_INVALID,
        "kernel 'mine', column 13: a neighbour has one offset per axis: expected 1, got 2");
}

TEST_F(Kernel, WhatThisVersionLacksSaysSo)
{
    weft_kernel_desc d = {};
    d.name = "mine";
    d.params = "x";
    d.cuda = "out = x;";

    EXPECT_PENDS(
        weft_kernel_create(s, &d), WEFT_UNSUPPORTED,
        "kernel 'mine': CUDA text is not supported by this version; give a .body or a .cpu function");
    d.body = "result = x";
    EXPECT_NE(weft_kernel_create(s, &d), nullptr);
    d.library = "libx.so";
    EXPECT_PENDS(weft_kernel_create(s, &d), WEFT_UNSUPPORTED,
                 "kernel 'mine': libraries that workers load are not supported by this version");
}

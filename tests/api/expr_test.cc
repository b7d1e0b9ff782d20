// SPDX-License-Identifier: Apache-2.0
// expr_test - expressions as text: what they give, and what they say when they cannot. Values
// against NumPy: tests/cli/numpy_test.py.
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "api/fixture.h"
#include "weft/daemon.h"

extern "C" {
#include "base/alloc.h"
}

class Expr : public Api {
  protected:
    weft_array *expr(const char *text, const std::vector<const char *> &names = {},
                     const std::vector<weft_array *> &arrays = {})
    {
        return weft_expr(s, text, (int)names.size(), names.data(), arrays.data());
    }
};

using Doubles = std::vector<double>;

TEST_F(Expr, NumbersStayWeakUntilTheyMeetAnArray)
{
    weft_array *x = weft_ones(s, WEFT_FLOAT32, WEFT_SHAPE(2));

    EXPECT_EQ(weft_array_dtype(expr("2*pi*x", { "x" }, { x })), WEFT_FLOAT32);
    EXPECT_EQ(weft_array_dtype(expr("(1/3 + 2**-1)*x", { "x" }, { x })), WEFT_FLOAT32);
    EXPECT_EQ(weft_array_dtype(expr("sqrt(2)*x", { "x" }, { x })),
              WEFT_FLOAT32); // of numbers alone comes a number
    EXPECT_EQ(weft_array_dtype(expr("3 + x", { "x" }, { weft_ones(s, WEFT_INT8, WEFT_SHAPE(2)) })),
              WEFT_INT8);
}

TEST_F(Expr, StatementsUseEarlierOnesAndTheLastIsTheValue)
{
    weft_array *x = doubles({ 1, 2, 3, 6 });

    EXPECT_EQ(values(expr("m = mean(x); y = x - m\n y*2", { "x" }, { x })),
              (Doubles{ -4, -2, 0, 6 }));
    EXPECT_EQ(values(expr("x = x + 1; x = x*x; x", { "x" }, { x })), (Doubles{ 4, 9, 16, 49 }));
}

TEST_F(Expr, GivenNamesHideConstantsButNotFunctions)
{
    weft_array *x = doubles({ 1, 2 });

    EXPECT_EQ(values(expr("e + sum(sum)", { "e", "sum" }, { x, x })), (Doubles{ 4, 5 }));
    EXPECT_DOUBLE_EQ(value(expr("e")), M_E);
}

TEST_F(Expr, ShapesMayBeComputed)
{
    weft_array *x = doubles({ 1, 2, 3, 4, 5, 6 });

    weft_array *y = expr("n = 2\nreshape(x, (n, x.size // n))", { "x" }, { x });

    ASSERT_EQ(weft_array_ndim(y), 2);
    EXPECT_EQ(weft_array_dim(y, 1), 3);
    EXPECT_EQ(weft_array_ndim(expr("zeros((2, 3, 4)[1:] if_ )")), -1);
    EXPECT_NE(weft_error_take(), WEFT_OK);
}

TEST_F(Expr, TheSameSeedGivesTheSameNumbersAndZeroIsASeed)
{
    EXPECT_EQ(values(expr("random_normal((5,), seed=0, stream=3)")),
              values(expr("np.random.standard_normal(5, seed=0, stream=3)")));
    EXPECT_EQ(values(expr("random_uniform(2, 3, (4,), seed=9, stream=1)")),
              values(weft_random_uniform(s, 2, 3, WEFT_SHAPE(4),
                                         &(const weft_random_options &)weft_random_options{
                                             9, 1, WEFT_FLOAT64, false, {} })));
    EXPECT_EQ(values(expr("random.normal(10, 0, (2,), seed=1)")), (Doubles{ 10, 10 }));
}

TEST_F(Expr, AResultThatIsAnInputIsAHandleOfItsOwn)
{
    weft_array *x = doubles({ 1, 2 });

    weft_array *y = expr("x", { "x" }, { x });

    EXPECT_NE(y, x);
    EXPECT_EQ(values(y), (Doubles{ 1, 2 }));
}

TEST_F(Expr, OnlyResultsOutliveTheCall)
{
    weft_array *x = doubles({ 1, 2 });
    weft_scope *scope = weft_scope_open(s);
    int64_t before = wf_alloc_live();

    for (int i = 0; i < 50; i++) {
        ASSERT_NE(expr("(x + 1)*(x + 2)*(x + 3)", { "x" }, { x }), nullptr);
        ASSERT_EQ(weft_scope_reset(scope, 0, nullptr), WEFT_OK);
    }

    EXPECT_EQ(wf_alloc_live(), before);
    EXPECT_EQ(weft_scope_close(scope, 0, nullptr), WEFT_OK);
}

struct Mistake {
    const char *text;
    weft_status status;
    const char *sentence;
};

class ExprMistake : public Expr, public ::testing::WithParamInterface<Mistake> {};

TEST_P(ExprMistake, NamesTheColumn)
{
    weft_array *x = weft_ones(s, WEFT_FLOAT64, WEFT_SHAPE(3, 4));

    EXPECT_PENDS(expr(GetParam().text, { "wind" }, { x }), GetParam().status, GetParam().sentence);
}

INSTANTIATE_TEST_SUITE_P(
    All, ExprMistake,
    ::testing::Values(
        Mistake{ "1 + winde", WEFT_INVALID,
                 "expression, column 5: unknown name 'winde'; did you mean 'wind'?" },
        Mistake{ "flor(wind)", WEFT_INVALID,
                 "expression, column 1: unknown function 'flor'; did you mean 'floor'?" },
        Mistake{ "xyzzy_quux(1)", WEFT_INVALID,
                 "expression, column 1: unknown function 'xyzzy_quux'" },
        Mistake{ "sqrt + 1", WEFT_INVALID,
                 "expression, column 1: 'sqrt' is a function: expected '(' behind it" },
        Mistake{ "wind(3)", WEFT_INVALID, "expression, column 1: 'wind' is no function" },
        Mistake{
            "sum(wind, axes=0)", WEFT_INVALID,
            "expression, column 11: sum: unknown argument 'axes'; expected one of: x, axis, dtype, keepdims" },
        Mistake{ "sum(wind, 0, axis=0)", WEFT_INVALID,
                 "expression, column 14: sum: argument 'axis' is given twice" },
        Mistake{ "sqrt(wind, 2)", WEFT_INVALID,
                 "expression, column 12: sqrt: expected at most 1 argument by position, got 2" },
        Mistake{ "sum()", WEFT_INVALID, "expression, column 1: sum: argument 'x' is missing" },
        Mistake{ "sum(wind, axis=1.5)", WEFT_INVALID,
                 "expression, column 16: expected an axis or a tuple of axes, got a float" },
        Mistake{ "sum(wind, axis=2)", WEFT_INVALID,
                 "expression, column 1: sum: axis 2 is out of bounds for an array of 2 axes" },
        Mistake{ "wind + zeros(3)", WEFT_INVALID,
                 "expression, column 6: add: shapes (3, 4) and (3,) do not broadcast: axis -1 has 4 and 3" },
        Mistake{
            "a = 1\nb = wind[5]", WEFT_INVALID,
            "expression, line 2, column 9: index: index 5 is out of bounds for axis 0 with size 3" },
        Mistake{ "zeros((2, 3.0))", WEFT_INVALID,
                 "expression, column 11: expected an integer, got a float" },
        Mistake{ "wind.astype('flot32')", WEFT_INVALID,
                 "expression, column 13: dtype: expected a name such as float32, got 'flot32'" },
        Mistake{ "random.gauss(3)", WEFT_INVALID,
                 "expression, column 8: unknown function 'random.gauss'" },
        Mistake{ "random_integers()", WEFT_INVALID,
                 "expression, column 1: random_integers: argument 'low' is missing" },
        Mistake{ "wind.sum", WEFT_INVALID,
                 "expression, column 6: 'sum' is a method: expected '(' behind it" },
        Mistake{ "1/0", WEFT_INVALID, "expression, column 2: division by zero" },
        Mistake{ "2**64", WEFT_OVERFLOW, "expression, column 2: the result does not fit in int64" },
        Mistake{
            "'a' + 'b'", WEFT_INVALID,
            "expression, column 5: '+' needs an array or a number, got a string and a string" },
        Mistake{
            "pad(wind, 1, mode='mirror')", WEFT_INVALID,
            "expression, column 19: pad: unknown mode 'mirror'; expected constant, edge, reflect, symmetric or wrap" },
        Mistake{ "random_normal(3, seed=-1)", WEFT_INVALID,
                 "expression, column 23: random_normal: seed must be >= 0, got -1" }));

TEST_F(Expr, RunGivesSeveralResultsOfOneText)
{
    weft_array *x = doubles({ 1, 3 });
    const char *name = "x", *wanted[] = { "m", nullptr, "m" };
    weft_array *out[3];

    ASSERT_EQ(weft_expr_run(s, "m = mean(x); d = x - m", 1, &name, &x, 3, wanted, out), WEFT_OK)
        << weft_last_error();

    EXPECT_EQ(value(out[0]), 2);
    EXPECT_EQ(values(out[1]), (Doubles{ -1, 1 }));
    EXPECT_NE(out[0], out[2]);
    EXPECT_EQ(value(out[2]), 2);
}

TEST_F(Expr, RunRefusesNamesThatNoStatementAssigns)
{
    weft_array *x = doubles({ 1, 3 }), *out = x;
    const char *name = "x";

    EXPECT_FAILS(weft_expr_run(s, "m = x", 1, &name, &x, 1, &name, &out), WEFT_INVALID,
                 "expression: no statement assigns 'x'");
    EXPECT_EQ(out, x);
    EXPECT_EQ(weft_error_take(), WEFT_OK);
}

TEST_F(Expr, ANullInputPassesItsErrorOn)
{
    weft_array *bad = weft_index_text(doubles({ 1 }), "7");

    EXPECT_PENDS(expr("x + 1", { "x" }, { bad }), WEFT_INVALID,
                 "index: index 7 is out of bounds for axis 0 with size 1");
}

TEST_F(Expr, AnErrorPendingBeforeStaysTheFirst)
{
    ASSERT_EQ(weft_zeros(s, WEFT_FLOAT64, WEFT_SHAPE(-1)), nullptr);
    std::string first = weft_last_error();

    EXPECT_EQ(value(expr("clip(5, None, 3)")), 3);
    EXPECT_EQ(expr("1/0"), nullptr);
    EXPECT_STREQ(weft_last_error(), "expression, column 2: division by zero");

    EXPECT_EQ(weft_error_take(), WEFT_INVALID);
    EXPECT_EQ(weft_last_error(), first);
}

TEST_F(Expr, DeepTextsNeedNoStack)
{
    std::string text = "1";
    for (int i = 0; i < 900; i++) text += " + 1";

    EXPECT_EQ(value(expr(text.c_str())), 901);
}

TEST_F(Expr, PrintPlacePointsAtTheMistake)
{
    char *text = nullptr;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    EXPECT_EQ(expr("1 + foo"), nullptr);
    weft_error_take();
    weft_expr_print_place(file, "1 + foo");
    fclose(file);

    EXPECT_STREQ(text, "1 + foo\n    ^\n");
    free(text);
}

TEST_F(Expr, EveryFailedAllocationIsAnError)
{
    weft_array *x = doubles({ 1, 2, 3 });

    for (int n = 1; n < 2000; n++) {
        wf_alloc_fail_at(n);
        weft_array *y =
            expr("m = mean(x, axis=0); concat([x, [m, 2*m]])[::-1] ** 2", { "x" }, { x });
        wf_alloc_fail_at(0);
        if (y) {
            EXPECT_GT(n, 20);
            EXPECT_EQ(values(y), (Doubles{ 16, 4, 9, 4, 1 }));
            return;
        }
        ASSERT_EQ(weft_error_take(), WEFT_NO_MEMORY) << weft_last_error();
    }
    FAIL() << "never succeeded";
}

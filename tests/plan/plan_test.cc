// SPDX-License-Identifier: Apache-2.0
// plan_test - what plans look like: what is fused, what is shared, how it is cut; read from the text of weft_plan_explain and the session's counters.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "weft.h"

namespace {

struct Plan : testing::Test {
    weft_session *s = weft_open(nullptr);
    ~Plan() override { weft_close(s); }

    weft_array *drawn(std::vector<int64_t> shape, std::vector<int64_t> block)
    {
        weft_array *x = weft_random_uniform(s, 0, 1, (int)shape.size(), shape.data(), nullptr);
        return block.empty() ? x : weft_rechunk(x, (int)block.size(), block.data());
    }
    std::string text(std::vector<weft_array *> x)
    {
        char *t = weft_plan_explain((int)x.size(), x.data());
        EXPECT_NE(t, nullptr) << weft_last_error();
        std::string out = t ? t : "";
        weft_text_free(t);
        return out;
    }
    static int count(const std::string &text, const std::string &word)
    {
        int n = 0;
        for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) n++;
        return n;
    }
    static int64_t tasks(const std::string &text)  // of the whole plan
    {
        size_t at = text.find(" layer");
        at = text.find(", ", at) + 2;
        return std::stoll(text.substr(at));
    }
};

TEST_F(Plan, AnElementwiseChainUnderASumIsOneProgramAndStoresNothing) {
    weft_array *x = drawn({4000000}, {});
    std::string t = text({weft_sum(weft_multiply(weft_sqrt(weft_add(weft_multiply(x, x), weft_num(s, 1))), weft_exp(weft_negative(x))), 0, nullptr, nullptr)});

    EXPECT_EQ(count(t, "float64 (4000000"), 0) << t;  // nothing of that size is ever read or written
    EXPECT_EQ(count(t, "exp.f64"), 1) << t;
    EXPECT_EQ(count(t, "uniform"), 1) << t;
}

TEST_F(Plan, ShiftedOperandsDoNotShatterTheGrid) {
    weft_array *a = drawn({6300, 6300}, {100, 100}), *b = drawn({6300, 6300}, {100, 100});
    if (weft_compute(1, &a, nullptr) || weft_compute(1, &b, nullptr)) FAIL() << weft_last_error();

    std::string t = text({weft_subtract(weft_index_text(a, "1:, 1:"), weft_index_text(b, ":-1, :-1"))});

    EXPECT_EQ(count(t, "layer "), 1) << t;
    EXPECT_LE(tasks(t), 63 * 63) << t;
}

TEST_F(Plan, ReductionsOverTheSameDataReadItOnce) {
    weft_array *u = drawn({300, 20000}, {}), *v = drawn({300, 20000}, {});
    if (weft_compute(1, &u, nullptr) || weft_compute(1, &v, nullptr)) FAIL() << weft_last_error();
    const int axis = 0;

    std::string t = text({weft_mean(weft_square(u), 1, &axis, nullptr), weft_mean(weft_square(v), 1, &axis, nullptr),
                          weft_mean(weft_multiply(u, v), 1, &axis, nullptr)});

    EXPECT_EQ(count(t, "computed before"), 2) << t;  // u once, v once
}

TEST_F(Plan, EqualSubexpressionsAreComputedOnce) {
    weft_array *x = drawn({1000}, {});
    weft_array *one = weft_exp(x), *two = weft_exp(x);

    std::string t = text({weft_add(one, two)});

    EXPECT_EQ(count(t, "exp.f64"), 1) << t;
}

TEST_F(Plan, DisablingFusionGivesEveryOperationALayer) {
    weft_options o = {};
    o.settings = "disable=fuse";
    weft_session *plain = weft_open(&o);
    weft_array *x = weft_arange(plain, 0, 1000, 1, WEFT_FLOAT64);
    weft_array *y = weft_exp(weft_sqrt(weft_multiply(x, x)));

    char *t = weft_plan_explain(1, &y);

    ASSERT_NE(t, nullptr);
    EXPECT_GE(count(t, "layer "), 3) << t;
    weft_text_free(t);
    weft_close(plain);
}

TEST_F(Plan, AStencilWithSetitemIsOneLayerOfParts) {
    weft_array *u = drawn({2000, 2000}, {});
    if (weft_compute(1, &u, nullptr)) FAIL() << weft_last_error();
    weft_array *in = weft_multiply(weft_num(s, 0.25), weft_add(weft_add(weft_index_text(u, ":-2, 1:-1"), weft_index_text(u, "2:, 1:-1")),
                                                               weft_add(weft_index_text(u, "1:-1, :-2"), weft_index_text(u, "1:-1, 2:"))));

    std::string t = text({weft_setitem_text(u, "1:-1, 1:-1", in)});

    EXPECT_EQ(count(t, "layer "), 1) << t;
    EXPECT_EQ(count(t, "program of a part"), 5) << t;  // the inside and four borders
}

TEST_F(Plan, AProductOfSlicesStoresTheirArrayOnce) {
    weft_array *x = drawn({130, 70}, {}), *y = weft_exp(drawn({50, 60}, {}));

    std::string slices = text({weft_matmul(weft_index_text(x, "1:, :"), weft_matrix_transpose(weft_index_text(x, ":-1")))});
    std::string twice = text({weft_matmul(weft_matrix_transpose(y), y)});
    std::string one = text({weft_matmul(weft_index_text(y, ":10"), weft_exp(drawn({60, 20}, {})))});

    EXPECT_EQ(count(slices, "layer "), 2 + 2) << slices;  // the array, the product; two say whose block they read
    EXPECT_EQ(count(slices, "writes"), 2) << slices;
    EXPECT_EQ(count(twice, "writes"), 2) << twice;
    EXPECT_NE(one.find("(10, 60)"), std::string::npos) << one;  // of one slice, no more than that is made
}

TEST_F(Plan, TurnsOfALoopBindNewDataToOnePlan) {
    weft_array *u = drawn({100, 100}, {});
    if (weft_compute(1, &u, nullptr)) FAIL() << weft_last_error();
    weft_session_stats before = {}, after = {};

    for (int k = 0; k < 12; k++) {
        u = weft_add(weft_multiply(u, weft_num(s, 1.5 + k)), u);
        if (k == 2 && weft_stats(s, &before)) FAIL();
        if (weft_compute(1, &u, nullptr)) FAIL() << weft_last_error();
    }

    ASSERT_EQ(weft_stats(s, &after), WEFT_OK);
    EXPECT_EQ(after.plans_made, before.plans_made);
    EXPECT_EQ(after.programs_built, before.programs_built);
    EXPECT_GE(after.plans_cached, before.plans_cached + 9);
}

TEST_F(Plan, DeepChainsNeedNoStack) {
    weft_array *x = weft_arange(s, 0, 10, 1, WEFT_FLOAT64), *one = weft_num(s, 1);
    for (int i = 0; i < 100000; i++) x = weft_add(x, one);
    double v = 0;

    ASSERT_EQ(weft_item_f64(weft_sum(x, 0, nullptr, nullptr), &v), WEFT_OK) << weft_last_error();

    EXPECT_EQ(v, 45 + 10 * 100000.0);
}

}  // namespace

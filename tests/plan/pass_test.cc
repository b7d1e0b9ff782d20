// SPDX-License-Identifier: Apache-2.0
// pass_test - what each pass that can be turned off is good for: without it the plan is another one, and the bits are the same.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "weft.h"

namespace {

typedef std::function<std::vector<weft_array *>(weft_session *)> Job;

struct Outcome {
    int layers = 0, programs = 0;
    int64_t tasks = 0, run = 0;  // planned; run
    std::string text;
    std::vector<std::vector<unsigned char>> bits;
};

int64_t number_before(const std::string &text, const std::string &word)
{
    size_t at = text.find(word);
    EXPECT_NE(at, std::string::npos) << text;
    size_t from = text.find_last_of(" ", at - 1);
    return std::stoll(text.substr(from + 1, at - from - 1));
}

Outcome plan_and_run(const std::string &disable, const Job &job)
{
    weft_options o = {};
    std::string settings = "disable=" + disable;
    o.settings = disable.empty() ? nullptr : settings.c_str();
    o.memory_limit = 256 << 20;
    weft_session *s = weft_open(&o);
    EXPECT_NE(s, nullptr) << weft_last_error();
    std::vector<weft_array *> x = job(s);
    Outcome out;
    char *t = weft_plan_explain((int)x.size(), x.data());
    EXPECT_NE(t, nullptr) << weft_last_error();
    out.text = t ? t : "";
    weft_text_free(t);
    out.layers = (int)number_before(out.text, " layer");
    out.tasks = number_before(out.text, " tasks");
    out.programs = (int)number_before(out.text, " program");
    weft_session_stats before = {}, after = {};
    EXPECT_EQ(weft_stats(s, &before), WEFT_OK);
    EXPECT_EQ(weft_compute((int)x.size(), x.data(), nullptr), WEFT_OK) << weft_last_error();
    EXPECT_EQ(weft_stats(s, &after), WEFT_OK);
    out.run = after.tasks - before.tasks;
    for (weft_array *a : x) {
        std::vector<unsigned char> bytes((size_t)weft_array_size(a) * weft_dtype_size(weft_array_dtype(a)));
        EXPECT_EQ(weft_get(a, weft_array_dtype(a), bytes.data(), bytes.size()), WEFT_OK) << weft_last_error();
        out.bits.push_back(bytes);
    }
    weft_close(s);
    return out;
}

// The job with everything on and with DISABLE; the bits must agree.
void with_and_without(const std::string &disable, const Job &job, Outcome *with, Outcome *without)
{
    *with = plan_and_run("", job);
    *without = plan_and_run(disable, job);
    EXPECT_EQ(with->bits, without->bits) << disable;
}

weft_array *drawn(weft_session *s, std::vector<int64_t> shape, std::vector<int64_t> block, uint64_t seed)
{
    weft_random_options r = {};
    r.seed = seed;
    weft_array *x = weft_random_uniform(s, 0, 1, (int)shape.size(), shape.data(), &r);
    return block.empty() ? x : weft_rechunk(x, (int)block.size(), block.data());
}

weft_array *whole(weft_session *s, std::vector<int64_t> shape, uint64_t seed)  // int64
{
    weft_random_options r = {};
    r.seed = seed;
    return weft_random_integers(s, -1000000, 1000000, (int)shape.size(), shape.data(), &r);
}

weft_array *joined(std::vector<weft_array *> x, int axis) { return weft_concat((int)x.size(), x.data(), axis); }

weft_array *sum(weft_array *x) { return weft_sum(x, 0, nullptr, nullptr); }

int count(const std::string &text, const std::string &word)
{
    int n = 0;
    for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) n++;
    return n;
}

TEST(Share, EqualSubexpressionsAreComputedOnceAndWithoutItTwice) {
    Outcome with, without;
    with_and_without("share", [](weft_session *s) {
        weft_array *x = drawn(s, {1000}, {}, 1);
        return std::vector<weft_array *>{weft_cumulative_sum(weft_exp(x), 0, nullptr), weft_cumulative_sum(weft_exp(x), 0, nullptr)};
    }, &with, &without);

    EXPECT_EQ(count(with.text, "writes"), 1 + 2) << with.text;  // the exponential; the sum and its carries
    EXPECT_EQ(count(without.text, "writes"), 2 * (1 + 2)) << without.text;
}

TEST(Share, ConstantsOfOneValueAreOne) {
    Outcome with, without;
    with_and_without("share", [](weft_session *s) {
        weft_array *x = drawn(s, {1000}, {}, 1);
        auto scaled = [&](double by) { return weft_exp(weft_multiply(x, weft_num(s, by))); };
        return std::vector<weft_array *>{weft_add(weft_add(scaled(3), scaled(-0.0)), weft_add(scaled(3), scaled(0.0)))};
    }, &with, &without);

    EXPECT_EQ(count(with.text, "exp.f64"), 3) << with.text;
}

TEST(Share, APlanIsNotUsedAgainForConstantsThatDifferWhereItsOwnWereEqual) {
    weft_session *s = weft_open(nullptr);
    weft_array *x = weft_arange(s, 0, 4, 1, WEFT_FLOAT64);
    ASSERT_EQ(weft_compute(1, &x, nullptr), WEFT_OK);
    const double pairs[][2] = {{3, 3}, {3, 5}, {7, 7}, {5, 3}, {7, 9}};
    weft_session_stats stats = {};
    for (auto &p : pairs) {
        double v[4];
        weft_array *y = weft_add(weft_multiply(x, weft_num(s, p[0])), weft_multiply(x, weft_num(s, p[1])));
        ASSERT_EQ(weft_get(y, WEFT_FLOAT64, v, sizeof v), WEFT_OK);
        EXPECT_EQ(v[3], 3 * p[0] + 3 * p[1]);
    }
    ASSERT_EQ(weft_stats(s, &stats), WEFT_OK);
    EXPECT_EQ(stats.plans_made, 1 + 2);  // x; equal; different
    weft_close(s);
}

TEST(Fuse, WithoutItEveryOperationIsALayer) {
    Outcome with, without;
    with_and_without("fuse", [](weft_session *s) {
        weft_array *x = drawn(s, {1000}, {}, 2);
        return std::vector<weft_array *>{weft_sqrt(weft_add(weft_multiply(x, x), weft_exp(x)))};
    }, &with, &without);

    EXPECT_EQ(with.layers, 1) << with.text;
    EXPECT_EQ(without.layers, 5) << without.text;
    EXPECT_EQ(count(with.text, "disabled"), 0) << with.text;
    EXPECT_EQ(count(without.text, "disabled: fuse\n"), 1) << without.text;
}

TEST(Group, WithoutItEveryBlockIsATask) {
    Outcome with, without;
    with_and_without("group", [](weft_session *s) {
        return std::vector<weft_array *>{weft_sqrt(drawn(s, {20000}, {20}, 3))};
    }, &with, &without);

    EXPECT_LT(with.run, 100) << with.text;
    EXPECT_EQ(without.run, 1000) << without.text;
}

TEST(Group, WithoutItBlocksSmallerThanACellOfAReductionAreTasksToo) {
    Outcome with, without;
    with_and_without("group,fold", [](weft_session *s) {
        return std::vector<weft_array *>{sum(weft_add(drawn(s, {20010}, {20}, 4), weft_num(s, 1)))};
    }, &with, &without);

    EXPECT_LT(with.run, 100) << with.text;
    EXPECT_GE(without.run, 1001 + 5) << without.text;  // the blocks, and the cells of 4,096 elements
}

TEST(Group, WithoutItColumnsOfSmallBlocksKeepTheirBits) {
    const int axis = 0;
    Outcome with, without;
    with_and_without("group", [&](weft_session *s) {
        weft_array *x = drawn(s, {300, 50}, {7, 11}, 5);
        return std::vector<weft_array *>{weft_std(x, 1, &axis, nullptr), weft_mean(x, 1, &axis, nullptr)};
    }, &with, &without);

    EXPECT_GE(without.run, 43 * 5) << without.text;
}

TEST(Align, WithoutItShiftedOperandsShatterTheGrid) {
    Outcome with, without;
    Job job = [](weft_session *s) {
        weft_array *a = drawn(s, {1900, 1900}, {600, 600}, 6), *b = drawn(s, {1900, 1900}, {600, 600}, 7);
        weft_array *both[] = {a, b};
        EXPECT_EQ(weft_compute(2, both, nullptr), WEFT_OK);
        return std::vector<weft_array *>{weft_subtract(weft_index_text(a, "1:, 1:"), weft_index_text(b, ":-1, :-1"))};
    };
    with_and_without("align", job, &with, &without);

    EXPECT_EQ(with.layers, 1);
    EXPECT_EQ(with.run, 4 * 4) << with.text;
    EXPECT_GE(without.run, 7 * 7) << without.text;  // 600, 1200 and 1800 of one and, shifted, of the other
    EXPECT_EQ(count(without.text, "irregular"), 4) << without.text;
}

TEST(Align, WithoutItReductionsOverUnalignedOperandsKeepTheirBits) {
    const int axis = 0;
    Outcome with, without;
    Job job = [&](weft_session *s) {
        weft_array *a = drawn(s, {900, 5000}, {100, 1700}, 8), *b = drawn(s, {900, 5000}, {70, 1300}, 9);
        weft_array *cut = weft_index_text(joined({a, b}, 0), "100:1500, 7:");
        weft_array *d = weft_multiply(weft_index_text(a, "3:, 5:"), weft_index_text(b, ":-3, :-5"));
        return std::vector<weft_array *>{sum(d), weft_mean(d, 1, &axis, nullptr), weft_flip(d, 1, &axis), sum(cut), weft_exp(cut)};
    };
    with_and_without("align", job, &with, &without);

    EXPECT_GT(without.run, with.run) << without.text;
}

TEST(Push, WithoutItViewsAreLayersOfTheirOwn) {
    Outcome with, without;
    with_and_without("push", [](weft_session *s) {
        weft_array *x = drawn(s, {300, 200}, {100, 100}, 10);
        const int64_t wide[] = {2, 300, 100};
        weft_array *v = weft_index_text(weft_matrix_transpose(weft_exp(x)), "::2, 1:");
        return std::vector<weft_array *>{weft_sqrt(v), sum(weft_broadcast_to(weft_index_text(weft_exp(x), ":, :100"), 3, wide))};
    }, &with, &without);

    EXPECT_EQ(count(with.text, ": view (map)"), 1) << with.text;        // what is asked for: the sum without its axes
    EXPECT_EQ(count(without.text, ": view (map)"), 3) << without.text;  // and the transposed slice, and the slice repeated
    EXPECT_EQ(count(with.text, ": rechunk (map)"), 0) << with.text;
    EXPECT_EQ(count(without.text, ": rechunk (map)"), 1) << without.text;
}

TEST(Push, ProductsAndFilesThroughViewsKeepTheirBits) {
    Outcome with, without;
    with_and_without("push", [](weft_session *s) {
        weft_array *x = drawn(s, {130, 70}, {}, 11);
        EXPECT_EQ(weft_compute(1, &x, nullptr), WEFT_OK);
        return std::vector<weft_array *>{weft_matmul(weft_index_text(x, "1:, :"), weft_matrix_transpose(weft_index_text(x, ":-1"))),
                                         weft_cumulative_sum(weft_matrix_transpose(x), 0, nullptr)};
    }, &with, &without);

    EXPECT_LT(with.layers, without.layers) << without.text << with.text;
}

TEST(Prune, WithoutItPartsThatNobodyReadsAreComputed) {
    Outcome with, without;
    with_and_without("prune,group", [](weft_session *s) {
        const int64_t block[] = {100};
        weft_array *a = weft_exp(drawn(s, {1000}, {100}, 12)), *b = weft_sqrt(drawn(s, {1000}, {100}, 13));
        weft_array *c = weft_rechunk(joined({a, b}, 0), 1, block);
        return std::vector<weft_array *>{weft_index_text(c, ":150")};
    }, &with, &without);

    EXPECT_EQ(with.layers, 1) << with.text;
    EXPECT_EQ(count(with.text, "sqrt"), 0) << with.text;
    EXPECT_EQ(count(without.text, "sqrt.f64"), 1) << without.text;
    EXPECT_GE(without.run, 10 + 10 + 20 + 2) << without.text;  // both parts, the whole, the slice
    EXPECT_LT(with.run, 5);
}

TEST(Prune, WithoutItSetitemComputesWhatItOverwrites) {
    Outcome with, without;
    with_and_without("prune", [](weft_session *s) {
        weft_array *x = weft_exp(drawn(s, {500, 400}, {}, 14));
        return std::vector<weft_array *>{weft_setitem_text(x, ":, 1:", weft_num(s, 3))};
    }, &with, &without);

    EXPECT_EQ(with.layers, 1) << with.text;
    EXPECT_EQ(count(without.text, "exp (map)"), 1) << without.text;
    EXPECT_EQ(count(without.text, "parts (map)"), 1) << without.text;
}

TEST(Prune, WithoutItBlocksThatNobodyReadsAreReadFromTheirSource) {
    Outcome with, without;
    with_and_without("prune", [](weft_session *s) {
        const int64_t n = 1000, block = 100;
        auto read = [](void *, const int64_t *start, const int64_t *count, void *out) {
            for (int64_t i = 0; i < count[0]; i++) ((double *)out)[i] = (double)(start[0] + i);
            return WEFT_OK;
        };
        weft_array *x = weft_rechunk(weft_from_reader(s, read, nullptr, WEFT_FLOAT64, 1, &n), 1, &block);
        return std::vector<weft_array *>{weft_sqrt(weft_index_text(x, "250:320"))};
    }, &with, &without);

    EXPECT_LE(with.run, 2 + 1) << with.text;
    EXPECT_EQ(without.run, with.tasks) << without.text;
    EXPECT_GT(without.run, with.run);
}

TEST(Fold, SumsOfIntegersLetGoOfTheConstant) {
    const int axis = 1;
    Outcome with, without;
    with_and_without("fold", [&](weft_session *s) {
        weft_array *z = whole(s, {70, 9000}, 15);
        weft_array *shifted = weft_add(z, weft_num_i64(s, 3));
        return std::vector<weft_array *>{sum(shifted), sum(weft_multiply(z, weft_num_i64(s, INT64_MAX))), weft_sum(weft_subtract(z, weft_num_i64(s, 7)), 1, &axis, nullptr)};
    }, &with, &without);

    EXPECT_EQ(count(without.text, "subtract.i64"), 1) << without.text;
    size_t at = with.text.find("layer 1:");  // what is left runs over results, not over elements
    std::string first = with.text.substr(0, at);
    EXPECT_EQ(count(first, "add.i64") + count(first, "multiply.i64") + count(first, "subtract.i64"), 0) << with.text;
}

TEST(Fold, ChainsOfIntegerConstantsAreOneOperation) {
    Outcome with, without;
    with_and_without("fold", [](weft_session *s) {
        weft_array *z = whole(s, {1000}, 16);
        weft_array *y = weft_subtract(weft_add(weft_add(z, weft_num_i64(s, 3)), weft_num_i64(s, 4)), weft_num_i64(s, -9));
        weft_array *m = weft_multiply(weft_num_i64(s, 5), weft_multiply(z, weft_num_i64(s, 77)));
        weft_array *n = weft_add(z, weft_multiply(weft_num_i64(s, 11), weft_num_i64(s, 13)));
        return std::vector<weft_array *>{y, m, n};
    }, &with, &without);

    EXPECT_EQ(count(with.text, "add.i64") + count(with.text, "subtract.i64") + count(with.text, "multiply.i64"), 3) << with.text;
    EXPECT_EQ(count(without.text, "add.i64") + count(without.text, "subtract.i64") + count(without.text, "multiply.i64"), 7) << without.text;
}

TEST(Fold, OperationsThatChangeNothingAreLeftOut) {
    Outcome with, without;
    with_and_without("fold", [](weft_session *s) {
        weft_array *z = whole(s, {1000}, 17), *t = weft_greater(z, weft_num_i64(s, 0)), *f = drawn(s, {1000}, {}, 18);
        weft_array *y = weft_multiply(weft_add(weft_num_i64(s, 0), z), weft_num_i64(s, 1));
        y = weft_bitwise_or(weft_floor_divide(y, weft_num_i64(s, 1)), weft_num_i64(s, 0));
        return std::vector<weft_array *>{y, weft_logical_not(weft_logical_not(t)), weft_negative(weft_negative(f))};
    }, &with, &without);

    for (const char *op : {"add.i64", "multiply.i64", "floor_divide", "bitwise_or", "logical_not", "negative.f64"}) {
        EXPECT_EQ(count(with.text, op), 0) << op << "\n" << with.text;
        EXPECT_GE(count(without.text, op), 1) << op << "\n" << without.text;
    }
}

TEST(Fold, FloatsKeepTheirSignsAndRoundings) {
    Outcome with, without;
    with_and_without("fold", [](weft_session *s) {
        const double data[] = {-0.0, 0.0, INFINITY, -INFINITY, NAN, -NAN, 1e308, 5e-324};
        const int64_t n = 8;
        weft_array *x = weft_from_memory(s, data, WEFT_FLOAT64, 1, &n, nullptr);
        weft_array *h = weft_astype(x, WEFT_FLOAT16);
        return std::vector<weft_array *>{weft_add(x, weft_num(s, 0)), weft_multiply(weft_multiply(x, weft_num(s, 3)), weft_num(s, 1.0 / 3)),
                                         weft_negative(weft_negative(x)), weft_negative(weft_negative(h)), sum(weft_add(x, weft_num(s, 1)))};
    }, &with, &without);

    EXPECT_EQ(count(with.text, "add.f64 "), count(without.text, "add.f64 ")) << with.text;
}

TEST(Fold, ARootThatFoldsIntoDataThatIsThereIsStillHandedOver) {
    weft_session *s = weft_open(nullptr);
    weft_array *z = whole(s, {100}, 19);
    ASSERT_EQ(weft_compute(1, &z, nullptr), WEFT_OK);
    weft_array *y = weft_add(z, weft_num_i64(s, 0)), *both[] = {y, weft_multiply(y, weft_num_i64(s, 1)), weft_add(weft_num_i64(s, 2), weft_num_i64(s, 3))};

    ASSERT_EQ(weft_compute(3, both, nullptr), WEFT_OK) << weft_last_error();

    EXPECT_TRUE(weft_array_is_computed(both[0]) && weft_array_is_computed(both[1]));
    int64_t a[100], b[100], five = 0;
    ASSERT_EQ(weft_get(z, WEFT_INT64, a, sizeof a), WEFT_OK);
    ASSERT_EQ(weft_get(both[1], WEFT_INT64, b, sizeof b), WEFT_OK);
    EXPECT_EQ(memcmp(a, b, sizeof a), 0);
    EXPECT_EQ(weft_item_i64(both[2], &five), WEFT_OK);
    EXPECT_EQ(five, 5);
    weft_close(s);
}

TEST(Passes, AllOffGiveTheSameBits) {
    const int axis = 0;
    Outcome with, without;
    with_and_without("share,prune,fold,push,fuse,align,group", [&](weft_session *s) {
        weft_array *x = drawn(s, {301, 257}, {64, 50}, 20), *y = weft_matrix_transpose(drawn(s, {257, 301}, {33, 70}, 21));
        weft_array *z = joined({weft_index_text(x, "1:, ::-2"), weft_index_text(y, ":-1, 1::2")}, 1);
        weft_array *w = weft_setitem_text(z, "5:9, 3", weft_num(s, 2));
        return std::vector<weft_array *>{w, weft_std(w, 1, &axis, nullptr), weft_argmax(w, 1, nullptr), weft_matmul(x, weft_matrix_transpose(y)),
                                         weft_cumulative_sum(w, 0, nullptr), sum(weft_add(whole(s, {1000}, 22), weft_num_i64(s, 5)))};
    }, &with, &without);

    EXPECT_GT(without.run, 5 * with.run);
}

}  // namespace

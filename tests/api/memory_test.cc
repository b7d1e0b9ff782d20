// SPDX-License-Identifier: Apache-2.0
// memory_test - with every single allocation failing once, each call fails with WEFT_NO_MEMORY and leaves the session as it was.
#include "api/fixture.h"

extern "C" {
#include "base/alloc.h"
}

namespace {

int64_t made;  // allocations of a step up to where it stopped to look

// Runs STEP with the n-th allocation failing, for every n, until it succeeds without any failing.
template <class Step>
void fail_everywhere(Step step, int least = 30)
{
    ASSERT_EQ(step(), WEFT_OK) << weft_last_error();  // caches are warm, thread locals made
    for (int n = 1; n < 4000; n++) {
        made = 0;
        wf_alloc_fail_at(n);
        weft_status st = step();
        made += wf_alloc_fail_at(0);
        (void)weft_error_take();
        if (st != WEFT_OK) {
            ASSERT_EQ(st, WEFT_NO_MEMORY) << "allocation " << n << ": " << weft_last_error();
        } else if (made < n) {
            EXPECT_GT(n, least) << "hardly anything was tried";
            return;  // it ran through before the failure was due
        }
    }
    FAIL() << "still failing";
}

class Memory : public Api {
protected:
    void SetUp() override { open("mode=sync; test=true"); }

    weft_status in_scope(weft_status (*step)(weft_session *))
    {
        weft_scope *scope = weft_scope_open(s);
        if (!scope) return weft_error_take();
        weft_status st = step(s);
        (void)weft_error_take();
        made += wf_alloc_fail_at(0);
        EXPECT_EQ(weft_scope_close(scope, 0, nullptr), WEFT_OK);
        return st;
    }
};

// A size that was not there before: its plan is in no cache.
int64_t fresh()
{
    static int64_t last;
    return 60 + ++last % 3000;
}

weft_status elementwise(weft_session *s)
{
    double v = 0;
    int64_t n = fresh();
    weft_array *x = weft_arange(s, 0, (double)n, 1, WEFT_FLOAT64);
    weft_status st = weft_item_f64(weft_sum(weft_abs(weft_add(x, weft_num(s, 1))), WEFT_ALL_AXES, nullptr), &v);
    EXPECT_TRUE(st != WEFT_OK || v == (double)(n * (n + 1) / 2)) << v;
    return st;
}

weft_status structure(weft_session *s)
{
    int64_t k = fresh(), rows = 4 + k % 17, columns = 2 + k / 17 % 17;
    weft_array *x = weft_reshape(weft_arange(s, 0, (double)(rows * columns), 1, WEFT_FLOAT64), WEFT_SHAPE(rows, columns));
    weft_array *y = weft_setitem(weft_roll(x, WEFT_SHAPE(2), nullptr), WEFT_CUTS(WEFT_SPAN(1, 3)), weft_num(s, 5));
    weft_array *all[] = { y, weft_matmul(y, weft_matrix_transpose(x)), weft_cumulative_sum(x, 1, nullptr), weft_std(x, WEFT_AXES(0), nullptr) };
    return weft_compute(4, all, nullptr);
}

weft_status stages(weft_session *s)
{
    int64_t n = fresh();
    weft_array *x = weft_arange(s, 0, (double)n, 1, WEFT_FLOAT64), *m = weft_greater(x, weft_num(s, 100));
    weft_array *all[] = { weft_mask(x, m), weft_nonzero(m), weft_take(x, weft_arange(s, 0, 9, 2, WEFT_INT64), 0),
                          weft_group_mean(x, weft_random_integers(s, 0, 4, WEFT_SHAPE(n), nullptr), 4, 0) };
    return weft_compute(4, all, nullptr);
}

weft_status memory(weft_session *s)
{
    static const std::vector<double> large(20000, 1.0);
    double v = 0;
    weft_array *x = weft_from_memory(s, large.data(), WEFT_FLOAT64, WEFT_SHAPE(20000 - fresh()), nullptr);
    return weft_item_f64(weft_sum(x, WEFT_ALL_AXES, nullptr), &v);
}

TEST_F(Memory, RunsOutInElementwiseWork) { fail_everywhere([&] { return in_scope(elementwise); }); }
TEST_F(Memory, RunsOutInStructure) { fail_everywhere([&] { return in_scope(structure); }); }
TEST_F(Memory, RunsOutBetweenStages) { fail_everywhere([&] { return in_scope(stages); }); }
TEST_F(Memory, RunsOutWhileMemoryIsCopied) { fail_everywhere([&] { return in_scope(memory); }); }

TEST_F(Memory, RunsOutInOpen) {
    fail_everywhere([&] {
        weft_session *t = weft_open(nullptr);
        if (!t) return weft_error_take();
        made += wf_alloc_fail_at(0);
        return weft_close(t);
    });
}

TEST_F(Memory, IsGivenBackAfterFailures) {
    close();
    int64_t before = wf_alloc_live();

    open("mode=sync; test=true");
    for (int n = 1; n < 400; n += 3) {
        for (auto step : { structure, stages, elementwise, memory }) {
            wf_alloc_fail_at(n);
            in_scope(step);
            wf_alloc_fail_at(0);
        }
    }
    close();

    EXPECT_EQ(wf_alloc_live(), before);
}

}  // namespace

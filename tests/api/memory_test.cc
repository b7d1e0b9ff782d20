// SPDX-License-Identifier: Apache-2.0
// memory_test - with every single allocation failing once, each call fails with WEFT_NO_MEMORY and leaves the session as it was.
#include <unistd.h>

#include <cstdlib>

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

std::string folder;  // of one test's files

class Memory : public Api {
protected:
    void SetUp() override
    {
        char name[] = "/tmp/weft-memory-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder = name;
        open("mode=sync; test=true");
    }
    void TearDown() override
    {
        Api::TearDown();
        EXPECT_EQ(system(("rm -rf " + folder).c_str()), 0);
    }

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

const char *const texts[] = {
    "sum(tile(x, (3,)) * 2j)", "pad(x, 3, mode='wrap')[::-2]", "concat([x, x[1:], zeros((0,))])", "tensordot(x, x, 0)[0]", "x.astype(float16) ** 2",
    "var(stack([x, x], axis=1), axis=1, keepdims=True)", "argmax(roll(x, 3))", "nan_to_num(x / (x - x))", "isclose(x, x + 1e-9)",
    "bincount(x.astype(int64) % 5, x)", "clip(repeat(x, 3), 2, 9).reshape(3, -1)", "group_sum(x, x.astype(int32) % 3, 3)",
    "cumulative_prod(x, include_initial=True)", "rechunk(x, 7) @ rechunk(x, 5)", "x.astype(int64) < x.astype(uint64)", "a = x * 2; b = a.mean(); (a - b).std()",
};
const char *text = texts[0];  // what expression() computes

weft_status expression(weft_session *s)
{
    const char *name = "x";
    weft_array *x = weft_arange(s, 0, (double)fresh(), 1, WEFT_FLOAT64), *y = weft_expr(s, text, 1, &name, &x);
    return weft_compute(1, &y, nullptr);
}

weft_status kernels(weft_session *s)
{
    int64_t n = fresh();
    weft_kernel_desc d = {};
    const double p = (double)n;
    d.name = "k";
    d.params = "u, v; p";
    d.body = "t = u[-1] + u[1]\nresult = where(t > p, t - v, p*v)";
    d.boundary = (int)(n % 4);
    weft_kernel *k = weft_kernel_create(s, &d);
    weft_array *x = weft_arange(s, 0, (double)n, 1, WEFT_FLOAT64);
    weft_array *in[] = { x, weft_sqrt(x) }, *y = k ? weft_kernel_map(k, 2, in, 1, &p) : nullptr;
    weft_status st = weft_compute(1, &y, nullptr);
    weft_kernel_free(k);
    return st;
}

weft_status files(weft_session *s, const char *name)
{
    const std::string there = folder + name;
    const char *path = there.c_str();
    weft_array *x = weft_rechunk(weft_arange(s, 0, (double)fresh(), 1, WEFT_FLOAT64), WEFT_SHAPE(1000));
    weft_save_options o = {};
    double v = 0;
    o.overwrite = true;
    weft_status st = weft_save(x, path, &o);
    if (st != WEFT_OK) return st;
    return weft_item_f64(weft_sum(weft_load(s, path, nullptr), WEFT_ALL_AXES, nullptr), &v);
}

weft_status npy_files(weft_session *s) { return files(s, "/x.npy"); }
weft_status zarr_files(weft_session *s) { return files(s, "/x.zarr"); }

weft_status looking(weft_session *s)
{
    weft_array *x = weft_arange(s, 0, (double)fresh(), 1, WEFT_FLOAT64);
    weft_array *y = weft_add(weft_matmul(x, x), weft_mean(x, WEFT_ALL_AXES, nullptr));
    if (!y) return weft_error_take();
    char *text = weft_explain(y);
    if (!text) return weft_last_status();
    weft_text_free(text);
    FILE *null = fopen("/dev/null", "w");
    weft_status st = weft_print(null, x);
    fclose(null);
    return st;
}

TEST_F(Memory, RunsOutInExpressions) {
    for (const char *t : texts) {
        SCOPED_TRACE(t);
        text = t;
        fail_everywhere([&] { return in_scope(expression); });
    }
}

TEST_F(Memory, RunsOutInKernels) { fail_everywhere([&] { return in_scope(kernels); }); }
TEST_F(Memory, RunsOutInNpyFiles) { fail_everywhere([&] { return in_scope(npy_files); }); }
TEST_F(Memory, RunsOutInZarrFiles) { fail_everywhere([&] { return in_scope(zarr_files); }); }
TEST_F(Memory, RunsOutWhilePrinting) { fail_everywhere([&] { return in_scope(looking); }); }
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
        text = texts[n / 3 % (int)(sizeof texts / sizeof *texts)];
        for (auto step : { structure, stages, elementwise, memory, expression, kernels, looking, npy_files, zarr_files }) {
            if ((step == npy_files || step == zarr_files) && n % 10 != 1) continue;  // these take their time
            wf_alloc_fail_at(n);
            in_scope(step);
            wf_alloc_fail_at(0);
        }
    }
    close();

    EXPECT_EQ(wf_alloc_live(), before);
}

}  // namespace

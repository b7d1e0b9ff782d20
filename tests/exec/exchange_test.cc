// SPDX-License-Identifier: Apache-2.0
// exchange_test - wide reads out of core: rows to columns, slabs to tiles, turned and reversed; each chunk is read once, each byte crosses the
// disk at most once more, and the memory limit holds. Mapped files larger than the limit do not stay in memory.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "weft.h"
extern "C" {
#include "exec/engine.h"
wf_engine *wf_session_engine(weft_session *session);  // api/session.h, which speaks C11 atomics
}

namespace {

struct Exchange : testing::Test {
    std::string dir;
    void SetUp() override
    {
        char path[] = "/tmp/weft-exchange-XXXXXX";
        ASSERT_NE(mkdtemp(path), nullptr);
        dir = path;
    }
    void TearDown() override { EXPECT_EQ(std::system(("rm -r " + dir).c_str()), 0); }

    // $WEFT_DEV_DEVICES: where all tests are to be computed
    static weft_session *open(int64_t limit, const char *devices = "cpu", const char *settings = nullptr)
    {
        const char *elsewhere = getenv("WEFT_DEV_DEVICES");
        weft_options o = {};
        o.devices = elsewhere ? elsewhere : devices;
        o.memory_limit = limit;
        o.settings = settings;
        weft_session *s = weft_open(&o);
        EXPECT_NE(s, nullptr) << weft_last_error();
        return s;
    }
    std::string at(const char *name) const { return dir + "/" + name; }
    static weft_array *drawn(weft_session *s, int64_t rows, int64_t cols)
    {
        weft_random_options r = {};
        r.seed = 4;
        r.stream = 1;
        const int64_t shape[] = {rows, cols};
        return weft_random_uniform(s, 0, 1, 2, shape, &r);
    }
    static void save(weft_array *x, const std::string &path, std::vector<int64_t> chunks, const char *codec = "none")
    {
        weft_save_options o = {};
        o.overwrite = true;
        o.nchunks = (int)chunks.size();
        o.chunks = chunks.data();
        o.codec = chunks.empty() ? nullptr : codec;
        ASSERT_EQ(weft_save(x, path.c_str(), &o), WEFT_OK) << weft_last_error();
    }
    void make_rows(int64_t rows, int64_t cols, const char *name, std::vector<int64_t> chunks, const char *codec = "none")
    {
        weft_session *s = open(256 << 20);
        save(drawn(s, rows, cols), at(name), chunks, codec);
        weft_close(s);
    }
    // Elements of a file that differ from those of EXPRESSION over the array that was drawn.
    int64_t differences(const char *name, int64_t rows, int64_t cols, const char *expression)
    {
        weft_session *s = open(256 << 20);
        weft_array *x = drawn(s, rows, cols), *y = weft_load(s, at(name).c_str(), nullptr);
        const char *names[] = {"x", "y"};
        weft_array *arrays[] = {x, y};
        std::string text = "count_nonzero(y != (" + std::string(expression) + "))";
        double n = -1;
        EXPECT_EQ(weft_item_f64(weft_expr(s, text.c_str(), 2, names, arrays), &n), WEFT_OK) << weft_last_error();
        weft_close(s);
        return (int64_t)n;
    }
};

TEST_F(Exchange, RowsToColumnsReadsEachChunkOnceAndSpillsAtMostOnce) {
    const int64_t rows = 1600, cols = 1300, bytes = rows * cols * 8, limit = 6 << 20;
    std::vector<const char *> codecs = {"none"};
#ifdef WF_HAVE_ZLIB
    codecs.push_back("zlib:1");
#endif
    for (const char *codec : codecs) {
        make_rows(rows, cols, "rows.zarr", {70, cols}, codec);
        weft_session *s = open(limit);

        save(weft_load(s, at("rows.zarr").c_str(), nullptr), at("columns.zarr"), {rows, 48}, codec);

        weft_session_stats stats = {};
        ASSERT_EQ(weft_stats(s, &stats), WEFT_OK);
        EXPECT_EQ(stats.bytes_read, bytes) << codec;
        // As stored: packed, or whole chunks where they hang over the edge; each once.
        EXPECT_GT(stats.bytes_written, bytes / 2) << codec;
        EXPECT_LT(stats.bytes_written, bytes + bytes / 8) << codec;
        EXPECT_GT(stats.bytes_spilled, 0);
        EXPECT_LE(stats.bytes_spilled, bytes);
        EXPECT_LE(stats.bytes_unspilled, bytes + bytes / 8);
        EXPECT_LE(stats.peak_bytes, limit);
        weft_close(s);
        EXPECT_EQ(differences("columns.zarr", rows, cols, "x"), 0) << codec;
    }
}

TEST_F(Exchange, TurnedReversedAndSlicedReadsFindTheirPieces) {
    const int64_t rows = 900, cols = 1100;
    make_rows(rows, cols, "rows.zarr", {64, cols});
    struct {
        const char *expression;
        std::vector<int64_t> chunks;
    } jobs[] = {{"x.T", {33, rows}}, {"x[:, ::-1]", {rows, 50}}, {"x[5:, 13:-7]", {rows - 5, 41}}, {"x[:, ::3]", {rows, 29}}, {"(x + 1)[::-1]", {rows, 64}}};
    for (auto &job : jobs)
        for (const char *devices : {"cpu", "cpu:2@3MiB"}) {
            weft_session *s = open(4 << 20, devices);
            weft_array *x = weft_load(s, at("rows.zarr").c_str(), nullptr);
            const char *name = "x";
            save(weft_expr(s, job.expression, 1, &name, &x), at("out.zarr"), job.chunks);
            weft_close(s);
            EXPECT_EQ(differences("out.zarr", rows, cols, job.expression), 0) << job.expression << " on " << devices;
        }
}

TEST_F(Exchange, ValuesThatWereComputedAreCutToo) {
    const int64_t n = 1024;
    weft_session *s = open(3 << 20);
    weft_array *x = drawn(s, n, n);
    weft_array *c = weft_cumulative_sum(x, 1, nullptr);  // has blocks of its own
    save(weft_add(c, weft_num(s, 1)), at("out.zarr"), {n, 16});
    weft_session_stats stats = {};
    ASSERT_EQ(weft_stats(s, &stats), WEFT_OK);
    EXPECT_LE(stats.peak_bytes, 3 << 20);
    weft_close(s);
    EXPECT_EQ(differences("out.zarr", n, n, "cumulative_sum(x, axis=1) + 1"), 0);
}

TEST_F(Exchange, RecoversWhenADeviceLosesPieces) {
    const int64_t n = 1500;
    make_rows(n, n, "rows.zarr", {50, n});
    for (int round = 0; round < 6; round++) {
        weft_session *s = open(24 << 20, "cpu:2@6MiB");
        const int64_t chunks[] = {n, 25};
        weft_save_options o = {};
        o.overwrite = true;
        o.nchunks = 2;
        o.chunks = chunks;
        o.codec = "none";
        weft_array *sink = weft_sink(weft_load(s, at("rows.zarr").c_str(), nullptr), at("out.zarr").c_str(), &o);
        weft_request *r = weft_start(1, &sink, nullptr);
        ASSERT_NE(r, nullptr) << weft_last_error();

        usleep(4000 + 8000 * (unsigned)round);
        wf_engine_lose_device(wf_session_engine(s), round % 2);

        ASSERT_EQ(weft_wait(r, 60), WEFT_OK) << weft_last_error();
        weft_request_free(r);
        weft_close(s);
        EXPECT_EQ(differences("out.zarr", n, n, "x"), 0) << "round " << round;
    }
}

TEST_F(Exchange, TransposedNpyIsWrittenInLargeTilesFromTheFile) {
    const int64_t rows = 1111, cols = 1777, limit = 8 << 20;
    make_rows(rows, cols, "rows.npy", {});
    for (const char *expression : {"x.T", "x.T[::-1]", "x.T[3:, ::-1]"}) {
        weft_session *s = open(limit);
        weft_array *x = weft_load(s, at("rows.npy").c_str(), nullptr);
        const char *name = "x";
        save(weft_expr(s, expression, 1, &name, &x), at("out.npy"), {});
        weft_session_stats stats = {};
        ASSERT_EQ(weft_stats(s, &stats), WEFT_OK);
        EXPECT_EQ(stats.bytes_spilled, 0);
        EXPECT_LE(stats.peak_bytes, limit);
        weft_close(s);
        EXPECT_EQ(differences("out.npy", rows, cols, expression), 0) << expression;
    }
}

// Pages of files in this process's memory, in KiB.
long file_pages()
{
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.rfind("RssFile:", 0) == 0) return std::stol(line.substr(8));
    return -1;
}

TEST_F(Exchange, PagesOfAMappedFileAreLetGoOf) {
    const int64_t n = 2500;  // 50 MB
    make_rows(n, n, "rows.npy", {});
    weft_session *s = open(16 << 20);
    weft_array *x = weft_load(s, at("rows.npy").c_str(), nullptr);
    double v;
    ASSERT_EQ(weft_item_f64(weft_sum(weft_index_text(x, ":1"), 0, nullptr, nullptr), &v), WEFT_OK);
    const long before = file_pages();

    ASSERT_EQ(weft_item_f64(weft_sum(x, 0, nullptr, nullptr), &v), WEFT_OK) << weft_last_error();

    EXPECT_LT(file_pages() - before, 12 << 10);  // of 49 MiB
    weft_close(s);
}

// Anomalies by group, Dask's hard case: sums by label of what is drawn, then rows of them taken again and subtracted. Neither what is drawn
// nor what is taken has to be there whole.
TEST_F(Exchange, AnomaliesByGroupKeepNothingThatDoesNotFit) {
    enum { ROWS = 1200, COLS = 20000, GROUPS = 13 };
    double results[2];
    for (int small = 0; small < 2; small++) {
        weft_session *s = open(small ? 32 << 20 : INT64_C(1) << 30);  // the array has 183 MiB
        std::vector<int64_t> label(ROWS);
        for (int i = 0; i < ROWS; i++) label[i] = i % GROUPS;
        const int64_t rows[] = {ROWS}, block[] = {1, COLS};
        const int axis[] = {0};
        weft_array *d = weft_from_memory(s, label.data(), WEFT_INT64, 1, rows, nullptr);
        weft_array *x = weft_rechunk(drawn(s, ROWS, COLS), 2, block);
        weft_array *anom = weft_subtract(x, weft_take(weft_group_mean(x, d, GROUPS, 0), d, 0));
        weft_array *most = weft_max(weft_var(anom, 1, axis, nullptr), WEFT_ALL_AXES, nullptr);
        weft_session_stats stats;
        ASSERT_EQ(weft_item_f64(most, &results[small]), WEFT_OK) << weft_last_error();
        ASSERT_EQ(weft_stats(s, &stats), WEFT_OK);
        EXPECT_EQ(stats.bytes_spilled, 0);
        weft_close(s);
    }
    EXPECT_EQ(results[0], results[1]);
    EXPECT_GT(results[0], 1.0 / 12);
    EXPECT_LT(results[0], 0.12);
}

}  // namespace

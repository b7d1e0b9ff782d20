// SPDX-License-Identifier: Apache-2.0
// file_test - save, load, sinks among other results, regions, and what stands in the way.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "api/fixture.h"
#include "weft/daemon.h"

namespace {

class Files : public Api {
protected:
    void SetUp() override
    {
        char name[] = "/tmp/weft-api-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder = name;
        Api::SetUp();
    }
    void TearDown() override
    {
        Api::TearDown();
        EXPECT_EQ(system(("rm -rf " + folder).c_str()), 0);
    }
    std::string path(const char *name) { return folder + "/" + name; }
    weft_array *grid() { return weft_rechunk(weft_reshape(count_to(60), WEFT_SHAPE(6, 10)), WEFT_SHAPE(4, 3)); }

    std::string folder;
};

TEST_F(Files, SavesAndLoadsEveryFormat) {
    for (const char *name : { "a.npy", "a.zarr", "deep.zarr/group/u" }) {
        ASSERT_EQ(weft_save(grid(), path(name).c_str(), nullptr), WEFT_OK) << name << ": " << weft_last_error();
        EXPECT_EQ(values(weft_load(s, path(name).c_str(), nullptr)), values(grid())) << name;
    }
    weft_load_options raw = {};
    const int64_t shape[] = { 6, 10 };
    raw.raw = true;
    raw.dtype = WEFT_FLOAT64;
    raw.ndim = 2;
    raw.shape = shape;
    ASSERT_EQ(weft_save(grid(), path("a.raw").c_str(), nullptr), WEFT_OK) << weft_last_error();
    EXPECT_EQ(values(weft_load(s, path("a.raw").c_str(), &raw)), values(grid()));
}

TEST_F(Files, ZarrChunksThatWouldNotFitInMemoryAreSmallerBlocks) {
    open("", "cpu:2@16MiB");
    weft_random_options r = {};
    r.seed = 1;
    weft_array *x = weft_random_normal(s, WEFT_SHAPE(2000, 1000), &r);

    ASSERT_EQ(weft_save(x, path("x.zarr").c_str(), nullptr), WEFT_OK) << weft_last_error();
    weft_array *back = weft_load(s, path("x.zarr").c_str(), nullptr);
    EXPECT_LT(weft_array_block_dim(back, 0, 0), 2000);
    EXPECT_EQ(weft_array_block_dim(back, 1, 0), 1000);
    EXPECT_EQ(value(weft_sum(back, WEFT_ALL_AXES, nullptr)), value(weft_sum(x, WEFT_ALL_AXES, nullptr)));
}

TEST_F(Files, ZarrChunksAreTheBlocksOrWhatIsAsked) {
    const int64_t chunks[] = { 5, 10 };
    weft_save_options o = {};
    ASSERT_EQ(weft_save(grid(), path("a.zarr").c_str(), nullptr), WEFT_OK) << weft_last_error();
    o.nchunks = 2;
    o.chunks = chunks;
    ASSERT_EQ(weft_save(grid(), path("b.zarr").c_str(), &o), WEFT_OK) << weft_last_error();

    weft_array *a = weft_load(s, path("a.zarr").c_str(), nullptr), *b = weft_load(s, path("b.zarr").c_str(), nullptr);

    EXPECT_EQ(weft_array_nblocks(a, 0), 2);
    EXPECT_EQ(weft_array_nblocks(a, 1), 4);
    EXPECT_EQ(weft_array_block_dim(a, 1, 3), 1);
    EXPECT_EQ(weft_array_nblocks(b, 0), 2);
    EXPECT_EQ(weft_array_nblocks(b, 1), 1);
    EXPECT_EQ(values(b), values(grid()));
    o.nchunks = 1;
    EXPECT_PENDS(weft_sink(grid(), "c.zarr", &o), WEFT_INVALID, "sink: expected 2 chunk extents, one per axis, got 1");
}

TEST_F(Files, SinksRunAmongOtherResultsAndOnce) {
    weft_array *x = grid(), *mean = weft_mean(x, WEFT_AXES(0), nullptr);
    weft_array *all[] = { weft_sink(x, path("x.npy").c_str(), nullptr), mean, weft_sink(mean, path("m.zarr").c_str(), nullptr) };

    ASSERT_EQ(weft_compute(3, all, nullptr), WEFT_OK) << weft_last_error();
    EXPECT_EQ(weft_compute(3, all, nullptr), WEFT_OK) << weft_last_error();  // they are done: nothing to do

    EXPECT_EQ(values(weft_load(s, path("m.zarr").c_str(), nullptr)), values(mean));
}

TEST_F(Files, WhatExistsStaysUnlessOverwritten) {
    std::string npy = path("a.npy");
    weft_save_options o = {};
    o.overwrite = true;
    ASSERT_EQ(weft_save(grid(), npy.c_str(), nullptr), WEFT_OK);

    EXPECT_FAILS(weft_save(count_to(3), npy.c_str(), nullptr), WEFT_EXISTS, ("save: '" + npy + "' exists; set .overwrite to replace it").c_str());
    EXPECT_EQ(values(weft_load(s, npy.c_str(), nullptr)), values(grid()));
    ASSERT_EQ(weft_save(count_to(3), npy.c_str(), &o), WEFT_OK);
    EXPECT_EQ(values(weft_load(s, npy.c_str(), nullptr)), (std::vector<double>{ 0, 1, 2 }));
}

TEST_F(Files, TwoSinksOfOneRequestCannotWriteToOnePath) {
    weft_array *two[] = { weft_sink(grid(), path("a.npy").c_str(), nullptr), weft_sink(count_to(3), path("a.npy").c_str(), nullptr) };

    EXPECT_FAILS(weft_compute(2, two, nullptr), WEFT_INVALID, ("compute: two sinks write to '" + path("a.npy") + "'").c_str());
    EXPECT_NE(access(path("a.npy").c_str(), F_OK), 0);
}

TEST_F(Files, RegionsAreWrittenIntoWhatIsThere) {
    for (const char *name : { "a.npy", "a.zarr" }) {
        ASSERT_EQ(weft_save(grid(), path(name).c_str(), nullptr), WEFT_OK);
        const weft_cut part[] = { WEFT_SPAN(1, 5), WEFT_FROM(-4) };
        const weft_cut row[] = { WEFT_AT(-1) };
        weft_save_options o = {};
        o.nregion = 2;
        o.region = part;
        ASSERT_EQ(weft_save(weft_full(s, WEFT_FLOAT64, WEFT_SHAPE(4, 4), -1), path(name).c_str(), &o), WEFT_OK) << name << ": " << weft_last_error();
        o.nregion = 1;
        o.region = row;
        ASSERT_EQ(weft_save(weft_num(s, 7), path(name).c_str(), &o), WEFT_OK) << name << ": " << weft_last_error();

        std::vector<double> got = values(weft_load(s, path(name).c_str(), nullptr));
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 10; j++) {
                double want = i == 5 ? 7 : i >= 1 && j >= 6 ? -1 : i * 10 + j;
                ASSERT_EQ(got[(size_t)(i * 10 + j)], want) << name << " " << i << ", " << j;
            }
    }
}

TEST_F(Files, RegionsMustFit) {
    ASSERT_EQ(weft_save(grid(), path("a.npy").c_str(), nullptr), WEFT_OK);
    weft_cut cut[] = { WEFT_STEP(0, 4, 2) };
    weft_save_options o = {};
    o.nregion = 1;
    o.region = cut;
    EXPECT_PENDS(weft_sink(weft_num(s, 1), path("a.npy").c_str(), &o), WEFT_INVALID, "sink: steps of a region must be 1, got 2 on axis 0");
    cut[0] = WEFT_NEW;
    EXPECT_PENDS(weft_sink(weft_num(s, 1), path("a.npy").c_str(), &o), WEFT_INVALID, "sink: a region has no new axes");
    cut[0] = WEFT_SPAN(0, 2);
    const std::string where = "'" + path("a.npy") + "': an array of shape (3,) does not broadcast to the region, (2, 10)";
    EXPECT_PENDS(weft_sink(count_to(3), path("a.npy").c_str(), &o), WEFT_INVALID, ("sink: " + where).c_str());
    EXPECT_FAILS(weft_save(count_to(3), path("a.npy").c_str(), &o), WEFT_INVALID, ("save: " + where).c_str());
    EXPECT_FAILS(weft_save(weft_num_c128(s, 1, 2), path("a.npy").c_str(), &o), WEFT_INVALID,
                 "save: float64 cannot hold complex128; convert it by weft_astype");
    EXPECT_EQ(weft_sink(count_to(3), path("none.npy").c_str(), &o), nullptr);
    EXPECT_EQ(weft_error_take(), WEFT_NOT_FOUND);
}

TEST_F(Files, WhatIsNotThereIsNotFound) {
    weft_array *x = weft_load(s, path("none.npy").c_str(), nullptr);

    EXPECT_EQ(x, nullptr);
    EXPECT_EQ(weft_compute(1, &x, nullptr), WEFT_NOT_FOUND);
    EXPECT_NE(std::string(weft_last_error()).find("none.npy"), std::string::npos);
}

TEST_F(Files, AFailedSaveLeavesNothing) {
    EXPECT_EQ(weft_save(grid(), path("no/such/folder/a.npy").c_str(), nullptr), WEFT_NOT_FOUND) << weft_last_error();
    EXPECT_NE(weft_save(grid(), path("a.unknown").c_str(), nullptr), WEFT_OK);
    EXPECT_NE(access(path("a.unknown").c_str(), F_OK), 0);
}

TEST_F(Files, ReportsPrintWhatTheyFind) {
    char *text = nullptr;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ASSERT_EQ(weft_save(grid(), path("a.zarr").c_str(), nullptr), WEFT_OK);
    std::string there = path("a.zarr"), gone = path("gone.npy");
    const char *paths[] = { there.c_str(), gone.c_str() };
    weft_info_options info = {};
    info.out = out;
    info.npaths = 2;
    info.paths = paths;
    EXPECT_EQ(weft_info_print(&info), WEFT_NOT_FOUND);
    info.json = true;
    info.npaths = 1;
    EXPECT_EQ(weft_info_print(&info), WEFT_OK);
    weft_config_options config = {};
    config.out = out;
    config.key = "threds";
    EXPECT_FAILS(weft_config_print(&config), WEFT_INVALID, "config: unknown key 'threds', did you mean 'threads'?");
    weft_options o = {};
    o.threads = 3;
    config.key = "threads";
    config.session = &o;
    EXPECT_EQ(weft_config_print(&config), WEFT_OK);
    weft_doctor_options doctor = {};
    doctor.out = out;
    EXPECT_EQ(weft_doctor(&doctor), WEFT_OK) << weft_last_error();
    fclose(out);

    std::string said = text;
    free(text);
    for (const char *want : { "(6, 10)", "\"shape\": [6, 10]", "\"chunks\": [4, 3]", "\n3\n", "version", "computing      right" })
        EXPECT_NE(said.find(want), std::string::npos) << want << " in\n" << said;
}

TEST_F(Files, ProfilesAreBegunAndWrittenOnce) {
    std::string file = path("trace.json");
    weft_array *x = weft_add(grid(), weft_num(s, 1));

    EXPECT_FAILS(weft_profile_write(s, file.c_str()), WEFT_INVALID, "profile_write: no recording was begun");
    ASSERT_EQ(weft_profile_start(s), WEFT_OK);
    EXPECT_EQ(weft_profile_start(s), WEFT_BUSY);
    EXPECT_EQ(weft_compute(1, &x, nullptr), WEFT_OK);
    EXPECT_EQ(weft_profile_write(s, path("none/trace.json").c_str()), WEFT_NOT_FOUND);
    EXPECT_EQ(weft_profile_write(s, file.c_str()), WEFT_OK);
    struct stat st;
    ASSERT_EQ(stat(file.c_str(), &st), 0);
    EXPECT_GT(st.st_size, 50);
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
// zarr_test - Zarr v2: codecs, fill values, groups, regions, damaged and hostile stores, real data.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>

#include "io/io_helper.h"

extern "C" {
#include "io/bytestore.h"
#include "io/codec.h"
#include "io/zarr_meta.h"
}

class Zarr : public IoTest {
  protected:
    std::string Chunk(const std::string &array, const std::string &key) const {
        return Path(array) + "/" + key;
    }
    // An array's folder by hand: its .zarray with some fields replaced.
    void MakeArray(const std::string &name, const std::string &fields) {
        mkdir(Path(name).c_str(), 0700);
        WriteText(Path(name) + "/.zarray",
                  "{\"zarr_format\": 2, \"order\": \"C\", \"filters\": null, " + fields + "}");
    }
    void MakeGroup(const std::string &name) {
        mkdir(Path(name).c_str(), 0700);
        WriteText(Path(name) + "/.zgroup", "{\"zarr_format\": 2}");
    }
    std::string Error() const { return wf_last_error(); }
};

static std::vector<const char *> Codecs() {
    std::vector<const char *> names = { "none" };
#ifdef WF_HAVE_ZLIB
    names.insert(names.end(), { "zlib", "zlib:9", "gzip", "gzip:0" });
#endif
#ifdef WF_HAVE_ZSTD
    names.insert(names.end(), { "zstd", "zstd:19", "zstd:-5" });
#endif
#ifdef WF_HAVE_LZ4
    names.insert(names.end(), { "lz4", "lz4:50" });
#endif
#ifdef WF_HAVE_BLOSC
    names.insert(names.end(), { "blosc", "blosc:zstd:9:bitshuffle", "blosc:zlib:1:noshuffle",
                                "blosc:lz4hc:3", "blosc:blosclz:0:shuffle" });
#endif
    return names;
}

static Bytes Floats(const std::vector<float> &values) {
    Bytes bytes(values.size() * sizeof(float));
    memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}

TEST_F(Zarr, WhatIsWrittenReadsBackWithEveryCodec) {
    Bytes data = Pattern(WEFT_FLOAT32, 10 * 7 * 5);
    for (const char *codec : Codecs()) {
        Save save;
        save.shape = { 10, 7, 5 };
        save.chunk = { 4, 7, 2 };
        save.codec = codec;
        save.overwrite = true;
        ASSERT_EQ(WriteAll(Path("a.zarr"), save, data), WEFT_OK) << codec << ": " << Error();

        EXPECT_EQ(ReadAll(Path("a.zarr")), data) << codec;
        EXPECT_EQ(ReadAll(Path("a.zarr"), { 3, 3, 3 }), data) << codec;
        EXPECT_EQ(ReadAll(Path("a.zarr"), { 10, 7, 5 }), data) << codec;
    }
    EXPECT_EQ(List(), "a.zarr");
}

TEST_F(Zarr, WhatIsWrittenReadsBackForEveryDtype) {
    for (int d = 1; d < WEFT_NDTYPES; d++) {
        Save save;
        save.dtype = static_cast<weft_dtype>(d);
        save.shape = { 5, 6 };
        save.chunk = { 2, 4 };
        Bytes data = Pattern(save.dtype, 30);
        std::string path = Path(std::string(wf_dtype_name(save.dtype)) + ".zarr");
        if (save.dtype == WEFT_BFLOAT16) {
            EXPECT_EQ(WriteAll(path, save, data), WEFT_UNSUPPORTED);
            EXPECT_EQ(Error(), "zarr: '" + path + "': Zarr v2 has no dtype for bfloat16");
            continue;
        }
        ASSERT_EQ(WriteAll(path, save, data), WEFT_OK) << Error();
        EXPECT_EQ(ReadAll(path), data);
    }
}

TEST_F(Zarr, ScalarsAndEmptyArraysWork) {
    Save scalar, empty;
    empty.shape = { 3, 0 };
    ASSERT_EQ(WriteAll(Path("s.zarr"), scalar, Floats({ 7 })), WEFT_OK) << Error();
    ASSERT_EQ(WriteAll(Path("e.zarr"), empty, {}), WEFT_OK) << Error();

    EXPECT_EQ(ReadAll(Path("s.zarr")), Floats({ 7 }));
    EXPECT_EQ(List(Path("s.zarr")), ".zarray 0");
    EXPECT_TRUE(ReadAll(Path("e.zarr")).empty());
    EXPECT_EQ(List(Path("e.zarr")), ".zarray");
}

TEST_F(Zarr, ChunksFollowTheGridUnlessGiven) {
    wf_shape shape = Shape({ 10, 6 });
    const int64_t block[] = { 4, 3 }, extents[] = { 2, 3, 5 };
    wf_grid grid = {};
    ASSERT_EQ(wf_grid_init(&grid, &shape, block), WEFT_OK);
    ASSERT_EQ(wf_grid_set_axis(&grid, 0, 3, extents), WEFT_OK);
    Save save;
    save.shape = { 10, 6 };
    wf_create_options opts = Options(save);
    opts.grid = &grid;
    wf_writer *writer = nullptr;

    ASSERT_EQ(wf_writer_create(Path("a.zarr").c_str(), &opts, &writer), WEFT_OK) << Error();

    EXPECT_EQ(wf_writer_grid(writer)->axis[0].extent, 5);
    EXPECT_EQ(wf_writer_grid(writer)->axis[1].extent, 3);
    EXPECT_FALSE(wf_writer_any_box(writer));
    wf_writer_abort(writer);
    wf_grid_fini(&grid);
    EXPECT_EQ(List(), "");
}

TEST_F(Zarr, MissingChunksHoldTheFillValue) {
    struct Case {
        const char *dtype, *fill;
        std::vector<unsigned char> element;
    };
    const Case cases[] = {
        { "<f4", "NaN", { 0, 0, 0xC0, 0x7F } },
        { "<f4", "\"NaN\"", { 0, 0, 0xC0, 0x7F } },
        { "<f4", "\"Infinity\"", { 0, 0, 0x80, 0x7F } },
        { "<f4", "\"-Infinity\"", { 0, 0, 0x80, 0xFF } },
        { "<f4", "1.5", { 0, 0, 0xC0, 0x3F } },
        { "<f2", "1.5", { 0, 0x3E } },
        { "<f2", "65504", { 0xFF, 0x7B } },
        { "<f2", "6e-8", { 1, 0 } },
        { "<f4", "\"AADAPw==\"", { 0, 0, 0xC0, 0x3F } },
        { ">f4", "\"P8AAAA==\"", { 0, 0, 0xC0, 0x3F } },
        { ">i2", "258", { 2, 1 } },
        { "<i8", "9223372036854775807", { 255, 255, 255, 255, 255, 255, 255, 127 } },
        { "<i8", "-9223372036854775808", { 0, 0, 0, 0, 0, 0, 0, 128 } },
        { "<u8", "18446744073709551615", { 255, 255, 255, 255, 255, 255, 255, 255 } },
        { "|i1", "-128", { 128 } },
        { "<i4", "7.0", { 7, 0, 0, 0 } },
        { "|b1", "true", { 1 } },
        { "|b1", "0", { 0 } },
        { "<c8", "[1.0, \"-Infinity\"]", { 0, 0, 0x80, 0x3F, 0, 0, 0x80, 0xFF } },
        { "<i4", "null", { 0, 0, 0, 0 } },
    };
    for (const Case &c : cases) {
        MakeArray(
            "f.zarr",
            std::string("\"shape\": [3], \"chunks\": [2], \"compressor\": null, \"dtype\": \"") +
                c.dtype + "\", \"fill_value\": " + c.fill);
        Bytes want;
        for (int i = 0; i < 3; i++) want.insert(want.end(), c.element.begin(), c.element.end());

        EXPECT_EQ(ReadAll(Path("f.zarr")), want) << c.dtype << " " << c.fill;
    }
}

TEST_F(Zarr, ReadsFortranOrderOtherByteOrderAndSlashes) {
    MakeArray(
        "o.zarr",
        "\"shape\": [2, 3], \"chunks\": [2, 2], \"compressor\": null, \"dtype\": \">i2\", \"fill_value\": 0, "
        "\"dimension_separator\": \"/\"");
    std::string meta = ReadText(Path("o.zarr/.zarray"));
    meta.replace(meta.find("\"C\""), 3, "\"F\"");
    WriteText(Path("o.zarr/.zarray"), meta);
    mkdir(Path("o.zarr/0").c_str(), 0700);
    WriteText(Path("o.zarr/0/0"), std::string("\0\1\0\3\0\2\0\4", 8));
    WriteText(Path("o.zarr/0/1"), std::string("\0\5\0\6\0\0\0\0", 8));
    const int16_t want[] = { 1, 2, 5, 3, 4, 6 };

    Bytes data = ReadAll(Path("o.zarr"));

    ASSERT_EQ(data.size(), sizeof want);
    EXPECT_EQ(memcmp(data.data(), want, sizeof want), 0);
    EXPECT_EQ(ReadAll(Path("o.zarr"), { 1, 1 }), data);
}

TEST_F(Zarr, PartialEdgeChunksAreStoredWhole) {
    Save save;
    save.shape = { 3 };
    save.chunk = { 2 };
    save.codec = "none";
    ASSERT_EQ(WriteAll(Path("a.zarr"), save, Floats({ 1, 2, 3 })), WEFT_OK);

    std::string edge = ReadText(Chunk("a.zarr", "1"));

    EXPECT_EQ(Bytes(edge.begin(), edge.end()), Floats({ 3, 0 }));
}

TEST_F(Zarr, KeepsAttributesAndNamesOfAxes) {
    Save save;
    save.shape = { 2, 2 };
    save.dims = "lat,lon";
    save.attributes = "{\"units\": \"m/s\", \"n\": 1.50, \"_ARRAY_DIMENSIONS\": [\"x\"]}";
    ASSERT_EQ(WriteAll(Path("a.zarr"), save, Floats({ 1, 2, 3, 4 })), WEFT_OK) << Error();
    wf_file *file = nullptr;
    ASSERT_EQ(wf_file_open(Path("a.zarr").c_str(), nullptr, &file), WEFT_OK);

    const wf_file_info *info = wf_file_get_info(file);

    EXPECT_STREQ(info->dims, "lat,lon");
    EXPECT_STREQ(
        info->attributes,
        "{\n    \"_ARRAY_DIMENSIONS\": [\n        \"lat\",\n        \"lon\"\n    ],\n    \"units\": \"m/s\",\n    \"n\": 1.50\n}");
    wf_file_close(file);
    save.overwrite = true;
    save.dims = "lat";
    EXPECT_EQ(WriteAll(Path("a.zarr"), save, Floats({ 1, 2, 3, 4 })), WEFT_INVALID);
    EXPECT_EQ(Error(), "zarr: '" + Path("a.zarr") + "': dims 'lat' are 1 names for 2 axes");
    save.dims = nullptr;
    save.attributes = "[1]";
    EXPECT_EQ(WriteAll(Path("a.zarr"), save, Floats({ 1, 2, 3, 4 })), WEFT_INVALID);
    EXPECT_EQ(Error(),
              "zarr: '" + Path("a.zarr") + "': attributes must be a JSON object, got '[1]'");
}

TEST_F(Zarr, ArraysInGroupsAreMadeWithTheirGroups) {
    Save save;
    save.shape = { 2 };
    ASSERT_EQ(WriteAll(Path("g.zarr/a/u"), save, Floats({ 1, 2 })), WEFT_OK) << Error();
    ASSERT_EQ(WriteAll(Path("g.zarr/v"), save, Floats({ 3, 4 })), WEFT_OK) << Error();

    EXPECT_EQ(List(), "g.zarr");
    EXPECT_EQ(List(Path("g.zarr")), ".zgroup a v");
    EXPECT_EQ(List(Path("g.zarr/a")), ".zgroup u");
    EXPECT_EQ(ReadAll(Path("g.zarr/a/u/")), Floats({ 1, 2 }));
    EXPECT_EQ(ReadAll(Path("g.zarr//a/./u/../../v")), Floats({ 3, 4 }));
}

TEST_F(Zarr, AGroupGivenForAnArrayNamesItsArrays) {
    Save save;
    save.shape = { 2 };
    for (const char *name : { "g.zarr/v", "g.zarr/u", "g.zarr/sub/x" })
        ASSERT_EQ(WriteAll(Path(name), save, Floats({ 1, 2 })), WEFT_OK);

    EXPECT_EQ(OpenStatus(Path("g.zarr")), WEFT_INVALID);
    EXPECT_EQ(Error(),
              "zarr: '" + Path("g.zarr") + "' is a group; name an array in it: it has sub (group), u, v");
    EXPECT_EQ(OpenStatus(Path("g.zarr/w")), WEFT_NOT_FOUND);
    EXPECT_EQ(Error(), "zarr: '" + Path("g.zarr") + "' has no array 'w'; it has: sub (group), u, v");
    EXPECT_EQ(OpenStatus(Path("none.zarr")), WEFT_NOT_FOUND);
    EXPECT_EQ(Error(), "zarr: no folder '" + Path("none.zarr") + "'");
}

TEST_F(Zarr, OverwritingKeepsGroupsAndForeignFolders) {
    Save save;
    save.shape = { 2 };
    ASSERT_EQ(WriteAll(Path("g.zarr/u"), save, Floats({ 1, 2 })), WEFT_OK);
    mkdir(Path("mine.zarr").c_str(), 0700);
    WriteText(Path("mine.zarr/notes"), "dear diary");

    EXPECT_EQ(WriteAll(Path("g.zarr/u"), save, Floats({ 1, 2 })), WEFT_EXISTS);
    EXPECT_EQ(Error(), "zarr: '" + Path("g.zarr/u") + "' already exists");
    save.overwrite = true;
    EXPECT_EQ(WriteAll(Path("g.zarr"), save, Floats({ 1, 2 })), WEFT_EXISTS);
    EXPECT_EQ(Error(), "zarr: '" + Path("g.zarr") +
                           "' is a group (arrays: u), which is not replaced by an array");
    EXPECT_EQ(WriteAll(Path("mine.zarr"), save, Floats({ 1, 2 })), WEFT_EXISTS);
    EXPECT_EQ(Error(), "zarr: '" + Path("mine.zarr") +
                           "' is a folder that holds no Zarr array, it is not replaced");
    EXPECT_EQ(WriteAll(Path("g.zarr/u/x"), save, Floats({ 1, 2 })), WEFT_INVALID);
    EXPECT_EQ(Error(), "zarr: '" + Path("g.zarr/u") + "' is an array, it cannot hold others");

    EXPECT_EQ(ReadAll(Path("g.zarr/u")), Floats({ 1, 2 }));
    EXPECT_EQ(ReadText(Path("mine.zarr/notes")), "dear diary");
    EXPECT_EQ(List(), "g.zarr mine.zarr");
}

TEST_F(Zarr, OverwritingReplacesTheWholeArray) {
    Save save;
    save.shape = { 8 };
    save.chunk = { 1 };
    ASSERT_EQ(WriteAll(Path("a.zarr"), save, Floats({ 1, 2, 3, 4, 5, 6, 7, 8 })), WEFT_OK);
    save.shape = { 2 };
    save.overwrite = true;
    ASSERT_EQ(WriteAll(Path("a.zarr"), save, Floats({ 8, 9 })), WEFT_OK) << Error();

    EXPECT_EQ(ReadAll(Path("a.zarr")), Floats({ 8, 9 }));
    EXPECT_EQ(List(Path("a.zarr")), ".zarray 0 1");
    EXPECT_EQ(List(), "a.zarr");
}

TEST_F(Zarr, NothingIsAnArrayBeforeCommit) {
    Save save;
    save.shape = { 4 };
    save.chunk = { 2 };
    wf_create_options opts = Options(save);
    MakeGroup("g.zarr");
    wf_writer *writer = nullptr;
    ASSERT_EQ(wf_writer_create(Path("g.zarr/u").c_str(), &opts, &writer), WEFT_OK) << Error();
    ASSERT_EQ(WriteBox(writer, Box({ 0 }, { 2 }), Floats({ 1, 2 })), WEFT_OK) << Error();

    EXPECT_EQ(OpenStatus(Path("g.zarr/u")), WEFT_NOT_FOUND);
    EXPECT_EQ(OpenStatus(Path("g.zarr")), WEFT_INVALID);
    EXPECT_EQ(Error(), "zarr: '" + Path("g.zarr") + "' is a group; name an array in it: it has none");

    wf_writer_abort(writer);
    EXPECT_EQ(List(Path("g.zarr")), ".zgroup");
}

TEST_F(Zarr, RegionsMergeIntoChunks) {
    for (const char *codec : Codecs()) {
        Bytes data = Pattern(WEFT_INT32, 9 * 9);
        Save save;
        save.dtype = WEFT_INT32;
        save.shape = { 9, 9 };
        save.chunk = { 4, 4 };
        save.codec = codec;
        save.overwrite = true;
        ASSERT_EQ(WriteAll(Path("a.zarr"), save, data), WEFT_OK) << Error();
        ASSERT_EQ(unlink(Chunk("a.zarr", "2.2").c_str()), 0);
        save.region = true;
        wf_create_options opts = Options(save);
        wf_writer *writer = nullptr;
        ASSERT_EQ(wf_writer_create(Path("a.zarr").c_str(), &opts, &writer), WEFT_OK) << Error();
        EXPECT_TRUE(wf_writer_any_box(writer));
        wf_box box = Box({ 2, 3 }, { 7, 5 });
        Bytes piece = Pattern(WEFT_INT32, 35, 1), rest = Pattern(WEFT_INT32, 1, 2);

        ASSERT_EQ(WriteBox(writer, box, piece), WEFT_OK) << Error();
        ASSERT_EQ(WriteBox(writer, Box({ 8, 8 }, { 1, 1 }), rest), WEFT_OK) << Error();
        ASSERT_EQ(wf_writer_commit(writer), WEFT_OK) << Error();

        Bytes all = ReadAll(Path("a.zarr"));
        EXPECT_EQ(Cut(all, Shape({ 9, 9 }), 4, box), piece) << codec;
        EXPECT_EQ(Cut(all, Shape({ 9, 9 }), 4, Box({ 8, 8 }, { 1, 1 })), rest) << codec;
        EXPECT_EQ(Cut(all, Shape({ 9, 9 }), 4, Box({ 0, 0 }, { 2, 9 })),
                  Cut(data, Shape({ 9, 9 }), 4, Box({ 0, 0 }, { 2, 9 })));
        EXPECT_EQ(List(Path("a.zarr")), ".zarray 0.0 0.1 0.2 1.0 1.1 1.2 2.0 2.1 2.2");
    }
}

TEST_F(Zarr, RegionsKeepTheOrderOfTheArrayTheyChange) {
    MakeArray("o.zarr", "\"shape\": [5, 6], \"chunks\": [2, 4], \"compressor\": null, \"dtype\": \">i2\", "
                        "\"fill_value\": 258, \"dimension_separator\": \"/\"");
    std::string meta = ReadText(Path("o.zarr/.zarray"));
    meta.replace(meta.find("\"C\""), 3, "\"F\"");
    WriteText(Path("o.zarr/.zarray"), meta);
    Save save;
    save.dtype = WEFT_INT16;
    save.shape = { 5, 6 };
    save.region = true;
    wf_create_options opts = Options(save);
    wf_writer *writer = nullptr;
    ASSERT_EQ(wf_writer_create(Path("o.zarr").c_str(), &opts, &writer), WEFT_OK) << Error();
    wf_box box = Box({ 0, 0 }, { 3, 5 });
    Bytes piece = Pattern(WEFT_INT16, 15);

    ASSERT_EQ(WriteBox(writer, box, piece), WEFT_OK) << Error();
    ASSERT_EQ(wf_writer_commit(writer), WEFT_OK) << Error();

    Bytes all = ReadAll(Path("o.zarr"));
    EXPECT_EQ(Cut(all, Shape({ 5, 6 }), 2, box), piece);
    EXPECT_EQ(Cut(all, Shape({ 5, 6 }), 2, Box({ 4, 3 }, { 1, 2 })), (Bytes{ 2, 1, 2, 1 }));
    std::string chunk = ReadText(Path("o.zarr/0/0"));
    ASSERT_EQ(chunk.size(), 16u);
    EXPECT_EQ(static_cast<unsigned char>(chunk[0]), piece[1]);  // big-endian
    EXPECT_EQ(static_cast<unsigned char>(chunk[3]), piece[10]); // then the next row
}

TEST_F(Zarr, ThreadsThatShareAChunkLoseNothing) {
    Save save;
    save.dtype = WEFT_UINT8;
    save.shape = { 64 };
    save.chunk = { 64 };
    ASSERT_EQ(WriteAll(Path("a.zarr"), save, Bytes(64)), WEFT_OK);
    save.region = true;
    wf_create_options opts = Options(save);
    wf_writer *writer = nullptr;
    ASSERT_EQ(wf_writer_create(Path("a.zarr").c_str(), &opts, &writer), WEFT_OK);
    std::atomic<int> failed{ 0 };
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&, t] {
            for (int i = t; i < 64; i += 4)
                if (WriteBox(writer, Box({ i }, { 1 }), Bytes(1, static_cast<unsigned char>(i))) !=
                    WEFT_OK)
                    failed++;
        });
    for (auto &t : threads) t.join();
    ASSERT_EQ(wf_writer_commit(writer), WEFT_OK);

    Bytes want(64);
    for (int i = 0; i < 64; i++) want[static_cast<size_t>(i)] = static_cast<unsigned char>(i);
    EXPECT_EQ(failed, 0);
    EXPECT_EQ(ReadAll(Path("a.zarr")), want);
}

TEST_F(Zarr, ManyThreadsWriteAndReadChunksAtOnce) {
    Save save;
    save.dtype = WEFT_INT16;
    save.shape = { 64, 64 };
    save.chunk = { 8, 8 };
    Bytes data = Pattern(WEFT_INT16, 64 * 64);
    wf_create_options opts = Options(save);
    wf_writer *writer = nullptr;
    ASSERT_EQ(wf_writer_create(Path("a.zarr").c_str(), &opts, &writer), WEFT_OK);
    std::atomic<int> next{ 0 }, failed{ 0 };
    auto run = [&](auto each) {
        std::vector<std::thread> threads;
        next = 0;
        for (int t = 0; t < 4; t++)
            threads.emplace_back([&] {
                for (int b; (b = next++) < 64;)
                    if (each(Box({ b / 8 * 8, b % 8 * 8 }, { 8, 8 })) != WEFT_OK) failed++;
            });
        for (auto &t : threads) t.join();
    };
    run([&](wf_box box) { return WriteBox(writer, box, Cut(data, opts.shape, 2, box)); });
    ASSERT_EQ(wf_writer_commit(writer), WEFT_OK) << Error();
    wf_file *file = nullptr;
    ASSERT_EQ(wf_file_open(Path("a.zarr").c_str(), nullptr, &file), WEFT_OK);
    run([&](wf_box box) {
        Bytes out;
        weft_status st = ReadBox(file, box, &out);
        return st == WEFT_OK && out != Cut(data, opts.shape, 2, box) ? WEFT_INTERNAL : st;
    });

    EXPECT_EQ(failed, 0);
    wf_file_close(file);
}

TEST_F(Zarr, RefusesBadMetadataWithASentence) {
    struct Case {
        const char *fields;
        weft_status status;
        const char *text;
    };
    const std::string good =
        "\"shape\": [3], \"chunks\": [2], \"compressor\": null, \"fill_value\": 0, \"dtype\": \"<f4\"";
    const Case cases[] = {
        { "\"shape\": [3], \"chunks\": [0]", WEFT_FORMAT, "chunks must be integers >= 1, got 0" },
        { "\"shape\": [3], \"chunks\": [2, 2]", WEFT_FORMAT, "shape has 1 extents and chunks 2" },
        { "\"shape\": [-3]", WEFT_FORMAT, "shape must be integers >= 0, got -3" },
        { "\"shape\": [1.5]", WEFT_FORMAT, "shape must be integers >= 0, got 1.5" },
        { "\"shape\": 3", WEFT_FORMAT, "shape must be a list, got 3" },
        { "\"shape\": [4611686018427387904, 8], \"chunks\": [1, 1]", WEFT_FORMAT,
          "the number of elements does not fit in 64 bits" },
        { "\"chunks\": [2305843009213693952]", WEFT_FORMAT,
          "the bytes of one chunk do not fit in 64 bits" },
        { "\"dtype\": \"<U8\"", WEFT_UNSUPPORTED, "elements of type '<U8' are not supported" },
        { "\"dtype\": \"|V2\"", WEFT_UNSUPPORTED, "elements of type '|V2' are not supported" },
        { "\"dtype\": [[\"a\", \"<f4\"]]", WEFT_UNSUPPORTED,
          "elements of type [[\"a\", \"<f4\"]] are not supported" },
        { "\"filters\": [{\"id\": \"delta\", \"dtype\": \"<f4\"}]", WEFT_UNSUPPORTED,
          "filter \"delta\" is not supported" },
        { "\"compressor\": {\"id\": \"bz2\", \"level\": 1}", WEFT_UNSUPPORTED,
          "codec 'bz2' is not supported" },
        { "\"compressor\": {\"level\": 1}", WEFT_FORMAT,
          "compressor must be null or an object with an id" },
        { "\"order\": \"K\"", WEFT_FORMAT, "order must be \"C\" or \"F\", got \"K\"" },
        { "\"dimension_separator\": \"-\"", WEFT_FORMAT,
          "dimension_separator must be \".\" or \"/\", got \"-\"" },
        { "\"fill_value\": \"abc\"", WEFT_FORMAT,
          "fill_value must be a value of float32, got \"abc\"" },
        { "\"dtype\": \"|u1\", \"fill_value\": 256", WEFT_FORMAT,
          "fill_value must be a value of uint8, got 256" },
        { "\"dtype\": \"<i4\", \"fill_value\": 0.5", WEFT_FORMAT,
          "fill_value must be a value of int32, got 0.5" },
        { "\"zarr_format\": 3", WEFT_UNSUPPORTED, "Zarr format 3 is not supported, 2 is" },
        { "\"zarr_format\": \"2\"", WEFT_FORMAT, "zarr_format must be 2, got \"2\"" },
    };
    for (const Case &c : cases) {
        MakeArray("bad.zarr", good + ", " + c.fields); // of a key that stands twice the last counts

        EXPECT_EQ(OpenStatus(Path("bad.zarr")), c.status) << c.fields;

        EXPECT_EQ(Error(), "zarr: '" + Path("bad.zarr/.zarray") + "': " + c.text);
    }
    MakeArray("bad.zarr", "\"shape\": [3]");
    EXPECT_EQ(OpenStatus(Path("bad.zarr")), WEFT_FORMAT);
    EXPECT_EQ(Error(), "zarr: '" + Path("bad.zarr/.zarray") + "': no 'chunks'");
    WriteText(Path("bad.zarr/.zarray"), "{\"shape\": [3}");
    EXPECT_EQ(OpenStatus(Path("bad.zarr")), WEFT_FORMAT);
    EXPECT_EQ(Error(), "zarr: '" + Path("bad.zarr/.zarray") +
                           "': malformed JSON: expected ',' or ']' at byte 12");
}

TEST_F(Zarr, DamagedChunksAreNamed) {
    for (const char *codec : Codecs()) {
        Save save;
        save.shape = { 64 };
        save.codec = codec;
        save.overwrite = true;
        ASSERT_EQ(WriteAll(Path("d.zarr"), save, Pattern(WEFT_FLOAT32, 64)), WEFT_OK);
        std::string whole = ReadText(Chunk("d.zarr", "0"));
        wf_file *file = nullptr;
        Bytes out;
        ASSERT_EQ(wf_file_open(Path("d.zarr").c_str(), nullptr, &file), WEFT_OK);
        for (std::string cut :
             { std::string(), whole.substr(0, 3), whole.substr(0, whole.size() / 2),
               whole + std::string(300, 'x') }) {
            WriteText(Chunk("d.zarr", "0"), cut);
            bool blind = cut.size() > whole.size() &&
                         (!strncmp(codec, "zlib", 4) || !strncmp(codec, "lz4", 3));

            weft_status st = ReadBox(file, Box({ 0 }, { 64 }), &out);

            if (blind && st == WEFT_OK)
                continue; // zlib knows where its stream ends and leaves what is behind
            EXPECT_EQ(st, WEFT_FORMAT) << codec << " " << cut.size();
            EXPECT_EQ(Error().find("zarr: chunk '" + Path("d.zarr") + "/0': "), 0u) << Error();
        }
        wf_file_close(file);
    }
}

TEST_F(Zarr, AChunkOfAnotherSizeSaysWhatWasExpected) {
    Save save;
    save.shape = { 8 };
    for (const char *codec : Codecs()) {
        save.codec = codec;
        save.overwrite = true;
        ASSERT_EQ(WriteAll(Path("short.zarr"), save, Pattern(WEFT_FLOAT32, 8)), WEFT_OK);
        std::string chunk = ReadText(Chunk("short.zarr", "0"));
        for (int64_t size : { 6, 10 }) {
            save.shape = { size };
            ASSERT_EQ(WriteAll(Path("other.zarr"), save, Pattern(WEFT_FLOAT32, size)), WEFT_OK);
            WriteText(Chunk("other.zarr", "0"), chunk);
            wf_file *file = nullptr;
            Bytes out;
            ASSERT_EQ(wf_file_open(Path("other.zarr").c_str(), nullptr, &file), WEFT_OK);

            EXPECT_EQ(ReadBox(file, Box({ 0 }, { size }), &out), WEFT_FORMAT) << codec;

            std::string text = "zarr: chunk '" + Path("other.zarr") + "/0': expected " +
                               std::to_string(4 * size) + " bytes";
            EXPECT_EQ(Error().substr(0, text.size()), text) << codec;
            bool zlib = !strncmp(codec, "zlib", 4) || !strncmp(codec, "gzip", 4);
            EXPECT_NE(Error().find(zlib && size == 6 ? "found more" : "found 32"),
                      std::string::npos)
                << Error();
            wf_file_close(file);
        }
        save.shape = { 8 };
    }
}

#ifdef WF_HAVE_ZSTD
TEST_F(Zarr, AWrongChecksumIsFound) {
    Save save;
    save.shape = { 64 };
    save.codec = "zstd";
    ASSERT_EQ(WriteAll(Path("c.zarr"), save, Pattern(WEFT_FLOAT32, 64)), WEFT_OK);
    std::string chunk = ReadText(Chunk("c.zarr", "0"));
    chunk.back() = static_cast<char>(chunk.back() ^ 1);
    WriteText(Chunk("c.zarr", "0"), chunk);
    wf_file *file = nullptr;
    Bytes out;
    ASSERT_EQ(wf_file_open(Path("c.zarr").c_str(), nullptr, &file), WEFT_OK);

    EXPECT_EQ(ReadBox(file, Box({ 0 }, { 64 }), &out), WEFT_FORMAT);
    EXPECT_NE(Error().find("damaged zstd data of " + std::to_string(chunk.size()) +
                           " bytes: Restored data doesn't match checksum"),
              std::string::npos)
        << Error();
    wf_file_close(file);
}
#endif

TEST_F(Zarr, PathsAndLinksThatLeaveTheStoreAreRefused) {
    for (bool plain : { false, true }) {
        wf_bytestore_folder_plain(plain);
        Save save;
        save.shape = { 2 };
        save.overwrite = true;
        ASSERT_EQ(WriteAll(Path("g.zarr/u"), save, Floats({ 1, 2 })), WEFT_OK);
        ASSERT_EQ(WriteAll(Path("out.zarr"), save, Floats({ 3, 4 })), WEFT_OK);
        symlink("../out.zarr", Path("g.zarr/link").c_str());
        unlink(Path("g.zarr/u/0").c_str());
        symlink("../../out.zarr/0", Path("g.zarr/u/0").c_str());

        EXPECT_EQ(OpenStatus(Path("g.zarr/../out.zarr")), WEFT_INVALID);
        EXPECT_EQ(Error(), "zarr: path '" + Path("g.zarr/../out.zarr") +
                               "' climbs out of its store '" + Path("g.zarr") + "'");
        EXPECT_EQ(WriteAll(Path("g.zarr/u/../../x.zarr"), save, Floats({ 1, 2 })), WEFT_INVALID);
        EXPECT_EQ(OpenStatus(Path("g.zarr/link")), WEFT_DENIED);
        EXPECT_EQ(Error(), "store '" + Path("g.zarr") + "': 'link' is a link that leads out of it");
        EXPECT_EQ(WriteAll(Path("g.zarr/link/x"), save, Floats({ 1, 2 })), WEFT_INVALID);
        wf_file *file = nullptr;
        Bytes out;
        ASSERT_EQ(wf_file_open(Path("g.zarr/u").c_str(), nullptr, &file), WEFT_OK);
        EXPECT_EQ(ReadBox(file, Box({ 0 }, { 2 }), &out), WEFT_DENIED);
        EXPECT_EQ(Error(), "store '" + Path("g.zarr/u") + "': '0' is a link that leads out of it");
        wf_file_close(file);
        unlink(Path("g.zarr/link").c_str());
    }
    wf_bytestore_folder_plain(false);
}

TEST_F(Zarr, AStoreMayItselfBeReachedThroughALink) {
    Save save;
    save.shape = { 2 };
    ASSERT_EQ(WriteAll(Path("real.zarr/u"), save, Floats({ 1, 2 })), WEFT_OK);
    symlink("real.zarr", Path("link.zarr").c_str());

    EXPECT_EQ(ReadAll(Path("link.zarr/u")), Floats({ 1, 2 }));
    EXPECT_EQ(ReadAll("file://" + Path("link.zarr/u")), Floats({ 1, 2 }));
}

TEST_F(Zarr, ConsolidatedMetadataFollowsNewArrays) {
    Save save;
    save.shape = { 2 };
    ASSERT_EQ(WriteAll(Path("g.zarr/u"), save, Floats({ 1, 2 })), WEFT_OK);
    WriteText(
        Path("g.zarr/.zmetadata"),
        "{\"metadata\": {\".zgroup\": {\"zarr_format\": 2}, \"u/.zarray\": {\"old\": 1}, \"uu/.zarray\": {}}, \"zarr_consolidated_format\": 1}");
    save.overwrite = true;
    save.dims = "x";

    ASSERT_EQ(WriteAll(Path("g.zarr/u"), save, Floats({ 3, 4 })), WEFT_OK) << Error();

    std::string text = ReadText(Path("g.zarr/.zmetadata"));
    EXPECT_EQ(text.find("old"), std::string::npos);
    for (const char *part :
         { "\".zgroup\": {\"zarr_format\": 2}", "\"uu/.zarray\": {}",
           "\"u/.zattrs\": {\n    \"_ARRAY_DIMENSIONS\"", "\"u/.zarray\": {\n    \"chunks\"",
           "\"zarr_consolidated_format\": 1" })
        EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
    wf_json json;
    EXPECT_EQ(wf_json_check("test", text.data(), text.size(), &json), WEFT_OK);
}

TEST_F(Zarr, DescribeTellsWhatInfoPrints) {
    Save save;
    save.shape = { 4, 6 };
    save.chunk = { 2, 6 };
    save.codec = "none";
    save.dims = "y,x";
    ASSERT_EQ(WriteAll(Path("g.zarr/u"), save, Pattern(WEFT_FLOAT32, 24)), WEFT_OK);
    wf_text text = {};

    ASSERT_EQ(wf_file_describe(Path("g.zarr").c_str(), &text), WEFT_OK);
    EXPECT_STREQ(text.data, "format      zarr 2 group\narrays      u\n");
    wf_text_fini(&text);
    ASSERT_EQ(wf_file_describe(Path("g.zarr/u").c_str(), &text), WEFT_OK);
    EXPECT_EQ(std::string(text.data).find(
                  "format      zarr 2\nshape       (4, 6)\ndtype       float32\nsize        96 B\n"
                  "chunks      (2, 6), 2 of them\ndimensions  y,x\n"),
              0u)
        << text.data;
    EXPECT_NE(
        std::string(text.data).find(
            "codec       none\norder       C\nfill        none\nstored      2 of 2 chunks, 96 B\n"),
        std::string::npos)
        << text.data;
    wf_text_fini(&text);
}

TEST_F(Zarr, CodecTextsAreChecked) {
    wf_codec codec;
    EXPECT_EQ(wf_codec_parse("brotli", &codec), WEFT_INVALID);
    EXPECT_EQ(Error(), "codec 'brotli': expected none, zlib, gzip, zstd, lz4 or blosc");
    EXPECT_EQ(wf_codec_parse("none:1", &codec), WEFT_INVALID);
    EXPECT_EQ(Error(), "codec 'none:1': unexpected ':1'");
#ifdef WF_HAVE_ZLIB
    EXPECT_EQ(wf_codec_parse("zlib:10", &codec), WEFT_INVALID);
    EXPECT_EQ(Error(), "codec 'zlib:10': the level of zlib must be 0..9, got 10");
    EXPECT_EQ(wf_codec_parse("zlib:x", &codec), WEFT_INVALID);
    EXPECT_EQ(Error(), "codec 'zlib:x': the level of zlib must be a number, got 'x'");
#else
    EXPECT_EQ(wf_codec_parse("zlib", &codec), WEFT_UNSUPPORTED);
    EXPECT_EQ(Error(), "codec 'zlib': codec zlib needs zlib, which this build lacks");
#endif
#ifdef WF_HAVE_BLOSC
    EXPECT_EQ(wf_codec_parse("blosc:lzma", &codec), WEFT_INVALID);
    EXPECT_EQ(
        Error(),
        "codec 'blosc:lzma': blosc's compressors are lz4, blosclz, lz4hc, zlib, zstd and snappy, got 'lzma'");
    EXPECT_EQ(wf_codec_parse("blosc:zstd:5:mix", &codec), WEFT_INVALID);
    EXPECT_EQ(
        Error(),
        "codec 'blosc:zstd:5:mix': blosc's filters are noshuffle, shuffle and bitshuffle, got 'mix'");
    ASSERT_EQ(wf_codec_parse(nullptr, &codec), WEFT_OK);
    EXPECT_STREQ(codec.cname, "lz4");
    EXPECT_EQ(codec.level, 5);
    EXPECT_EQ(codec.shuffle, 1);
#endif
}

TEST_F(Zarr, RealDataOpensAndReads) {
    std::string store = SharedData("eraint.zarr");
    if (store.empty())
        GTEST_SKIP() << "no real data: set WEFT_SHARED_DATA to the folder that holds eraint.zarr";
#ifndef WF_HAVE_BLOSC
    GTEST_SKIP() << "this build has no blosc";
#endif
    wf_file *file = nullptr;
    ASSERT_EQ(wf_file_open((store + "/u").c_str(), nullptr, &file), WEFT_OK) << Error();
    const wf_file_info *info = wf_file_get_info(file);
    EXPECT_EQ(info->dtype, WEFT_FLOAT32);
    EXPECT_EQ(info->grid.axis[2].extent, 121);
    EXPECT_STREQ(info->dims, "month,level,latitude,longitude");
    wf_file_close(file);

    Bytes u = ReadAll(store + "/u"), again = ReadAll(store + "/u", { 1, 2, 100, 333 });

    ASSERT_EQ(u.size(), 2u * 3 * 241 * 480 * 4);
    EXPECT_EQ(u, again);
    double sum = 0;
    for (size_t i = 0; i < u.size(); i += 4) {
        float v;
        memcpy(&v, &u[i], 4);
        ASSERT_TRUE(std::isfinite(v) && std::fabs(v) < 150); // metres a second
        sum += v;
    }
    EXPECT_GT(sum / (2.0 * 3 * 241 * 480), 1.0); // the westerlies win
    EXPECT_EQ(ReadAll(store + "/z").size(), 2u * 3 * 241 * 480 * 8);
}

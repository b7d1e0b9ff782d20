// SPDX-License-Identifier: Apache-2.0
// npy_test - .npy and raw files: every dtype and order, mapping, regions, and headers that lie.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "io/io_helper.h"

extern "C" {
#include "io/npy.h"
#include "io/strided.h"
}

class Npy : public IoTest {};

static std::string Dict(const std::string &descr, bool fortran, const std::string &shape) {
    return "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") +
           ", 'shape': " + shape + ", }\n";
}

static std::string Data(const Bytes &bytes) { return std::string(bytes.begin(), bytes.end()); }

TEST_F(Npy, WhatIsWrittenReadsBackForEveryDtype) {
    for (int d = 1; d < WEFT_NDTYPES; d++) {
        Save save;
        save.dtype = static_cast<weft_dtype>(d);
        save.shape = { 5, 7, 3 };
        Bytes data = Pattern(save.dtype, 105);
        std::string path = Path(std::string(wf_dtype_name(save.dtype)) + ".npy");

        ASSERT_EQ(WriteAll(path, save, data), WEFT_OK) << wf_last_error();

        EXPECT_EQ(ReadAll(path), data);
        EXPECT_EQ(ReadAll(path, { 2, 4, 2 }), data);
    }
}

TEST_F(Npy, HeaderIsWhatNumPyWrites) {
    Save save;
    save.shape = { 3 };
    ASSERT_EQ(WriteAll(Path("a.npy"), save, Pattern(WEFT_FLOAT32, 3)), WEFT_OK);

    std::string text = ReadText(Path("a.npy"));

    EXPECT_EQ(text.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
    EXPECT_EQ(text.substr(10, 58), "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\x20");
    EXPECT_EQ(text.size(), 128u + 12u);
    EXPECT_EQ(text[127], '\n');
}

TEST_F(Npy, ScalarsAndEmptyArraysWork) {
    Save scalar, empty;
    scalar.dtype = empty.dtype = WEFT_INT64;
    empty.shape = { 4, 0, 2 };
    ASSERT_EQ(WriteAll(Path("scalar.npy"), scalar, Pattern(WEFT_INT64, 1)), WEFT_OK)
        << wf_last_error();
    ASSERT_EQ(WriteAll(Path("empty.npy"), empty, {}), WEFT_OK) << wf_last_error();

    EXPECT_EQ(ReadAll(Path("scalar.npy")), Pattern(WEFT_INT64, 1));
    EXPECT_TRUE(ReadAll(Path("empty.npy")).empty());
}

TEST_F(Npy, MapsAlignedNativeFilesWithTheirStrides) {
    Bytes data = Pattern(WEFT_FLOAT64, 12);
    std::string header = Dict("<f8", true, "(3, 4)");
    header.insert(header.size() - 1, std::string(128 - 10 - header.size(), ' '));
    WriteText(Path("f.npy"), NpyText(header) + Data(data));
    wf_file *file = nullptr;
    ASSERT_EQ(wf_file_open(Path("f.npy").c_str(), nullptr, &file), WEFT_OK) << wf_last_error();

    const wf_file_info *info = wf_file_get_info(file);

    ASSERT_TRUE(info->mapped);
    EXPECT_EQ(memcmp(info->data, data.data(), data.size()), 0);
    EXPECT_EQ(info->stride[0], 8);
    EXPECT_EQ(info->stride[1], 24);
    EXPECT_STREQ(wf_file_format(file), "npy");
    wf_file_close(file);
}

TEST_F(Npy, MisalignedElementsAreReadAndNotMapped) {
    Bytes data = Pattern(WEFT_FLOAT64, 6);
    std::string header = Dict("<f8", false, "(2, 3)");
    while ((10 + header.size()) % 8 != 3) header.insert(header.size() - 1, " ");
    WriteText(Path("m.npy"), NpyText(header) + Data(data));
    wf_file *file = nullptr;
    ASSERT_EQ(wf_file_open(Path("m.npy").c_str(), nullptr, &file), WEFT_OK);
    EXPECT_FALSE(wf_file_get_info(file)->mapped);
    wf_file_close(file);

    EXPECT_EQ(ReadAll(Path("m.npy")), data);
    EXPECT_EQ(ReadAll(Path("m.npy"), { 1, 2 }), data);
}

TEST_F(Npy, FortranOrderReadsAsCOrder) {
    Bytes data = Pattern(WEFT_INT16, 3 * 4 * 5), want(data.size());
    WriteText(Path("f.npy"), NpyText(Dict("<i2", true, "(3, 4, 5)")) + Data(data));
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 5; k++)
                memcpy(&want[2 * (i * 20 + j * 5 + k)], &data[2 * (i + 3 * j + 12 * k)], 2);

    EXPECT_EQ(ReadAll(Path("f.npy")), want);
    EXPECT_EQ(ReadAll(Path("f.npy"), { 2, 3, 2 }), want);
}

TEST_F(Npy, OtherByteOrderIsConvertedAndNotMapped) {
    const unsigned char big[] = { 0, 0, 0, 1, 0, 0, 1, 0 };
    WriteText(Path("b.npy"), NpyText(Dict(">i4", false, "(2,)")) +
                                 std::string(reinterpret_cast<const char *>(big), 8));
    wf_file *file = nullptr;
    ASSERT_EQ(wf_file_open(Path("b.npy").c_str(), nullptr, &file), WEFT_OK);
    EXPECT_FALSE(wf_file_get_info(file)->mapped);
    wf_file_close(file);

    Bytes data = ReadAll(Path("b.npy"));

    int32_t values[2];
    ASSERT_EQ(data.size(), sizeof values);
    memcpy(values, data.data(), sizeof values);
    EXPECT_EQ(values[0], 1);
    EXPECT_EQ(values[1], 256);
}

TEST_F(Npy, ComplexBytesAreTurnedByHalves) {
    const unsigned char big[] = { 0x3F, 0x80, 0, 0, 0x40, 0, 0, 0 }; // 1 + 2j, big-endian
    WriteText(Path("c.npy"), NpyText(Dict(">c8", false, "()")) +
                                 std::string(reinterpret_cast<const char *>(big), 8));

    Bytes data = ReadAll(Path("c.npy"));

    float values[2];
    memcpy(values, data.data(), sizeof values);
    EXPECT_EQ(values[0], 1.0f);
    EXPECT_EQ(values[1], 2.0f);
}

TEST_F(Npy, ReadsVersionsTwoAndThreeAndAnyLayoutOfTheDictionary) {
    Bytes data = Pattern(WEFT_UINT8, 6);
    WriteText(Path("2.npy"), NpyText(Dict("|u1", false, "(2, 3)"), 2) + Data(data));
    WriteText(Path("3.npy"),
              NpyText("{\"shape\":(2L,3L,),\n\"fortran_order\" : False , \"descr\":\"|u1\"}", 3) +
                  Data(data));

    EXPECT_EQ(ReadAll(Path("2.npy")), data);
    EXPECT_EQ(ReadAll(Path("3.npy")), data);
}

struct BadHeader {
    const char *header;
    weft_status status;
    const char *text;
};

TEST_F(Npy, RefusesMalformedHeadersWithASentence) {
    const BadHeader bad[] = {
        { "", WEFT_FORMAT, "header: expected '{' at byte 0" },
        { "{'descr': '<f8'}", WEFT_FORMAT,
          "header: expected descr, fortran_order and shape, once each, at byte 16" },
        { "{'descr': '<f8', 'descr': '<f8'}", WEFT_FORMAT,
          "header: expected descr, fortran_order and shape, once each, at byte 24" },
        { "{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}", WEFT_FORMAT,
          "header: expected True or False at byte 34" },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (3)}", WEFT_FORMAT,
          "header: expected ',' after the only extent at byte 53" },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}", WEFT_FORMAT,
          "header: expected an extent at byte 51" },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}", WEFT_FORMAT,
          "header: expected an extent below 2^63 at byte 69" },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
          WEFT_FORMAT, "the number of elements does not fit in 64 bits" },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4611686018427387904, 4)}",
          WEFT_FORMAT, "the number of elements does not fit in 64 bits" },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8)}",
          WEFT_UNSUPPORTED, "more than 16 axes" },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)} x", WEFT_FORMAT,
          "header: expected nothing after the dictionary at byte 56" },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'more': 1}", WEFT_FORMAT,
          "header: expected descr, fortran_order and shape, once each, at byte 62" },
        { "{'descr': '<U7', 'fortran_order': False, 'shape': (3,)}", WEFT_UNSUPPORTED,
          "elements of type '<U7' are not supported" },
        { "{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (3,)}", WEFT_UNSUPPORTED,
          "elements of type '<M8[ns]' are not supported" },
        { "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}", WEFT_UNSUPPORTED,
          "elements of type '|O' are not supported" },
        { "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,)}", WEFT_UNSUPPORTED,
          "elements that are records are not supported" },
        { "{'descr': 'f8', 'fortran_order': False, 'shape': (3,)}", WEFT_FORMAT,
          "expected a type such as '<f8', got 'f8'" },
        { "{'descr': '<f8", WEFT_FORMAT, "header: expected the end of a string at byte 14" },
    };
    for (const BadHeader &b : bad) {
        WriteText(Path("bad.npy"), NpyText(b.header));

        EXPECT_EQ(OpenStatus(Path("bad.npy")), b.status) << b.header;

        EXPECT_EQ(std::string(wf_last_error()), "npy: '" + Path("bad.npy") + "': " + b.text);
    }
}

TEST_F(Npy, RefusesAHeaderThatClaimsMoreThanTheFileHolds) {
    WriteText(Path("huge.npy"), NpyText(Dict("<f8", false, "(1152921504606846976,)"))); // 2^60
    WriteText(Path("short.npy"), NpyText(Dict("<f8", false, "(4,)")) + std::string(31, 'x'));
    std::string at = std::to_string(NpyText(Dict("<f8", false, "(4,)")).size());

    EXPECT_EQ(OpenStatus(Path("huge.npy")), WEFT_FORMAT);
    EXPECT_EQ(std::string(wf_last_error()),
              "npy: '" + Path("huge.npy") + "': the number of elements does not fit in 64 bits");
    EXPECT_EQ(OpenStatus(Path("short.npy")), WEFT_FORMAT);
    EXPECT_EQ(std::string(wf_last_error()),
              "npy: '" + Path("short.npy") + "' is truncated: float64 of (4,) needs " +
                  std::to_string(std::stoi(at) + 32) + " bytes, the file has " +
                  std::to_string(std::stoi(at) + 31));
}

TEST_F(Npy, RefusesTruncatedPrefixesAndLongHeaders) {
    std::string whole = NpyText(Dict("<f8", false, "(1,)")) + std::string(8, 'x');
    for (size_t n = 6; n < whole.size(); n++) {
        WriteText(Path("cut.npy"), whole.substr(0, n));
        ASSERT_EQ(OpenStatus(Path("cut.npy")), WEFT_FORMAT) << n;
    }
    std::string big("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12);
    WriteText(Path("big.npy"), big);

    EXPECT_EQ(OpenStatus(Path("big.npy")), WEFT_FORMAT);
    EXPECT_EQ(std::string(wf_last_error()),
              "npy: '" + Path("big.npy") +
                  "': a header of 4294967295 bytes; at most 65536 are expected");
}

TEST_F(Npy, ReportsAFileTruncatedWhileOpenInsteadOfDying) {
    Save save;
    save.shape = { 100000, 8 };
    ASSERT_EQ(WriteAll(Path("t.npy"), save, Pattern(WEFT_FLOAT32, 800000)), WEFT_OK);
    wf_file *file = nullptr;
    ASSERT_EQ(wf_file_open(Path("t.npy").c_str(), nullptr, &file), WEFT_OK);
    ASSERT_EQ(truncate(Path("t.npy").c_str(), 4096), 0);
    Bytes out;

    EXPECT_EQ(ReadBox(file, Box({ 50000, 0 }, { 10000, 8 }), &out),
              WEFT_FORMAT); // one long run: read
    EXPECT_NE(std::string(wf_last_error()).find("is truncated"), std::string::npos);
    EXPECT_EQ(ReadBox(file, Box({ 50000, 0 }, { 10000, 3 }), &out),
              WEFT_FORMAT); // short runs: from the mapping
    EXPECT_NE(std::string(wf_last_error()).find("is truncated"), std::string::npos);
    wf_file_close(file);
}

TEST_F(Npy, RefusesWhatIsNoRegularFile) {
    ASSERT_EQ(mkfifo(Path("pipe.npy").c_str(), 0600), 0);
    ASSERT_EQ(mkdir(Path("dir.npy").c_str(), 0700), 0);

    EXPECT_EQ(OpenStatus(Path("pipe.npy")), WEFT_FORMAT);
    EXPECT_EQ(std::string(wf_last_error()),
              "npy: '" + Path("pipe.npy") + "' is not a regular file");
    EXPECT_EQ(OpenStatus(Path("dir.npy")), WEFT_FORMAT);
    EXPECT_EQ(OpenStatus(Path("absent.npy")), WEFT_NOT_FOUND);
    EXPECT_EQ(std::string(wf_last_error()),
              "npy: cannot open '" + Path("absent.npy") + "': No such file or directory");
}

TEST_F(Npy, RefusesOptionsTheFormatCannotHold) {
    Save save;
    save.shape = { 3 };
    save.attributes = "{}";
    EXPECT_EQ(WriteAll(Path("a.npy"), save, Pattern(WEFT_FLOAT32, 3)), WEFT_UNSUPPORTED);
    EXPECT_EQ(std::string(wf_last_error()),
              "npy: '" + Path("a.npy") + "': this format cannot hold attributes; .zarr can");
    EXPECT_EQ(List(), "");
}

TEST_F(Npy, BoxesOutsideTheShapeAreRefused) {
    Save save;
    save.shape = { 4, 4 };
    ASSERT_EQ(WriteAll(Path("a.npy"), save, Pattern(WEFT_FLOAT32, 16)), WEFT_OK);
    wf_file *file = nullptr;
    ASSERT_EQ(wf_file_open(Path("a.npy").c_str(), nullptr, &file), WEFT_OK);
    Bytes out;

    EXPECT_EQ(ReadBox(file, Box({ 3, 0 }, { 2, 1 }), &out), WEFT_INVALID);
    EXPECT_EQ(std::string(wf_last_error()),
              "'" + Path("a.npy") + "': the box lies outside the shape (4, 4)");
    EXPECT_EQ(ReadBox(file, Box({ 0 }, { 1 }), &out), WEFT_INVALID);
    wf_file_close(file);
}

TEST_F(Npy, RegionsChangeAFileInPlaceWhateverItsOrder) {
    for (const char *descr : { "<i4", ">i4" })
        for (bool fortran : { false, true }) {
            Bytes data(4 * 60, 0);
            WriteText(Path("r.npy"), NpyText(Dict(descr, fortran, "(6, 10)")) + Data(data));
            Save save;
            save.dtype = WEFT_INT32;
            save.shape = { 6, 10 };
            save.region = true;
            wf_create_options opts = Options(save);
            wf_writer *writer = nullptr;
            ASSERT_EQ(wf_writer_create(Path("r.npy").c_str(), &opts, &writer), WEFT_OK)
                << wf_last_error();
            wf_box box = Box({ 1, 2 }, { 3, 5 });
            Bytes piece = Pattern(WEFT_INT32, 15);

            ASSERT_EQ(WriteBox(writer, box, piece), WEFT_OK) << wf_last_error();
            ASSERT_EQ(wf_writer_commit(writer), WEFT_OK);

            Bytes all = ReadAll(Path("r.npy"));
            EXPECT_EQ(Cut(all, Shape({ 6, 10 }), 4, box), piece);
            EXPECT_EQ(Cut(all, Shape({ 6, 10 }), 4, Box({ 4, 0 }, { 2, 10 })), Bytes(80, 0));
        }
    Save wrong;
    wrong.shape = { 6, 11 };
    wrong.region = true;
    wf_create_options opts = Options(wrong);
    wf_writer *writer = nullptr;
    EXPECT_EQ(wf_writer_create(Path("r.npy").c_str(), &opts, &writer), WEFT_INVALID);
    EXPECT_EQ(std::string(wf_last_error()),
              "npy: '" + Path("r.npy") + "' holds int32 (6, 10), the region is of float32 (6, 11)");
}

TEST_F(Npy, ManyThreadsReadOneFileAtOnce) {
    Save save;
    save.dtype = WEFT_INT32;
    save.shape = { 300, 200 };
    Bytes data = Pattern(WEFT_INT32, 60000);
    ASSERT_EQ(WriteAll(Path("m.npy"), save, data), WEFT_OK);
    wf_file *file = nullptr;
    ASSERT_EQ(wf_file_open(Path("m.npy").c_str(), nullptr, &file), WEFT_OK);
    std::vector<std::thread> threads;
    std::vector<int> good(4);
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 50; i++) {
                wf_box box = Box({ (i * 7 + t) % 200, t * 10 }, { 100, 150 });
                Bytes out;
                if (ReadBox(file, box, &out) == WEFT_OK &&
                    out == Cut(data, Shape({ 300, 200 }), 4, box))
                    good[t]++;
                wf_file_done(file, &box);
            }
        });
    for (auto &t : threads) t.join();

    EXPECT_EQ(good, std::vector<int>(4, 50));
    wf_file_close(file);
}

TEST_F(Npy, FingerprintChangesWithTheFile) {
    auto print = [&] {
        wf_file *file = nullptr;
        EXPECT_EQ(wf_file_open(Path("a.npy").c_str(), nullptr, &file), WEFT_OK);
        uint64_t f = wf_file_get_info(file)->fingerprint;
        wf_file_close(file);
        return f;
    };
    Save save;
    save.shape = { 4 };
    save.overwrite = true;
    ASSERT_EQ(WriteAll(Path("a.npy"), save, Pattern(WEFT_FLOAT32, 4)), WEFT_OK);
    uint64_t first = print();
    EXPECT_EQ(print(), first);
    ASSERT_EQ(WriteAll(Path("a.npy"), save, Pattern(WEFT_FLOAT32, 4, 1)), WEFT_OK);
    EXPECT_NE(print(), first);
}

TEST_F(Npy, RawFilesTakeDtypeAndShapeFromTheCaller) {
    Save save;
    save.dtype = WEFT_UINT16;
    save.shape = { 4, 6 };
    Bytes data = Pattern(WEFT_UINT16, 24);
    ASSERT_EQ(WriteAll(Path("a.raw"), save, data), WEFT_OK);
    EXPECT_EQ(ReadText(Path("a.raw")), Data(data));
    wf_open_options opts = {};
    opts.raw = true;
    opts.dtype = WEFT_UINT16;
    opts.shape = Shape({ 4, 6 });

    EXPECT_EQ(ReadAll(Path("a.raw"), { 3, 4 }, &opts), data);

    opts.shape = Shape({ 5, 6 });
    EXPECT_EQ(OpenStatus(Path("a.raw"), &opts), WEFT_FORMAT);
    EXPECT_EQ(std::string(wf_last_error()),
              "raw: '" + Path("a.raw") +
                  "' is truncated: uint16 of (5, 6) needs 60 bytes, the file has 48");
    opts.dtype = WEFT_DTYPE_DEFAULT;
    EXPECT_EQ(OpenStatus(Path("a.raw"), &opts), WEFT_INVALID);
    EXPECT_EQ(OpenStatus(Path("a.raw")), WEFT_INVALID);
    EXPECT_EQ(std::string(wf_last_error()),
              "open: '" + Path("a.raw") + "' is raw data, which needs a dtype and a shape");
}

TEST(Strided, CopiesAgreeWithAPlainLoop) {
    for (size_t item : { 1, 2, 4, 8, 16 })
        for (int turn = 0; turn < 6; turn++) {
            const int64_t count[] = { 3, 40, 35 };
            const int order[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                     { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
            int64_t in_stride[3], out_stride[3], next = static_cast<int64_t>(item);
            for (int k = 2; k >= 0; k--) {
                in_stride[order[turn][k]] = next;
                next *= count[order[turn][k]];
            }
            wf_strides_fill(3, count, item, false, out_stride);
            Bytes in = Pattern(WEFT_UINT8, next), out(in.size()), want(in.size());
            for (int64_t i = 0; i < count[0]; i++)
                for (int64_t j = 0; j < count[1]; j++)
                    for (int64_t k = 0; k < count[2]; k++)
                        memcpy(&want[i * out_stride[0] + j * out_stride[1] + k * out_stride[2]],
                               &in[i * in_stride[0] + j * in_stride[1] + k * in_stride[2]], item);

            wf_strided_copy(3, count, item, out.data(), out_stride, in.data(), in_stride);

            ASSERT_EQ(out, want) << item << " " << turn;
        }
}

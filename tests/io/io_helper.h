// SPDX-License-Identifier: Apache-2.0
// io_helper - what the tests of runtime/io share: a folder that goes away, arrays of known bytes,
// and whole-array reads and writes.
#ifndef WEFT_TESTS_IO_HELPER_H
#define WEFT_TESTS_IO_HELPER_H

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

extern "C" {
#include "base/text.h"
#include "io/format.h"
}

using Bytes = std::vector<unsigned char>;

// A test with an empty folder of its own, removed afterwards.
class IoTest : public ::testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;
    std::string Path(const std::string &name) const { return folder + "/" + name; }
    // Names in the folder DIR (default: the test's), hidden ones too, sorted and joined by spaces.
    std::string List(const std::string &dir = "") const;
    std::string folder;
};

wf_shape Shape(const std::vector<int64_t> &dim);
wf_box Box(const std::vector<int64_t> &start, const std::vector<int64_t> &count);
// Bytes that differ from element to element; bools are 0 and 1. SEED makes another array.
Bytes Pattern(weft_dtype dtype, int64_t count, int seed = 0);

std::string ReadText(const std::string &path);
void WriteText(const std::string &path, const std::string &text);
// Makes PATH.npy-style bytes by hand.
std::string NpyText(const std::string &header, int major = 1);

// The whole array at PATH, block by block of BLOCK elements per axis (empty: its own grid). Fails
// the test when anything does.
Bytes ReadAll(const std::string &path, const std::vector<int64_t> &block = {},
              const wf_open_options *opts = nullptr);
weft_status ReadBox(wf_file *file, const wf_box &box, Bytes *out);
// What opening PATH says; a file that opens is closed again.
weft_status OpenStatus(const std::string &path, const wf_open_options *opts = nullptr);

struct Save {
    weft_dtype dtype = WEFT_FLOAT32;
    std::vector<int64_t> shape, chunk;
    const char *codec = nullptr, *dims = nullptr, *attributes = nullptr;
    bool overwrite = false, region = false;
};
wf_create_options Options(const Save &save);
weft_status WriteBox(wf_writer *writer, const wf_box &box, const Bytes &data);
// Creates, writes every block of the writer's grid from the C-ordered DATA, commits. Aborts when
// writing fails.
weft_status WriteAll(const std::string &path, const Save &save, const Bytes &data);
// The part of C-ordered DATA of SHAPE that lies in BOX.
Bytes Cut(const Bytes &data, const wf_shape &shape, size_t item, const wf_box &box);

// Where real data lies, "" when it is not there.
std::string SharedData(const std::string &name);
std::string SourceDir();

#endif

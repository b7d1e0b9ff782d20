// SPDX-License-Identifier: Apache-2.0
// compare_test - the half of compare_test.py that is Weft: reads what NumPy and zarr-python wrote and writes what
// they read, in the folder that WEFT_COMPARE_DIR names. compare_test.py starts it; alone it has
// nothing to compare with.
#include <stdlib.h>

#include <fstream>
#include <sstream>

#include "io/io_helper.h"

static std::string CompareDir() {
    const char *dir = getenv("WEFT_COMPARE_DIR");
    return dir ? dir : "";
}

// theirs.txt: a line per array, "path dtype dim,dim,...", its bytes in C order in path.expect.
TEST(Compare, ReadsWhatNumPyAndZarrWrote) {
    std::string dir = CompareDir();
    if (dir.empty()) GTEST_SKIP() << "started by compare_test.py";
    std::ifstream list(dir + "/theirs.txt");
    std::string line;
    int count = 0;
    while (std::getline(list, line)) {
        std::istringstream words(line);
        std::string name, dtype, dims;
        words >> name >> dtype >> dims;
        std::string want = ReadText(dir + "/" + name + ".expect");
        wf_file *file = nullptr;
        ASSERT_EQ(wf_file_open((dir + "/" + name).c_str(), nullptr, &file), WEFT_OK)
            << wf_last_error();
        const wf_file_info *info = wf_file_get_info(file);
        std::string shape;
        for (int i = 0; i < info->shape.ndim; i++)
            shape += (i ? "," : "") + std::to_string(info->shape.dim[i]);
        EXPECT_EQ(wf_dtype_name(info->dtype), dtype) << name;
        EXPECT_EQ(shape, dims) << name;
        int ndim = info->shape.ndim;
        wf_file_close(file);
        for (int64_t block : { 0, 3, 7 }) {
            Bytes data = ReadAll(dir + "/" + name,
                                 block ? std::vector<int64_t>(static_cast<size_t>(ndim), block)
                                       : std::vector<int64_t>());
            EXPECT_TRUE(std::string(data.begin(), data.end()) == want)
                << name << " in blocks of " << block;
        }
        count++;
    }
    EXPECT_GT(count, 20);
}

// Writes arrays, their bytes beside them, and ours.txt with the same lines for Python to check.
TEST(Compare, WritesWhatNumPyAndZarrRead) {
    std::string dir = CompareDir();
    if (dir.empty()) GTEST_SKIP() << "started by compare_test.py";
    std::ofstream list(dir + "/ours.txt");
    auto add = [&](const std::string &name, const Save &save) {
        Bytes data = Pattern(save.dtype, [&] {
            wf_shape s = Shape(save.shape);
            return wf_shape_size(&s);
        }());
        ASSERT_EQ(WriteAll(dir + "/" + name, save, data), WEFT_OK) << wf_last_error();
        WriteText(dir + "/" + name + ".expect", std::string(data.begin(), data.end()));
        list << name << " " << wf_dtype_name(save.dtype) << " ";
        for (size_t i = 0; i < save.shape.size(); i++) list << (i ? "," : "") << save.shape[i];
        list << "\n";
    };
    for (int d = 1; d < WEFT_NDTYPES; d++) {
        Save save;
        save.dtype = static_cast<weft_dtype>(d);
        save.shape = { 7, 10, 3 };
        if (save.dtype == WEFT_BFLOAT16) continue;
        add(std::string("ours_") + wf_dtype_name(save.dtype) + ".npy", save);
        save.chunk = { 3, 4, 3 };
        add(std::string("ours_") + wf_dtype_name(save.dtype) + ".zarr", save);
    }
    int n = 0;
    for (const char *codec : {
             "none",
#ifdef WF_HAVE_ZLIB
             "zlib:6",
             "gzip",
#endif
#ifdef WF_HAVE_ZSTD
             "zstd:3",
#endif
#ifdef WF_HAVE_LZ4
             "lz4",
#endif
#ifdef WF_HAVE_BLOSC
             "blosc",
             "blosc:zstd:9:bitshuffle",
             "blosc:zlib:3:noshuffle",
             "blosc:lz4hc:5:shuffle",
             "blosc:blosclz:1",
#endif
         }) {
        Save save;
        save.shape = { 50, 21 };
        save.chunk = { 16, 16 };
        save.codec = codec;
        save.dims = "row,column";
        add("group.zarr/codec" + std::to_string(n++), save);
    }
    Save scalar, empty;
    empty.shape = { 0, 4 };
    add("scalar.npy", scalar);
    add("scalar.zarr", scalar);
    add("empty.npy", empty);
    add("empty.zarr", empty);
}

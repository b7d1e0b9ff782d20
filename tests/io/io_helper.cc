// SPDX-License-Identifier: Apache-2.0
// io_helper - definitions for io_helper.h.
#include "io/io_helper.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

extern "C" {
#include "io/strided.h"
#include "io/temp.h"
}

void IoTest::SetUp() {
    const char *base = getenv("TMPDIR");
    std::string name = std::string(base && *base ? base : "/tmp") + "/weft_io_XXXXXX";
    ASSERT_NE(mkdtemp(&name[0]), nullptr);
    folder = name;
}

void IoTest::TearDown() { wf_tree_remove(folder.c_str()); }

std::string IoTest::List(const std::string &dir) const {
    std::vector<std::string> names;
    DIR *entries = opendir(dir.empty() ? folder.c_str() : dir.c_str());
    if (!entries) return "(no folder)";
    while (struct dirent *e = readdir(entries))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) names.push_back(e->d_name);
    closedir(entries);
    std::sort(names.begin(), names.end());
    std::string text;
    for (const auto &n : names) text += (text.empty() ? "" : " ") + n;
    return text;
}

wf_shape Shape(const std::vector<int64_t> &dim) {
    wf_shape s = {};
    s.ndim = static_cast<int>(dim.size());
    std::copy(dim.begin(), dim.end(), s.dim);
    return s;
}

wf_box Box(const std::vector<int64_t> &start, const std::vector<int64_t> &count) {
    wf_box b = {};
    b.ndim = static_cast<int>(start.size());
    std::copy(start.begin(), start.end(), b.start);
    std::copy(count.begin(), count.end(), b.count);
    return b;
}

Bytes Pattern(weft_dtype dtype, int64_t count, int seed) {
    Bytes data(static_cast<size_t>(count) * wf_dtype_size(dtype));
    uint32_t state = 12345u + 7919u * static_cast<uint32_t>(seed);
    for (auto &byte : data) {
        state = state * 1664525u + 1013904223u;
        byte = static_cast<unsigned char>(
            dtype == WEFT_BOOL ? state >> 31 : (state >> 24) & 0x3F); // no NaN, no infinity
    }
    return data;
}

std::string ReadText(const std::string &path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

void WriteText(const std::string &path, const std::string &text) {
    std::ofstream out(path, std::ios::binary);
    out << text;
    ASSERT_TRUE(out.good()) << path;
}

std::string NpyText(const std::string &header, int major) {
    std::string text("\x93NUMPY", 6);
    text += static_cast<char>(major);
    text += '\0';
    for (int i = 0; i < (major == 1 ? 2 : 4); i++)
        text += static_cast<char>(header.size() >> (8 * i) & 255);
    return text + header;
}

weft_status ReadBox(wf_file *file, const wf_box &box, Bytes *out) {
    size_t item = wf_dtype_size(wf_file_get_info(file)->dtype);
    std::vector<__int128> scratch(static_cast<size_t>(wf_file_scratch(file)) / 16 + 1);
    out->assign(static_cast<size_t>(wf_box_size(&box)) * item, 0xEE);
    return wf_file_read(file, &box, out->data(), scratch.data(),
                        static_cast<int64_t>(scratch.size()) * 16);
}

Bytes Cut(const Bytes &data, const wf_shape &shape, size_t item, const wf_box &box) {
    Bytes out(static_cast<size_t>(wf_box_size(&box)) * item);
    int64_t in_stride[WEFT_MAX_NDIM], out_stride[WEFT_MAX_NDIM], zero[WEFT_MAX_NDIM] = {};
    wf_strides_fill(shape.ndim, shape.dim, item, false, in_stride);
    wf_strides_fill(shape.ndim, box.count, item, false, out_stride);
    if (!out.empty())
        wf_strided_copy(shape.ndim, box.count, item, out.data(), out_stride,
                        data.data() + wf_strided_offset(shape.ndim, box.start, zero, in_stride),
                        in_stride);
    return out;
}

static void Paste(Bytes *data, const wf_shape &shape, size_t item, const wf_box &box,
                  const Bytes &piece) {
    int64_t in_stride[WEFT_MAX_NDIM], out_stride[WEFT_MAX_NDIM], zero[WEFT_MAX_NDIM] = {};
    wf_strides_fill(shape.ndim, shape.dim, item, false, out_stride);
    wf_strides_fill(shape.ndim, box.count, item, false, in_stride);
    wf_strided_copy(shape.ndim, box.count, item,
                    data->data() + wf_strided_offset(shape.ndim, box.start, zero, out_stride),
                    out_stride, piece.data(), in_stride);
}

Bytes ReadAll(const std::string &path, const std::vector<int64_t> &block,
              const wf_open_options *opts) {
    wf_file *file = nullptr;
    EXPECT_EQ(wf_file_open(path.c_str(), opts, &file), WEFT_OK) << wf_last_error();
    if (!file) return {};
    const wf_file_info *info = wf_file_get_info(file);
    size_t item = wf_dtype_size(info->dtype);
    wf_grid grid = {};
    if (block.empty())
        grid = wf_grid_share(&info->grid);
    else
        EXPECT_EQ(wf_grid_init(&grid, &info->shape, block.data()), WEFT_OK);
    Bytes data(static_cast<size_t>(wf_shape_size(&info->shape)) * item), piece;
    for (int64_t b = 0; b < wf_grid_nblock(&grid); b++) {
        wf_box box;
        wf_grid_box(&grid, b, &box);
        wf_file_prefetch(file, &box);
        EXPECT_EQ(ReadBox(file, box, &piece), WEFT_OK) << wf_last_error();
        wf_file_done(file, &box);
        Paste(&data, info->shape, item, box, piece);
    }
    wf_grid_fini(&grid);
    wf_file_close(file);
    return data;
}

weft_status OpenStatus(const std::string &path, const wf_open_options *opts) {
    wf_file *file = nullptr;
    weft_status st = wf_file_open(path.c_str(), opts, &file);
    EXPECT_EQ(st == WEFT_OK, file != nullptr);
    wf_file_close(file);
    return st;
}

wf_create_options Options(const Save &save) {
    wf_create_options o = {};
    o.dtype = save.dtype;
    o.shape = Shape(save.shape);
    o.nchunk = static_cast<int>(save.chunk.size());
    std::copy(save.chunk.begin(), save.chunk.end(), o.chunk);
    o.codec = save.codec;
    o.dims = save.dims;
    o.attributes = save.attributes;
    o.overwrite = save.overwrite;
    o.region = save.region;
    return o;
}

weft_status WriteBox(wf_writer *writer, const wf_box &box, const Bytes &data) {
    std::vector<__int128> scratch(
        static_cast<size_t>(wf_writer_scratch(writer, static_cast<int64_t>(data.size()))) / 16 + 1);
    return wf_writer_write(writer, &box, data.data(), scratch.data(),
                           static_cast<int64_t>(scratch.size()) * 16);
}

weft_status WriteAll(const std::string &path, const Save &save, const Bytes &data) {
    wf_create_options opts = Options(save);
    wf_writer *writer = nullptr;
    WF_TRY(wf_writer_create(path.c_str(), &opts, &writer));
    const wf_grid *grid = wf_writer_grid(writer);
    for (int64_t b = 0; b < wf_grid_nblock(grid); b++) {
        wf_box box;
        wf_grid_box(grid, b, &box);
        weft_status st =
            WriteBox(writer, box, Cut(data, opts.shape, wf_dtype_size(opts.dtype), box));
        if (st != WEFT_OK) {
            wf_writer_abort(writer);
            return st;
        }
    }
    return wf_writer_commit(writer);
}

std::string SourceDir() {
    const char *source = getenv("WEFT_SOURCE_DIR");
    if (source && *source) return source;
    std::string here = __FILE__; // .../tests/io/io_helper.cc
    for (int i = 0; i < 3; i++) here = here.substr(0, here.rfind('/'));
    return here;
}

std::string SharedData(const std::string &name) {
    const char *dir = getenv("WEFT_SHARED_DATA");
    std::string path =
        dir && *dir ? std::string(dir) + "/" + name : SourceDir() + "/../shared/data/" + name;
    struct stat st;
    return stat(path.c_str(), &st) == 0 ? path : "";
}

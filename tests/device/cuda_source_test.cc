// SPDX-License-Identifier: Apache-2.0
// cuda_source_test - the text of generated kernels is CUDA to NVIDIA's own compiler: every operation, cast, generator and reduction of every dtype,
// and each way of reaching operands, for compute capability 9.0, and every third text for 7.5. Needs no GPU; skipped where NVRTC is not
// installed.
//
// The generator is linked into this program with a compile cache that only collects texts. Kernels are compiled some at a time, each in a
// namespace of its own, for headers cost more than a kernel.
#include <dlfcn.h>

#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "device/programs.h"
extern "C" {
#include "device/cuda/module.h"
#include "device/cuda/source.h"
}

using namespace programs;

namespace {

struct Text {
    std::string name, source;
};
std::vector<Text> texts;
std::set<std::pair<uint64_t, uint64_t>> keys;

weft_status fail(weft_status code, const char *fmt, ...)
{
    ADD_FAILURE() << code << ": " << fmt;
    return code;
}
void *zeroed(size_t n) { return calloc(1, n); }
void note(int, const char *, ...) {}
void no_cache(char *out, size_t) { strcpy(out, "off"); }
const weft_host table = { WEFT_PLUGIN_ABI, fail, zeroed, free, note, no_cache };

}  // namespace

extern "C" {
const weft_host *wf_cuda_host = &table;

bool wf_cuda_kernel_find(weft_device *, wf_cuda_key, CUfunction *) { return false; }
weft_status wf_cuda_kernel_make(weft_device *, wf_cuda_key key, const char *source, const char *name, CUfunction *)
{
    if (keys.insert({ key.what, key.how }).second) texts.push_back({ name, source });
    return WEFT_OK;
}
weft_status wf_cuda_kernel_start(weft_stream *, CUfunction, int64_t, const void *) { return WEFT_OK; }
}

namespace {

// The real library: the tests' library path leads to the stand-in.
struct Nvrtc : wf_cuda_api {
    void *library = nullptr;
    Nvrtc()
    {
        const char *home = getenv("CUDA_HOME");
        for (const std::string &folder : { std::string(home ? home : "/usr/local/cuda"), std::string("/usr/local/cuda"), std::string("/opt/cuda") })
            for (const char *file : { "/lib64/libnvrtc.so.13", "/lib64/libnvrtc.so.12", "/lib64/libnvrtc.so" })
                if (!library) library = dlopen((folder + file).c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!library) return;
#define FIND(result, name, symbol, parameters) nvrtc.name = reinterpret_cast<decltype(nvrtc.name)>(dlsym(library, #symbol));
        WF_CUDA_NVRTC_LIST(FIND)
#undef FIND
    }
};

std::string read(const std::string &path)
{
    std::stringstream s;
    s << std::ifstream(path).rdbuf();
    return s.str();
}

const char *const headers[] = { "kernel.cuh", "element.cuh", "walk.cuh", "integer.cuh", "float.cuh", "complex.cuh", "random.cuh", "reduce.cuh" };

// Texts FIRST, FIRST + STEP, ... as one.
std::string joined(size_t first, size_t step)
{
    std::string all = "#include \"random.cuh\"\n#include \"reduce.cuh\"\n";
    for (size_t i = first; i < texts.size(); i += step) {
        const std::string n = std::to_string(i);
        all += "#define " + texts[i].name + " " + texts[i].name + "_" + n + "\nnamespace text" + n + " {\n" + texts[i].source + "}\n#undef " + texts[i].name + "\n";
    }
    return all;
}

// The first error of compiling TEXT for ARCH; "" where there is none.
std::string compile(const Nvrtc &n, const std::string &text, const char *arch)
{
    const std::string option = std::string("--gpu-architecture=") + arch;
    std::vector<std::string> content;
    std::vector<const char *> pointer, options = { option.c_str(), "--std=c++17", "--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true" };
    for (const char *h : headers) content.push_back(read(WEFT_KERNELS "/cuda/" + std::string(h)));
    for (const std::string &c : content) pointer.push_back(c.c_str());
    nvrtcProgram p = nullptr;
    if (n.nvrtc.create(&p, text.c_str(), "texts.cu", int(content.size()), pointer.data(), headers) != NVRTC_SUCCESS) return "no program";
    std::string log;
    if (n.nvrtc.compile(p, int(options.size()), options.data()) != NVRTC_SUCCESS) {
        size_t size = 0;
        n.nvrtc.log_size(p, &size);
        log.resize(size);
        n.nvrtc.log(p, &log[0]);
        log = log.substr(0, 3000) + " ";
    }
    n.nvrtc.destroy(&p);
    return log;
}

struct Generator : testing::Test {
    wf_cuda_api api = {};
    weft_device device = {};
    weft_stream stream = {};
    Random random{ 1 };

    void SetUp() override
    {
        texts.clear();
        keys.clear();
        api.driver_number = 13000;
        api.nvrtc_major = 13;
        device.api = &api;
        device.processors = 8;
        device.capability = 90;
        stream.device = &device;
    }

    // The shortest text that has all of PROGRAM: one element at a time, any stride.
    void plain(const wf_program *program)
    {
        wf_cuda_layout layout = {};
        wf_cuda_source source;
        layout.ndim = layout.vector = layout.unroll = 1;
        for (int op = 0; op < program->ninput + program->noutput; op++) layout.reach[op] = WF_CUDA_STRIDED, layout.walks[op] = 1;
        ASSERT_EQ(wf_cuda_map_source(program, &layout, &source), WEFT_OK);
        texts.push_back({ source.name, source.text.data });
        wf_cuda_source_fini(&source);
    }
    void map(Tile &tile, std::vector<int64_t> count, Layout inputs)
    {
        tile.count = count;
        tile.bind(random, inputs, CONTIGUOUS, false);
        const wf_launch l = tile.launch();
        EXPECT_EQ(wf_cuda_launch(&stream, &l), WEFT_OK);
    }
    // TILE's first output, reduced in every way that DTYPE, its own, has.
    void reduce(Tile &tile, weft_dtype dtype, bool inner, std::vector<bool> reduced)
    {
        std::vector<wf_reducer> spec;
        for (int op = 0; op < WF_REDUCE_COUNT_; op++)
            if (wf_kernels(nullptr)->reduce[op][dtype].rows) {
                wf_reducer r = {};
                r.op = uint8_t(op), r.dtype = uint8_t(dtype);
                for (wf_operand &f : r.field) f.data = &spec, f.stride[0] = f.stride[1] = 16;
                spec.push_back(r);
            }
        wf_reduce_launch l = {};
        l.map = tile.launch();
        l.inner = inner;
        for (size_t a = 0; a < tile.count.size(); a++) l.reduced[a] = reduced[a], l.cell[a] = reduced[a] ? tile.count[a] : 1, l.position_stride[a] = 1;
        l.nreducer = int(spec.size());
        l.reducer = spec.data();
        EXPECT_EQ(wf_cuda_launch_reduce(&stream, &l), WEFT_OK);
    }
    void reduce(weft_dtype dtype, bool inner, std::vector<int64_t> count, std::vector<bool> reduced)
    {
        Tile tile;
        Builder b;
        b.store(b.load(dtype));
        tile.program = b.build();
        tile.count = count;
        tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
        reduce(tile, dtype, inner, reduced);
    }

    void compile_all()
    {
        static const Nvrtc nvrtc;
        if (!nvrtc.library) GTEST_SKIP() << "no NVRTC on this machine; " << texts.size() << " texts not compiled";
        const size_t batches = 4;  // the last one is for 7.5: every third text
        std::vector<std::string> error(batches);
        const auto work = [&](size_t first) {
            for (size_t i = first; i < batches; i += 2) error[i] = i < 3 ? compile(nvrtc, joined(i, 3), "sm_90") : compile(nvrtc, joined(1, 3), "sm_75");
        };
        std::thread other(work, 1);
        work(0);
        other.join();
        for (const std::string &e : error) EXPECT_EQ(e, "");
    }
};

TEST_F(Generator, EveryOperationIsCudaToNvrtc)
{
    for (Operations &o : all_operations()) {
        plain(o.program);
        wf_program_destroy(o.program);
    }
    for (weft_dtype from : all_dtypes()) {
        wf_program *casts = all_casts(from);
        plain(casts);
        wf_program_destroy(casts);
    }
    compile_all();
}

TEST_F(Generator, EveryReductionAndLayoutIsCudaToNvrtc)
{
    Tile generators;
    generators.program = all_random(generators.param);
    map(generators, { 7, 100 }, CONTIGUOUS);
    generators.count = { 4, 1000 };
    generators.in[0].operand.stride[0] = 1000, generators.in[0].operand.stride[1] = 1;
    generators.collect();
    reduce(generators, WEFT_FLOAT32, true, { false, true });
    for (weft_dtype dtype : { WEFT_BOOL, WEFT_INT8, WEFT_UINT64, WEFT_FLOAT32, WEFT_COMPLEX128 }) reduce(dtype, true, { dtype == WEFT_FLOAT32 ? 4 : 300, 1000 }, { false, true });
    for (weft_dtype dtype : { WEFT_INT32, WEFT_FLOAT64, WEFT_COMPLEX64 }) reduce(dtype, false, { 64, 30 }, { true, false });
    reduce(WEFT_FLOAT32, true, { 40, 5 }, { false, true });
    reduce(WEFT_COMPLEX64, true, { 4, 1000 }, { false, true });
    for (weft_dtype dtype : { WEFT_UINT8, WEFT_FLOAT32, WEFT_COMPLEX128 }) {  // through shared memory
        Tile tile;
        Builder b;
        b.store(b.map(WF_OP_ADD, dtype, { b.load(dtype), b.load(dtype) }));
        tile.program = b.build();
        tile.count = { 64, 64 };
        tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
        tile.bind_input(random, 1, FORTRAN, false);
        tile.collect();
        const wf_launch l = tile.launch();
        EXPECT_EQ(wf_cuda_launch(&stream, &l), WEFT_OK);
        if (dtype == WEFT_FLOAT32) reduce(tile, dtype, true, { false, true });
    }
    for (int round = 0; round < 12; round++) {
        Tile tile;
        random_program(tile, random, 4, 6, 2);
        map(tile, { 5, 6, 70 }, round % 2 ? ANY_WITH_BROADCAST : FORTRAN);
    }
    compile_all();
}

}  // namespace

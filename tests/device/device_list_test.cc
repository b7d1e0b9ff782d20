// SPDX-License-Identifier: Apache-2.0
// device_list_test - specifications open what they name, share out threads and memory, and are refused in words when wrong.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

extern "C" {
#include "base/alloc.h"
#include "device/device.h"
}

namespace {

constexpr int64_t MiB = 1024 * 1024;

struct DeviceList : testing::Test {
    wf_device_list list = {};
    ~DeviceList() override { wf_device_list_close(&list); }
    void open(const char *spec, int threads, int64_t limit) {
        ASSERT_EQ(wf_device_list_open(spec, threads, limit, 0, &list), WEFT_OK) << wf_last_error();
    }
    void refuse(const char *spec, weft_status status, const char *text) {
        EXPECT_EQ(wf_device_list_open(spec, 2, 64 * MiB, 0, &list), status) << spec;
        EXPECT_STREQ(wf_last_error(), text);
        EXPECT_EQ(list.count, 0);
        EXPECT_EQ(list.device, nullptr);
    }
};

TEST_F(DeviceList, OpensOneCpuDeviceByDefault) {
    for (const char *spec : {static_cast<const char *>(nullptr), "", "cpu"}) {
        open(spec, 3, 64 * MiB);
        ASSERT_GE(list.count, 1);
        const wf_device &cpu = list.device[list.count - 1];  // where there are GPUs, it stands beside them
        EXPECT_STREQ(cpu.ops->kind, "cpu");
        EXPECT_TRUE(cpu.is_cpu);
        EXPECT_EQ(cpu.info.memory_bytes, 64 * MiB);
        EXPECT_EQ(cpu.info.slots, 3);
        EXPECT_TRUE(cpu.info.host_visible);
        wf_device_list_close(&list);
    }
}

TEST_F(DeviceList, VirtualDevicesShareThreadsAndMemory) {
    open("cpu:3", 7, 90 * MiB);
    ASSERT_EQ(list.count, 3);
    int threads = 0;
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(list.device[i].number, i);
        EXPECT_EQ(list.device[i].info.memory_bytes, 30 * MiB);
        threads += list.device[i].info.slots;
    }
    EXPECT_EQ(threads, 7);
}

TEST_F(DeviceList, EachGetsAThreadWhenThereAreTooFew) {
    open("cpu:4", 2, 0);
    ASSERT_EQ(list.count, 4);
    for (int i = 0; i < 4; i++) EXPECT_EQ(list.device[i].info.slots, 1);
}

TEST_F(DeviceList, SizesGivenComeOffWhatTheOthersShare) {
    open("cpu@16MiB,cpu:2", 3, 64 * MiB);
    ASSERT_EQ(list.count, 3);
    EXPECT_EQ(list.device[0].info.memory_bytes, 16 * MiB);
    EXPECT_EQ(list.device[1].info.memory_bytes, 24 * MiB);
    EXPECT_EQ(list.device[2].info.memory_bytes, 24 * MiB);
}

TEST_F(DeviceList, EachVirtualDeviceHasTheSizeGiven) {
    open("cpu:4@256MiB", 2, 64 * MiB);
    ASSERT_EQ(list.count, 4);
    for (int i = 0; i < 4; i++) EXPECT_EQ(list.device[i].info.memory_bytes, 256 * MiB);
}

TEST_F(DeviceList, ADeviceHoldsItsFullMemoryInBlocks) {
    open("cpu@8MiB", 1, 0);
    void *memory[8] = {};
    for (auto &m : memory) ASSERT_EQ(list.device[0].ops->allocate(list.device[0].handle, MiB - 4000, &m), WEFT_OK);
    for (auto &m : memory) list.device[0].ops->release(list.device[0].handle, m, MiB - 4000);
}

TEST_F(DeviceList, RefusesWhatMakesNoSense) {
    refuse("cpu:0", WEFT_INVALID, "devices: 'cpu:0': expected a count of 1 to 250, got '0'");
    refuse("cpu:two", WEFT_INVALID, "devices: 'cpu:two': expected a count of 1 to 250, got 'two'");
    refuse("cpu:1000", WEFT_INVALID, "devices: 'cpu:1000': expected a count of 1 to 250, got '1000'");
    refuse("cpu:2@lots", WEFT_INVALID, "devices: 'cpu:2@lots': expected a size such as 256MiB, got 'lots'");
    refuse("cpu@0", WEFT_INVALID, "devices: 'cpu@0': expected a size such as 256MiB, got '0'");
    refuse("cpu@-5", WEFT_INVALID, "devices: 'cpu@-5': expected a size such as 256MiB, got '-5'");
    refuse("cpu,,cpu", WEFT_INVALID, "devices: 'cpu,,cpu': expected a kind of device such as cpu or cuda, got ''");
    refuse("../x", WEFT_INVALID, "devices: '../x': expected a kind of device such as cpu or cuda, got '../x'");
    refuse("cpu:250,cpu", WEFT_INVALID, "devices: 'cpu:250,cpu': expected at most 250 devices, got 251");
    EXPECT_EQ(wf_device_list_open("cpu", -1, 0, 0, &list), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "devices: threads and memory limit must be >= 0, got -1 and 0");
}

TEST_F(DeviceList, SaysWhereItLookedForAModule) {
    const weft_device_ops *ops = nullptr;
    EXPECT_EQ(wf_device_list_open("nosuch", 1, 0, 0, &list), WEFT_NOT_FOUND);
    EXPECT_EQ(std::string(wf_last_error()).rfind("devices: 'nosuch' is not here: no libweft_nosuch.so in ", 0), 0u) << wf_last_error();

    EXPECT_EQ(wf_device_module_load("nosuch", "/first:/second", &ops), WEFT_NOT_FOUND);
    EXPECT_EQ(std::string(wf_last_error()).rfind("devices: 'nosuch' is not here: no libweft_nosuch.so in /first, /second, ", 0), 0u)
        << wf_last_error();
    EXPECT_EQ(wf_device_module_load("No Such", "", &ops), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "devices: expected a kind of device such as cpu or cuda, got 'No Such'");
    EXPECT_EQ(ops, nullptr);
}

// A module of KIND with two devices, of which the second cannot be opened.
std::string toy(const char *kind)
{
    return
        "#include <stdlib.h>\n"
        "static const weft_host *core;\n"
        "static int count(void) { return getenv(\"TOY_DEVICES\") ? atoi(getenv(\"TOY_DEVICES\")) : 2; }\n"
        "static weft_status open_one(int n, int64_t m, int t, weft_device **out) { (void)m; (void)t;\n"
        "    if (n == 1) return core->fail(WEFT_DEVICE, \"toy: device %d is broken\", n);\n"
        "    *out = core->alloc(16); return *out ? WEFT_OK : WEFT_NO_MEMORY; }\n"
        "static void close_one(weft_device *d) { core->free(d); }\n"
        "static weft_status info(weft_device *d, weft_device_info *out) { (void)d; *out = (weft_device_info){.memory_bytes = 7, .slots = 1};\n"
        "    return WEFT_OK; }\n"
        "static weft_status alloc(weft_device *d, int64_t n, void **o) { (void)d; (void)n; (void)o; return WEFT_NO_MEMORY; }\n"
        "static void release(weft_device *d, void *p, int64_t n) { (void)d; (void)p; (void)n; }\n"
        "static weft_status so(weft_device *d, weft_stream **o) { (void)d; (void)o; return WEFT_DEVICE; }\n"
        "static void sc(weft_stream *s) { (void)s; }\n"
        "static weft_status sw(weft_stream *s) { (void)s; return WEFT_OK; }\n"
        "static weft_status cp(weft_stream *s, void *d, const void *f, int64_t n) { (void)s; (void)d; (void)f; (void)n; return WEFT_OK; }\n"
        "static weft_status cb(weft_stream *s, const weft_copy_box *c) { (void)s; (void)c; return WEFT_OK; }\n"
        "static const weft_device_ops ops = {.abi = WEFT_PLUGIN_ABI, .kind = \"" + std::string(kind) + "\", .count = count, .open = open_one, .close = close_one,\n"
        "    .info = info, .allocate = alloc, .release = release, .stream_open = so, .stream_close = sc, .stream_wait = sw,\n"
        "    .copy_in = cp, .copy_out = cp, .copy_box = cb};\n"
        "const weft_device_ops *weft_device_module(const weft_host *host) { core = host; return &ops; }\n";
}

// A module made here by the compiler that builds the tests, if it is still there at run time.
struct Module : DeviceList {
    std::string folder;
    void SetUp() override {
        char path[] = "/tmp/weft-module-XXXXXX";
        ASSERT_NE(mkdtemp(path), nullptr);
        folder = path;
    }
    ~Module() override { (void)!system(("rm -rf " + folder).c_str()); }
    bool build(const char *kind, const std::string &code) {
        const char *cc = getenv("CC"), *source = getenv("WEFT_SOURCE_DIR");
        if (!source) return false;
        FILE *f = fopen((folder + "/m.c").c_str(), "w");
        if (!f) return false;
        fputs(("#include \"weft/plugin.h\"\n" + code).c_str(), f);
        fclose(f);
        const std::string out = folder + "/libweft_" + kind + ".so";
        return system((std::string(cc && *cc ? cc : "cc") + " -shared -fPIC -I" + source + "/include -o " + out + " " + folder +
                       "/m.c").c_str()) == 0;
    }
};

TEST_F(Module, IsLoadedAndCheckedAndCanFail) {
    const weft_device_ops *ops = nullptr;
    if (!build("old", "const weft_device_ops *weft_device_module(const weft_host *host) { (void)host; return 0; }\n"))
        GTEST_SKIP() << "no compiler, or WEFT_SOURCE_DIR is not set";
    EXPECT_EQ(wf_device_module_load("old", folder.c_str(), &ops), WEFT_UNSUPPORTED);
    EXPECT_EQ(std::string(wf_last_error()),
              "devices: '" + folder + "/libweft_old.so' is for another version of Weft: expected module version 2, got 0");

    ASSERT_TRUE(build("empty", "int nothing;\n"));
    EXPECT_EQ(wf_device_module_load("empty", folder.c_str(), &ops), WEFT_UNSUPPORTED);
    EXPECT_EQ(std::string(wf_last_error()), "devices: '" + folder + "/libweft_empty.so' has no symbol weft_device_module");

    ASSERT_TRUE(build("half", "static const weft_device_ops ops = {.abi = WEFT_PLUGIN_ABI, .kind = \"half\"};\n"
                              "const weft_device_ops *weft_device_module(const weft_host *host) { (void)host; return &ops; }\n"));
    EXPECT_EQ(wf_device_module_load("half", folder.c_str(), &ops), WEFT_UNSUPPORTED);
    EXPECT_EQ(std::string(wf_last_error()), "devices: '" + folder + "/libweft_half.so' is no complete module for 'half'");

    FILE *f = fopen((folder + "/libweft_text.so").c_str(), "w");
    ASSERT_NE(f, nullptr);
    fputs("not a library", f);
    fclose(f);
    EXPECT_EQ(wf_device_module_load("text", folder.c_str(), &ops), WEFT_DEVICE);
    EXPECT_EQ(ops, nullptr);
}

TEST_F(Module, ItsDevicesAreOpenedThroughItsTable) {
    const weft_device_ops *ops = nullptr;
    if (!build("toy", toy("toy"))) GTEST_SKIP() << "no compiler, or WEFT_SOURCE_DIR is not set";
    ASSERT_EQ(wf_device_module_load("toy", folder.c_str(), &ops), WEFT_OK) << wf_last_error();
    const int64_t live = wf_alloc_live();

    open("toy:1,cpu@1MiB", 1, 0);
    ASSERT_EQ(list.count, 2);
    EXPECT_EQ(list.device[0].info.memory_bytes, 7);
    EXPECT_STREQ(list.device[1].ops->kind, "cpu");
    EXPECT_EQ(list.device[1].number, 1);
    wf_device_list_close(&list);
    refuse("toy:3", WEFT_NOT_FOUND, "devices: 'toy:3': wanted 3 of toy, found 2");
    refuse("toy", WEFT_DEVICE, "toy: device 1 is broken");
    EXPECT_EQ(wf_alloc_live(), live);
}

TEST_F(Module, ACpuDeviceStandsBesideThoseOfAModule) {
    if (!build("toy2", toy("toy2"))) GTEST_SKIP() << "no compiler, or WEFT_SOURCE_DIR is not set";
    const weft_device_ops *ops = nullptr;
    ASSERT_EQ(wf_device_module_load("toy2", folder.c_str(), &ops), WEFT_OK) << wf_last_error();

    open("toy2:1", 3, 8 * MiB);
    ASSERT_EQ(list.count, 2);
    EXPECT_EQ(list.nworking, 1);
    EXPECT_FALSE(list.device[0].is_cpu);
    EXPECT_TRUE(list.device[1].is_cpu);
    EXPECT_EQ(list.device[1].number, 1);
    EXPECT_EQ(list.device[1].info.memory_bytes, 8 * MiB);
    EXPECT_EQ(list.device[1].info.slots, 3);
    wf_device_list_close(&list);

    open("cpu:2,toy2:1", 3, 8 * MiB);  // asked for: they work like the others
    EXPECT_EQ(list.count, 3);
    EXPECT_EQ(list.nworking, 3);
}

TEST_F(Module, TheDefaultIsTheCudaDevicesThatCanBeOpened) {
    if (!build("cuda", toy("cuda"))) GTEST_SKIP() << "no compiler, or WEFT_SOURCE_DIR is not set";
    const weft_device_ops *ops = nullptr;
    ASSERT_EQ(wf_device_module_load("cuda", folder.c_str(), &ops), WEFT_OK) << wf_last_error();

    open("", 3, 8 * MiB);
    ASSERT_EQ(list.count, 2);  // the second toy cannot be opened
    EXPECT_STREQ(list.device[0].ops->kind, "cuda");
    EXPECT_TRUE(list.device[1].is_cpu);
    EXPECT_EQ(list.nworking, 1);
    wf_device_list_close(&list);

    setenv("TOY_DEVICES", "0", 1);  // for the rest of this process, whose module it stays
    open("", 3, 8 * MiB);
    ASSERT_EQ(list.count, 1);
    EXPECT_TRUE(list.device[0].is_cpu);
    EXPECT_EQ(list.nworking, 1);
}

TEST_F(DeviceList, SurvivesTheFailureOfEachAllocation) {
    const int64_t live = wf_alloc_live();
    for (int64_t n = 1;; n++) {
        wf_alloc_fail_at(n);
        const weft_status st = wf_device_list_open("cpu:2@4MiB,cpu", 2, 0, 0, &list);
        wf_alloc_fail_at(0);
        if (st == WEFT_OK) break;
        EXPECT_EQ(st, WEFT_NO_MEMORY);
        EXPECT_EQ(list.count, 0);
        EXPECT_EQ(wf_alloc_live(), live) << "allocation " << n;
        ASSERT_LT(n, 1000);
    }
    wf_device_list_close(&list);
}

}  // namespace

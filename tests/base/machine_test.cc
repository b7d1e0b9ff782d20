// SPDX-License-Identifier: Apache-2.0
// machine_test - limits read from made-up /proc and /sys trees: cgroups v1 and v2, nested, in
// containers, absent.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

extern "C" {
#include "base/machine.h"
}

namespace {

constexpr int64_t GiB = 1LL << 30;

struct Machine : testing::Test {
    char root[32] = "/tmp/weft-machine-XXXXXX";
    wf_machine m = {};
    void SetUp() override {
        ASSERT_NE(mkdtemp(root), nullptr);
        file("/proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:   8388608 kB\n");
    }
    ~Machine() override { std::filesystem::remove_all(root); }
    void file(const std::string &path, const std::string &text) {
        std::filesystem::path full = root + path;
        std::filesystem::create_directories(full.parent_path());
        std::ofstream(full) << text;
    }
    void probe(int affinity) { wf_machine_probe_at(root, affinity, &m); }
};

TEST_F(Machine, WithoutCgroupsIsTheWholeMachine) {
    probe(8);

    EXPECT_EQ(m.cpus, 8);
    EXPECT_EQ(m.memory_total, 16 * GiB);
    EXPECT_EQ(m.memory_limit, 16 * GiB);
    EXPECT_EQ(m.memory_available, 8 * GiB);
    EXPECT_GE(m.page_size, 4096);
}

TEST_F(Machine, ObeysEveryLevelOfVersion2) {
    file("/proc/self/cgroup", "0::/user.slice/job\n");
    file("/sys/fs/cgroup/user.slice/cpu.max", "250000 100000\n");
    file("/sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n");
    file("/sys/fs/cgroup/user.slice/memory.max", "4294967296\n");
    file("/sys/fs/cgroup/user.slice/memory.current", "3221225472\n");
    file("/sys/fs/cgroup/user.slice/memory.stat", "anon 1073741824\ninactive_file 2147483648\n");
    file("/sys/fs/cgroup/user.slice/job/memory.max", "max\n");

    probe(8);

    EXPECT_EQ(m.cpus, 3);  // 2.5, rounded up
    EXPECT_EQ(m.memory_limit, 4 * GiB);
    EXPECT_EQ(m.memory_available, 3 * GiB);  // files not in use can be dropped
    EXPECT_EQ(m.memory_total, 16 * GiB);
}

TEST_F(Machine, TakesTheSofterLimitOfVersion2) {
    file("/proc/self/cgroup", "0::/\n");
    file("/sys/fs/cgroup/memory.max", "4294967296\n");
    file("/sys/fs/cgroup/memory.high", "2147483648\n");

    probe(8);

    EXPECT_EQ(m.memory_limit, 2 * GiB);
}

TEST_F(Machine, ObeysVersion1) {
    file("/proc/self/cgroup",
         "9:name=systemd:/\n5:cpuacct,cpu:/docker/abc\n4:memory:/docker/abc\n2:cpuset:/\n");
    file("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "150000\n");
    file("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us", "100000\n");
    file("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "1073741824\n");
    file("/sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes", "536870912\n");
    file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");

    probe(8);

    EXPECT_EQ(m.cpus, 2);
    EXPECT_EQ(m.memory_limit, GiB);
    EXPECT_EQ(m.memory_available, GiB / 2);
}

TEST_F(Machine, ContainerWithForeignPathReadsItsMount) {
    file("/proc/self/cgroup", "5:cpu:/docker/abc\n4:memory:/docker/abc\n");
    file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    file("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");

    probe(8);

    EXPECT_EQ(m.cpus, 8);
    EXPECT_EQ(m.memory_limit, GiB);
}

TEST_F(Machine, AQuotaBelowOneCpuIsOne) {
    file("/proc/self/cgroup", "0::/\n");
    file("/sys/fs/cgroup/cpu.max", "10000 100000\n");

    probe(8);

    EXPECT_EQ(m.cpus, 1);
}

TEST_F(Machine, GarbageCountsAsUnlimited) {
    file("/proc/self/cgroup", "nonsense\n::\n0:\n:memory:\n0::/a\n");
    file("/sys/fs/cgroup/a/memory.max", "-5\n");
    file("/sys/fs/cgroup/a/cpu.max", "x y\n");
    file("/sys/fs/cgroup/memory.max", "\n");

    probe(8);

    EXPECT_EQ(m.cpus, 8);
    EXPECT_EQ(m.memory_limit, 16 * GiB);
}

TEST_F(Machine, AnExhaustedGroupHasNothingLeft) {
    file("/proc/self/cgroup", "0::/\n");
    file("/sys/fs/cgroup/memory.max", "1000000\n");
    file("/sys/fs/cgroup/memory.current", "2000000\n");

    probe(8);

    EXPECT_EQ(m.memory_available, 0);
}

TEST(MachineHere, IsPlausible) {
    wf_machine m;
    wf_text cpu = {};

    wf_machine_probe(&m);
    wf_machine_describe_cpu(&cpu);

    EXPECT_GE(m.cpus, 1);
    EXPECT_GT(m.memory_limit, 1 << 20);
    EXPECT_LE(m.memory_available, m.memory_limit);
    EXPECT_GT(cpu.length, 3);
    wf_text_fini(&cpu);
}

TEST(MachineHere, KnowsAMemoryFileSystem) {
    bool tmpfs = true;
    int64_t bytes = -1;

    EXPECT_EQ(wf_machine_is_tmpfs("/proc", &tmpfs), WEFT_OK);
    EXPECT_FALSE(tmpfs);
    if (std::filesystem::exists("/dev/shm")) {
        EXPECT_EQ(wf_machine_is_tmpfs("/dev/shm", &tmpfs), WEFT_OK);
        EXPECT_TRUE(tmpfs);
    }
    EXPECT_EQ(wf_machine_is_tmpfs("/nowhere", &tmpfs), WEFT_NOT_FOUND);
    EXPECT_STREQ(wf_last_error(), "machine: /nowhere: No such file or directory");
    EXPECT_EQ(wf_machine_disk_free("/tmp", &bytes), WEFT_OK);
    EXPECT_GE(bytes, 0);
}

}  // namespace

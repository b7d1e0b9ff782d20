// SPDX-License-Identifier: Apache-2.0
// spill_test - what is written comes back, whatever its size, alignment and codec; damage is noticed, a full disk is survived, and the
// file has no name.
#include "memory/fake_device.h"

#include <gtest/gtest.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>

extern "C" {
#include "memory/spill.h"
}

using fake::Folder;
using fake::World;

namespace {

constexpr int64_t KiB = 1024, MiB = 1024 * KiB;

// Memory aligned to pages, then moved off by SKEW bytes.
struct Bytes {
    char *base, *data;
    int64_t size;
    Bytes(int64_t n, int64_t skew = 0) : base(static_cast<char *>(aligned_alloc(4096, static_cast<size_t>((n + skew + 8192) / 4096 * 4096)))), data(base + skew), size(n) {}
    Bytes(const Bytes &) = delete;
    ~Bytes() { free(base); }
    void randomize(unsigned seed) {
        std::mt19937 random(seed);
        for (int64_t i = 0; i < size; i++) data[i] = static_cast<char>(random());
    }
    void smooth() {
        for (int64_t i = 0; i < size; i++) data[i] = static_cast<char>(i / 700);
    }
};

// Opens the nameless file in FOLDER a second time, to damage it; -1: not found.
int open_behind(const std::string &folder, int *fd_of_spill = nullptr) {
    int found = -1;
    DIR *dir = opendir("/proc/self/fd");
    for (dirent *e; dir && (e = readdir(dir));) {
        char link[4096] = {};
        const std::string path = std::string("/proc/self/fd/") + e->d_name;
        if (readlink(path.c_str(), link, sizeof link - 1) < 0 || std::string(link).rfind(folder + "/", 0) != 0) continue;
        found = open(path.c_str(), O_RDWR | O_CLOEXEC);
        if (fd_of_spill) *fd_of_spill = atoi(e->d_name);
        break;
    }
    if (dir) closedir(dir);
    return found;
}

void flip(const std::string &folder, int64_t offset) {
    char byte = 0;
    const int fd = open_behind(folder);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(pread(fd, &byte, 1, offset), 1);
    byte = static_cast<char>(byte ^ 0x10);
    ASSERT_EQ(pwrite(fd, &byte, 1, offset), 1);
    fsync(fd);
    close(fd);
}

struct Spill : testing::Test {
    Folder folder;
    wf_spill *spill = nullptr;
    void SetUp() override { ASSERT_EQ(wf_spill_create(folder.path.c_str(), &spill), WEFT_OK); }
    ~Spill() override { wf_spill_destroy(spill); }
    wf_extent *write(const Bytes &bytes, int64_t chunk = WF_SPILL_CHUNK) {
        const wf_spill_source source = {bytes.data, nullptr, nullptr};
        wf_extent *extent = nullptr;
        EXPECT_EQ(wf_spill_write(spill, &source, bytes.size, chunk, &extent), WEFT_OK) << wf_last_error();
        return extent;
    }
    wf_spill_usage usage() {
        wf_spill_usage u = {};
        wf_spill_get_usage(spill, &u);
        return u;
    }
};

TEST_F(Spill, GivesBackWhatWasWritten) {
    for (const auto how : {WF_COMPRESS_AUTO, WF_COMPRESS_NEVER, WF_COMPRESS_ALWAYS})
        for (const int64_t size : {INT64_C(1), INT64_C(4095), INT64_C(4096), 70001 * INT64_C(1), MiB, MiB + 1, 5 * MiB + 4097})
            for (const int64_t skew : {0, 64})
                for (const bool smooth : {false, true}) {
                    wf_spill_set_compress(spill, how);
                    Bytes in(size, skew), out(size, skew), skewed(size, 8);
                    if (smooth)
                        in.smooth();
                    else
                        in.randomize(static_cast<unsigned>(size));
                    wf_extent *extent = write(in);
                    ASSERT_EQ(wf_spill_read(spill, extent, 0, size, out.data), WEFT_OK) << wf_last_error();
                    ASSERT_EQ(memcmp(in.data, out.data, static_cast<size_t>(size)), 0) << size << " " << how;
                    ASSERT_EQ(wf_spill_read(spill, extent, 0, size, skewed.data), WEFT_OK);
                    ASSERT_EQ(memcmp(in.data, skewed.data, static_cast<size_t>(size)), 0);
                    for (const int64_t at : {size / 3, size / 2 / 4096 * 4096, size - 1}) {
                        ASSERT_EQ(wf_spill_read(spill, extent, at, size - at, out.data), WEFT_OK);
                        ASSERT_EQ(memcmp(in.data + at, out.data, static_cast<size_t>(size - at)), 0);
                    }
                    wf_extent_release(spill, extent);
                }
    wf_spill_trim(spill);
    EXPECT_EQ(usage().file_bytes, 0);
}

#ifdef WF_HAVE_LZ4
TEST_F(Spill, CompressedBytesTakeLessRoom) {
    Bytes in(8 * MiB);
    in.smooth();
    wf_spill_set_compress(spill, WF_COMPRESS_ALWAYS);
    wf_extent *extent = write(in);
    EXPECT_LT(wf_extent_stored(extent), MiB);
    wf_extent_release(spill, extent);
}
#endif

TEST_F(Spill, ReusesTheRoomOfWhatWasFreed) {
    Bytes in(MiB + 1);
    in.randomize(1);
    wf_spill_set_compress(spill, WF_COMPRESS_NEVER);
    std::mt19937 random(3);
    std::vector<wf_extent *> extents;
    for (int i = 0; i < 12; i++) extents.push_back(write(in));
    const int64_t bytes = usage().file_bytes;
    for (int i = 0; i < 60; i++) {
        const size_t k = random() % extents.size();
        wf_extent_release(spill, extents[k]);
        extents[k] = write(in);
    }
    EXPECT_EQ(usage().file_bytes, bytes);
    for (auto *e : extents) wf_extent_release(spill, e);
}

TEST_F(Spill, ItsFileHasNoName) {
    Bytes in(100);
    in.randomize(1);
    wf_extent *extent = write(in);
    DIR *dir = opendir(folder.path.c_str());
    ASSERT_NE(dir, nullptr);
    int entries = 0;
    while (readdir(dir)) entries++;
    closedir(dir);
    EXPECT_EQ(entries, 2) << ". and .. only";
    wf_extent_release(spill, extent);
}

TEST_F(Spill, NoticesDamageInTheChunkThatIsRead) {
    wf_spill_set_compress(spill, WF_COMPRESS_NEVER);
    Bytes in(3 * MiB), out(3 * MiB);
    in.randomize(1);
    wf_extent *extent = write(in);
    flip(folder.path, MiB + 12345);

    EXPECT_EQ(wf_spill_read(spill, extent, 0, MiB, out.data), WEFT_OK);
    EXPECT_EQ(wf_spill_read(spill, extent, 2 * MiB, 100, out.data), WEFT_OK);
    EXPECT_EQ(wf_spill_read(spill, extent, MiB, 1, out.data), WEFT_LOST);
    const std::string text = wf_last_error();
    EXPECT_EQ(text.rfind("spill: chunk 1 of 3145728 bytes spilled to '" + folder.path + "' is damaged: expected checksum ", 0), 0u)
        << text;
    EXPECT_EQ(wf_spill_read(spill, extent, 0, 3 * MiB, out.data), WEFT_LOST);
    wf_extent_release(spill, extent);
}

TEST_F(Spill, NoticesDamageInCompressedChunks) {
    wf_spill_set_compress(spill, WF_COMPRESS_ALWAYS);
    Bytes in(2 * MiB), out(2 * MiB);
    in.smooth();
    wf_extent *extent = write(in);
    flip(folder.path, 200);
    EXPECT_EQ(wf_spill_read(spill, extent, 0, 2 * MiB, out.data), WEFT_LOST) << wf_last_error();
    wf_extent_release(spill, extent);
}

TEST_F(Spill, AShortenedFileIsDamage) {
    Bytes in(MiB), out(MiB);
    in.randomize(1);
    wf_extent *extent = write(in);
    const int fd = open_behind(folder.path);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(ftruncate(fd, 65536), 0);
    close(fd);
    EXPECT_EQ(wf_spill_read(spill, extent, 0, MiB, out.data), WEFT_LOST);
    EXPECT_NE(strstr(wf_last_error(), "ends at byte"), nullptr) << wf_last_error();
    wf_extent_release(spill, extent);
}

TEST_F(Spill, WhatTheSourceCannotGiveIsAnErrorThatKeepsNothing) {
    const wf_spill_source source = {
        nullptr, [](void *, int64_t offset, int64_t, void *) { return wf_fail(WEFT_DEVICE, "source: no bytes at %d", static_cast<int>(offset)); },
        nullptr};
    wf_extent *extent = nullptr;
    wf_spill_set_compress(spill, WF_COMPRESS_NEVER);
    EXPECT_EQ(wf_spill_write(spill, &source, MiB, WF_SPILL_CHUNK, &extent), WEFT_DEVICE);
    EXPECT_STREQ(wf_last_error(), "source: no bytes at 0");
    EXPECT_EQ(extent, nullptr);
}

TEST_F(Spill, WorksWithoutDirectIO) {
    if (access("/dev/shm", W_OK) != 0) GTEST_SKIP() << "/dev/shm is not writable";
    wf_spill *other = nullptr;
    ASSERT_EQ(wf_spill_create("/dev/shm", &other), WEFT_OK);
    EXPECT_TRUE(wf_spill_is_memory(other));
    Bytes in(2 * MiB + 7), out(2 * MiB + 7);
    in.randomize(1);
    const wf_spill_source source = {in.data, nullptr, nullptr};
    wf_extent *extent = nullptr;
    ASSERT_EQ(wf_spill_write(other, &source, in.size, WF_SPILL_CHUNK, &extent), WEFT_OK) << wf_last_error();
    ASSERT_EQ(wf_spill_read(other, extent, 0, in.size, out.data), WEFT_OK);
    EXPECT_EQ(memcmp(in.data, out.data, static_cast<size_t>(in.size)), 0);
    wf_extent_release(other, extent);
    wf_spill_destroy(other);
}

TEST_F(Spill, TheStoreTellsWhenItsFolderIsMemory) {
    if (access("/dev/shm", W_OK) != 0) GTEST_SKIP() << "/dev/shm is not writable";
    World w;
    ASSERT_EQ(w.open("v", {MiB}, 0, "/dev/shm"), WEFT_OK);
    EXPECT_TRUE(w.usage().spill_is_memory);
}

// --- the same seen from the store ---

TEST(StoreOnDisk, ADamagedSpillFileLosesThatBlockOnly) {
    Folder folder;
    World w;
    ASSERT_EQ(w.open("v", {2 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_block *a = nullptr, *b = nullptr, *c = nullptr;
    bool same = false;
    ASSERT_EQ(w.make(0, MiB, 1, &a), WEFT_OK);
    ASSERT_EQ(w.make(0, MiB, 2, &b), WEFT_OK);
    ASSERT_EQ(w.make(0, 2 * MiB, 3, &c), WEFT_OK);
    ASSERT_FALSE(wf_block_is_resident(a, 0));
    flip(folder.path, 100);

    EXPECT_EQ(w.check(a, 0, 1, &same), WEFT_LOST);
    EXPECT_TRUE(wf_block_is_lost(a));
    EXPECT_EQ(w.check(a, 0, 1, &same), WEFT_LOST);
    EXPECT_STREQ(wf_last_error(), "store: a block of 1048576 bytes was lost with the only copy of it");
    EXPECT_EQ(w.check(b, 0, 2, &same), WEFT_OK);
    EXPECT_TRUE(same);
    EXPECT_EQ(w.check(c, 0, 3, &same), WEFT_OK);
    EXPECT_TRUE(same);
    for (auto *x : {a, b, c}) wf_block_release(x);
    EXPECT_EQ(w.usage().used, 0);
    EXPECT_EQ(w.usage().reserved, 0);
}

TEST(StoreOnDisk, AFullDiskLosesNothing) {
    Folder folder;
    struct SmallDisk {
        std::string path;
        bool mounted;
        ~SmallDisk() {
            if (mounted) umount2(path.c_str(), MNT_DETACH);
        }
    } disk = {folder.path, geteuid() == 0 && mount("tmpfs", folder.path.c_str(), "tmpfs", 0, "size=3m") == 0};
    if (!disk.mounted) GTEST_SKIP() << "needs root and the right to mount a small tmpfs";
    World w;
    ASSERT_EQ(w.open("v", {8 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    std::vector<wf_block *> blocks;
    weft_status st = WEFT_OK;
    for (int i = 0; st == WEFT_OK && i < 40; i++) {
        wf_block *b = nullptr;
        st = w.make(0, MiB - 1, i, &b);
        if (st == WEFT_OK) blocks.push_back(b);
    }
    EXPECT_EQ(st, WEFT_NO_SPACE);
    EXPECT_EQ(std::string(wf_last_error()).rfind("spill: cannot write ", 0), 0u) << wf_last_error();
    EXPECT_NE(strstr(wf_last_error(), "No space left on device"), nullptr) << wf_last_error();
    EXPECT_GE(blocks.size(), 9u);
    std::vector<unsigned char> out(MiB);
    for (size_t i = 0; i < blocks.size(); i++) {
        ASSERT_EQ(wf_block_read(blocks[i], 0, MiB - 1, out.data()), WEFT_OK) << wf_last_error();
        EXPECT_TRUE(w.holds(0, out.data(), MiB - 1, static_cast<int>(i)));
    }
    wf_block_release(blocks.back());
    blocks.pop_back();
    wf_block *b = nullptr;
    EXPECT_EQ(w.make(0, MiB - 1, 1, &b), WEFT_OK) << "the store goes on: " << wf_last_error();
    wf_block_release(b);
    for (auto *x : blocks) wf_block_release(x);
}

// One scenario with every kind of step, in which the n-th allocation fails, for every n.
weft_status run_scenario(World &w, const char *dir) {
    wf_block *block[4] = {};
    weft_status st = w.open("vh", {2 * MiB, MiB}, 3 * MiB, dir);
    bool same = true;
    for (int i = 0; i < 4 && st == WEFT_OK; i++) st = w.make(i % 2, i == 3 ? 300 : MiB - 5, i, &block[i]);
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < 4 && st == WEFT_OK; i++) {
            same = true;
            st = w.check(block[i], (i + turn) % 2, i, &same);
            EXPECT_TRUE(same);
        }
    char byte = 0;
    if (st == WEFT_OK) st = wf_block_read(block[0], 77, 1, &byte);
    // Whatever failed: what was made is not lost.
    wf_alloc_fail_at(0);
    for (int i = 0; i < 4; i++) {
        if (!block[i]) continue;
        EXPECT_EQ(w.check(block[i], i % 2, i, &same), WEFT_OK) << wf_last_error();
        EXPECT_TRUE(same) << i;
        wf_block_release(block[i]);
    }
    if (w.store) {
        for (int d = -1; d < 2; d++) {
            EXPECT_EQ(w.usage(d).used, 0) << d;
            EXPECT_EQ(w.usage(d).reserved, 0) << d;
        }
        EXPECT_EQ(w.usage().spilled, 0);
        EXPECT_EQ(w.usage().blocks, 0);
    }
    w.close();
    return st;
}

TEST(StoreMemory, SurvivesTheFailureOfEachAllocation) {
    Folder folder;
    const int64_t live = wf_alloc_live();
    for (int64_t n = 1;; n++) {
        World w;
        wf_alloc_fail_at(n);
        const weft_status st = run_scenario(w, folder.path.c_str());
        ASSERT_EQ(wf_alloc_live(), live) << "allocation " << n;
        if (st == WEFT_OK && n > 60) break;
        if (st != WEFT_OK) {
            EXPECT_EQ(st, WEFT_NO_MEMORY) << n << " " << wf_last_error();
        }
        ASSERT_LT(n, 500) << wf_last_error();
    }
}

}  // namespace

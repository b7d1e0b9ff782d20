// SPDX-License-Identifier: Apache-2.0
// save_test - what a save promises: the old array or the new one, whatever goes wrong; nothing left behind;
// memory, disks and rights that run out are errors with a sentence.
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "io/io_helper.h"

class SaveTest : public IoTest, public ::testing::WithParamInterface<const char *> {
  protected:
    std::string Name() const { return std::string("a") + GetParam(); }
    std::string Target(const std::string &dir = "") const {
        return (dir.empty() ? folder : dir) + "/" + Name();
    }
    Save Small() const {
        Save save;
        save.shape = { 16, 16 };
        save.chunk = std::string(GetParam()) == ".zarr" ? std::vector<int64_t>{ 8, 8 }
                                                        : std::vector<int64_t>{};
        return save;
    }
    Bytes Read(const std::string &path) const {
        if (std::string(GetParam()) == ".png") {
            std::string text = ReadText(path);
            return Bytes(text.begin(), text.end());
        }
        wf_open_options opts = {};
        opts.raw = true;
        opts.dtype = WEFT_FLOAT32;
        opts.shape = Shape({ 16, 16 });
        return ReadAll(path, {}, std::string(GetParam()) == ".raw" ? &opts : nullptr);
    }
    // What Read gives after DATA was saved.
    Bytes Saved(const Bytes &data) {
        if (std::string(GetParam()) != ".png") return data;
        EXPECT_EQ(WriteAll(Path("reference.png"), Small(), data), WEFT_OK) << wf_last_error();
        Bytes bytes = Read(Path("reference.png"));
        unlink(Path("reference.png").c_str());
        return bytes;
    }
    bool IsFormat(const char *suffix) const { return std::string(GetParam()) == suffix; }
    std::string Error() const { return wf_last_error(); }
};

TEST_P(SaveTest, AnExistingNameIsAnErrorUnlessOverwritten) {
    Bytes first = Pattern(WEFT_FLOAT32, 256), second = Pattern(WEFT_FLOAT32, 256, 1);
    Bytes want_first = Saved(first), want_second = Saved(second);
    Save save = Small();
    ASSERT_EQ(WriteAll(Target(), save, first), WEFT_OK) << Error();

    EXPECT_EQ(WriteAll(Target(), save, second), WEFT_EXISTS);
    EXPECT_EQ(Error(), std::string(IsFormat(".raw") ? "raw" : GetParam() + 1) + ": '" + Target() +
                           "' already exists");
    EXPECT_EQ(Read(Target()), want_first);
    save.overwrite = true;
    ASSERT_EQ(WriteAll(Target(), save, second), WEFT_OK) << Error();
    EXPECT_EQ(Read(Target()), want_second);
    EXPECT_EQ(List(), Name());
}

TEST_P(SaveTest, ANameTakenMeanwhileIsNotReplaced) {
    Bytes data = Pattern(WEFT_FLOAT32, 256);
    wf_create_options opts = Options(Small());
    wf_writer *writer = nullptr;
    ASSERT_EQ(wf_writer_create(Target().c_str(), &opts, &writer), WEFT_OK) << Error();
    ASSERT_EQ(WriteBox(writer, Box({ 0, 0 }, { 16, 16 }), data), WEFT_OK) << Error();
    WriteText(Target(), "somebody's");

    EXPECT_EQ(wf_writer_commit(writer), WEFT_EXISTS);
    EXPECT_EQ(ReadText(Target()), "somebody's");
    EXPECT_EQ(List(), Name());
}

TEST_P(SaveTest, AbortLeavesTheOldArrayAndNothingElse) {
    Bytes first = Pattern(WEFT_FLOAT32, 256), want = Saved(first);
    Save save = Small();
    ASSERT_EQ(WriteAll(Target(), save, first), WEFT_OK);
    save.overwrite = true;
    wf_create_options opts = Options(save);
    wf_writer *writer = nullptr;
    ASSERT_EQ(wf_writer_create(Target().c_str(), &opts, &writer), WEFT_OK);
    ASSERT_EQ(WriteBox(writer, Box({ 0, 0 }, { 16, 16 }), Pattern(WEFT_FLOAT32, 256, 1)), WEFT_OK);

    wf_writer_abort(writer);

    EXPECT_EQ(Read(Target()), want);
    EXPECT_EQ(List(), Name());
}

TEST_P(SaveTest, AKilledSaveLeavesTheOldArrayAndTheNextSaveCleansUp) {
    Bytes first = Pattern(WEFT_FLOAT32, 256), second = Pattern(WEFT_FLOAT32, 256, 1);
    Bytes want_first = Saved(first), want_second = Saved(second);
    Save save = Small();
    ASSERT_EQ(WriteAll(Target(), save, first), WEFT_OK);
    save.overwrite = true;
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        wf_create_options opts = Options(save);
        wf_writer *writer = nullptr;
        if (wf_writer_create(Target().c_str(), &opts, &writer) != WEFT_OK) _exit(1);
        if (WriteBox(writer, Box({ 0, 0 }, { 16, 16 }), second) != WEFT_OK) _exit(2);
        raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);

    EXPECT_EQ(Read(Target()), want_first);
    EXPECT_NE(List(), Name());
    ASSERT_EQ(WriteAll(Target(), save, second), WEFT_OK) << Error();
    EXPECT_EQ(Read(Target()), want_second);
    EXPECT_EQ(List(), Name());
}

TEST_P(SaveTest, WhatReplacesAnotherHasItsMode) {
    Save save = Small();
    struct stat st;
    ASSERT_EQ(WriteAll(Target(), save, Pattern(WEFT_FLOAT32, 256)), WEFT_OK);
    ASSERT_EQ(stat(Target().c_str(), &st), 0);
    mode_t mode = S_ISDIR(st.st_mode) ? 0700 : 0600;
    ASSERT_EQ(chmod(Target().c_str(), mode), 0);
    save.overwrite = true;

    ASSERT_EQ(WriteAll(Target(), save, Pattern(WEFT_FLOAT32, 256, 1)), WEFT_OK) << Error();

    ASSERT_EQ(stat(Target().c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, mode);
}

TEST_P(SaveTest, AFullDiskKeepsTheOldArrayAndLeavesNothing) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to mount a small tmpfs";
    std::string disk = Path("disk");
    mkdir(disk.c_str(), 0700);
    if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1m") != 0)
        GTEST_SKIP() << "cannot mount a tmpfs: " << strerror(errno);
    Bytes first = Pattern(WEFT_FLOAT32, 256), want = Saved(first);
    Save save = Small();
    weft_status st = WriteAll(Target(disk), save, first);
    EXPECT_EQ(st, WEFT_OK) << Error();
    save.overwrite = true;
    save.shape = { 1024, 1024 };
    if (!save.chunk.empty()) save.chunk = { 256, 256 };
    Bytes noise(4 << 20);
    uint64_t x = 1;
    for (auto &byte : noise)
        byte = static_cast<unsigned char>((x = x * 6364136223846793005u + 1442695040888963407u) >>
                                          56); // nothing to compress

    if (!IsFormat(".zarr")) { // found before a long computation, not after it
        wf_create_options opts = Options(save);
        wf_writer *writer = nullptr;
        EXPECT_EQ(wf_writer_create(Target(disk).c_str(), &opts, &writer), WEFT_NO_SPACE);
        wf_writer_abort(writer);
    }
    EXPECT_EQ(WriteAll(Target(disk), save, noise), WEFT_NO_SPACE);
    EXPECT_NE(Error().find("No space left on device"), std::string::npos) << Error();
    EXPECT_NE(Error().find(Name()), std::string::npos) << Error();
    EXPECT_EQ(List(disk), Name());
    EXPECT_EQ(Read(Target(disk)), want);
    EXPECT_EQ(WriteAll(disk + "/new" + GetParam(), save, noise), WEFT_NO_SPACE);
    EXPECT_EQ(List(disk), Name());
    EXPECT_EQ(umount2(disk.c_str(), MNT_DETACH), 0);
}

TEST_P(SaveTest, AnUnwritableFolderIsDenied) {
    std::string dir = Path("locked");
    mkdir(dir.c_str(), 0755);
    chmod(folder.c_str(), 0755);
    chmod(dir.c_str(), 0555);
    bool root = geteuid() == 0;
    if (root && seteuid(65534) != 0)
        GTEST_SKIP() << "cannot give up root's rights: " << strerror(errno);

    weft_status st = WriteAll(Target(dir), Small(), Pattern(WEFT_FLOAT32, 256));

    std::string error = Error();
    ASSERT_EQ(root ? seteuid(0) : 0, 0);
    EXPECT_EQ(st, WEFT_DENIED);
    EXPECT_EQ(error.substr(error.find(':')),
              ": cannot create '" + Target(dir) + "': Permission denied");
    EXPECT_EQ(List(dir), "");
}

TEST_P(SaveTest, AMissingFolderIsNotFound) {
    EXPECT_EQ(WriteAll(Target(Path("no/where")), Small(), Pattern(WEFT_FLOAT32, 256)),
              WEFT_NOT_FOUND);
    EXPECT_EQ(Error().substr(Error().find(':')),
              ": cannot create '" + Target(Path("no/where")) + "': No such file or directory");
    EXPECT_EQ(List(), "");
}

TEST_P(SaveTest, AFinalLinkIsWrittenThrough) {
    mkdir(Path("other").c_str(), 0700);
    Bytes data = Pattern(WEFT_FLOAT32, 256), want = Saved(data);
    Save save = Small();
    ASSERT_EQ(WriteAll(Target(Path("other")), save, Pattern(WEFT_FLOAT32, 256, 1)), WEFT_OK);
    ASSERT_EQ(symlink(("other/" + Name()).c_str(), Target().c_str()), 0);
    save.overwrite = true;

    ASSERT_EQ(WriteAll(Target(), save, data), WEFT_OK) << Error();

    struct stat st;
    ASSERT_EQ(lstat(Target().c_str(), &st), 0);
    EXPECT_TRUE(S_ISLNK(st.st_mode));
    EXPECT_EQ(Read(Target(Path("other"))), want);
    EXPECT_EQ(List(Path("other")), Name());
}

// Every allocation of a save and of a read fails once: the answer is WEFT_NO_MEMORY, nothing leaks,
// nothing is left, the old array stays.
TEST_P(SaveTest, EveryFailingAllocationIsReportedAndLeavesNothing) {
    Bytes first = Pattern(WEFT_FLOAT32, 256), second = Pattern(WEFT_FLOAT32, 256, 1);
    Bytes want_first = Saved(first), want_second = Saved(second);
    Save save = Small();
    if (IsFormat(".zarr")) {
        save.attributes = "{\"a\": 1}";
        save.dims = "x,y";
    }
    ASSERT_EQ(WriteAll(Target(), save, first), WEFT_OK);
    save.overwrite = true;
    int64_t live = wf_alloc_live();
    int failures = 0;
    for (int n = 1;; n++) {
        wf_alloc_fail_at(n);
        weft_status st = WriteAll(Target(), save, second);
        std::string error = Error();
        wf_alloc_fail_at(0);
        ASSERT_EQ(wf_alloc_live(), live) << n;
        if (st == WEFT_OK) break;
        failures++;
        EXPECT_EQ(st, WEFT_NO_MEMORY) << n << ": " << error;
        ASSERT_EQ(List(), Name()) << n << ": " << error;
        Bytes now = Read(Target());
        ASSERT_TRUE(now == want_first || now == want_second) << n;
        ASSERT_LT(n, 2000);
    }
    EXPECT_GT(failures, 3);
    EXPECT_EQ(Read(Target()), want_second);
}

TEST_P(SaveTest, EveryFailingAllocationOfAReadIsReported) {
    if (IsFormat(".png")) return; // written only
    Save save = Small();
    if (IsFormat(".zarr")) save.dims = "x,y";
    ASSERT_EQ(WriteAll(Target(), save, Pattern(WEFT_FLOAT32, 256)), WEFT_OK);
    wf_open_options opts = {};
    opts.raw = IsFormat(".raw");
    opts.dtype = WEFT_FLOAT32;
    opts.shape = Shape({ 16, 16 });
    int64_t live = wf_alloc_live();
    for (int n = 1;; n++) {
        wf_file *file = nullptr;
        wf_text text = {};
        Bytes out;
        wf_alloc_fail_at(n);
        weft_status st = wf_file_open(Target().c_str(), &opts, &file);
        if (st == WEFT_OK) st = ReadBox(file, Box({ 3, 3 }, { 9, 9 }), &out);
        wf_file_close(file);
        if (st == WEFT_OK && !opts.raw) st = wf_file_describe(Target().c_str(), &text);
        wf_alloc_fail_at(0);
        wf_text_fini(&text);
        ASSERT_EQ(wf_alloc_live(), live) << n;
        if (st == WEFT_OK) break;
        EXPECT_EQ(st, WEFT_NO_MEMORY) << n << ": " << Error();
        ASSERT_LT(n, 2000);
    }
}

#ifdef WF_HAVE_PNG
INSTANTIATE_TEST_SUITE_P(Formats, SaveTest, ::testing::Values(".npy", ".raw", ".zarr", ".png"),
                         [](const ::testing::TestParamInfo<const char *> &info) {
                             return std::string(info.param + 1);
                         });
#else
INSTANTIATE_TEST_SUITE_P(Formats, SaveTest, ::testing::Values(".npy", ".raw", ".zarr"),
                         [](const ::testing::TestParamInfo<const char *> &info) {
                             return std::string(info.param + 1);
                         });
#endif

class SaveAnything : public IoTest {};

TEST_F(SaveAnything, GroupWritesAndRegionsSurviveFailingAllocations) {
    Save save, region;
    save.shape = { 8 };
    save.chunk = { 4 };
    save.overwrite = true;
    Bytes data = Pattern(WEFT_FLOAT32, 8);
    int64_t live = wf_alloc_live();
    for (int n = 1;; n++) {
        wf_alloc_fail_at(n);
        weft_status st = WriteAll(Path("g.zarr/a/u"), save, data);
        wf_alloc_fail_at(0);
        ASSERT_EQ(wf_alloc_live(), live);
        if (st == WEFT_OK) break;
        EXPECT_EQ(st, WEFT_NO_MEMORY) << n << ": " << wf_last_error();
        ASSERT_LT(n, 2000);
    }
    WriteText(Path("g.zarr/.zmetadata"), "{\"metadata\": {\".zgroup\": {}}}");
    for (int n = 1;; n++) {
        wf_alloc_fail_at(n);
        weft_status st = WriteAll(Path("g.zarr/a/u"), save, data);
        wf_alloc_fail_at(0);
        ASSERT_EQ(wf_alloc_live(), live);
        if (st == WEFT_OK) break;
        EXPECT_EQ(st, WEFT_NO_MEMORY) << n << ": " << wf_last_error();
        ASSERT_LT(n, 2000);
    }
    region = save;
    region.region = true;
    for (int n = 1;; n++) {
        wf_create_options opts = Options(region);
        wf_writer *writer = nullptr;
        wf_alloc_fail_at(n);
        weft_status st = wf_writer_create(Path("g.zarr/a/u").c_str(), &opts, &writer);
        if (st == WEFT_OK) st = WriteBox(writer, Box({ 2 }, { 4 }), Pattern(WEFT_FLOAT32, 4, 3));
        if (st == WEFT_OK)
            st = wf_writer_commit(writer);
        else
            wf_writer_abort(writer);
        wf_alloc_fail_at(0);
        ASSERT_EQ(wf_alloc_live(), live);
        if (st == WEFT_OK) break;
        EXPECT_EQ(st, WEFT_NO_MEMORY) << n << ": " << wf_last_error();
        ASSERT_LT(n, 2000);
    }
    EXPECT_EQ(List(), "g.zarr");
    EXPECT_EQ(List(Path("g.zarr")), ".zgroup .zmetadata a");
    EXPECT_EQ(List(Path("g.zarr/a")), ".zgroup u");
}

TEST_F(SaveAnything, BadArgumentsAreRefused) {
    Save save;
    save.shape = { 4 };
    Bytes data = Pattern(WEFT_FLOAT32, 4);
    struct Case {
        std::string path;
        weft_status status;
        std::string text;
    };
    for (const Case &c : std::vector<Case>{
             { "", WEFT_INVALID, "save: the path is empty" },
             { Path("x.tiff"), WEFT_INVALID,
               "save: '" + Path("x.tiff") + "' must end in .npy, .zarr, .png, .raw or .bin" },
             { "s3://bucket/x.zarr", WEFT_UNSUPPORTED,
               "save: 's3://bucket/x.zarr': files under s3:// are not supported" },
             { Path(".npy"), WEFT_INVALID,
               "save: '" + Path(".npy") + "' must end in .npy, .zarr, .png, .raw or .bin" },
             { Path("g.zarr/.zarray"), WEFT_INVALID,
               "zarr: name '.zarray' in '" + Path("g.zarr") + "' begins with a dot" },
         }) {
        EXPECT_EQ(WriteAll(c.path, save, data), c.status);
        EXPECT_EQ(std::string(wf_last_error()), c.text);
    }
    save.chunk = { 0 };
    EXPECT_EQ(WriteAll(Path("a.zarr"), save, data), WEFT_INVALID);
    EXPECT_EQ(std::string(wf_last_error()),
              "save: '" + Path("a.zarr") + "': chunk size on axis 0 must be >= 1, got 0");
    save.chunk = { 1, 1 };
    EXPECT_EQ(WriteAll(Path("a.zarr"), save, data), WEFT_INVALID);
    EXPECT_EQ(std::string(wf_last_error()),
              "save: '" + Path("a.zarr") + "': 2 chunk sizes for 1 axes");
    EXPECT_EQ(OpenStatus(""), WEFT_INVALID);
    EXPECT_EQ(OpenStatus(Path("nothing")), WEFT_NOT_FOUND);
    EXPECT_EQ(std::string(wf_last_error()), "open: no file or folder '" + Path("nothing") + "'");
    WriteText(Path("text"), "hello");
    EXPECT_EQ(OpenStatus(Path("text")), WEFT_FORMAT);
    EXPECT_EQ(
        std::string(wf_last_error()),
        "open: '" + Path("text") +
            "' is in no format that Weft reads (.npy, .zarr; raw data with a dtype and a shape)");
    EXPECT_EQ(List(), "text");
}

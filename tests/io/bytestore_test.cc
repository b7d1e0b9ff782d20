// SPDX-License-Identifier: Apache-2.0
// bytestore_test - byte stores, hidden neighbours and JSON text: what the array formats stand on.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "io/io_helper.h"

extern "C" {
#include "io/bytestore.h"
#include "io/json.h"
#include "io/temp.h"
}

// Every test runs with the kernel's own resolution and with the one for older kernels.
class Bytestore : public IoTest, public ::testing::WithParamInterface<bool> {
  protected:
    void SetUp() override {
        IoTest::SetUp();
        wf_bytestore_folder_plain(GetParam());
        ASSERT_EQ(wf_bytestore_open_folder(folder.c_str(), nullptr, &store), WEFT_OK);
    }
    void TearDown() override {
        wf_bytestore_close(store);
        wf_bytestore_folder_plain(false);
        IoTest::TearDown();
    }
    weft_status Put(const char *key, const std::string &text) {
        return wf_bytestore_write(store, key, text.data(), static_cast<int64_t>(text.size()));
    }
    std::string Get(const char *key) {
        char *data = nullptr;
        int64_t size = 0;
        if (wf_bytestore_read_whole(store, key, 1000, &data, &size) != WEFT_OK)
            return wf_last_error();
        std::string text = data ? std::string(data, static_cast<size_t>(size)) : "(missing)";
        wf_free(data);
        return text;
    }
    wf_bytestore *store = nullptr;
};

static weft_status Collect(void *context, const char *name, bool folder) {
    static_cast<std::vector<std::string> *>(context)->push_back(std::string(name) +
                                                                (folder ? "/" : ""));
    return WEFT_OK;
}

TEST_P(Bytestore, KeepsWhatIsPut) {
    ASSERT_EQ(Put("a", "one"), WEFT_OK) << wf_last_error();
    ASSERT_EQ(Put("b/c/d", "two"), WEFT_OK) << wf_last_error();
    ASSERT_EQ(Put("a", ""), WEFT_OK);

    EXPECT_EQ(Get("a"), "");
    EXPECT_EQ(Get("b/c/d"), "two");
    EXPECT_EQ(Get("b/x"), "(missing)");
    EXPECT_EQ(Get("a/x"), "(missing)");
    EXPECT_EQ(List(), "a b");
}

TEST_P(Bytestore, ReadsRangesAndTellsTheSize) {
    ASSERT_EQ(Put("k", "0123456789"), WEFT_OK);
    char out[5] = "....";
    int64_t size = 0;
    bool found = false;

    ASSERT_EQ(wf_bytestore_read(store, "k", 3, out, 4, &size, &found), WEFT_OK);
    EXPECT_EQ(std::string(out), "3456");
    EXPECT_EQ(size, 10);
    EXPECT_TRUE(found);
    ASSERT_EQ(wf_bytestore_read(store, "k", 8, out, 4, &size, &found), WEFT_OK);
    EXPECT_EQ(std::string(out), "8956");
    ASSERT_EQ(wf_bytestore_read(store, "k", 20, out, 4, &size, &found), WEFT_OK);
    EXPECT_EQ(std::string(out), "8956");
}

TEST_P(Bytestore, ListsRenamesAndRemoves) {
    ASSERT_EQ(Put("x", "1"), WEFT_OK);
    ASSERT_EQ(Put("d/y", "2"), WEFT_OK);
    ASSERT_EQ(wf_bytestore_rename(store, "x", "d/e/z"), WEFT_OK) << wf_last_error();
    ASSERT_EQ(wf_bytestore_remove(store, "d/y"), WEFT_OK);
    ASSERT_EQ(wf_bytestore_remove(store, "never/was"), WEFT_OK);
    std::vector<std::string> top, below, none;

    ASSERT_EQ(wf_bytestore_list(store, "", Collect, &top), WEFT_OK);
    ASSERT_EQ(wf_bytestore_list(store, "d", Collect, &below), WEFT_OK);
    ASSERT_EQ(wf_bytestore_list(store, "q", Collect, &none), WEFT_OK);

    EXPECT_EQ(top, std::vector<std::string>{ "d/" });
    EXPECT_EQ(below, std::vector<std::string>{ "e/" });
    EXPECT_TRUE(none.empty());
    EXPECT_EQ(Get("d/e/z"), "1");
}

TEST_P(Bytestore, RefusesKeysThatLeaveIt) {
    WriteText(Path("secret"), "s");
    ASSERT_EQ(Put("sub/file", "f"), WEFT_OK);
    wf_bytestore *sub = nullptr;
    ASSERT_EQ(wf_bytestore_open_folder(folder.c_str(), "sub", &sub), WEFT_OK);
    symlink("../secret", Path("sub/link").c_str());
    symlink("..", Path("sub/up").c_str());
    int64_t size;
    bool found;
    char byte;
    std::string long_key(2000, 'k');

    for (const char *key : { "../secret", "/etc/passwd", "", "a//b", "a/", "a/./b", "a/../../b",
                             "..", long_key.c_str() }) {
        EXPECT_EQ(wf_bytestore_read(sub, key, 0, &byte, 1, &size, &found), WEFT_INVALID) << key;
        EXPECT_EQ(wf_bytestore_write(sub, key, "x", 1), WEFT_INVALID) << key;
        EXPECT_EQ(std::string(wf_last_error()), "store '" + folder + "/sub': key '" +
                                                    std::string(key).substr(0, 100) +
                                                    "' climbs out of it or is no list of names");
    }
    for (const char *key : { "link", "up/secret" }) {
        EXPECT_EQ(wf_bytestore_read(sub, key, 0, &byte, 1, &size, &found), WEFT_DENIED) << key;
        EXPECT_EQ(std::string(wf_last_error()),
                  "store '" + folder + "/sub': '" + key + "' is a link that leads out of it");
    }
    EXPECT_EQ(wf_bytestore_write(sub, "up/secret", "x", 1), WEFT_DENIED);
    EXPECT_EQ(wf_bytestore_write(sub, "link", "x", 1),
              WEFT_OK); // replaces the link, not what it names
    EXPECT_EQ(ReadText(Path("secret")), "s");
    EXPECT_EQ(List(Path("sub")), "file link up");
    wf_bytestore_close(sub);
}

TEST_P(Bytestore, RefusesWhatIsNoPlainFileAndWhatIsTooLong) {
    ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
    mkdir(Path("dir").c_str(), 0700);
    ASSERT_EQ(Put("long", std::string(1001, 'x')), WEFT_OK);

    EXPECT_EQ(Get("pipe"), "'" + folder + "/pipe' is not a regular file");
    EXPECT_EQ(Get("dir"), "'" + folder + "/dir' is not a regular file");
    EXPECT_EQ(Get("long"),
              "store '" + folder + "': 'long' should have at most 1000 bytes, has 1001");
}

TEST_P(Bytestore, StampChangesWithTheObjects) {
    ASSERT_EQ(Put("k", "1"), WEFT_OK);
    uint64_t first = wf_bytestore_stamp(store);
    EXPECT_EQ(wf_bytestore_stamp(store), first);
    for (int i = 0; i < 100000 && wf_bytestore_stamp(store) == first;
         i++) // the clock of a file system may be coarse
        ASSERT_EQ(Put("k", "2"), WEFT_OK);
    EXPECT_NE(wf_bytestore_stamp(store), first);
}

INSTANTIATE_TEST_SUITE_P(Kernel, Bytestore, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool> &info) {
                             return info.param ? "Plain" : "Openat2";
                         });

class Temp : public IoTest {};

TEST_F(Temp, SweepRemovesOnlyWhatDeadProcessesOfThisHostLeft) {
    char *mine = wf_temp_path(Path("a").c_str());
    std::string own = wf_path_name(mine), dead = own, other = own, stranger = own;
    wf_free(mine);
    std::string pid = "-" + std::to_string(getpid()) + "-";
    pid_t child = fork();
    if (child == 0) _exit(0);
    ASSERT_GT(child, 0);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    dead.replace(dead.find(pid), pid.size(), "-" + std::to_string(child) + "-");
    other.replace(other.find(pid), pid.size(), "-1-");
    stranger = dead;
    stranger.replace(stranger.find(".weft-") + 6, 8, "00000000");
    for (const std::string &name :
         { own, other, stranger, std::string(".a.weft-x.tmp"), std::string("a"), ".b" + dead, "x" + dead })
        WriteText(Path(name), "");
    mkdir(Path(dead).c_str(), 0700);
    WriteText(Path(dead) + "/0.0", "chunk");

    wf_temp_sweep(folder.c_str());

    EXPECT_NE(access(Path(dead).c_str(), F_OK), 0);
    EXPECT_NE(access(Path(".b" + dead).c_str(), F_OK), 0);  // of another name
    for (const std::string &name :
         { own, other, stranger, std::string(".a.weft-x.tmp"), std::string("a"), "x" + dead })
        EXPECT_EQ(access(Path(name).c_str(), F_OK), 0) << name;
}

TEST_F(Temp, LongNamesStillFit) {
    std::string name(250, 'n');
    char *temp = wf_temp_path(Path(name).c_str());
    ASSERT_NE(temp, nullptr);
    WriteText(temp, "x");
    EXPECT_LE(std::string(wf_path_name(temp)).size(), 255u);
    wf_free(temp);
}

TEST(Json, ReadsValuesInPlace) {
    const std::string text =
        " {\"a\": [1, -2.5e3, true, null], \"b\\u0041\": \"x\\n\\ud83d\\ude00\\ud800\", \"a2\": {}, \"n\": NaN} ";
    wf_json root, a, item;
    ASSERT_EQ(wf_json_check("t", text.data(), text.size(), &root), WEFT_OK) << wf_last_error();
    const char *at = nullptr;
    double d = 0;
    int64_t i = 0;
    char s[32];

    ASSERT_TRUE(wf_json_member(root, "a", &a));
    ASSERT_TRUE(wf_json_next(a, &at, nullptr, &item));
    EXPECT_TRUE(wf_json_i64(item, &i) && i == 1);
    ASSERT_TRUE(wf_json_next(a, &at, nullptr, &item));
    EXPECT_TRUE(wf_json_f64(item, &d) && d == -2500);
    EXPECT_FALSE(wf_json_i64(item, &i));
    ASSERT_TRUE(wf_json_next(a, &at, nullptr, &item));
    EXPECT_TRUE(wf_json_is_true(item));
    ASSERT_TRUE(wf_json_next(a, &at, nullptr, &item));
    EXPECT_EQ(wf_json_get_kind(item), WF_JSON_NULL);
    EXPECT_FALSE(wf_json_next(a, &at, nullptr, &item));
    ASSERT_TRUE(wf_json_member(root, "bA", &item));
    ASSERT_TRUE(wf_json_string(item, s, sizeof s));
    EXPECT_STREQ(s, "x\n\xF0\x9F\x98\x80\xEF\xBF\xBD");
    EXPECT_FALSE(wf_json_string(item, s, 3));
    EXPECT_FALSE(wf_json_member(root, "b", &item));
    ASSERT_TRUE(wf_json_member(root, "n", &item));
    EXPECT_TRUE(wf_json_f64(item, &d) && d != d);
}

TEST(Json, RefusesWhatIsNotJson) {
    const std::string deep = std::string(200, '[') + std::string(200, ']');
    for (std::string text : std::vector<std::string>{
             "", "{", "[1,]", "{\"a\" 1}", "{a: 1}", "01", "1.", "-", "1e", "\"a", "\"\\x\"",
             "\"\\u12\"", "tru", "[1] 2", "{\"a\":1,}", "\"\n\"", "nul", deep }) {
        wf_json root = {};
        EXPECT_EQ(wf_json_check("t", text.data(), text.size(), &root), WEFT_FORMAT) << text;
        EXPECT_EQ(std::string(wf_last_error()).find("t: malformed JSON: expected "), 0u);
        EXPECT_EQ(root.at, nullptr);
    }
}

TEST(Json, QuotedTextReadsBack) {
    wf_text text = {};
    wf_json_quote(&text, "a\"b\\c\n\x01\xC3\xA9");
    wf_json root;
    char out[32];
    ASSERT_EQ(wf_json_check("t", text.data, static_cast<size_t>(text.length), &root), WEFT_OK);
    ASSERT_TRUE(wf_json_string(root, out, sizeof out));
    EXPECT_STREQ(out, "a\"b\\c\n\x01\xC3\xA9");
    wf_text_fini(&text);
}

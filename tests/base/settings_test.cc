// SPDX-License-Identifier: Apache-2.0
// settings_test - each source of settings, their order, their origins, and what is said about bad
// ones.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include "base/settings.h"
}

namespace {

struct Settings : testing::Test {
    wf_settings *s = nullptr;
    void SetUp() override {
        setenv("XDG_CONFIG_HOME", "/nowhere", 1);
        ASSERT_EQ(wf_settings_create(&s), WEFT_OK);
    }
    ~Settings() override { wf_settings_destroy(s); }

    weft_status set(const char *key, const char *value) { return wf_settings_set(s, key, value, "--here"); }
    weft_status env(std::vector<const char *> entries) {
        entries.push_back(nullptr);
        return wf_settings_parse_env(s, (char *const *)entries.data());
    }
    weft_status yaml(const std::string &text) {
        return wf_settings_parse_yaml(s, "x.yaml", text.data(), text.size());
    }
    std::string text(wf_setting key) { return wf_settings_text(s, key); }
    std::string origin(wf_setting key) { return wf_settings_origin(s, key); }
    std::string print() {
        wf_text out = {};
        wf_settings_print(s, nullptr, &out);
        std::string result = out.data ? out.data : "";
        wf_text_fini(&out);
        return result;
    }
};

TEST_F(Settings, HaveDefaults) {
    const int64_t *blocks = nullptr;

    EXPECT_EQ(wf_settings_i64(s, WF_SETTING_MEMORY_LIMIT), 0);
    EXPECT_EQ(wf_settings_i64(s, WF_SETTING_BLOCK_SIZE), 64 << 20);
    EXPECT_EQ(wf_settings_ints(s, WF_SETTING_BLOCKS, &blocks), 0);
    EXPECT_TRUE(wf_settings_bool(s, WF_SETTING_SPILL));
    EXPECT_EQ(wf_settings_f64(s, WF_SETTING_STALL_SECONDS), 60);
    EXPECT_FALSE(wf_settings_names(s, WF_SETTING_DISABLE, "fold"));
    EXPECT_EQ(text(WF_SETTING_MODE), "threads");
    EXPECT_EQ(origin(WF_SETTING_MODE), "default");
}

TEST_F(Settings, TakeEachTypeAndRememberThePlace) {
    const int64_t *blocks = nullptr;

    ASSERT_EQ(set("memory-limit", "1.5 GiB"), WEFT_OK);
    ASSERT_EQ(set("threads", "4"), WEFT_OK);
    ASSERT_EQ(set("blocks", "1000, 2000"), WEFT_OK);
    ASSERT_EQ(set("spill", "off"), WEFT_OK);
    ASSERT_EQ(set("stall_seconds", "0.5"), WEFT_OK);
    ASSERT_EQ(set("disable", "group, fold"), WEFT_OK);
    ASSERT_EQ(set("cpu_isa", "avx2"), WEFT_OK);
    ASSERT_EQ(wf_settings_set_i64(s, WF_SETTING_WORKERS, 3, "session option"), WEFT_OK);

    EXPECT_EQ(wf_settings_i64(s, WF_SETTING_MEMORY_LIMIT), 3LL << 29);
    EXPECT_EQ(wf_settings_i64(s, WF_SETTING_THREADS), 4);
    ASSERT_EQ(wf_settings_ints(s, WF_SETTING_BLOCKS, &blocks), 2);
    EXPECT_EQ(blocks[0], 1000);
    EXPECT_EQ(blocks[1], 2000);
    EXPECT_FALSE(wf_settings_bool(s, WF_SETTING_SPILL));
    EXPECT_EQ(wf_settings_f64(s, WF_SETTING_STALL_SECONDS), 0.5);
    EXPECT_TRUE(wf_settings_names(s, WF_SETTING_DISABLE, "fold"));
    EXPECT_TRUE(wf_settings_names(s, WF_SETTING_DISABLE, "group"));
    EXPECT_FALSE(wf_settings_names(s, WF_SETTING_DISABLE, "fuse"));
    EXPECT_EQ(text(WF_SETTING_CPU_ISA), "avx2");
    EXPECT_EQ(wf_settings_i64(s, WF_SETTING_WORKERS), 3);
    EXPECT_EQ(origin(WF_SETTING_WORKERS), "session option");
    EXPECT_EQ(origin(WF_SETTING_THREADS), "--here");
}

TEST_F(Settings, NameTheNearestKnownKey) {
    EXPECT_EQ(set("memry-limit", "1"), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(),
                 "settings: --here: unknown key 'memry-limit', did you mean 'memory_limit'?");
    EXPECT_EQ(set("thread", "1"), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "settings: --here: unknown key 'thread', did you mean 'threads'?");
    EXPECT_EQ(set("foo", "1"), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "settings: --here: unknown key 'foo'");
    EXPECT_EQ(set("", "1"), WEFT_INVALID);
    EXPECT_EQ(set(std::string(1000, 'k').c_str(), "1"), WEFT_INVALID);
    EXPECT_EQ(set("memory_limit_and_then_some_more_text_that_is_long", "1"), WEFT_INVALID);
}

TEST_F(Settings, RefuseBadValuesAndKeepTheOldOnes) {
    const struct {
        const char *key, *value, *text;
    } cases[] = {
        {"threads", "x", "settings: --here: threads: expected an integer, got 'x'"},
        {"threads", "-1", "settings: --here: threads: expected at least 0, got '-1'"},
        {"threads", "3000000000", "settings: --here: threads: expected at most 2147483647, got '3000000000'"},
        {"memory_limit", "lots",
         "settings: --here: memory_limit: expected a size such as 512MiB, got 'lots'"},
        {"block_size", "0", "settings: --here: block_size: expected at least 1, got '0'"},
        {"blocks", "10,0", "settings: --here: blocks: expected at least 1, got '0'"},
        {"blocks", "10,,2", "settings: --here: blocks: expected an integer, got ''"},
        {"blocks", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
         "settings: --here: blocks: expected at most 16 integers, got '1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1'"},
        {"spill", "maybe", "settings: --here: spill: expected true or false, got 'maybe'"},
        {"mode", "fast", "settings: --here: mode: expected one of threads|sync, got 'fast'"},
        {"cpu_isa", "sse", "settings: --here: cpu_isa: expected one of baseline|avx2|avx512, got 'sse'"},
        {"disable", "fold,fuze",
         "settings: --here: disable: expected names among share|prune|fold|push|fuse|align|group, got "
         "'fuze'"},
        {"stall_seconds", "inf", "settings: --here: stall_seconds: expected a number from 0 up, got 'inf'"},
    };
    std::string before = print();

    for (auto &c : cases) {
        EXPECT_NE(set(c.key, c.value), WEFT_OK) << c.key;
        EXPECT_STREQ(wf_last_error(), c.text);
    }

    EXPECT_EQ(print(), before);
}

TEST_F(Settings, ReadTheEnvironment) {
    ASSERT_EQ(env({"PATH=/bin", "WEFT_DEVICES=cpu:4@256MiB", "WEFT_THREADS=", "WEFT_CONFIG=/nowhere",
                   "WEFT_SOURCE_DIR=/x", "WEFT_TEST=1", "WEFTY=1"}),
              WEFT_OK)
        << wf_last_error();

    EXPECT_EQ(text(WF_SETTING_DEVICES), "cpu:4@256MiB");
    EXPECT_EQ(origin(WF_SETTING_DEVICES), "WEFT_DEVICES");
    EXPECT_TRUE(wf_settings_bool(s, WF_SETTING_TEST));
    EXPECT_EQ(origin(WF_SETTING_THREADS), "default");
}

TEST_F(Settings, NameUnknownVariables) {
    EXPECT_EQ(env({"WEFT_BLOK_SIZE=1"}), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(),
                 "settings: WEFT_BLOK_SIZE: unknown key 'blok_size', did you mean 'block_size'?");
    EXPECT_EQ(env({("WEFT_" + std::string(300, 'A') + "=1").c_str()}), WEFT_INVALID);
}

TEST_F(Settings, FailCleanlyAtEachAllocation) {
    int64_t live = wf_alloc_live();

    for (int64_t n = 1;; n++) {
        wf_settings *made = nullptr;
        const wf_setting_override over[] = {
            {"threads", "3", "--threads"}, {"devices", nullptr, ""}, {"mode", "sync", "--mode"}};
        wf_alloc_fail_at(n);
        weft_status st = wf_settings_load(3, over, &made);
        int64_t tried = wf_alloc_fail_at(0);
        if (tried < n) {
            EXPECT_EQ(st, WEFT_OK) << wf_last_error();
            wf_settings_destroy(made);
            EXPECT_GT(n, 5);
            break;
        }
        EXPECT_EQ(st, WEFT_NO_MEMORY);
        EXPECT_EQ(made, nullptr);
        EXPECT_EQ(wf_alloc_live(), live);
    }
    EXPECT_EQ(wf_alloc_live(), live);
}

TEST_F(Settings, AbsentFilesCountOnlyWhenRequired) {
    EXPECT_EQ(wf_settings_read_file(s, "/nowhere/weft.yaml", false), WEFT_OK);
    EXPECT_EQ(wf_settings_read_file(s, "/nowhere/weft.yaml", true), WEFT_NOT_FOUND);
    EXPECT_STREQ(wf_last_error(), "settings: /nowhere/weft.yaml: No such file or directory");
    EXPECT_EQ(wf_settings_read_file(s, "/", false), WEFT_IO);
}

// A folder of its own with files in it, and the variables that point there.
struct Sources : testing::Test {
    char folder[32] = "/tmp/weft-settings-XXXXXX";
    void SetUp() override {
        ASSERT_NE(mkdtemp(folder), nullptr);
        setenv("XDG_CONFIG_HOME", folder, 1);
    }
    ~Sources() override {
        for (const char *name : {"XDG_CONFIG_HOME", "WEFT_CONFIG", "WEFT_THREADS", "WEFT_WORKERS", "TMPDIR"})
            unsetenv(name);
        for (const char *name : {"weft.yaml", "mine.yaml"}) unlink(path(name).c_str());
        rmdir(folder);
    }
    std::string path(const char *name) { return std::string(folder) + "/" + name; }
    void write(const char *name, const char *text) {
        FILE *f = fopen(path(name).c_str(), "w");
        fputs(text, f);
        fclose(f);
    }
};

#ifdef WF_HAVE_YAML

TEST_F(Sources, OverrideEachOtherInOrder) {
    write("weft.yaml", "threads: 1\nworkers: 1\nmode: sync\ndevices: cpu\nspill_dir: /user\n");
    write("mine.yaml", "threads: 2\nworkers: 2\nmode: threads\n");
    setenv("WEFT_CONFIG", path("mine.yaml").c_str(), 1);
    setenv("WEFT_THREADS", "3", 1);
    setenv("WEFT_WORKERS", "3", 1);
    setenv("TMPDIR", "/scratch", 1);
    const wf_setting_override over[] = {{"threads", "4", "session option"}, {"threads", "5", "--threads"}};
    wf_settings *s = nullptr;

    ASSERT_EQ(wf_settings_load(2, over, &s), WEFT_OK) << wf_last_error();

    EXPECT_EQ(wf_settings_i64(s, WF_SETTING_THREADS), 5);
    EXPECT_STREQ(wf_settings_origin(s, WF_SETTING_THREADS), "--threads");
    EXPECT_EQ(wf_settings_i64(s, WF_SETTING_WORKERS), 3);
    EXPECT_STREQ(wf_settings_text(s, WF_SETTING_MODE), "threads");
    EXPECT_EQ(wf_settings_origin(s, WF_SETTING_MODE), path("mine.yaml") + " line 3");
    EXPECT_EQ(wf_settings_origin(s, WF_SETTING_DEVICES), path("weft.yaml") + " line 4");
    EXPECT_STREQ(wf_settings_text(s, WF_SETTING_SPILL_DIR), "/user");
    wf_settings_destroy(s);
}

TEST_F(Sources, ATemporaryFolderIsTheDefaultForSpilling) {
    setenv("TMPDIR", "/scratch", 1);
    wf_settings *s = nullptr;

    ASSERT_EQ(wf_settings_load(0, nullptr, &s), WEFT_OK) << wf_last_error();

    EXPECT_STREQ(wf_settings_text(s, WF_SETTING_SPILL_DIR), "/scratch");
    EXPECT_STREQ(wf_settings_origin(s, WF_SETTING_SPILL_DIR), "TMPDIR");
    wf_settings_destroy(s);
}

TEST_F(Sources, ABadFileNamesItsLine) {
    write("weft.yaml", "# mine\nthreads: 1\nthread: 2\n");
    wf_settings *s = nullptr;

    EXPECT_EQ(wf_settings_load(0, nullptr, &s), WEFT_INVALID);

    EXPECT_EQ(wf_last_error(),
              "settings: " + path("weft.yaml") + " line 3: unknown key 'thread', did you mean 'threads'?");
    EXPECT_EQ(s, nullptr);
}

TEST_F(Settings, ReadYaml) {
    const int64_t *blocks = nullptr;

    ASSERT_EQ(yaml("# comment\nmemory_limit: 1 GiB\nblocks: [100, 200]\ndisable:\n  - fold\n  - group\n"
                   "devices: \"cpu:2\"\nplugin-path: ''\nspill: no\n"),
              WEFT_OK)
        << wf_last_error();

    EXPECT_EQ(wf_settings_i64(s, WF_SETTING_MEMORY_LIMIT), 1 << 30);
    ASSERT_EQ(wf_settings_ints(s, WF_SETTING_BLOCKS, &blocks), 2);
    EXPECT_EQ(blocks[1], 200);
    EXPECT_TRUE(wf_settings_names(s, WF_SETTING_DISABLE, "group"));
    EXPECT_EQ(text(WF_SETTING_DEVICES), "cpu:2");
    EXPECT_EQ(origin(WF_SETTING_DEVICES), "x.yaml line 7");
    EXPECT_FALSE(wf_settings_bool(s, WF_SETTING_SPILL));
}

TEST_F(Settings, EmptyYamlIsFine) {
    for (const char *text : {"", "\n\n", "# only a comment\n", "---\n", "{}"})
        EXPECT_EQ(yaml(text), WEFT_OK) << text << ": " << wf_last_error();
}

TEST_F(Settings, RefuseYamlThatIsNotFlat) {
    const struct {
        const char *text, *error;
    } cases[] = {
        {"threads: {a: 1}",
         "settings: x.yaml line 1: expected 'key: value' or 'key: [a, b]', without nesting or aliases"},
        {"mode: sync\nblocks: [[1]]", "settings: x.yaml line 2: expected a list of plain values"},
        {"a: &x 1\nb: *x", "settings: x.yaml line 1: unknown key 'a'"},
        {"threads: &x 1\nworkers: *x",
         "settings: x.yaml line 2: expected 'key: value' or 'key: [a, b]', without nesting or aliases"},
        {"- 1", "settings: x.yaml line 1: expected lines of 'key: value'"},
        {"threads", "settings: x.yaml line 1: expected lines of 'key: value'"},
        {"? [a]\n: 1", "settings: x.yaml line 1: expected a key"},
        {"mode: sync\n---\nmode: sync", "settings: x.yaml line 2: expected one document, got a second"},
        {"devices: \"a\\0b\"", "settings: x.yaml line 1: expected text, got a NUL byte"},
        {"threads: [1", "settings: x.yaml line 2: did not find expected ',' or ']'"},
    };

    for (auto &c : cases) {
        EXPECT_NE(yaml(c.text), WEFT_OK) << c.text;
        EXPECT_STREQ(wf_last_error(), c.error) << c.text;
    }
}

TEST_F(Settings, PrintWhatTheyReadBack) {
    ASSERT_EQ(set("devices", "cpu:4@256MiB, \"x\"\n\\"), WEFT_OK);
    ASSERT_EQ(set("blocks", "100, 200"), WEFT_OK);
    ASSERT_EQ(set("disable", "fold"), WEFT_OK);
    std::string printed = print();

    wf_settings *again = nullptr;
    ASSERT_EQ(wf_settings_create(&again), WEFT_OK);
    ASSERT_EQ(wf_settings_parse_yaml(again, "printed", printed.data(), printed.size()), WEFT_OK)
        << wf_last_error();

    for (int k = 0; k < WF_SETTING_COUNT; k++) {
        if (k == WF_SETTING_BLOCKS) continue;  // printed with a space, read back without
        EXPECT_STREQ(wf_settings_text(again, (wf_setting)k), wf_settings_text(s, (wf_setting)k))
            << wf_setting_key((wf_setting)k);
    }
    EXPECT_STREQ(wf_settings_text(again, WF_SETTING_BLOCKS), "100,200");
    EXPECT_NE(printed.find("disable: [fold]                   # --here\n"), std::string::npos) << printed;
    wf_settings_destroy(again);
}

TEST_F(Settings, YamlFailsCleanlyAtEachAllocation) {
    int64_t live = wf_alloc_live();
    const std::string text = "disable: [fold, group]\nmode: sync\n";

    for (int64_t n = 1;; n++) {
        wf_settings *made = nullptr;
        ASSERT_EQ(wf_settings_create(&made), WEFT_OK);
        wf_alloc_fail_at(n);
        weft_status st = wf_settings_parse_yaml(made, "x", text.data(), text.size());
        int64_t tried = wf_alloc_fail_at(0);
        wf_settings_destroy(made);
        EXPECT_EQ(wf_alloc_live(), live);
        if (tried < n) {
            EXPECT_EQ(st, WEFT_OK);
            EXPECT_GT(n, 5);
            break;
        }
        EXPECT_EQ(st, WEFT_NO_MEMORY) << n;
    }
}

#else

TEST_F(Sources, AFileNeedsLibyaml) {
    write("weft.yaml", "threads: 1\n");
    wf_settings *s = nullptr;

    EXPECT_EQ(wf_settings_load(0, nullptr, &s), WEFT_UNSUPPORTED);

    EXPECT_EQ(wf_last_error(),
              "settings: reading " + path("weft.yaml") + " needs libyaml, which this build lacks");
}

#endif

}  // namespace

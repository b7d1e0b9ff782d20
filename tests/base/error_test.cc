// SPDX-License-Identifier: Apache-2.0
// error_test - failures, their texts and how they travel; the allocation hook; growing texts.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

extern "C" {
#include "base/alloc.h"
#include "base/text.h"
}

namespace {

TEST(Error, GivesCodeAndTextTogether) {
    EXPECT_EQ(wf_fail(WEFT_INVALID, "here: expected %d, got %d", 1, 2), WEFT_INVALID);

    EXPECT_EQ(wf_last_status(), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "here: expected 1, got 2");
}

TEST(Error, MayQuoteTheLastErrorInTheNext) {
    wf_fail(WEFT_INVALID, "inner");

    wf_fail(WEFT_FORMAT, "outer: %s", wf_last_error());

    EXPECT_STREQ(wf_last_error(), "outer: inner");
}

TEST(Error, CutsLongTextsBetweenCharacters) {
    std::string name(473, 'a');
    name += "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9";  // five two-byte characters over the end

    wf_fail(WEFT_INVALID, "%s", name.c_str());

    EXPECT_EQ(std::string(wf_last_error()), std::string(473, 'a') + "\xC3\xA9" + "...");
}

TEST(Error, PicksTheStatusFromErrno) {
    const struct {
        int err;
        weft_status status;
    } cases[] = {{ENOENT, WEFT_NOT_FOUND}, {EACCES, WEFT_DENIED},   {EPERM, WEFT_DENIED},
                 {ENOSPC, WEFT_NO_SPACE},  {EDQUOT, WEFT_NO_SPACE}, {ENOMEM, WEFT_NO_MEMORY},
                 {EEXIST, WEFT_EXISTS},    {EPIPE, WEFT_IO}};

    for (auto &c : cases) EXPECT_EQ(wf_fail_errno(c.err, "x"), c.status);
    EXPECT_EQ(wf_fail_errno(ENOSPC, "save: %s", "a.npy"), WEFT_NO_SPACE);
    EXPECT_STREQ(wf_last_error(), "save: a.npy: No space left on device");
}

TEST(Error, IsPerThreadAndTravelsWhenCarried) {
    wf_error carried = {};
    wf_fail(WEFT_INVALID, "mine");

    std::thread([&] {
        EXPECT_EQ(wf_last_status(), WEFT_OK);
        EXPECT_STREQ(wf_last_error(), "");
        wf_fail(WEFT_LOST, "theirs");
        wf_error_take(&carried);
    }).join();

    EXPECT_STREQ(wf_last_error(), "mine");
    EXPECT_EQ(wf_error_raise(&carried), WEFT_LOST);
    EXPECT_STREQ(wf_last_error(), "theirs");
    EXPECT_EQ(wf_last_status(), WEFT_LOST);
}

TEST(Error, NamesEveryStatus) {
    EXPECT_STREQ(wf_status_name(WEFT_OK), "WEFT_OK");
    EXPECT_STREQ(wf_status_name(WEFT_NO_SPACE), "WEFT_NO_SPACE");
    EXPECT_STREQ(wf_status_name((weft_status)99), "?");
}

TEST(ErrorDeathTest, BrokenInvariantsNameThemselves) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(WF_ASSERT(1 + 1 == 3), "internal error, please report it: 1 \\+ 1 == 3 \\(.*error_test.cc");
}

TEST(Alloc, GivesZeroedMemoryAndCountsIt) {
    int64_t before = wf_alloc_live();

    char *p = (char *)wf_alloc(100), *q = (char *)wf_alloc(0), *r = wf_strdup("text"),
         *s = wf_format("%d-%s", 7, "x");

    EXPECT_EQ(wf_alloc_live(), before + 4);
    for (int i = 0; i < 100; i++) EXPECT_EQ(p[i], 0);
    EXPECT_NE(q, nullptr);
    EXPECT_STREQ(r, "text");
    EXPECT_STREQ(s, "7-x");
    p = (char *)wf_realloc(p, 200);
    EXPECT_EQ(wf_alloc_live(), before + 4);
    for (char *each : {p, q, r, s, (char *)nullptr}) wf_free(each);
    EXPECT_EQ(wf_alloc_live(), before);
}

TEST(Alloc, RefusesProductsThatOverflow) {
    EXPECT_EQ(wf_calloc(SIZE_MAX / 2, 3), nullptr);

    EXPECT_EQ(wf_last_status(), WEFT_NO_MEMORY);
    EXPECT_STREQ(wf_last_error(), "out of host memory: wanted 9223372036854775807 times 3 bytes");
}

TEST(Alloc, FailsTheChosenAllocationOnceAndLeaksNothing) {
    int64_t before = wf_alloc_live();
    wf_alloc_fail_at(2);

    void *first = wf_alloc(1), *second = wf_alloc(12), *third = wf_alloc(1);

    EXPECT_NE(first, nullptr);
    EXPECT_EQ(second, nullptr);
    EXPECT_STREQ(wf_last_error(), "out of host memory: wanted 12 bytes");
    EXPECT_NE(third, nullptr);
    EXPECT_EQ(wf_alloc_fail_at(0), 3);
    EXPECT_EQ(wf_alloc_fail_at(0), 0);
    wf_free(first);
    wf_free(third);
    EXPECT_EQ(wf_alloc_live(), before);
}

TEST(Alloc, FailedResizeLeavesTheOldMemory) {
    char *p = wf_strdup("kept");
    wf_alloc_fail_at(1);

    EXPECT_EQ(wf_realloc(p, 1000), nullptr);

    EXPECT_STREQ(p, "kept");
    wf_free(p);
    wf_alloc_fail_at(0);
}

TEST(Alloc, GrowKeepsContentsAndZeroesTheRest) {
    int *items = nullptr;
    int64_t capacity = 0;

    ASSERT_EQ(wf_grow(&items, &capacity, 3, sizeof *items), WEFT_OK);
    for (int i = 0; i < capacity; i++) items[i] = i;
    int64_t old = capacity;
    ASSERT_EQ(wf_grow(&items, &capacity, old + 1, sizeof *items), WEFT_OK);

    EXPECT_GT(capacity, old);
    for (int64_t i = 0; i < capacity; i++) EXPECT_EQ(items[i], i < old ? i : 0);
    int *kept = items;
    EXPECT_EQ(wf_grow(&items, &capacity, INT64_MAX / 2, sizeof *items), WEFT_NO_MEMORY);
    EXPECT_EQ(items, kept);
    wf_free(items);
}

TEST(Alloc, CountdownFailsExactlyOneOfManyThreads) {
    int failed = 0;
    wf_alloc_fail_at(500);

    auto work = [&failed] {
        for (int i = 0; i < 1000; i++) {
            void *p = wf_alloc(1);
            if (!p) __atomic_fetch_add(&failed, 1, __ATOMIC_RELAXED);
            wf_free(p);
        }
    };
    std::thread a(work), b(work);
    a.join(), b.join();

    EXPECT_EQ(failed, 1);
    EXPECT_EQ(wf_alloc_fail_at(0), 2000);
}

TEST(Text, GrowsAndGivesItsString) {
    wf_text text = {};
    wf_text_add(&text, "%s", std::string(500, 'x').c_str());
    wf_text_add(&text, "%d", 42);
    wf_text_add_bytes(&text, "!?", 1);

    char *s = wf_text_take(&text);

    EXPECT_EQ(std::string(s), std::string(500, 'x') + "42!");
    EXPECT_EQ(text.data, nullptr);
    wf_free(s);
}

TEST(Text, EmptyTextIsAnEmptyString) {
    wf_text text = {};

    char *s = wf_text_take(&text);

    EXPECT_STREQ(s, "");
    wf_free(s);
}

TEST(Text, RemembersAFailedAppend) {
    wf_text text = {};
    wf_text_add(&text, "abc");
    wf_alloc_fail_at(1);
    wf_text_add(&text, "%s", std::string(500, 'x').c_str());
    wf_alloc_fail_at(0);
    wf_text_add(&text, "d");
    wf_fail(WEFT_IO, "something else meanwhile");

    EXPECT_EQ(wf_text_status(&text), WEFT_NO_MEMORY);
    EXPECT_EQ(wf_text_take(&text), nullptr);
    EXPECT_STREQ(wf_last_error(), "out of host memory: a text of more than 3 bytes did not fit");
    EXPECT_EQ(text.data, nullptr);
}

}  // namespace

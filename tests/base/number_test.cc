// SPDX-License-Identifier: Apache-2.0
// number_test - numbers as text under any locale, sizes, hashes, the clock.
#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

extern "C" {
#include "base/clock.h"
#include "base/hash.h"
#include "base/number.h"
}

namespace {

std::string text_of(double value) {
    char out[WF_NUMBER_TEXT];
    int length = wf_number_format_f64(value, out);
    EXPECT_EQ(length, (int)strlen(out));
    return out;
}

std::string text_of(float value) {
    char out[WF_NUMBER_TEXT];
    int length = wf_number_format_f32(value, out);
    EXPECT_EQ(length, (int)strlen(out));
    return out;
}

// repr() of Python 3, and of np.float32 without its type.
TEST(Number, FormatsAsPythonDoes) {
    EXPECT_EQ(text_of(0.0), "0.0");
    EXPECT_EQ(text_of(-0.0), "-0.0");
    EXPECT_EQ(text_of(0.1), "0.1");
    EXPECT_EQ(text_of(100.0), "100.0");
    EXPECT_EQ(text_of(-2.5), "-2.5");
    EXPECT_EQ(text_of(1e15), "1000000000000000.0");
    EXPECT_EQ(text_of(1e16), "1e+16");
    EXPECT_EQ(text_of(123456789012345678.0), "1.2345678901234568e+17");
    EXPECT_EQ(text_of(1e-4), "0.0001");
    EXPECT_EQ(text_of(1e-5), "1e-05");
    EXPECT_EQ(text_of(5e-324), "5e-324");
    EXPECT_EQ(text_of(1.7976931348623157e308), "1.7976931348623157e+308");
    EXPECT_EQ(text_of(NAN), "nan");
    EXPECT_EQ(text_of(-INFINITY), "-inf");
    EXPECT_EQ(text_of(0.1f), "0.1");
    EXPECT_EQ(text_of(16777216.0f), "16777216.0");
    EXPECT_EQ(text_of(1e-45f), "1e-45");
}

TEST(Number, FormattedTextReadsBackAsTheSameBits) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = random();
        double value, back;
        memcpy(&value, &bits, 8);
        if (std::isnan(value)) continue;
        ASSERT_EQ(wf_number_parse_f64(text_of(value).c_str(), &back), WEFT_OK);
        ASSERT_EQ(value, back) << text_of(value);
        float narrow, again;
        uint32_t low = (uint32_t)bits;
        memcpy(&narrow, &low, 4);
        if (std::isnan(narrow)) continue;
        again = strtof(text_of(narrow).c_str(), nullptr);
        ASSERT_EQ(narrow, again);
    }
}

TEST(Number, IgnoresTheLocale) {
    std::string german;
    for (const char *name : {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8"})
        if (german.empty() && setlocale(LC_NUMERIC, name)) german = name;
    if (german.empty()) GTEST_SKIP() << "no locale with a decimal comma is installed";
    double value = 0;
    int64_t bytes = 0;
    char size[WF_NUMBER_TEXT];

    weft_status st = wf_number_parse_f64("1.5", &value), st2 = wf_number_parse_bytes("1.5GiB", &bytes);
    std::string text = text_of(2.5);
    wf_number_format_bytes(1536, size);
    std::string kept = setlocale(LC_NUMERIC, nullptr);
    setlocale(LC_NUMERIC, "C");

    EXPECT_EQ(st, WEFT_OK);
    EXPECT_EQ(st2, WEFT_OK);
    EXPECT_EQ(value, 1.5);
    EXPECT_EQ(bytes, 3LL << 29);
    EXPECT_EQ(text, "2.5");
    EXPECT_STREQ(size, "1.5 KiB");
    EXPECT_EQ(kept, german);
}

TEST(Number, RejectsWhatIsNoNumberAndLeavesTheOutput) {
    double f = 5;
    int64_t i = 5;

    EXPECT_EQ(wf_number_parse_f64("1.5x", &f), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "expected a number, got '1.5x'");
    EXPECT_EQ(wf_number_parse_f64("", &f), WEFT_INVALID);
    EXPECT_EQ(wf_number_parse_i64("1.5", &i), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "expected an integer, got '1.5'");
    EXPECT_EQ(wf_number_parse_i64("9223372036854775808", &i), WEFT_OVERFLOW);
    EXPECT_EQ(f, 5);
    EXPECT_EQ(i, 5);
    EXPECT_EQ(wf_number_parse_i64(" -12 ", &i), WEFT_OK);
    EXPECT_EQ(i, -12);
}

TEST(Number, ReadsSizes) {
    const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {{"512MiB", 512LL << 20},
                 {"1GiB", 1LL << 30},
                 {"2e9", 2000000000},
                 {"64MB", 64000000},
                 {"100k", 100000},
                 {"7", 7},
                 {"1.5 GiB", 3LL << 29},
                 {" 8 b ", 8},
                 {"0", 0},
                 {"5Mi", 5LL << 20},
                 {"2T", 2000000000000},
                 {"1PiB", 1LL << 50},
                 {"9007199254740993", 9007199254740993},
                 {"7EiB", 7LL << 60}};

    for (auto &c : cases) {
        int64_t bytes = -1;
        EXPECT_EQ(wf_number_parse_bytes(c.text, &bytes), WEFT_OK) << c.text << ": " << wf_last_error();
        EXPECT_EQ(bytes, c.bytes) << c.text;
    }
}

TEST(Number, RejectsSizesThatAreNone) {
    int64_t bytes = 5;

    for (const char *text : {"", "x", "-1", "1x", "1e", "5 M B", "nan", "MiB", "1 2", "1KiBB"}) {
        EXPECT_EQ(wf_number_parse_bytes(text, &bytes), WEFT_INVALID) << text;
        EXPECT_EQ(wf_last_error(), "expected a size such as 512MiB, got '" + std::string(text) + "'");
    }
    for (const char *text : {"8EiB", "1e30", "inf"})
        EXPECT_EQ(wf_number_parse_bytes(text, &bytes), WEFT_OVERFLOW) << text;
    EXPECT_EQ(bytes, 5);
}

TEST(Number, WritesSizesForPeopleAndExactly) {
    const struct {
        int64_t bytes;
        const char *people, *exact;
    } cases[] = {{0, "0 B", "0"},
                 {1023, "1023 B", "1023"},
                 {1536, "1.5 KiB", "1536"},
                 {64 << 20, "64 MiB", "64MiB"},
                 {1000000, "977 KiB", "1000000"},
                 {INT64_MAX, "8 EiB", "9223372036854775807"}};

    for (auto &c : cases) {
        char out[WF_NUMBER_TEXT];
        int64_t back;
        wf_number_format_bytes(c.bytes, out);
        EXPECT_STREQ(out, c.people);
        wf_number_format_size(c.bytes, out);
        EXPECT_STREQ(out, c.exact);
        EXPECT_EQ(wf_number_parse_bytes(out, &back), WEFT_OK);
        EXPECT_EQ(back, c.bytes);
    }
}

TEST(Number, ChecksProductsAndSums) {
    int64_t out = 5;

    EXPECT_TRUE(wf_mul_overflow(INT64_MAX, 2, &out));
    EXPECT_TRUE(wf_add_overflow(INT64_MAX, 1, &out));
    EXPECT_EQ(out, 5);
    EXPECT_FALSE(wf_mul_overflow(-3, 4, &out));
    EXPECT_EQ(out, -12);
}

TEST(Hash, IsFixedForEver) {  // caches on disk and spill files depend on it
    EXPECT_EQ(wf_hash_bytes(0, nullptr, 0), wf_hash_text(0, ""));
    EXPECT_EQ(wf_hash_text(0, "weft"), 0xffcb7a6fcb294cf9u);
    EXPECT_EQ(wf_hash_text(1, "a text of more than thirty-two bytes, for the stripes"), 0x823731d403de3f5bu);
    EXPECT_EQ(wf_hash_u64(1, 2), 0xc8b7f534790f4c6eu);
}

TEST(Hash, EveryBitOfEveryLengthMatters) {
    std::vector<unsigned char> bytes(100, 0);
    std::set<uint64_t> seen;
    size_t made = 0;

    for (size_t n = 0; n <= bytes.size(); n++) seen.insert(wf_hash_bytes(0, bytes.data(), n)), made++;
    for (size_t bit = 0; bit < 8 * bytes.size(); bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        seen.insert(wf_hash_bytes(0, bytes.data(), bytes.size())), made++;
        bytes[bit / 8] = 0;
    }
    seen.insert(wf_hash_bytes(1, bytes.data(), bytes.size())), made++;

    EXPECT_EQ(seen.size(), made);
}

TEST(Hash, SpreadsSmallIntegersOverAllBits) {
    int set[64] = {};
    for (uint64_t i = 0; i < 4096; i++) {
        uint64_t hash = wf_hash_u64(0, i);
        for (int b = 0; b < 64; b++) set[b] += hash >> b & 1;
    }

    for (int b = 0; b < 64; b++) EXPECT_NEAR(set[b], 2048, 200) << "bit " << b;
}

TEST(Clock, NeverGoesBack) {
    int64_t last = wf_clock_ns();
    for (int i = 0; i < 1000; i++) {
        int64_t now = wf_clock_ns();
        ASSERT_GE(now, last);
        last = now;
    }
    EXPECT_GT(last, 0);
    EXPECT_NEAR(wf_clock_now(), (double)last * 1e-9, 1.0);
}

}  // namespace

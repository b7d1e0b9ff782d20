// SPDX-License-Identifier: Apache-2.0
// cut_test - basic indexing: the text form, and what it selects, compared with a table of NumPy's answers.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "weft.h"

extern "C" {
#include "array/cut.h"
}

namespace {

using Ints = std::vector<int64_t>;

struct Case {
    Ints shape;
    const char *text;
    Ints out_shape;
    Ints elements;  // positions in the C order of the input
};

// np.arange(size).reshape(shape)[text], as NumPy 2.4 gives it.
const Case numpy_cases[] = {
    {{5}, "1:-1", {3}, {1, 2, 3}},
    {{5}, "::2", {3}, {0, 2, 4}},
    {{5}, "::-1", {5}, {4, 3, 2, 1, 0}},
    {{5}, "-1:-6:-2", {3}, {4, 2, 0}},
    {{5}, "3", {}, {3}},
    {{5}, "-5", {}, {0}},
    {{5}, "-100:100", {5}, {0, 1, 2, 3, 4}},
    {{5}, "100:-100:-1", {5}, {4, 3, 2, 1, 0}},
    {{5}, "7:", {0}, {}},
    {{5}, "3:1", {0}, {}},
    {{5}, "1:3:-1", {0}, {}},
    {{5}, "4:0:-9223372036854775808", {1}, {4}},
    {{5}, "0:5:9223372036854775807", {1}, {0}},
    {{5}, ":-9223372036854775808:-1", {5}, {4, 3, 2, 1, 0}},
    {{5}, "-9223372036854775808:9223372036854775807", {5}, {0, 1, 2, 3, 4}},
    {{0}, ":", {0}, {}},
    {{0}, "::-1", {0}, {}},
    {{0}, "3:", {0}, {}},
    {{}, "...", {}, {0}},
    {{}, "None", {1}, {0}},
    {{}, "None, ..., None", {1, 1}, {0}},
    {{2, 3}, "1", {3}, {3, 4, 5}},
    {{2, 3}, "..., 1", {2}, {1, 4}},
    {{2, 3}, "...", {2, 3}, {0, 1, 2, 3, 4, 5}},
    {{2, 3}, "None", {1, 2, 3}, {0, 1, 2, 3, 4, 5}},
    {{2, 3}, "None, 0, None, ::2, None", {1, 1, 2, 1}, {0, 2}},
    {{2, 3, 2}, "1:, ..., None, 0", {1, 3, 1}, {6, 8, 10}},
    {{2, 3, 2}, "0, 1, 1", {}, {3}},
    {{2, 3, 2}, "0, ..., 1", {3}, {1, 3, 5}},
    {{2, 3, 2}, "0, 1, ..., 1", {}, {3}},
    {{2, 3}, ":, :", {2, 3}, {0, 1, 2, 3, 4, 5}},
    {{2, 3}, "-1, -1,", {}, {5}},
    {{2, 0, 3}, "1, :, ::2", {0, 2}, {}},
    {{2, 0, 3}, "5:, ..., 1", {0, 0}, {}},
    {{4}, "-1::-1", {4}, {3, 2, 1, 0}},
    {{4}, "-5::-1", {0}, {}},
    {{4}, ":-5:-1", {4}, {3, 2, 1, 0}},
    {{4}, "4::-3", {2}, {3, 0}},
    {{2}, "None, ::-3", {1, 1}, {1}},
    {{3, 1}, ":, ::-2", {3, 1}, {0, 1, 2}},
    {{3, 1}, "-3, None, 1::-1", {1, 1}, {0}},
    {{2, 1, 4}, "::-2, ::-2, -1", {1, 1}, {7}},
    {{2}, "-2", {}, {0}},
    {{2}, "::-1", {2}, {1, 0}},
    {{1, 5}, "-1:, 4", {1}, {4}},
    {{2}, "::3", {1}, {0}},
    {{0, 3, 1}, ":-1, ..., -3:", {0, 3, 1}, {}},
    {{1, 3, 1}, ":, ::-2, -1", {1, 2}, {2, 0}},
    {{3}, "...", {3}, {0, 1, 2}},
    {{3, 0}, ":, :1:-3", {3, 0}, {}},
    {{5, 3}, "::-1, 2", {5}, {14, 11, 8, 5, 2}},
    {{1, 0, 3}, "..., :2, ::2, ::-1", {1, 0, 3}, {}},
    {{0, 1, 1}, "::3, None, ::3, None, ..., :", {0, 1, 1, 1, 1}, {}},
    {{3}, "-1", {}, {2}},
    {{1, 5}, ":, -6::3", {1, 2}, {0, 3}},
    {{2, 5, 3}, ":-2:-3, None, -3::1, ...", {1, 1, 3, 3}, {21, 22, 23, 24, 25, 26, 27, 28, 29}},
    {{0, 3, 5}, ":, :, 7::-1", {0, 3, 5}, {}},
    {{3, 3, 3}, "None, ::1, None, ..., :-2:-3, :", {1, 3, 1, 1, 3}, {6, 7, 8, 15, 16, 17, 24, 25, 26}},
    {{4, 2}, "-4, :", {2}, {0, 1}},
    {{3, 3, 5}, ":1:1, None, 1, ::1", {1, 1, 5}, {5, 6, 7, 8, 9}},
    {{3}, "None, ::1", {1, 3}, {0, 1, 2}},
    {{1, 4}, ":, None, ...", {1, 1, 4}, {0, 1, 2, 3}},
    {{4, 3, 3}, ":, :-5, -3::-3", {4, 0, 1}, {}},
    {{4, 0, 3}, "..., ::-3, :, ::-1", {2, 0, 3}, {}},
    {{3}, "2", {}, {2}},
    {{2}, "-1", {}, {1}},
    {{5}, "...", {5}, {0, 1, 2, 3, 4}},
    {{3}, "5::3", {0}, {}},
    {{5}, "2", {}, {2}},
    {{2, 2, 4}, ":, -2, 4:-6", {2, 0}, {}},
    {{3, 3}, "-3:, ::-2", {3, 2}, {2, 0, 5, 3, 8, 6}},
    {{5, 3}, "1:, None, -1", {4, 1}, {5, 8, 11, 14}},
    {{0, 4, 0}, "None, ::-2, ::2, 2::-1", {1, 0, 2, 0}, {}},
    {{4, 3, 2}, "..., ::-1, -1::-1, :-2:-3", {4, 3, 1}, {23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1}},
    {{4}, "::-2", {2}, {3, 1}},
    {{2, 0, 3}, "-2, :2, :", {0, 3}, {}},
    {{1, 2, 0}, "::1, None, ..., ::-1", {1, 1, 2, 0}, {}},
    {{3, 3}, "1::1, ...", {2, 3}, {3, 4, 5, 6, 7, 8}},
    {{2}, ":1:-2", {0}, {}},
    {{0, 1, 1}, "::-2, ::1, ::-3", {0, 1, 1}, {}},
    {{2, 0}, "..., ::2", {2, 0}, {}},
    {{3, 0, 0}, "-3:-2, ..., ::2, :0:-1", {1, 0, 0}, {}},
    {{2, 1, 4}, "0:1:1, None, -1, 4:", {1, 1, 0}, {}},
    {{3}, ":-4", {0}, {}},
    {{5}, "...", {5}, {0, 1, 2, 3, 4}},
    {{0, 2, 3}, "0::3, 1:, :-2:2", {0, 1, 1}, {}},
    {{5}, ":", {5}, {0, 1, 2, 3, 4}},
    {{3, 3}, "..., ::1, :", {3, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8}},
    {{5}, "-5::-1", {1}, {0}},
    {{4, 3, 0}, "..., :-3:-1, :2:3", {4, 2, 0}, {}},
    {{3}, "4:4:-1", {0}, {}},
    {{4, 3, 2}, "0, ::3, -2", {1}, {0}},
    {{5}, "::-2", {3}, {4, 2, 0}},
    {{3}, "None, 5:", {1, 0}, {}},
    {{1}, "-2:0:2", {0}, {}},
    {{2, 3}, "None, :, 2", {1, 2}, {2, 5}},
    {{0, 3, 1}, "::1, None, ::-2, ...", {0, 1, 2, 1}, {}},
    {{3, 3}, "..., None, :1:1", {3, 1, 1}, {0, 3, 6}},
    {{5, 3}, "::1, -2::1", {5, 2}, {1, 2, 4, 5, 7, 8, 10, 11, 13, 14}},
    {{2, 0}, "..., :-1:-2, 2::2", {0, 0}, {}},
    {{5}, "7::3", {0}, {}},
    {{1}, "0", {}, {0}},
    {{5, 1, 3}, "2::1, 1::-1, 2:", {3, 1, 1}, {8, 11, 14}},
    {{0}, "None, ::1", {1, 0}, {}},
    {{1, 2, 5}, "None, ..., 3:-3:-2, :", {1, 1, 1, 5}, {5, 6, 7, 8, 9}},
    {{0}, "::-1", {0}, {}},
    {{5, 0, 5}, "None, 4:-1:3, :, :-2:3", {1, 0, 0, 1}, {}},
    {{1, 5}, "-1, 7:-3:1", {0}, {}},
    {{1}, "-1", {}, {0}},
    {{5, 3, 4}, ":1:-2, None, -3, :", {2, 1, 4}, {48, 49, 50, 51, 24, 25, 26, 27}},
};

weft_status Resolve(const Ints &shape, const char *text, wf_selection *out) {
    weft_cut cuts[WF_CUTS_MAX];
    int n = 0;
    weft_status status = wf_cuts_parse("index", text, &n, cuts);
    if (status != WEFT_OK) return status;
    return wf_cuts_resolve("index", static_cast<int>(shape.size()), shape.data(), n, cuts, out);
}

// The elements that a selection names, as positions in the C order of the input.
Ints Walk(const Ints &shape, const wf_selection &s) {
    Ints stride(shape.size(), 1), at(1, 0);
    for (size_t i = shape.size(); i-- > 1;) stride[i - 1] = stride[i] * shape[i];
    for (size_t i = 0; i < shape.size(); i++)
        if (s.index[i] >= 0) at[0] += s.index[i] * stride[i];
    for (int a = 0; a < s.ndim; a++) {
        Ints next;
        for (int64_t base : at)
            for (int64_t k = 0; k < s.axis[a].count; k++)
                next.push_back(base + (s.axis[a].input < 0 ? 0 : (s.axis[a].start + k * s.axis[a].step) * stride[s.axis[a].input]));
        at = next;
    }
    return at;
}

TEST(Cuts, SelectWhatNumpySelects) {
    for (const Case &c : numpy_cases) {
        wf_selection s = {};
        ASSERT_EQ(Resolve(c.shape, c.text, &s), WEFT_OK) << c.text << ": " << wf_last_error();
        Ints out_shape;
        for (int a = 0; a < s.ndim; a++) out_shape.push_back(s.axis[a].count);
        EXPECT_EQ(out_shape, c.out_shape) << c.text;
        EXPECT_EQ(Walk(c.shape, s), c.elements) << c.text;
    }
}

TEST(Cuts, SelectionsAreNormal) {
    for (const Case &c : numpy_cases) {
        wf_selection s = {};
        ASSERT_EQ(Resolve(c.shape, c.text, &s), WEFT_OK);
        Ints seen(c.shape.size(), 0);
        for (int a = 0; a < s.ndim; a++) {
            const wf_cut_axis &x = s.axis[a];
            EXPECT_TRUE(x.count > 1 || x.step == 1) << c.text;
            EXPECT_TRUE(x.count > 0 || x.start == 0) << c.text;
            if (x.input < 0) {
                EXPECT_TRUE(x.start == 0 && x.count == 1) << c.text;
            } else if (x.count > 0) {
                int64_t last = x.start + (x.count - 1) * x.step, dim = c.shape[x.input];
                EXPECT_TRUE(x.start >= 0 && x.start < dim && last >= 0 && last < dim) << c.text;
            }
            if (x.input >= 0) seen[x.input]++;
        }
        for (size_t i = 0; i < c.shape.size(); i++) EXPECT_EQ(seen[i] + (s.index[i] >= 0), 1) << c.text;
    }
}

TEST(Cuts, MacrosMeanWhatTheirTextMeans) {
    const weft_cut cuts[] = {WEFT_SPAN(1, -1), WEFT_STEP(5, WEFT_CUT_OPEN, -2), WEFT_ALL, {}, WEFT_FROM(2), WEFT_TO(-3),
                             WEFT_AT(-4), WEFT_NEW, WEFT_REST};
    wf_text text = {};

    wf_cuts_print(9, cuts, &text);

    EXPECT_STREQ(text.data, "1:-1, 5::-2, :, :, 2:, :-3, -4, None, ...");
    weft_cut back[WF_CUTS_MAX];
    int n = 0;
    ASSERT_EQ(wf_cuts_parse("index", text.data, &n, back), WEFT_OK);
    ASSERT_EQ(n, 9);
    for (int i = 0; i < n; i++) {
        EXPECT_EQ(back[i].kind, cuts[i].kind) << i;
        EXPECT_EQ(back[i].bounds, cuts[i].bounds) << i;
        EXPECT_EQ(back[i].start, cuts[i].start) << i;
        EXPECT_EQ(back[i].stop, cuts[i].stop) << i;
        EXPECT_EQ(back[i].step ? back[i].step : 1, cuts[i].step ? cuts[i].step : 1) << i;
    }
    wf_text_fini(&text);
}

TEST(Cuts, TextMayHoldBlanksNewlinesAndATrailingComma) {
    weft_cut cuts[WF_CUTS_MAX];
    int n = 0;
    wf_text text = {};

    ASSERT_EQ(wf_cuts_parse("index", " 1 :\n - 1 , newaxis,\t+3 , ", &n, cuts), WEFT_OK) << wf_last_error();

    wf_cuts_print(n, cuts, &text);
    EXPECT_STREQ(text.data, "1:-1, None, 3");
    wf_text_fini(&text);
}

TEST(Cuts, TextErrorsNameTheColumn) {
    const struct {
        const char *text, *error;
    } table[] = {
        {"", "index, column 1: expected an integer, a slice, '...' or None, got end of text"},
        {",", "index, column 1: expected an integer, a slice, '...' or None, got ','"},
        {"1,,2", "index, column 3: expected an integer, a slice, '...' or None, got ','"},
        {"1:2:3:4", "index, column 6: expected ',' or the end of the text, got ':'"},
        {"1 2", "index, column 3: expected ',' or the end of the text, got '2'"},
        {"1:x", "index, column 3: expected ',' or the end of the text, got 'x'"},
        {"x", "index, column 1: expected an integer, a slice, '...' or None, got 'x'"},
        {"1.5", "index, column 1: expected an integer, a slice, '...' or None, got '1.5'"},
        {"-:", "index, column 2: expected an integer, got ':'"},
        {"--1", "index, column 2: expected an integer, got '-'"},
        {"::0", "index, column 3: slice step cannot be zero"},
        {"1:2]", "index, column 4: expected ',' or the end of the text, got ']'"},
        {"...:", "index, column 4: expected ',' or the end of the text, got ':'"},
        {"9223372036854775808", "index, column 1: integer 9223372036854775808 does not fit in int64"},
        {"'a'", "index, column 1: expected an integer, a slice, '...' or None, got ''a''"},
    };
    for (auto &row : table) {
        weft_cut cuts[WF_CUTS_MAX] = {};
        int n = -7;
        EXPECT_EQ(wf_cuts_parse("index", row.text, &n, cuts), WEFT_INVALID) << row.text;
        EXPECT_STREQ(wf_last_error(), row.error);
        EXPECT_EQ(n, -7);
    }
    std::string many;
    for (int i = 0; i <= WF_CUTS_MAX; i++) many += ":,";
    weft_cut cuts[WF_CUTS_MAX];
    int n;
    EXPECT_EQ(wf_cuts_parse("index", many.c_str(), &n, cuts), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "index, column 67: more than 33 cuts");
    EXPECT_EQ(wf_cuts_parse("index", nullptr, &n, cuts), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "index: the text is NULL");
}

TEST(Cuts, ErrorsSayWhatNumpySays) {
    const struct {
        Ints shape;
        const char *text, *error;
    } table[] = {
        {{5}, "7", "index: index 7 is out of bounds for axis 0 with size 5"},
        {{5}, "5", "index: index 5 is out of bounds for axis 0 with size 5"},
        {{5}, "-6", "index: index -6 is out of bounds for axis 0 with size 5"},
        {{2, 0}, "0, 0", "index: index 0 is out of bounds for axis 1 with size 0"},
        {{2, 3}, "..., None, 3", "index: index 3 is out of bounds for axis 1 with size 3"},
        {{5}, "-9223372036854775808", "index: index -9223372036854775808 is out of bounds for axis 0 with size 5"},
        {{2, 3}, "0, 0, 0", "index: too many indices: array has 2 axes, got 3"},
        {{3}, "1, :", "index: too many indices: array has 1 axis, got 2"},
        {{}, "0", "index: too many indices: array has 0 axes, got 1"},
        {{2, 3}, "..., ...", "index: an index can have only one ellipsis ('...'), got 2"},
        {{1, 1}, "None, None, None, None, None, None, None, None, None, None, None, None, None, None, None",
         "index: the result has more than 16 axes"},
    };
    for (auto &row : table) {
        wf_selection s = {};
        s.ndim = -7;
        EXPECT_EQ(Resolve(row.shape, row.text, &s), WEFT_INVALID) << row.text;
        EXPECT_STREQ(wf_last_error(), row.error);
        EXPECT_EQ(s.ndim, -7);
    }
}

TEST(Cuts, RefuseMalformedStructures) {
    const int64_t shape[] = {5};
    const weft_cut zero_step[] = {WEFT_STEP(0, 5, 0)};
    weft_cut bad_kind[] = {WEFT_ALL}, bad_bounds[] = {WEFT_ALL};
    bad_kind[0].kind = 9;
    bad_bounds[0].bounds = 8;
    wf_selection s;

    EXPECT_EQ(wf_cuts_resolve("setitem", 1, shape, 1, zero_step, &s), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "setitem: slice step cannot be zero");
    EXPECT_EQ(wf_cuts_resolve("index", 1, shape, 1, bad_kind, &s), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "index: cut 0 is malformed: kind 9, bounds 0x0");
    EXPECT_EQ(wf_cuts_resolve("index", 1, shape, 1, bad_bounds, &s), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "index: cut 0 is malformed: kind 0, bounds 0x8");
    EXPECT_EQ(wf_cuts_resolve("index", 1, shape, -1, bad_kind, &s), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "index: expected a count and as many cuts, got -1 at a pointer");
    EXPECT_EQ(wf_cuts_resolve("index", 1, shape, 2, nullptr, &s), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "index: expected a count and as many cuts, got 2 at NULL");
}

TEST(Cuts, LongAxesDoNotOverflow) {
    const int64_t shape[] = {INT64_MAX / 16};
    const weft_cut cuts[] = {WEFT_STEP(INT64_MAX, INT64_MIN + 1, -INT64_MAX)};
    wf_selection s = {};

    ASSERT_EQ(wf_cuts_resolve("index", 1, shape, 1, cuts, &s), WEFT_OK);

    EXPECT_EQ(s.axis[0].start, INT64_MAX / 16 - 1);
    EXPECT_EQ(s.axis[0].count, 1);
    EXPECT_EQ(s.axis[0].step, 1);
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
// errors_test - what fails says so: statuses, sentences, untouched output, and the rules of pending errors.
#include <cmath>

#include "api/fixture.h"

namespace {

using Errors = Api;

TEST_F(Errors, AChainIsCheckedOnceAtItsEnd) {
    weft_array *a = count_to(3), *b = count_to(4);
    double v = 7;

    weft_array *sum = weft_sum(weft_sqrt(weft_add(a, b)), WEFT_ALL_AXES, nullptr);

    EXPECT_EQ(sum, nullptr);
    EXPECT_FAILS(weft_item_f64(sum, &v), WEFT_INVALID, "add: shapes (3,) and (4,) do not broadcast: axis 0 has 3 and 4");
    EXPECT_EQ(v, 7);
    EXPECT_EQ(weft_last_status(), WEFT_INVALID);
}

TEST_F(Errors, TheFirstFailureOfAThreadStaysPending) {
    weft_array *first = weft_reshape(count_to(6), WEFT_SHAPE(4));
    weft_array *second = weft_expand_dims(count_to(2), 9);
    EXPECT_EQ(first, nullptr);
    EXPECT_EQ(second, nullptr);

    EXPECT_FAILS(weft_compute(1, &second, nullptr), WEFT_INVALID, "reshape: 6 elements of shape (6,) do not make (4,)");
}

TEST_F(Errors, AWorkingCallClearsWhatIsPendingAndTheTextStays) {
    weft_array *bad = weft_reshape(count_to(6), WEFT_SHAPE(4));
    EXPECT_EQ(weft_compute(1, &bad, nullptr), WEFT_INVALID);

    EXPECT_EQ(weft_error_take(), WEFT_OK);
    EXPECT_STREQ(weft_last_error(), "reshape: 6 elements of shape (6,) do not make (4,)");
    EXPECT_FAILS(weft_compute(1, &bad, nullptr), WEFT_INVALID,
                 "compute: array is NULL; this thread's last failure was told before: reshape: 6 elements of shape (6,) do not make (4,)");
}

TEST_F(Errors, TheSecondOfTwoFailuresIsNotSaidToBeNone) {
    weft_array *first = weft_reshape(count_to(6), WEFT_SHAPE(4));
    weft_array *second = weft_add(count_to(3), count_to(4));

    EXPECT_FAILS(weft_compute(1, &second, nullptr), WEFT_INVALID, "reshape: 6 elements of shape (6,) do not make (4,)");
    EXPECT_FAILS(weft_compute(1, &first, nullptr), WEFT_INVALID,
                 "compute: array is NULL; this thread's last failure was told before: reshape: 6 elements of shape (6,) do not make (4,)");
}

TEST_F(Errors, ANullThatNobodyMadeIsNamedByTheFirstCallGivenIt) {
    double v = 7;

    EXPECT_FAILS(weft_item_f64(weft_sum(weft_sqrt(weft_add(nullptr, count_to(3))), WEFT_ALL_AXES, nullptr), &v), WEFT_INVALID,
                 "add: array is NULL and no call on this thread failed");
    close();  // forgets what was told
    EXPECT_PENDS(weft_label(nullptr, "x"), WEFT_INVALID, "label: array is NULL and no call on this thread failed");
    close();
    EXPECT_PENDS(weft_kernel_map(nullptr, 0, nullptr, 0, nullptr), WEFT_INVALID, "kernel_map: kernel is NULL and no call on this thread failed");
    EXPECT_EQ(v, 7);
}

TEST_F(Errors, ShapesThatDoNotMeetAreNamedWithTheirArrays) {
    weft_array *a = weft_label(weft_zeros(s, WEFT_FLOAT64, WEFT_SHAPE(3, 4)), "u"), *b = weft_zeros(s, WEFT_FLOAT64, WEFT_SHAPE(4, 3)),
               *c = weft_label(weft_zeros(s, WEFT_FLOAT64, WEFT_SHAPE(3)), "w");

    EXPECT_PENDS(weft_add(a, b), WEFT_INVALID,
                 "add: shapes (3, 4) and (4, 3) do not broadcast: axis 0 has 3 and 4; the arrays are 'u' and one without label");
    EXPECT_PENDS(weft_where(a, c, b), WEFT_INVALID,
                 "where: shapes (3, 4) and (3,) do not broadcast: axis -1 has 4 and 3; the arrays are 'u', 'w' and one without label");
    EXPECT_PENDS(weft_matmul(a, a), WEFT_INVALID,
                 "matmul: inner dimensions must agree, got 4 and 3 of shapes (3, 4) and (3, 4); the arrays are 'u' and 'u'");
}

TEST_F(Errors, AClosedSessionIsSaidToBeClosed) {
    weft_session *gone = weft_open(nullptr);
    ASSERT_EQ(weft_close(gone), WEFT_OK);

    EXPECT_FAILS(weft_close(gone), WEFT_CLOSED, "close: this session is closed");
    EXPECT_PENDS(weft_zeros(gone, WEFT_FLOAT64, WEFT_SHAPE(3)), WEFT_CLOSED, "zeros: this session is closed");
    EXPECT_EQ(weft_scope_open(gone), nullptr);
    EXPECT_EQ(weft_error_take(), WEFT_CLOSED);
}

TEST_F(Errors, WhatWasToldIsRepeatedOnceHoweverOften) {
    weft_array *bad = weft_reshape(weft_zeros(s, WEFT_FLOAT64, WEFT_SHAPE(3)), WEFT_SHAPE(7));
    EXPECT_NE(weft_compute(1, &bad, nullptr), WEFT_OK);
    for (int i = 0; i < 3; i++) {
        bad = weft_negative(bad);
        EXPECT_EQ(weft_compute(1, &bad, nullptr), WEFT_INVALID);
        const std::string text = weft_last_error();
        EXPECT_EQ(text.find("told before"), text.rfind("told before")) << text;
        EXPECT_NE(text.find("reshape"), std::string::npos) << text;
    }
}

TEST_F(Errors, MoreSessionsThanPlacesCanBeOpen) {
    std::vector<weft_session *> sessions;
    weft_options small = {};
    small.memory_limit = 1 << 20;
    for (int i = 0; i < 70; i++) sessions.push_back(weft_open(&small));
    for (auto *session : sessions) EXPECT_EQ(value(weft_num(session, 3)), 3);
    for (auto *session : sessions) EXPECT_EQ(weft_close(session), WEFT_OK);
}

TEST_F(Errors, EmptyArraysWithExtentsThatDoNotMultiplyAreRefused) {
    const double x = 0;

    EXPECT_PENDS(weft_zeros(s, WEFT_FLOAT64, WEFT_SHAPE(0, INT64_MAX)), WEFT_OVERFLOW, "zeros: the number of elements does not fit in 64 bits");
    EXPECT_PENDS(weft_from_memory(s, &x, WEFT_FLOAT64, WEFT_SHAPE(INT64_C(1) << 62, 5, 0), nullptr), WEFT_OVERFLOW,
                 "from_memory: the number of elements does not fit in 64 bits");
    EXPECT_EQ(weft_array_size(weft_zeros(s, WEFT_FLOAT64, WEFT_SHAPE(0, 1 << 30))), 0);
}

TEST_F(Errors, CloseClearsWhatIsPending) {
    EXPECT_EQ(weft_reshape(count_to(6), WEFT_SHAPE(4)), nullptr);
    close();
    EXPECT_EQ(weft_error_take(), WEFT_OK);
}

TEST_F(Errors, OptionalOperandsPassOnWhatIsPending) {
    weft_array *lost = weft_reshape(count_to(6), WEFT_SHAPE(4));

    weft_array *clipped = weft_clip(count_to(6), lost, nullptr);

    EXPECT_EQ(clipped, nullptr);
    EXPECT_EQ(weft_error_take(), WEFT_INVALID);
    EXPECT_NE(weft_clip(count_to(6), nullptr, nullptr), nullptr);
}

TEST_F(Errors, ReadingNeedsTheRightRoomAndASafeCast) {
    weft_array *x = count_to(3);
    double room[3] = { 5, 5, 5 };

    EXPECT_FAILS(weft_get(x, WEFT_FLOAT64, room, 23), WEFT_INVALID, "get: expected room for 24 bytes, got 23");
    EXPECT_FAILS(weft_get(x, WEFT_INT32, room, 12), WEFT_INVALID, "get: cannot read float64 as int32 safely");
    EXPECT_FAILS(weft_get(x, WEFT_FLOAT64, nullptr, 24), WEFT_INVALID, "get: out is NULL");
    EXPECT_FAILS(weft_get(x, (weft_dtype)99, room, 24), WEFT_INVALID, "get: expected a dtype, got the number 99");
    EXPECT_FAILS(weft_item_f64(x, room), WEFT_INVALID, "item: expected an array of one element, got 3");
    EXPECT_EQ(room[0], 5);
}

TEST_F(Errors, AnItemThatDoesNotFitIsRefused) {
    const uint64_t large = UINT64_MAX;
    int64_t i = 7;
    double d = 7;
    weft_array *x = weft_from_memory(s, &large, WEFT_UINT64, 0, nullptr, nullptr);

    EXPECT_FAILS(weft_item_i64(x, &i), WEFT_OVERFLOW, "item: 18446744073709551615 does not fit in int64");
    EXPECT_FAILS(weft_item_i64(weft_num(s, 1), &i), WEFT_INVALID, "item: cannot read float64 as int64 safely");
    EXPECT_FAILS(weft_item_f64(weft_num_c128(s, 1, 2), &d), WEFT_INVALID, "item: cannot read complex128 as float64 safely");
    EXPECT_EQ(i, 7);
    EXPECT_EQ(d, 7);
}

TEST_F(Errors, ReservedFieldsMustBeZero) {
    weft_reduce_options r = {};
    r.reserved[7] = 1;
    EXPECT_PENDS(weft_sum(count_to(3), WEFT_ALL_AXES, &r), WEFT_INVALID,
                 "weft_sum options: reserved field is set; this program was written for a newer library");

    weft_options o = {};
    o.reserved[0] = 1;
    EXPECT_PENDS(weft_open(&o), WEFT_INVALID, "weft_open options: reserved field is set; this program was written for a newer library");

    weft_compute_options c = {};
    c.reserved[3] = 1;
    weft_array *x = count_to(3);
    EXPECT_FAILS(weft_compute(1, &x, &c), WEFT_INVALID,
                 "weft_compute options: reserved field is set; this program was written for a newer library");
}

TEST_F(Errors, SessionsAreOpenedWithValidOptionsOnly) {
    weft_options o = {};
    o.memory_limit = -1;
    EXPECT_PENDS(weft_open(&o), WEFT_INVALID, "open: .memory_limit must be >= 0 bytes, got -1");
    o = {};
    o.nblocks = 2;
    EXPECT_PENDS(weft_open(&o), WEFT_INVALID, "open: .nblocks is 2 but .blocks is NULL");
    const int64_t zero[] = { 4, 0 };
    o.blocks = zero;
    EXPECT_PENDS(weft_open(&o), WEFT_INVALID, "open: .blocks[1] must be >= 1, got 0");
    o = {};
    o.scheduler = "tcp://127.0.0.1:9";
    EXPECT_PENDS(weft_open(&o), WEFT_UNSUPPORTED, "open: connecting to a scheduler is not supported by this version");
    o = {};
    o.workers = 3;
    EXPECT_PENDS(weft_open(&o), WEFT_UNSUPPORTED, "open: workers in processes of their own are not supported by this version");
    o = {};
    o.settings = "treads=4";
    EXPECT_EQ(weft_open(&o), nullptr);
    EXPECT_EQ(weft_error_take(), WEFT_INVALID);
    EXPECT_NE(std::string(weft_last_error()).find("did you mean 'threads'?"), std::string::npos) << weft_last_error();
    o.settings = "--threads=x";
    EXPECT_EQ(weft_open(&o), nullptr);
    EXPECT_EQ(weft_error_take(), WEFT_INVALID);
    EXPECT_EQ(std::string(weft_last_error()).rfind("settings: --threads: threads: ", 0), 0u) << weft_last_error();
    o = {};
    o.memory_limit = 1000;
    EXPECT_PENDS(weft_open(&o), WEFT_NO_MEMORY, "open: expected a memory limit of at least 65536 bytes, got 1000");
    o = {};
    o.settings = "threads";
    EXPECT_PENDS(weft_open(&o), WEFT_INVALID, "open: .settings: expected key=value, got 'threads'");
}

TEST_F(Errors, ArraysOfTwoSessionsDoNotMeet) {
    weft_session *other = weft_open(nullptr);
    weft_array *a = weft_num(s, 1), *b = weft_num(other, 2);

    EXPECT_PENDS(weft_add(a, b), WEFT_INVALID, "add: the arrays are of two sessions");
    weft_array *both[] = { a, b };
    EXPECT_FAILS(weft_compute(2, both, nullptr), WEFT_INVALID, "compute: the arrays are of two sessions");
    EXPECT_EQ(weft_close(other), WEFT_OK);
}

TEST_F(Errors, NullsAreRefusedWithASentence) {
    EXPECT_FAILS(weft_wait(nullptr, 0), WEFT_INVALID, "wait: request is NULL and no call on this thread failed");
    EXPECT_PENDS(weft_zeros(nullptr, WEFT_FLOAT64, 0, nullptr), WEFT_INVALID, "zeros: session is NULL and no call on this thread failed");
    EXPECT_PENDS(weft_zeros(s, WEFT_FLOAT64, 2, nullptr), WEFT_INVALID, "zeros: 2 axes, but the shape is NULL");
    EXPECT_PENDS(weft_index_text(count_to(3), nullptr), WEFT_INVALID, "index: the text is NULL");
    EXPECT_PENDS(weft_load(s, nullptr, nullptr), WEFT_INVALID, "load: the path is NULL");
    EXPECT_PENDS(weft_concat(0, nullptr, 0), WEFT_INVALID, "concat: expected at least one array, got 0");
    EXPECT_FAILS(weft_compute(2, nullptr, nullptr), WEFT_INVALID, "compute: the list of 2 arrays is NULL");
    EXPECT_EQ(weft_close(nullptr), WEFT_OK);
    EXPECT_EQ(weft_array_ndim(nullptr), -1);
    EXPECT_EQ(weft_array_dim(nullptr, 0), -1);
    EXPECT_EQ(weft_array_dtype(nullptr), WEFT_DTYPE_DEFAULT);
    EXPECT_TRUE(weft_request_done(nullptr));
}

TEST_F(Errors, BadArgumentsNameThemselves) {
    weft_array *x = weft_reshape(count_to(6), WEFT_SHAPE(2, 3));
    weft_reduce_options r = {};

    EXPECT_PENDS(weft_sum(x, WEFT_AXES(2), nullptr), WEFT_INVALID, "sum: axis 2 is out of bounds for an array of 2 axes");
    r.correction = 1;
    EXPECT_PENDS(weft_sum(x, WEFT_ALL_AXES, &r), WEFT_INVALID, "sum: .correction must be 0 here");
    r = {};
    r.dtype = WEFT_FLOAT32;
    EXPECT_PENDS(weft_max(x, WEFT_ALL_AXES, &r), WEFT_INVALID, "max: .dtype must be 0 here");
    EXPECT_PENDS(weft_full(s, WEFT_INT8, WEFT_SHAPE(2), 300), WEFT_OVERFLOW, "full: 300 does not fit in int8");
    EXPECT_PENDS(weft_full(s, WEFT_INT8, WEFT_SHAPE(2), 1.5), WEFT_INVALID, "full: expected an integer for int8, got 1.5");
    EXPECT_PENDS(weft_full_c128(s, WEFT_FLOAT32, WEFT_SHAPE(2), 1, 2), WEFT_INVALID, "full: float32 has no imaginary part, got 1+2i");
    EXPECT_PENDS(weft_zeros(s, WEFT_FLOAT64, WEFT_SHAPE(-3)), WEFT_INVALID, "zeros: extent of axis 0 must be >= 0, got -3");
    EXPECT_PENDS(weft_rechunk(x, WEFT_SHAPE(2, 0)), WEFT_INVALID,
                 "rechunk: block size on axis 1 must be >= 1, or -1 for the whole axis, got 0");
    EXPECT_PENDS(weft_index(x, WEFT_CUTS(WEFT_AT(5))), WEFT_INVALID, "index: index 5 is out of bounds for axis 0 with size 2");
    EXPECT_PENDS(weft_setitem(weft_astype(x, WEFT_INT32), WEFT_CUTS(WEFT_AT(0)), weft_num(s, 1.5)), WEFT_INVALID,
                 "setitem: int32 cannot hold float64; convert it by weft_astype");
    EXPECT_PENDS(weft_take(x, longs({ 0, 9 }), 1), WEFT_INVALID, "take: index 9 is out of bounds for axis 1 with size 3");
    EXPECT_PENDS(weft_take(x, doubles({ 0 }), 1), WEFT_INVALID, "take: indices must be integers, got float64");
    EXPECT_PENDS(weft_mask(x, longs({ 1, 0 })), WEFT_INVALID, "mask: the mask must be bool, got int64");
    EXPECT_PENDS(weft_mask(x, weft_greater(count_to(3), weft_num(s, 1))), WEFT_INVALID,
                 "mask: the mask must have the array's shape (2, 3), or that of its first axes, got (3,)");
    EXPECT_PENDS(weft_nonzero(weft_num(s, 1)), WEFT_INVALID, "nonzero: expected an array with axes, got one without");
    EXPECT_PENDS(weft_bincount(longs({ 2, -1 }), nullptr, 0), WEFT_INVALID, "bincount: numbers must be >= 0, got -1");
    EXPECT_PENDS(weft_group_sum(x, longs({ 0, 5, 1 }), 3, 1), WEFT_INVALID, "group_sum: labels must be below 3, got 5");
    EXPECT_PENDS(weft_random_uniform(s, 1, NAN, WEFT_SHAPE(2), nullptr), WEFT_INVALID,
                 "random_uniform: low <= high must hold, and both be finite, got 1 and nan");
    EXPECT_PENDS(weft_random_integers(s, 4, 4, WEFT_SHAPE(2), nullptr), WEFT_INVALID,
                 "random_integers: low < high must hold, got 4 and 4");
    EXPECT_PENDS(weft_matmul(x, x), WEFT_INVALID, "matmul: inner dimensions must agree, got 3 and 2 of shapes (2, 3) and (2, 3)");
}

TEST_F(Errors, WhatALaterVersionBringsIsUnsupported) {
    weft_save_options o = {};
    o.zarr_format = 3;
    EXPECT_PENDS(weft_sink(count_to(3), "x.zarr", &o), WEFT_UNSUPPORTED, "sink: Zarr format 3 is not supported by this version");
}

TEST_F(Errors, SinksAreNoOperands) {
    weft_array *sink = weft_sink(count_to(3), "never.npy", nullptr);
    double v[3];

    ASSERT_NE(sink, nullptr);
    EXPECT_PENDS(weft_add(sink, sink), WEFT_INVALID, "add: a sink is no operand, only computed");
    EXPECT_FAILS(weft_get(sink, WEFT_DTYPE_DEFAULT, v, 24), WEFT_INVALID, "get: a sink has no elements");
}

TEST_F(Errors, ErrorSetSpeaksForAProgram) {
    EXPECT_FAILS(weft_error_set(WEFT_IO, "tape 7 is not mounted"), WEFT_IO, "tape 7 is not mounted");
    EXPECT_EQ(weft_error_set(WEFT_OK, "nothing"), WEFT_OK);
    EXPECT_STREQ(weft_last_error(), "tape 7 is not mounted");
    EXPECT_EQ(weft_error_set((weft_status)77, "odd"), WEFT_INTERNAL);
}

}  // namespace

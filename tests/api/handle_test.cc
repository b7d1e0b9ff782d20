// SPDX-License-Identifier: Apache-2.0
// handle_test - what a handle says of its array, weak scalars, memory in, and readers and writers.
#include <atomic>
#include <cstring>

#include "api/fixture.h"

namespace {

using Handle = Api;

TEST_F(Handle, SaysShapeDtypeAndBlocks) {
    weft_array *x = weft_rechunk(weft_zeros(s, WEFT_FLOAT32, WEFT_SHAPE(10, 7)), WEFT_SHAPE(4, -1));

    EXPECT_EQ(weft_array_ndim(x), 2);
    EXPECT_EQ(weft_array_dim(x, 1), 7);
    EXPECT_EQ(weft_array_dim(x, -2), 10);
    EXPECT_EQ(weft_array_dim(x, 2), -1);
    EXPECT_EQ(weft_array_shape(x)[0], 10);
    EXPECT_EQ(weft_array_dtype(x), WEFT_FLOAT32);
    EXPECT_EQ(weft_array_size(x), 70);
    EXPECT_EQ(weft_array_nbytes(x), 280);
    EXPECT_EQ(weft_array_nblocks(x, 0), 3);
    EXPECT_EQ(weft_array_nblocks(x, 1), 1);
    EXPECT_EQ(weft_array_block_dim(x, 0, 2), 2);
    EXPECT_EQ(weft_array_block_dim(x, 0, 3), -1);
    EXPECT_EQ(weft_array_session(x), s);
    EXPECT_FALSE(weft_array_is_computed(x));
    EXPECT_EQ(weft_compute(1, &x, nullptr), WEFT_OK);
    EXPECT_TRUE(weft_array_is_computed(x));
    EXPECT_EQ(weft_array_label(x), nullptr);
    EXPECT_STREQ(weft_array_label(weft_label(x, "speed")), "speed");
    EXPECT_EQ(weft_array_label(weft_label(x, nullptr)), nullptr);
}

TEST_F(Handle, WeakScalarsTakeTheOtherOperandsDtype) {
    weft_array *f32 = weft_zeros(s, WEFT_FLOAT32, WEFT_SHAPE(2)), *i8 = weft_zeros(s, WEFT_INT8, WEFT_SHAPE(2));
    auto dtype = [](weft_array *x) { return weft_array_dtype(x); };

    EXPECT_EQ(dtype(weft_add(f32, weft_num(s, 2))), WEFT_FLOAT32);
    EXPECT_EQ(dtype(weft_add(f32, weft_num_i64(s, 2))), WEFT_FLOAT32);
    EXPECT_EQ(dtype(weft_add(f32, weft_num_c128(s, 2, 1))), WEFT_COMPLEX64);
    EXPECT_EQ(dtype(weft_add(i8, weft_num_i64(s, 2))), WEFT_INT8);
    EXPECT_EQ(dtype(weft_add(i8, weft_num(s, 2))), WEFT_FLOAT64);
    EXPECT_EQ(dtype(weft_add(weft_num(s, 2), weft_num_i64(s, 2))), WEFT_FLOAT64);
    EXPECT_EQ(dtype(weft_add(weft_num_i64(s, 2), weft_num_i64(s, 2))), WEFT_INT64);
    EXPECT_EQ(dtype(weft_add(f32, weft_add(weft_num(s, 2), weft_num(s, 3)))), WEFT_FLOAT32);
    EXPECT_PENDS(weft_add(i8, weft_num_i64(s, 300)), WEFT_OVERFLOW, "add: 300 does not fit in int8");
    EXPECT_EQ(value(weft_num(s, 2.5)), 2.5);
    EXPECT_EQ(value(weft_multiply(weft_num(s, 2.5), weft_num_i64(s, 2))), 5);
}

TEST_F(Handle, ScalarsAreReadInEveryDtypeThatHoldsThem) {
    uint16_t half = 0;
    float single = 0;
    double c[2] = {};

    EXPECT_EQ(weft_get(weft_full(s, WEFT_FLOAT16, 0, nullptr, -1.5), WEFT_DTYPE_DEFAULT, &half, 2), WEFT_OK);
    EXPECT_EQ(half, 0xbe00);
    EXPECT_EQ(weft_get(weft_full(s, WEFT_BFLOAT16, 0, nullptr, -1.5), WEFT_DTYPE_DEFAULT, &half, 2), WEFT_OK);
    EXPECT_EQ(half, 0xbfc0);
    EXPECT_EQ(weft_get(weft_full(s, WEFT_FLOAT16, 0, nullptr, 6e-8), WEFT_FLOAT32, &single, 4), WEFT_OK);
    EXPECT_EQ(single, 5.9604645e-08f);
    EXPECT_EQ(weft_item_c128(weft_num(s, 3), c), WEFT_OK);
    EXPECT_EQ(c[0], 3);
    EXPECT_EQ(c[1], 0);
}

TEST_F(Handle, MemoryWithAnyStridesIsCopied) {
    double data[6] = { 1, 2, 3, 4, 5, 6 };
    const int64_t fortran[] = { 8, 16 }, backwards[] = { -8 }, repeated[] = { 0, 8 };
    weft_memory_options o = {};

    o.strides = fortran;
    weft_array *f = weft_from_memory(s, data, WEFT_FLOAT64, WEFT_SHAPE(2, 3), &o);
    o.strides = backwards;
    weft_array *b = weft_from_memory(s, data + 5, WEFT_FLOAT64, WEFT_SHAPE(6), &o);
    o.strides = repeated;
    weft_array *r = weft_from_memory(s, data, WEFT_FLOAT64, WEFT_SHAPE(2, 2), &o);
    memset(data, 0, sizeof data);

    EXPECT_EQ(values(f), (std::vector<double>{ 1, 3, 5, 2, 4, 6 }));
    EXPECT_EQ(values(b), (std::vector<double>{ 6, 5, 4, 3, 2, 1 }));
    EXPECT_EQ(values(r), (std::vector<double>{ 1, 2, 1, 2 }));
}

TEST_F(Handle, LargeMemoryIsCopiedToo) {
    std::vector<double> data(300000);
    for (size_t i = 0; i < data.size(); i++) data[i] = (double)i;
    const int64_t transposed[] = { 8, 8 * 500 };
    weft_memory_options o = {};
    o.strides = transposed;

    weft_array *plain = doubles(data), *x = weft_from_memory(s, data.data(), WEFT_FLOAT64, WEFT_SHAPE(500, 600), &o);
    std::fill(data.begin(), data.end(), -1);

    EXPECT_EQ(value(weft_index(plain, WEFT_CUTS(WEFT_AT(-1)))), 299999);
    EXPECT_EQ(value(weft_index(x, WEFT_CUTS(WEFT_AT(3), WEFT_AT(7)))), 3 + 500 * 7);
    EXPECT_EQ(value(weft_sum(x, WEFT_ALL_AXES, nullptr)), 299999.0 * 300000 / 2);
}

void count_release(void *context)
{
    ++*static_cast<std::atomic<int> *>(context);
}

TEST_F(Handle, BorrowedMemoryIsReleasedOnceWhenNothingNeedsIt) {
    std::vector<double> data(1000, 2.0);
    std::atomic<int> released{ 0 };
    weft_memory_options o = {};
    o.borrow = true;
    o.release = count_release;
    o.context = &released;
    weft_scope *scope = weft_scope_open(s);

    weft_array *x = weft_from_memory(s, data.data(), WEFT_FLOAT64, WEFT_SHAPE(1000), &o), *y = weft_add(x, x);
    ASSERT_EQ(weft_scope_reset(scope, 1, &y), WEFT_OK);
    EXPECT_EQ(released, 0);  // y needs it
    ASSERT_EQ(weft_compute(1, &y, nullptr), WEFT_OK);
    EXPECT_EQ(released, 1);  // y holds blocks of its own
    EXPECT_EQ(value(weft_sum(y, WEFT_ALL_AXES, nullptr)), 4000);
    close();
    EXPECT_EQ(released, 1);
}

TEST_F(Handle, CopiedMemoryIsReleasedAtOnceAndAFailureReleasesNothing) {
    double data[3] = { 1, 2, 3 };
    std::atomic<int> released{ 0 };
    weft_memory_options o = {};
    o.release = count_release;
    o.context = &released;

    ASSERT_NE(weft_from_memory(s, data, WEFT_FLOAT64, WEFT_SHAPE(3), &o), nullptr);
    EXPECT_EQ(released, 1);
    o.borrow = true;
    EXPECT_PENDS(weft_from_memory(s, (char *)data + 1, WEFT_FLOAT64, WEFT_SHAPE(2), &o), WEFT_INVALID,
                 "from_memory: borrowed float64 must be aligned to 8 bytes; without .borrow it is copied");
    EXPECT_PENDS(weft_from_memory(s, nullptr, WEFT_FLOAT64, WEFT_SHAPE(2), &o), WEFT_INVALID,
                 "from_memory: data is NULL, but the array has 2 elements");
    EXPECT_EQ(released, 1);
}

struct Tape {
    std::atomic<int> calls{ 0 }, inside{ 0 }, most{ 0 };
    weft_status answer = WEFT_OK;
    const char *text = nullptr;
};

weft_status read_tape(void *context, const int64_t *start, const int64_t *count, void *out)
{
    Tape *t = static_cast<Tape *>(context);
    int now = ++t->inside;
    if (now > t->most) t->most = now;
    ++t->calls;
    for (int64_t i = 0; i < count[0]; i++)
        for (int64_t j = 0; j < count[1]; j++) static_cast<double *>(out)[i * count[1] + j] = (double)((start[0] + i) * 100 + start[1] + j);
    --t->inside;
    return t->text ? weft_error_set(t->answer, t->text) : t->answer;
}

TEST_F(Handle, ReadersSupplyBlocks) {
    Tape tape;
    weft_array *x = weft_from_reader(s, read_tape, &tape, WEFT_FLOAT64, WEFT_SHAPE(20, 30));
    x = weft_rechunk(x, WEFT_SHAPE(7, 11));

    EXPECT_EQ(value(weft_index(x, WEFT_CUTS(WEFT_AT(13), WEFT_AT(29)))), 1329);
    EXPECT_EQ(value(weft_sum(x, WEFT_ALL_AXES, nullptr)), 600 * (950 + 14.5));
    EXPECT_GT(tape.calls, 2);
}

TEST_F(Handle, SerialReadersTakeTurns) {
    Tape tape;
    weft_array *a = weft_from_reader_serial(s, read_tape, &tape, WEFT_FLOAT64, WEFT_SHAPE(40, 30));
    weft_array *b = weft_from_reader_serial(s, read_tape, &tape, WEFT_FLOAT64, WEFT_SHAPE(40, 30));
    weft_array *both[] = { weft_rechunk(a, WEFT_SHAPE(2, 5)), weft_rechunk(b, WEFT_SHAPE(3, 4)) };

    EXPECT_EQ(weft_compute(2, both, nullptr), WEFT_OK);

    EXPECT_EQ(tape.most, 1);
}

TEST_F(Handle, AReadersFailureIsTheRequests) {
    Tape tape;
    tape.answer = WEFT_IO;
    tape.text = "tape 7 is not mounted";
    weft_array *x = weft_from_reader(s, read_tape, &tape, WEFT_FLOAT64, WEFT_SHAPE(20, 30));

    EXPECT_EQ(weft_compute(1, &x, nullptr), WEFT_IO);
    EXPECT_NE(std::string(weft_last_error()).find("tape 7 is not mounted"), std::string::npos) << weft_last_error();
    tape.text = nullptr;
    EXPECT_EQ(weft_compute(1, &x, nullptr), WEFT_IO);
    EXPECT_NE(std::string(weft_last_error()).find("from_reader: the function returned WEFT_IO"), std::string::npos) << weft_last_error();
    tape.answer = WEFT_OK;
    EXPECT_EQ(weft_compute(1, &x, nullptr), WEFT_OK);
}

TEST_F(Handle, LabelsOutliveViewsAndRechunk) {
    Tape tape;
    tape.answer = WEFT_IO;
    weft_array *x = weft_label(weft_from_reader(s, read_tape, &tape, WEFT_FLOAT64, WEFT_SHAPE(20, 30)), "tape");
    weft_array *y = weft_rechunk(x, WEFT_SHAPE(7, 11)), *z = weft_index(y, WEFT_CUTS(WEFT_FROM(3)));

    EXPECT_STREQ(weft_array_label(y), "tape");
    EXPECT_STREQ(weft_array_label(z), "tape");
    EXPECT_EQ(weft_array_label(weft_sqrt(z)), nullptr);
    EXPECT_EQ(weft_compute(1, &z, nullptr), WEFT_IO);
    EXPECT_NE(std::string(weft_last_error()).find("\"tape\""), std::string::npos) << weft_last_error();
    weft_array *sum = weft_sum(weft_add(y, weft_num(s, 1)), WEFT_ALL_AXES, nullptr);
    EXPECT_EQ(weft_compute(1, &sum, nullptr), WEFT_IO);
    EXPECT_NE(std::string(weft_last_error()).find("\"tape\""), std::string::npos) << weft_last_error();
}

struct Sheet {
    std::vector<double> cell = std::vector<double>(600, -1);
    weft_status answer = WEFT_OK;
};

weft_status write_sheet(void *context, const int64_t *start, const int64_t *count, const void *data)
{
    Sheet *t = static_cast<Sheet *>(context);
    for (int64_t i = 0; i < count[0]; i++)
        for (int64_t j = 0; j < count[1]; j++) t->cell[(size_t)((start[0] + i) * 30 + start[1] + j)] = static_cast<const double *>(data)[i * count[1] + j];
    return t->answer;
}

TEST_F(Handle, WritersGetEveryBlock) {
    Sheet sheet;
    weft_array *x = weft_rechunk(weft_reshape(count_to(600), WEFT_SHAPE(20, 30)), WEFT_SHAPE(6, 7));
    weft_array *sink = weft_to_writer(weft_multiply(x, weft_num(s, 2)), write_sheet, &sheet);

    EXPECT_EQ(weft_compute(1, &sink, nullptr), WEFT_OK);

    for (int i = 0; i < 600; i++) ASSERT_EQ(sheet.cell[(size_t)i], 2 * i);
    sheet.answer = WEFT_NO_SPACE;
    weft_array *full = weft_to_writer(x, write_sheet, &sheet);
    EXPECT_EQ(weft_compute(1, &full, nullptr), WEFT_NO_SPACE);
    EXPECT_NE(std::string(weft_last_error()).find("to_writer: the function returned WEFT_NO_SPACE"), std::string::npos) << weft_last_error();
}

weft_status wait_inside(void *context, const int64_t *, const int64_t *, void *out)
{
    weft_array *other = static_cast<weft_array *>(context);
    *static_cast<double *>(out) = weft_compute(1, &other, nullptr) == WEFT_BUSY ? 1 : 0;
    return WEFT_OK;
}

TEST_F(Handle, WaitingInAReaderIsBusy) {
    weft_array *other = count_to(10);
    weft_array *x = weft_from_reader(s, wait_inside, other, WEFT_FLOAT64, WEFT_SHAPE(1));

    EXPECT_EQ(value(x), 1);
}

}  // namespace

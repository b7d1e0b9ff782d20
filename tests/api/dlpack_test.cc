// SPDX-License-Identifier: Apache-2.0
// dlpack_test - tensors come in without a copy where they can, are given back once, and go out whole.
#include <complex>
#include <cstring>
#include <numeric>

#include "api/fixture.h"

extern "C" {
#include "api/dlpack.h"
}

namespace {

using Tensor = DLManagedTensorVersioned;

// A 3 x 4 tensor of int32, 0 to 11, in column order.
struct Columns : Tensor {
    int32_t data[12];
    int64_t shape[2] = { 3, 4 }, strides[2] = { 1, 3 };
    int deleted = 0;
    Columns() : Tensor{}
    {
        std::iota(data, data + 12, 0);
        version = { 1, 0 };
        context = this;
        deleter = [](Tensor *t) { static_cast<Columns *>(t->context)->deleted++; };
        tensor.data = data;
        tensor.device.type = WF_DL_CPU;
        tensor.ndim = 2;
        tensor.dtype = { WF_DL_INT, 32, 1 };
        tensor.shape = shape;
        tensor.strides = strides;
    }
};

using Dlpack = Api;

TEST_F(Dlpack, ATensorIsReadWhereItLiesAndGivenBackOnce)
{
    Columns t;
    weft_array *x = weft_from_dlpack(s, &t, nullptr);
    int64_t sum = 0;
    t.data[5] = 1000;  // borrowed: seen

    ASSERT_EQ(weft_item_i64(weft_index_text(x, "2, 1"), &sum), WEFT_OK) << weft_last_error();
    EXPECT_EQ(sum, 1000);
    EXPECT_EQ(t.deleted, 0);
    weft_close(s);
    s = nullptr;
    EXPECT_EQ(t.deleted, 1);
}

TEST_F(Dlpack, WithCopyTheTensorGoesBackAtOnce)
{
    Columns t;
    const weft_dlpack_options copy = { nullptr, true, {} };
    weft_array *x = weft_from_dlpack(s, &t, &copy);
    EXPECT_EQ(t.deleted, 1);
    memset(t.data, 0, sizeof t.data);
    int64_t sum = 0;
    ASSERT_EQ(weft_item_i64(weft_sum(x, WEFT_ALL_AXES, nullptr), &sum), WEFT_OK) << weft_last_error();
    EXPECT_EQ(sum, 66);
}

TEST_F(Dlpack, EveryDtypeGoesOutAndComesBack)
{
    for (int d = 1; d < WEFT_NDTYPES; d++) {
        Tensor *out = nullptr;
        weft_array *x = weft_astype(count_to(7), (weft_dtype)d);
        ASSERT_EQ(weft_to_dlpack(x, &out, nullptr), WEFT_OK) << weft_last_error();
        EXPECT_EQ((uintptr_t)out->tensor.data % 256, 0u);
        EXPECT_EQ(out->tensor.ndim, 1);
        EXPECT_EQ(out->tensor.shape[0], 7);
        weft_array *back = weft_from_dlpack(s, out, nullptr);
        EXPECT_EQ(weft_array_dtype(back), (weft_dtype)d);
        int64_t same = 0;
        ASSERT_EQ(weft_item_i64(weft_count_nonzero(weft_equal(x, back), WEFT_ALL_AXES, nullptr), &same), WEFT_OK)
            << weft_last_error();
        EXPECT_EQ(same, 7);
    }
}

TEST_F(Dlpack, EmptyAndZeroDimensionalTensorsPass)
{
    Tensor *out = nullptr;
    ASSERT_EQ(weft_to_dlpack(weft_zeros(s, WEFT_FLOAT32, WEFT_SHAPE(3, 0)), &out, nullptr), WEFT_OK);
    weft_array *none = weft_from_dlpack(s, out, nullptr);
    EXPECT_EQ(weft_array_size(none), 0);
    ASSERT_EQ(weft_to_dlpack(weft_num(s, 2.5), &out, nullptr), WEFT_OK);
    double v = 0;
    ASSERT_EQ(weft_item_f64(weft_from_dlpack(s, out, nullptr), &v), WEFT_OK);
    EXPECT_EQ(v, 2.5);
}

TEST_F(Dlpack, WhatCannotBeTakenStaysTheCallers)
{
    Columns t;
    t.version.major = 2;
    EXPECT_PENDS(weft_from_dlpack(s, &t, nullptr), WEFT_UNSUPPORTED, "from_dlpack: expected DLPack 1, got 2.0");
    t.version.major = 1;
    t.tensor.device.type = WF_DL_CUDA;
    EXPECT_PENDS(weft_from_dlpack(s, &t, nullptr), WEFT_UNSUPPORTED,
                 "from_dlpack: expected a tensor in host memory, got one on device type 2");
    t.tensor.device.type = WF_DL_CPU;
    t.tensor.dtype.lanes = 4;
    EXPECT_PENDS(weft_from_dlpack(s, &t, nullptr), WEFT_UNSUPPORTED,
                 "from_dlpack: no dtype has code 0, 32 bits and 4 lanes");
    t.tensor.dtype.lanes = 1;
    t.tensor.ndim = 17;
    EXPECT_PENDS(weft_from_dlpack(s, &t, nullptr), WEFT_INVALID,
                 "from_dlpack: expected 0 to 16 axes and their lengths, got 17");
    t.tensor.ndim = 2;
    t.strides[1] = INT64_MAX / 2;
    EXPECT_PENDS(weft_from_dlpack(s, &t, nullptr), WEFT_OVERFLOW,
                 "from_dlpack: stride 4611686018427387903 on axis 1 reaches beyond 64 bits");
    EXPECT_PENDS(weft_from_dlpack(s, nullptr, nullptr), WEFT_INVALID, "from_dlpack: tensor is NULL");
    EXPECT_FAILS(weft_to_dlpack(count_to(3), nullptr, nullptr), WEFT_INVALID, "to_dlpack: out is NULL");
    EXPECT_EQ(t.deleted, 0);
}

}  // namespace

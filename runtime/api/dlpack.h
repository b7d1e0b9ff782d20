// SPDX-License-Identifier: Apache-2.0
// dlpack - the structures of DLPack 1.x (dmlc/dlpack, dlpack.h) that a tensor crosses libraries in: our own declarations of its published layout.
#ifndef WF_API_DLPACK_H
#define WF_API_DLPACK_H

#include <stdint.h>

enum { WF_DL_CPU = 1, WF_DL_CUDA = 2, WF_DL_CUDA_HOST = 3 };
enum { WF_DL_INT, WF_DL_UINT, WF_DL_FLOAT, WF_DL_BFLOAT = 4, WF_DL_COMPLEX, WF_DL_BOOL };
enum { WF_DL_READ_ONLY = 1, WF_DL_COPIED = 2 };

typedef struct wf_dl_tensor {
    void *data;
    struct {
        int32_t type, id;
    } device;
    int32_t ndim;
    struct {
        uint8_t code, bits;
        uint16_t lanes;
    } dtype;
    int64_t *shape, *strides;  // elements; strides NULL: C order
    uint64_t byte_offset;
} wf_dl_tensor;

struct DLManagedTensorVersioned {
    struct {
        uint32_t major, minor;
    } version;
    void *context;
    void (*deleter)(struct DLManagedTensorVersioned *self);  // NULL: nothing to free
    uint64_t flags;
    wf_dl_tensor tensor;
};

#endif

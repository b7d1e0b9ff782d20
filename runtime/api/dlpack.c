// SPDX-License-Identifier: Apache-2.0
// dlpack - tensors of other libraries as arrays, and arrays as tensors, in host memory. A tensor that comes in is borrowed where it lies; what goes
// out is a copy in C order, since blocks may lie anywhere and move.
#include "api/dlpack.h"

#include <string.h>

#include "api/session.h"

typedef struct DLManagedTensorVersioned managed;

enum { MAJOR = 1, MINOR = 1 };

// --- dtypes ---

static const struct {
    uint8_t code, bits, dtype;
} dtypes[] = {
    { WF_DL_BOOL, 8, WEFT_BOOL },
    { WF_DL_INT, 8, WEFT_INT8 },
    { WF_DL_INT, 16, WEFT_INT16 },
    { WF_DL_INT, 32, WEFT_INT32 },
    { WF_DL_INT, 64, WEFT_INT64 },
    { WF_DL_UINT, 8, WEFT_UINT8 },
    { WF_DL_UINT, 16, WEFT_UINT16 },
    { WF_DL_UINT, 32, WEFT_UINT32 },
    { WF_DL_UINT, 64, WEFT_UINT64 },
    { WF_DL_FLOAT, 16, WEFT_FLOAT16 },
    { WF_DL_BFLOAT, 16, WEFT_BFLOAT16 },
    { WF_DL_FLOAT, 32, WEFT_FLOAT32 },
    { WF_DL_FLOAT, 64, WEFT_FLOAT64 },
    { WF_DL_COMPLEX, 64, WEFT_COMPLEX64 },
    { WF_DL_COMPLEX, 128, WEFT_COMPLEX128 },
};
enum { NDTYPE = sizeof dtypes / sizeof dtypes[0] };

static weft_dtype dtype_of(const wf_dl_tensor *t)
{
    for (int i = 0; i < NDTYPE && t->dtype.lanes == 1; i++)
        if (dtypes[i].code == t->dtype.code && dtypes[i].bits == t->dtype.bits)
            return (weft_dtype)dtypes[i].dtype;
    return WEFT_DTYPE_DEFAULT;
}

// --- in ---

static void delete_tensor(void *tensor)
{
    managed *m = tensor;
    if (m->deleter) m->deleter(m);
}

static weft_status check_tensor(const managed *m)
{
    if (!m) return wf_fail(WEFT_INVALID, "from_dlpack: tensor is NULL");
    if (m->version.major != MAJOR)
        return wf_fail(WEFT_UNSUPPORTED, "from_dlpack: expected DLPack %d, got %u.%u", MAJOR,
                       m->version.major, m->version.minor);
    const wf_dl_tensor *t = &m->tensor;
    if (t->device.type != WF_DL_CPU && t->device.type != WF_DL_CUDA_HOST)
        return wf_fail(WEFT_UNSUPPORTED,
                       "from_dlpack: expected a tensor in host memory, got one on device type %d",
                       t->device.type);
    if (t->ndim < 0 || t->ndim > WEFT_MAX_NDIM || (t->ndim > 0 && !t->shape))
        return wf_fail(WEFT_INVALID, "from_dlpack: expected 0 to %d axes and their lengths, got %d",
                       WEFT_MAX_NDIM, t->ndim);
    if (dtype_of(t) == WEFT_DTYPE_DEFAULT)
        return wf_fail(WEFT_UNSUPPORTED, "from_dlpack: no dtype has code %d, %d bits and %d lanes",
                       t->dtype.code, t->dtype.bits, t->dtype.lanes);
    return WEFT_OK;
}

static weft_status byte_strides(const wf_dl_tensor *t, int64_t item, int64_t *out)
{
    for (int i = 0; i < t->ndim; i++)
        if (__builtin_mul_overflow(t->strides[i], item, &out[i]))
            return wf_fail(WEFT_OVERFLOW,
                           "from_dlpack: stride %" PRId64 " on axis %d reaches beyond 64 bits",
                           t->strides[i], i);
    return WEFT_OK;
}

static bool is_aligned(const void *data, const int64_t *stride, int ndim, weft_dtype dtype)
{
    const size_t unit = wf_dtype_size(wf_dtype_real(dtype));
    size_t bits = (uintptr_t)data;
    for (int i = 0; stride && i < ndim; i++) bits |= (size_t)stride[i];
    return bits % unit == 0;
}

weft_array *weft_from_dlpack(weft_session *session, struct DLManagedTensorVersioned *tensor,
                             const weft_dlpack_options *opts)
{
    int64_t stride[WEFT_MAX_NDIM];
    weft_status st = wf_session_check("from_dlpack", session);
    if (st == WEFT_OK) st = WF_CHECK_TAIL("from_dlpack", opts);
    if (st == WEFT_OK) st = check_tensor(tensor);
    if (st != WEFT_OK) return wf_array_give(session, st, NULL, SITE);

    const wf_dl_tensor *t = &tensor->tensor;
    const weft_dtype dtype = dtype_of(t);
    const char *data = t->data ? (const char *)t->data + t->byte_offset : NULL;
    if (t->strides) st = byte_strides(t, (int64_t)wf_dtype_size(dtype), stride);
    if (st != WEFT_OK) return wf_array_give(session, st, NULL, SITE);
    weft_memory_options o = { .strides = t->strides ? stride : NULL,
                              .borrow = !(opts && opts->copy),
                              .release = delete_tensor,
                              .context = tensor };
    o.borrow = o.borrow && is_aligned(data, o.strides, t->ndim, dtype);
    return weft_from_memory(session, data, dtype, t->ndim, t->shape, &o);
}

// --- out ---

// One allocation: the tensor, its shape, its strides, then the elements.
typedef struct sent {
    managed managed;
    int64_t shape[WEFT_MAX_NDIM], strides[WEFT_MAX_NDIM];
} sent;

enum { ALIGNMENT = 256 };  // what DLPack asks for

static void free_sent(managed *m) { wf_free(m->context); }

static sent *make_sent(const wf_node *n, void **data)
{
    const size_t bytes = (size_t)wf_shape_size(&n->shape) * wf_dtype_size((weft_dtype)n->dtype);
    sent *s = wf_alloc(sizeof *s + bytes + ALIGNMENT);
    if (!s) return NULL;
    memset(s, 0, sizeof *s);
    *data = (void *)(((uintptr_t)(s + 1) + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
    s->managed = (managed){
        .version = { MAJOR, MINOR }, .context = s, .deleter = free_sent, .flags = WF_DL_COPIED
    };
    wf_dl_tensor *t = &s->managed.tensor;
    t->data = *data;
    t->device.type = WF_DL_CPU;
    t->ndim = n->shape.ndim;
    t->shape = s->shape;
    t->strides = s->strides;
    t->dtype.lanes = 1;
    for (int i = 0; i < NDTYPE; i++)
        if (dtypes[i].dtype == n->dtype)
            t->dtype.code = dtypes[i].code, t->dtype.bits = dtypes[i].bits;
    int64_t run = 1;
    for (int i = n->shape.ndim - 1; i >= 0; i--) {
        s->shape[i] = n->shape.dim[i];
        s->strides[i] = run;
        run *= n->shape.dim[i];
    }
    return s;
}

weft_status weft_to_dlpack(weft_array *x, struct DLManagedTensorVersioned **out,
                           const weft_dlpack_options *opts)
{
    void *data;
    WF_TRY(wf_array_check_readable("to_dlpack", x));
    WF_TRY(WF_CHECK_TAIL("to_dlpack", opts));
    if (!out) return wf_fail(WEFT_INVALID, "to_dlpack: out is NULL");
    sent *s = make_sent(x->node, &data);
    if (!s) return WEFT_NO_MEMORY;
    weft_status st = WEFT_OK;
    if (wf_shape_size(&x->node->shape) > 0)
        st = wf_node_read(x->session, "to_dlpack", x->node, NULL, (weft_dtype)x->node->dtype, data);
    if (st == WEFT_OK) *out = &s->managed;
    else wf_free(s);
    return st;
}

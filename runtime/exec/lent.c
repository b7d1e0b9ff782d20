// SPDX-License-Identifier: Apache-2.0
// lent - sources whose leaf is host memory already (the caller's, a mapped file), for devices that
// do not see it. A block that lies in that memory as blocks do, in one run, is that memory: nothing
// is copied but from there to the device. Others are gathered.
#include <string.h>

#include "base/alloc.h"
#include "exec/run.h"

// A block that is part of a leaf's memory.
typedef struct loan {
    wf_object *leaf;
    wf_box box;
    bool streams;  // pages of a mapped file, to be let go of
} loan;

static void end_loan(void *context)
{
    loan *l = context;
    if (l->streams) wf_file_done(((wf_file_leaf *)l->leaf->data)->file, &l->box);
    wf_object_release(l->leaf);
    wf_free(l);
}

// Where BOX begins; whether it lies in one run, in C order.
static bool find_run(const wf_leaf_header *h, const wf_box *box, char **out)
{
    int64_t want = (int64_t)wf_dtype_size(h->dtype);
    bool run = true;
    *out = (char *)(uintptr_t)h->data;
    for (int a = box->ndim - 1; a >= 0; a--) {
        *out += box->start[a] * h->stride[a];
        run &= box->count[a] == 1 || h->stride[a] == want;
        want *= box->count[a];
    }
    return run;
}

static weft_status lend(wf_task *t, wf_object *leaf, wf_output *out, const wf_box *box, void *data)
{
    loan *l = wf_alloc(sizeof *l);
    if (!l) return WEFT_NO_MEMORY;
    *l = (loan){ .leaf = leaf,
                 .box = *box,
                 .streams = leaf->type == WF_OBJECT_FILE && t->run->streams_files };
    weft_status st = wf_block_wrap(wf_engine_store(t->worker->engine), t->worker->device, data,
                                   out->bytes, end_loan, l, &out->block);
    if (st != WEFT_OK) {
        wf_free(l);
        return st;
    }
    wf_object_retain(leaf);
    out->data = data;
    out->lent = true;
    return WEFT_OK;
}

weft_status wf_task_lend_outputs(wf_task *t)
{
    wf_object *leaf = t->run->leaf[t->layer->leaf];
    const wf_leaf_header *h = wf_object_header(leaf);
    if (!h->direct) return WEFT_OK;
    if (leaf->type == WF_OBJECT_FILE) {
        wf_file_prefetch(((wf_file_leaf *)leaf->data)->file, &t->box);
        wf_task_count_io(t, WF_STAT_BYTES_READ,
                         wf_box_size(&t->box) * (int64_t)wf_dtype_size(h->dtype));
    }
    for (int64_t k = 0; k < t->worker->nout; k++) {
        wf_output *out = &t->worker->out[k];
        char *data;
        wf_box box;
        wf_grid_box(&t->run->plan->value[out->value].grid, out->number, &box);
        if (find_run(h, &box, &data)) WF_TRY(lend(t, leaf, out, &box, data));
    }
    return WEFT_OK;
}

weft_status wf_task_copy_lent(wf_task *t)
{
    wf_object *leaf = t->run->leaf[t->layer->leaf];
    const wf_leaf_header *h = wf_object_header(leaf);
    wf_worker *w = t->worker;
    weft_copy_box c = { .ndim = t->box.ndim, .item = (int64_t)wf_dtype_size(h->dtype) };
    memcpy(c.in_stride, h->stride, sizeof c.in_stride);
    for (int64_t k = 0; k < w->nout; k++) {
        char *data;
        wf_box box;
        if (w->out[k].lent) continue;
        wf_grid_box(&t->run->plan->value[w->out[k].value].grid, w->out[k].number, &box);
        (void)find_run(h, &box, &data);
        memcpy(c.count, box.count, sizeof c.count);
        wf_contiguous_strides(c.ndim, box.count, c.item, c.out_stride);
        c.in = data;
        c.out = w->out[k].data;
        WF_TRY(w->dev->ops->copy_box(w->stream, &c));
        if (leaf->type == WF_OBJECT_FILE && t->run->streams_files)
            wf_file_done(((wf_file_leaf *)leaf->data)->file, &box);
    }
    return WEFT_OK;
}

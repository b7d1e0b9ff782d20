// SPDX-License-Identifier: Apache-2.0
// mapped - pages of mapped files that tasks read in place: asked for a little ahead, and let go of
// when the task is done, so that a file larger than memory streams through it. A file that is small
// beside the memory limit stays mapped.
#include <string.h>

#include "exec/run.h"

// The file that READ's value lies in, if its pages are to be managed.
static wf_file *mapped_file(const wf_task *t, int read)
{
    const wf_value *v = &t->run->plan->value[t->layer->read[read].value];
    if (!v->direct || !t->run->streams_files) return NULL;
    const wf_object *leaf = t->run->leaf[v->leaf];
    return leaf->type == WF_OBJECT_FILE ? ((wf_file_leaf *)leaf->data)->file : NULL;
}

typedef void page_call(wf_file *file, const wf_box *box);

static void each_mapped(const wf_task *t, const wf_box *box, page_call *call)
{
    for (int r = 0; r < t->layer->nread && t->run->streams_files; r++) {
        const wf_read *read = &t->layer->read[r];
        wf_file *file = mapped_file(t, r);
        wf_box inside = *box, image;
        if (!file || (read->bounded && !wf_box_intersect(box, &read->box, &inside))) continue;
        wf_map_image(&read->map, &inside, &image);
        call(file, &image);
    }
}

void wf_task_want_pages(const wf_task *t, const wf_box *box)
{
    each_mapped(t, box, wf_file_prefetch);
}

void wf_task_drop_pages(const wf_task *t, const wf_box *box) { each_mapped(t, box, wf_file_done); }

void wf_task_want_next_pages(const wf_task *t)
{
    wf_box ahead;
    int64_t next = t->number + t->run->engine->plan_options.slots;
    if (!t->run->streams_files || next >= t->layer->ntask) return;
    wf_layer_box(t->layer, next, &ahead);
    wf_task_want_pages(t, &ahead);
}

bool wf_run_streams_files(const wf_run *run)
{
    int64_t bytes = 0;
    for (int v = 0; v < run->plan->nvalue; v++) {
        const wf_value *value = &run->plan->value[v];
        int leaf = value->leaf >= 0 ? value->leaf : run->plan->layer[value->layer].leaf;
        if (value->lent && run->leaf[leaf]->type == WF_OBJECT_FILE)
            bytes += wf_shape_size(&value->shape) * (int64_t)wf_dtype_size(value->dtype);
    }
    return bytes > run->engine->plan_options.budget_all / 8;
}

weft_status wf_task_read_aside(wf_task *t, int read, const wf_box *box, void *aside, void *out,
                               const int64_t *out_stride)
{
    const wf_read *r = &t->layer->read[read];
    const wf_value *v = &t->run->plan->value[r->value];
    wf_file *file = ((wf_file_leaf *)t->run->leaf[v->leaf]->data)->file;
    weft_copy_box c = { .ndim = box->ndim, .item = (int64_t)wf_dtype_size(v->dtype), .out = out };
    int64_t stride[WEFT_MAX_NDIM];
    const char *from = aside;
    wf_box image;
    wf_map_image(&r->map, box, &image);
    WF_TRY(wf_file_read(file, &image, aside, NULL, 0));
    wf_contiguous_strides(image.ndim, image.count, c.item, stride);
    memcpy(c.count, box->count, sizeof c.count);
    memcpy(c.out_stride, out_stride, (size_t)box->ndim * sizeof *out_stride);
    for (int i = 0; i < image.ndim; i++) {
        int a = r->map.axis[i];
        c.in_stride[a] = r->map.step[i] * stride[i];
        if (r->map.step[i] < 0) from += (image.count[i] - 1) * stride[i];
    }
    c.in = from;
    return t->worker->dev->ops->copy_box(t->worker->stream, &c);
}

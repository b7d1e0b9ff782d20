// SPDX-License-Identifier: Apache-2.0
// pieces - copies of boxes that lie in several blocks, or that there are very many of. A device for
// which each call has a price (copy_boxes) gets those of one shape together: none is copied before
// the batch is full or flushed, and whoever adds pieces flushes before anything else is asked of
// the stream.
#include <string.h>

#include "base/alloc.h"
#include "exec/run.h"

enum { PIECES = 1024 };

struct wf_pieces {
    weft_copy_box shape;
    int64_t count;
    void *out[PIECES];
    const void *in[PIECES];
};

weft_status wf_task_flush_pieces(wf_task *t)
{
    wf_worker *w = t->worker;
    wf_pieces *p = w->pieces;
    if (!p || p->count == 0) return WEFT_OK;
    int64_t n = p->count;
    p->count = 0;
    return w->dev->ops->copy_boxes(w->stream, &p->shape, n, p->out, p->in);
}

void wf_task_forget_pieces(wf_task *t)
{
    if (t->worker->pieces) t->worker->pieces->count = 0;
}

static bool has_shape(const wf_pieces *p, const weft_copy_box *c)
{
    size_t bytes = (size_t)c->ndim * sizeof c->count[0];
    return p->shape.ndim == c->ndim && p->shape.item == c->item &&
           memcmp(p->shape.count, c->count, bytes) == 0 &&
           memcmp(p->shape.in_stride, c->in_stride, bytes) == 0 &&
           memcmp(p->shape.out_stride, c->out_stride, bytes) == 0;
}

weft_status wf_task_copy_piece(wf_task *t, const weft_copy_box *c)
{
    wf_worker *w = t->worker;
    if (!w->dev->ops->copy_boxes) return w->dev->ops->copy_box(w->stream, c);
    if (!w->pieces && !(w->pieces = wf_alloc(sizeof *w->pieces))) return WEFT_NO_MEMORY;
    wf_pieces *p = w->pieces;
    if (p->count == PIECES || (p->count > 0 && !has_shape(p, c))) WF_TRY(wf_task_flush_pieces(t));
    if (p->count == 0) p->shape = *c;
    p->out[p->count] = c->out;
    p->in[p->count++] = c->in;
    return WEFT_OK;
}

static weft_status copy_span(wf_task *t, const wf_box *box, const wf_span *from, int64_t item,
                             char *out, const int64_t *out_stride)
{
    weft_copy_box c = { .ndim = box->ndim, .item = item, .out = out, .in = from->data };
    for (int a = 0; a < box->ndim; a++) {
        c.count[a] = box->count[a];
        c.in_stride[a] = from->stride[a];
        c.out_stride[a] = out_stride[a];
    }
    return wf_task_copy_piece(t, &c);
}

weft_status wf_task_gather_pieces(wf_task *t, int read, const wf_box *whole, void *out,
                                  const int64_t *out_stride)
{
    wf_box box = *whole;
    int64_t item = (int64_t)wf_dtype_size(t->run->plan->value[t->layer->read[read].value].dtype);
    if (wf_box_size(whole) == 0) return WEFT_OK;
    for (;;) {
        int axis;
        int64_t at;
        wf_box low = box;
        bool cut = wf_task_split(t, read, &box, &axis, &at);
        char *to = out;
        for (int a = 0; a < box.ndim; a++) to += (box.start[a] - whole->start[a]) * out_stride[a];
        if (!cut) {
            wf_span span;
            WF_TRY(wf_task_locate(t, read, &box, &span));
            return copy_span(t, &box, &span, item, to, out_stride);
        }
        low.count[axis] = at - box.start[axis];
        WF_TRY(wf_task_gather_pieces(t, read, &low, to, out_stride));
        box.start[axis] = at;
        box.count[axis] -= low.count[axis];
    }
}

weft_status wf_task_gather(wf_task *t, int read, const wf_box *whole, void *out,
                           const int64_t *out_stride)
{
    WF_TRY(wf_task_gather_pieces(t, read, whole, out, out_stride));
    return wf_task_flush_pieces(t);
}

// SPDX-License-Identifier: Apache-2.0
// task_map - running a program over a box: the box is cut where an operand crosses from one block to the next, and each piece is launched on
// operands that are plain strided memory. Nothing is gathered into temporaries, and nothing shatters: only the pieces are small, not the tasks.
#include <string.h>

#include "exec/run.h"
#include "observe/log.h"

// The pinned address of BLOCK read through READ, by binary search: the references of one read stand together in ascending order of blocks.
static void *find_data(const wf_task *t, int read, int64_t block)
{
    const wf_block_refs *refs = t->refs;
    int64_t lo = 0, hi = refs->count;
    while (lo < hi) {
        int64_t mid = (lo + hi) / 2;
        const wf_block_ref *r = &refs->item[mid];
        unsigned key = (unsigned)r->read, want = (unsigned)read;  // a carry (-1) stands last
        if (key < want || (key == want && r->block < block)) lo = mid + 1;
        else hi = mid;
    }
    if (lo == refs->count || refs->item[lo].read != read || refs->item[lo].block != block)
        return NULL;
    return t->worker->data[lo];
}

weft_status wf_task_locate(wf_task *t, int read, const wf_box *box, wf_span *out)
{
    const wf_read *r = &t->layer->read[read];
    const wf_value *v = &t->run->plan->value[r->value];
    const wf_leaf_header *direct = t->run->value[r->value].direct;
    int64_t source_stride[WEFT_MAX_NDIM], origin[WEFT_MAX_NDIM] = { 0 };
    int nd = v->shape.ndim;
    char *base;
    if (direct) {
        base = (char *)(uintptr_t)direct->data;
        memcpy(source_stride, direct->stride, sizeof direct->stride);
    } else {
        int64_t coord[WEFT_MAX_NDIM];
        wf_box block;
        for (int i = 0; i < nd; i++) {
            int a = r->map.axis[i];
            coord[i] = wf_axis_find(&v->grid.axis[i],
                                    r->map.start[i] + (a < 0 ? 0 : r->map.step[i] * box->start[a]));
        }
        int64_t index = wf_grid_index(&v->grid, coord);
        base = find_data(t, read, index);
        if (!base)
            return wf_fail(WEFT_INTERNAL, "%s: block %" PRId64 " was not among the task's inputs",
                           t->layer->name, index);
        wf_grid_box(&v->grid, index, &block);
        wf_contiguous_strides(nd, block.count, (int64_t)wf_dtype_size(v->dtype), source_stride);
        memcpy(origin, block.start, sizeof origin);
    }
    memset(out->stride, 0, sizeof out->stride);
    for (int i = 0; i < nd; i++) {
        int a = r->map.axis[i];
        base += (r->map.start[i] - origin[i]) * source_stride[i];
        if (a < 0) continue;
        base += r->map.step[i] * box->start[a] * source_stride[i];
        out->stride[a] += r->map.step[i] * source_stride[i];
    }
    out->data = base;
    return WEFT_OK;
}

bool wf_task_split(const wf_task *t, int read, const wf_box *box, int *axis, int64_t *at)
{
    const wf_read *r = &t->layer->read[read];
    const wf_value *v = &t->run->plan->value[r->value];
    if (t->run->value[r->value].direct) return false;
    for (int i = 0; i < v->shape.ndim; i++) {
        int a = r->map.axis[i];
        if (a < 0 || v->grid.axis[i].nblock <= 1) continue;
        int64_t first = r->map.start[i] + r->map.step[i] * box->start[a],
                last = first + r->map.step[i] * (box->count[a] - 1);
        int64_t block = wf_axis_find(&v->grid.axis[i], first), lo, hi;
        if (wf_axis_find(&v->grid.axis[i], last) == block) continue;
        wf_map_preimage(&r->map, i, wf_axis_start(&v->grid.axis[i], block),
                        wf_axis_start(&v->grid.axis[i], block + 1), box->start[a] + box->count[a],
                        &lo, &hi);
        *axis = a;
        *at = hi;
        return true;
    }
    return false;
}

weft_status wf_task_bind(wf_task *t, const wf_layer_part *part, const wf_box *box, wf_operand *in,
                         wf_scalar *param)
{
    for (int i = 0; i < part->program->ninput; i++) {
        const wf_part_input *input = &part->input[i];
        wf_operand *op = &in[i];
        memset(op, 0, sizeof *op);
        if (input->read >= 0) {
            wf_span span;
            WF_TRY(wf_task_locate(t, input->read, box, &span));
            op->data = span.data;
            memcpy(op->stride, span.stride, sizeof span.stride);
        } else {
            op->origin = input->origin;
            for (int a = 0; a < box->ndim; a++) {
                op->origin += input->stride[a] * box->start[a];
                op->stride[a] = input->stride[a];
            }
        }
    }
    for (int p = 0; p < part->program->nparam; p++) param[p] = t->run->param[part->param[p]];
    return WEFT_OK;
}

// A status that came from the device with nothing said is given a sentence; everything else passes.
weft_status wf_task_device_error(wf_task *t, weft_status status)
{
    if (status == WEFT_UNSUPPORTED && !wf_last_error()[0])
        return wf_fail(WEFT_UNSUPPORTED, "%s: device %s cannot run this operation", t->layer->name,
                       t->worker->dev->info.name);
    return status;
}

weft_status wf_task_launch(wf_task *t, const wf_launch *launch)
{
    const weft_device_ops *ops = t->worker->dev->ops;
    return ops->launch ? ops->launch(t->worker->stream, launch) : WEFT_UNSUPPORTED;
}

static weft_status launch(wf_task *t, const wf_layer_part *part, const wf_box *box)
{
    wf_operand in[WF_PROGRAM_MAX_INPUTS], out[WF_PROGRAM_MAX_OUTPUTS];
    wf_scalar param[WF_PROGRAM_MAX_INSTRS];
    wf_launch l = {
        .program = part->program, .ndim = box->ndim, .in = in, .out = out, .param = param
    };
    memcpy(l.count, box->count, sizeof l.count);
    WF_TRY(wf_task_bind(t, part, box, in, param));
    for (int k = 0; k < part->program->noutput; k++) {
        memset(&out[k], 0, sizeof out[k]);
        int64_t item = (int64_t)wf_dtype_size((weft_dtype)part->program->output[k].dtype);
        wf_contiguous_strides(box->ndim, t->box.count, item, out[k].stride);
        char *data = t->out_data[k];
        for (int a = 0; a < box->ndim; a++)
            data += (box->start[a] - t->box.start[a]) * out[k].stride[a];
        out[k].data = data;
    }
    weft_status st = wf_task_launch(t, &l);
    t->begun |= st == WEFT_OK;
    return st;
}

static weft_status run_box(wf_task *t, const wf_layer_part *part, wf_box box)
{
    for (;;) {
        int axis = -1;
        int64_t at;
        for (int i = 0; i < part->program->ninput; i++)
            if (part->input[i].read >= 0 && wf_task_split(t, part->input[i].read, &box, &axis, &at))
                break;
        if (axis < 0) return launch(t, part, &box);
        wf_box low = box;
        low.count[axis] = at - box.start[axis];
        WF_TRY(run_box(t, part, low));
        box.start[axis] = at;
        box.count[axis] -= low.count[axis];
    }
}

static weft_status map_parts(wf_task *t)
{
    if (wf_box_size(&t->box) == 0) return WEFT_OK;
    if (t->layer->npart == 1)  // it covers everything
        return wf_task_device_error(t, run_box(t, &t->layer->part[0], t->box));
    for (int p = 0; p < t->layer->npart; p++) {
        wf_box box;
        if (!wf_box_intersect(&t->box, &t->layer->part[p].box, &box)) continue;
        WF_TRY(wf_task_device_error(t, run_box(t, &t->layer->part[p], box)));
    }
    return WEFT_OK;
}

// A value that was cut for its readers is made block by block.
weft_status wf_task_map(wf_task *t)
{
    const wf_worker *w = t->worker;
    wf_box whole = t->box;
    if (!t->run->plan->value[t->layer->write[0]].cut) return map_parts(t);
    for (int64_t k = 0; k < w->nout; k++) {
        wf_grid_box(&t->run->plan->value[w->out[k].value].grid, w->out[k].number, &t->box);
        t->out_data[0] = w->out[k].data;
        WF_TRY(map_parts(t));
    }
    t->box = whole;
    return WEFT_OK;
}

// SPDX-License-Identifier: Apache-2.0
// count - bytes of mapped files that tasks go through: nobody calls a function for them, so they are
// counted where a task is over, from what it read. A value read twice by one task counts once.
#include "exec/run.h"

// Bytes of BOX's elements that the task reads of VALUE through READ.
static int64_t bytes_of_read(const wf_task *t, const wf_read *read, const wf_value *value,
                             const wf_box *box)
{
    wf_box inside = *box, image;
    int64_t item = (int64_t)wf_dtype_size(value->dtype);

    if (!wf_layer_is_separable(t->layer)) return wf_box_size(box) * item;
    if (read->bounded && !wf_box_intersect(box, &read->box, &inside)) return 0;
    if (wf_box_size(&inside) == 0) return 0;
    wf_map_image(&read->map, &inside, &image);
    return wf_box_size(&image) * item;
}

static bool is_read_before(const wf_layer *layer, int read)
{
    for (int r = 0; r < read; r++)
        if (layer->read[r].value == layer->read[read].value) return true;
    return false;
}

void wf_task_count_mapped(wf_task *t, const wf_box *box)
{
    int64_t bytes = 0;

    for (int r = 0; r < t->layer->nread; r++) {
        const wf_value *v = &t->run->plan->value[t->layer->read[r].value];
        bool mapped = v->direct && t->run->leaf[v->leaf]->type == WF_OBJECT_FILE;
        if (mapped && !is_read_before(t->layer, r))
            bytes += bytes_of_read(t, &t->layer->read[r], v, box);
    }
    if (bytes == 0) return;
    wf_stats_add(&t->worker->engine->stats, WF_STAT_BYTES_READ, bytes);
    __atomic_add_fetch(&t->run->bytes, bytes, __ATOMIC_RELAXED);
}

// SPDX-License-Identifier: Apache-2.0
// object - counted holders of things outside the graph.
#include "array/object.h"

weft_status wf_object_create(int type, void *data, void (*release)(void *), uint64_t identity,
                             wf_object **out)
{
    wf_object *o = wf_alloc(sizeof *o);
    if (!o) return WEFT_NO_MEMORY;
    *o = (wf_object){
        .refs = 1, .type = type, .data = data, .release = release, .identity = identity
    };
    *out = o;
    return WEFT_OK;
}

void wf_object_retain(wf_object *object) { __atomic_add_fetch(&object->refs, 1, __ATOMIC_RELAXED); }

void wf_object_release(wf_object *object)
{
    if (!object || __atomic_sub_fetch(&object->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
    if (object->release) object->release(object->data);
    wf_free(object);
}

weft_status wf_list_create(int64_t count, wf_list **out)
{
    wf_list *list = wf_alloc(sizeof *list + (size_t)count * sizeof list->item[0]);
    if (!list) return WEFT_NO_MEMORY;
    list->refs = 1;
    list->count = count;
    *out = list;
    return WEFT_OK;
}

void wf_list_release(wf_list *list)
{
    if (list && __atomic_sub_fetch(&list->refs, 1, __ATOMIC_ACQ_REL) == 0) wf_free(list);
}

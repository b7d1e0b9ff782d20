// SPDX-License-Identifier: Apache-2.0
// text - a string that grows.
#include "device/cuda/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "device/cuda/module.h"

static bool reserve(wf_cuda_text *text, size_t more)
{
    size_t room = text->room ? text->room : 4096;

    if (text->size + more <= text->room) return true;
    while (room < text->size + more) room *= 2;
    char *data = wf_cuda_host->alloc(room);
    if (!data) {
        wf_cuda_text_fini(text);
        text->failed = true;
        return false;
    }
    if (text->data) memcpy(data, text->data, text->size);
    wf_cuda_host->free(text->data);
    text->data = data;
    text->room = room;
    return true;
}

void wf_cuda_text_add(wf_cuda_text *text, const char *fmt, ...)
{
    va_list list, again;

    va_start(list, fmt);
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, fmt, list);
    if (!text->failed && length >= 0 && reserve(text, (size_t)length + 1)) {
        vsnprintf(text->data + text->size, (size_t)length + 1, fmt, again);
        text->size += (size_t)length;
    }
    va_end(again);
    va_end(list);
}

void wf_cuda_text_fini(wf_cuda_text *text)
{
    wf_cuda_host->free(text->data);
    *text = (wf_cuda_text){ 0 };
}

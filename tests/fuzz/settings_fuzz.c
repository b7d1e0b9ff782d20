// SPDX-License-Identifier: Apache-2.0
// settings_fuzz - any bytes as a settings file: refused with a text, or taken and printed as YAML that reads back.
#include <stdlib.h>

#include "base/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_print(const wf_settings *settings)
{
    wf_settings *again;
    wf_text text = { 0 };

    wf_settings_print(settings, NULL, &text);
    if (wf_text_status(&text) == WEFT_OK && wf_settings_create(&again) == WEFT_OK) {
        WF_ASSERT(wf_settings_parse_yaml(again, "printed", text.data, (size_t)text.length) ==
                  WEFT_OK);
        wf_settings_destroy(again);
    }
    wf_text_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wf_settings *settings;
    int64_t live = wf_alloc_live();

    if (wf_settings_create(&settings) != WEFT_OK) return 0;
    weft_status st = wf_settings_parse_yaml(settings, "fuzz", (const char *)data, size);
    if (st == WEFT_OK) check_print(settings);
    WF_ASSERT(st == WEFT_OK || (wf_last_status() == st && wf_last_error()[0]));
    wf_settings_destroy(settings);
    WF_ASSERT(wf_alloc_live() == live);
    return 0;
}

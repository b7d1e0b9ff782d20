// SPDX-License-Identifier: Apache-2.0
// hidden_device - what the device for tests (hidden_device.c) tells of itself, over all devices of
// its kind.
#ifndef WF_TESTS_HIDDEN_DEVICE_H
#define WF_TESTS_HIDDEN_DEVICE_H

#include <stdint.h>

typedef struct weft_hidden_counts {
    int64_t copies_in, copies_out, copies_peer, bytes_in, bytes_out;
    int64_t boxes, fills, launches;  // calls; launches: of all kinds
    int64_t live_bytes;              // given out now
    int64_t peak_bytes;              // the most that one device ever gave out
    int64_t wrong;                   // addresses that were not what they should be
} weft_hidden_counts;

// Exported by the module: found by dlsym, since tests do not link it.
typedef void weft_hidden_get_counts_fn(weft_hidden_counts *out);
typedef void weft_hidden_reset_counts_fn(void);

#endif

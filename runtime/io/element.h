// SPDX-License-Identifier: Apache-2.0
// element - single values as files know them: NumPy's type strings ("<f8"), byte order, and values
// as doubles. Pure functions.
#ifndef WF_IO_ELEMENT_H
#define WF_IO_ELEMENT_H

#include "array/dtype.h"

#define WF_NATIVE_ORDER (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '<' : '>')

// Reads a type string: byte order '<' '>' '=' '|', kind, bytes. *SWAPPED when the file's order is
// not this machine's. Errors: WEFT_FORMAT for what is no type string, WEFT_UNSUPPORTED for those
// Weft has no dtype for (strings, dates, records); both quote TEXT. "V2" is bfloat16 when VOID2:
// NumPy writes it so, having no name for it.
weft_status wf_typestr_parse(const char *where, const char *text, bool void2, weft_dtype *out,
                             bool *swapped) WEFT_WARN_UNUSED;
// Writes "<f4", "|b1" (native order) into OUT and returns it; bfloat16 is "<V2".
const char *wf_typestr(weft_dtype dtype, char out[8]);
// Bytes of one number: half an element for complex dtypes. What wf_bytes_swap turns.
size_t wf_dtype_width(weft_dtype dtype);

// Element I of the array at P, as a double. Complex: the real part.
double wf_element_get(weft_dtype dtype, const void *p, int64_t i);
// Stores VALUE, rounded to DTYPE's nearest; false when an integer dtype cannot hold it. Complex:
// the imaginary part is 0.
bool wf_element_set(weft_dtype dtype, double value, void *p);

#endif

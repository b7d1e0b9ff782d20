// SPDX-License-Identifier: Apache-2.0
// types - status codes, dtypes and limits: what every other header of Weft speaks in.
#ifndef WEFT_TYPES_H
#define WEFT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WEFT_API __attribute__((visibility("default")))
#define WEFT_WARN_UNUSED __attribute__((warn_unused_result))
#define WEFT_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define WEFT_API
#define WEFT_WARN_UNUSED
#define WEFT_PRINTF(f, a)
#endif

// The most axes an array may have.
#define WEFT_MAX_NDIM 16

// Every way a call can end. X(name, number, text); numbers are never reused.
#define WEFT_STATUS_LIST(X)                                     \
    X(OK, 0, "success")                                         \
    X(INVALID, 1, "invalid argument")                           \
    X(UNSUPPORTED, 2, "not supported by this build or version") \
    X(NO_MEMORY, 3, "not enough memory")                        \
    X(EXISTS, 4, "already exists")                              \
    X(NOT_FOUND, 5, "not found")                                \
    X(IO, 6, "input/output error")                              \
    X(FORMAT, 7, "malformed data")                              \
    X(CANCELLED, 8, "cancelled")                                \
    X(TIMEOUT, 9, "timed out")                                  \
    X(BUSY, 10, "busy")                                         \
    X(CLOSED, 11, "session is closed")                          \
    X(DEVICE, 12, "device error")                               \
    X(LOST, 13, "data lost")                                    \
    X(OVERFLOW, 14, "a count or size does not fit")             \
    X(DENIED, 15, "permission denied")                          \
    X(NO_SPACE, 16, "no space left on device")                  \
    X(INTERNAL, 17, "internal error; please report it")

typedef enum weft_status {
#define WEFT_STATUS_ENUM(name, number, text) WEFT_##name = number,
    WEFT_STATUS_LIST(WEFT_STATUS_ENUM)
#undef WEFT_STATUS_ENUM
} weft_status;

// Every element type. X(NAME, number, name, bytes, kind); kind: b bool, i signed, u unsigned, f
// float, c complex. Number 0 means "default" in option structs. Numbers are never reused.
#define WEFT_DTYPE_LIST(X)              \
    X(BOOL, 1, bool, 1, 'b')            \
    X(INT8, 2, int8, 1, 'i')            \
    X(INT16, 3, int16, 2, 'i')          \
    X(INT32, 4, int32, 4, 'i')          \
    X(INT64, 5, int64, 8, 'i')          \
    X(UINT8, 6, uint8, 1, 'u')          \
    X(UINT16, 7, uint16, 2, 'u')        \
    X(UINT32, 8, uint32, 4, 'u')        \
    X(UINT64, 9, uint64, 8, 'u')        \
    X(FLOAT16, 10, float16, 2, 'f')     \
    X(BFLOAT16, 11, bfloat16, 2, 'f')   \
    X(FLOAT32, 12, float32, 4, 'f')     \
    X(FLOAT64, 13, float64, 8, 'f')     \
    X(COMPLEX64, 14, complex64, 8, 'c') \
    X(COMPLEX128, 15, complex128, 16, 'c')

typedef enum weft_dtype {
    WEFT_DTYPE_DEFAULT = 0,
#define WEFT_DTYPE_ENUM(NAME, number, name, bytes, kind) WEFT_##NAME = number,
    WEFT_DTYPE_LIST(WEFT_DTYPE_ENUM)
#undef WEFT_DTYPE_ENUM
} weft_dtype;

#define WEFT_NDTYPES 16  // one more than the largest number, to size tables

#ifdef __cplusplus
}
#endif
#endif

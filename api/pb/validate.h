/* validate.h -- is this the wire form of such a message, as strict clients and servers see it?
 *
 * protobuf-c takes any bytes for a string and recurses as deep as the sender likes. Bytes from
 * outside are therefore walked once before they are unpacked: strings must be UTF-8 without a NUL
 * (ours end there), nesting has a limit. Thread: any. */
#ifndef PD_API_PB_VALIDATE_H
#define PD_API_PB_VALIDATE_H

#include "api/pb/pb.h"

/* Nesting of messages. Unpacking takes roughly a kilobyte of stack a level. */
enum { PD_PB_DEPTH_MAX = 200 };

typedef enum pd_pb_flaw {
    PD_PB_SOUND,
    PD_PB_BAD_WIRE, /* not protobuf, or a field of another wire type than it may have */
    PD_PB_BAD_UTF8,
    PD_PB_NUL_BYTE,
    PD_PB_TOO_DEEP,
} pd_pb_flaw_t;

/* PD_PB_SOUND does not promise that unpacking succeeds (a packed field may be cut), only that what
 * is unpacked can be trusted. */
pd_pb_flaw_t pd_pb_validate(const ProtobufCMessageDescriptor *type, pd_bytes_t bytes);

/* UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, at most U+10FFFF. */
bool pd_utf8_is_valid(pd_bytes_t text);

#endif

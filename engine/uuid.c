#include "engine/uuid.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/random.h"

static bool is_hex(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isxdigit((unsigned char)text[i]))
            return false;
    return true;
}

static bool is_plain_uuid(const char *text)
{
    return is_hex(text, 8) && text[8] == '-' && is_hex(text + 9, 4) && text[13] == '-' &&
           is_hex(text + 14, 4) && text[18] == '-' && is_hex(text + 19, 4) && text[23] == '-' &&
           is_hex(text + 24, 12);
}

bool pd_is_uuid(const char *text)
{
    enum { PLAIN_SIZE = PD_UUID_SIZE - 1, BARE_SIZE = 32, URN_SIZE = 9 };

    switch (strlen(text)) {
    case PLAIN_SIZE:
        return is_plain_uuid(text);
    case BARE_SIZE:
        return is_hex(text, BARE_SIZE);
    case PLAIN_SIZE + 2:
        return text[0] == '{' && is_plain_uuid(text + 1) && text[PLAIN_SIZE + 1] == '}';
    case URN_SIZE + PLAIN_SIZE:
        return strncasecmp(text, "urn:uuid:", URN_SIZE) == 0 && is_plain_uuid(text + URN_SIZE);
    default:
        return false;
    }
}

/* avsc_main.c -- writes the schemas of the topics: one .avsc per root message.
 *
 *     pd_avsc_writer DIRECTORY          <root message>.avsc, for consumers
 *     pd_avsc_writer --keep DIRECTORY   <root message>.<fingerprint>.avsc, for log/record/schemas
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "log/record/record.h"
#include <perdure/v1/record.pb-c.h>

static const ProtobufCMessageDescriptor *const roots[] = {
    &perdure__v1__record__descriptor,
    &perdure__v1__command__descriptor,
    &perdure__v1__rejected__descriptor,
    &perdure__v1__member__descriptor,
};

static int write_schema(const char *directory, const ProtobufCMessageDescriptor *root, bool keep)
{
    pd_record_codec_t *codec = pd_record_codec_new(root);
    char path[4096];
    FILE *out;
    int result = 1;

    if (keep)
        snprintf(path, sizeof(path), "%s/%s.%016" PRIx64 ".avsc", directory, root->name,
                 pd_record_codec_fingerprint(codec));
    else
        snprintf(path, sizeof(path), "%s/%s.avsc", directory, root->name);
    out = fopen(path, "w");
    if (out) {
        result = fputs(pd_record_codec_schema_json(codec), out) < 0;
        result |= fclose(out) != 0;
    }
    if (result == 0)
        printf("%s %016" PRIx64 "\n", path, pd_record_codec_fingerprint(codec));
    else
        fprintf(stderr, "pd_avsc_writer: cannot write %s\n", path);
    pd_record_codec_free(codec);
    return result;
}

int main(int argc, char **argv)
{
    bool keep = argc == 3 && strcmp(argv[1], "--keep") == 0;
    int result = 0;

    if (argc != 2 && !keep) {
        fprintf(stderr, "usage: pd_avsc_writer [--keep] DIRECTORY\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
        result |= write_schema(argv[argc - 1], roots[i], keep);
    return result;
}

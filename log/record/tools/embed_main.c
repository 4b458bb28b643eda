/* embed_main.c -- build tool: the kept schemas as a C table, so that every binary can read what any
 * release has written.
 *
 *     pd_embed_schemas out.c schemas/<root message>.<fingerprint>.avsc... */
#include <stdio.h>
#include <string.h>

enum { FINGERPRINT_AND_SUFFIX_SIZE = 22 }; /* .0123456789abcdef.avsc */

static int embed(FILE *out, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t size = strlen(name);
    FILE *in = fopen(path, "r");
    int c;

    if (!in || size <= FINGERPRINT_AND_SUFFIX_SIZE) {
        fprintf(stderr, "pd_embed_schemas: cannot read %s\n", path);
        return 1;
    }
    fprintf(out, "    {\"%.*s\", UINT64_C(0x%.16s),\n     \"",
            (int)(size - FINGERPRINT_AND_SUFFIX_SIZE), name,
            name + size - FINGERPRINT_AND_SUFFIX_SIZE + 1);
    while ((c = fgetc(in)) != EOF) {
        if (c == '\n')
            fprintf(out, "\\n\"\n     \"");
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else
            fputc(c, out);
    }
    fprintf(out, "\"},\n");
    return fclose(in) != 0;
}

int main(int argc, char **argv)
{
    FILE *out = argc > 1 ? fopen(argv[1], "w") : NULL;
    int result = 0;

    if (!out) {
        fprintf(stderr, "usage: pd_embed_schemas out.c schema.avsc...\n");
        return 2;
    }
    fprintf(out, "/* Generated from log/record/schemas by pd_embed_schemas. */\n"
                 "#include \"log/record/record_private.h\"\n\n"
                 "const pdi_kept_schema_t pdi_kept_schemas[] = {\n");
    for (int i = 2; i < argc; i++)
        result |= embed(out, argv[i]);
    fprintf(out, "    {NULL, 0, NULL},\n};\n");
    return fclose(out) != 0 || result != 0;
}

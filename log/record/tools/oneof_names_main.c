/* oneof_names_main.c -- build tool: the names of all oneofs in a descriptor set, as a C table.
 *
 *     pd_oneof_names descriptors.protoset oneof_names.c
 *
 * protobuf-c keeps the fields of a oneof but not its name, and the name is what consumers see. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/memory.h"
#include <google/protobuf/descriptor.pb-c.h>

enum { INPUT_SIZE_MAX = 64 * 1024 * 1024, NAME_SIZE_MAX = 1024 };

static void write_message(FILE *out, const char *prefix,
                          const Google__Protobuf__DescriptorProto *type)
{
    char name[NAME_SIZE_MAX];

    snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] ? "." : "", type->name);
    for (size_t i = 0; i < type->n_oneof_decl; i++) {
        int tag = 0;

        for (size_t j = 0; j < type->n_field; j++) {
            const Google__Protobuf__FieldDescriptorProto *field = type->field[j];

            if (field->has_oneof_index && (size_t)field->oneof_index == i &&
                !field->proto3_optional && (tag == 0 || field->number < tag))
                tag = field->number;
        }
        if (tag > 0) /* not one that protoc makes up for a proto3 `optional` */
            fprintf(out, "    {\"%s\", %d, \"%s\"},\n", name, tag, type->oneof_decl[i]->name);
    }
    for (size_t i = 0; i < type->n_nested_type; i++)
        write_message(out, name, type->nested_type[i]);
}

static bool read_file(const char *path, pd_buf_t *buf)
{
    FILE *in = fopen(path, "rb");
    size_t size = 1;

    if (!in)
        return false;
    while (size > 0) {
        if (pd_buf_reserve(buf, 65536) != PD_OK)
            break;
        size = fread(buf->data + buf->size, 1, 65536, in);
        buf->size += size;
    }
    return fclose(in) == 0 && size == 0;
}

int main(int argc, char **argv)
{
    Google__Protobuf__FileDescriptorSet *set;
    pd_buf_t input;
    FILE *out;

    pd_buf_init(&input, INPUT_SIZE_MAX);
    if (argc != 3 || !read_file(argv[1], &input)) {
        fprintf(stderr, "usage: pd_oneof_names descriptors.protoset oneof_names.c\n");
        return 2;
    }
    set = google__protobuf__file_descriptor_set__unpack(NULL, input.size, input.data);
    out = fopen(argv[2], "w");
    if (!set || !out) {
        fprintf(stderr, "pd_oneof_names: cannot read %s or write %s\n", argv[1], argv[2]);
        return 1;
    }
    fprintf(out, "/* Generated from the .proto files by pd_oneof_names. */\n"
                 "#include \"log/record/record_private.h\"\n\n"
                 "const pdi_oneof_name_t pdi_oneof_names[] = {\n");
    for (size_t i = 0; i < set->n_file; i++) {
        const char *package = set->file[i]->package;

        for (size_t j = 0; j < set->file[i]->n_message_type; j++)
            write_message(out, package ? package : "", set->file[i]->message_type[j]);
    }
    fprintf(out, "    {NULL, 0, NULL},\n};\n");
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
    pd_buf_deinit(&input);
    return fclose(out) == 0 ? 0 : 1;
}

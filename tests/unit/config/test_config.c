/* Options: what is read, which source wins, and what is said of every kind of mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/unit/config/sample_table.h"

static int setup(void **state)
{
    *state = pd_config_new(&sample_table, SAMPLE_A);
    return 0;
}

static int teardown(void **state)
{
    pd_config_free(*state);
    return 0;
}

static pd_error_t said; /* what the last reading said */

static pd_status_t file(pd_config_t *config, const char *text)
{
    return pd_config_parse_text(config, "f.conf", pd_bytes_str(text), &said);
}

static pd_status_t flags(pd_config_t *config, char *const *argv)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    return pd_config_parse_flags(config, argc, argv, &said);
}

#define FLAGS(config, ...) flags(config, (char *const *)(const char *[]){__VA_ARGS__, NULL})
#define ENVIRONMENT(config, ...)                                                                   \
    pd_config_parse_environment(config, (char *const *)(const char *[]){__VA_ARGS__, NULL}, NULL,  \
                                &said)

#define assert_refuses(call, wanted)                                                               \
    do {                                                                                           \
        assert_int_equal(call, PD_INVALID);                                                        \
        assert_string_equal(said.text, wanted);                                                    \
    } while (0)

static void defaults_are_values(void **state)
{
    assert_null(pd_config_text(*state, SAMPLE_NAME));
    assert_int_equal(pd_config_number(*state, SAMPLE_COUNT), 7);
    assert_int_equal(pd_config_number(*state, SAMPLE_VERBOSE), 0);
    assert_int_equal(pd_config_number(*state, SAMPLE_DELAY), 20 * 1000 * 1000);
    assert_int_equal(pd_config_number(*state, SAMPLE_CACHE_SIZE), 64 * 1024 * 1024);
    assert_int_equal(pd_config_number(*state, SAMPLE_COLOUR), 1);
    assert_string_equal(pd_config_origin(*state, SAMPLE_COUNT), "default");
}

static void a_file_has_comments_sections_and_any_value(void **state)
{
    const pd_config_pair_t *pairs;

    assert_int_equal(file(*state, "# a comment\n"
                                  "  \t \r\n"
                                  "name =  a # b = c  \r\n"
                                  "count=-5\n"
                                  "delay = 2h\n"
                                  "cache-size = 1GiB\n"
                                  "listen = [::1]:0\n"
                                  "[raw]\n"
                                  "x.Y_z = #1\n"
                                  "empty =\n"
                                  "colour = blue"), /* raw.colour; and no newline */
                     PD_OK);
    assert_string_equal(pd_config_text(*state, SAMPLE_NAME), "a # b = c");
    assert_string_equal(pd_config_origin(*state, SAMPLE_NAME), "f.conf:3");
    assert_int_equal(pd_config_number(*state, SAMPLE_COUNT), -5);
    assert_int_equal(pd_config_number(*state, SAMPLE_DELAY), 7200 * INT64_C(1000000000));
    assert_int_equal(pd_config_number(*state, SAMPLE_CACHE_SIZE), 1 << 30);
    assert_int_equal(pd_config_number(*state, SAMPLE_COLOUR), 1);
    assert_int_equal(pd_config_pairs(*state, SAMPLE_PREFIX_RAW, &pairs), 3);
    assert_string_equal(pairs[0].name, "x.Y_z");
    assert_string_equal(pairs[0].value, "#1");
    assert_string_equal(pairs[0].origin, "f.conf:9");
    assert_string_equal(pairs[1].value, "");
    assert_string_equal(pairs[2].name, "colour");
}

static void flag_beats_environment_beats_file_in_any_order(void **state)
{
    assert_int_equal(FLAGS(*state, "--count", "1"), PD_OK);
    assert_int_equal(ENVIRONMENT(*state, "SAMPLE_COUNT=2", "SAMPLE_CACHE_SIZE=2KiB"), PD_OK);
    assert_int_equal(file(*state, "count = 3\ncache-size = 3KiB\ncolour = blue\n"), PD_OK);
    assert_int_equal(pd_config_number(*state, SAMPLE_COUNT), 1);
    assert_string_equal(pd_config_origin(*state, SAMPLE_COUNT), "--count");
    assert_int_equal(pd_config_number(*state, SAMPLE_CACHE_SIZE), 2048);
    assert_string_equal(pd_config_origin(*state, SAMPLE_CACHE_SIZE), "SAMPLE_CACHE_SIZE");
    assert_int_equal(pd_config_number(*state, SAMPLE_COLOUR), 2);
}

static void file_then_environment_then_flag(void **state)
{
    assert_int_equal(file(*state, "count = 3\nraw.a = f\n"), PD_OK);
    assert_int_equal(ENVIRONMENT(*state, "SAMPLE_COUNT=2", "SAMPLE_RAW_A=e"), PD_OK);
    assert_int_equal(FLAGS(*state, "--count=1", "--raw.a", "g"), PD_OK);
    const pd_config_pair_t *pairs;

    assert_int_equal(pd_config_number(*state, SAMPLE_COUNT), 1);
    assert_int_equal(pd_config_pairs(*state, SAMPLE_PREFIX_RAW, &pairs), 1);
    assert_string_equal(pairs[0].value, "g");
    assert_string_equal(pairs[0].origin, "--raw.a");
}

static void flags_come_in_both_forms_and_the_last_wins(void **state)
{
    assert_int_equal(FLAGS(*state, "--verbose", "--name", "--dashes", "--count=1", "--count", "2",
                           "--raw.a=b=c"),
                     PD_OK);
    const pd_config_pair_t *pairs;

    assert_int_equal(pd_config_number(*state, SAMPLE_VERBOSE), 1);
    assert_string_equal(pd_config_text(*state, SAMPLE_NAME), "--dashes");
    assert_int_equal(pd_config_number(*state, SAMPLE_COUNT), 2);
    assert_int_equal(pd_config_pairs(*state, SAMPLE_PREFIX_RAW, &pairs), 1);
    assert_string_equal(pairs[0].value, "b=c");
    assert_int_equal(FLAGS(*state, "--verbose=false"), PD_OK);
    assert_int_equal(pd_config_number(*state, SAMPLE_VERBOSE), 0);
}

static void variables_spell_dots_and_underscores(void **state)
{
    const pd_config_pair_t *pairs;
    const pd_config_group_t *groups;

    assert_int_equal(ENVIRONMENT(*state, "SAMPLE_RAW_BOOTSTRAP_SERVERS=x", "PATH=y",
                                 "SAMPLE_MAP_ORDERS_TASK__QUEUE=q", "SAMPLE_ONLY_B=ignored",
                                 "SAMPLE_UNKNOWN=ignored", "SAMPLE_NO_EQUALS"),
                     PD_OK);
    assert_int_equal(pd_config_pairs(*state, SAMPLE_PREFIX_RAW, &pairs), 1);
    assert_string_equal(pairs[0].name, "bootstrap.servers");
    assert_int_equal(pd_config_groups(*state, SAMPLE_PREFIX_MAP, &groups), 1);
    assert_string_equal(groups[0].name, "orders");
    assert_string_equal(pd_config_group_value(*state, SAMPLE_PREFIX_MAP, &groups[0], "task_queue"),
                        "q");
}

static void groups_keep_their_keys_together(void **state)
{
    const pd_config_group_t *groups;

    assert_int_equal(file(*state, "[map.one]\ntopic = t1\nformat = json\n"
                                  "[map.two]\ntopic = t2\nformat = raw\ntask_queue = q\n"),
                     PD_OK);
    assert_int_equal(FLAGS(*state, "--map.one.topic", "t3"), PD_OK);
    assert_int_equal(pd_config_check(*state, &said), PD_OK);
    assert_int_equal(pd_config_groups(*state, SAMPLE_PREFIX_MAP, &groups), 2);
    assert_string_equal(groups[0].name, "one");
    assert_int_equal(groups[0].pair_count, 2);
    assert_string_equal(pd_config_group_value(*state, SAMPLE_PREFIX_MAP, &groups[0], "topic"),
                        "t3");
    assert_string_equal(pd_config_group_value(*state, SAMPLE_PREFIX_MAP, &groups[0], "task_queue"),
                        "main");
    assert_string_equal(pd_config_group_value(*state, SAMPLE_PREFIX_MAP, &groups[1], "task_queue"),
                        "q");
    assert_null(pd_config_group_value(*state, SAMPLE_PREFIX_MAP, &groups[1], "nothing"));
}

static void a_group_without_a_required_key_is_refused(void **state)
{
    assert_int_equal(file(*state, "\nmap.one.topic = t\n"), PD_OK);
    assert_refuses(pd_config_check(*state, &said), "f.conf:2: map.one.format is missing");
}

static void bad_values_are_told_with_place_and_range(void **state)
{
    assert_refuses(file(*state, "\ncount = 101\n"),
                   "f.conf:2: count: \"101\" is not valid: it must be a number from -5 to 100");
    assert_refuses(FLAGS(*state, "--delay", "20"),
                   "--delay: \"20\" is not valid: it must be a duration from 0 to 1d, such as "
                   "500ms, 20s or 5m");
    assert_refuses(ENVIRONMENT(*state, "SAMPLE_COLOUR=pink"),
                   "SAMPLE_COLOUR: \"pink\" is not valid: it must be one of red, green, blue");
    assert_refuses(file(*state, "[map.x]\nformat = xml\n"),
                   "f.conf:2: map.x.format: \"xml\" is not valid: it must be one of json, raw");
    assert_int_equal(pd_config_number(*state, SAMPLE_COUNT), 7);
}

static void nearly_right_numbers_are_refused(void **state)
{
    static const char *const bad[] = {
        "count =",
        "count = 1 2",
        "count = 0x10",
        "count = +1",
        "count = 1.5",
        "count = 99999999999999999999",
        "count = --1",
        "count = 5m",
        "delay = -1s",
        "delay = 1 s",
        "delay = 1S",
        "delay = 1.5s",
        "delay = 9223372036854775807d",
        "delay = 25h",
        "cache-size = 1023",
        "cache-size = 1MB",
        "cache-size = 1mib",
        "cache-size = -1KiB",
        "cache-size = 9223372036854775807KiB",
        "verbose = yes",
        "verbose = TRUE",
        "verbose =",
        "colour = red|green",
        "colour =",
        "name =",
    };

    for (size_t i = 0; i < PD_ARRAY_COUNT(bad); i++) {
        if (file(*state, bad[i]) != PD_INVALID)
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

static void addresses_are_split_or_refused(void **state)
{
    static const char *const bad[] = {
        "",           ":1",      "host",    "host:",     "host:x",   "host:65536",
        "host:-1",    "::1:80",  "[]:1",    "[::1]",     "[::1:80",  "a b:1",
        "http://h:1", "h:1,g:2", "host:1 ", "host:0x10", "host:1:2",
    };
    char host[16];
    uint16_t port;

    (void)state;
    assert_int_equal(pd_config_split_address("h.example:65535", host, sizeof(host), &port), PD_OK);
    assert_string_equal(host, "h.example");
    assert_int_equal(port, 65535);
    assert_int_equal(pd_config_split_address("[fe80::1]:0", host, sizeof(host), &port), PD_OK);
    assert_string_equal(host, "fe80::1");
    assert_int_equal(port, 0);
    assert_int_equal(pd_config_split_address("0123456789abcdef:1", host, sizeof(host), &port),
                     PD_INVALID); /* one byte too long */
    for (size_t i = 0; i < PD_ARRAY_COUNT(bad); i++) {
        if (pd_config_split_address(bad[i], host, sizeof(host), &port) != PD_INVALID)
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

static void unknown_names_are_refused_with_the_nearest(void **state)
{
    assert_refuses(file(*state, "cuont = 1"),
                   "f.conf:1: there is no option \"cuont\"; did you mean \"count\"?");
    assert_refuses(FLAGS(*state, "--cachesize", "1"),
                   "--cachesize: there is no option \"cachesize\"; did you mean \"cache-size\"?");
    assert_refuses(FLAGS(*state, "--something-else-entirely"),
                   "--something-else-entirely: there is no option \"something-else-entirely\"");
    assert_refuses(file(*state, "map.a.topik = 1"),
                   "f.conf:1: map.a.topik: there is no key \"topik\"; did you mean \"topic\"?");
    assert_refuses(file(*state, "map.topic = 1"), "f.conf:1: map.topic: write map.NAME.KEY");
    assert_refuses(file(*state, "raw. = 1"), "f.conf:1: a name is missing behind \"raw.\"");
}

static void who_may_say_what_where(void **state)
{
    assert_refuses(FLAGS(*state, "--only-b", "x"), "--only-b: this subcommand has no such option");
    assert_refuses(file(*state, "file = x"),
                   "f.conf:1: file: only a flag or the environment may say this");
    assert_int_equal(FLAGS(*state, "--file", "x"), PD_OK);
}

static void a_file_says_a_thing_once(void **state)
{
    assert_refuses(file(*state, "count = 1\n\ncount = 1\n"),
                   "f.conf:3: count was given already at f.conf:1");
    assert_refuses(file(*state, "raw.a = 1\n[raw]\na = 2\n"),
                   "f.conf:3: raw.a was given already at f.conf:1");
}

static void malformed_lines_are_refused(void **state)
{
    static const char *const bad[] = {
        "just words", "= value", "na me = 1", "[open", "[]", "[a b]", "[x] y", "name\xc3\xa4 = 1",
    };
    static const char nul[] = "name = a\0b";

    for (size_t i = 0; i < PD_ARRAY_COUNT(bad); i++) {
        if (file(*state, bad[i]) != PD_INVALID)
            fail_msg("\"%s\" was taken", bad[i]);
    }
    assert_int_equal(pd_config_parse_text(*state, "f", pd_bytes(nul, sizeof(nul) - 1), &said),
                     PD_INVALID);
    assert_refuses(FLAGS(*state, "word"), "unexpected argument \"word\"");
    assert_refuses(FLAGS(*state, "-c"), "unexpected argument \"-c\"");
    assert_refuses(FLAGS(*state, "--"), "\"--\" is no option");
    assert_refuses(FLAGS(*state, "--=1"), "\"--=1\" is no option");
    assert_int_equal(FLAGS(*state, "--count"), PD_INVALID);
}

static void sizes_are_bounded(void **state)
{
    enum { SIZE = PD_CONFIG_FILE_SIZE_MAX + 1 };
    char *text = pd_alloc(SIZE);

    memset(text, '#', SIZE);
    assert_int_equal(pd_config_parse_text(*state, "f", pd_bytes(text, SIZE), &said), PD_INVALID);
    assert_int_equal(pd_config_parse_text(*state, "f", pd_bytes(text, SIZE - 1), &said), PD_OK);
    memset(text, 'a', SIZE);
    memcpy(text, "name =", 6);
    text[6 + PD_CONFIG_VALUE_SIZE_MAX] = '\0';
    assert_int_equal(file(*state, text), PD_OK);
    text[6 + PD_CONFIG_VALUE_SIZE_MAX] = 'a';
    text[7 + PD_CONFIG_VALUE_SIZE_MAX] = '\0';
    assert_int_equal(file(*state, text), PD_INVALID);
    memset(text, 'a', PD_CONFIG_NAME_SIZE_MAX + 1);
    snprintf(text + PD_CONFIG_NAME_SIZE_MAX + 1, 5, " = 1");
    assert_int_equal(file(*state, text), PD_INVALID);
    pd_free(text);
}

static void pairs_are_bounded(void **state)
{
    char line[40];

    for (int i = 0; i < PD_CONFIG_PAIR_COUNT_MAX; i++) {
        snprintf(line, sizeof(line), "map.m%d.topic = t", i);
        if (i % 2) /* half of them in one place */
            snprintf(line, sizeof(line), "raw.a%d = 1", i);
        assert_int_equal(file(*state, line), PD_OK);
    }
    assert_refuses(file(*state, "raw.more = 1"), "f.conf:1: more than 10000 settings");
}

static void files_are_loaded_or_their_absence_told(void **state)
{
    char path[] = "test_config_XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "count = 42\n", 11), 11);
    close(fd);
    assert_int_equal(pd_config_load(*state, path, &said), PD_OK);
    assert_int_equal(pd_config_number(*state, SAMPLE_COUNT), 42);
    unlink(path);
    assert_int_equal(pd_config_load(*state, path, &said), PD_NOT_FOUND);
    assert_int_equal(pd_config_load(*state, "/", &said), PD_IO);
}

static void the_texts_tell_every_option(void **state)
{
    static const char *const programs[] = {"a", "b"};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    pd_config_print_help(&sample_table, SAMPLE_A, out);
    pd_config_print_reference(&sample_table, programs, 2, out);
    pd_config_print_example(&sample_table, SAMPLE_A, out);
    fclose(out);
    assert_non_null(strstr(text, "--cache-size SIZE"));
    assert_null(strstr(text, "--only-b"));
    assert_non_null(strstr(text, "| `only-b` | a text |  | `b` | Help. `SAMPLE_ONLY_B`. Since 1."));
    assert_non_null(strstr(text, "# cache-size = 64MiB\n"));
    assert_non_null(strstr(text, "| `topic` | a text | (required) |"));
    assert_null(strstr(text, " \n"));
    free(text);
}

/* Whoever uncomments the whole example file gets the defaults. */
static void the_example_file_is_readable(void **state)
{
    char *text;
    size_t size, to = 0;
    FILE *out = open_memstream(&text, &size);

    pd_config_print_example(&sample_table, SAMPLE_A, out);
    fclose(out);
    for (char *line = text, *next; *line; line = next) {
        next = strchr(line, '\n') + 1;
        if (strncmp(line, "# ", 2) != 0 || !memmem(line, (size_t)(next - line), " = ", 3))
            continue;
        memmove(text + to, line + 2, (size_t)(next - line) - 2);
        to += (size_t)(next - line) - 2;
    }
    assert_true(to > 0);
    assert_int_equal(pd_config_parse_text(*state, "f", pd_bytes(text, to), &said), PD_OK);
    assert_string_not_equal(pd_config_origin(*state, SAMPLE_CACHE_SIZE), "default");
    assert_int_equal(pd_config_number(*state, SAMPLE_CACHE_SIZE), 64 * 1024 * 1024);
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_values),
        TEST(a_file_has_comments_sections_and_any_value),
        TEST(flag_beats_environment_beats_file_in_any_order),
        TEST(file_then_environment_then_flag),
        TEST(flags_come_in_both_forms_and_the_last_wins),
        TEST(variables_spell_dots_and_underscores),
        TEST(groups_keep_their_keys_together),
        TEST(a_group_without_a_required_key_is_refused),
        TEST(bad_values_are_told_with_place_and_range),
        TEST(nearly_right_numbers_are_refused),
        TEST(addresses_are_split_or_refused),
        TEST(unknown_names_are_refused_with_the_nearest),
        TEST(who_may_say_what_where),
        TEST(a_file_says_a_thing_once),
        TEST(malformed_lines_are_refused),
        TEST(sizes_are_bounded),
        TEST(pairs_are_bounded),
        TEST(files_are_loaded_or_their_absence_told),
        TEST(the_texts_tell_every_option),
        TEST(the_example_file_is_readable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

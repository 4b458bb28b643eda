#include "tests/unit/diag/diag_capture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/os_clock.h"

enum { TEXT_SIZE = 256 * 1024, LINE_SIZE = 2048 };

static FILE *file;
static int saved_fd;
static char text[TEXT_SIZE], newest[LINE_SIZE];

/* Lines of this second, of whatever was before, count against those to come. */
static void await_next_second(void)
{
    int64_t now_ns = pd_os_wall_ns(), rest_ns = 1000000000 - now_ns % 1000000000;

    usleep((useconds_t)(rest_ns / 1000) + 1000);
}

void diag_capture_begin(void)
{
    PD_ASSERT(!file);
    await_next_second();
    fflush(stderr);
    file = tmpfile();
    saved_fd = dup(STDERR_FILENO);
    PD_ASSERT(file && saved_fd >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
}

static void read_text(void)
{
    ssize_t size;

    PD_ASSERT(file);
    fflush(stderr);
    size = pread(fileno(file), text, sizeof(text) - 1, 0);
    PD_ASSERT(size >= 0);
    text[size] = '\0';
}

size_t diag_capture_count(const char *event)
{
    size_t count = 0;

    read_text();
    for (const char *at = text; (at = strstr(at, event)); at++)
        count++;
    return count;
}

const char *diag_capture_line(const char *event)
{
    const char *found = NULL;

    read_text();
    for (const char *at = text; (at = strstr(at, event)); at++)
        found = at;
    snprintf(newest, sizeof(newest), "%.*s", found ? (int)strcspn(found, "\n") : 0,
             found ? found : "");
    return newest;
}

void diag_capture_end(void)
{
    if (!file)
        return;
    read_text();
    PD_ASSERT(dup2(saved_fd, STDERR_FILENO) >= 0);
    close(saved_fd);
    fclose(file);
    file = NULL;
    fputs(text, stderr);
}

/* One binary, many programs: the name it is called by, or its first argument, picks a row. */
#include "programs.h"

#include <stdio.h>
#include <string.h>

static const struct program {
    const char *name;
    int (*main)(int argc, char **argv);
} programs[] = {
    {"orc-launch", launch_main},
    {"orc-shim", shim_main},
    {"orc-unpack", unpack_main},
};

static const struct program *find_program(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        if (strcmp(programs[i].name, name) == 0)
            return &programs[i];
    return NULL;
}

int main(int argc, char **argv)
{
    for (int i = 0; i < 2 && i < argc; i++) {
        const struct program *program = find_program(argv[i]);
        if (program != NULL)
            return program->main(argc - i, argv + i);
    }
    fprintf(stderr, "orc-native: no such program\n");
    return 64;
}

/* One binary, many programs: the name it is called by, or its first argument, picks a row. */
#include "programs.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
} programs[] = {
    {"orc-launch", launch_main},
    {"orc-shim", shim_main},
    {"orc-unpack", unpack_main},
    {"orc-oci", oci_main},
    {"orc-front", front_main},
};

int main(int argc, char **argv)
{
    for (int i = 0; i < 2 && i < argc; i++)
        for (size_t p = 0; p < sizeof programs / sizeof programs[0]; p++)
            if (strcmp(programs[p].name, basename(argv[i])) == 0)
                return programs[p].main(argc - i, argv + i);
    fprintf(stderr, "orc-native: no such program\n");
    return 64;
}

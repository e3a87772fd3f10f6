/* What a container's image brings along for the tests of test/linux/escapes:
 *   exchange A B         swaps two names, for ever
 *   capable FILE PERMITTED INHERITABLE    gives the file these capabilities, effective */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "exchange") == 0)
        for (;;)
            renameat2(AT_FDCWD, argv[2], AT_FDCWD, argv[3], RENAME_EXCHANGE);
    if (argc == 5 && strcmp(argv[1], "capable") == 0) {
        struct vfs_cap_data data = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE};
        data.data[0].permitted = (uint32_t)strtoul(argv[3], NULL, 0);
        data.data[0].inheritable = (uint32_t)strtoul(argv[4], NULL, 0);
        if (setxattr(argv[2], "security.capability", &data, sizeof data, 0) == 0)
            return 0;
    }
    perror(argv[1]);
    return 1;
}

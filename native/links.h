#ifndef ORC_LINKS_H
#define ORC_LINKS_H

/* Sets a link of the current network namespace up; -1 and errno. */
int link_up(const char *name);

#endif

/* The programs of the binary; each gets argv with its own name first. Add a line here and a row
 * in main.c. */
#ifndef ORC_PROGRAMS_H
#define ORC_PROGRAMS_H

int launch_main(int argc, char **argv);
int shim_main(int argc, char **argv);
int oci_main(int argc, char **argv);
int front_main(int argc, char **argv);
int unpack_main(int argc, char **argv);

/* The exit status. */
int compare_layers(const char *a, const char *b, const char *since);

#endif

/* The smallest program that ends well: no C library, no memory of its own. */
void _start(void)
{
#if defined __x86_64__
    __asm__ volatile("syscall" : : "a"(231L), "D"(0L)); /* exit_group(0) */
#elif defined __aarch64__
    register long status __asm__("x0") = 0, number __asm__("x8") = 94;
    __asm__ volatile("svc 0" : : "r"(number), "r"(status));
#endif
    __builtin_unreachable();
}

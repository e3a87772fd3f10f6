/* Part of the sanitised program: it is started without an environment and with its outputs on
 * /dev/null, so what it finds is written where test/support/sanitised.ts looks. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
    return "log_path=/tmp/orc-sanitizer:abort_on_error=1:detect_leaks=0:detect_stack_use_after_return=1";
}

const char *__ubsan_default_options(void)
{
    return "log_path=/tmp/orc-sanitizer:print_stacktrace=1";
}

import { openLibrary } from './open-library.ts';

/** Of libnftables: bound to the network namespace in which it was made, for one thread at a time. */
export interface NftablesContext {
  /** Runs commands as one transaction. `status` is 0, or not if nothing of it was done. */
  run(commands: string): NftablesResult;
  /** As `run`, with what is printed as JSON. */
  runForJson(commands: string): NftablesResult;
  close(): void;
}

interface NftablesResult {
  readonly status: number;
  readonly output: string;
  readonly error: string;
}

/** Throws if the library is not installed, naming the package that brings it. */
export function openNftablesContext(): NftablesContext {
  const nft = loadLibrary();
  const context = nft.newContext(0);
  nft.bufferOutput(context);
  nft.bufferError(context);
  const run = (commands: string, flags: number): NftablesResult => {
    nft.setOutputFlags(context, flags);
    const status = nft.runCommands(context, commands);
    return { status, output: nft.output(context), error: nft.error(context) };
  };
  return {
    run: (commands) => run(commands, 0),
    runForJson: (commands) => run(commands, NFT_CTX_OUTPUT_JSON),
    close: () => nft.freeContext(context),
  };
}

const NFT_CTX_OUTPUT_JSON = 1 << 4;

function loadLibrary() {
  const library = openLibrary('libnftables.so.1', 'libnftables1');
  return {
    newContext: library.func('void *nft_ctx_new(uint32_t flags)'),
    freeContext: library.func('void nft_ctx_free(void *ctx)'),
    bufferOutput: library.func('int nft_ctx_buffer_output(void *ctx)'),
    bufferError: library.func('int nft_ctx_buffer_error(void *ctx)'),
    setOutputFlags: library.func('void nft_ctx_output_set_flags(void *ctx, uint32_t flags)'),
    runCommands: library.func('int nft_run_cmd_from_buffer(void *ctx, const char *commands)'),
    output: library.func('const char *nft_ctx_get_output_buffer(void *ctx)'),
    error: library.func('const char *nft_ctx_get_error_buffer(void *ctx)'),
  } as const;
}

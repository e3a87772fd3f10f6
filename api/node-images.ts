import * as s from './schema.ts';

/**
 * What `orc image` and a node's agent say to one another, on RUN_DIR/images.sock: POST /VERB with this as JSON is answered
 * by lines of JSON, an ImageLine each, or by an archive. The body of an import is an archive; this is its query then.
 */
export const imageRequest = s.obj({
  /** Names and ids. */
  words: s.list(s.str()),
  ...{ name: s.str(), user: s.str(), password: s.str(), key: s.str() },
  ...{ pin: s.bool(), all: s.bool(), force: s.bool(), repair: s.bool() },
});

export type ImageRequest = s.TypeOf<typeof imageRequest>;

/** A result or an error is the last. */
export type ImageLine =
  | { readonly transfers: readonly Transfer[] }
  | { readonly note: string }
  | { readonly error: string }
  | { readonly result: unknown };

/** One layer on its way. */
export interface Transfer {
  readonly digest: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Unpacked too; or, of one that is sent, accepted. */
  readonly isDone: boolean;
}

/** Of `ls`. */
export interface NodeImage {
  readonly id: string;
  readonly digest: string;
  /** Complete: HOST/REPOSITORY:TAG or HOST/REPOSITORY@DIGEST. */
  readonly names: readonly string[];
  /** Of its compressed layers. */
  readonly sizeBytes: number;
  /** Of what is kept of it as it came: layers may have gone, as they are unpacked. */
  readonly blobBytes: number;
  readonly isPinned: boolean;
}

/** Of `inspect`: what the node remembers of it, and the documents as they came. */
export interface ImageDetails {
  readonly record: NodeImage;
  /** undefined: it was pulled by an agent that kept none. */
  readonly manifest: Document | undefined;
  readonly config: Document | undefined;
}

type Document = Readonly<Record<string, unknown>>;

/** As people are shown it. */
export const shortDigest = (digest: string) => digest.replace('sha256:', '').slice(0, 12);

import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { uint32 } from './frame.ts';

/** One connection's header compression: zlib with SPDY/3's dictionary, one stream for each direction. */
export function openHeaderBlocks() {
  const inflate = createInflate({ dictionary });
  const deflate = createDeflate({ dictionary });
  return {
    decode: async (block: Buffer) => parseHeaders(await through(inflate, block)),
    encode: async (headers: ReadonlyMap<string, string>) =>
      through(deflate, formatHeaders(headers)),
    close() {
      inflate.close();
      deflate.close();
    },
  };
}

/** Far more than clients send; what is sent may be a thousandth of it. */
const maxBytes = 65_536;

/** What came out for this input; one at a time. */
function through(stream: Inflate | Deflate, input: Buffer): Promise<Buffer> {
  const output: Buffer[] = [];
  let length = 0;
  const collect = (chunk: Buffer) => {
    output.push(chunk);
    length += chunk.length;
    if (length > maxBytes) stream.destroy(new Error('the headers are too long'));
  };
  return new Promise<Buffer>((resolve, reject) => {
    stream.on('data', collect);
    stream.once('error', reject);
    stream.write(input);
    stream.flush(constants.Z_SYNC_FLUSH, (error?: Error | null) => {
      // Which is told by an event, too, after this.
      if (error) return;
      stream.off('data', collect);
      stream.off('error', reject);
      resolve(Buffer.concat(output));
    });
  });
}

function parseHeaders(bytes: Buffer): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  let at = 4;
  const next = () => {
    const start = at + 4;
    at = start + bytes.readUInt32BE(at);
    return bytes.toString('utf8', start, at);
  };
  for (let left = bytes.readUInt32BE(0); left > 0; left--)
    headers.set(next().toLowerCase(), next());
  return headers;
}

const formatHeaders = (headers: ReadonlyMap<string, string>): Buffer =>
  Buffer.concat([uint32(headers.size), ...[...headers].flat().map(lengthAndText)]);

const lengthAndText = (text: string) => {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint32(bytes.length), bytes]);
};

/** Section 2.6.10.1 of the draft: words with their lengths, then text without. */
const words = `options head post put delete trace accept accept-charset accept-encoding accept-language
accept-ranges age allow authorization cache-control connection content-base content-encoding
content-language content-length content-location content-md5 content-range content-type date
etag expect expires from host if-match if-modified-since if-none-match if-range
if-unmodified-since last-modified location max-forwards pragma proxy-authenticate
proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade
user-agent vary via warning www-authenticate method get status 200\u00a0OK version HTTP/1.1 url
public set-cookie keep-alive origin`;

const tail = [
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505',
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized',
  '403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable',
  'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT',
  'chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,',
  'text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.',
];

export const dictionary: Buffer = Buffer.concat([
  ...words.split(/[ \n]/).map((word) => lengthAndText(word.replace('\u00a0', ' '))),
  Buffer.from(tail.join('')),
]);

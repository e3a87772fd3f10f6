import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { partsOf } from './resource-path.ts';

/** What is between two neighbours only (RFC 9110, 7.6.1), what says who the client is, and what is this server's to say. */
const notAsked =
  /^(authorization|connection|expect|keep-alive|te|trailer|upgrade|(proxy|impersonate)-.*)$/;
const notAnswered =
  /^(connection|keep-alive|te|trailer|transfer-encoding|upgrade|(proxy|access-control)-.*)$/i;
const bearerProtocol = /(^|,)\s*base64url\.bearer\.authorization\.k8s\.io\.[^,]*/g;

/** To a pod go the client's words, not its credentials. */
export function requestHeaders(request: IncomingMessage): OutgoingHttpHeaders {
  const { headers } = request;
  const between = (headers.connection ?? '').toLowerCase().split(/\s*,\s*/);
  const own = Object.entries(headers).filter(
    ([name]) => !notAsked.test(name) && !between.includes(name),
  );
  const protocols = headers['sec-websocket-protocol']?.replace(bearerProtocol, '');
  return {
    ...Object.fromEntries(own),
    ...(protocols === undefined
      ? {}
      : { 'sec-websocket-protocol': protocols.replace(/^,\s*/, '') }),
    'x-forwarded-uri': partsOf(request).path,
    'x-forwarded-host': headers.host,
    'x-forwarded-proto': 'https',
  };
}

/** In the form of `rawHeaders`: name, value, name, value. */
export const returnedHeaders = ({ rawHeaders }: IncomingMessage): readonly string[] =>
  rawHeaders.filter((_, i) => !notAnswered.test(rawHeaders[i - (i % 2)] ?? ''));

/** The same where redirects lead back through the proxy, as in Kubernetes. */
export function responseHeaders(
  answer: IncomingMessage,
  at: { readonly prefix: string; readonly host: string | undefined },
): string[] {
  const headers = returnedHeaders(answer);
  const isLocation = (i: number) => headers[i - 1]?.toLowerCase() === 'location';
  return headers.map((text, i) => (i % 2 === 1 && isLocation(i) ? throughProxy(text, at) : text));
}

function throughProxy(
  location: string,
  { prefix, host }: { readonly prefix: string; readonly host: string | undefined },
): string {
  const [, authority, path] = /^(?:https?:\/\/([^/?#]+))?(\/(?!\/).*)?$/.exec(location) ?? [];
  if (path === undefined || (authority !== undefined && authority !== host)) return location;
  return path.startsWith(`${prefix}/`) ? path : `${prefix}${path}`;
}

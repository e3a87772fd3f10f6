import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** Asks the controller for a join token, as its administrator, over its unix socket. */
export async function createJoinToken(
  pkiDir: string,
  socketPath: string,
  use: 'node' | 'controller',
): Promise<string> {
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'admin.crt', 'admin.key'].map((file) => readFile(join(pkiDir, file), 'utf8')),
  );
  const answer = await new Promise<string>((resolve, reject) => {
    const sent = request(
      {
        ...{ socketPath, ca, cert, key, method: 'POST', path: '/orc/v1/tokens', agent: false },
        servername: 'localhost',
        headers: { 'content-type': 'application/json' },
      },
      (response) => void text(response).then(resolve, reject),
    );
    sent.on('error', reject);
    sent.end(JSON.stringify({ use }));
  });
  const { token, message } = JSON.parse(answer) as { token?: string; message?: string };
  if (token === undefined) throw new Error(`making a join token: ${message ?? answer}`);
  return token;
}

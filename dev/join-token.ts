import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';

/** Asks the controller for a join token, as its administrator, over its unix socket. */
export async function createJoinToken(
  pkiDir: string,
  socketPath: string,
  use: 'node' | 'controller',
): Promise<string> {
  const [ca = '', cert = '', key = ''] = await Promise.all(
    ['ca.crt', 'admin.crt', 'admin.key'].map((file) => readFile(join(pkiDir, file), 'utf8')),
  );
  const dispatcher = new Agent({ connect: { socketPath, ca, cert, key, servername: 'localhost' } });
  const headers = { 'content-type': 'application/json' };
  const wanted = { dispatcher, method: 'POST', headers, body: JSON.stringify({ use }) } as const;
  try {
    const { body } = await request('https://localhost/orc/v1/tokens', wanted);
    const answer = await body.text();
    const { token, message } = JSON.parse(answer) as { token?: string; message?: string };
    if (token === undefined) throw new Error(`making a join token: ${message ?? answer}`);
    return token;
  } finally {
    await dispatcher.destroy();
  }
}

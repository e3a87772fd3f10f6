import { X509Certificate } from 'node:crypto';
import type { AgentLinkClient, RenewResponse } from '../../api/generated/agent.ts';
import { isDue } from '../../base/certificate-life.ts';
import { formatTime, repeat } from '../../base/clock.ts';
import type { NodeIdentity } from './node-identity.ts';
import type { SessionOptions } from './session-options.ts';

export type IdentityKeeper = ReturnType<typeof identityKeeper>;

const checkIntervalMs = 60 * 60 * 1000;

/** The node's certificate, renewed over any link long before it expires. The next connection uses the new one. */
export function identityKeeper(options: SessionOptions) {
  const { clock, log, nodeName } = options;
  let identity = options.identity;
  let renewing = false;

  const renewIfDue = async (client: AgentLinkClient) => {
    if (renewing || !isDue(identity.certificate, clock.now())) return;
    renewing = true;
    await renew(client).finally(() => {
      renewing = false;
    });
  };
  const renew = async (client: AgentLinkClient) => {
    const { newCertificateRequest } = await import('./certificate-request.ts');
    const { key, csr } = await newCertificateRequest(nodeName);
    const answer = await requestRenewal(client, csr);
    const renewed = { key, certificate: answer.certificate, ca: answer.ca };
    await options.onRenewed(renewed);
    identity = renewed;
    log.info({ component: 'session', node: nodeName }, 'certificate renewed');
  };

  return {
    current: () => identity,
    /** Looks now and every hour whether it has to be renewed. Returns stop. */
    keepRenewed(client: AgentLinkClient): () => void {
      let stopped = false;
      const look = () =>
        renewIfDue(client).catch((err: unknown) => {
          if (!stopped) log.warn({ err, component: 'session' }, 'certificate not renewed');
        });
      void look();
      const stopLooking = repeat(clock, checkIntervalMs, look);
      return () => {
        stopped = true;
        void stopLooking();
      };
    },
  };
}

/** Why a controller, whose clock is right, would not take the certificate: it only hangs up. Pure. */
export function flawOf({ certificate }: NodeIdentity, now: number): string | undefined {
  const { validFromDate, validToDate } = new X509Certificate(certificate);
  if (now > validToDate.getTime())
    return `this node's certificate expired at ${formatTime(validToDate.getTime())}: join again`;
  if (now < validFromDate.getTime())
    return `this node's certificate is valid from ${formatTime(validFromDate.getTime())}: is the clock right?`;
  return undefined;
}

const requestRenewal = (client: AgentLinkClient, csr: string): Promise<RenewResponse> =>
  new Promise((resolve, reject) => {
    client.renew({ csr }, (error, response) => (error ? reject(error) : resolve(response)));
  });
